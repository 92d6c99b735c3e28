"""The programs that exported files are for read them, in a network namespace of their own."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from banlistd.core.addresses.exporting.files import export_of, piece, pieces
from banlistd.core.addresses.exporting.formats import ExportFormat
from banlistd.core.feeds.parsers import parse

BODY = b"192.0.2.1\n198.51.100.4-198.51.100.6\n203.0.113.0/24\n2001:db8::/32\n2001:db9::7\n"


def file_of(form: ExportFormat, folder: Path) -> Path:
    export = export_of([], [parse(BODY).addresses])
    path = folder / f"export.{form}"
    path.write_text("".join(piece(export, form, number) for number in range(pieces(export))), encoding="utf-8")
    return path


def alone(script: str, file: Path) -> str:
    """What a shell script prints that has a file as $1."""
    done = subprocess.run(
        ["unshare", "--net", "sh", "-ec", script, "sh", str(file)], check=False, capture_output=True, text=True, timeout=60
    )
    if "unshare failed" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip(f"no network namespace: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def tool(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")


def test_nft_reads_the_export_twice(tmp_path: Path) -> None:
    tool("nft")
    out = alone("nft -c -f $1; nft -f $1; nft -f $1; nft -j list ruleset", file_of(ExportFormat.NFT, tmp_path))
    sets = {item["set"]["name"]: item["set"]["elem"] for item in json.loads(out)["nftables"] if "set" in item}
    network = {"prefix": {"addr": "203.0.113.0", "len": 24}}
    assert sets["blocked4"] == ["192.0.2.1", {"range": ["198.51.100.4", "198.51.100.6"]}, network]
    assert sets["blocked6"] == [{"prefix": {"addr": "2001:db8::", "len": 32}}, "2001:db9::7"]


def test_ipset_restores_the_export_twice(tmp_path: Path) -> None:
    tool("ipset")
    out = alone("ipset restore < $1; ipset restore < $1; ipset save", file_of(ExportFormat.IPSET, tmp_path))
    entries = {line.split()[-1] for line in out.splitlines() if line.startswith("add")}
    singles = {"192.0.2.1", "198.51.100.4/31", "198.51.100.6", "2001:db9::7"}
    assert entries == {*singles, "203.0.113.0/24", "2001:db8::/32"}


def test_unbound_takes_the_export_as_a_response_policy_zone(tmp_path: Path) -> None:
    tool("unbound-checkconf")
    zone = file_of(ExportFormat.UNBOUND_RPZ, tmp_path)
    config = tmp_path / "unbound.conf"
    config.write_text(
        f'server:\n  module-config: "respip iterator"\n  chroot: ""\nrpz:\n  name: banned.rpz\n  zonefile: "{zone}"\n',
        encoding="utf-8",
    )
    done = subprocess.run(["unbound-checkconf", str(config)], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
