"""The settings of the backend fail2ban."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from banlistd.core.config import kinds
from banlistd.core.config.keys import Key, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail2ban(Section):
    """The jail that carries the bans out."""

    title = "fail2ban"
    intro = "These keys are set below `fail2ban:` and belong to the backend fail2ban."

    jail: Annotated[str, Key(kinds.JAIL, "The jail, which nothing but banlistd may use.")] = "banlistd"
    socket: Annotated[Path, Key(kinds.ABSOLUTE, "The socket of the fail2ban server.")] = Path("/run/fail2ban/fail2ban.sock")
