"""What manual bans mean."""

from dataclasses import dataclass
from typing import Annotated

from banlistd.core.config import kinds
from banlistd.core.config.keys import Key, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual(Section):
    """Bans by `banlistctl ban`, and those of fail2ban's jails through it."""

    title = "manual"
    intro = "These keys are set below `manual:`."

    prefix6: Annotated[
        int,
        Key(
            kinds.prefix(48, 128),
            "A single IPv6 address that is banned by hand or by fail2ban, lifted or confirmed, means its network of this "
            "length, as one site has many addresses: 64 is one network of hosts. `--prefix6` of a command takes precedence, "
            "and `--prefix6 128` means the address itself.",
        ),
    ] = 0
