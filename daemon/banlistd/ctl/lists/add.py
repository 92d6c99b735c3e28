"""banlistctl add: a new source, read and shown before anything is banned."""

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from banlistd.control.declaration import Argument, LocalCommand
from banlistd.core.printing import counted, printable
from banlistd.ctl import output
from banlistd.ctl.catalogue import known_names
from banlistd.ctl.lists import files
from banlistd.ctl.lists.change import alone, carry_out, loaded_from, loaded_with, refuse_other_changes, reported, tell
from banlistd.ctl.lists.editing import HEAD
from banlistd.ctl.lists.switching import CONFIG, EXITS, LIFT
from banlistd.errors import BanlistdError, FetchError, RefusedError, UsageError

if TYPE_CHECKING:
    from banlistd.core.config.kept import Loaded

_URL = re.compile(r"https?://([^/?#]+)([^?#]*)", re.ASCII)
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LONGEST_ID = 40


def _run(arguments: argparse.Namespace) -> int:
    try:
        return _add(arguments)
    except BanlistdError as exc:
        return reported(arguments, exc)


def _add(arguments: argparse.Namespace) -> int:
    source_id = _id_of(arguments)
    content = _text_of(arguments, source_id).encode()
    with alone(arguments.config):
        will = _with_it(arguments, source_id, content)[1]

    from banlistd.ctl.lists.rehearsal import rehearsed  # noqa: PLC0415 - the whole daemon

    found = rehearsed(arguments.config, will, source_id)
    if not arguments.json:
        output.show(_page(source_id, found))
    if found["error"]:
        fault = FetchError if found["exit_code"] != RefusedError.exit_code else RefusedError
        raise fault(f"{source_id} was not added: {found['error']}", "banlistctl catalogue names lists that are maintained")
    if not _is_wanted(arguments):
        print("nothing was changed", file=sys.stderr)
        return 1
    with alone(arguments.config):
        # Others may have changed the configuration while the list was read and the question waited.
        present, _ = _with_it(arguments, source_id, content)
        reloaded = carry_out(arguments, present, content)
    document = {"id": source_id, "file": present.path, "read": found, "reloaded": reloaded}
    tell(arguments, document, f"{source_id} is added ({present.path}); its bans come with its first poll")
    return 0


def _with_it(arguments: argparse.Namespace, source_id: str, content: bytes) -> "tuple[files.Before, Loaded]":
    """The file that is to be, and the configuration with it. Raises UsageError where the id is in use, and ConfigError."""
    name = f"sources.d/{source_id}.yaml"
    was = loaded_from(arguments.config)
    if any(source.id == source_id for source in was.config.sources):
        raise UsageError(f"there is a source {source_id} already", "choose another id: --id ID")
    will = loaded_with(arguments.config, was, name, content)
    refuse_other_changes(was, will, source_id)
    present = files.as_it_is(os.path.join(arguments.config, name))  # noqa: PTH118 - pathlib: 10 ms
    if present.content is not None:
        raise UsageError(f"{present.path} exists already", "choose another id: --id ID")
    return present, will


def _id_of(arguments: argparse.Namespace) -> str:
    """The id as it is given, or the name in the catalogue, or one from the URL."""
    found = _URL.fullmatch(arguments.list.partition("?")[0].partition("#")[0])
    if found is None and arguments.list not in known_names():
        from banlistd.core.config.values import closest  # noqa: PLC0415 - only a mistyped name needs it

        near = closest(arguments.list, known_names())
        hint = f"did you mean {near}?" if near else "banlistctl catalogue lists the names; a URL begins with https://"
        raise UsageError(f"{arguments.list[:60]!a} is neither a URL nor in the catalogue", hint)
    made = arguments.list
    if found is not None:
        host, path = found[1].rpartition("@")[2], found[2].rstrip("/").rpartition("/")[2].partition(".")[0]
        made = re.sub(r"[^a-z0-9]+", "-", f"{host} {path}".lower()).strip("-")[:_LONGEST_ID].strip("-")
    source_id: str = arguments.id or made
    if not _ID.fullmatch(source_id):
        raise UsageError(f"{source_id[:60]!a} is no id", "1 to 40 of a-z, 0-9 and -: --id office-bans")
    return source_id


def _text_of(arguments: argparse.Namespace, source_id: str) -> str:
    """The file. Quoted as JSON, which is YAML; the loader checks what the values mean."""
    given = {"use": arguments.list} if "://" not in arguments.list else {"id": source_id, "url": arguments.list}
    if "use" in given and source_id != arguments.list:
        given["id"] = source_id
    given |= {key: value for key in ("action", "every") if (value := getattr(arguments, key))}
    return HEAD + "".join(f"{key}: {_scalar(value)}\n" for key, value in given.items())


def _scalar(text: str) -> str:
    return text if re.fullmatch(r"[a-z][a-z0-9-]*|[1-9][0-9]*[smhd]", text) else json.dumps(text)


def _page(source_id: str, found: Mapping[str, Any]) -> list[str]:
    first = [f"    {printable(entry)}" for entry in found["first"]]
    read = (counted(found["entries"], "entry", "entries"), f"size in octets: {found['octets']:,}")
    protected = [f"  protected, and not banned: {printable(one)}" for one in found["protected"]]
    return [
        f"{source_id}: {', '.join(read)}; {counted(found['bans'], 'ban', 'bans')} of them",
        *(["  the first:", *first] if first else []),
        *([f"  {printable(found['skipped'])}"] if found["skipped"] else []),
        *protected,
    ]


def _is_wanted(arguments: argparse.Namespace) -> bool:
    if arguments.yes:
        return True
    if arguments.json or not sys.stdin.isatty():
        raise UsageError("nothing was changed: no terminal to ask on", "--yes adds it without a question")
    print("add it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


ADD = LocalCommand(
    name="add",
    help="add a list of the catalogue, or a URL, as a source of its own file in sources.d",
    run=_run,
    arguments=(
        Argument("list", "NAME|URL", "a name of the catalogue, or the URL of a list"),
        Argument("--id", "ID", "the id of the source; default: the name, or one made from the URL"),
        Argument("--action", "ACTION", "what happens to its packets", choices=("drop", "reject", "log", "count", "none")),
        Argument("--every", "TIME", "how often it is polled, as 6h"),
        Argument("--yes", "", "do not ask", is_flag=True),
        LIFT,
        CONFIG,
    ),
    details="It downloads the list and reads it in a process without rights, as the daemon does, with the guards and the"
    " allowlist of the configuration. It shows the number of entries, the first of them, what was skipped, and which protected"
    " addresses are on the list, and asks; then it writes the file, checks the configuration and reloads. Where the reload is"
    " refused, the file is gone again. Nothing is added of a list that cannot be read.",
    exits={1: "the answer was no", **EXITS},
)
