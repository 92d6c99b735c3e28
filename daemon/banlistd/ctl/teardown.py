"""banlistctl teardown: the daemon's own teardown, as a command of the tool."""

import argparse
import os
import sys

from banlistd.control.declaration import Argument, Completes, LocalCommand


def _run(arguments: argparse.Namespace) -> int:
    folders = (("--config", arguments.config), ("--state", arguments.state), ("--runtime", arguments.runtime))
    given = [word for option, folder in folders if folder for word in (option, folder)]
    # The modules of the Debian package are where only our own path says.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-m", "banlistd", "--teardown", *given]
    code = os.spawnve(os.P_WAIT, sys.executable, command, environment)  # noqa: S606 - no subprocess: 10 ms
    return code if code >= 0 else 128 - code


TEARDOWN = LocalCommand(
    name="teardown",
    help="remove everything of banlistd from the firewall; the daemon must be stopped",
    run=_run,
    arguments=(
        Argument("--config", "DIR", "as for banlistd", completes=Completes.FOLDERS),
        Argument("--state", "DIR", "as for banlistd", completes=Completes.FOLDERS),
    ),
    details="Only root may do that.",
    exits={75: "the daemon is not stopped"},
)
