"""Opens a backend by its name and imports no other: the restore at boot must not wait for unneeded imports."""

from collections.abc import Callable
from importlib import import_module
from operator import attrgetter

from banlistd.backends import BackendName
from banlistd.ports import Firewall


def firewall_type(name: BackendName) -> Callable[..., Firewall]:
    """The function or class that makes a firewall of this backend."""
    module, _, attribute = name.kind.opener.partition(":")
    opener: Callable[..., Firewall] = getattr(import_module(module), attribute)
    return opener


def open_backend(name: BackendName, settings: object) -> Firewall:
    """`settings`: a Config or a BootSnapshot; it has the attributes that the backend's `arguments` name."""
    return firewall_type(name)(**{argument: attrgetter(path)(settings) for argument, path in name.kind.arguments.items()})
