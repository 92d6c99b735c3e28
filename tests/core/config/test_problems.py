import pytest

from banlistd.core.config.catalogue.read import read_catalogue
from banlistd.core.config.keys import keys_of
from banlistd.core.config.model import Config
from banlistd.core.config.yaml import parse_document
from banlistd.errors import ConfigError
from support.written_config import problems_of, read, read_as_written

KEYS = [*keys_of(Config)]

# What is wrong, word for word

SOURCE = "sources:\n- id: a\n  url: https://lists.example/\n"

WRONG = [
    ("backend: nftable", '1: backend: "nftable" is not a backend (did you mean nftables?)'),
    ("backend:", "1: backend: has no value (write one or delete the line)"),
    ("log: {format: xml}", '1: log.format: "xml" is not a log format (write auto, logfmt or json)'),
    ("log: {format: }", "1: log.format: has no value (write one or delete the line)"),
    ("log: json", "1: log: is a single value and must be a mapping (write name: value, one a line)"),
    ("\nsuorces: []", "2: suorces: is not a key here (did you mean sources?)"),
    ("whitelist: []", "1: whitelist: is not a key here (did you mean allow?)"),
    ("guards: {shrink: 70%}", "1: guards: is not a key here (it belongs under defaults:)"),
    ("every: 2h", "1: every: is not a key here (it belongs under defaults:)"),
    ("action: drop", "1: action: is not a key here (it belongs under defaults:)"),
    ("defaults:\n  shrink: 70%", "2: defaults.shrink: is not a key here (it belongs under guards:)"),
    ("id: a", "1: id: is not a key here (it belongs to a source: indent it)"),
    ("path: /a", "1: path: is not a key here (it belongs to a source: indent it)"),
    (SOURCE + "  intervall: 1h", "4: sources[0].intervall: is not a key here (did you mean every?)"),
    (SOURCE + "  shrink: 70%", "4: sources[0].shrink: is not a key here (it belongs under guards:)"),
    ("sources:\n- id:a", "2: sources[0]: is not a source (a blank is missing after the colon: write id: a)"),
    (
        "sources:\n- id:a\n  url: https://x.example/",
        "3: the line above has no blank after its colon (write id: value)",
    ),
    (
        SOURCE + '  comment: "a\n  home: "b"',
        "5: is not YAML (line 4 opens a quote that it does not close)",
    ),
    (
        "allow:\n- {address: a.example}",
        '2: allow[0].address: "a.example" is a name, and names are not supported here (write its addresses, one an entry)',
    ),
    ("zzz: 1", f"1: zzz: is not a key here (known: {', '.join(KEYS[:-1])} or {KEYS[-1]})"),
    ("- a", "1: is a list and must be a mapping (write name: value, one a line)"),
    ("defaults:\n  every: 1 hour", '2: defaults.every: "1 hour" is not a duration (write 90s, 15m, 1h30m, 1d or 1w)'),
    ("defaults:\n  evry: 1h", "2: defaults.evry: is not a key here (did you mean every?)"),
    ("allow: 192.0.2.1", '1: allow: is a single value and must be a list (write "- " before each entry)'),
    ("allow:\n- 1.2.3", '2: allow[0]: "1.2.3" is not an address (write 192.0.2.1, 192.0.2.0/24, 192.0.2.1-192.0.2.9, or IPv6)'),
    (
        "allow:\n- 010.0.0.1",
        '2: allow[0]: "010.0.0.1" is not an address (write 192.0.2.1, 192.0.2.0/24, 192.0.2.1-192.0.2.9, or IPv6)',
    ),
    ("allow:\n- 192.0.2.0/33", '2: allow[0]: "192.0.2.0/33" has no such prefix length (write 192.0.2.0/0 to 192.0.2.0/32)'),
    (
        "allow:\n- 192.0.2.5/24",
        '2: allow[0]: "192.0.2.5/24" is no network: it does not begin there (write 192.0.2.0/24 or 192.0.2.5)',
    ),
    ("allow:\n- 192.0.2.9-192.0.2.1", '2: allow[0]: "192.0.2.9-192.0.2.1" ends before it begins (write 192.0.2.1-192.0.2.9)'),
    ("allow:\n- 192.0.2.9-::1", '2: allow[0]: "192.0.2.9-::1" mixes IPv4 and IPv6 (both ends of a range are of one family)'),
    ("allow:\n- ::ffff:1.2.3.4", '2: allow[0]: "::ffff:1.2.3.4" is an IPv4-mapped IPv6 address (write 1.2.3.4)'),
    ("allow:\n- fe80::", '2: allow[0]: an address that ends in ":" needs quotes (write "fe80::")'),
    ("allow:\n-", "2: allow[0]: is not an address (write 192.0.2.0/24, or {address: 192.0.2.0/24, comment: office})"),
    (
        "allow:\n- comment: x",
        "2: allow[0]: has neither address nor use (write {address: 192.0.2.0/24}, or {use: root-servers})",
    ),
    ("allow:\n- {address: }", "2: allow[0].address: has no value (write one or delete the line)"),
    ("allow:\n- address: [1.2.3.4]", "2: allow[0].address: is a list (write one value)"),
    (
        "allow:\n- address: 192.0.2.1\n  until: soon",
        '3: allow[0].until: "soon" is neither a day nor a moment (write 2027-01-01 or 2027-01-01T18:00:00Z)',
    ),
    (
        "allow:\n- address: 192.0.2.1\n  until: 2027-02-30",
        '3: allow[0].until: "2027-02-30" is neither a day nor a moment (write 2027-01-01 or 2027-01-01T18:00:00Z)',
    ),
    ("manual: {prefix6: 32}", '1: manual.prefix6: "32" is not a prefix length (write 48 to 128, or off)'),
    ("manual: {prefix: 64}", "1: manual.prefix: is not a key here (did you mean prefix6?)"),
    ("fail2ban: {jail: -x}", '1: fail2ban.jail: "-x" is not a jail\'s name (letters, digits and _ . -, at most 60)'),
    ("fail2ban: {socket: run/f2b}", '1: fail2ban.socket: "run/f2b" is not an absolute name (write /absolute/name)'),
    (
        "backend: fail2ban\n" + SOURCE + "  action: log",
        "5: sources[0].action: the backend fail2ban does not support log (write drop, none or reject)",
    ),
    (
        "backend: fail2ban\n" + SOURCE + "  direction: both",
        "5: sources[0].direction: the backend fail2ban does not support both (write in)",
    ),
    (
        "backend: fail2ban\nsources:\n- use: outbound",
        "3: sources[0].direction: the backend fail2ban does not support both (write in)",
    ),
    (
        "backend: fail2ban\ndefaults: {action: count}\n" + SOURCE + "- id: b\n  path: b\n",
        "2: defaults.action: the backend fail2ban does not support count (write drop, none or reject)",
    ),
    ("sources: {}", '1: sources: is a mapping and must be a list (write "- " before each entry)'),
    ("sources:\n- known", "2: sources[0]: is not a source (write id: and url:, or use: known)"),
    ("sources:\n- url: https://a/", "2: sources[0].id: is missing"),
    (
        "sources:\n- id: Bad Name\n  path: a",
        (
            '2: sources[0].id: "Bad Name" cannot be an id '
            "(lower-case letters, digits and hyphens, at most 40, no hyphen first; for example bad-name)"
        ),
    ),
    (
        "sources:\n- id: a",
        (
            "2: sources[0]: has neither url nor path nor block nor merge "
            "(add url: https://..., path: /a/file, block: {countries: [NO]}, merge: [a, b], or use: a name of the catalogue)"
        ),
    ),
    (
        SOURCE + "  path: a",
        "4: sources[0].path: url and path exclude each other (a list is downloaded or is a file: delete one of them)",
    ),
    (
        "sources:\n- id: a\n  url: file:///a",
        '3: sources[0].url: "file:///a" is not a url of http or https (a file is named with path: /absolute/name)',
    ),
    (
        "sources:\n- id: a\n  url: ftp://me:secret@a/b",
        (
            '3: sources[0].url: "ftp://...@a/b" is not a url of http or https '
            "(write https://host/path, or fetch it otherwise and name the file with path:)"
        ),
    ),
    (
        "sources:\n- id: a\n  url: lists.example/a",
        '3: sources[0].url: "lists.example/a" is not a url of http or https (write https:// in front, or path: for a file)',
    ),
    ("sources:\n- id: a\n  url: https:///a", '3: sources[0].url: "https:///a" names no host (write https://host/path)'),
    ("sources:\n- id: a\n  url: https://[a/", '3: sources[0].url: "https://[a/" is not a url (write https://host/path)'),
    (
        "sources:\n- id: a\n  url: https://a:99999/",
        '3: sources[0].url: "https://a:99999/" is not a url (write https://host/path)',
    ),
    (
        "sources:\n- id: a\n  url: https://a/b c",
        '3: sources[0].url: "https://a/b c" has blanks or control characters (write a blank as %20)',
    ),
    (
        "sources:\n- id: a\n  url: https://u:secret@a/",
        "3: sources[0].url: has a password in clear text (write ${credential:NAME} in its place)",
    ),
    (
        "sources:\n- id: a\n  url: https://a/${credential:a/b}?secret",
        (
            '3: sources[0].url: "${credential:a/b}" is not a credential '
            "(write ${credential:NAME}, with letters, digits and _ . - in NAME)"
        ),
    ),
    (
        "sources:\n- id: a\n  path: ~/a",
        '3: sources[0].path: "~/a" begins with ~, and a service has no home (write the absolute name)',
    ),
    (
        "sources:\n- id: a\n  path: https://a/",
        '3: sources[0].path: "https://a/" is not a file\'s name (an address of a server goes with url:)',
    ),
    (SOURCE + "  every: 9s", '4: sources[0].every: "9s" is shorter than 10s (write 10s to 365d)'),
    (SOURCE + "  every: 366d", '4: sources[0].every: "366d" is longer than 365d (write 10s to 365d)'),
    (
        SOURCE + "  every: daily 4:00",
        '4: sources[0].every: "daily 4:00" is not a time of day (write daily 04:00, in UTC, or daily 04:00 +02:00)',
    ),
    (
        SOURCE + "  every: daily 24:00",
        '4: sources[0].every: "daily 24:00" is not a time of day (write daily 04:00, in UTC, or daily 04:00 +02:00)',
    ),
    (SOURCE + "  every: 3600", '4: sources[0].every: "3600" is not a duration (write 90s, 15m, 1h30m, 1d or 1w)'),
    (SOURCE + "  every: [1h]", "4: sources[0].every: is a list (write one value)"),
    (SOURCE + "  timeout: 2h", '4: sources[0].timeout: "2h" is longer than 1h (write 1s to 1h)'),
    (SOURCE + '  max_bytes: "10"', '4: sources[0].max_bytes: "10" is less than 1kB (write 1kB to 1GiB)'),
    (SOURCE + "  max_bytes: big", '4: sources[0].max_bytes: "big" is not a size (write 64MiB, 10MB or a number of bytes)'),
    (SOURCE + "  max_bytes: 2GiB", '4: sources[0].max_bytes: "2GiB" is too large (write 1 to 1GiB)'),
    (SOURCE + "  action: dorp", '4: sources[0].action: "dorp" is not an action (did you mean drop?)'),
    (SOURCE + "  direction: up", '4: sources[0].direction: "up" is not a direction (write in, out or both)'),
    (SOURCE + "  enabled: maybe", '4: sources[0].enabled: "maybe" is neither true nor false (write true or false)'),
    (SOURCE + "  allow_empty:", "4: sources[0].allow_empty: has no value (write one or delete the line)"),
    (SOURCE + "  interval: 1h", "4: sources[0].interval: is not a key here (did you mean every?)"),
    (SOURCE + "  headers: x", "4: sources[0].headers: must be a mapping (write name: value, one a line)"),
    (SOURCE + "  headers:\n    Host: a", "5: sources[0].headers.Host: Host is set by banlistd itself (delete the line)"),
    (
        SOURCE + "  headers:\n    a b: c",
        '5: sources[0].headers.a b: "a b" is not a header\'s name (letters, digits and hyphens)',
    ),
    (
        SOURCE + '  headers:\n    A: "secret\\r\\nB: c"',
        "5: sources[0].headers.A: has line breaks, control or non-ASCII characters (write plain ASCII in one line)",
    ),
    (
        SOURCE + '  headers:\n    A: "secret ${credential: b"',
        (
            '5: sources[0].headers.A: "${" without "}" is not a credential '
            "(write ${credential:NAME}, with letters, digits and _ . - in NAME)"
        ),
    ),
    (
        "sources:\n- id: a\n  path: a\n  headers: {A: b}",
        "4: sources[0].headers: goes with url only (a file is asked for nothing: delete the line)",
    ),
    (
        "sources:\n- id: a\n  path: a\n  public_only: yes",
        "4: sources[0].public_only: goes with url only (a file is asked for nothing: delete the line)",
    ),
    (
        "sources:\n- id: a\n  block: {countries: [NO]}\n  public_only: yes",
        "4: sources[0].public_only: goes with url only (a block comes from a database: delete the line)",
    ),
    (
        "sources:\n- id: a\n  path: a\n  pages: {next: link}",
        "4: sources[0].pages: goes with url only (a file is asked for nothing: delete the line)",
    ),
    (
        "sources:\n- id: a\n  url:\n  - https://lists.example/4\n  - ftp://lists.example/6",
        (
            '5: sources[0].url[1]: "ftp://lists.example/6" is not a url of http or https '
            "(write https://host/path, or fetch it otherwise and name the file with path:)"
        ),
    ),
    (
        "sources:\n- id: a\n  url:\n  - https://lists.example/4\n  - https://lists.example/4",
        "5: sources[0].url[1]: is there twice (delete one of them)",
    ),
    ("sources:\n- id: a\n  url: []", "3: sources[0].url: has 0 values (write 1 to 16)"),
    (SOURCE + "  method: GET\n  body: a", "4: sources[0].method: goes without a body (write POST, or delete the line)"),
    (SOURCE + "  method: PUT", '4: sources[0].method: "PUT" is not a method (write GET or POST)'),
    (SOURCE + '  body: "secret\\0"', "4: sources[0].body: has control characters (write plain text)"),
    (
        SOURCE + "  body_type: json",
        (
            '4: sources[0].body_type: "json" is not a type of content '
            "(write application/json, or application/x-www-form-urlencoded)"
        ),
    ),
    (
        SOURCE + "  proxy: ftp://proxy.example",
        '4: sources[0].proxy: "ftp://proxy.example" is not a proxy (write http://host:3128, socks5://host:1080, or off)',
    ),
    (
        SOURCE + "  proxy: http://user:secret@proxy.example",
        "4: sources[0].proxy: has a password in clear text (write ${credential:NAME} in its place)",
    ),
    (
        SOURCE + "  client_certificate: a\n  client_key: secret",
        (
            "5: sources[0].client_key: is not a reference to a credential "
            "(write ${credential:NAME}; a key is no part of a configuration)"
        ),
    ),
    (
        SOURCE + '  client_key: "${credential:a}"',
        "4: sources[0].client_key: is the key of no certificate (add client_certificate: /a/file.pem)",
    ),
    (
        SOURCE + "  guards: {on_stale: lift}\n- {id: b, merge: [a]}",
        "4: sources[0].guards: on_stale is lift, and a combination that has it as a part would change (write on_stale: keep)",
    ),
    (
        SOURCE + "  guards: {on_stale: drop}",
        '4: sources[0].guards.on_stale: "drop" is not what becomes of a stale source (write keep or lift)',
    ),
    (
        SOURCE + "  verify: {}",
        "4: sources[0].verify: checks nothing (write {sha256: .sha256}, {key: RW...}, or {keyring: keys/a.gpg})",
    ),
    (
        SOURCE + "  verify: {minisign: .sig}",
        "4: sources[0].verify: has no key for minisign (add key: the line of the publisher's public key that begins with RW)",
    ),
    (
        SOURCE + "  verify: {pgp: .sig}",
        "4: sources[0].verify: has no keyring for pgp (add keyring: the file with the publisher's keys)",
    ),
    (
        SOURCE + "  verify:\n    key: abc",
        '5: sources[0].verify.key: "abc" is no key of minisign or signify (write the line of its file that begins with RW)',
    ),
    (
        SOURCE + "  verify:\n    key: QUJD",
        '5: sources[0].verify.key: "QUJD" is no key of minisign or signify (write the line of its file that begins with RW)',
    ),
    (
        SOURCE + "  verify:\n    sha256: ./sums",
        '5: sources[0].verify.sha256: "./sums" is no ending of a file\'s name (write .sha256, or an address: https://host/path)',
    ),
    (
        SOURCE + "  verify:\n    sha256: file:///a",
        '5: sources[0].verify.sha256: "file:///a" is not a url of http or https (a file is named with path: /absolute/name)',
    ),
    (
        SOURCE + "  hold: 10m",
        "4: sources[0].hold: goes with hub only (no hub withdraws a version of this list: delete the line)",
    ),
    (
        SOURCE + "  pages: {next: link}\n  verify: {sha256: .sum}",
        "5: sources[0].verify: goes without pages (a publisher signs files, not the pages of a server: delete one of them)",
    ),
    (
        "sources:\n- id: a\n  path: a\n  verify: {sha256: .sum}",
        "4: sources[0].verify: goes with url only (a file is asked for nothing: delete the line)",
    ),
    (SOURCE + "  pages: {next: parameter}", "4: sources[0].pages: has no parameter (write {next: parameter, parameter: page})"),
    (
        SOURCE + "  pages: {parameter: page}",
        "4: sources[0].pages: has a parameter, and the header Link has whole addresses (delete one of them)",
    ),
    (SOURCE + "  pages:\n    most: 1001", '5: sources[0].pages.most: "1001" is not a number that fits (write 1 to 1000)'),
    (
        SOURCE + "  pages:\n    next: a[]",
        '5: sources[0].pages.next: "a[]" is no key of a document (write a key, or keys joined by dots: links.next)',
    ),
    (
        SOURCE + '  comment: "a\\nb"',
        '4: sources[0].comment: "a\\nb" has line breaks or control characters (write it in one line)',
    ),
    (SOURCE + "  format: cvs", '4: sources[0].format: "cvs" is not a format (did you mean csv?)'),
    (
        SOURCE + "  format: []",
        "4: sources[0].format: is not a format (write plain, or a mapping such as {type: csv, column: 2})",
    ),
    (SOURCE + "  format:", "4: sources[0].format: has no value (write one or delete the line)"),
    (SOURCE + "  format: {column: 2}", "4: sources[0].format: has no type (write {type: csv, ...})"),
    (
        SOURCE + "  format:\n    type: csv\n    field: a",
        (
            "6: sources[0].format.field: does not go with csv "
            "(column, columns, separator, prefix, netmask, count, where or members may)"
        ),
    ),
    (
        SOURCE + "  format: {type: plain, column: 1}",
        "4: sources[0].format.column: does not go with plain (defanged, urls or members may)",
    ),
    (
        SOURCE + "  format: {type: csv, delimiter: x}",
        "4: sources[0].format.delimiter: is not a key here (did you mean separator?)",
    ),
    (SOURCE + "  format: {type: csv, column: 0}", '4: sources[0].format.column: "0" is not a column (columns count from 1)'),
    (SOURCE + "  format: {type: csv, columns: [1, 2, 3]}", "4: sources[0].format.columns: has 3 values (write 1 to 2)"),
    (
        SOURCE + "  format: {type: csv, column: 1, columns: [1, 2]}",
        "4: sources[0].format.columns: is written beside column (write one of them)",
    ),
    (
        SOURCE + "  format: {type: csv, column: 1, prefix: 2, count: 3}",
        "4: sources[0].format.count: is written beside prefix (write one of them)",
    ),
    (
        SOURCE + "  format: {type: csv, netmask: 2}",
        "4: sources[0].format.netmask: is written without a column (write {type: csv, column: ADDRESS, netmask: ...})",
    ),
    (
        SOURCE + "  format: {type: csv, column: [1, 2], count: 3}",
        "4: sources[0].format.count: is written beside several columns (write one column)",
    ),
    (
        SOURCE + "  format: {type: csv, separator: ab}",
        '4: sources[0].format.separator: "ab" is not a separator (write one character such as ";", or tab, or whitespace)',
    ),
    (
        SOURCE + '  format: {type: json, path: "a[.b"}',
        '4: sources[0].format.path: "a[.b" is not a path (write it like prefixes[].ip_prefix)',
    ),
    (
        SOURCE + "  format: {type: jsonl, field: a..b}",
        '4: sources[0].format.field: "a..b" is not a field (write a key, or keys joined by dots)',
    ),
    (
        SOURCE + "  format: {type: json, end: b}",
        "4: sources[0].format.end: is written without the place of the address (write path (json) or field (jsonl) beside it)",
    ),
    (
        SOURCE + '  format: {type: json, path: ["[].a", "[].b", "[].c"], length: [d, e]}',
        "4: sources[0].format.length: has 2 values (write one, or 3, one for each address)",
    ),
    (
        SOURCE + '  format: {type: json, path: "[].a", end: b, length: c}',
        "4: sources[0].format.length: is written beside end (write one of them)",
    ),
    (
        SOURCE + "  format: {type: json, where: x}",
        (
            "4: sources[0].format.where: is not a mapping of 1 to 16 conditions "
            '(write {score: ">= 90", type: ADDR, country: [DE, FR], expires: future})'
        ),
    ),
    (
        SOURCE + "  format: {type: jsonl, where: {a: {b: c}}}",
        (
            "4: sources[0].format.where.a: is not a condition "
            '(write {score: ">= 90", type: ADDR, country: [DE, FR], expires: future})'
        ),
    ),
    (
        SOURCE + "  format: pattern",
        "4: sources[0].format: has no pattern (write {type: pattern, pattern: '<ip>(?P<address>[^<]+)</ip>'})",
    ),
    (
        SOURCE + "  format: {type: pattern, pattern: '<a>(?P<address>[^<]+'}",
        (
            "4: sources[0].format.pattern: is no pattern of RE2: missing ): <a>(?P<address>[^<]+ "
            "(https://github.com/google/re2/wiki/Syntax)"
        ),
    ),
    (
        SOURCE + "  format: {type: pattern, pattern: '<a>([^<]+)'}",
        "4: sources[0].format.pattern: has no group called address (write (?P<address>...) around the address)",
    ),
    (
        SOURCE + "  format: {type: pattern, pattern: '(?P<address>.)(?P<mask>.)'}",
        "4: sources[0].format.pattern: has a group called mask (groups may be called address, prefix, netmask, last)",
    ),
    (
        SOURCE + "  format: {type: pattern, pattern: '(?P<address>.)(?P<last>.)(?P<prefix>.)'}",
        "4: sources[0].format.pattern: has several groups that say where a network ends (write one of prefix, netmask, last)",
    ),
    (
        SOURCE + "  format: {type: pattern, pattern: '(?P<address>.*)'}",
        "4: sources[0].format.pattern: matches an empty text (write what is around each address, too)",
    ),
    (
        SOURCE + "  format: {type: csv, pattern: '(?P<address>.)'}",
        (
            "4: sources[0].format.pattern: does not go with csv "
            "(column, columns, separator, prefix, netmask, count, where or members may)"
        ),
    ),
    (SOURCE + "  format: {type: p2p, where: {a: b}}", "4: sources[0].format.where: does not go with p2p (members may)"),
    (
        SOURCE + "  format: {type: plain, members: [a, b]}",
        "4: sources[0].format.members: is a list (write one value)",
    ),
    ("sources:\n- use: knwon", '2: sources[0].use: "knwon" is not in the catalogue (did you mean known?)'),
    ("sources:\n- use: zzz", '2: sources[0].use: "zzz" is not in the catalogue (banlistctl catalogue lists the names)'),
    ("sources:\n- use:", "2: sources[0].use: has no value (write a name of the catalogue)"),
    (
        "sources:\n- use: known\n  every: 5m",
        '3: sources[0].every: "5m" is too often for known (its publisher asks for 1h or more)',
    ),
    (
        "sources:\n- id: a\n  url: https://a/\n  minimum: daily 04:00",
        '4: sources[0].minimum: "daily 04:00" is not a duration (write 90s, 15m, 1h30m, 1d or 1w)',
    ),
    (
        "sources:\n- use: known\n  minimum: 5m",
        '3: sources[0].minimum: "5m" is too often for known (its publisher asks for 1h or more)',
    ),
    (
        "sources:\n- id: a\n  path: a.txt\n  minimum: 5m",
        "4: sources[0].minimum: goes with url only (a file is asked for nothing: delete the line)",
    ),
    (
        "sources:\n- use: outbound\n  every: 1h",
        '3: sources[0].every: "1h" is too often for outbound (its publisher asks for 90m or more)',
    ),
    (
        SOURCE + "- id: a\n  path: a",
        '4: sources[1].id: "a" is already the id of another source (it is in banlistd.yaml:2; give one of them another id)',
    ),
    # YAML itself
    (
        SOURCE + "  every: 1h\n  every: 2h",
        "5: sources[0].every: is written twice (line 4 has it already; delete one of them)",
    ),
    ("allow:\n\t- 192.0.2.1", "2: there is a tab at the beginning of the line (YAML is indented with spaces)"),
    (
        "allow:\n\u00a0 - 192.0.2.1",
        "2: there is another blank (U+00A0) at the beginning of the line (YAML is indented with spaces)",
    ),
    (
        "<<<<<<< HEAD\nallow: []\n=======\nallow: [192.0.2.1]\n>>>>>>> theirs\n",
        "1: a conflict of a merge is not solved here (keep one of the two parts, and delete the marks)",
    ),
    ("allow: [192.0.2.1\nlog:", "2: a list [ is not closed (write ] at its end)"),
    ("log: {format: json\n", "1: a mapping { is not closed (write } at its end)"),
    (SOURCE + '  comment: "a\n  every: 1h\n', "4: a quote is opened here and not closed (write the same quote at its end)"),
    ("log: 'a\n", "1: a quote is opened here and not closed (write the same quote at its end)"),
    ("allow: @a", "1: a text begins with a character that YAML keeps for itself (quote the text)"),
    ("allow: [{address: ::1}]", '1: a value is missing (quote a text that begins with ":")'),
    (
        "allow: !!python/name:os.system x",
        '1: has the tag "tag:yaml.org,2002:python/name:os.system" (tags are not understood; quote a text with !)',
    ),
    ("allow: *nobody", "1: *nobody refers to no anchor (quote a text that begins with *)"),
    ("allow: &a [*a]", "1: *a refers to no anchor (quote a text that begins with *)"),
    ("log:\n---\nlog:", "2: a second document begins (remove the line ---; sources.d takes more files)"),
    ("? [a]\n: b", "1: a key is a list (write name: value)"),
    ("~: b", "1: a key has no name (write name: value)"),
    ("allow: " + "[" * 30, "1: nests too deep (at most 24 levels)"),
    ("log:\nallow: \x07", '2: has the character "\\x07" (remove it: it cannot be seen)'),
]


@pytest.mark.parametrize(("text", "problem"), WRONG, ids=[problem.partition("(")[0][:60] for _, problem in WRONG])
def test_what_is_wrong_is_said_with_file_line_key_and_way_out(text: str, problem: str) -> None:
    assert problems_of(text) == [f"banlistd.yaml:{problem}"]


def test_every_problem_of_every_file_is_reported_at_once_in_order() -> None:
    problems = problems_of(
        "backend: iptables\nallow:\n- nonsense\nsources:\n- {id: a, path: a, every: 1s, action: x}\n",
        a="sources:\n- id: b\n  every: 1 hour\n  path: b\n",
        b="id: a\npath: c\nuse: nothing-like-it\n",
        c="a: 'b\n",
        d="just words",
        e="sources:\nallow: []\nother: x\n",
    )
    assert [problem.partition(": ")[0] for problem in problems] == [
        "banlistd.yaml:1",
        "banlistd.yaml:3",
        "banlistd.yaml:5",
        "banlistd.yaml:5",
        "sources.d/a.yaml:3",
        "sources.d/b.yaml:1",
        "sources.d/b.yaml:3",
        "sources.d/c.yaml:1",
        "sources.d/d.yaml:1",
        "sources.d/e.yaml:2",
        "sources.d/e.yaml:3",
    ]
    assert problems[4] == 'sources.d/a.yaml:3: sources[0].every: "1 hour" is not a duration (write 90s, 15m, 1h30m, 1d or 1w)'
    assert "belongs in banlistd.yaml" in problems[-2]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n"])
def test_an_empty_file_is_a_problem_even_beside_sources_of_another_file(text: str) -> None:
    hint = "write sources: [] if no source is wanted, or none beside those of sources.d"
    for more in ({}, {"a": "use: known"}):
        with pytest.raises(ConfigError) as refused:
            read_as_written(parse_document("banlistd.yaml", text.encode()), **more)
        assert refused.value.problems == (f"banlistd.yaml:1: is empty ({hint})",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("allow: []", "is missing"),
        ("backend: memory\nsources:\n  # - use: known", "has no value"),
        ("sources: ~", "has no value"),
    ],
)
def test_a_configuration_that_names_no_source_must_say_so(text: str, words: str) -> None:
    document = parse_document("banlistd.yaml", text.encode())
    for more in ({}, {"a": ""}, {"a": "# nothing"}):
        with pytest.raises(ConfigError) as refused:
            read_as_written(document, **more)
        (problem,) = refused.value.problems
        assert problem.endswith(f": sources: {words} (write sources: [] if no source is wanted)")
    for more in ({"a": "use: known"}, {"a": "sources: []"}, {"a": "[]"}):
        assert len(read_as_written(document, **more).sources) == ("known" in more["a"])
    assert read_as_written(parse_document("banlistd.yaml", b"sources: []")).sources == ()


def test_a_wrong_default_is_reported_once_and_not_for_every_source() -> None:
    assert len(problems_of("defaults: {every: x}\nsources: [{id: a, path: a}, {id: b, path: b}]")) == 1


def test_the_error_counts_its_problems() -> None:
    with pytest.raises(ConfigError, match=r"^configuration is wrong \(2 problems\)$"):
        read("a: 1\nb: 2")


def test_messages_hold_no_characters_that_a_terminal_acts_on_and_no_long_values() -> None:
    (problem,) = problems_of('backend: "\\e[2J' + "x" * 1000 + '"')
    assert problem.isprintable()
    assert len(problem) < 200


# The catalogue


def test_a_reference_for_the_allowlist_is_no_source() -> None:
    (problem,) = problems_of("sources: [use: reference]")
    assert "use: reference is a reference for the allowlist" in problem
    assert problem.endswith("(write it under allow:, or action: allow here; action: none to combine it)")


def test_a_reference_for_the_allowlist_may_be_excluded_from_a_combination() -> None:
    part = "{use: reference, action: none}"
    made = "{id: made, merge: [a], exclude: [reference]}"
    config = read(f'sources: [{part}, {{id: a, url: "https://a.example/"}}, {made}]')
    assert [source.id for source in config.sources] == ["reference", "a", "made"]


def catalogue_problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read_catalogue(parse_document("catalogue.yaml", text.encode()))
    return list(refused.value.problems)


def test_a_wrong_catalogue_is_reported_like_a_wrong_configuration() -> None:
    rest = "home: h, licence: l, comment: c"
    problems = catalogue_problems(
        f"""
- {{id: a, url: "https://a/", every: 5m, minimum: 1h, {rest}}}
- {{id: b, url: "https://b/", every: 1h, minimum: 1h, {rest}}}
- {{id: b, url: "https://b/", every: 1h, minimum: 1h, {rest}}}
- {{id: c, every: 1h, {rest}}}
"""
    )
    assert problems == [
        "catalogue.yaml:2: [0]: every is shorter than minimum",
        'catalogue.yaml:4: [2].id: "b" is in the catalogue twice',
        "catalogue.yaml:5: [3].url: is missing",
        "catalogue.yaml:5: [3].minimum: is missing",
    ]
