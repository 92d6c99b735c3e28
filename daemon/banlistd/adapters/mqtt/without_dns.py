"""paho imports dnspython where it is installed, to look up SRV records: 70 modules and 2.4 MB (measured) for what no broker of
ours needs. Only the program that looks up names is to have them.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_MODULE = "dns.resolver"


@contextmanager
def without_dnspython() -> Iterator[None]:
    """Inside, to import dnspython fails as where it is not installed. Does nothing where it is in memory already."""
    if _MODULE in sys.modules:
        yield
        return
    sys.modules[_MODULE] = None  # type: ignore[assignment] # as the documentation of `import` has it
    try:
        yield
    finally:
        del sys.modules[_MODULE]
