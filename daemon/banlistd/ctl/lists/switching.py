"""banlistctl enable, disable, remove: one source of the configuration, whatever file declares it."""

import argparse
import os
from functools import partial

from banlistd.control.commands.reload import RELOAD
from banlistd.control.declaration import Argument, Completes, LocalCommand
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
)
from banlistd.ctl.lists.editing import is_bare, removed, switched
from banlistd.errors import BanlistdError, NoSuchSourceError, UsageError

_DONE = {"enable": "enabled", "disable": "disabled", "remove": "removed"}


def _run(verb: str, arguments: argparse.Namespace) -> int:
    try:
        with alone(arguments.config):
            _change(verb, arguments)
    except BanlistdError as exc:
        return reported(arguments, exc)
    return 0


def _change(verb: str, arguments: argparse.Namespace) -> None:
    was = loaded_from(arguments.config)
    source = next((source for source in was.config.sources if source.id == arguments.id), None)
    if source is None:
        raise NoSuchSourceError(f"no source is called {arguments.id[:60]!a}", "banlistctl sources lists them")
    if verb != "remove" and source.enabled == (verb == "enable"):
        raise UsageError(f"{source.id} is {_DONE[verb]} already")
    name, text, place = place_in(was, source.id)
    edited = removed(text, place) if verb == "remove" else switched(text, place, on=verb == "enable")
    content = None if name != "banlistd.yaml" and is_bare(edited) else edited.encode("utf-8")
    refuse_other_changes(was, loaded_with(arguments.config, was, name, content), source.id)
    path = os.path.join(arguments.config, name)  # noqa: PTH118 - pathlib: 10 ms
    present = files.as_it_is(path)
    if present.content != was.files[name]:
        raise UsageError(f"{path} has changed meanwhile", "try again")
    reloaded = carry_out(arguments, present, content)
    document = {"id": source.id, "file": path, "done": _DONE[verb], "reloaded": reloaded}
    tell(arguments, document, f"{source.id} is {_DONE[verb]} ({path})")


CONFIG = Argument("--config", "DIR", "folder of the configuration", default="/etc/banlistd", completes=Completes.FOLDERS)
LIFT = next(argument for argument in RELOAD.arguments if argument.name == "--lift")
EXITS = {65: "the reload would lift too many bans (--lift)", 73: "the file could not be written"}
_UNDONE = (
    " Only the lines of that source change; comments stay. The configuration is checked first, then reloaded. Where the reload"
    " is refused, or the daemon ends before it answers and does not come back, the file comes back as it was, and the command"
    " says so. YAML that is too unusual to be edited safely is refused. Of several such commands at a time, one waits for the"
    " other. The journal has each change with its file, its line and the user: `journalctl EVENT=config_changed`."
)

ENABLE, DISABLE, REMOVE = (
    LocalCommand(
        name=verb,
        help=help_text,
        run=partial(_run, verb),
        arguments=(Argument("id", "ID", "the source", completes=Completes.SOURCES), LIFT, CONFIG),
        details=details + _UNDONE,
        exits=EXITS,
    )
    for verb, help_text, details in (
        ("enable", "poll and ban a source again that was disabled", "It writes `enabled: yes`."),
        (
            "disable",
            "neither poll nor ban a source, and keep it in the configuration",
            "It writes `enabled: no`. The bans of the source are lifted, as when it is removed; its history stays.",
        ),
        (
            "remove",
            "take a source out of the configuration",
            "A file that `banlistctl add` wrote is deleted. The bans of the source are lifted.",
        ),
    )
)
