import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from banlistd.control.commands.allowing.holes import HoleRow
from banlistd.control.commands.checking.check import CHECK
from banlistd.control.commands.confirm import CONFIRM
from banlistd.control.commands.history import HISTORY
from banlistd.control.commands.manual_bans.ban import BAN
from banlistd.control.commands.manual_bans.bans import BANS
from banlistd.control.commands.manual_bans.unban import UNBAN
from banlistd.control.commands.protected import PROTECTED
from banlistd.control.commands.quarantine import QUARANTINE
from banlistd.control.commands.refresh import REFRESH
from banlistd.control.commands.reload import RELOAD
from banlistd.control.commands.sources import SOURCES, SourcesOrder, rows_asked_for
from banlistd.control.commands.status import STATUS
from banlistd.control.commands.timers import TIMERS
from banlistd.control.commands.top import TOP
from banlistd.control.declaration import Command, PageContext
from banlistd.control.page import Note, Page, StateLine, Table, moment
from banlistd.control.table import COMMANDS
from ctl.canned import ANSWERS, RUN, SINCE, SOURCE
from ctl.canned import BAN as MANUAL_BAN

NOW = SINCE + 3 * 3600
HELD = ANSWERS["check"]["sources"]


def page_of(command: Command[Any, Any], answer: Any, now: float = NOW, sources: Any = ()) -> Page:
    """The page, its states without colours; a page that asks another command is answered with `sources`."""
    page = command.page(answer, PageContext(now, lambda _: sources))
    return [str(part) if isinstance(part, StateLine) else part for part in page]


def table(page: Page) -> list[dict[str, str]]:
    (part,) = (part for part in page if not isinstance(part, Note))
    assert isinstance(part, Table)
    heads = [column.head for column in part.columns]
    return [dict(zip(heads, row, strict=True)) for row in part.rows]


def texts_of(page: Page) -> list[str]:
    """Every line and every cell."""
    lines = [part for part in page if isinstance(part, str)]
    return [*lines, *(cell for part in page if isinstance(part, Table) for row in part.rows for cell in row)]


def checked(**changed: Any) -> str:
    sentence, *_ = page_of(CHECK, {**ANSWERS["check"], **changed})
    assert isinstance(sentence, str)
    return sentence


def test_status_says_in_one_line_whether_all_is_well() -> None:
    page = page_of(STATUS, ANSWERS["status"], NOW, ())

    assert page == [
        f"banlistd 0.1.0 is running since {moment(SINCE)} (3 h), nftables, 12 sources (1 off), 1,234,567 bans",
        "  verdict      PROTECTED",
        "  maps         hosts4 1,200,000, nets4 34,567",
        f"  last change  {moment(SINCE)} (3 h ago)",
        "  config       /etc/banlistd",
        "  process      4711",
    ]


def test_status_names_each_failing_source_its_error_and_the_way_out() -> None:
    failing = {**SOURCE, "id": "tor", "state": "failed", "failures": 3, "error": "HTTP 503", "due_at": NOW + 300}
    off = {**failing, "id": "old", "enabled": False}

    page = page_of(STATUS, {**ANSWERS["status"], "enabled": 12, "failing": 1}, NOW, [SOURCE, failing, off])

    assert "12 sources (1 failing)" in str(page[0])
    assert page[6:] == [
        "",
        "  tor failed 3 times, next try in 5 min: HTTP 503",
        "      try: banlistctl refresh tor; banlistctl history tor",
    ]


def test_a_version_that_waits_for_its_time_is_no_failure() -> None:
    waits = {**SOURCE, "quarantined": "hold", "error": "hold: it is tried by others first"}

    assert "12 sources (1 off, 1 waiting), " in str(page_of(STATUS, {**ANSWERS["status"], "waiting": 1}, NOW, ())[0])
    assert named([waits], failing=True) == []
    (row,) = table(page_of(SOURCES, [waits], NOW))
    assert row["STATE"] == "waiting"
    # A poll that fails meanwhile is one.
    fails = {**waits, "failures": 1, "error": "HTTP 503"}
    assert named([fails], failing=True) == ["spamhaus-drop"]


def test_status_says_what_is_wrong_with_the_disk_and_what_to_do() -> None:
    page = page_of(STATUS, {**ANSWERS["status"], "ledger_fault": "the database says SQLITE_FULL: \x1b[2J"}, NOW, ())
    text = "\n".join(map(str, page))
    assert "in memory only: the database says SQLITE_FULL" in text
    assert "\x1b" not in text
    assert "banlistctl reload" in text


def test_status_shows_what_the_administrator_should_know_about_the_firewall_and_what_to_do() -> None:
    remark = {"message": "/etc/nftables.conf names our table\x1b", "hint": "save it anew"}
    page = page_of(STATUS, {**ANSWERS["status"], "remarks": [remark]}, NOW, ())
    assert page[6:] == ["  warning      /etc/nftables.conf names our table\\x1b", "      save it anew"]


def test_status_gives_the_reasons_of_its_verdict_and_does_not_repeat_them_as_warnings() -> None:
    reason = {"message": "bans do not cover the guests of tap0", "hint": "run banlistd there"}
    answer = {**ANSWERS["status"], "verdict": "DEGRADED", "reasons": [reason], "remarks": [reason]}
    expected = ["  verdict      DEGRADED", "  because      bans do not cover the guests of tap0", "      run banlistd there"]
    page = page_of(STATUS, answer, NOW, ())
    assert page[1:4] == expected
    assert reason["message"] not in "".join(map(str, page[4:]))
    short: Any = {"verdict": "DEGRADED", "reasons": [reason]}
    assert page_of(STATUS, short, NOW, ()) == ["DEGRADED", *expected[1:]]


@pytest.mark.parametrize(("verdict", "code"), [("PROTECTED", 0), ("DEGRADED", 1), ("OPEN", 2)])
def test_the_exit_code_says_the_verdict_only_where_it_was_asked_for(verdict: str, code: int) -> None:
    short: Any = {"verdict": verdict, "reasons": []}
    assert STATUS.judge(short) == code
    whole: Any = {**ANSWERS["status"], "verdict": verdict}
    assert STATUS.judge(whole) == 0


def test_status_shows_how_many_sources_a_refresh_has_polled() -> None:
    page = page_of(STATUS, {**ANSWERS["status"], "refreshing": {"done": 3, "total": 12}}, NOW, ())
    assert page[6:] == ["  refresh      3 of 12 sources"]


def test_status_of_a_daemon_that_has_done_nothing_yet() -> None:
    page = page_of(STATUS, {**ANSWERS["status"], "sources": 0, "enabled": 0, "maps": {}, "last_change": None}, NOW, ())

    assert "0 sources, " in str(page[0])
    assert page[2:4] == ["  maps         none", "  last change  none yet"]


def test_sources_table_has_relative_times() -> None:
    row = {**SOURCE, "polled_at": NOW - 300, "due_at": NOW + 3 * 3600, "direction": "both"}

    assert table(page_of(SOURCES, [row], NOW)) == [
        {
            "ID": "spamhaus-drop",
            "STATE": "completed",
            "ENTRIES": "1,650",
            "ELEMENTS": "1,234",
            "ACTION": "drop (both)",
            "PACKETS": "98,765",
            "LAST POLL": "5 min ago",
            "NEXT POLL": "in 3 h",
            "ERROR": "",
        }
    ]


def test_one_source_is_shown_with_the_lines_that_were_skipped() -> None:
    lines = [{"line": 1_234, "text": "<b>\x1b", "reason": "no address"}, {"line": 7_000, "text": "", "reason": ""}]
    row = {**SOURCE, "rejected": 9, "skipped": lines}
    assert page_of(SOURCES, [row], NOW)[1:4] == [
        "9 lines were skipped, the first of them:",
        "  line 1,234: <b>\\x1b (no address)",
        "  line 7,000 (its text may contain a secret)",
    ]
    assert page_of(SOURCES, [{**row, "rejected": 2}], NOW)[1] == "2 lines were skipped:"
    assert not [part for part in page_of(SOURCES, [row, row], NOW) if "skipped" in str(part) and isinstance(part, str)]


def test_one_source_is_shown_with_the_files_of_its_archive_that_were_left_out() -> None:
    lines = [{"line": 3, "text": "x", "reason": "no address"}, {"line": 0, "text": "a.md", "reason": "not read"}]
    assert page_of(SOURCES, [{**SOURCE, "rejected": 1, "skipped": lines}], NOW)[1:5] == [
        "1 line was skipped:",
        "  line 3: x (no address)",
        "files of the archive were left out:",
        "  file: a.md (not read)",
    ]


def test_one_source_of_countries_is_shown_with_the_age_of_its_databases() -> None:
    databases = [{"name": "/a.mmdb", "made_at": NOW - 61 * 86_400}, {"name": "/b", "made_at": NOW - 7200}]
    row = {**SOURCE, "databases": databases}
    assert page_of(SOURCES, [row], NOW)[1:3] == ["from /a.mmdb, 61 d old", "from /b, 2 h old"]
    assert not [part for part in page_of(SOURCES, [row, row], NOW) if "/a.mmdb" in str(part)]


def test_what_is_odd_about_a_feed_is_named_by_sources_and_by_status() -> None:
    odd = {**SOURCE, "oddities": [{"condition": "frozen", "message": "its content has not changed for 40.0 days"}]}
    page = page_of(SOURCES, [odd], NOW)
    assert table([page[0]])[0]["STATE"] == "completed, frozen"
    assert page[1] == "frozen: its content has not changed for 40.0 days"
    status = {**ANSWERS["status"], "odd": {"dead": 0, "frozen": 1, "moved": 0, "empty": 0}}
    page = page_of(STATUS, status, NOW, [SOURCE, odd])
    assert "12 sources (1 off, 1 frozen)" in str(page[0])
    assert page[6:] == ["  spamhaus-drop is frozen: its content has not changed for 40.0 days"]
    assert page_of(STATUS, status, NOW, [odd] * 12)[-1] == "  ... and 2 more: banlistctl sources"


def test_a_source_that_is_polled_now_says_so_beside_its_state() -> None:
    row = {**SOURCE, "stale_since": NOW - 60, "polling": True}
    (shown,) = table(page_of(SOURCES, [row], NOW))
    assert shown["STATE"] == "completed, stale, polling"
    page = page_of(STATUS, {**ANSWERS["status"], "polling": 2}, NOW, ())
    assert "12 sources (1 off, 2 polling)" in str(page[0])


def test_a_source_that_is_off_or_was_never_polled_says_so() -> None:
    row = {**SOURCE, "enabled": False, "state": "never", "packets": None, "polled_at": None, "due_at": None}

    (shown,) = table(page_of(SOURCES, [row], NOW))

    assert (shown["STATE"], shown["PACKETS"], shown["LAST POLL"], shown["NEXT POLL"]) == ("off", "", "never", "")


def test_status_counts_what_blocks_and_what_only_watches() -> None:
    first = str(page_of(STATUS, {**ANSWERS["status"], "bans": 12, "watched": 3}, NOW, ())[0])

    assert first.endswith("12 bans, 3 only watched")


def test_status_shows_ten_failing_sources_and_the_command_for_the_rest() -> None:
    failing = [{**SOURCE, "id": f"list-{n}", "state": "failed", "failures": 1, "error": "HTTP 503"} for n in range(12)]

    page = page_of(STATUS, {**ANSWERS["status"], "failing": 12}, NOW, failing)

    assert sum("failed 1 time" in str(line) for line in page) == 10
    assert page[-1] == "  ... and 2 more: banlistctl sources --failing"


def named(rows: list[Any], **order: Any) -> list[str]:
    return [row["id"] for row in rows_asked_for(rows, SourcesOrder(**{"failing": False, "sort": "", "limit": None, **order}))]


def test_sources_are_chosen_sorted_and_limited() -> None:
    good, bad = {**SOURCE, "id": "b", "packets": None}, {**SOURCE, "id": "a", "failures": 1, "state": "failed", "entries": 9}
    off = {**bad, "id": "c", "enabled": False, "due_at": None}
    refused = {**SOURCE, "id": "d", "quarantined": "html", "packets": 1, "owned": 5_000}
    stale = {**SOURCE, "id": "e", "stale_since": NOW - 9, "due_at": NOW - 9, "polled_at": NOW}
    rows = [good, bad, off, refused, stale]

    assert named(rows) == ["b", "a", "c", "d", "e"]
    assert named(rows, failing=True) == ["a", "d", "e"]
    assert named(rows, limit=2) == ["b", "a"]
    assert named(rows, sort="id") == ["a", "b", "c", "d", "e"]
    assert named(rows, sort="state") == ["a", "d", "e", "b", "c"]
    assert named(rows, sort="elements", limit=1) == ["d"]
    assert named(rows, sort="entries")[-2:] == ["a", "c"]
    assert named(rows, sort="packets")[-2:] == ["d", "b"]
    assert named(rows, sort="last-poll", limit=1) == ["e"]
    assert named(rows, sort="next-poll")[-1] == "c"


def test_check_of_a_banned_address_names_source_entry_and_since() -> None:
    assert checked() == (
        f"203.0.113.9 is banned by spamhaus-drop (drop), which lists 203.0.113.0/24 since {moment(SINCE)}; also in: office-bans"
    )


def test_a_time_that_is_not_exact_is_a_least_time() -> None:
    assert f"203.0.113.0/24 since at least {moment(SINCE)}" in checked(sources=[{**HELD[0], "exact": False}])


def test_an_owner_without_a_known_time_or_entry_is_still_named() -> None:
    assert checked(owner="office-bans", sources=HELD[1:]).endswith("by office-bans (drop), which lists 203.0.113.9")
    assert checked(sources=[]) == "203.0.113.9 is banned by spamhaus-drop (drop)"
    words = checked(sources=[], answers="answers from udp 53 (resolver)")
    assert words == "203.0.113.9 is banned by spamhaus-drop (drop); only answers from udp 53 (resolver) pass"
    assert checked(owner=None, sources=[]) == "203.0.113.9 is banned"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sources": []}, "no source lists it"),
        ({"sources": [], "allowed": True}, "it is allowed"),
        ({"allowed": True}, "it is allowed, although listed by spamhaus-drop, office-bans"),
        ({"sources": [], "reserved": True}, "it is in a reserved network"),
        (
            {"protected": "gateway", "reserved": True},
            "it is protected (gateway), although listed by spamhaus-drop, office-bans",
        ),
    ],
)
def test_check_of_a_free_address_says_why(changed: dict[str, Any], words: str) -> None:
    assert checked(banned=False, owner=None, **changed) == f"203.0.113.9 is not banned: {words}"


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ({}, ["  Norway (NO), AS64496 Example Network"]),
        ({"asn": None, "organisation": ""}, ["  Norway (NO)"]),
        ({"country_name": ""}, ["  NO, AS64496 Example Network"]),
        ({"country": "", "country_name": "", "organisation": ""}, ["  AS64496"]),
        ({"country": "", "country_name": "", "asn": None, "organisation": ""}, []),
    ],
)
def test_a_second_line_says_where_an_address_belongs_as_far_as_it_is_known(origin: dict[str, Any], words: list[str]) -> None:
    _, *lines = page_of(CHECK, {**ANSWERS["check"], "origin": {**ANSWERS["check"]["origin"], **origin}})

    assert lines == words


def test_a_source_of_whole_countries_says_how_much_of_the_space_it_is() -> None:
    page = page_of(
        SOURCES, [{**SOURCE, "id": "norway", "extent": "0.4 % of the IPv4 space, 0.2 % of the allocated IPv6 space"}], NOW
    )

    assert page[1:-1] == ["norway covers 0.4 % of the IPv4 space, 0.2 % of the allocated IPv6 space"]


def test_the_top_is_a_table_with_shares_of_all_bans_and_says_what_it_leaves_out() -> None:
    page = page_of(TOP, ANSWERS["top"])

    assert table(page[:1]) == [
        {"COUNTRY": "NO", "NAME": "Norway", "BANS": "1,000,000", "SHARE": "81.0 %", "IPV4 ADDRESSES": "1,000,256"},
        {"COUNTRY": "unknown", "NAME": "", "BANS": "7", "SHARE": "0.0 %", "IPV4 ADDRESSES": "0"},
    ]
    assert page[1:] == ["... and 1 more (--limit)"]


def test_the_top_of_sources_has_no_names() -> None:
    rows = [{"key": "spamhaus-drop", "name": "", "bans": 5, "addresses": 512}]

    (shown,) = table(page_of(TOP, {"by": "source", "bans": 5, "total": 1, "rows": rows}))

    assert shown == {"SOURCE": "spamhaus-drop", "BANS": "5", "SHARE": "100.0 %", "IPV4 ADDRESSES": "512"}


def test_the_top_of_nothing_is_a_sentence() -> None:
    assert page_of(TOP, {"by": "asn", "bans": 0, "total": 0, "rows": []}) == ["nothing is banned"]


def test_check_of_a_listed_address_not_in_force_points_to_the_sources() -> None:
    assert checked(banned=False, owner=None) == (
        "203.0.113.9 is not banned, although listed by spamhaus-drop, office-bans: not in force (try: banlistctl sources)"
    )


def test_a_watched_address_is_not_banned() -> None:
    sentence = checked(banned=False, action="log", sources=HELD[:1])

    assert sentence.startswith("203.0.113.9 is not banned, only watched by spamhaus-drop (log), which lists")


def test_history_is_a_table_of_runs() -> None:
    unfinished = {**RUN, "state": "failed", "content_hash": None, "completed_at": None, "error": "HTTP 503"}

    first, second = table(page_of(HISTORY, [RUN, unfinished]))

    assert first == {
        "STARTED": moment(SINCE),
        "SOURCE": "spamhaus-drop",
        "STATE": "completed",
        "ENTRIES": "1,650",
        "ADDED": "12",
        "REMOVED": "3",
        "REJECTED": "2",
        "TRIES": "2",
        "TOOK": "1.5 s",
        "CONTENT": "0123456789ab",
        "ERROR": "",
    }
    assert (second["STATE"], second["TOOK"], second["CONTENT"], second["ERROR"]) == ("failed", "", "", "HTTP 503")
    (refused,) = table(page_of(HISTORY, [{**unfinished, "guard": "html"}]))
    assert refused["STATE"] == "refused"


def test_protected_addresses_come_with_the_reason_and_what_would_be_without_it() -> None:
    gateway, resolver, login = ANSWERS["protected"]
    private = {**gateway, "address": "10.0.0.1", "sources": ["bogons", "tor"], "carved": False}
    always = {"REASON": "gateway", "SCOPE": "everything", "SINCE": "", "UNTIL": ""}
    overridden = {**gateway, "address": "10.0.0.2", "sources": ["manual"], "carved": False, "banned": True}
    assert table(page_of(PROTECTED, [gateway, login, private, overridden], login["since"] + 5 * 86_400)) == [
        {"ADDRESS": "192.0.2.1", **always, "LISTED BY": "spamhaus-drop", "WOULD BE BANNED": "yes"},
        {
            "ADDRESS": "203.0.113.7",
            "REASON": "earlier remote session",
            "SCOPE": "everything",
            "SINCE": "5 d ago",
            "UNTIL": "in 25 d",
            "LISTED BY": "",
            "WOULD BE BANNED": "",
        },
        {"ADDRESS": "10.0.0.1", **always, "LISTED BY": "bogons, tor", "WOULD BE BANNED": "no"},
        {"ADDRESS": "10.0.0.2", **always, "LISTED BY": "manual", "WOULD BE BANNED": "it is, by a manual ban"},
    ]
    (row,) = table(page_of(PROTECTED, [resolver]))
    assert (row["SCOPE"], row["LISTED BY"]) == ("answers from udp 53, tcp 53, tcp 853", "office-bans")
    assert page_of(PROTECTED, []) == ["nothing is protected, or with --holes: nothing of it is on a list"]


def test_a_refresh_that_came_too_early_says_from_when_on_and_how_to_ask_all_the_same() -> None:
    row: Any = {**ANSWERS["refresh"][0], "outcome": "deferred", "reason": "the publisher allows one request in 4h"}
    noon = time.mktime((2026, 11, 28, 12, 0, 0, 0, 0, -1))
    row["not_before"] = noon + 2 * 3600 + 5 * 60 - 30
    said = "the publisher allows one request in 4h; --now asks anyway"
    assert page_of(REFRESH, [row], noon) == [f"spamhaus-drop: not asked before 14:05: {said}"]
    assert page_of(REFRESH, [row], noon - 86_400) == [f"spamhaus-drop: not asked before 2026-11-28 14:05: {said}"]
    assert REFRESH.judge([row]) == 75


def test_timers_say_when_each_source_is_due() -> None:
    soon = {**ANSWERS["timers"][0], "due_at": NOW + 600}
    due = {**soon, "due_at": NOW - 1, "polled_at": None}

    first, second = table(page_of(TIMERS, [soon, due], NOW))

    assert first["EVERY"] == "12h"
    assert (first["LAST POLL"], first["NEXT POLL"], first["AT"]) == ("3 h ago", "in 10 min", moment(NOW + 600))
    assert (second["LAST POLL"], second["NEXT POLL"], second["AT"]) == ("never", "now", "")


def test_timers_say_which_source_is_not_polled() -> None:
    late = {**ANSWERS["timers"][0], "due_at": NOW - 86_400, "suspended": ["paused", "pinned"]}

    first, second = table(page_of(TIMERS, [late, {**late, "due_at": NOW + 600, "suspended": ["pinned"]}], NOW))

    assert (first["NEXT POLL"], first["AT"]) == ("paused, pinned", "")
    assert (second["NEXT POLL"], second["AT"]) == ("pinned", "")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("completed", "completed, 12 elements added, 3 removed"),
        ("skipped", "skipped, this content is already applied"),
        ("lost_race", "done by another import at the same time"),
        ("refused", "refused: too few"),
        ("failed", "failed: too few (its bans stay as they are)"),
        ("postponed", "postponed"),
    ],
)
def test_refresh_has_a_line_for_each_source(outcome: str, words: str) -> None:
    rows = [{"id": "tor", "outcome": outcome, "added": 12, "removed": 3, "error": "too few"}]

    assert page_of(REFRESH, rows) == [f"tor: {words}"]


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [(("completed", "skipped"), 0), (("completed", "deferred"), 75), (("deferred", "failed"), 69), (("refused",), 69)],
)
def test_refresh_fails_if_a_source_was_not_asked(outcomes: tuple[str, ...], code: int) -> None:
    rows: list[Any] = [{"outcome": outcome} for outcome in outcomes]
    assert REFRESH.judge(rows) == code


@pytest.mark.parametrize(
    ("made", "code"), [({}, 65), ({"banned": 1}, 0), ({"renewed": 1}, 0), ({"kept": 1}, 0), ({"skipped": []}, 0)]
)
def test_a_ban_of_many_that_are_all_never_banned_is_refused_as_one_is(made: dict[str, Any], code: int) -> None:
    skipped = [{"address": "10.0.0.1", "reason": "private (RFC 1918)"}]
    answer: Any = {
        "origin": "operator",
        "confirm_by": None,
        "banned": 0,
        "renewed": 0,
        "kept": 0,
        "skipped": skipped,
        "spared": [],
    }

    judged: Any = {**answer, **made}
    assert BAN.judge(judged) == code
    one: Any = {**MANUAL_BAN, "new": True, "spared": []}
    assert BAN.judge(one) == 0


def test_ban_shows_its_end_and_what_is_not_in_force() -> None:
    ban = {**MANUAL_BAN, "new": True, "spared": [{"address": "203.0.113.1", "reason": "gateway"}]}

    assert page_of(BAN, ban, SINCE) == [
        f"203.0.113.7 is banned until {moment(SINCE + 600)} (10 min)",
        "  but not 203.0.113.1: gateway",
    ]
    again = {**MANUAL_BAN, "expires_at": None, "new": False, "spared": []}
    assert page_of(BAN, again, SINCE) == ["203.0.113.7 is banned permanently; fail2ban/sshd had banned it before"]


def test_ban_that_waits_says_how_to_keep_it_and_until_when() -> None:
    ban = {**MANUAL_BAN, "confirm_by": SINCE + 60, "new": True, "spared": []}

    assert page_of(BAN, ban, SINCE) == [
        "203.0.113.7 is banned for 1 min, unless you confirm it",
        f"  banlistctl confirm 203.0.113.7 keeps it banned until {moment(SINCE + 600)} (10 min)",
    ]
    assert page_of(BAN, {**ban, "expires_at": None}, SINCE)[1] == "  banlistctl confirm 203.0.113.7 keeps it banned permanently"


def test_confirm_names_what_it_confirmed() -> None:
    assert page_of(CONFIRM, {"sources": 12}) == ["the configuration is confirmed: 12 sources"]
    assert page_of(CONFIRM, {"sources": 12, "bans": [MANUAL_BAN]}) == [
        f"203.0.113.7 is banned until {moment(SINCE + 600)}: confirmed"
    ]


def test_unban_says_who_has_let_go_and_who_has_not() -> None:
    assert page_of(UNBAN, ANSWERS["unban"]) == ["203.0.113.7 is no longer banned by fail2ban/sshd"]
    assert page_of(UNBAN, {**ANSWERS["unban"], "still": "tor"}) == [
        "203.0.113.7 is no longer banned by fail2ban/sshd; it is still banned by tor (try: banlistctl check 203.0.113.7)"
    ]
    assert page_of(UNBAN, {**ANSWERS["unban"], "removed": []}) == ["203.0.113.7 has no manual ban (banlistctl bans lists them)"]
    around = [{**MANUAL_BAN, "address": "203.0.113.0/28"}]
    assert page_of(UNBAN, {**ANSWERS["unban"], "removed": [], "still": "manual", "within": around}) == [
        "203.0.113.7 has no manual ban; it is still banned by manual (try: banlistctl unban 203.0.113.0/28)"
    ]
    everything = {"address": None, "origin": "fail2ban/sshd", "removed": [MANUAL_BAN, MANUAL_BAN], "still": None}
    assert page_of(UNBAN, everything) == ["2 bans of fail2ban/sshd lifted"]


def test_bans_table_shows_what_is_not_in_force() -> None:
    rows = [
        {**MANUAL_BAN, "in_force": True, "spared": ""},
        {**MANUAL_BAN, "expires_at": None, "comment": "", "in_force": False, "spared": "allowed"},
        {**MANUAL_BAN, "expires_at": None, "comment": "", "confirm_by": SINCE + 100, "in_force": True, "spared": ""},
    ]

    assert table(page_of(BANS, rows, SINCE + 60)) == [
        {
            "ADDRESS": "203.0.113.7",
            "ORIGIN": "fail2ban/sshd",
            "USER": "root",
            "SINCE": "1 min ago",
            "UNTIL": "in 9 min",
            "ONLY": "",
            "UNCONFIRMED": "",
            "NOT BANNED": "",
            "COMMENT": "5 failures",
        },
        {
            "ADDRESS": "203.0.113.7",
            "ORIGIN": "fail2ban/sshd",
            "USER": "root",
            "SINCE": "1 min ago",
            "UNTIL": "",
            "ONLY": "",
            "UNCONFIRMED": "",
            "NOT BANNED": "all of it: allowed",
            "COMMENT": "",
        },
        {
            "ADDRESS": "203.0.113.7",
            "ORIGIN": "fail2ban/sshd",
            "USER": "root",
            "SINCE": "1 min ago",
            "UNTIL": "",
            "ONLY": "",
            "UNCONFIRMED": "lifted in 40 s without banlistctl confirm 203.0.113.7",
            "NOT BANNED": "",
            "COMMENT": "",
        },
    ]
    assert page_of(BANS, [], NOW) == ["there are no manual bans"]


def test_check_says_who_banned_by_hand_until_when_and_why() -> None:
    waits = {"origin": "operator", "comment": "", "expires_at": None, "confirm_by": SINCE + 60}
    bans = [MANUAL_BAN, {**MANUAL_BAN, **waits}]
    held = {"id": "manual", "entry": "203.0.113.7", "since": SINCE, "exact": True, "bans": bans}

    assert checked(address="203.0.113.7", owner="manual", sources=[held]) == (
        f"203.0.113.7 is banned by manual (drop), which lists 203.0.113.7 since {moment(SINCE)}"
        f" (fail2ban/sshd (root), until {moment(SINCE + 600)}: 5 failures;"
        f" operator (root), permanently, if it is confirmed by {moment(SINCE + 60)})"
    )


def test_reload_says_what_it_changed() -> None:
    document = {"sources": 12, "lifted": 0, "added": ["a", "b"], "removed": [], "changed": ["tor"]}

    assert page_of(RELOAD, document) == ["configuration reloaded: 12 sources; added: a, b; changed: tor"]
    assert page_of(RELOAD, {"sources": 1, "lifted": 0, "added": [], "removed": [], "changed": []}) == [
        "configuration reloaded: 1 source; no source was added, removed or changed"
    ]
    assert str(page_of(RELOAD, {**document, "lifted": 5019})[0]).startswith(
        "configuration reloaded: 12 sources; 5,019 bans lifted; "
    )


def test_empty_answers_are_sentences() -> None:
    assert page_of(SOURCES, [], NOW) == ["no sources are configured, or none of these"]
    assert page_of(HISTORY, []) == ["nothing has been imported yet"]
    assert page_of(TIMERS, [], NOW) == ["no timers: no sources are enabled"]
    assert page_of(REFRESH, []) == ["no sources are enabled: nothing was polled"]


def test_no_text_from_outside_reaches_a_page_unescaped() -> None:
    evil = "\x1b[31m"
    source = {**SOURCE, "id": evil, "state": evil, "action": evil, "direction": evil, "error": evil, "failures": 1}
    status = {**ANSWERS["status"], "version": evil, "state": evil, "backend": evil, "config": evil, "maps": {evil: 1}}
    ban = {**MANUAL_BAN, "address": evil, "origin": evil, "user": evil, "comment": evil}
    held = [
        {"id": evil, "entry": evil, "since": SINCE, "exact": True, "action": evil, "bans": [ban]},
        {**HELD[0], "id": evil + "2"},
    ]
    check = {"address": evil, "owner": evil, "action": evil, "sources": held}
    pages: list[Page] = [
        page_of(STATUS, {**status, "failing": 1}, NOW, [source]),
        page_of(SOURCES, [source], NOW),
        page_of(CHECK, {**ANSWERS["check"], **check}),
        page_of(CHECK, {**ANSWERS["check"], **check, "banned": False, "allowed": True}),
        page_of(HISTORY, [{**RUN, "source_id": evil, "state": evil, "content_hash": evil, "error": evil}]),
        page_of(TIMERS, [{**ANSWERS["timers"][0], "id": evil}], NOW),
        page_of(REFRESH, [{"id": evil, "outcome": outcome, "error": evil} for outcome in ("failed", "refused", evil)]),
        page_of(RELOAD, {"sources": 1, "lifted": 0, "added": [evil], "removed": [evil], "changed": [evil]}),
        page_of(BAN, {**ban, "new": False, "spared": [{"address": evil, "reason": evil}]}, NOW),
        page_of(UNBAN, {"address": evil, "origin": evil, "removed": [ban], "still": evil, "within": [ban]}),
        page_of(UNBAN, {"address": None, "origin": evil, "removed": [], "still": None, "within": []}),
        page_of(BANS, [{**ban, "in_force": True, "spared": evil}], NOW),
    ]

    assert all(text.isprintable() for page in pages for text in texts_of(page))


EVIL = "\x1b[31m"


def with_an_evil_text(answer: Any) -> Iterator[Any]:
    """The answer with control characters in one of its texts, for each of them in turn."""
    match answer:
        case str():
            yield EVIL
        case list():
            for at, item in enumerate(answer):
                yield from ([*answer[:at], evil, *answer[at + 1 :]] for evil in with_an_evil_text(item))
        case dict():
            for key, value in answer.items():
                yield from ({**answer, key: evil} for evil in with_an_evil_text(value))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_page_of_a_command_escapes_each_text_of_its_example(command: Command[Any, Any]) -> None:
    for answer in with_an_evil_text(command.example):
        # Of some texts a page knows every value; banlistctl refuses an answer with another one.
        with contextlib.suppress(KeyError):
            assert all(text.isprintable() for text in texts_of(page_of(command, answer)))


def test_quarantine_shows_reason_differences_and_next_step() -> None:
    held = ANSWERS["quarantine"][0]

    assert page_of(QUARANTINE, [held], NOW) == [
        f"spamhaus-drop: shrunk since {moment(SINCE)} (3 h), refused 2 times",
        "  30 entries where 1,650 were, shrunk by more than 50 % (guards: shrink)",
        "  30 entries, the last good one has 1,650: 1 added, 1,621 removed",
        "    + 192.0.2.0/24",
        "    - 198.51.100.7",
        "    - 203.0.113.9",
        "    - ... and 1,619 more",
        "  accepted automatically once it has been the same for 3d; so far 2 h",
        f"  content hash {'fedcba9876543210' * 4}",
        "  try: banlistctl approve spamhaus-drop fedcba9876543210",
    ]


def test_a_first_list_in_quarantine_has_none_before_it_and_what_is_approved_says_so() -> None:
    first = {**ANSWERS["quarantine"][0], "entries_before": None, "settle": None, "approved": True, "reason": "\x1b[2J"}

    page = [str(line) for line in page_of(QUARANTINE, [first], NOW)]

    assert "no list before it" in page[2]
    assert page[1] == r"  \x1b[2J"
    assert page[-1] == "  approved, not yet applied"
    assert not any("automatically" in line for line in page)


def test_what_is_no_list_sends_the_reader_to_its_place_and_not_to_approve() -> None:
    page = page_of(QUARANTINE, [{**ANSWERS["quarantine"][0], "is_list": False}], NOW)

    assert page[-1] == "  this is no list: see what https://www.spamhaus.org/drop/drop.txt answers"
    assert not any("approve" in str(line) for line in page)


def test_an_empty_quarantine_says_so() -> None:
    assert page_of(QUARANTINE, [], NOW) == ["nothing is in quarantine"]


def test_a_stale_list_is_named_by_status_and_by_sources() -> None:
    stale = {**SOURCE, "stale_since": NOW - 3600, "quarantined": "shrunk", "failures": 2, "error": "shrunk: 3 entries"}

    page = page_of(STATUS, {**ANSWERS["status"], "failing": 1, "stale": 1, "quarantined": 1}, NOW, [stale])

    assert "1 failing, 1 in quarantine, 1 stale" in str(page[0])
    assert page[7] == "  spamhaus-drop is stale: its last good list grew too old 1 h ago; its bans stay"
    assert str(page[8]).startswith("  spamhaus-drop refused 2 times, ")
    assert "banlistctl quarantine spamhaus-drop" in str(page[9])
    (row,) = table(page_of(SOURCES, [stale], NOW))
    assert row["STATE"] == "refused, stale"


def test_a_hole_says_what_it_cuts_and_what_it_costs() -> None:
    hole: HoleRow = {
        "allowed": "192.0.2.64/26",
        "origin": "configuration",
        "use": "",
        "comment": "office",
        "source": "spamhaus-drop",
        "cut": 22,
        "first": ["192.0.2.0/24"],
        "addresses4": 64,
        "addresses6": 2**64,
    }
    (table,) = PROTECTED.page([hole], PageContext(0.0, lambda _: None))
    assert isinstance(table, Table)
    assert table.rows == (
        (
            "192.0.2.64/26",
            "configuration",
            "spamhaus-drop",
            "64 and 2^64 of IPv6",
            "22 entries",
            "192.0.2.0/24 and 21 more",
            "office",
        ),
    )
