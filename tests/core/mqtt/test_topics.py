import pytest

from banlistd.core.mqtt.topics import NodeTopics, fit_node_id, is_published


def test_topics_are_below_those_of_the_fleet() -> None:
    topics = NodeTopics("a")
    assert (topics.of("state"), topics.order, topics.press) == (
        "banlistd/v1/home/node/a/state",
        "banlistd/v1/home/order/a",
        "banlistd/v1/home/press/a/",
    )


@pytest.mark.parametrize(
    ("host", "node"),
    [
        ("Router", "router"),
        ("web_1.example.org", "web-1"),
        ("-.x", "banlistd"),
        ("", "banlistd"),
        ("ö", "banlistd"),
        ("a" * 99, "a" * 40),
    ],
)
def test_the_name_of_a_host_becomes_an_id(host: str, node: str) -> None:
    assert fit_node_id(host) == node


def test_an_event_about_mqtt_is_never_published() -> None:
    assert is_published("manual_ban_added", ["service_*", "manual_ban_*"])
    assert not is_published("manual_ban_added", ["manual_ban"])
    assert not is_published("mqtt_lost", ["*"])
