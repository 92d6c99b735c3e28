"""How it is written which packets of its addresses a source takes."""

import pytest

from banlistd.scopes.names import MOST_SCOPES
from banlistd.scopes.scope import Scope
from support.written_config import problems_of, read


def scopes_of(text: str) -> list[Scope | None]:
    return [source.scope for source in read(text).sources]


def test_conditions_that_mean_the_same_are_the_same_scope() -> None:
    first, second, third = scopes_of(
        "sources: [{id: a, path: a, ports: [22, 80-90, 85-100, 101], protocols: [udp, tcp], interfaces: [b, a]},"
        " {id: b, path: b, ports: [80-101, 22], interfaces: [a, b, a]}, {id: c, path: c}]"
    )
    assert first == second == Scope(("a", "b"), (), ((22, 22), (80, 101)), ("tcp", "udp"))
    assert third is None


def test_a_source_that_does_not_block_inherits_a_scope_to_no_effect() -> None:
    config = "defaults: {connections: new, except_interfaces: w}\nsources: [{id: a, path: a, action: count}, {id: b, path: b}]"
    assert scopes_of(config) == [None, Scope(except_interfaces=("w",), only_new=True)]


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (Scope(ports=((22, 22), (80, 90)), protocols=("tcp", "udp")), "tcp/udp to port 22, 80-90"),
        (Scope(protocols=("icmp",), interfaces=("eth0", "wg0")), "icmp at eth0, wg0"),
        (Scope(except_interfaces=("wg0",), only_new=True), "all packets not at wg0 except answers"),
    ],
)
def test_a_scope_is_said_in_words(scope: Scope, words: str) -> None:
    assert str(scope) == words


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("ports: [0]", '"0" is neither a port nor a range of ports (write 22, or 6000-6010)'),
        ("ports: 90-80", '"90-80" is neither a port'),
        ("ports: 70000", '"70000" is neither a port'),
        ("ports: ssh", '"ssh" is neither a port'),
        ("protocols: [tpc]", '"tpc" is not a protocol (did you mean tcp?)'),
        ("protocols: 6", '"6" is not a protocol'),
        ("protocols: icmp, ports: 8", "ports: icmp has no ports (write tcp, udp or sctp, or delete ports)"),
        ("interfaces: [eth*]", '"eth*" is not the name of an interface'),
        ("interfaces: a_name_of_16_char", "is not the name of an interface"),
        ("interfaces: [a], except_interfaces: [b]", "exclude each other"),
        ("connections: established", "is not a choice of connections"),
        ("action: log, ports: 22", "ports: goes with action: drop or reject only"),
    ],
)
def test_what_is_no_scope_is_refused(written: str, words: str) -> None:
    (problem,) = problems_of(f"sources: [{{id: a, path: a, {written}}}]")
    assert words in problem


@pytest.mark.parametrize("backend", ["ipset", "fail2ban"])
def test_a_backend_that_cannot_do_it_is_named_where_it_is_written(backend: str) -> None:
    (problem,) = problems_of(f"backend: {backend}\nfail2ban: {{jail: a}}\nsources: [{{id: a, path: a, ports: 22}}]")
    assert "sources[0].ports: the backend cannot ban for some packets only (write backend: nftables" in problem


def test_one_scope_too_many_is_named() -> None:
    sources = ", ".join(f"{{id: s{port}, path: a, ports: {port}}}" for port in range(1, MOST_SCOPES + 2))
    (problem,) = problems_of(f"sources: [{sources}, {{id: again, path: a, ports: 1}}]")
    assert "sources[16]: is the 17th different scope: 16 are possible" in problem
