"""How python-tuf gets files from the mirrors of a fleet: plain GET, no redirect, and a new root from any mirror that has it.

Time-outs of sockets are for one read: a mirror that sends an octet now and then keeps them all. So an alarm of the kernel ends
what takes longer than its share, wherever it is: in the header, in a handshake, in a body.
"""

import json
import re
import time
from collections.abc import Iterator, Sequence

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface

from banlistd.core.fleet.kept_rows import LARGEST_ROLE, LARGEST_TRUST_ROOT
from banlistd.trust.alarm import LateError, alarm

_ROOT = re.compile(r"metadata/[0-9]+\.root\.json")
_CHUNK = 1 << 17
LARGEST_TIMESTAMP = 16 * 1024
"""Octets; TUF's own client takes as much."""

_CONNECT, _READ, _OTHERS = 10.0, 20.0, 5.0
"""Seconds. The mirrors that are asked for a new root only may take less, header and body together."""

_SHORT = 64 * 1024
"""Octets of an error page that are read, so that the connection can be used again."""

_OK, _NOT_THERE = 200, (403, 404)


class Mirrors(FetcherInterface):
    """The mirror `at` is asked for everything, and all of them for a new root: one alone cannot hide a revocation.

    `roots_from`: the mirrors that may be asked for roots; the one that gave the last root is `root_from`. `octets`: received.
    `late`: mirrors that took longer than they may. `silent`: those that gave no answer about a new root, and why. Only for the
    main thread: it takes the alarm signal.
    """

    def __init__(self, urls: Sequence[str], ca: str | None, agent: str) -> None:
        self._headers = {"User-Agent": agent, "Accept-Encoding": "identity"}
        self._all = urllib3.PoolManager(ca_certs=ca, num_pools=8)
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}
        self.at = urls[0] if urls else ""
        self.roots_from = list(urls)
        self.root_from = ""
        self.late: list[str] = []
        self.silent: dict[str, Exception] = {}
        self.octets = self.requests = 0
        self._until = self._end = time.monotonic()
        self._others = _OTHERS

    def begin(self, url: str, seconds: float, most: float, others: float) -> None:
        """Ask this mirror now, for `seconds`. `others`: seconds for each other one that may have a new root. They come on top,
        up to `most` in all.
        """
        self.at = url
        self._until, self._end = time.monotonic() + seconds, time.monotonic() + most
        self._others = min(others, _OTHERS)

    def newest_first(self, seconds: float) -> list[str]:
        """The mirrors by the versions of their timestamps, in so many seconds; nothing of that is proven."""
        until, asked = time.monotonic() + seconds, self.roots_from
        versions = {url: self._version(url, (until - time.monotonic()) / (len(asked) - at)) for at, url in enumerate(asked)}
        return sorted(asked, key=lambda url: -versions[url])

    def _version(self, mirror: str, seconds: float) -> int:
        """0 where it does not say one."""
        path = "metadata/timestamp.json"
        try:
            chunks = self._get(mirror, path, time.monotonic() + min(seconds, self._others))
            version = json.loads(b"".join(_bounded(chunks, path, LARGEST_TIMESTAMP)))["signed"]["version"]
        except (DownloadError, urllib3.exceptions.HTTPError, ValueError, LookupError, TypeError, RecursionError):
            return 0
        return version if isinstance(version, int) else 0

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Metadata, bounded as python-tuf asks; it would put each piece into a file of its own on the disk first."""
        return b"".join(_bounded(self.fetch(url), url.removeprefix(f"{self.at}/"), max_length))

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = url.removeprefix(self.at + "/")
        if _ROOT.fullmatch(path):
            return self._root(path)
        chunks = self._get(self.at, path, self._until)
        return _bounded(chunks, path, LARGEST_ROLE) if path.startswith("metadata/") else chunks

    def _root(self, path: str) -> Iterator[bytes]:
        """From the first mirror that has it. Raises DownloadHTTPError (404) where none of those that answer does."""
        willing = [one for one in self.roots_from if one == self.at or one not in self.late]
        for mirror in sorted(willing, key=lambda one: one != self.at):
            began = time.monotonic()
            until = self._until if mirror == self.at else min(began + self._others, self._end)
            try:
                # Read here: the body of another mirror may not cost the time of the one that is asked for everything.
                root = b"".join(_bounded(self._get(mirror, path, until), path, LARGEST_TRUST_ROOT))
            except DownloadHTTPError as error:
                if error.status_code not in _NOT_THERE:
                    self._must_be_another(mirror, error)
            except (DownloadError, urllib3.exceptions.HTTPError) as error:
                self._must_be_another(mirror, error)
            else:
                self.root_from = mirror
                return iter((root,))
            if mirror != self.at:
                self._until = min(self._until + time.monotonic() - began, self._end)
        raise DownloadHTTPError(f"no mirror has {path}", 404)

    def _must_be_another(self, mirror: str, error: Exception) -> None:
        """One that is asked for roots only is no reason to end. Raises the error where everything is asked of the mirror."""
        if mirror == self.at:
            raise error
        self.silent.setdefault(mirror, error)

    def _get(self, mirror: str, path: str, until: float) -> Iterator[bytes]:
        """The body, in pieces. Raises DownloadError, also while it is read."""
        self.requests += 1
        url = f"{mirror}/{path}"
        try:
            with alarm(until):
                timeout = urllib3.Timeout(connect=_CONNECT, read=_READ)
                response = self._pool_of(mirror).urlopen(
                    "GET",
                    urllib3.util.parse_url(url).request_uri,
                    headers=self._headers,
                    retries=False,
                    redirect=False,
                    timeout=timeout,
                    preload_content=False,
                )
                if response.status != _OK:
                    if response.length_remaining is not None and response.length_remaining <= _SHORT:
                        response.drain_conn()
                    else:
                        response.close()
                    raise DownloadHTTPError(f"{url} answers with status {response.status}", response.status)
        except (urllib3.exceptions.TimeoutError, LateError) as error:
            self._note(mirror)
            raise SlowRetrievalError(f"{url} does not answer in time") from error
        return self._chunks(response, mirror, url, until)

    def _pool_of(self, mirror: str) -> urllib3.HTTPConnectionPool:
        """The manager of all pools would compute its key anew for each request."""
        if mirror not in self._pools:
            self._pools[mirror] = self._all.connection_from_url(mirror)
        return self._pools[mirror]

    def _chunks(self, response: urllib3.BaseHTTPResponse, mirror: str, url: str, until: float) -> Iterator[bytes]:
        pieces = response.stream(_CHUNK, decode_content=False)
        try:
            while True:
                with alarm(until):
                    piece = next(pieces, b"")
                if not piece:
                    response.release_conn()
                    return
                self.octets += len(piece)
                yield piece
        except (urllib3.exceptions.TimeoutError, LateError) as error:
            self._note(mirror)
            raise SlowRetrievalError(f"{url} is too slow") from error
        finally:
            response.close()

    def _note(self, mirror: str) -> None:
        if mirror not in self.late:
            self.late.append(mirror)


class NoMirrors(FetcherInterface):
    """Has no file."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise DownloadHTTPError(f"no mirror is asked for {url}", 404)


def _bounded(chunks: Iterator[bytes], path: str, most: int) -> Iterator[bytes]:
    """Metadata: python-tuf asks for as many octets as a snapshot says, and a stolen key may have signed that."""
    octets = 0
    for chunk in chunks:
        octets += len(chunk)
        if octets > most:
            raise DownloadLengthMismatchError(f"{path} has more than {most} bytes")
        yield chunk
