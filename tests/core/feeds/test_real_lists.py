"""Real lists, byte for byte, against what a permissive scanner found in them (INDEX.md beside them).

Where a number is not the scanner's, the reason stands above it.
"""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest
import zstandard

from banlistd.core.config.model import Source
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.formats import Format
from banlistd.model import Family, SourceId
from support.data import DATA, needs_data, real_list
from support.guarding import refuse


class _Facts(NamedTuple):
    """Distinct IPv4 entries, addresses that they cover, ranges when merged; distinct IPv6 entries; rejected lines."""

    entries4: int
    covers: int
    merged: int
    entries6: int
    rejected: int


_LISTS = {
    "accidents/sans_cut_to_30_percent.txt": _Facts(32_609, 32_609, 25_129, 0, 0),
    "accidents/sans_cut_to_four_wrong_addresses.txt": _Facts(3, 3, 3, 0, 0),
    "accidents/spamhaus_drop_could_not_connect.txt": _Facts(0, 0, 0, 0, 1),
    "accidents/spamhaus_drop_error_520.txt": _Facts(0, 0, 0, 0, 1),
    "accidents/spamhaus_drop_status_500.json": _Facts(0, 0, 0, 0, 1),
    "archives/drop.txt.bz2": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "archives/drop.txt.gz": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "archives/drop.txt.xz": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "archives/drop.txt.zst": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "archives/drop_two_gz_members.txt.gz": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "archives/drop_two_members.zip": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "big/union_1m_sorted.txt": _Facts(1_000_000, 1_000_000, 980_571, 0, 0),
    "churn/datashield_001_20260822T1806.txt": _Facts(100_243, 100_243, 86_255, 0, 0),
    "churn/datashield_012_20260821T2006.txt": _Facts(100_074, 100_074, 86_407, 0, 0),
    "churn/datashield_084_20260815T1606.txt": _Facts(92_754, 92_754, 79_758, 0, 0),
    # a line is the two ends of a range: the scanner took both for addresses
    "churn/dshield_000_20260822T2143.txt": _Facts(20, 5_120, 20, 0, 0),
    # a line is the two ends of a range: the scanner took both for addresses
    "churn/dshield_001_20260822T2113.txt": _Facts(20, 5_120, 20, 0, 0),
    # a line is the two ends of a range: the scanner took both for addresses
    "churn/dshield_002_20260822T2045.txt": _Facts(20, 5_120, 20, 0, 0),
    # a line is the two ends of a range: the scanner took both for addresses
    "churn/dshield_005_20260822T1855.txt": _Facts(20, 5_120, 20, 0, 0),
    # a line is the two ends of a range: the scanner took both for addresses
    "churn/dshield_010_20260822T1543.txt": _Facts(20, 5_120, 20, 0, 0),
    "churn/spamhaus_drop_000_20260822T1855.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "churn/spamhaus_drop_001_20260822T1817.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "churn/spamhaus_drop_002_20260822T1743.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "churn/spamhaus_drop_009_20260822T0949.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "churn/spamhaus_drop_024_20260821T1624.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "churn/spamhaus_drop_100_20260817T1517.txt": _Facts(1_687, 14_858_240, 1_433, 0, 0),
    "churn/tor_nodes_EMPTY_20180615T1630.txt": _Facts(0, 0, 0, 0, 0),
    "churn/tor_nodes_full_20180618T1130.txt": _Facts(6_169, 6_169, 5_927, 760, 0),
    "churn/x4b_dc_001_20260821T1023.txt": _Facts(42_608, 377_128_248, 29_081, 0, 0),
    "churn/x4b_dc_007_20260816T1007.txt": _Facts(42_510, 377_108_792, 29_033, 0, 0),
    "encodings/alienvault_reputation.txt": _Facts(3, 3, 3, 0, 0),
    "encodings/bruteforceblocker.txt": _Facts(1, 1, 1, 0, 0),
    "encodings/drop_bom.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "encodings/drop_bom_first_is_net.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "encodings/drop_cr_only.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "encodings/drop_crlf.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "encodings/drop_utf16le.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    # a level above 127 allows its range; a range of IPv6 is one entry, not its two ends
    "encodings/emule_zero_padded.dat": _Facts(4, 33_554_689, 4, 1, 1),
    # a web page holds no entry, only the client's own address
    "encodings/html_error_page.txt": _Facts(0, 0, 0, 0, 3),
    # a number sign in a name begins no comment
    "encodings/latin1_p2p.p2p": _Facts(4, 16_777_728, 3, 1, 0),
    "encodings/no_final_newline.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    # an address in prose is no entry
    "encodings/rate_limited.txt": _Facts(0, 0, 0, 0, 1),
    "encodings/spamd_black.txt": _Facts(2, 2, 2, 0, 0),
    "encodings/tor_exit_addresses.txt": _Facts(3, 3, 2, 0, 0),
    "feeds/aws_ip_ranges.json": _Facts(6_850, 94_988_347, 830, 2_216, 0),
    "feeds/bambenek_c2_ipmasterlist.csv": _Facts(1, 1, 1, 0, 0),
    "feeds/bitwire_inbound_ipv6_20260129.txt": _Facts(0, 0, 0, 1_117, 0),
    "feeds/bitwire_inbound_networks_20260129.txt": _Facts(213_288, 20_036_778, 159_500, 0, 0),
    "feeds/bitwire_outbound_20260129.txt": _Facts(167_487, 182_454, 162_735, 450, 0),
    "feeds/blocklist_de_all.txt": _Facts(108_921, 108_921, 92_806, 0, 0),
    "feeds/bogon_mixed_v4v6.txt": _Facts(7, 51_642_368, 7, 19, 0),
    "feeds/cins_130k.txt": _Facts(131_072, 131_072, 111_772, 0, 0),
    "feeds/country_us_ipv4.cidr": _Facts(27_769, 1_612_966_496, 13_659, 0, 0),
    "feeds/country_us_ipv6.cidr": _Facts(0, 0, 0, 10_009, 0),
    "feeds/datashield_critical_20260822.txt": _Facts(100_243, 100_243, 86_225, 0, 0),
    "feeds/digitalocean_geofeed.csv": _Facts(1_037, 3_012_352, 96, 145, 0),
    "feeds/dns_servers_mixed_v4v6.txt": _Facts(5_906, 5_906, 5_720, 136, 0),
    "feeds/domains_only_predict.txt": _Facts(0, 0, 0, 0, 122),
    "feeds/dshield_asdetails_zero_padded.txt": _Facts(2, 2, 2, 0, 0),
    # a line is the two ends of a range: the scanner took both for addresses
    "feeds/dshield_block_2015.txt": _Facts(2, 512, 2, 0, 0),
    # a line is the two ends of a range: the scanner took both for addresses
    "feeds/dshield_block_20260822.txt": _Facts(20, 5_120, 20, 0, 0),
    "feeds/emergingthreats.txt": _Facts(1_208, 1_208, 1_202, 0, 0),
    "feeds/feodo_ipblocklist_20240404.csv": _Facts(28, 28, 26, 0, 0),
    "feeds/fh16_alienvault_reputation.ipset": _Facts(30_684, 30_684, 29_406, 0, 0),
    "feeds/fh16_bitcoin_nodes_30d.ipset": _Facts(19_606, 19_676, 19_542, 0, 0),
    "feeds/fh16_blocklist_de.ipset": _Facts(29_118, 29_118, 18_891, 0, 0),
    "feeds/fh16_ciarmy.ipset": _Facts(7_170, 7_170, 6_956, 0, 0),
    "feeds/fh16_cleantalk_30d.ipset": _Facts(77_675, 77_675, 75_628, 0, 0),
    "feeds/fh16_dshield.netset": _Facts(19, 5_120, 19, 0, 0),
    "feeds/fh16_et_block.netset": _Facts(1_662, 25_202_268, 1_615, 0, 0),
    "feeds/fh16_et_compromised.ipset": _Facts(1_368, 1_368, 1_314, 0, 0),
    "feeds/fh16_feodo.ipset": _Facts(714, 714, 708, 0, 0),
    "feeds/fh16_firehol_level1.netset": _Facts(17_257, 661_971_898, 16_235, 0, 0),
    "feeds/fh16_firehol_level4.netset": _Facts(77_704, 9_573_522, 75_468, 0, 0),
    "feeds/fh16_geolite2_country_country_us.netset": _Facts(48_543, 1_599_429_861, 17_433, 0, 0),
    "feeds/fh16_greensnow.ipset": _Facts(1_341, 1_341, 1_313, 0, 0),
    "feeds/fh16_iblocklist_pedophiles.netset": _Facts(27_723, 867_825, 24_639, 0, 0),
    "feeds/fh16_ipdeny_country_id_country_us.netset": _Facts(16_201, 1_612_955_392, 6_240, 0, 0),
    "feeds/fh16_myip.ipset": _Facts(2_629, 2_629, 2_310, 0, 0),
    "feeds/fh16_nixspam.ipset": _Facts(36_049, 36_049, 35_026, 0, 0),
    "feeds/fh16_openbl_all.ipset": _Facts(132_202, 132_202, 126_844, 0, 0),
    "feeds/fh16_sblam.ipset": _Facts(9_075, 9_075, 7_711, 0, 0),
    "feeds/fh16_spamhaus_drop.netset": _Facts(788, 25_196_288, 743, 0, 0),
    "feeds/fh16_stopforumspam_90d.ipset": _Facts(149_326, 149_326, 135_616, 0, 0),
    "feeds/fh16_tor_exits.ipset": _Facts(1_053, 1_053, 970, 0, 0),
    "feeds/fh16_voipbl.netset": _Facts(20_648, 21_859, 19_650, 0, 0),
    "feeds/fullbogons_ipv4_20240310.txt": _Facts(703, 596_184_064, 616, 0, 0),
    "feeds/fullbogons_ipv6_20240310.txt": _Facts(0, 0, 0, 143_544, 0),
    "feeds/gcp_cloud.json": _Facts(736, 14_937_472, 132, 46, 0),
    "feeds/generic_leading_blanks.txt": _Facts(50, 50, 50, 0, 0),
    "feeds/greensnow.txt": _Facts(17_054, 17_054, 14_991, 0, 0),
    # names are sent to 0.0.0.0, which is nobody's address
    "feeds/hosts_adaway.txt": _Facts(0, 0, 0, 0, 7_648),
    "feeds/ipranges_microsoft_ipv6.txt": _Facts(0, 0, 0, 18_510, 0),
    "feeds/ipsum.txt": _Facts(120_430, 120_430, 91_172, 0, 0),
    "feeds/ipsum_level3.txt": _Facts(14_217, 14_217, 10_610, 0, 0),
    "feeds/ipsum_level8.txt": _Facts(23, 23, 23, 0, 0),
    "feeds/isc_sans_mangled.txt": _Facts(130_573, 130_573, 101_765, 0, 499),
    "feeds/maravento_aipextra.txt": _Facts(5_789, 74_159_197, 1_081, 0, 0),
    "feeds/p2p_china_misnamed.p2p.gz": _Facts(4_296, 339_899_480, 4_296, 0, 0),
    "feeds/pallebone_crlf_2024.txt": _Facts(129_102, 129_102, 120_668, 0, 0),
    "feeds/ririp_cn_ipv4.txt": _Facts(5_501, 342_953_984, 4_124, 0, 0),
    "feeds/sefinek_main_20260822.txt": _Facts(213_900, 213_900, 196_439, 5_327, 0),
    "feeds/snort_talos.txt": _Facts(1_528, 1_528, 1_386, 0, 0),
    "feeds/spamhaus_asndrop_2024.jsonl": _Facts(0, 0, 0, 0, 201),
    # the first column alone: the other one holds the sinkholes that were called
    "feeds/spamhaus_cert_2015.csv": _Facts(11, 11, 10, 0, 0),
    "feeds/spamhaus_drop_20240310.txt": _Facts(989, 15_365_120, 877, 0, 0),
    "feeds/spamhaus_drop_20260822.txt": _Facts(1_698, 14_863_616, 1_442, 0, 0),
    "feeds/spamhaus_drop_v4_20260724.jsonl": _Facts(1_669, 14_904_576, 1_415, 0, 0),
    "feeds/spamhaus_dropv6_2024.txt": _Facts(0, 0, 0, 51, 0),
    "feeds/spamhaus_edrop_20240310.txt": _Facts(321, 644_352, 289, 0, 0),
    "feeds/sslbl_2015.csv": _Facts(83, 83, 83, 0, 0),
    "feeds/sslbl_2020_crlf.csv": _Facts(109, 109, 108, 0, 0),
    "feeds/tor_bulk_exit_2022.txt": _Facts(1_396, 1_396, 857, 0, 0),
    "feeds/tor_nodes_20240227.lst": _Facts(5_631, 5_631, 5_140, 2_423, 0),
    "feeds/urls_only_atomspam.txt": _Facts(0, 0, 0, 0, 2_792),
    "feeds/x4b_datacenter_ipv4.txt": _Facts(42_566, 377_185_848, 29_070, 0, 0),
    "feeds/x4b_datacenter_ipv6.txt": _Facts(0, 0, 0, 8_752, 0),
    "feeds/x4b_vpn_ipv4.txt": _Facts(10_862, 3_144_482, 6_565, 0, 0),
    "peers/iprange_invalid.txt": _Facts(2, 2, 2, 0, 1),
    # the netmask form is a network: the scanner took its address alone
    "peers/iprange_mixed_formats.txt": _Facts(5, 524, 5, 0, 0),
    # addresses in prose are no entries
    "peers/trick77_ipv4_mixed.txt": _Facts(0, 0, 0, 0, 5),
    "peers/trick77_ipv4_private.txt": _Facts(16, 16, 16, 0, 0),
    # addresses in prose are no entries
    "peers/trick77_ipv6_mixed.txt": _Facts(0, 0, 0, 0, 4),
    # the scanner did not see `::`
    "peers/trick77_ipv6_private.txt": _Facts(0, 0, 0, 11, 0),
    "peers/trick77_leading_zeros.txt": _Facts(4, 4, 4, 0, 0),
    # two of its lines are prose
    "peers/trick77_sample.txt": _Facts(8, 262, 7, 6, 2),
}

_FOLDERS = ("accidents", "archives", "churn", "encodings", "feeds", "peers")
_NO_LISTS = {"archives/bomb_200MB_of_spaces.gz", "archives/drop_truncated.txt.gz"}  # for the download to refuse


@needs_data
@pytest.mark.parametrize(("name", "facts"), _LISTS.items(), ids=_LISTS)
def test_a_real_list_is_read_as_known(name: str, facts: _Facts) -> None:
    parsed = parse(_body(name))
    held = parsed.addresses.ranges(Family.IPV4)
    assert _Facts(parsed.entries4, held.count(), len(held), parsed.entries6, parsed.rejected) == facts


@needs_data
def test_every_real_list_is_in_the_table() -> None:
    files = {f"{folder}/{path.name}" for folder in _FOLDERS for path in (DATA / folder).iterdir() if path.is_file()}
    assert files - _NO_LISTS <= set(_LISTS)


@needs_data
def test_only_the_web_page_looks_like_one() -> None:
    pages = [name for name in _LISTS if not name.startswith("big/") and parse(_body(name)).looks_like]
    assert pages == ["encodings/html_error_page.txt"]


@needs_data
def test_a_dshield_block_is_banned_whole_and_not_at_its_ends() -> None:
    addresses = parse(_body("feeds/dshield_block_20260822.txt")).addresses
    assert addresses.contains(Family.IPV4, 0x10050080)  # 16.5.0.128, in 16.5.0.0 to 16.5.0.255
    assert not len(addresses.hosts4)


def _unzipped(archive: bytes) -> bytes:
    """The largest member: the other one is a readme."""
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        return members.read(max(members.infolist(), key=lambda member: member.file_size))


_OPENERS: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zip": _unzipped,
    ".zst": lambda frame: zstandard.ZstdDecompressor().decompressobj().decompress(frame),
}


def _body(name: str) -> bytes:
    path = real_list(name)
    body = path.read_bytes()
    return _OPENERS[path.suffix](body) if name.startswith("archives/") else body


_STRICT = Source(id=SourceId("feed"), url="https://lists.example/")

# Real lists that are not fit for blocking as they are, each with the guard that says so.
_UNFIT = {
    "encodings/html_error_page.txt": "html",
    "encodings/rate_limited.txt": "unparseable",
    "feeds/country_us_ipv4.cidr": "wide",  # a country: 38 % of IPv4
    "feeds/country_us_ipv6.cidr": "wide",  # a country: more than a /16 in one stretch
    "feeds/domains_only_predict.txt": "unparseable",
    "feeds/fh16_geolite2_country_country_us.netset": "wide",
    "feeds/fh16_ipdeny_country_id_country_us.netset": "wide",
    "feeds/fullbogons_ipv6_20240310.txt": "wide",  # nearly all of IPv6, a /1 among it
    "feeds/hosts_adaway.txt": "unparseable",  # names, no addresses
    "feeds/spamhaus_asndrop_2024.jsonl": "unparseable",  # autonomous systems, no addresses
    "feeds/urls_only_atomspam.txt": "unparseable",
    "peers/trick77_ipv4_mixed.txt": "unparseable",  # prose
    "peers/trick77_ipv6_mixed.txt": "unparseable",
}


@needs_data
@pytest.mark.parametrize("folder", ["feeds", "encodings", "peers", "churn", "big"])
def test_real_lists_pass_except_those_unfit_for_blocking(folder: str) -> None:
    for path in sorted((DATA / folder).iterdir()):
        name = f"{folder}/{path.name}"
        if path.suffix in (".zst", ".gz") and "p2p" not in path.name:
            continue
        body = path.read_bytes()
        refusal = refuse(_STRICT, parsed_list(body, Format()))
        expected = "empty" if "EMPTY" in name else _UNFIT.get(name, "")
        assert (refusal.guard if refusal else "") == expected, (name, refusal)


@needs_data
@pytest.mark.parametrize("name", ["feodo_ipblocklist_20240404.csv", "spamhaus_drop_v4_20260724.jsonl", "fh16_dshield.netset"])
def test_real_list_with_a_count_and_missing_lines_is_refused(name: str) -> None:
    body = real_list(f"feeds/{name}").read_bytes()
    lines = body.splitlines(keepends=True)
    at = next(index for index, line in enumerate(lines) if not line.startswith((b"#", b'"first'))) + 1
    cut = b"".join([*lines[:at], *lines[at + 5 :]])
    refusal = refuse(_STRICT, parsed_list(cut, Format()))
    assert refusal
    assert refusal.guard == "truncated"
