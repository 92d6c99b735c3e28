import pytest

from banlistd.core.config.service.metrics import Listen, read_listen
from banlistd.core.config.values import Unfit
from banlistd.errors import ConfigError
from support.written_config import read


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:9788", Listen("127.0.0.1", 9788)),
        ("[::1]:1", Listen("::1", 1)),
        ("[0::1]:65535", Listen("::1", 65535)),
        ("/run/banlistd/metrics.sock", Listen(path="/run/banlistd/metrics.sock")),
    ],
)
def test_a_place_to_listen_is_an_address_with_a_port_or_a_path(text: str, place: Listen) -> None:
    assert read_listen(text) == place
    assert read_listen(str(place)) == place


@pytest.mark.parametrize(
    "text",
    [
        *(
            "9788",
            ":9788",
            "localhost:9788",
            "127.0.0.1",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "127.1:80",
            "010.0.0.1:80",
            "::1:80",
        ),
        *(
            "[::1]",
            "[127.0.0.1]:x",
            "127.0.0.1:80/x",
            "127.0.0.1:٣",
            "metrics.sock",
            "/run/a b",
            "/run/\n",
            "/" + 107 * "a",
            "/",
        ),
    ],
)
def test_another_place_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        read_listen(text)


def test_without_the_key_nothing_is_served() -> None:
    assert read("").metrics.listen is None
    assert read("metrics:").metrics.listen is None


def test_a_wrong_place_is_reported_with_file_and_line() -> None:
    with pytest.raises(ConfigError) as caught:
        read("metrics: {listen: 'localhost:9788'}")
    (problem,) = caught.value.problems
    assert 'metrics.listen: "localhost:9788" is neither an address with a port nor a path' in problem
    assert "(write 127.0.0.1:9788, [::1]:9788 or /run/banlistd/metrics.sock)" in problem
