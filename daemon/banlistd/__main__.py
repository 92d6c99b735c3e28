"""banlistd: argv in, exit code out. The only module of the daemon that reads the command line and prints."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from banlistd.compose import House, Places, load_config, open_house
from banlistd.control import serve
from banlistd.core.config import Config
from banlistd.errors import BanlistdError, ConfigError, LedgerError, UsageError
from banlistd.model import Outcome

_EPILOG = (
    "exit codes: 0 done, 64 usage, 65 list refused, 69 list not to be had, 71 firewall, 74 database, 75 already running,"
    " 78 configuration"
)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    places = _places(arguments)
    try:
        config = load_config(places)
        if arguments.check:
            print(f"{places.config}: the configuration is right: {len(config.sources)} sources")
            return 0
        if arguments.once or arguments.dry_run:
            return asyncio.run(_once(places, config, rehearse=arguments.dry_run))
        return asyncio.run(_serve(places, config))
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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(UsageError.exit_code, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="banlistd", description="Keeps the firewall exactly equal to the IP blocklists that you choose.", epilog=_EPILOG
    )
    parser.add_argument("--config", metavar="DIR", type=Path, default=Path("/etc/banlistd"), help="default: /etc/banlistd")
    parser.add_argument("--state", metavar="DIR", type=Path, help="default: $STATE_DIRECTORY or /var/lib/banlistd")
    parser.add_argument("--runtime", metavar="DIR", type=Path, help="default: $RUNTIME_DIRECTORY or /run/banlistd")
    parser.add_argument("--version", action="version", version=f"banlistd {version('banlistd')}")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="check the configuration and exit with 0 or 78")
    mode.add_argument("--once", action="store_true", help="poll every enabled source once, apply, and exit")
    mode.add_argument("--dry-run", action="store_true", help="as --once, but print the changes and touch nothing")
    return parser


def _places(arguments: argparse.Namespace) -> Places:
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    return Places(
        config=arguments.config,
        state=arguments.state or Path(os.environ.get("STATE_DIRECTORY", "/var/lib/banlistd")),
        runtime=arguments.runtime or Path(os.environ.get("RUNTIME_DIRECTORY", "/run/banlistd")),
        credentials=Path(credentials) if credentials else None,
    )


async def _once(places: Places, config: Config, *, rehearse: bool) -> int:
    async with open_house(places, config, rehearse=print if rehearse else None) as house:
        await house.restore()
        outcomes = await house.service.refresh()
        if rehearse:
            print(f"nothing was changed; {len(house.enforcer.held or ())} bans would stand")
        return _worst(outcomes, house.storage.fault)


def _worst(outcomes: Sequence[Outcome], fault: str) -> int:
    if fault:
        print(f"banlistd: what was imported could not be written down: {fault}", file=sys.stderr)
        return LedgerError.exit_code
    return next((outcome.exit_code for outcome in outcomes if outcome.exit_code), 0)


async def _serve(places: Places, config: Config) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_house(places, config) as house:
        await house.restore()
        reloads: set[asyncio.Task[None]] = set()
        loop.add_signal_handler(signal.SIGHUP, lambda: reloads.add(loop.create_task(_reload(house))))
        places.runtime.mkdir(mode=0o755, parents=True, exist_ok=True)
        async with serve(house.answers, places.socket):
            await house.service.run(stop)
    return 0


async def _reload(house: House) -> None:
    # What is wrong has been told; the old configuration goes on.
    with suppress(BanlistdError):
        await house.service.reload()


if __name__ == "__main__":
    sys.exit(main())
