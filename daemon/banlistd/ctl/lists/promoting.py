"""banlistctl promote: let a source block that only counts, once it is seen what that would change."""

import argparse
import json
import os
import time
from collections.abc import Iterator
from difflib import ndiff
from typing import Any

from banlistd.control.commands.value.promotion import PROMOTION
from banlistd.control.declaration import Argument, Completes, LocalCommand, PageContext
from banlistd.core.printing import printable
from banlistd.ctl import output
from banlistd.ctl.client import ask
from banlistd.ctl.lists import files
from banlistd.ctl.lists.change import (
    alone,
    carry_out,
    loaded_from,
    loaded_with,
    place_in,
    refuse_other_changes,
    reported,
    tell,
    too_unusual,
)
from banlistd.ctl.lists.editing import lines_of_source, with_key, without_key
from banlistd.ctl.lists.switching import CONFIG, EXITS, LIFT
from banlistd.ctl.remote import default_runtime, question_of
from banlistd.errors import BanlistdError, UsageError

_BLOCKS = ("drop", "reject")


def _run(arguments: argparse.Namespace) -> int:
    try:
        with alone(arguments.config):
            _promote(arguments)
    except BanlistdError as exc:
        return reported(arguments, exc)
    return 0


def _promote(arguments: argparse.Namespace) -> None:
    socket_path = os.path.join(arguments.runtime or default_runtime(), "control.sock")  # noqa: PTH118 - pathlib: 10 ms
    found: Any = ask(socket_path, question_of(PROMOTION, {"source": arguments.id}))
    if found["action"] in _BLOCKS:
        raise UsageError(f"{arguments.id} has action {found['action']}: it blocks already")
    was = loaded_from(arguments.config)
    name, text, place = place_in(was, arguments.id)
    kept = without_key(text, place, "shadow")
    places = [] if kept is None else lines_of_source(kept.splitlines(), arguments.id)
    if kept is None or len(places) != 1:
        raise too_unusual(arguments.id)
    edited = with_key(kept, places[0], "action", arguments.action or "drop")
    content = edited.encode("utf-8")
    refuse_other_changes(was, loaded_with(arguments.config, was, name, content), arguments.id)
    path = os.path.join(arguments.config, name)  # noqa: PTH118 - pathlib: 10 ms
    change = [line for line in _difference(text, edited) if line]
    if not arguments.json:
        shown = (f"    {printable(line)}" for line in change)
        page = PROMOTION.page(found, PageContext(time.time(), lambda _: None))
        output.show([*page, f"  the change to {path}{'' if arguments.write else ' (--write does it)'}:", *shown])
    document = {"promotion": found, "file": path, "change": change, "written": bool(arguments.write)}
    if arguments.write:
        present = files.as_it_is(path)
        if present.content != was.files[name]:
            raise UsageError(f"{path} has changed meanwhile", "try again")
        reloaded = carry_out(arguments, present, content)
        tell(arguments, {**document, "reloaded": reloaded}, f"{arguments.id} blocks now ({path})")
    elif arguments.json:
        print(json.dumps({**document, "reloaded": None}))


def _difference(before: str, after: str) -> Iterator[str]:
    """The lines that go and come, with - and + before them."""
    old, new = before.splitlines(), after.splitlines()
    for line in ndiff(old, new):
        if line[:2] in ("- ", "+ "):
            yield line


PROMOTE = LocalCommand(
    name="promote",
    help="show what a source that only counts would block, and let it",
    run=_run,
    arguments=(
        Argument("id", "ID", "the source", completes=Completes.SOURCES),
        Argument("--action", "ACTION", "what then happens to its packets; default: drop", choices=_BLOCKS),
        Argument("--write", "", "change the file, and reload", is_flag=True),
        LIFT,
        CONFIG,
    ),
    details="It says by how much the bans would grow, which entries met an address that is wanted, and what the source would"
    " have dropped: with `shadow`, all packets of its time in shadow, without, those that no other source takes. Then it"
    " prints the change to the file: the action, and no `shadow` any more. With --write it is made as `enable` changes a file:"
    " only the lines of that source, checked, reloaded, and undone where the reload is refused.",
    exits=EXITS,
)
