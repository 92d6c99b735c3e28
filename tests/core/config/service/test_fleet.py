import math

import pytest

from banlistd.core.config.reading.fleet_parts import remarks_on_cosigned
from banlistd.core.fleet.reports.quorum import quorum_rule
from banlistd.errors import ConfigError
from support.written_config import read

FLEET = "fleet: {name: main, root: /root.json, urls: ['https://a.example/fleet/', 'http://127.0.0.1:8080']}\n"
HUB = "fleet: {name: main, publish: {key: '${credential:hub-key}', lists: "
DROP = "sources: [{id: drop, path: /drop.txt}]"
REPORTING = "fleet: {name: main, report: fail2ban/*, node_key: '${credential:node-key}'}\n"
MQTT = "mqtt: {broker: mqtt://127.0.0.1}\n"
HUB_OF_REPORTS = HUB + "[reports]}}\n"
GATHERS = HUB_OF_REPORTS + MQTT + "sources: [{id: reports, reports: "
NODE = FLEET + "sources: [{id: drop, hub: spamhaus-drop"


def test_without_the_key_there_is_no_fleet() -> None:
    assert read("").fleet is None


def test_mirrors_are_kept_in_order_and_without_the_last_slash() -> None:
    fleet = read(FLEET).fleet
    assert fleet is not None
    assert fleet.urls == ("https://a.example/fleet", "http://127.0.0.1:8080")


def test_other_hubs_are_named_by_their_places() -> None:
    fleet = read(HUB + "[drop], cosigners: [https://b.example/fleet/, 'http://127.0.0.1:8080']}}\n" + DROP).fleet
    assert fleet is not None
    assert fleet.publish is not None
    assert fleet.publish.cosigners == ("https://b.example/fleet", "http://127.0.0.1:8080")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("fleet: {root: /r, urls: https://a}", "fleet.name: is missing"),
        ("fleet: {name: Main}", '"Main" is no name of a fleet'),
        ("fleet: {name: main, root: /r}", "has only one of root and urls"),
        ("fleet: {name: main, urls: https://a}", "has only one of root and urls"),
        ("fleet: {name: main, root: r.json, urls: https://a}", "fleet.root"),
        ("fleet: {name: main, root: /r, urls: http://a.example}", "is not encrypted (write https://"),
        ("fleet: {name: main, root: /r, urls: 'https://a/?token=x'}", "has more than a host and a path"),
        ("fleet: {name: main, root: /r, urls: 'https://a/${credential:x}'}", "has more than a host and a path"),
        ("fleet: {name: main, root: /r, urls: https://a, spread: 2h}", "longer than 1h"),
        ("sources: [{id: drop, hub: spamhaus-drop}]", "hub: has no fleet (add fleet:"),
        ("fleet: {name: main}\nsources: [{id: drop, hub: a}]", "hub: needs root and urls under fleet:"),
        (HUB + "[drop, x]}}\n" + DROP, 'publish.lists: "x" is no source'),
        (HUB + "[]}}\n" + DROP, "publishes no list (write lists: [ID])"),
        (HUB + f"{[f'l{n}' for n in range(501)]}, cosigners: https://b}}}}\n" + DROP, "hubs sign 500 for each other"),
        (HUB + "[hub]}}\nsources: [{id: hub, path: /x}]", "publishes hub, which no list of a fleet may be called"),
        ("fleet: {name: main, publish: {lists: [drop]}}\n" + DROP, "fleet.publish.key: is missing"),
        ("fleet: {name: main, publish: {key: abc, lists: [drop]}}\n" + DROP, "fleet.publish.key"),
        (HUB + "[drop], every: 0s}}\n" + DROP, "fleet.publish.every"),
        (HUB + "[drop], cosigners: http://b.example/fleet}}\n" + DROP, "is not encrypted (write https://"),
        (HUB + "[drop], cosigners: 'https://b.example/?x=1'}}\n" + DROP, "has more than a host and a path"),
        (NODE + ", url: 'https://b.example'}]", "exclude each other"),
        (NODE + ", format: csv}]", "goes with url and path only (a list of the fleet comes from its hub"),
        (NODE + ", headers: {a: b}}]", "goes with url only"),
        (FLEET + "sources: [{id: drop, hub: ../x}]", "is no name of a fleet or of its lists"),
        ("fleet: {name: main, report: fail2ban/*}", "has report and no node_key"),
        (REPORTING, "fleet.report: needs mqtt:"),
        ("fleet: {name: main, report: '/a'}", "is no pattern of origins"),
        ("fleet: {name: main, node_key: secret}", "fleet.node_key"),
        (HUB_OF_REPORTS + "sources: [{id: reports, reports: {}}]", "banlistd.yaml:2: sources[0].reports: needs mqtt:"),
        (
            "fleet: {name: main}\n" + MQTT + "sources: [{id: reports, reports: {}}]",
            "banlistd.yaml:3: sources[0].reports: needs publish",
        ),
        (FLEET + MQTT + "sources: [{id: reports, reports: {}}]", "reports: needs publish under fleet:"),
        (MQTT + "sources: [{id: reports, reports: {}}]", "(add publish: {lists: [reports], key: ${credential:hub-key}})"),
        (GATHERS + "{quorum: 0}}]", "reports.quorum"),
        (GATHERS + "{window: 1m}}]", "shorter than 10m"),
        (GATHERS + "{most: 0}}]", "reports.most"),
        (GATHERS + "{}, url: 'https://b.example'}]", "exclude each other"),
        (GATHERS + "{}, format: csv}]", "goes with url and path only (its addresses are those that nodes report"),
    ],
)
def test_a_wrong_value_is_reported_at_its_place(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(text)
    assert any(problem in found for found in raised.value.problems), raised.value.problems


def test_the_guards_of_a_hub_s_list_are_narrower_unless_they_are_written() -> None:
    (source,) = read(NODE + ", max_bytes: 2MiB, guards: {widest4: 9}}]").sources
    assert (source.guards.share, source.guards.widest4, source.guards.widest6) == (0.02, 9, 24)
    assert source.max_bytes == 2 * 2**20


def test_a_reported_list_has_no_networks_but_64s() -> None:
    (source,) = read(FLEET + "sources: [{id: shared, hub: reports}]").sources
    assert (source.guards.widest4, source.guards.widest6, source.allow_empty) == (32, 64, True)


def test_a_hub_publishes_sources_under_their_ids() -> None:
    fleet = read(HUB + "[drop]}}\n" + DROP).fleet
    assert fleet is not None
    assert fleet.publish is not None
    assert (fleet.publish.lists, fleet.publish.key, fleet.publish.every) == (("drop",), "${credential:hub-key}", 10.0)


def test_what_is_reported_and_how_many_must_agree() -> None:
    fleet = read(REPORTING + MQTT).fleet
    assert fleet is not None
    assert (fleet.report, fleet.node_key) == (("fail2ban/*",), "${credential:node-key}")
    (source,) = read(GATHERS + "{quorum: 2, window: 2h, lasts: 12h}}]").sources
    assert source.reports is not None
    rule = quorum_rule(source.reports)
    assert (rule.quorum, rule.window, rule.lasting, rule.most) == (2, 7200, 43_200, 100_000)
    assert (source.every, source.allow_empty, source.guards.widest4, source.guards.shrink) == (60.0, True, 32, math.inf)


@pytest.mark.parametrize(
    ("cosigners", "remarks"), [("", 0), (", cosigners: ['https://b.example/']", 1)], ids=["alone", "two hubs"]
)
def test_shared_bans_that_two_hubs_were_to_sign_are_remarked_on(cosigners: str, remarks: int) -> None:
    found = remarks_on_cosigned(read(f"{HUB}[reports]{cosigners}}}}}\n{MQTT}sources: [{{id: reports, reports: {{}}}}]"))
    assert len(found) == remarks
    assert all(one.message.startswith("reports: made of reports") for one in found)
