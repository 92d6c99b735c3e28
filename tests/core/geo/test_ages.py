"""When the administrator is to know that a database of addresses is old."""

from banlistd.core.geo.ages import remarks_on_ages

_NOW, _DAY = 1_790_000_000.0, 86_400.0


def test_a_database_of_more_than_sixty_days_is_remarked_on() -> None:
    dates = {"/a.mmdb": _NOW - 61 * _DAY, "/b": _NOW - 59 * _DAY, "/c": _NOW + _DAY}
    (remark,) = remarks_on_ages(dates, _NOW)
    assert remark.message == "/a.mmdb is 61 days old, and sources ban by it"
    assert "geoipupdate" in remark.hint


def test_there_is_nothing_to_say_of_no_database() -> None:
    assert remarks_on_ages({}, _NOW) == []
