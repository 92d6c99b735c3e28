"""One jail of fail2ban, in its own words: what it lists, bans, unbans and counts, and the record that we leave in it."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from banlistd.adapters.firewalls.fail2ban import record as fail2ban_record
from banlistd.adapters.firewalls.fail2ban.record import Record, State
from banlistd.adapters.firewalls.fail2ban.socket import Fail2banSocket
from banlistd.errors import FirewallError

# An action that runs nft or iptables takes 15 ms to ban and 30 ms to unban (measured), and until the last of a batch is done
# fail2ban answers nobody. Larger batches are no faster: a command costs 0.2 ms.
BATCH = 100

# An action of ours that does nothing: fail2ban keeps any property of an action, and this one has the record. It goes when
# fail2ban is restarted or reloaded; then the jail is read and compared.
RECORD_ACTION = "banlistd-record"
RECORD_PROPERTY = "record"

FOR_EVER = -1


class Jail:
    """Raises FirewallError for everything that goes wrong. Meant for a thread: fail2ban may take its time."""

    def __init__(self, wire: Fail2banSocket, name: str) -> None:
        self._wire = wire
        self._name = name

    def refuse_expiry(self) -> None:
        """fail2ban lifts bans of itself, unless the jail says otherwise."""
        bantime = self._get("bantime")
        if bantime != FOR_EVER:
            words = f"jail {self._name} lifts its bans after {bantime} s"
            raise FirewallError(words, f"it needs bantime = {FOR_EVER}, then fail2ban-client reload")

    def banned(self) -> Sequence[str]:
        """All that it lists. 100,000 entries take 0.4 s (measured)."""
        listed = self._get("banip")
        if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
            raise FirewallError(f"jail {self._name} lists no addresses")
        return listed

    def ban(self, entries: Collection[str]) -> None:
        self._in_batches("banip", entries)

    def unban(self, entries: Collection[str]) -> None:
        """Only what is listed: of a network that is not, fail2ban would unban whatever lies in it."""
        self._in_batches("unbanip", entries)

    def check(self) -> None:
        """Let each action look whether what it needs is in the kernel, and repair it: afterwards its epoch is another."""
        for action in self._actions():
            if "consistencyCheck" in self._get("actionmethods", action):
                self._wire.ask("set", self._name, "action", action, "consistencyCheck")

    def state(self) -> State:
        epochs = {
            action: int(self._get("action", action, "banEpoch"))
            for action in self._actions()
            if "banEpoch" in self._get("actionproperties", action)
        }
        numbers = _numbers_in(self._wire.ask("status", self._name, "short"))
        try:
            return State(numbers["Currently banned"], numbers["Total banned"], epochs)
        except KeyError as error:
            words = f"jail {self._name} does not say how much it bans"
            raise FirewallError(words, "fail2ban 1.0 or newer is needed") from error

    def record(self) -> Record | None:
        """What was left in it, whether or not it is still true."""
        if RECORD_ACTION not in self._get("actions"):
            return None
        with suppress(FirewallError):  # the action was made, and the process killed before the record was written
            return fail2ban_record.read(self._get("action", RECORD_ACTION, RECORD_PROPERTY))
        return None

    def keep(self, record: Record) -> None:
        if RECORD_ACTION not in self._get("actions"):
            self._wire.ask("set", self._name, "addaction", RECORD_ACTION)
        self._wire.ask("set", self._name, "action", RECORD_ACTION, RECORD_PROPERTY, fail2ban_record.write(record))

    def forget(self) -> None:
        if RECORD_ACTION in self._get("actions"):
            self._wire.ask("set", self._name, "delaction", RECORD_ACTION)

    def _actions(self) -> Sequence[str]:
        return [str(action) for action in self._get("actions") if action != RECORD_ACTION]

    def _get(self, *words: str) -> Any:
        return self._wire.ask("get", self._name, *words)

    def _in_batches(self, verb: str, entries: Collection[str]) -> None:
        rest = iter(entries)
        while batch := list(islice(rest, BATCH)):
            self._wire.ask("set", self._name, verb, *batch)


def _numbers_in(status: object) -> Mapping[str, int]:
    """Of a status, which is a list of pairs whose second may be such a list again."""
    found: dict[str, int] = {}
    for item in status if isinstance(status, list) else ():
        match item:
            case (str(name), int(number)):
                found[name] = number
            case (_, list(within)):
                found |= _numbers_in(within)
    return found
