"""Puts the parts of banlistd-notify together."""

import random
import socket
from pathlib import Path

from banlistd.adapters.notices.apprise_receiver import AppriseReceiver
from banlistd.adapters.notices.control_socket import ControlSocketEvents
from banlistd.adapters.notices.hook import HookReceiver
from banlistd.adapters.notices.secrets import Secrets
from banlistd.adapters.notices.state_file import StateFile
from banlistd.adapters.system import config_file
from banlistd.adapters.system.clock import SystemClock
from banlistd.adapters.system.journal import find_announcer
from banlistd.adapters.system.supervisor import find_supervisor
from banlistd.core.credentials import credential_names
from banlistd.paths import Paths
from banlistd.services.notices.service import NoticeService
from banlistd.services.notices.settings import NoticeSettings

STATE = "state.json"


def notice_settings(places: Paths) -> NoticeSettings:
    """Of the configuration as it is now. Raises ConfigError."""
    config = config_file.load(places.config).config
    folders = (places.credentials,) if places.credentials else (places.notify_credentials,)
    secrets = Secrets(folders)
    host = socket.gethostname()
    return NoticeSettings(
        config.notify,
        {credential_names(url)[0]: AppriseReceiver(url, secrets, host) for url in config.notify.urls},
        {hook.name: HookReceiver(hook, secrets) for hook in config.hooks},
        {hook.name: frozenset(map(str, hook.selected)) for hook in config.hooks},
    )


def make_service(places: Paths, state: Path) -> NoticeService:
    """Raises ConfigError."""
    log = config_file.load(places.config).config.log
    return NoticeService(
        ControlSocketEvents(places.socket),
        StateFile(state / STATE),
        lambda: notice_settings(places),
        find_announcer(str(log.format)),
        SystemClock(),
        find_supervisor(),
        random.random,
    )
