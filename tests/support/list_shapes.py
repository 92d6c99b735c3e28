"""How real lists begin: their comments, heads and columns, in our words and with addresses for documentation."""

from collections.abc import Mapping
from typing import NamedTuple


class Shape(NamedTuple):
    """`reads`: every range that is in the body. `rejected`: lines that are no entry, such as a head that is no comment."""

    body: str
    reads: tuple[str, ...]
    rejected: int = 0


_THREE = ("192.0.2.7", "198.51.100.23", "203.0.113.5")

BARE = Shape("192.0.2.7\n198.51.100.23\n203.0.113.5\n", _THREE)
BARE_BOTH = Shape("192.0.2.7\n198.51.100.23\n2001:db8::5\n", ("192.0.2.7", "198.51.100.23", "2001:db8::5"))
WITH_HEAD = Shape("# a list\n#\n# made 2026-01-01 10:00 UTC\n\n192.0.2.7\n198.51.100.23\n203.0.113.5\n", _THREE)
NETWORKS = Shape("192.0.2.0/25\n198.51.100.23\n203.0.113.0/24\n", ("192.0.2.0/25", "198.51.100.23", "203.0.113.0/24"))
NETWORKS_BOTH = Shape("192.0.2.0/25\n2001:db8::/48\n", ("192.0.2.0/25", "2001:db8::/48"))
NETWORKS_V6 = Shape("2001:db8::/48\n2001:db8:7::/64\n", ("2001:db8::/48", "2001:db8:7::/64"))
NETSET = Shape(
    "#\n# a_level\n#\n# ipv4 hash:net ipset\n# Entries : 2 subnets, 129 unique IPs\n#\n192.0.2.0/25\n198.51.100.23\n",
    ("192.0.2.0/25", "198.51.100.23"),
)
DROP = Shape(
    '{"cidr":"192.0.2.0/25","sblid":"SBL1","rir":"ripencc"}\n{"cidr":"203.0.113.0/24","sblid":"SBL2","rir":"arin"}\n'
    '{"type":"metadata","timestamp":1790000000,"size":180,"records":2,"copyright":"(c) a project","terms":"https://a.example/"}\n',
    ("192.0.2.0/25", "203.0.113.0/24"),
    rejected=1,
)
DROP_V6 = Shape(
    '{"cidr":"2001:db8::/48","sblid":"SBL1","rir":"ripencc"}\n{"type":"metadata","timestamp":1790000000,"records":1}\n',
    ("2001:db8::/48",),
    rejected=1,
)
DSHIELD = Shape(
    "#\n#   a block list\n#\nStart\tEnd\tNetmask\tAttacks\tName\tCountry\temail\n"
    "198.51.100.0\t198.51.100.255\t24\t2010\tEXAMPLE\tZZ\tabuse@a.example\n203.0.113.0\t203.0.113.255\t24\t900\t\t\t\n",
    ("198.51.100.0/24", "203.0.113.0/24"),
    rejected=1,
)
FIREWALL_RULES = Shape(
    "# rules for a firewall\n\n# a list of servers\n192.0.2.7\n\n# networks\n198.51.100.0/25\n",
    ("192.0.2.7", "198.51.100.0/25"),
)
BRUTE_FORCE_BLOCKER = Shape(
    "# IP\t\t\tLast Reported\t\tCount\tID\n192.0.2.7\t\t# 2026-01-01 10:00:00\t\t4\t1234\n"
    "198.51.100.23\t\t# 2026-01-01 09:00:00\t\t11\t7\n",
    ("192.0.2.7", "198.51.100.23"),
)
DATAPLANE = Shape(
    "# a report; entries are sorted by ASN\n#\n# ASN  |  ASname  |  ipaddr  |  lastseen  |  category\n#\n"
    "64496           |  EXAMPLE, ZZ                     |  192.0.2.7        |  2026-01-01 10:00:00  |  a signal\n"
    "NA              |  NA                              |  198.51.100.23    |  2026-01-01 09:00:00  |  a signal\n",
    ("192.0.2.7", "198.51.100.23"),
)
TURRIS = Shape(
    '# a list, and its terms\nAddress,Tags\n192.0.2.7,"ssh,telnet"\n2001:db8::7,http\n',
    ("192.0.2.7", "2001:db8::7"),
    rejected=1,
)
SCORES = Shape("ip,score\n192.0.2.7,0.731\n198.51.100.23,0.002\n", ("192.0.2.7", "198.51.100.23"), rejected=1)
C2_INTEL = Shape("#ip,ioc\n192.0.2.7,Possible A C2 IP\n198.51.100.23,Possible B C2 IP\n", ("192.0.2.7", "198.51.100.23"))
MY_IP = Shape(
    "##########\n# a blacklist\n##########\n192.0.2.7\t\t\t# 2026-01-01, host.example, ZZZ, 12\n"
    "2001:db8::7\t\t\t# 2026-01-01, -, ZZZ, 3\n",
    ("192.0.2.7", "2001:db8::7"),
)
NET_UA = Shape(
    "192.0.2.7;2026-01-01 10:00:00;2026-01-02 10:00:00;a reason\n"
    "198.51.100.23;2026-01-01 09:00:00;2026-01-03 10:00:00;another\n",
    ("192.0.2.7", "198.51.100.23"),
)
MALTRAIL = Shape(
    "# Copyright (c)\n# a licence\n\n# how to use it\n\n192.0.2.7 # scanner.example\n198.51.100.23 # 198.51.100.23\n",
    ("192.0.2.7", "198.51.100.23"),
)
MALTRAIL_NETWORKS = Shape("# Copyright (c)\n\n192.0.2.0/24 # scanner.example\n", ("192.0.2.0/24",))
ABUSE_CH = Shape(
    "################\r\n# a block list #\r\n################\r\n#\r\n# DstIP\r\n"
    "192.0.2.7\r\n198.51.100.23\r\n# END 2 entries\r\n",
    ("192.0.2.7", "198.51.100.23"),
)
ABUSEIPDB_COPY = Shape(
    "#\n# Aggregated list\n#\n192.0.2.7       # ZZ  AS64496  Example\n198.51.100.23   # ZZ  AS64497  Another\n",
    ("192.0.2.7", "198.51.100.23"),
)
BOGONS = Shape(
    "# last updated 1790000000 (Mon Jan  5 10:00:00 2026 GMT)\n192.0.2.0/24\n198.51.100.0/24\n",
    ("192.0.2.0/24", "198.51.100.0/24"),
)
BOGONS_V6 = Shape("# last updated 1790000000 (Mon Jan  5 10:00:00 2026 GMT)\n2001:db8::/32\n", ("2001:db8::/32",))
FASTLY = Shape(
    '{"addresses":["192.0.2.0/24","198.51.100.0/25"],"ipv6_addresses":["2001:db8::/32"]}',
    ("192.0.2.0/24", "198.51.100.0/25", "2001:db8::/32"),
)
AWS = Shape(
    '{"syncToken": "1", "createDate": "2026-01-01-00-00-00",'
    ' "prefixes": [{"ip_prefix": "192.0.2.0/24", "region": "a", "service": "B"}],'
    ' "ipv6_prefixes": [{"ipv6_prefix": "2001:db8::/32", "region": "a", "service": "B"}]}',
    ("192.0.2.0/24", "2001:db8::/32"),
)
CLOUDFLARE = Shape(
    '{"result": {"ipv4_cidrs": ["192.0.2.0/24"], "ipv6_cidrs": ["2001:db8::/32"], "etag": "a"}, "success": true, "errors": []}',
    ("192.0.2.0/24", "2001:db8::/32"),
)
GOOGLE = Shape(
    '{"syncToken": "1", "creationTime": "2026-01-01T00:00:00", "prefixes": [{"ipv6Prefix": "2001:db8::/48"},'
    ' {"ipv4Prefix": "192.0.2.0/27", "service": "a", "scope": "b"}]}',
    ("192.0.2.0/27", "2001:db8::/48"),
)
GEOFEED = Shape("192.0.2.0/24,ZZ,ZZ-1,A City,1000\n2001:db8::/48,ZZ,ZZ-1,A City,1000\n", ("192.0.2.0/24", "2001:db8::/48"))
GITHUB = Shape(
    '{"verifiable_password_authentication": false, "ssh_keys": ["a"], "hooks": ["192.0.2.0/25"], "web": ["198.51.100.0/25"],'
    ' "api": [], "git": [], "packages": [], "pages": ["2001:db8::/48"],'
    ' "actions": ["203.0.113.0/24"], "domains": {"website": ["*.a.example"]}}',
    ("192.0.2.0/25", "198.51.100.0/25", "2001:db8::/48"),
)
STRIPE = Shape('{"WEBHOOKS": ["192.0.2.7", "198.51.100.23"]}', ("192.0.2.7", "198.51.100.23"))
CRLF_BOTH = Shape("192.0.2.7\r\n2001:db8::5\r\n", ("192.0.2.7", "2001:db8::5"))

_BY_SHAPE: tuple[tuple[Shape, str], ...] = (
    (
        BARE,
        """
        cins-army greensnow emerging-compromised data-shield data-shield-critical shadowwhisperer-threats
        shadowwhisperer-scanners shadowwhisperer-tunnels rutgers-attackers threatview nginx-bad-bots tor-exits ipsum
        ipsum-1 ipsum-2 ipsum-4 ipsum-5 ipsum-6 ipsum-7 ipsum-8 abuseipdb romainmarcoux romainmarcoux-outgoing
        threatfox-ips hagezi-tif stopforumspam-1d stopforumspam-7d stopforumspam-30d stopforumspam-90d better-uptime
        bunny-net
        """,
    ),
    (
        BARE_BOTH,
        """
        blocklist-de blocklist-de-ssh blocklist-de-mail blocklist-de-apache blocklist-de-imap blocklist-de-ftp
        blocklist-de-sip blocklist-de-bots blocklist-de-strongips blocklist-de-brute-force tor-exits-dan
        tor-nodes-dan sefinek
        """,
    ),
    (WITH_HEAD, "opendbl-brute-force binary-defense botvrij"),
    (NETWORKS, "voipbl stopforumspam-toxic x4b-vpn x4b-datacenter bitwire-inbound bitwire-outbound"),
    (NETWORKS_BOTH, "telegram"),
    (NETWORKS_V6, "x4b-datacenter-v6"),
    (
        NETSET,
        "firehol-level1 firehol-level2 firehol-level3 firehol-level4 firehol-webclient firehol-proxies firehol-anonymous",
    ),
    (DROP, "spamhaus-drop"),
    (DROP_V6, "spamhaus-drop-v6"),
    (DSHIELD, "dshield-block"),
    (FIREWALL_RULES, "emerging-threats"),
    (BRUTE_FORCE_BLOCKER, "brute-force-blocker"),
    (
        DATAPLANE,
        """
        dataplane-ssh-password dataplane-ssh-client dataplane-telnet dataplane-vnc dataplane-sip-query
        dataplane-sip-invitation dataplane-sip-registration dataplane-smtp-greet dataplane-smtp-data
        dataplane-dns-recursion dataplane-dns-any dataplane-dns-version dataplane-protocol-41
        """,
    ),
    (TURRIS, "turris-greylist"),
    (SCORES, "stratosphere-aip"),
    (C2_INTEL, "c2-intel c2-intel-30d c2-intel-90d"),
    (MY_IP, "myip-ms"),
    (NET_UA, "blocklist-net-ua"),
    (MALTRAIL, "maltrail-scanners"),
    (MALTRAIL_NETWORKS, "maltrail-scanner-networks"),
    (ABUSE_CH, "feodo feodo-recommended sslbl"),
    (ABUSEIPDB_COPY, "abuseipdb-1d abuseipdb-3d abuseipdb-7d abuseipdb-14d abuseipdb-30d"),
    (BOGONS, "fullbogons bogons"),
    (BOGONS_V6, "fullbogons-v6"),
    (FASTLY, "fastly"),
    (AWS, "aws"),
    (CLOUDFLARE, "cloudflare"),
    (GOOGLE, "google google-cloud googlebot bingbot applebot duckduckbot"),
    (GEOFEED, "digitalocean"),
    (GITHUB, "github"),
    (STRIPE, "stripe-webhooks"),
    (CRLF_BOTH, "uptimerobot"),
)

SHAPES: Mapping[str, Shape] = {name: shape for shape, names in _BY_SHAPE for name in names.split()}
"""The shape of each list by its name in the catalogue."""
