"""banlistd-notify: argv in, exit code out."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from banlistd.adapters.system.supervisor import find_supervisor
from banlistd.core.notices.notice import Happening, Notice
from banlistd.ctl.usage import UsageParser, add_folders, paths_from
from banlistd.errors import BanlistdError, ConfigError, DeliveryError
from banlistd.events import EventName
from banlistd.notifying.parts import make_service, notice_settings
from banlistd.paths import Paths

_NOTHING = "neither notify: nor hooks: is configured"
_EPILOG = "exit codes: 0 done, 64 usage, 69 a receiver did not accept the test, 78 configuration"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    places = _places(arguments)
    try:
        if arguments.test:
            return asyncio.run(_test(places))
        return asyncio.run(
            _serve(places, arguments.state or Path(os.environ.get("STATE_DIRECTORY", "/var/lib/banlistd-notify")))
        )
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        print(f"banlistd-notify: {error}", file=sys.stderr)
        return error.exit_code
    except BanlistdError as error:
        print(f"banlistd-notify: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


async def _serve(places: Paths, state: Path) -> int:
    service = make_service(places, state)
    if not service.has_receivers:
        print(f"banlistd-notify: nothing to do: {_NOTHING}")
        find_supervisor().ready()
        return 0
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def reload() -> None:
        try:
            service.reload()
        except BanlistdError as error:
            print(f"banlistd-notify: the configuration stays as it was: {error}", file=sys.stderr)

    loop.add_signal_handler(signal.SIGHUP, reload)
    await service.run(stop)
    return 0


async def _test(places: Paths) -> int:
    """Send a test notice to each receiver and run each hook, once, and print what became of it."""
    settings = notice_settings(places)
    if not settings.receivers:
        raise ConfigError(_NOTHING, "packaging/docs/notices.md")
    kind = EventName.NOTICE_TEST.kind
    now = asyncio.get_running_loop().time()
    notice = Notice(Happening(now, kind.priority.level, kind.name, "a test notice of banlistd-notify", {}), now)
    code = 0
    for name, receiver in settings.receivers.items():
        try:
            said = await receiver.deliver([notice], 0, 0)
        except DeliveryError as error:
            print(f"{name}: {error}")
            code = error.exit_code
        else:
            print(f"{name}: delivered{f': {said}' if said else ''}")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = UsageParser(
        prog="banlistd-notify", description="Sends notices of banlistd's events, and runs programs for them.", epilog=_EPILOG
    )
    add_folders(
        parser,
        state="its state (default: $STATE_DIRECTORY or /var/lib/banlistd-notify)",
        runtime="the daemon's control socket (default: /run/banlistd)",
    )
    parser.add_argument("--test", action="store_true", help="send a test notice to each receiver, run each hook, and exit")
    return parser


def _places(arguments: argparse.Namespace) -> Paths:
    # $RUNTIME_DIRECTORY would be a folder of banlistd-notify; it asks the daemon.
    return paths_from(arguments, state=Path("/var/lib/banlistd"), runtime=arguments.runtime or Path("/run/banlistd"))


if __name__ == "__main__":
    sys.exit(main())
