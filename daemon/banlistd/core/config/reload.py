"""What a reload cannot change: the keys of Config that are declared with `Reload.RESTART`."""

from banlistd.core.config.keys import Reload, keys_of
from banlistd.core.config.model import Config


def restart_only_changes(before: Config, after: Config) -> tuple[str, ...]:
    """The changed keys that need a restart, in the order of their declaration."""
    changed = (name for name in keys_of(Config) if getattr(before, name) != getattr(after, name))
    return tuple(name for name in changed if reload_of(name) is Reload.RESTART)


def reload_of(name: str) -> Reload:
    """How a reload treats a key of Config. Raises TypeError for a key that does not say."""
    reload = keys_of(Config)[name].reload
    if reload is None:
        raise TypeError(f"Config.{name} is declared without Reload.LIVE or Reload.RESTART")
    return reload


RELOADS = {name: reload_of(name) for name in keys_of(Config)}
"""Complete: a key that does not say fails this import."""
