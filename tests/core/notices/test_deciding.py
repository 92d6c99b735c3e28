from dataclasses import replace

from banlistd.core.config.service.notify import Notify
from banlistd.core.notices.deciding import Courses, decide_notices
from banlistd.core.notices.notice import Happening, Notice
from banlistd.core.notices.recovery import ENDED_BY
from banlistd.events import EventName, Priority

NOTIFY = Notify(events=("warning",), cool_down=600.0)


def happening(name: EventName, source: str = "tor", text: str = "") -> Happening:
    return Happening(1.0, name.kind.priority.level, name, text or name, {"SOURCE_ID": source} if source else {})


FAILED = happening(EventName.IMPORT_FAILED)
COMPLETED = happening(EventName.IMPORT_COMPLETED)


class Reader:
    """Hands events on, and keeps what is remembered between them."""

    def __init__(self, notify: Notify = NOTIFY) -> None:
        self.notify = notify
        self.courses: Courses = {}

    def gets(self, now: float, *happenings: Happening) -> list[Notice]:
        decision = decide_notices(self.notify, self.courses, happenings, now)
        self.courses = decision.courses
        return list(decision.notices)


def test_an_event_that_is_selected_makes_a_notice_and_another_one_none() -> None:
    assert Reader().gets(0, FAILED, COMPLETED, happening(EventName.MANUAL_BAN_ADDED))[:1] == [Notice(FAILED, 0)]
    assert Reader().gets(0, happening(EventName.MANUAL_BAN_ADDED)) == []


def test_a_level_means_the_levels_above_it_and_a_name_means_itself() -> None:
    selected = Notify(events=("error", "manual_ban_added")).selected
    assert EventName.LEDGER_FAULT in selected
    assert EventName.MANUAL_BAN_ADDED in selected
    assert EventName.IMPORT_FAILED not in selected


def test_no_notice_is_about_a_notice() -> None:
    assert not Notify(events=("info",)).selected & {EventName.NOTICE_FAILED, EventName.NOTICE_DELIVERED}


def test_a_cool_down_counts_what_it_leaves_out_and_sends_the_newest_afterwards() -> None:
    reader = Reader()
    assert len(reader.gets(0, FAILED)) == 1
    newest = happening(EventName.IMPORT_FAILED, text="the newest")
    assert reader.gets(10, FAILED) == reader.gets(20, FAILED, newest) == reader.gets(599) == []
    assert reader.gets(600) == [Notice(newest, 600, again=2)]
    assert reader.gets(1200) == []


def test_a_cool_down_is_of_one_source_only() -> None:
    reader = Reader()
    assert len(reader.gets(0, FAILED, happening(EventName.IMPORT_FAILED, "drop"))) == 2


def test_a_recovery_follows_a_notice_once() -> None:
    reader = Reader()
    reader.gets(0, FAILED)
    reader.gets(5, FAILED)
    assert reader.gets(10, COMPLETED) == [Notice(COMPLETED, 10, again=1, ended="blocklist_import_failed")]
    assert reader.gets(20, COMPLETED) == []


def test_a_recovery_of_another_source_says_nothing() -> None:
    reader = Reader()
    reader.gets(0, FAILED)
    assert reader.gets(1, happening(EventName.IMPORT_COMPLETED, "drop")) == []


def test_a_recovery_long_after_the_cool_down_still_follows() -> None:
    reader = Reader()
    reader.gets(0, FAILED)
    reader.gets(10_000)
    assert [notice.ended for notice in reader.gets(20_000, COMPLETED)] == ["blocklist_import_failed"]


def test_recovered_no_sends_no_recovery() -> None:
    reader = Reader(replace(NOTIFY, recovered=False))
    reader.gets(0, FAILED)
    assert reader.gets(1, COMPLETED) == []


def test_what_fails_and_recovers_again_and_again_makes_two_notices_in_a_cool_down() -> None:
    reader = Reader()
    notices = [notice for now in range(0, 600, 10) for notice in reader.gets(now, FAILED, COMPLETED)]
    assert len(notices) == 2
    assert reader.gets(600) == []
    assert len(reader.gets(610, FAILED)) == 1


def test_what_failed_in_the_cool_down_and_has_not_recovered_is_sent_at_its_end() -> None:
    reader = Reader()
    reader.gets(0, FAILED)
    reader.gets(10, COMPLETED)
    reader.gets(20, FAILED)
    assert [notice.happening for notice in reader.gets(600)] == [FAILED]
    assert [notice.ended for notice in reader.gets(610, COMPLETED)] == ["blocklist_import_failed"]


def test_a_cool_down_that_is_off_leaves_nothing_out() -> None:
    reader = Reader(replace(NOTIFY, cool_down=0.0))
    assert len(reader.gets(0, FAILED, FAILED)) == 2


def test_after_a_step_of_the_clock_back_a_cool_down_lasts_no_longer_than_it_may() -> None:
    reader = Reader()
    reader.gets(1_000_000, FAILED)
    reader.gets(0, FAILED)
    assert len(reader.gets(600)) == 1


def test_a_test_is_sent_at_once_and_again() -> None:
    reader = Reader(replace(NOTIFY, events=("error",)))
    test = happening(EventName.NOTICE_TEST, "")
    assert reader.gets(0, test) == reader.gets(0, test) == [Notice(test, 0, is_urgent=True)]


def test_a_silent_daemon_is_reported_whatever_is_selected() -> None:
    reader = Reader(replace(NOTIFY, events=("manual_ban_added",)))
    silent = happening(EventName.DAEMON_SILENT, "")
    answers = happening(EventName.DAEMON_ANSWERS, "")
    assert reader.gets(0, silent) == [Notice(silent, 0, is_urgent=True)]
    assert [notice.ended for notice in reader.gets(1, answers)] == ["daemon_silent"]


def test_what_is_over_at_once_is_forgotten_after_its_cool_down() -> None:
    reader = Reader()
    reader.gets(0, happening(EventName.PROTECTED_CARVED))
    reader.gets(600)
    assert reader.courses == {}


def test_each_warning_ends_or_is_over_at_once() -> None:
    at_once = {
        EventName.CRITICAL_CARVED,
        EventName.PROTECTED_CARVED,
        EventName.EVENTS_LOST,
        EventName.FIREWALL_DRIFT_REPAIRED,
        EventName.FIREWALL_REMARK,
        EventName.GEO_FAULT,
        EventName.HITS_UNAVAILABLE,
        EventName.MANUAL_ALLOW_UNRESOLVED,
        EventName.NOTICE_FAILED,
        EventName.ORDER_REFUSED,
        EventName.REPORT_REFUSED,
        EventName.SERVICE_FAULT,
    }
    warnings = {name for name in EventName if name.kind.priority <= Priority.WARNING}
    assert warnings - ENDED_BY.keys() == at_once
