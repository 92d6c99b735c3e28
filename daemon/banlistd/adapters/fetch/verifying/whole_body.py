"""A body that is kept in memory, outside of Python, until it is verified; nothing looks into it before."""

import hashlib
import os
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from banlistd.ports import WholeBody

_PORTION = 1 << 18


class MemoryFile:
    """`sha256`: of what was written."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("banlistd-body", os.MFD_CLOEXEC)
        self._digest = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        """Raises OSError where there is no memory."""
        self._digest.update(piece)
        self.size += len(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def body(self, name: str) -> WholeBody:
        """What was written, under the name of the list. It is valid until the block is left."""
        return WholeBody(name, self._descriptor, self.size, self.sha256)

    async def pieces(self) -> AsyncIterator[bytes]:
        for at in range(0, self.size, _PORTION):
            yield os.pread(self._descriptor, _PORTION, at)
