"""banlistctl check of several targets: arguments, files, standard input; the table, the list, the exit code."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from banlistd.control.commands.checking.targets import MOST_TARGETS, requests_of
from banlistd.errors import UsageError
from ctl.canned import ANSWERS, CannedDaemon
from ctl.conftest import CtlCall

BANNED = ANSWERS["check"]
FREE = {**BANNED, "banned": False, "owner": None, "action": None, "sources": []}
NETWORK = {
    "address": "203.0.113.0/24",
    "banned": False,
    "addresses": 256,
    "banned_addresses": 12,
    "partly_banned": 0,
    "sources": [{"id": "spamhaus-drop", "addresses": 12}],
    "exempt": [{"address": "203.0.113.1", "reason": "gateway"}],
}


def answering(daemon: CannedDaemon) -> None:
    """192.0.2.1 is banned, a network in part, a name has two addresses, all else is free."""

    def answer(target: str) -> Any:
        if target == "mail.example.org":
            return {"name": target, "banned": False, "addresses": [answer("192.0.2.1"), answer("192.0.2.2")]}
        return NETWORK if "/" in target else {**(BANNED if target == "192.0.2.1" else FREE), "address": target}

    daemon.operations.answers["check"] = answer


def asked(daemon: CannedDaemon) -> list[str]:
    return [target for _, target in daemon.operations.asked]


def test_each_target_has_a_row(daemon: CannedDaemon, call: CtlCall) -> None:
    answering(daemon)

    code, out, err = call("check", "192.0.2.1", "203.0.113.0/24", "mail.example.org")

    assert (code, err) == (1, "")
    assert [line.split(maxsplit=2) for line in out.splitlines()] == [
        ["ADDRESS", "BANNED", "BY             NAME              WHY"],
        ["192.0.2.1", "yes", "spamhaus-drop"],
        ["203.0.113.0/24", "in", "part  spamhaus-drop                    12 of 256 addresses"],
        ["192.0.2.1", "yes", "spamhaus-drop  mail.example.org"],
        ["192.0.2.2", "no", "mail.example.org  no source lists it"],
    ]


PARTLY = {
    **FREE,
    "partly": [
        {"id": "ssh", "action": "drop", "direction": "in", "packets": "tcp to port 22"},
        {"id": "ssh", "action": "drop", "direction": "out", "packets": "tcp to port 22"},
    ],
}


def test_what_is_banned_in_a_scope_is_banned_in_part(daemon: CannedDaemon, call: CtlCall) -> None:
    daemon.operations.answers["check"] = PARTLY
    code, out, err = call("check", "203.0.113.9")
    assert (code, err) == (1, "")
    assert out.startswith(
        "203.0.113.9 is banned in part: tcp to port 22 by ssh (drop); to it, tcp to port 22 by ssh (drop); its other"
    )
    code, out, _ = call("check", "203.0.113.9", "203.0.113.9")
    assert code == 1
    assert out.splitlines()[1].split(maxsplit=4)[:4] == ["203.0.113.9", "in", "part", "ssh"]


def test_of_a_network_it_says_of_how_many_addresses_some_packets_are_blocked(daemon: CannedDaemon, call: CtlCall) -> None:
    daemon.operations.answers["check"] = {**NETWORK, "partly_banned": 3}
    _, out, _ = call("check", "203.0.113.0/24")
    assert "some packets of 3 addresses are blocked, by sources with a scope" in out


def test_the_worst_gives_the_exit_code(daemon: CannedDaemon, call: CtlCall) -> None:
    answering(daemon)

    assert call("check", "192.0.2.1", "192.0.2.1")[0] == 0
    assert call("check", "192.0.2.1", "192.0.2.2")[0] == 1
    assert call("check", "203.0.113.0/24")[0] == 1
    daemon.operations.answers["check"] = UsageError("no address")
    assert call("check", "192.0.2.1", "nonsense")[0] == 64


def test_json_is_one_document_on_one_target_and_a_list_on_several(daemon: CannedDaemon, call: CtlCall, tmp_path: Path) -> None:
    answering(daemon)
    (tmp_path / "one").write_text("192.0.2.1\n")

    assert json.loads(call("check", "--json", "192.0.2.1")[1])["address"] == "192.0.2.1"
    assert json.loads(call("check", "--json", "mail.example.org")[1])["name"] == "mail.example.org"
    assert [one["address"] for one in json.loads(call("check", "--json", "192.0.2.1", "::1")[1])] == ["192.0.2.1", "::1"]
    assert [one["address"] for one in json.loads(call("check", "--json", f"@{tmp_path}/one")[1])] == ["192.0.2.1"]


def test_a_network_says_how_much_of_it_is_banned(daemon: CannedDaemon, call: CtlCall) -> None:
    answering(daemon)

    assert call("check", "203.0.113.0/24")[1].splitlines() == [
        "203.0.113.0/24 is banned in part: 12 of 256 addresses",
        "  listed by: spamhaus-drop (12)",
        "  never banned: 203.0.113.1 (gateway)",
    ]
    daemon.operations.answers["check"] = {**NETWORK, "banned": True, "banned_addresses": 256}
    assert call("check", "203.0.113.0/24")[1].startswith("203.0.113.0/24 is banned, all 256 addresses\n")
    daemon.operations.answers["check"] = {**NETWORK, "banned_addresses": 0, "sources": [], "exempt": []}
    assert call("check", "203.0.113.0/24")[1] == "203.0.113.0/24 is not banned\n"


def test_a_file_and_standard_input_have_a_target_a_line(
    daemon: CannedDaemon, call: CtlCall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(daemon)
    (tmp_path / "list").write_text("# seen today\n192.0.2.1\n\n  192.0.2.2 # twice\r\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"2001:db8::1\n\xff\n")))

    call("check", f"@{tmp_path}/list", "203.0.113.0/24", "-")

    assert asked(daemon) == ["192.0.2.1", "192.0.2.2", "203.0.113.0/24", "2001:db8::1", "\N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize("command", ["check", "ban", "unban", "confirm"])
def test_a_range_with_blanks_does_not_wait_for_standard_input(daemon: CannedDaemon, call: CtlCall, command: str) -> None:
    code, _, err = call(command, "192.0.2.1", "-", "192.0.2.9")

    assert code == 64
    assert "- is standard input, not a range" in err
    assert "192.0.2.1-192.0.2.9" in err
    assert daemon.operations.asked == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"# nothing\n", "list names no address"),
        (b"192.0.2.1\n" * (MOST_TARGETS + 1), "1,001 addresses are more than 1,000"),
        (b"#" * 300_000, "list is larger than 256 KiB"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_checked_is_a_usage_error(
    daemon: CannedDaemon, call: CtlCall, tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "list").write_bytes(content)

    code, out, err = call("check", f"@{tmp_path}/list")

    assert (code, out) == (64, "")
    assert message in err
    assert daemon.operations.asked == []


def test_as_many_as_may_be_are_asked_for() -> None:
    requests, is_list = requests_of({"address": ["192.0.2.1"] * MOST_TARGETS})

    assert (len(requests), is_list) == (MOST_TARGETS, True)
