"""What a reload may change: its order, and all keys but those of Config that are declared with `Reload.RESTART`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from banlistd.core.config.keys import Key, Reload, keys_of
from banlistd.core.config.model import Config


@dataclass(frozen=True, slots=True)
class ReloadOrder:
    """`lift`: how many bans the reload may lift, if they are more than go unasked.

    `confirm`: the configuration before comes back after so many seconds without a confirmation, and any number may be lifted.
    `uid`: the user who asks; None: it is not known.
    """

    lift: int = 0
    confirm: float | None = None
    uid: int | None = field(default=None, compare=False)


def reload_of(name: str, key: Key) -> Reload:
    """How a reload treats a key of Config. Raises TypeError for a key that does not say."""
    if key.reload is None:
        raise TypeError(f"Config.{name} is declared without Reload.LIVE or Reload.RESTART")
    return key.reload


RELOADS: Mapping[str, Reload] = {name: reload_of(name, key) for name, key in keys_of(Config).items()}
"""Complete: a key that does not say fails this import."""


def restart_only_changes(before: Config, after: Config) -> tuple[str, ...]:
    """The changed keys that need a restart, in the order of their declaration; the name of a fleet is the last."""
    changed = (name for name in RELOADS if getattr(before, name) != getattr(after, name))
    frozen = tuple(name for name in changed if RELOADS[name] is Reload.RESTART)
    # What is known of a fleet, and the topics of a connection, belong to its name.
    is_renamed = before.fleet and after.fleet and before.fleet.name != after.fleet.name
    return (*frozen, *(("fleet: name",) if is_renamed else ()))
