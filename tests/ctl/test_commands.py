import json
import os
from typing import Any

import pytest

from banlistd.control.declaration import Command
from banlistd.control.table import COMMANDS
from banlistd.core.config.reload import ReloadOrder
from banlistd.ctl.remote import default_runtime
from banlistd.errors import (
    BanlistdError,
    ChangedContentError,
    ConfigError,
    FirewallError,
    LedgerError,
    NoSuchSourceError,
    RefusedError,
    UsageError,
)
from banlistd.model import Family
from ctl.canned import ANSWERS, SOURCE, CannedDaemon, words_of
from ctl.conftest import CtlCall


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["status"], ("status",)),
        (["sources"], ("sources", False, "", None, None)),
        (["sources", "--failing", "--sort", "packets", "--limit", "5"], ("sources", True, "packets", 5, None)),
        (["sources", "tor"], ("sources", False, "", None, "tor")),
        (["check", "192.0.2.1"], ("check", "192.0.2.1")),
        (["top", "--by", "country"], ("top", "country", 20)),
        (["top", "--by", "source", "--limit", "5"], ("top", "source", 5)),
        (["history"], ("history", None, 20)),
        (["history", "tor", "--limit", "5"], ("history", "tor", 5)),
        (["timers"], ("timers",)),
        (["protected"], ("protected", False)),
        (["quarantine"], ("quarantine", None, os.getuid())),
        (["quarantine", "tor"], ("quarantine", "tor", os.getuid())),
        (["approve", "tor"], ("approve", ("tor",), "", False, os.getuid())),
        (["approve", "tor", "01234567"], ("approve", ("tor",), "01234567", False, os.getuid())),
        (["approve", "--force", "tor"], ("approve", ("tor",), "", True, os.getuid())),
        (["refresh"], ("refresh", (), False)),
        (["refresh", "tor", "feodo"], ("refresh", ("tor", "feodo"), False)),
        (["refresh", "--now", "tor"], ("refresh", ("tor",), True)),
        (["reload"], ("reload", ReloadOrder())),
        (["reload", "--lift", "5019"], ("reload", ReloadOrder(lift=5019))),
        (["reload", "--confirm", "2m"], ("reload", ReloadOrder(confirm=120.0))),
        (["confirm"], ("confirm", None)),
        (["confirm", "192.0.2.1"], ("confirm", {"address": "192.0.2.1"}, os.getuid())),
        (["bans"], ("bans", 1000, None)),
        (["bans", "--limit", "7"], ("bans", 7, None)),
        (
            ["bans", "--after", "1790000000.5|192.0.2.1|x"],
            ("bans", 1000, (1_790_000_000.5, Family.IPV4, 0xC0000201, 0xC0000201, "x")),
        ),
        (["ban", "192.0.2.1"], ("ban", {"address": "192.0.2.1"}, os.getuid())),
        (
            ["ban", "--for", "10m", "--origin", "fail2ban/sshd", "--comment", "why", "--", "192.0.2.1"],
            ("ban", {"address": "192.0.2.1", "for": "10m", "origin": "fail2ban/sshd", "comment": "why"}, os.getuid()),
        ),
        (
            ["ban", "--confirm", "1m", "192.0.2.1"],
            ("ban", {"address": "192.0.2.1", "confirm": "1m"}, os.getuid()),
        ),
        (["unban", "::2"], ("unban", {"address": "::2"}, os.getuid())),
        (["unban", "--origin", "x"], ("unban", {"origin": "x"}, os.getuid())),
        (["unban", "--origin", "x", "::2"], ("unban", {"address": "::2", "origin": "x"}, os.getuid())),
    ],
)
@pytest.mark.parametrize("where", ["nowhere", "before", "after"])
def test_every_command_asks_its_question_and_prints_for_people_or_programs(
    daemon: CannedDaemon, call: CtlCall, arguments: list[str], asked: tuple[Any, ...], where: str
) -> None:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    after = [*arguments[:at], "--json", *arguments[at:]]
    flags = {"nowhere": arguments, "before": ["--json", *arguments], "after": after}

    code, out, err = call(*flags[where])

    assert (code, err) == (0, "")
    assert daemon.operations.asked == [asked]
    if where == "nowhere":
        named = ("spamhaus-drop", "203.0.113.7", "NO ")
        assert any(name in out for name in named) or arguments[0] in ("status", "reload", "confirm")
    else:
        assert out == json.dumps(ANSWERS[asked[0]]) + "\n"


def test_runtime_directory_may_follow_the_command(daemon: CannedDaemon, call: CtlCall) -> None:
    assert call("status", "--runtime", str(daemon.folder / "elsewhere"))[0] == 69
    assert call("status", "--runtime", str(daemon.folder))[0] == 0


def test_status_asks_for_the_sources_only_where_some_fail(daemon: CannedDaemon, call: CtlCall) -> None:
    daemon.operations.answers["status"] = {**ANSWERS["status"], "failing": 1}
    daemon.operations.answers["sources"] = [{**SOURCE, "state": "failed", "failures": 2, "error": "HTTP 503"}]

    code, out, _ = call("status")

    assert code == 0
    assert daemon.operations.asked == [("status",), ("sources", False, "", None, None)]
    assert "spamhaus-drop failed 2 times" in out


def test_status_for_programs_is_one_document_also_where_sources_fail(daemon: CannedDaemon, call: CtlCall) -> None:
    daemon.operations.answers["status"] = {**ANSWERS["status"], "failing": 1}

    assert json.loads(call("status", "--json")[1])["failing"] == 1
    assert daemon.operations.asked == [("status",)]


def test_unban_exits_as_grep_does_and_says_who_bans_it_still(daemon: CannedDaemon, call: CtlCall) -> None:
    daemon.operations.answers["unban"] = {**ANSWERS["unban"], "removed": [], "still": "spamhaus-drop"}

    code, out, _ = call("unban", "203.0.113.7")

    assert code == 1
    assert "has no manual ban; it is still banned by spamhaus-drop" in out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError("192.0.2.1 is never banned: gateway"), 65),
        (FirewallError("the kernel said no"), 71),
        (UsageError("no"), 64),
    ],
)
def test_exit_code_of_a_ban_that_is_not_in_force(daemon: CannedDaemon, call: CtlCall, error: BanlistdError, code: int) -> None:
    daemon.operations.answers["ban"] = error

    assert call("ban", "192.0.2.1")[::2] == (code, f"banlistctl: {error.message}\n")


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_check_exits_as_grep_does(daemon: CannedDaemon, call: CtlCall, flags: list[str]) -> None:
    assert call("check", "203.0.113.9", *flags)[0] == 0

    daemon.operations.answers["check"] = {**ANSWERS["check"], "banned": False, "owner": None, "sources": []}

    assert call("check", "203.0.113.9", *flags)[0] == 1


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["completed", "skipped", "lost_race"], 0),
        (["completed", "failed"], 69),
        (["refused"], 69),
        ([], 0),
    ],
)
def test_refresh_exits_by_whether_some_failed(daemon: CannedDaemon, call: CtlCall, outcomes: list[str], code: int) -> None:
    rows = [{"id": "tor", "outcome": outcome, "added": 0, "removed": 0, "error": "x"} for outcome in outcomes]
    daemon.operations.answers["refresh"] = rows

    exited, out, err = call("refresh")

    assert (exited, err) == (code, "")
    assert len(out.splitlines()) == max(1, len(rows))
    assert call("refresh", "--json")[0] == code


@pytest.mark.parametrize(
    ("command", "error", "code"),
    [
        (["check", "nonsense"], UsageError("'nonsense' is no address", "as in 192.0.2.1"), 64),
        (["history", "nil"], NoSuchSourceError("no source is called 'nil'", "banlistctl sources"), 64),
        (["status"], LedgerError("disk full", "df /var/lib/banlistd"), 74),
    ],
)
def test_error_of_the_daemon_goes_to_stderr_with_hint_and_exit_code(
    daemon: CannedDaemon, call: CtlCall, command: list[str], error: UsageError, code: int
) -> None:
    daemon.operations.answers[command[0]] = error

    assert call(*command) == (code, "", f"banlistctl: {error.message}\n  hint: {error.hint}\n")


def test_a_refused_configuration_lists_its_problems_a_line_each(daemon: CannedDaemon, call: CtlCall) -> None:
    daemon.operations.answers["reload"] = ConfigError(
        "configuration has NOT been changed", problems=("a.yaml:1: every: no duration", "b.yaml:2: \x1b[31m")
    )

    code, out, err = call("reload")

    assert (code, out) == (78, "")
    assert err.splitlines() == [
        "banlistctl: configuration has NOT been changed",
        "  a.yaml:1: every: no duration",
        r"  b.yaml:2: \x1b[31m",
    ]


def test_an_error_is_a_document_for_programs(daemon: CannedDaemon, call: CtlCall) -> None:
    daemon.operations.answers["reload"] = ConfigError("wrong", problems=("a:1",))

    code, out, _ = call("reload", "--json")

    assert code == 78
    assert json.loads(out)["error"] == {
        "kind": "ConfigError",
        "message": "wrong",
        "hint": "",
        "exit_code": 78,
        "problems": ["a:1"],
    }


def test_daemon_not_running_names_a_next_step(call: CtlCall, tmp_path: object) -> None:
    code, out, err = call("status")

    assert (code, out) == (69, "")
    assert err.splitlines() == [
        f"banlistctl: banlistd is not running (no answer on {tmp_path}/control.sock)",
        "  hint: systemctl start banlistd; journalctl -u banlistd",
    ]


def test_a_daemon_that_is_not_running_is_a_document_for_programs_too(call: CtlCall) -> None:
    code, out, _ = call("status", "--json")

    error = json.loads(out)["error"]
    assert (code, error["kind"], error["exit_code"]) == (69, "NotRunningError", 69)


@pytest.mark.parametrize("document", [[], {}, None, 7, "text", [7], [{}], {"banned": True}])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_an_answer_of_another_shape_is_no_traceback(
    daemon: CannedDaemon, call: CtlCall, command: Command[Any, Any], document: object
) -> None:
    daemon.operations.answers[command.name] = document

    code, out, err = call(*words_of(command))

    if code == 76:
        assert out == ""
        assert "does not have the shape" in err
    else:
        assert not document
        assert code in {0, *command.exits}


def test_an_old_script_that_approves_two_sources_is_refused_with_the_way_out(daemon: CannedDaemon, call: CtlCall) -> None:
    code, out, err = call("approve", "tor", "feodo")

    assert (code, out) == (64, "")
    assert "'feodo' is not a content hash" in err
    assert "banlistctl quarantine tor prints; approve takes one source" in err
    assert daemon.operations.asked == []


def test_changed_content_is_shown_again(daemon: CannedDaemon, call: CtlCall) -> None:
    daemon.operations.answers["approve"] = ChangedContentError("tor: changed", "look at it", ("tor: shrunk", "    + 192.0.2.1"))

    code, out, err = call("approve", "tor")

    assert (code, out) == (65, "")
    assert err.splitlines() == ["banlistctl: tor: changed", "  tor: shrunk", "      + 192.0.2.1", "  hint: look at it"]


def test_without_any_hint_the_socket_is_in_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)

    assert default_runtime() == "/run/banlistd"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
        ([], "required: COMMAND (banlistctl --help lists them)"),
        (["explode"], "invalid choice: 'explode' (banlistctl --help lists them)"),
        (["chek", "192.0.2.1"], "invalid choice: 'chek' (did you mean check?)"),
        (["source"], "(did you mean sources?)"),
        (["top", "--by", "contry"], "invalid choice: 'contry' (did you mean country?)"),
        (["top", "--by", "x"], "invalid choice: 'x' (choose from country, asn, source, hits)"),
        (["sources", "--sort", "packts"], "invalid choice: 'packts' (did you mean packets?)"),
        (["status", "--jsn"], "unrecognized arguments: --jsn (did you mean --json?)"),
        (["--jsno", "status"], "(did you mean --json?)"),
        (["sources", "--limmit=5", "--failng"], "unrecognized arguments: --limmit=5 --failng (did you mean --limit?)"),
        (["ban", "--confrm", "1m", "192.0.2.1"], "unrecognized arguments: --confrm (did you mean --confirm?)"),
        (["status", "--whatever"], "unrecognized arguments: --whatever (banlistctl --help lists the options)"),
        (["status", "more"], "unrecognized arguments"),
        (["check"], "required: ADDRESS"),
        (["approve"], "required: ID"),
        (["approve", "tor", "01234567", "feodo"], "unrecognized arguments"),
        (["history", "--limit", "0"], "a number from 1 to 1000"),
        (["history", "--limit", "1001"], "a number from 1 to 1000"),
        (["history", "--limit", "9" * 5000], "a number from 1 to 1000"),
        (["history", "--limit", "x"], "a number from 1 to 1000"),
        (["explode\x1b[2J"], "\\x1b[2J"),
    ],
)
def test_wrong_command_line_exits_with_64(call: CtlCall, arguments: list[str], words: str) -> None:
    code, out, err = call(*arguments)

    assert (code, out) == (64, "")
    assert words in err
    assert "\x1b" not in err


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"]])
def test_help_documents_the_exit_codes(call: CtlCall, arguments: list[str]) -> None:
    code, out, _ = call(*arguments)

    assert code == 0
    for line in ("0    done; check: all of it is banned", "check: not all of it is banned", "77   this user"):
        assert line in out


def test_bans_are_asked_for_page_by_page_until_the_last(daemon: CannedDaemon, call: CtlCall) -> None:
    rows = [{**ANSWERS["bans"][0], "address": f"10.0.{n // 250}.{n % 250}", "created_at": 9000.25 - n} for n in range(2500)]

    def page(order: tuple[int, tuple[Any, ...] | None]) -> list[Any]:
        limit, place = order
        begin = 0 if place is None else int(9000.25 - place[0]) + 1
        return rows[begin : begin + limit]

    daemon.operations.answers["bans"] = page
    assert json.loads(call("--json", "bans")[1]) == rows
    assert len(daemon.operations.asked) == 3
    assert len(call("bans")[1].splitlines()) == 1 + len(rows)
    assert json.loads(call("--json", "bans", "--limit", "10")[1]) == rows[:10]
    assert len(daemon.operations.asked) == 7
