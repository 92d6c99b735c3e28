"""The file of the control socket: no connection before its mode is set; replaced if dead, removed at the end."""

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from banlistd.errors import AlreadyRunningError, BanlistdError, ControlSocketError

SOCKET_MODE = 0o660

_PROBE_SECONDS = 2.0


def make_folder(folder: Path) -> None:
    """The folder of the socket. Raises ControlSocketError."""
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as exc:
        raise ControlSocketError(f"cannot create the runtime directory {folder}: {exc.strerror}", "see --runtime DIR") from exc


def listen(path: Path) -> tuple[socket.socket, os.stat_result]:
    """The listening socket, and the state of its file. Raises AlreadyRunningError or ControlSocketError.

    Bind, set the mode, then listen: no connection is possible before the mode is set, whatever the umask is.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        listener.bind(str(path))
        path.chmod(SOCKET_MODE)
        listener.listen(128)
        return listener, path.lstat()
    except OSError as exc:
        listener.close()
        reason = exc.strerror or str(exc)  # "AF_UNIX path too long" comes without a number
        raise ControlSocketError(
            f"cannot create the control socket {path}: {reason}",
            "the folder must exist and belong to the daemon: RuntimeDirectory= in its unit, or --runtime DIR",
        ) from exc
    except BanlistdError:
        listener.close()
        raise


def remove(path: Path, inode: int) -> None:
    """Remove our socket file, but not one that replaced it; one that cannot be removed is replaced at the next start."""
    with suppress(OSError):
        if path.lstat().st_ino == inode:
            path.unlink()


def _clear(path: Path) -> None:
    """Remove a dead socket file. Raises AlreadyRunningError or ControlSocketError; then nothing was removed."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ControlSocketError(f"{path} is not a socket, so it stays", "move it away, or choose another --runtime DIR")
        if _is_alive(path):
            raise AlreadyRunningError(f"another banlistd answers on {path}", "systemctl status banlistd")
        path.unlink()


def _is_alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        # Every other error is a sign of life: EAGAIN, for one, says that its queue is full.
        return probe.connect_ex(str(path)) not in (errno.ECONNREFUSED, errno.ENOENT)
