import datetime as dt
from ipaddress import ip_address
from pathlib import Path

import pytest

from banlistd.backends import BackendName
from banlistd.core.addresses.sets import Ranges, from_numbers
from banlistd.core.config.model import STDIN, Config, Source
from banlistd.core.config.sections.allow import AllowEntry
from banlistd.core.config.sections.interval import Daily
from banlistd.core.config.sections.log import LogFormat
from banlistd.formats import Condition, Format, FormatType, Operator
from banlistd.model import Action, Direction, Family, SourceId
from support.written_config import FOLDER, read, source_of

# What is read


def test_a_file_that_wants_no_source_is_a_configuration_of_defaults() -> None:
    assert read("sources: []") == Config() == read("# nothing\nsources: []\n") == read("---\nsources: []")
    assert Config().backend is BackendName.NFTABLES
    assert Config().log.format is LogFormat.AUTO


def test_sections_whose_lines_are_commented_out_are_empty() -> None:
    assert read("defaults:\nallow:\n  # - 192.0.2.1\nsources: []\nlog:\n") == Config()


def test_a_source_has_the_documented_defaults() -> None:
    assert source_of() == Source(
        id=SourceId("a"),
        url="https://lists.example/a",
        path=None,
        format=Format(),
        every=3600.0,
        action=Action.DROP,
        direction=Direction.IN,
        enabled=True,
        allow_empty=False,
        headers={},
        timeout=60.0,
        max_bytes=50331648,
    )


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h", 3600),
        ("12h", 43200),
        ("1d", 86400),
        ("10s", 10),
        ("1w", 604800),
        ("1h30m", 5400),
        ("1d12h", 129600),
        ("1h30min", 5400),
    ],
)
def test_durations_are_seconds(written: str, seconds: int) -> None:
    assert source_of(f"every: {written}").every == seconds


@pytest.mark.parametrize(
    ("written", "interval"),
    [
        ("hourly", 3600.0),
        ("daily", 86_400.0),
        ("daily 04:00", Daily(4 * 3600)),
        ("daily 04:00 UTC", Daily(4 * 3600)),
        ("daily 23:59", Daily(86_340)),
        ("daily 04:00 +02:00", Daily(2 * 3600)),
        ("daily 01:00+05:30", Daily(19 * 3600 + 1800)),
        ("daily 23:00 -02:00", Daily(3600)),
    ],
)
def test_an_interval_has_a_name_or_a_time_of_day(written: str, interval: float) -> None:
    assert source_of(f"every: {written}").every == interval


def test_a_time_of_day_is_an_interval_of_a_day_and_differs_from_it() -> None:
    assert float(Daily(5)) == 86_400
    assert Daily(5) != 86_400.0
    assert Daily(5) != Daily(6)
    assert 2 * Daily(5) == 172_800
    assert repr(source_of("every: daily 04:00")) != repr(source_of("every: daily"))


@pytest.mark.parametrize(
    ("written", "octets"), [("4096", 4096), ("64MiB", 64 * 2**20), ("10MB", 10**7), ("1GiB", 2**30), ("5 kB", 5000)]
)
def test_sizes_are_octets(written: str, octets: int) -> None:
    assert source_of(f"max_bytes: {written}").max_bytes == octets


@pytest.mark.parametrize(("written", "value"), [("true", True), ("yes", True), ("On", True), ("no", False), ("off", False)])
def test_a_switch_is_typed_by_the_schema(written: str, *, value: bool) -> None:
    assert source_of(f"enabled: {written}").enabled is value


def test_norway_is_a_text_where_a_text_is_meant() -> None:
    source = source_of("id: no", "comment: no", "format: {type: csv, column: no}")
    assert (source.id, source.comment, source.format.columns) == ("no", "no", ("no",))


def test_numbers_and_times_that_yaml_would_convert_stay_as_they_were_written() -> None:
    source = source_of("id: 010", "comment: 12:30:45", "headers: {X-A: 1e3, X-B: 0x10, X-C: 2027-01-01}")
    assert source.id == "010"
    assert source.comment == "12:30:45"
    assert source.headers == {"X-A": "1e3", "X-B": "0x10", "X-C": "2027-01-01"}


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ("plain", Format(FormatType.PLAIN)),
        ("auto", Format()),
        ("csv", Format(FormatType.CSV)),
        ("{type: p2p}", Format(FormatType.P2P)),
        ('{type: csv, column: 2, separator: ";"}', Format(FormatType.CSV, columns=("2",), separator=";")),
        ("{type: plain, defanged: yes, urls: true}", Format(FormatType.PLAIN, defanged=True, urls=True)),
        ("{type: plain, urls: no}", Format(FormatType.PLAIN)),
        ("{type: csv, columns: [1, 02]}", Format(FormatType.CSV, columns=("1", "2"))),
        ("{type: csv, column: [ipv4, ipv6]}", Format(FormatType.CSV, columns=("ipv4", "ipv6"), each=True)),
        ("{type: csv, column: 4, count: 5}", Format(FormatType.CSV, columns=("4",), count="5")),
        ("{type: csv, columns: [1, 2], prefix: 3}", Format(FormatType.CSV, columns=("1", "2"), prefix="3")),
        ("{type: csv, column: net, netmask: mask}", Format(FormatType.CSV, columns=("net",), netmask="mask")),
        ("{type: csv, column: ip, separator: tab}", Format(FormatType.CSV, columns=("ip",), separator="\t")),
        ("{type: csv, columns: 3, separator: whitespace}", Format(FormatType.CSV, columns=("3",), separator="whitespace")),
        ("{type: jsonl, field: cidr}", Format(FormatType.JSONL, field="cidr")),
        ('{type: json, path: "prefixes[].ip_prefix"}', Format(FormatType.JSON, paths=("prefixes[].ip_prefix",))),
        ('{type: json, path: ["a[].b", "[]"]}', Format(FormatType.JSON, paths=("a[].b", "[]"))),
        ('{type: json, path: ["a{}", "b{}.c"]}', Format(FormatType.JSON, paths=("a{}", "b{}.c"))),
        ('{type: json, path: "[].a", end: "[].b"}', Format(FormatType.JSON, paths=("[].a",), ends=("[].b",))),
        (
            '{type: json, path: ["a[].b", "c[].d"], end: [e, f]}',
            Format(FormatType.JSON, paths=("a[].b", "c[].d"), ends=("e", "f")),
        ),
        ("{type: jsonl, field: a.b, length: c}", Format(FormatType.JSONL, field="a.b", lengths=("c",))),
        ("{type: jsonl, field: [v4, v6]}", Format(FormatType.JSONL, paths=("v4", "v6"))),
        ("{type: stix2}", Format(FormatType.STIX2)),
        (
            "{type: pattern, pattern: '<ip>(?P<address>[^<]+)</ip>'}",
            Format(FormatType.PATTERN, pattern="<ip>(?P<address>[^<]+)</ip>"),
        ),
        ('{type: auto, members: "*.txt"}', Format(members="*.txt")),
        ("{type: plain, members: ipv4.txt}", Format(FormatType.PLAIN, members="ipv4.txt")),
        (
            '{type: json, where: {score: ">= 90", type: ADDR, land: [DE, FR], until: future, n: "!=0", a.b: 7, c: "= future"}}',
            Format(
                FormatType.JSON,
                where=(
                    Condition("score", Operator.AT_LEAST, ("90",)),
                    Condition("type", Operator.IS, ("ADDR",)),
                    Condition("land", Operator.IS, ("DE", "FR")),
                    Condition("until", Operator.FUTURE),
                    Condition("n", Operator.IS_NOT, ("0",)),
                    Condition("a.b", Operator.IS, ("7",)),
                    Condition("c", Operator.IS, ("future",)),
                ),
            ),
        ),
    ],
)
def test_a_format_is_a_word_or_a_mapping(written: str, understood: Format) -> None:
    assert source_of(f"format: {written}").format == understood


def test_a_relative_path_is_relative_to_the_configuration_folder() -> None:
    assert source_of("path: lists/a.txt").path == FOLDER / "lists/a.txt"
    assert source_of("path: /srv/a.txt").path == Path("/srv/a.txt")


def test_standard_input_is_no_file_of_the_configuration_folder() -> None:
    config = read('sources:\n- id: a\n  path: "-"')
    assert config.sources[0].path == STDIN
    assert config.watched(config.sources[0]) == ()


def test_defaults_apply_to_sources_that_do_not_say_otherwise() -> None:
    config = read(
        """
defaults: {every: 2h, action: reject, direction: both, timeout: 5m, max_bytes: 1MB}
sources:
  - {id: a, path: a}
  - {id: b, path: b, every: 30s, action: log, direction: out, timeout: 1s, max_bytes: 2MB}
""",
        more="{id: c, path: c}",
    )
    told = [(s.every, s.action, s.direction, s.timeout, s.max_bytes) for s in config.sources]
    defaults = (7200.0, Action.REJECT, Direction.BOTH, 300.0, 10**6)
    assert told == [defaults, (30.0, Action.LOG, Direction.OUT, 1.0, 2 * 10**6), defaults]


def test_the_order_of_sources_is_that_of_the_files() -> None:
    config = read(
        "sources: [{id: z, path: z}, {id: y, path: y}]",
        a="- {id: x, path: x}\n- {id: w, path: w}\n",
        b="{id: v, path: v}",
        c="sources: [{id: u, path: u}]",
        d="# all commented out\n",
        e="sources:\n",
    )
    assert [source.id for source in config.sources] == ["z", "y", "x", "w", "v", "u"]


def test_a_list_of_the_catalogue_is_used_by_its_name() -> None:
    source = source_of("use: known")
    assert (source.id, source.url, source.every) == ("known", "https://lists.example/known", 43200.0)
    assert source.format == Format(FormatType.PLAIN)
    assert (source.home, source.licence, source.comment) == ("h", "l", "c")


def test_any_key_of_a_catalogue_list_may_be_overridden() -> None:
    source = source_of("use: outbound", "id: mine", "every: 90m", "action: count", "direction: out", "format: csv")
    assert (source.id, source.every, source.action, source.direction) == ("mine", 5400.0, Action.COUNT, Direction.OUT)
    assert source.format.type is FormatType.CSV


def test_the_minimum_interval_of_the_catalogue_goes_with_the_publishers_own_server() -> None:
    assert source_of("use: known").minimum == 3600
    assert source_of("use: known", "minimum: 2h").minimum == 7200
    assert source_of("use: known", "url: https://mirror.example/").minimum is None
    assert source_of("use: known", "url: https://mirror.example/", "minimum: 1m").minimum == 60
    assert source_of("use: known", "path: copy.txt").minimum is None


def test_a_copy_of_a_catalogue_list_may_be_asked_for_as_often_as_one_likes() -> None:
    assert source_of("use: known", "url: https://mirror.example/", "every: 10s").every == 10
    copy = source_of("use: known", "path: copy.txt", "every: 10s")
    assert (copy.url, copy.path) == (None, FOLDER / "copy.txt")


def test_what_the_catalogue_says_comes_before_defaults() -> None:
    config = read("defaults: {every: 10s, action: reject, direction: in}\nsources: [use: outbound]")
    (source,) = config.sources
    assert (source.every, source.direction, source.action) == (7200.0, Direction.BOTH, Action.REJECT)


def test_credentials_are_left_for_others_to_resolve() -> None:
    source = source_of(
        'url: "https://u:${credential:pw}@lists.example/?k=${credential:key.1}"', 'headers: {K: "${credential:K}"}'
    )
    assert source.url == "https://u:${credential:pw}@lists.example/?k=${credential:key.1}"
    assert source.headers == {"K": "${credential:K}"}


def test_headers_do_not_stand_in_a_sources_repr() -> None:
    assert "hunter2" not in repr(source_of("headers: {Authorization: hunter2}"))


def test_aliases_are_written_out() -> None:
    config = read("sources:\n - &a {id: a, path: a, format: &f {type: csv, column: 2}}\n - {id: b, path: b, format: *f}\n")
    assert config.sources[0].format == config.sources[1].format


# Allow entries


def ranges(family: Family, *pairs: tuple[str, str]) -> Ranges:
    first, last = ([int(ip_address(pair[end])) for pair in pairs] for end in (0, 1))
    return Ranges(family, from_numbers(family, first), from_numbers(family, last))


def test_what_is_allowed_is_merged_for_each_family() -> None:
    config = read(
        """
allow:
  - 192.0.2.0/25
  - 192.0.2.128 - 192.0.2.255
  - 198.51.100.7
  - {address: 2001:db8::/32, comment: partner}
  - ::1
  - "fe80::"
"""
    )
    allowed = config.allowed(0.0)
    v4 = ranges(Family.IPV4, ("192.0.2.0", "192.0.2.255"), ("198.51.100.7", "198.51.100.7"))
    v6 = ranges(
        Family.IPV6,
        ("::1", "::1"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("fe80::", "fe80::"),
    )
    assert allowed[Family.IPV4] == v4
    assert allowed[Family.IPV6] == v6
    assert config.allow[3].comment == "partner"


def test_nothing_is_allowed_by_an_empty_configuration() -> None:
    assert [len(found) for found in Config().allowed(0.0).values()] == [0, 0]


@pytest.mark.parametrize(
    ("until", "ends"),
    [
        ("2027-01-01", dt.datetime(2027, 1, 2, tzinfo=dt.UTC)),
        ("2027-01-01T18:00:00Z", dt.datetime(2027, 1, 1, 18, tzinfo=dt.UTC)),
        ("2027-01-01 18:00", dt.datetime(2027, 1, 1, 18, tzinfo=dt.UTC)),
        ("2027-01-01T18:00:00+02:00", dt.datetime(2027, 1, 1, 16, tzinfo=dt.UTC)),
    ],
)
def test_an_allow_entry_ends_when_it_says_and_a_day_is_included(until: str, ends: dt.datetime) -> None:
    config = read(f"allow: [{{address: 192.0.2.1, until: '{until}'}}]")
    assert len(config.allowed(ends.timestamp() - 1)[Family.IPV4]) == 1
    assert len(config.allowed(ends.timestamp())[Family.IPV4]) == 0


def test_an_allow_entry_can_be_made_without_a_file() -> None:
    entry = AllowEntry(first=ip_address("2001:db8::1"), last=ip_address("2001:db8::2"))
    assert entry.family is Family.IPV6
    assert entry.in_force(1e12)
