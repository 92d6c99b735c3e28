import pytest

from banlistd.core.config.service.notify import Notify
from banlistd.errors import ConfigError
from banlistd.events import EventName
from support.written_config import read


def test_without_the_keys_nothing_is_sent_and_nothing_is_run() -> None:
    config = read("sources: []")
    assert config.notify == Notify()
    assert not config.notify.urls
    assert not config.hooks


def test_one_value_is_a_list_of_one() -> None:
    notify = read('notify: {urls: "${credential:mail}", events: manual_ban_added, digest: 10m, cool_down: off}').notify
    assert notify.urls == ("${credential:mail}",)
    assert notify.selected == {EventName.MANUAL_BAN_ADDED}
    assert (notify.digest, notify.cool_down) == (600, 0)


def test_a_hook_has_its_arguments_as_they_are_written() -> None:
    (hook,) = read('hooks: [{run: [/bin/a, "--b c"], events: [info], environment: {A: "1"}, timeout: 1m}]').hooks
    assert hook.run == ("/bin/a", "--b c")
    assert hook.name == "/bin/a '--b c'"
    assert (dict(hook.environment), hook.timeout) == ({"A": "1"}, 60)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("notify: {urls: mailto://a:secret@mail.example}", "notify.urls: is not a reference to a credential"),
        ("notify: {events: [erro]}", 'notify.events[0]: "erro" is no event (did you mean error?)'),
        ("notify: {events: notice_failed}", 'notify.events: "notice_failed" is no event'),
        ("notify: {cool_down: 1s}", 'notify.cool_down: "1s" is shorter than 1m'),
        ("hooks: [{events: info}]", "hooks[0].run: is missing"),
        ("hooks: [{run: [a]}]", "hooks[0]: run does not begin with the absolute name of a program"),
        ("hooks: [{run: /a}, {run: /a}]", "hooks[1]: runs the same as an earlier hook"),
        ("hooks: [{run: /a, environment: {BANLISTD_EVENT: b}}]", "hooks[0].environment.BANLISTD_EVENT: is no name"),
        ("hooks: [{run: /a, environment: {A-B: b}}]", "hooks[0].environment.A-B: is no name for a variable"),
        ("hooks: {run: /a}", "hooks: is a mapping and must be a list"),
    ],
)
def test_what_is_wrong_is_said_where_it_is_written(written: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(written)
    assert problem in caught.value.problems[0]
    assert "secret" not in str(caught.value.problems)
