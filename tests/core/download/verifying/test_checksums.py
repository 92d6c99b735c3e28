import pytest

from banlistd.core.download.verifying.checksums import sha256_of
from banlistd.errors import VerificationError

ONE, TWO = "ab" * 32, "cd" * 32


@pytest.mark.parametrize(
    "text",
    [
        ONE,
        f"{ONE}\n",
        f"{ONE.upper()}\r\n",
        f"\ufeff{ONE}  list.txt\n",
        f"{ONE}  list.txt",
        f"{ONE} *list.txt",
        f"{ONE}\tlist.txt",
        f"{ONE}  another.txt",
        f"SHA256 (list.txt) = {ONE}",
        f"SHA256(list.txt)= {ONE}",
        f"SHA2-256(list.txt)= {ONE}",
        f"# list.txt: 10 bytes\nMD5 (list.txt) = {'0' * 32}\nSHA256 (list.txt) = {ONE}\nSHA512 (list.txt) = {'0' * 128}\n",
        f"{TWO}  other.txt\n{ONE}  list.txt\n",
        f"{TWO}  old/list.txt.gz\n{ONE}  ./lists/list.txt\n",
        f"{ONE}  list.txt\n{ONE.upper()} *list.txt\n",
    ],
)
def test_every_usual_form_gives_the_sum_of_the_list(text: str) -> None:
    assert sha256_of(text.encode(), "list.txt") == ONE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "has none of SHA-256"),
        (b"\n# nothing\n", "has none of SHA-256"),
        (b"<html>", "line 1 is no checksum: <html>"),
        (ONE.encode()[:-1], "line 1 is no checksum"),
        (ONE.encode() + b"\nmore\n", "line 2 is no checksum: more"),
        (b"MD5 (list.txt) = " + b"0" * 32, "has none of SHA-256"),
        (f"{ONE}  a.txt\n{TWO}  b.txt".encode(), "does not name list.txt"),
        (f"{ONE}  list.txt\n{TWO}  list.txt".encode(), "names list.txt more than once"),
        (f"{ONE}\n{TWO}".encode(), "2 lines have no name"),
        (b"\xff\xfe", "is not text"),
        (b"\0" * 64, "line 1 is no checksum"),
    ],
)
def test_what_is_not_clear_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(VerificationError, match=reason):
        sha256_of(text, "list.txt")


def test_the_longest_file_is_read_in_no_time() -> None:
    with pytest.raises(VerificationError, match="does not name"):
        sha256_of(f"{ONE}  a\n".encode() * 900, "list.txt")
    with pytest.raises(VerificationError, match="is no checksum"):
        sha256_of(b"SHA256 (" + b"(" * 65_000, "list.txt")
