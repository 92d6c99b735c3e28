"""What a server's Content-Encoding means. Object stores keep whatever was uploaded with a file, and much of it is no coding."""

import re

from banlistd.core.download.codecs import OFFERED
from banlistd.core.printing import quoted
from banlistd.errors import FetchError

CHUNKED = "chunked"
"""No coding is left, but an upload's own framing may still be in the body."""

# RFC 9110 8.4.1 and 18.6, RFC 8878.
_CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "zstd": "zstd"} | ({"br": "br"} if "br" in OFFERED else {})

_CHUNKED = frozenset({"aws-chunked", "chunked"})

_NO_CODINGS = frozenset(
    {"", "*", "none", "null", "identity", "binary", "raw", "plain", "text", "default", "unicode", "7bit", "8bit"}
    | {"ascii", "us-ascii", "gbk", "gb2312", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "koi8-r", "koi8-u"}
)

# A charset, `charset=...`, or a media type: names of what is under the coding.
_DESCRIPTION = re.compile(
    r"utf-?_?(8|16|32)-?(le|be|sig|mb4)?|iso-?_?8859-?\d{1,2}|(windows|cp|ibm)-?\d{3,5}|latin-?\d|charset=.*"
    r"|(text|application|image|audio|video|multipart|binary)/[^/]*"
)


def content_coding(encoding: str) -> str:
    """The one coding that a Content-Encoding names, `CHUNKED`, or nothing where the body is as it is.

    Several headers are joined with commas. Raises FetchError for a coding that is not read.
    """
    names = [part.partition(";")[0].strip().strip("\"'").lower() for part in encoding.split(",")]
    codings = [name for name in names if name not in _CHUNKED and not _is_none(name)]
    if not codings:
        return CHUNKED if _CHUNKED.intersection(names) else ""
    if len(codings) > 1 or codings[0] not in _CODINGS:
        hint = f"banlistd asks for {OFFERED}: the publisher must send the list so, or without a Content-Encoding"
        raise FetchError(f"the server used a Content-Encoding that we did not ask for: {quoted(', '.join(codings), 60)}", hint)
    return _CODINGS[codings[0]]


def _is_none(name: str) -> bool:
    return name in _NO_CODINGS or bool(_DESCRIPTION.fullmatch(name))
