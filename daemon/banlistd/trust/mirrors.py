"""How python-tuf gets files from the mirrors of a fleet: plain GET, no redirect, and a new root from any mirror that has it."""

import re
from collections.abc import Iterator, Sequence

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface

_ROOT = re.compile(r"metadata/[0-9]+\.root\.json")
_CHUNK = 1 << 17
_CONNECT, _READ, _READ_OF_OTHERS = 10.0, 20.0, 5.0
"""Seconds. The mirrors that are asked for a new root only may take less."""

_OK, _NOT_THERE = 200, (403, 404)


class Mirrors(FetcherInterface):
    """The mirror `at` is asked for everything, and all of them for a new root: one alone cannot hide a revocation.

    `roots_from`: the mirrors that may be asked for roots; the one that gave the last root is `root_from`. `octets`: received.
    """

    def __init__(self, urls: Sequence[str], ca: str | None, agent: str) -> None:
        self._pool = urllib3.PoolManager(
            ca_certs=ca, headers={"User-Agent": agent, "Accept-Encoding": "identity"}, retries=False, num_pools=8
        )
        self.at = urls[0] if urls else ""
        self.roots_from = list(urls)
        self.root_from = ""
        self.octets = self.requests = 0

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = url.removeprefix(self.at + "/")
        return self._root(path) if _ROOT.fullmatch(path) else self._get(url, _READ)

    def _root(self, path: str) -> Iterator[bytes]:
        """From the first mirror that has it. Raises DownloadHTTPError (404) where none of those that answer does."""
        for mirror in sorted(self.roots_from, key=lambda one: one != self.at):
            try:
                chunks = self._get(f"{mirror}/{path}", _READ if mirror == self.at else _READ_OF_OTHERS)
            except DownloadHTTPError as error:
                if error.status_code not in _NOT_THERE and mirror == self.at:
                    raise
                continue
            except (DownloadError, urllib3.exceptions.HTTPError):
                if mirror == self.at:
                    raise
                continue
            self.root_from = mirror
            return chunks
        raise DownloadHTTPError(f"no mirror has {path}", 404)

    def _get(self, url: str, seconds: float) -> Iterator[bytes]:
        self.requests += 1
        timeout = urllib3.Timeout(connect=min(_CONNECT, seconds), read=seconds)
        try:
            response = self._pool.request("GET", url, preload_content=False, redirect=False, timeout=timeout)
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url} does not answer") from error
        if response.status != _OK:
            response.drain_conn()
            raise DownloadHTTPError(f"{url} answers with status {response.status}", response.status)
        return self._chunks(response, url)

    def _chunks(self, response: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
        try:
            for chunk in response.stream(_CHUNK, decode_content=False):
                self.octets += len(chunk)
                yield chunk
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url} is too slow") from error
        finally:
            response.release_conn()
