import pytest

from banlistd.core.config.kept import Files, Kept, files_of_text, text_of_files, unconfirmed

OLD: Files = {"banlistd.yaml": b"sources: []\n", "sources.d/a.yaml": b"id: a\xff\n"}
NEW: Files = {"banlistd.yaml": b"sources: [] # new\n"}


def test_files_come_back_as_they_were_and_damage_is_no_file() -> None:
    assert files_of_text(text_of_files(OLD)) == OLD
    assert list(files_of_text(text_of_files(OLD))) == list(OLD)
    for damaged in ("", "[]", "{", '{"a": 1}', '{"a": "="}'):
        assert files_of_text(damaged) == {}


@pytest.mark.parametrize("kept", [Kept(NEW, tried=OLD), Kept(NEW, refused=NEW), Kept(NEW, tried=NEW)])
def test_files_that_were_in_force_before_a_trial_need_no_confirmation(kept: Kept) -> None:
    assert not unconfirmed(NEW, kept)


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (Kept(), False),
        (Kept(OLD), False),
        (Kept(OLD, tried=NEW), True),
        (Kept(OLD, tried={"banlistd.yaml": b"edited since"}), True),
        (Kept(OLD, refused=NEW), True),
        (Kept(OLD, refused={"banlistd.yaml": b"edited since"}), False),
        (Kept(tried=NEW, refused=NEW), False),
    ],
    ids=["nothing", "another", "tried", "edited in a trial", "refused", "edited after it", "no way back"],
)
def test_a_start_puts_neither_tried_nor_refused_files_in_force(kept: Kept, expected: bool) -> None:
    assert unconfirmed(NEW, kept) is expected
