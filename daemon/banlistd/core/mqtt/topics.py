"""The topics of a host, and which events go over them."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

ONLINE, OFFLINE = b"online", b"offline"
HOME = "home"
"""The fleet of a host that is in none."""


@dataclass(frozen=True, slots=True)
class NodeTopics:
    node: str
    fleet: str = HOME

    @property
    def root(self) -> str:
        return f"banlistd/v1/{self.fleet}"

    def of(self, what: str) -> str:
        """Of this host: `status`, `state`, `event` or `answer`."""
        return f"{self.root}/node/{self.node}/{what}"

    @property
    def order(self) -> str:
        return f"{self.root}/order/{self.node}"

    @property
    def reports(self) -> str:
        """Where the nodes of the fleet report."""
        return f"{self.root}/node/+/report"

    @property
    def refusals(self) -> str:
        """Where the nodes of the fleet say which versions of lists they refuse."""
        return f"{self.root}/node/+/refusal"

    @property
    def states(self) -> str:
        """Of all nodes of the fleet."""
        return f"{self.root}/node/+/state"

    def node_of(self, topic: str, what: str) -> str:
        """The node whose topic it is; empty for another topic."""
        head, tail = f"{self.root}/node/", f"/{what}"
        return topic[len(head) : -len(tail)] if topic.startswith(head) and topic.endswith(tail) else ""

    @property
    def bell(self) -> str:
        """Where the hub says that there is something new."""
        return f"{self.root}/bell"

    @property
    def press(self) -> str:
        """Where the topics of the buttons begin."""
        return f"{self.root}/press/{self.node}/"


def is_published(name: str, patterns: Iterable[str]) -> bool:
    """Whether an event goes over MQTT; one about MQTT never does, as it would cause the next."""
    return not name.startswith("mqtt_") and any(fnmatchcase(name, pattern) for pattern in patterns)


def fit_node_id(host_name: str) -> str:
    """The name of a host as an id: its first label, in lower case, with hyphens for what does not fit."""
    letters = (letter if letter.isascii() and letter.isalnum() else "-" for letter in host_name.partition(".")[0].lower())
    return "".join(letters)[:40].strip("-") or "banlistd"
