"""A change of one source of the configuration: checked before it is written, and undone if the daemon refuses it."""

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from banlistd.control.commands.reload import RELOAD
from banlistd.control.declaration import PageContext
from banlistd.ctl import output
from banlistd.ctl.client import AnswerLostError, DaemonError, ask
from banlistd.ctl.install_units import NotWritableError
from banlistd.ctl.lists import files
from banlistd.ctl.lists.editing import SourceLines, lines_of_source
from banlistd.ctl.remote import default_runtime, question_of
from banlistd.ctl.report import document_of, report
from banlistd.errors import BanlistdError, ConfigError, NotRunningError, UsageError

if TYPE_CHECKING:
    from banlistd.core.config.kept import Loaded

# Seconds that a daemon which ended in the middle of a reload has to come back: systemd starts it again after one, and a
# large firewall takes some.
_PATIENCE = 30.0
_PAUSE = 0.3

ReloadReply = Mapping[str, Any] | None
"""The answer to the reload; None: no daemon runs."""


def loaded_from(folder: str) -> "Loaded":
    """The configuration as it is. Raises ConfigError."""
    from pathlib import Path  # noqa: PLC0415 - only a change needs it

    from banlistd.adapters.system.config_file import load  # noqa: PLC0415 - the whole of the daemon's own reading

    return load(Path(folder))


def loaded_with(folder: str, was: "Loaded", name: str, content: bytes | None) -> "Loaded":
    """The configuration with another content of one file. Raises ConfigError."""
    from pathlib import Path  # noqa: PLC0415 - as above

    from banlistd.adapters.system.config_file import MAIN, load_kept  # noqa: PLC0415 - as above

    others = {other: found for other, found in was.files.items() if other != name}
    changed = {**others, **({} if content is None else {name: content})}
    return load_kept(Path(folder), {key: changed[key] for key in sorted(changed, key=lambda key: (key != MAIN, key))})


def refuse_other_changes(was: "Loaded", will: "Loaded", source_id: str) -> None:
    """Raise UsageError if an edit changes more than one source, or nothing of it."""
    old = {source.id: source for source in was.config.sources}
    new = {source.id: source for source in will.config.sources}
    changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    in_order = [name for name in old if name in new] == [name for name in new if name in old]
    if changed != {source_id} or not in_order or _rest(was) != _rest(will):
        raise too_unusual(source_id)


def place_in(was: "Loaded", source_id: str) -> tuple[str, str, SourceLines]:
    """The file that declares a source, its text, and the lines of the source. Raises UsageError."""
    found = [
        (name, text, place)
        for name, content in was.files.items()
        for text in [content.decode("utf-8")]
        for place in lines_of_source(text.splitlines(), source_id)
    ]
    if len(found) != 1:
        raise too_unusual(source_id)
    return found[0]


def too_unusual(source_id: str) -> UsageError:
    return UsageError(f"the YAML of {source_id} is too unusual to be edited safely", "edit the file by hand, then reload")


def _rest(loaded: "Loaded") -> object:
    from dataclasses import replace  # noqa: PLC0415 - as above

    return replace(loaded.config, sources=())


@contextmanager
def alone(folder: str) -> Iterator[None]:
    """One banlistctl at a time reads the configuration, changes it and reloads; the others wait. Raises NotWritableError.

    The lock is on the folder itself, so nothing of it is left behind, not even after a kill.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise NotWritableError(f"cannot use {folder}: {exc.strerror}", "--config DIR names the folder") from exc
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another banlistctl changes the configuration; waiting for it", file=sys.stderr)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def carry_out(arguments: argparse.Namespace, was: files.Before, content: bytes | None) -> ReloadReply:
    """Write the file and reload; if the reload is refused, or its outcome cannot be learned, the file is put back.

    Raises what the reload does. Then the file is as it was, and the user has read so.
    """
    with ExitStack() as undo:
        files.put(was, content)
        undo.push(partial(_put_back, was))
        answer = _reload({} if arguments.lift is None else {"lift": arguments.lift}, arguments.runtime)
        undo.pop_all()
    return answer


def _reload(fields: Mapping[str, object], runtime: str) -> ReloadReply:
    socket_path = os.path.join(runtime or default_runtime(), "control.sock")  # noqa: PTH118 - pathlib: 10 ms
    question = question_of(RELOAD, fields)
    try:
        return cast("ReloadReply", ask(socket_path, question))
    except AnswerLostError:
        print("the answer to the reload was lost; asking again", file=sys.stderr)
    except NotRunningError:
        return None
    # A daemon that ended is started again by systemd, and a reload of files that are in force already changes nothing.
    end = time.monotonic() + _PATIENCE
    while True:
        left = max(1.0, end - time.monotonic())
        try:
            return cast("ReloadReply", ask(socket_path, question._replace(timeout=left)))
        except NotRunningError:
            if time.monotonic() >= end:
                raise
        time.sleep(_PAUSE)


def _put_back(was: files.Before, _: object, error: BaseException | None, __: object) -> None:
    files.put(was, was.content)
    hint = "with --lift, repeat this command"
    if not isinstance(error, DaemonError):
        hint = "banlistctl reload makes sure that the daemon has it so"
    print(f"{was.path} is as it was; {hint}", file=sys.stderr)


def tell(arguments: argparse.Namespace, document: Mapping[str, Any], sentence: str) -> None:
    """Print what was done, and what the daemon says of it."""
    if arguments.json:
        print(json.dumps(document))
        return
    reloaded = document["reloaded"]
    page = ["the daemon does not run: it reads that at its start"]
    if reloaded is not None:
        page = [str(part) for part in RELOAD.page(reloaded, PageContext(0.0, lambda _: None))]
    output.show([sentence, *page])


def reported(arguments: argparse.Namespace, error: BanlistdError) -> int:
    """Print an error with its problems, and return its exit code."""
    if isinstance(error, DaemonError):
        report(error, error.document if arguments.json else None, error.problems)
        return error.code
    problems = error.problems if isinstance(error, ConfigError) else ()
    report(error, document_of(error) if arguments.json else None, problems)
    return error.exit_code
