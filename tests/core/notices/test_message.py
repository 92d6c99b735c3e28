from banlistd.core.notices.message import message_of
from banlistd.core.notices.notice import Happening, Notice

FAILED = Notice(Happening(0, "warning", "blocklist_import_failed", "tor: failed: no route"), 0)


def test_one_notice_is_its_own_title() -> None:
    message = message_of([FAILED], 0, "gate")
    assert message.title == "tor: failed: no route (banlistd on gate)"
    assert message.body == "warning: tor: failed: no route [blocklist_import_failed]"


def test_several_notices_are_counted_in_the_title() -> None:
    over = Notice(
        Happening(0, "info", "blocklist_import_completed", "tor: 1 element added"), 0, ended="blocklist_import_failed"
    )
    message = message_of([FAILED, FAILED, over], 2, "gate", waiting=1)
    assert message.title == "2 warnings, 1 over (banlistd on gate)"
    assert message.body.splitlines()[2:] == [
        "over: blocklist import failed: tor: 1 element added [blocklist_import_completed]",
        "2 notices lost before these: this receiver accepted none for too long",
        "to come: 1 notice",
    ]


def test_what_was_left_out_is_counted() -> None:
    assert "(and 3 times since the last notice)" in message_of([Notice(FAILED.happening, 0, again=3)], 0, "gate").body


def test_hostile_text_stays_one_line_of_bounded_length() -> None:
    hostile = Notice(Happening(0, "warning", "a", "a\r\nBcc: all@host.example\x1b[2J\u202e" + "x" * 10_000), 0)
    message = message_of([hostile], 0, "gate")
    assert message.title.isprintable()
    assert message.body.isprintable()
    assert len(message.body) < 500
