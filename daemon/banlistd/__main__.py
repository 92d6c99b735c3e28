"""banlistd: argv in, exit code out. The only module of the daemon that reads the command line."""

import argparse
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from banlistd.ctl.usage import UsageParser, add_folders, paths_from
from banlistd.errors import BanlistdError, ConfigError
from banlistd.paths import Paths

_EPILOG = (
    "exit codes: 0 done, 64 usage, 65 list refused, 69 list unavailable, 71 firewall, 74 database or control socket,"
    " 75 already running, 78 configuration"
)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    places = _places(arguments)
    try:
        return _run(arguments, places)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        print(f"banlistd: {error}", file=sys.stderr)
        return error.exit_code
    except BanlistdError as error:
        print(f"banlistd: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(arguments: argparse.Namespace, places: Paths) -> int:
    # Before numpy: its library for matrices, of which we use nothing, would start a thread for each core, and each of them
    # spins while it waits (measured on two cores: 0.18 s of processor time for a start of numpy, not 0.06).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A start makes what stays: to look for garbage in it takes a twentieth of its time, with 100,000 manual bans a quarter.
    gc.disable()
    if arguments.verbose:
        _log_details()
    # Imported here, because a boot waits for --restore, and all the rest takes twice as long to import.
    if arguments.restore:
        from banlistd.boot_restore import restore  # noqa: PLC0415 - see above

        if words := restore(places):
            print(words)
        gc.freeze()  # the interpreter would look for garbage at its end: a fifteenth of the time of 100,000 manual bans
        return 0
    if arguments.check or arguments.teardown or arguments.once or arguments.dry_run:
        return _run_to_the_end(arguments, places)
    from banlistd.starting.first_start import forker_of_a_first_start  # noqa: PLC0415 - see above

    with forker_of_a_first_start(places) as begun:
        from banlistd.cli import serve_daemon  # noqa: PLC0415 - see above

        return serve_daemon(places, debug=arguments.verbose, begun=begun)


def _run_to_the_end(arguments: argparse.Namespace, places: Paths) -> int:
    from banlistd import cli as modes  # noqa: PLC0415 - see `_run`

    if arguments.check:
        return modes.check_config(places)
    if arguments.teardown:
        return modes.teardown(places)
    return modes.once(places, dry_run=arguments.dry_run, debug=arguments.verbose)


def _log_details() -> None:
    """Debug lines of banlistd and asyncio on stderr; libraries log request headers and database rows, so they stay silent."""
    priority = "<7>" if "JOURNAL_STREAM" in os.environ else ""
    logging.basicConfig(stream=sys.stderr, format=f"{priority}%(name)s: %(message)s")
    for name in ("banlistd", "asyncio"):
        logging.getLogger(name).setLevel(logging.DEBUG)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 - see _run

        print(f"banlistd {version('banlistd')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = UsageParser(
        prog="banlistd", description="Keeps the firewall exactly equal to the IP blocklists that you choose.", epilog=_EPILOG
    )
    add_folders(
        parser,
        state="the database (default: $STATE_DIRECTORY or /var/lib/banlistd)",
        runtime="the control socket (default: $RUNTIME_DIRECTORY or /run/banlistd)",
    )
    parser.add_argument("--verbose", action="store_true", help="log details on stderr, and run asyncio in debug mode")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="check the configuration and exit with 0 or 78")
    mode.add_argument("--once", action="store_true", help="poll every enabled source once, apply, and exit")
    mode.add_argument("--dry-run", action="store_true", help="as --once, but print the changes and touch nothing")
    mode.add_argument("--restore", action="store_true", help="restore the last state, without network and configuration")
    mode.add_argument("--teardown", action="store_true", help="remove everything of banlistd from the firewall, and exit")
    return parser


def _places(arguments: argparse.Namespace) -> Paths:
    # Absolute: programs of ours that take and publish lists of a fleet work in another folder.
    state = (arguments.state or Path(os.environ.get("STATE_DIRECTORY", "/var/lib/banlistd"))).absolute()
    runtime = (arguments.runtime or Path(os.environ.get("RUNTIME_DIRECTORY", "/run/banlistd"))).absolute()
    return paths_from(arguments, state=state, runtime=runtime)


if __name__ == "__main__":
    sys.exit(main())
