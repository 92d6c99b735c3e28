import pytest

from banlistd.core.config.service.mqtt import Broker, read_broker
from banlistd.core.config.values import Unfit
from banlistd.errors import ConfigError
from support.written_config import read


@pytest.mark.parametrize(
    ("text", "broker"),
    [
        ("mqtts://broker.example", Broker("broker.example", 8883, has_tls=True)),
        ("mqtt://127.0.0.1:1999/", Broker("127.0.0.1", 1999, has_tls=False)),
        ("mqtt://[::1]", Broker("::1", 1883, has_tls=False)),
    ],
)
def test_a_broker_is_a_host_with_a_port(text: str, broker: Broker) -> None:
    assert read_broker(text) == broker
    assert read_broker(str(broker)) == broker


@pytest.mark.parametrize(
    "text",
    ["", "broker", "http://broker", "mqtt://", "mqtt://a:0", "mqtt://a:65536", "mqtt://u:p@a", "mqtt://a/b", "mqtt://a\n"],
)
def test_another_place_is_no_broker(text: str) -> None:
    with pytest.raises(Unfit):
        read_broker(text)


def test_without_the_key_there_is_no_broker() -> None:
    assert read("").mqtt is None


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("id: a", "mqtt.broker: is missing"),
        ("broker: mqtt://broker.example", "is on another machine, and is not encrypted (write mqtts://, or add insecure: yes)"),
        ("broker: mqtts://broker.example", "has no ca to be checked by"),
        ("broker: mqtt://127.0.0.1, tls: {ca: /ca.pem}", "tls goes with mqtts:// only"),
        ("broker: mqtt://127.0.0.1, id: Node", '"Node" is no id of a host'),
        ("broker: mqtt://127.0.0.1, events: [A]", '"A" is no name of events'),
        ("broker: mqtt://127.0.0.1, password: '${credential:a}'", "has a password for no user"),
        ("broker: mqtt://127.0.0.1, password: secret", "is not a reference to a credential"),
        ("broker: 'mqtts://b', tls: {ca: /ca.pem, certificate: /c.pem}", "has only one of certificate and key"),
    ],
)
def test_a_wrong_value_is_reported_at_its_place(keys: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(f"mqtt: {{{keys}}}")
    (found,) = raised.value.problems
    assert found.startswith("banlistd.yaml:")
    assert problem in found


def test_an_unencrypted_broker_elsewhere_needs_a_word() -> None:
    mqtt = read("mqtt: {broker: mqtt://broker.example, insecure: yes}").mqtt
    assert mqtt is not None
    assert str(mqtt.broker) == "mqtt://broker.example:1883"
