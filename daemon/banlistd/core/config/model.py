"""The configuration as the program sees it: frozen, typed, with every default filled in. load.py makes it of files.

A key is declared here and nowhere else: `name: Annotated[type, Key(how it is written, help)] = default`. Durations are seconds,
sizes are octets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from banlistd.core.addresses.sets import Ranges
from banlistd.core.config import kinds, web
from banlistd.core.config.catalogue.terms import UseFor
from banlistd.core.config.combining.keys import Combined
from banlistd.core.config.keys import Key, Reload, ValueKind, keys_of
from banlistd.core.config.reading.names import HOST_NAMES
from banlistd.core.config.sections.allow import ALLOW, AllowEntry, ranges_of
from banlistd.core.config.sections.block import Block, Only
from banlistd.core.config.sections.defaults import Defaults
from banlistd.core.config.sections.geo import Geo
from banlistd.core.config.sections.log import Hits, Log
from banlistd.core.config.sections.pages import Pages
from banlistd.core.config.sections.parser import ParserSettings
from banlistd.core.config.sections.verify import VERIFY, Verify
from banlistd.core.config.service.backend import BackendKeys
from banlistd.core.config.service.fleet import FLEET_LIST, Fleet
from banlistd.core.config.service.manual import Manual
from banlistd.core.config.service.metrics import Metrics
from banlistd.core.config.service.mqtt import Mqtt
from banlistd.core.config.service.notify import PROGRAM_HOOKS, Notify, ProgramHook
from banlistd.core.config.service.reports import Reports
from banlistd.core.credentials import may_contain_secret
from banlistd.formats import Format
from banlistd.model import Family, SourceId

STDIN = Path("-")
"""The `path` of a source that `banlistd --once` reads from its standard input."""

_AUTO = Format()
# Sections are immutable; the linter sees that only of those in this file.
_DEFAULTS, _LOG, _PARSER, _GEO, _METRICS, _HITS = Defaults(), Log(), ParserSettings(), Geo(), Metrics(), Hits()
_MANUAL, _NOTIFY = Manual(), Notify()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Combined):
    """One list. Exactly one of its places (`load.PLACES`) is set; `path` is absolute."""

    title = "a source"
    intro = (
        "A source has an `id` and one of `url`, `path`, `block`, `only`, `merge`, `intersect`, `names`, `hub` and `reports`, "
        "or has `use`. Every key of the defaults may be set here too."
    )

    id: Annotated[SourceId, Key(kinds.SOURCE_ID, "The name of the source.")]
    use: Annotated[
        SourceId | None,
        Key(
            kinds.CATALOGUE_NAME, "The name of a list of the catalogue, in place of `id` and `url`. Any other key overrides it."
        ),
    ] = None
    url: Annotated[
        str | tuple[str, ...] | None,
        Key(
            web.URLS,
            "Where the list is downloaded from. Several are one list (of IPv4 and of IPv6): all are taken, or none. `%Y`, `%m` "
            "and `%d` are the day in UTC; where the server has no list of today yet (404), that of yesterday is taken.",
        ),
    ] = None
    path: Annotated[
        Path | None,
        Key(
            kinds.PATH,
            "The file of the list, read again when it changes; `-`: standard input, for `banlistd --once` alone, which reads a "
            "named pipe (FIFO) too. The account banlistd must be able to read it, and it cannot be in a home folder. A link on "
            "the way must belong to root, to banlistd or to the owner of the file, and must not lead to credentials.",
        ),
    ] = None
    block: Annotated[
        Block | None,
        Key(kinds.section(Block, "block", may_be_empty=False), "Whole countries and networks, from a local database."),
    ] = None
    only: Annotated[
        Only | None,
        Key(kinds.section(Only, "only", may_be_empty=False), "Bans all but these countries and networks, answers too."),
    ] = None
    names: Annotated[
        tuple[str, ...],
        Key(
            HOST_NAMES,
            "Host names: the addresses that name servers give for them, asked for anew when their TTL ends, at least a minute "
            "and at most an hour later. What the host alone knows (/etc/hosts, mDNS) is asked for every five minutes. `every` "
            "counts in place of the TTL.",
        ),
    ] = ()
    hub: Annotated[
        str,
        Key(
            FLEET_LIST,
            "The name of a list that the hub of the `fleet` publishes, signed. Its guards are narrower by default: "
            "`share: 2%`, `widest4: 12`, `widest6: 24`; of the list `reports`, which machines report, `widest4: 32` and "
            "`widest6: 64`.",
        ),
    ] = ""
    hold: Annotated[
        float | None,
        Key(
            kinds.duration_between("0s", "7d"),
            "For how long a new version of this list of a `hub` waits, in place of the `hold` of the `fleet`. `0s` for shared "
            "bans, which are to come in seconds.",
        ),
    ] = None
    reports: Annotated[
        Reports | None,
        Key(
            kinds.section(Reports, "reports"),
            "On the hub of a fleet: what its nodes report, once enough sites agree. `reports: {}` has every default.",
        ),
    ] = None
    format: Annotated[Format, Key(kinds.FORMAT, "The format of the list. `auto` looks at the bytes.")] = _AUTO
    enabled: Annotated[bool, Key(kinds.SWITCH, "`no`: the source is neither polled nor banned.")] = True
    allow_empty: Annotated[bool, Key(kinds.SWITCH, "Whether the list may have no entry.")] = False
    # Not in repr: a header may contain a secret.
    headers: Annotated[
        Mapping[str, str],
        Key(
            web.HEADERS,
            "Headers of each request. A redirect to another origin loses them. `${credential:NAME}`, here and in url, is "
            "replaced by the content of /etc/banlistd/credentials/NAME.",
        ),
    ] = field(default_factory=dict, repr=False)
    method: Annotated[
        web.RequestMethod, Key(web.METHOD, "How the server is asked. A `body` makes it `POST`, which has no conditions.")
    ] = web.RequestMethod.GET
    body: Annotated[
        str,
        Key(web.REQUEST_BODY, "What is sent with POST. `${credential:NAME}` in it is written as the `body_type` asks for."),
    ] = field(default="", repr=False)
    body_type: Annotated[
        str,
        Key(
            web.MEDIA_TYPE,
            "The Content-Type of `body`. Without it, `application/json` for one that begins with { or [, else "
            "`application/x-www-form-urlencoded`.",
        ),
    ] = ""
    ca: Annotated[
        Path | None,
        Key(kinds.PATH, "A file with the certificates of the authorities that count for the server, in place of the system's."),
    ] = None
    client_certificate: Annotated[
        Path | None,
        Key(
            kinds.PATH,
            "A file with the certificate that is shown to the server, and those of its authorities (PEM). After a redirect to "
            "another origin it is not shown.",
        ),
    ] = None
    client_key: Annotated[
        str,
        Key(web.ONE_CREDENTIAL, "The private key of `client_certificate`, a credential (PEM). Without it, it is in that file."),
    ] = ""
    proxy: Annotated[
        str,
        Key(
            web.PROXY,
            "The proxy of this source; `off`: none. Without it, `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` of the "
            "environment count. The proxy resolves the names of servers.",
        ),
    ] = field(default="", repr=False)
    public_only: Annotated[
        bool,
        Key(kinds.SWITCH, "Refuses a server whose address is not public, at first and after redirects, and any proxy."),
    ] = False
    pages: Annotated[
        Pages | None,
        Key(
            kinds.section(Pages, "pages", may_be_empty=False),
            "How a list that comes in pages goes on. Without it, a list that has a next page is refused as truncated.",
        ),
    ] = None
    verify: Annotated[
        Verify | None, Key(VERIFY, "How the list proves that it is its publisher's: a checksum or a signature beside it.")
    ] = None
    minimum: Annotated[
        float | None,
        Key(
            kinds.PUBLISHER_INTERVAL,
            "The shortest time between two requests that the publisher allows. It holds for retries, `banlistctl refresh`, "
            "restarts and reloads, too. Lists of the catalogue have one.",
        ),
    ] = None
    comment: Annotated[str, Key(kinds.NOTE, "A note for people.")] = ""
    home: Annotated[str, Key(kinds.NOTE, "The page of the publisher.")] = ""
    licence: Annotated[str, Key(kinds.NOTE, "The terms of use of the list.")] = ""
    attribution: Annotated[str, Key(kinds.NOTE, "The credit that the terms ask for.")] = ""

    @property
    def is_confidential(self) -> bool:
        """Whether its server may echo a secret: then no reason and no error quotes the text of the list."""
        return bool(self.headers or self.body) or any(may_contain_secret(url) for url in (*self.urls, *self.sidecar_urls))

    @property
    def texts_with_secrets(self) -> tuple[str, ...]:
        """Where `${credential:NAME}` may be."""
        return (*self.urls, *self.sidecar_urls, *self.headers.values(), self.body, self.client_key, self.proxy)

    @property
    def is_post(self) -> bool:
        return self.method is web.RequestMethod.POST or bool(self.body)

    @property
    def urls(self) -> tuple[str, ...]:
        return (self.url,) if isinstance(self.url, str) else self.url or ()

    @property
    def geography(self) -> Block | None:
        """What a list is that comes from a database."""
        return self.block or self.only

    @property
    def sidecar_urls(self) -> tuple[str, ...]:
        """The urls of what proves the list."""
        return self.verify.urls if self.verify else ()


# load.py reads the sources last: they depend on the defaults and the catalogue.
_SOURCES = ValueKind(
    lambda *_: (),
    {"$ref": "#/$defs/sources"},
    "a list of sources",
    parts=tuple(key.kind for key in keys_of(Source).values()),
    show=lambda _: "",
    section=Source,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(BackendKeys):
    """The whole configuration. The order of the sources is that of ownership: an address belongs to the first that has it."""

    title = "top-level keys"
    intro = "A reload applies a changed key, unless the key needs a restart; then the reload is refused."

    defaults: Annotated[
        Defaults, Key(kinds.section(Defaults, "defaults"), "The values of every source that does not set its own.", Reload.LIVE)
    ] = _DEFAULTS
    allow: Annotated[
        tuple[AllowEntry, ...],
        Key(ALLOW, "The allowlist: addresses that are never banned. It overrides manual bans, too.", Reload.LIVE),
    ] = ()
    sources: Annotated[
        tuple[Source, ...],
        Key(
            _SOURCES,
            "The lists. An address on several lists belongs to the first of them. `[]`: no list is wanted; without the key, "
            "and without a source in sources.d, the configuration is wrong.",
            Reload.LIVE,
        ),
    ] = ()
    use_for: Annotated[
        UseFor,
        Key(
            kinds.chosen(UseFor, "a use"),
            "What the lists are used for. `commercial`: a source is refused if the terms of its list, as the catalogue has "
            "them, forbid the use by a business.",
            Reload.LIVE,
        ),
    ] = UseFor.PRIVATE
    log: Annotated[Log, Key(kinds.section(Log, "log"), "How events are written.", Reload.RESTART)] = _LOG
    parser: Annotated[
        ParserSettings,
        Key(kinds.section(ParserSettings, "parser"), "Bounds of the process that parses lists.", Reload.RESTART),
    ] = _PARSER
    geo: Annotated[Geo, Key(kinds.section(Geo, "geo"), "Where addresses belong: country and ASN.", Reload.LIVE)] = _GEO
    manual: Annotated[Manual, Key(kinds.section(Manual, "manual"), "What manual bans mean.", Reload.LIVE)] = _MANUAL
    metrics: Annotated[Metrics, Key(kinds.section(Metrics, "metrics"), "Metrics and health over HTTP.", Reload.RESTART)] = (
        _METRICS
    )
    mqtt: Annotated[
        Mqtt | None,
        Key(kinds.section(Mqtt, "mqtt", may_be_empty=False), "State, events and orders over MQTT 5.", Reload.LIVE),
    ] = None
    fleet: Annotated[
        Fleet | None,
        Key(kinds.section(Fleet, "fleet", may_be_empty=False), "Signed lists, shared by many machines.", Reload.LIVE),
    ] = None
    notify: Annotated[
        Notify, Key(kinds.section(Notify, "notify"), "Notices by mail, chat or webhook, through Apprise.", Reload.LIVE)
    ] = _NOTIFY
    hooks: Annotated[tuple[ProgramHook, ...], Key(PROGRAM_HOOKS, "Programs that are run for events.", Reload.LIVE)] = ()
    hits: Annotated[Hits, Key(kinds.section(Hits, "hits"), "How many hits are kept, and how long.", Reload.LIVE)] = _HITS

    @property
    def remembered(self) -> Mapping[SourceId, float]:
        """For how many seconds what leaves a list counts for a combination with a window."""
        windows: dict[SourceId, float] = {}
        combinations = (source.combination for source in self.sources if source.enabled)
        for combination in filter(None, combinations):
            for part in combination.parts if combination.window else ():
                windows[part] = max(windows.get(part, 0.0), combination.window)
        return windows

    def watched(self, source: Source) -> tuple[Path, ...]:
        """The files of a source: when one of them changes, the source is due."""
        return (source.path,) if source.path and source.path != STDIN else self.geo.databases if source.geography else ()

    def allowed(self, now: float) -> Mapping[Family, Ranges]:
        """The allow entries in force at a moment (seconds since the epoch), merged, for both families."""
        return ranges_of([entry for entry in self.allow if entry.in_force(now)])
