"""The benchmark works: it counts, judges and draws what was measured, and runs on tiny lists. No test times anything."""

import json
import os
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from bench import flood
from bench.bpf import array, run_live
from bench.cases import CASES
from bench.heartbeats import common
from bench.inputs import Inputs, random_hosts
from bench.listeners import listening
from bench.parsing import read_and_merge
from bench.plot import PANELS, plot, quantity
from bench.rows import Row, at_least_times, at_most, at_most_times, beside, judge
from bench.table import figure, summary, table
from support.network_namespace import NetworkNamespace, in_network_namespace, skip_without_large_buffers

MAC = "020000000001"
TESTS = Path(__file__).resolve().parents[1]
LIMIT = Row("1m/limit", "the kernel alone", "ms", [700.0, 500.0, 600.0])


def test_a_ratio_is_that_of_the_medians_and_beside_it_that_of_the_best() -> None:
    ours = Row("1m/banlistd", "all of it", "ms", [900.0, 800.0, 750.0], target=at_most_times(1.4, "1m/limit"))
    _, judged = judge([LIMIT, ours])
    assert judged.ratio == 800 / 600
    assert judged.best_ratio == 750 / 500
    assert judged.met is True
    assert judged.target == "at most 1.4 x 1m/limit"


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("a/b", "", "ms", [80.0], target=at_most(80)), True),
        (Row("a/b", "", "ms", [80.5], target=at_most(80)), False),
        (Row("a/b", "", "elements", [0.0], target=at_most(0)), True),
        (Row("a/b", "", "elements", [1.0], target=at_most(0)), False),
        (Row("a/b", "", "ms", [6001.0], target=at_least_times(10, "1m/limit")), True),
        (Row("a/b", "", "ms", [5999.0], target=at_least_times(10, "1m/limit")), False),
        (Row("a/b", "", "ms", [1280.0], target=at_most_times(1.3, "1m/limit", plus=500)), True),
        (Row("a/b", "", "ms", [1281.0], target=at_most_times(1.3, "1m/limit", plus=500)), False),
        (Row("a/b", "", "ms", [1.0], target=at_most_times(1, "nobody/measured-it")), None),
        (Row("a/b", "", "ms", [1.0]), None),
    ],
)
def test_a_target_is_met_or_missed_or_not_judged(row: Row, met: bool | None) -> None:
    assert judge([LIMIT, row])[1].met is met


def test_peer_without_a_target_is_shown_as_a_multiple() -> None:
    judged = judge([LIMIT, Row("1m/nft", "", "ms", [1800.0, 3000.0, 1500.0], target=beside("1m/limit"))])[1]
    assert (judged.ratio, judged.best_ratio, judged.met, judged.target) == (3.0, 3.0, None, "beside 1m/limit")


def test_lists_that_are_too_small_are_not_judged() -> None:
    (judged,) = judge([Row("a/b", "", "ms", [1.0], target=at_most(80))], comparable=False)
    assert (judged.met, judged.ratio) == (None, 1 / 80)


def test_of_a_rate_the_most_is_the_best() -> None:
    assert Row("packets/none", "", "kpps", [300.0, 310.0]).best == 310
    assert Row("1m/limit", "", "ms", [300.0, 310.0]).best == 300


def test_a_missed_target_is_never_hidden() -> None:
    missed = Row(
        "1m/banlistd", "all of it", "ms", [900.0], 2**27, at_most_times(1.4, "1m/limit"), dropped=2, wait_for_external_change=1
    )
    judged = judge([LIMIT, missed])
    text = table(judged, "a million")
    assert "MISSED" in text
    assert "1.50" in text
    assert "128 MB" in text
    assert "1 (2 dropped, 1 disturbed)" in text
    assert "banlistd: all of it" in text
    assert summary(judged) == "0 of 1 targets are met; missed: 1m/banlistd"
    assert judged[1].as_record()["met"] == "no"


def test_table_columns_are_aligned() -> None:
    lines = table(judge([LIMIT, Row("1m/b", "", "ms", [12345.0])]), "a million").splitlines()[1:4]
    ends = {line.index("ms") for line in lines[1:]}
    assert len(ends) == 1


@pytest.mark.parametrize(("value", "text"), [(0.0123456, "0.0123"), (1.5, "1.5"), (99.94, "99.9"), (12345.6, "12,346")])
def test_a_figure_has_the_digits_that_count(value: float, text: str) -> None:
    assert figure(value) == text


def test_machine_pause_is_what_every_core_missed() -> None:
    assert common([[(1.0, 2.0), (5.0, 9.0)], [(1.5, 6.0), (8.0, 8.5)]], since=0.0) == 0.5 + 1.0 + 0.5
    assert common([[(1.0, 2.0)], []], since=0.0) == 0
    assert common([[(1.0, 3.0)], [(1.0, 3.0)]], since=2.0) == 1


NETLINK = """\
sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
0000000000000000 12  4711       00000040 0        0        0     2        0        1
0000000000000000 12  4712       00000000 0        0        0     2        0        2
0000000000000000 12  4713       000000ff 0        0        0     2        0        3
0000000000000000 0   4714       00000040 0        0        0     2        0        4
"""


def test_listeners_to_nf_tables_are_recognised() -> None:
    assert list(listening(NETLINK)) == [1, 3]


def test_drawing_has_the_measurements_and_is_well_formed() -> None:
    rows = [Row(name, "", "ms", [100.0 * number]) for number, name in enumerate(PANELS[0].bars)]
    drawing = ET.fromstring(plot(rows))  # noqa: S314 - our own
    words = [element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert set(PANELS[0].bars.values()) < set(words)
    assert PANELS[1].title not in words
    widths = [float(element.attrib["width"]) for element in drawing.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths == sorted(widths)
    assert len(widths) == len(rows)


def test_what_is_drawn_is_what_is_measured() -> None:
    assert {name.partition("/")[0] for panel in PANELS for name in panel.bars} <= CASES.keys()
    assert quantity(5342.0, "ms") == "5.3 s"
    assert quantity(313.2, "kpps") == "313,000/s"


def test_made_lists_are_the_same_each_time_and_have_their_shape(tmp_path: Path) -> None:
    first, second = (Inputs(folder, quick=True) for folder in (tmp_path / "a", tmp_path / "b"))
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    assert first.million().lines() == second.million().lines()
    assert len(set(first.million().lines())) == first.million().entries == 10_000
    assert len(set(first.three_million().lines())) == first.three_million().entries
    assert len(set(first.networks().lines())) == first.networks().entries
    assert len(set(first.bogons6().lines())) == first.bogons6().entries
    week, day, present = (set(version.lines()) for version in first.versions())
    assert 0 < len(day ^ present) < len(week ^ present) < len(present)
    assert not set(first.others(None).lines()) & (week | day | present)


def test_parts_of_a_list_are_the_list(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path, quick=True)
    parts = inputs.parts(inputs.million(), 7)
    lines = [line for part in parts for line in part.read_text().split()]
    assert sorted(lines) == sorted(inputs.million().lines())


def test_reading_and_merging_counts_each_address_once(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("192.0.2.1\n192.0.2.2\n192.0.2.1\n")
    (tmp_path / "nets").write_text("192.0.2.0/30 # why\n198.51.100.0-198.51.100.9\n")
    assert read_and_merge([tmp_path / "hosts", tmp_path / "nets"]).count() == 4 + 10


def test_a_frame_of_the_flood_is_a_whole_packet_with_a_right_checksum() -> None:
    sources = random_hosts(50)
    made = flood.frames(bytes(6), "10.9.0.1", 9, sources)
    assert made.shape == (50, 60)
    for frame, source in zip(made, sources.tolist(), strict=True):
        words = [int.from_bytes(frame[at : at + 2].tobytes(), "big") for at in range(14, 34, 2)]
        total = sum(words)
        assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
        assert int.from_bytes(frame[26:30].tobytes(), "big") == source


@in_network_namespace
def test_the_flood_brings_each_frame_in_its_turn() -> None:
    made = flood.frames(bytes.fromhex(MAC), "10.9.0.1", 9, random_hosts(5))
    subprocess.run(["ip", "link", "add", "in", "type", "veth", "peer", "name", "out"], check=True)
    for end in ("in", "out"):
        subprocess.run(["ip", "link", "set", end, "up"], check=True)
    _skip_without_bpf()
    program = flood.turning(made)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(0x0800)) as receiver:
        run_live(program, bytes(60), "in", 3)
        run_live(program, made[0].tobytes(), "in", 4)
        found = [receiver.recv(100) for _ in range(4)]
    assert found == [made[number].tobytes() for number in (3, 4, 0, 1)]


def test_quick_run_measures_prints_and_draws(tmp_path: Path) -> None:
    """Of the cases those that need no other program than nft."""
    if os.geteuid():
        pytest.skip("the benchmark needs root")
    _skip_without_bpf()
    skip_without_large_buffers()
    with NetworkNamespace():
        pass  # there are namespaces here
    words = [sys.executable, "-m", "bench", "--quick", "--only", "bogons6", "--only", "packets", "--output", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads((tmp_path / "bench.json").read_text())["rows"]}
    assert {f"bogons6/{who}" for who in ("banlistd", "limit", "nft-interval")} <= rows.keys()
    assert {f"packets/{who}" for who in ("no-rules", "banlistd-1", "banlistd-100", "interval-20")} <= rows.keys()
    for row in rows.values():
        assert row["samples"]
        assert row["median"] > 0
        assert row["met"] is None
    assert rows["bogons6/banlistd"]["peak_rss_mb"] > 10
    assert "banlistd-100" in done.stdout
    assert "</svg>" in (tmp_path / "bench.svg").read_text()


def _skip_without_bpf() -> None:
    try:
        os.close(array(np.zeros((1, 4), dtype=np.uint8)))
    except PermissionError:
        pytest.skip("bpf(2) needs root outside of any user namespace")
