"""One jail of fail2ban: lists, bans, unbans and counts, and keeps the record that we write into it."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from banlistd.adapters.firewalls.fail2ban import record as fail2ban_record
from banlistd.adapters.firewalls.fail2ban.record import Record, State
from banlistd.adapters.firewalls.fail2ban.socket import Fail2banSocket
from banlistd.errors import FirewallError

# An action that runs nft or iptables takes 15 ms to ban and 30 ms to unban (measured), and until a batch is done
# fail2ban answers no command. Larger batches are no faster: a command costs 0.2 ms.
BATCH = 100

# An action of ours that does nothing: fail2ban keeps any property of an action, and this one has the record. A restart or
# reload of fail2ban removes it; then we read the jail and compare.
RECORD_ACTION = "banlistd-record"
RECORD_PROPERTY = "record"

FOR_EVER = -1


class Jail:
    """Every failure raises FirewallError. Call it in a thread: fail2ban may answer late."""

    def __init__(self, wire: Fail2banSocket, name: str) -> None:
        self._wire = wire
        self._name = name

    def refuse_expiry(self) -> None:
        """Raise FirewallError if fail2ban would lift the bans of this jail by itself."""
        bantime = self._get("bantime")
        if bantime != FOR_EVER:
            problem = f"jail {self._name} lifts its bans after {bantime} s"
            raise FirewallError(problem, f"it needs bantime = {FOR_EVER}, then fail2ban-client reload")

    def banned(self) -> Sequence[str]:
        """All entries that the jail lists. 100,000 entries take 0.4 s (measured)."""
        listed = self._get("banip")
        if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
            raise FirewallError(f"jail {self._name} lists no addresses")
        return listed

    def ban(self, entries: Collection[str]) -> None:
        self._in_batches("banip", entries)

    def unban(self, entries: Collection[str]) -> None:
        """`entries`: listed ones only. For a network that is not listed, fail2ban would unban every entry within it."""
        self._in_batches("unbanip", entries)

    def check(self) -> None:
        """Let each action check that what it needs is in the kernel. An action that repairs itself gets a new epoch."""
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
            problem = f"jail {self._name} does not report how much it bans"
            raise FirewallError(problem, "fail2ban 1.0 or newer is needed") from error

    def record(self) -> Record | None:
        """The record in the jail, whether or not it is still true; None if there is none."""
        if RECORD_ACTION not in self._get("actions"):
            return None
        with suppress(FirewallError):  # the process was killed after it made the action and before it wrote the record
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

    def _get(self, *arguments: str) -> Any:
        return self._wire.ask("get", self._name, *arguments)

    def _in_batches(self, verb: str, entries: Collection[str]) -> None:
        rest = iter(entries)
        while batch := list(islice(rest, BATCH)):
            self._wire.ask("set", self._name, verb, *batch)


def _numbers_in(status: object) -> Mapping[str, int]:
    """The numbers of a status by name. A status is a list of pairs, whose second may be such a list again."""
    found: dict[str, int] = {}
    for item in status if isinstance(status, list) else ():
        match item:
            case (str(name), int(number)):
                found[name] = number
            case (_, list(within)):
                found |= _numbers_in(within)
    return found
