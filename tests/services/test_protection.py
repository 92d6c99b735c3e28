"""What the host must not lose is carved out of every plan, and costs nothing where no list holds it."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from banlistd.backends import BackendName
from banlistd.core.addresses.sets import from_numbers
from banlistd.core.config.model import Source
from banlistd.core.ruleset.diff import Change
from banlistd.errors import RefusedError
from banlistd.events import EventName
from banlistd.model import AnswerPort, Decision, Family, OutcomeKind, Protected, SourceId
from support.fakes import FakeFetcher, FakeFirewall, FakeHost, protected
from support.sources import config_of
from worlds import DaemonWorld, Environment, Life, run

FEED, OTHER = SourceId("feed"), SourceId("other")
SOURCES = (Source(id=FEED, url="http://lists.example/a"), Source(id=OTHER, url="http://lists.example/b"))


CONFIG = config_of(*SOURCES)


def restart(environment: Environment, life: Life) -> None:
    """A process that has not restored anything yet."""
    run(environment, CONFIG, life, restore=False)


def carvings(environment: Environment) -> list[str]:
    return [event.message for event in environment.announcer.events if event.name is EventName.PROTECTED_CARVED]


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    fetcher = FakeFetcher({FEED: b"192.0.2.0/24\n", OTHER: b"203.0.113.7\n"})
    return Environment(tmp_path, fetcher=fetcher, host=FakeHost("192.0.2.1"))


def test_an_import_leaves_out_what_is_protected_and_says_so_once(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        await world.enforcer.reconcile()
        assert world.enforcer.policy_hash != world.enforcer.policy.hash
        assert {marker.policy_hash for marker in await environment.firewall.markers()} == {world.enforcer.policy_hash}
        assert [hit.sources for hit in world.enforcer.hits] == [(FEED,)]
        assert (await world.poll(FEED)).kind is OutcomeKind.SKIPPED

    restart(environment, life)
    assert environment.banned() == {"192.0.2.0", "192.0.2.2 - 192.0.2.255"}
    assert carvings(environment) == ["feed would have banned 192.0.2.1 (gateway): carved out"]
    assert environment.firewall.transactions == 1


def test_unlisted_protected_address_costs_no_write_and_no_new_hash(environment: Environment) -> None:
    environment.host.now = [protected("198.51.100.1")]

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        assert world.enforcer.policy_hash == world.enforcer.policy.hash
        for text in ("198.51.100.2", "2001:db8::1", "2002:c633:6401::1"):
            environment.host.now.append(protected(text))
            assert (await world.enforcer.reconcile()).is_empty
        assert len(world.enforcer.protected) == 4
        environment.host.now = []
        assert (await world.enforcer.reconcile()).is_empty

    restart(environment, life)
    assert environment.firewall.transactions == 1
    assert carvings(environment) == []


def test_what_comes_and_goes_within_a_list_is_a_small_difference(environment: Environment) -> None:
    environment.host.now = []

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        assert environment.banned() == {"192.0.2.0 - 192.0.2.255"}
        environment.host.now = [protected("192.0.2.128", "peer of a live SSH session")]
        change = await world.enforcer.reconcile()
        assert (change.added, change.removed, change.replace) == (2, 1, False)
        assert environment.banned() == {"192.0.2.0 - 192.0.2.127", "192.0.2.129 - 192.0.2.255"}
        environment.host.now = []
        await world.enforcer.reconcile()
        assert environment.banned() == {"192.0.2.0 - 192.0.2.255"}
        assert world.enforcer.policy_hash == world.enforcer.policy.hash

    restart(environment, life)
    assert carvings(environment) == ["feed would have banned 192.0.2.128 (peer of a live SSH session): carved out"]


def test_an_embedded_form_in_a_list_is_left_out_too(environment: Environment) -> None:
    environment.fetcher.bodies[FEED] = (
        b"2002:c000:201::/48\n64:ff9b::c000:201\n::ffff:192.0.2.1\n::192.0.2.1\n2001:db8::1\n2001:0:102:304:0:1:3fff:fdfe\n"
    )

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)

    restart(environment, life)
    assert environment.banned() == {"2001:db8::1"}


def test_a_restart_with_the_same_host_writes_nothing(environment: Environment) -> None:
    async def before(world: DaemonWorld) -> None:
        for source in SOURCES:
            await world.poll(source.id)

    async def after(world: DaemonWorld) -> None:
        restored = await world.enforcer.restore(0.0)
        assert set(restored.decisions.values()) == {Decision.SKIP}
        assert restored.change.is_empty

    restart(environment, before)
    restart(environment, after)
    assert environment.firewall.transactions == 2


def test_restart_with_other_protected_addresses_carves_out_anew(environment: Environment) -> None:
    async def before(world: DaemonWorld) -> None:
        await world.poll(FEED)

    async def after(world: DaemonWorld) -> None:
        assert set((await world.enforcer.restore(0.0)).decisions.values()) == {Decision.REAPPLY}

    restart(environment, before)
    environment.host.now = [protected("192.0.2.255")]
    restart(environment, after)
    assert environment.banned() == {"192.0.2.0 - 192.0.2.254"}


class PowerCut(Exception):  # noqa: N818 - it is none of the errors that anybody handles
    """Nothing more happens in this life."""


class FirewallBeforeThePowerCut(FakeFirewall):
    async def apply(self, change: Change) -> int:
        await super().apply(change)
        raise PowerCut


def test_an_open_run_is_finished_if_the_firewall_has_its_content_without_the_protected_addresses(
    environment: Environment,
) -> None:
    environment.firewall = FirewallBeforeThePowerCut()

    async def crash(world: DaemonWorld) -> None:
        with pytest.raises(PowerCut):
            await world.poll(FEED)

    async def after(world: DaemonWorld) -> None:
        restored = await world.enforcer.restore(0.0)
        assert restored.decisions == {FEED: Decision.FINISH}
        assert restored.change.is_empty
        assert world.enforcer.policy_hash != world.enforcer.policy.hash

    restart(environment, crash)
    restart(environment, after)
    assert environment.banned() == {"192.0.2.0", "192.0.2.2 - 192.0.2.255"}


def test_names_are_not_asked_for_at_a_restore_and_are_at_every_import_and_reconcile(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.enforcer.restore(0.0)
        await world.poll(FEED)
        await world.enforcer.reconcile()

    restart(environment, life)
    urls = ("http://lists.example/a", "http://lists.example/b")
    assert environment.host.asked == [(urls, False), (urls, True), (urls, True)]


def test_query_names_protected_addresses_and_the_lists_with_them(environment: Environment) -> None:
    environment.host.now = [protected("10.0.0.1"), protected("192.0.2.1"), protected("198.51.100.1", "resolver")]
    environment.fetcher.bodies[FEED] = b"192.0.2.0/24\n10.0.0.0/8\n"

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        rows = await world.ask("protected")
        assert [(row["address"], row["reason"], row["sources"], row["carved"]) for row in rows] == [
            ("10.0.0.1", "gateway", [FEED], False),
            ("192.0.2.1", "gateway", [FEED], True),
            ("198.51.100.1", "resolver", [], False),
        ]

    restart(environment, life)


@pytest.mark.parametrize(
    ("text", "protection", "reserved"),
    [
        ("192.0.2.1", "gateway", False),
        ("64:ff9b::c000:201", "gateway", False),
        ("2001:0:102:304:0:1:3fff:fdfe", "gateway", False),
        ("2001:db8::5efe:192.0.2.1", "", False),
        ("192.0.2.2", "", False),
        ("10.0.0.1", "", True),
        ("2002:a00:1::", "", True),
    ],
)
def test_check_says_why_an_address_is_not_banned(
    environment: Environment, text: str, protection: str, *, reserved: bool
) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        answer = await world.ask("check", address=text)
        assert (answer["protected"], answer["reserved"]) == (protection, reserved)

    restart(environment, life)


@pytest.mark.parametrize(
    ("backend", "translated"), [(BackendName.NFTABLES, True), (BackendName.NFTABLES, False), (BackendName.IPSET, True)]
)
def test_check_names_what_bans_the_ipv4_address_in_an_ipv6_one(
    environment: Environment, backend: BackendName, *, translated: bool
) -> None:
    banned = translated and backend is BackendName.NFTABLES
    config = replace(CONFIG, backend=backend, translated=translated)

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        for text in ("64:ff9b::192.0.2.2", "2002:c000:202::7"):
            answer = await world.ask("check", address=text)
            assert (answer["banned"], answer["owner"]) == ((True, FEED) if banned else (False, None))
            assert [row["entry"] for row in answer["sources"]] == (["192.0.2.0/24"] if banned else [])
            assert ip_address(answer["address"]) == ip_address(text)
        assert (await world.ask("check", address="64:ff9b::192.0.2.1"))["banned"] is False
        assert (await world.ask("check", address="64:ff9c::192.0.2.2"))["banned"] is False

    run(environment, config, life, restore=False)


def test_failed_change_is_not_reported_as_carved_out(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        environment.firewall.fail_before = True
        assert (await world.poll(FEED)).kind is OutcomeKind.FAILED
        assert carvings(environment) == []
        assert world.enforcer.policy_hash == world.enforcer.policy.hash
        environment.firewall.fail_before = False
        await world.poll(FEED)

    restart(environment, life)
    assert len(carvings(environment)) == 1


def test_a_manual_ban_overrides_what_was_learned_until_it_is_lifted(environment: Environment) -> None:
    environment.logins.now = ["192.0.2.9"]

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        assert banned_v4(environment, "192.0.2.9") is False
        answer = await world.ask("ban", address="192.0.2.9", origin="fail2ban/sshd")
        assert answer["spared"] == []
        assert banned_v4(environment, "192.0.2.9") is True
        (row,) = [row for row in await world.ask("protected") if row["address"] == "192.0.2.9"]
        assert (row["carved"], row["banned"], "manual" in row["sources"]) == (False, True, True)
        await world.ask("unban", address="192.0.2.9")
        assert banned_v4(environment, "192.0.2.9") is False

    run(environment, CONFIG, life)


def test_a_manual_ban_of_the_hosts_own_address_is_refused(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        with pytest.raises(RefusedError, match="gateway"):
            await world.ask("ban", address="192.0.2.1")

    run(environment, CONFIG, life)


def test_a_login_is_protected_after_its_session_and_a_restart_until_it_is_forgotten(environment: Environment) -> None:
    environment.logins.now = ["192.0.2.9"]

    async def before(world: DaemonWorld) -> None:
        await world.poll(FEED)
        with pytest.raises(RefusedError, match="session now"):
            await world.ask("protected forget", address="192.0.2.9")

    async def after(world: DaemonWorld) -> None:
        assert banned_v4(environment, "192.0.2.9") is False
        (row,) = (row for row in await world.ask("protected") if row["address"] == "192.0.2.9")
        assert (row["reason"], row["learned"], row["since"]) == ("earlier remote session", True, environment.clock.time)
        assert row["until"] == environment.clock.time + 30 * 86_400
        forgotten = {"address": "192.0.2.9", "forgotten": True, "still": ""}
        assert await world.ask("protected forget", address="192.0.2.9") == forgotten
        assert banned_v4(environment, "192.0.2.9") is True
        assert await world.ask("protected forget", address="192.0.2.9") == {**forgotten, "forgotten": False}
        answer = await world.ask("protected forget", address="192.0.2.1")
        assert answer["still"] == "gateway"

    run(environment, CONFIG, before)
    environment.logins.now = []
    run(environment, CONFIG, after)


def resolver(text: str) -> Protected:
    return replace(protected(text, "resolver"), learned=True, answers=(AnswerPort("udp", 53), AnswerPort("tcp", 53)))


def passing_v4(environment: Environment) -> list[tuple[str, str, int]]:
    answers = environment.firewall.answers
    return [(str(ip_address(number)), *service) for family, number, service in answers if family is Family.IPV4]


def test_a_listed_resolver_is_banned_but_for_its_answers_and_both_change_at_once(environment: Environment) -> None:
    environment.host.now = [resolver("192.0.2.53")]

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        assert banned_v4(environment, "192.0.2.53")
        assert passing_v4(environment) == [("192.0.2.53", "tcp", 53), ("192.0.2.53", "udp", 53)]
        environment.host.now = [resolver("192.0.2.54")]
        assert not (await world.enforcer.reconcile()).is_empty
        assert [address for address, *_ in passing_v4(environment)] == ["192.0.2.54"] * 2
        environment.host.now = [resolver("203.0.113.53")]
        await world.enforcer.reconcile()
        assert passing_v4(environment) == []
        assert (await world.enforcer.reconcile()).is_empty

    restart(environment, life)
    assert environment.firewall.transactions == 3
    assert carvings(environment) == [
        f"feed bans {address} (resolver): only answers from udp 53, tcp 53 pass" for address in ("192.0.2.53", "192.0.2.54")
    ]


def test_a_restart_with_the_same_resolver_writes_nothing_and_a_lost_service_is_repaired(environment: Environment) -> None:
    environment.host.now = [resolver("192.0.2.53")]

    async def before(world: DaemonWorld) -> None:
        await world.poll(FEED)

    async def after(world: DaemonWorld) -> None:
        assert (await world.enforcer.restore(0.0)).change.is_empty
        held = environment.firewall.answers
        environment.firewall.lose_answers()
        assert not (await world.enforcer.reconcile()).is_empty
        assert environment.firewall.answers == held != ()

    restart(environment, before)
    restart(environment, after)


def test_check_and_protected_say_that_answers_pass_from_a_banned_address(environment: Environment) -> None:
    environment.host.now = [resolver("192.0.2.53"), resolver("198.51.100.53")]

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        answer = await world.ask("check", address="192.0.2.53")
        passing = "answers from udp 53, tcp 53 (resolver)"
        assert (answer["banned"], answer["protected"], answer["answers"]) == (True, "", passing)
        assert (await world.ask("check", address="192.0.2.52"))["answers"] == ""
        rows = [(row["address"], row["scope"], row["carved"]) for row in await world.ask("protected")]
        assert rows == [
            ("192.0.2.53", "answers from udp 53, tcp 53", True),
            ("198.51.100.53", "answers from udp 53, tcp 53", False),
        ]
        await world.ask("ban", address="192.0.2.53")
        assert passing_v4(environment) == []

    run(environment, CONFIG, life)


def banned_v4(environment: Environment, address: str) -> bool:
    number = int(ip_address(address))
    needle = from_numbers(Family.IPV4, [number])
    maps = environment.firewall.maps
    return any(entries.owner_of(needle) is not None for key, entries in maps.items() if key.family is Family.IPV4)
