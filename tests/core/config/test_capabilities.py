"""What each backend can do is known of every one; what nobody asks for is refused to nobody."""

import pytest

from banlistd.core.config.capabilities import CAPABILITIES, beyond
from banlistd.core.config.model import Source
from banlistd.model import Action, BackendName, Direction
from support.written_config import read


def test_every_backend_says_what_it_can_do() -> None:
    assert CAPABILITIES.keys() == set(BackendName)


@pytest.mark.parametrize("backend", BackendName)
def test_every_backend_can_do_what_a_source_does_unless_it_says_otherwise(backend: BackendName) -> None:
    assert not list(beyond(backend, Source(id="a", url="https://lists.example/")))  # type: ignore[arg-type]


def test_a_jail_bans_those_who_come_in_and_nothing_else() -> None:
    asked = Source(id="a", url="https://lists.example/", action=Action.COUNT, direction=Direction.OUT)  # type: ignore[arg-type]
    assert [key for key, _, _ in beyond(BackendName.FAIL2BAN, asked)] == ["action", "direction"]
    assert not list(beyond(BackendName.NFTABLES, asked))


def test_a_source_that_is_off_may_ask_for_what_it_likes() -> None:
    config = read("backend: fail2ban\nsources: [{id: a, path: a, action: log, enabled: no}, {id: b, path: b, action: reject}]")
    assert config.backend is BackendName.FAIL2BAN
    assert (config.fail2ban.jail, str(config.fail2ban.socket)) == ("banlistd", "/run/fail2ban/fail2ban.sock")
