"""The keys that say which firewall carries the bans out."""

from dataclasses import dataclass
from typing import Annotated

from banlistd.backends import BackendName
from banlistd.core.config import kinds
from banlistd.core.config.keys import Key, Reload, Section
from banlistd.core.config.sections.fail2ban import Fail2ban
from banlistd.model import Ownership

_FAIL2BAN = Fail2ban()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendKeys(Section):
    """The first keys of the whole configuration."""

    backend: Annotated[BackendName, Key(kinds.BACKEND, "The backend that carries the bans out.", Reload.RESTART)] = (
        BackendName.NFTABLES
    )
    owner: Annotated[
        Ownership,
        Key(
            kinds.OWNERSHIP,
            "nftables: whether banlistd owns the table, so that a flush of all rules does not affect it and no other program "
            "can change it. `yes` has a danger: a saved ruleset that names the table does not load while banlistd runs, and "
            "`systemctl restart nftables` flushes the host's own rules before it fails. `auto`: yes where kernel (6.9) and nft "
            "support it. It takes effect when the table is created.",
            Reload.RESTART,
        ),
    ] = Ownership.NO
    translated: Annotated[
        bool,
        Key(
            kinds.SWITCH,
            "nftables: whether a banned IPv4 address is banned too where the source of an IPv6 packet contains it, in "
            "64:ff9b::/96 (NAT64) or 2002::/16 (6to4). The other backends cannot look into an address.",
            Reload.RESTART,
        ),
    ] = True
    fail2ban: Annotated[
        Fail2ban, Key(kinds.section(Fail2ban, "fail2ban"), "fail2ban: which jail, and where its server is.", Reload.RESTART)
    ] = _FAIL2BAN

    @property
    def translates(self) -> bool:
        """Whether the backend bans IPv4 addresses in IPv6 sources, and is to do so."""
        return self.translated and "translated" in self.backend.kind.keys
