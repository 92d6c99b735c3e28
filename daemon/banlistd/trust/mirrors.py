"""How python-tuf gets files from the mirrors of a fleet: plain GET, no redirect, and a new root from any mirror that has it.

A mirror has a share of the time, whatever it is spent for: names, the handshake, a header, a body (`connection`).
"""

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import IO

from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface

from banlistd.core.fleet.kept_rows import LARGEST_ROLE, LARGEST_TRUST_ROOT
from banlistd.trust.connection import Authorities, BrokenAnswerError, Connection

_ROOT = re.compile(r"metadata/[0-9]+\.root\.json")
LARGEST_TIMESTAMP = 16 * 1024
"""Octets; TUF's own client takes as much."""

_OTHERS = 5.0
"""Seconds. The mirrors that are asked for a new root only may take less, header and body together."""

_SHORT = 64 * 1024
"""Octets of an error page that are read, so that the connection can be used again."""

_IN_MEMORY = 1 << 20
"""Octets of a file of a list that takes no file on the disk on its way."""

_OK, _NOT_THERE = 200, (403, 404)


class Mirrors(FetcherInterface):
    """The mirror `at` is asked for everything, and all of them for a new root: one alone cannot hide a revocation.

    `roots_from`: the mirrors that may be asked for roots; the one that gave the last root is `root_from`. `octets`: received.
    `late`: mirrors that took longer than they may. `silent`: those that gave no answer about a new root, and why. Only for the
    main thread: it takes the alarm signal.
    """

    def __init__(self, urls: Sequence[str], ca: str | None, agent: str) -> None:
        self._agent = agent
        self._authorities = Authorities(ca)
        self._connections: dict[str, Connection] = {}
        self.at = urls[0] if urls else ""
        self.roots_from = list(urls)
        self.root_from = ""
        self.late: list[str] = []
        self.silent: dict[str, Exception] = {}
        self.octets = self.requests = 0
        self._said: dict[str, int] = {}
        self._until = self._end = time.monotonic()
        self._others = _OTHERS

    def begin(self, url: str, seconds: float, most: float, others: float) -> None:
        """Ask this mirror now, for `seconds`. `others`: seconds for each other one that may have a new root. They come on top,
        up to `most` in all.
        """
        self.at = url
        self._until, self._end = time.monotonic() + seconds, time.monotonic() + most
        self._others = min(others, _OTHERS)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def newest_first(self, seconds: float) -> list[str]:
        """The mirrors by the versions that they say their timestamps have, in so many seconds: `refuse_less` proves it."""
        until, asked = time.monotonic() + seconds, self.roots_from
        self._said = {url: self._version(url, (until - time.monotonic()) / (len(asked) - at)) for at, url in enumerate(asked)}
        return sorted(asked, key=lambda url: -self._said[url])

    def refuse_less(self, version: int) -> None:
        """Raises DownloadError where the mirror that is asked now has said that it has a newer timestamp than the one that was
        proven: it would hide what those after it know.
        """
        if (said := self._said.get(self.at, 0)) > version:
            raise DownloadError(f"it said that its timestamp has version {said}, and gives version {version}")

    def _version(self, mirror: str, seconds: float) -> int:
        """0 where it does not say one."""
        path = "metadata/timestamp.json"
        try:
            chunks = self._get(mirror, path, time.monotonic() + min(seconds, self._others))
            version = json.loads(b"".join(_bounded(chunks, path, LARGEST_TIMESTAMP)))["signed"]["version"]
        except (DownloadError, ValueError, LookupError, TypeError, RecursionError):
            return 0
        return version if isinstance(version, int) else 0

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Bounded as python-tuf asks; it would put each piece of metadata into a file of its own on the disk first."""
        return b"".join(_bounded(self.fetch(url), url.removeprefix(f"{self.at}/"), max_length))

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """A file of a list: what is short waits for no disk."""
        if max_length <= _IN_MEMORY:
            yield BytesIO(self.download_bytes(url, max_length))
        else:
            with super().download_file(url, max_length) as file:
                yield file

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
            except DownloadError as error:
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
        with self._faults(mirror, url):
            connection = self._connection_to(mirror)
            status = connection.ask(path, until)
            if status != _OK:
                connection.skip(_SHORT)
                raise DownloadHTTPError(f"{url} answers with status {status}", status)
        return self._pieces(connection, mirror, url)

    def _connection_to(self, mirror: str) -> Connection:
        if mirror not in self._connections:
            self._connections[mirror] = Connection(mirror, self._agent, self._authorities)
        return self._connections[mirror]

    def _pieces(self, connection: Connection, mirror: str, url: str) -> Iterator[bytes]:
        with self._faults(mirror, url):
            for piece in connection.pieces():
                self.octets += len(piece)
                yield piece

    @contextmanager
    def _faults(self, mirror: str, url: str) -> Iterator[None]:
        """Raises DownloadError in place of what a connection raises."""
        try:
            yield
        except TimeoutError:
            self._note(mirror)
            raise SlowRetrievalError(f"{url} does not come in time") from None
        except (OSError, BrokenAnswerError, UnicodeError) as error:
            raise DownloadError(f"cannot get {url}") from error

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
