"""How long a thread of Python keeps the others waiting."""

import sys

_TURN = 0.0005
"""Seconds. The event loop gives its turn away with each call of the system, and beside a thread that plans or reads the
firewall it waited Python's 5 ms for the next, call by call: `banlistctl status` took 123 to 159 ms while 5,000 sources were
imported, and 86 to 92 so, of as much processor time (medians of two runs each).
"""


def take_short_turns() -> None:
    """From now on in this process."""
    sys.setswitchinterval(_TURN)
