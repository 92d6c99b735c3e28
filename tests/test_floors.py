"""The floors: an import points to a lower floor, rooms on one floor do not know each other, and core stays pure."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "daemon" / "banlistd"

FLOORS = {
    "scopes": -1,
    "model": 0,
    "errors": 0,
    "events": 0,
    "formats": 0,
    "paths": 0,
    "backends": 1,
    "core": 2,
    "ports": 3,
    "control_api": 3,
    "services": 4,
    "adapters": 4,
    "daemon": 5,
    "control": 5,
    "application": 6,
    "starting": 6,
    "compose": 7,
    "boot_restore": 7,
    "connecting": 7,
    "teardown": 7,
    "cli": 8,
    "trust": 7,
    "notifying": 9,
    "ctl": 8,
    "__main__": 9,
}

# Rooms of one folder do not know each other; a room, or a module beside it, imports a neighbour only where the arrow is listed.
# Within a room of `core`, modules may import each other; `adapters` lists those arrows as well.
ARROWS: dict[str, set[tuple[str, str]]] = {
    "events": {
        ("feeds", "kind"),
        ("firewall", "kind"),
        ("bans", "kind"),
        ("names", "bans"),
        ("evidence", "kind"),
        ("names", "evidence"),
        ("names", "notices"),
        ("notices", "kind"),
        ("allowing", "kind"),
        ("suspending", "kind"),
        ("names", "suspending"),
        ("mqtt", "kind"),
        ("names", "mqtt"),
        ("names", "fleet"),
        ("fleet", "kind"),
        ("names", "orders"),
        ("names", "fleet"),
        ("fleet", "kind"),
        ("names", "service"),
        ("orders", "kind"),
        ("service", "kind"),
        ("names", "allowing"),
        ("names", "feeds"),
        ("names", "firewall"),
        ("names", "kind"),
        ("names", "value"),
        ("value", "kind"),
    },
    "services": {
        ("verdicts", "enforcer"),
        ("enforcer", "joining"),
        ("enforcer", "planning"),
        ("history", "imports"),
        ("importer", "imports"),
        ("poll_record", "imports"),
        ("poll_scheduler", "imports"),
        ("poll_scheduler", "joining"),
        ("poll_scheduler", "file_stamps"),
        ("imports", "joining"),
        ("geo_enricher", "geo_lookup"),
        ("evidence", "loops"),
        ("loops", "reloading"),
        ("loops", "orders"),  # an end that follows the clock
        ("reloading", "enforcer"),
        ("reports", "enforcer"),
        ("ban_orders", "orders"),
        ("manual_bans", "orders"),
        ("protected_host", "orders"),  # a login that is remembered for a month, by a clock that is set
        ("manual_bans", "ban_orders"),
        ("manual_bans", "joining"),
        ("value", "enforcer"),
        ("value", "evidence"),
        ("value", "history"),
    },
    "services/evidence": {
        ("evidence", "hits"),
        ("evidence", "totals"),
        ("hits", "enforced"),
        ("loop", "evidence"),
        ("loop", "hits"),
        ("totals", "enforced"),
    },
    "services/joining": {
        ("connection_endings", "coalescer"),
    },
    "services/reloading": {
        ("reloads", "live_config"),
        ("reloads", "trial"),
    },
    "services/planning": {
        ("desired_state", "allow_lists"),
        ("preview", "content_store"),
        ("preview", "desired_state"),
    },
    "services/loops": {
        ("allowing", "name_times"),
        ("endings", "faults"),
        ("host_changes", "faults"),
        ("polling", "faults"),
        ("repair", "faults"),
        ("watchdog", "faults"),
    },
    "control": {
        ("commands", "declaration"),
        ("commands", "drawing"),
        ("commands", "lookups"),
        ("commands", "metrics"),
        ("commands", "own_session"),
        ("commands", "page"),
        ("commands", "parts"),
        ("commands", "request"),
        ("acceptor", "answers"),
        ("declaration", "page"),
        ("drawing", "page"),
        ("declaration", "parts"),
        ("declaration", "request"),
        ("metrics", "kept_lines"),
        ("metrics", "parts"),
        ("monitoring", "commands"),
        ("ordering", "commands"),
        ("ordering", "declaration"),
        ("ordering", "parts"),
        ("ordering", "read_request"),
        ("monitoring", "listener"),
        ("monitoring", "metrics"),
        ("monitoring", "server"),
        ("parts", "kept_lines"),
        ("parts", "seen"),
        ("read_request", "declaration"),
        ("read_request", "request"),
        ("server", "acceptor"),
        ("server", "declaration"),
        ("server", "answers"),
        ("server", "listener"),
        ("server", "read_request"),
        ("server", "request"),
        ("server", "table"),
        ("table", "commands"),
        ("table", "declaration"),
    },
    "core": {
        ("addresses", "printing"),
        ("config", "addresses"),
        ("config", "credentials"),
        ("config", "geo"),
        ("config", "printing"),
        ("credentials", "printing"),
        ("download", "config"),
        ("download", "credentials"),
        ("download", "printing"),
        ("fleet", "addresses"),
        ("feeds", "addresses"),
        ("feeds", "config"),
        ("feeds", "credentials"),
        ("feeds", "download"),
        ("feeds", "printing"),
        ("fleet", "addresses"),
        ("fleet", "config"),
        ("fleet", "feeds"),
        ("fleet", "mqtt"),
        ("fleet", "printing"),
        ("geo", "addresses"),
        ("notices", "config"),
        ("notices", "printing"),
        ("manual", "addresses"),
        ("manual", "config"),
        ("manual", "printing"),
        ("manual", "ruleset"),
        ("mqtt", "config"),
        ("mqtt", "printing"),
        ("ruleset", "addresses"),
        ("ruleset", "config"),
        ("ruleset", "geo"),
        ("ruleset", "printing"),
    },
    "core/feeds": {
        ("content", "versions"),
        ("evaluate", "content"),
        ("evaluate", "critical"),
        ("evaluate", "judgement"),
        ("evaluate", "parsed_list"),
        ("found_list", "content"),
        ("found_list", "evaluate"),
        ("found_list", "parsed_list"),
        ("found_list", "quarantine"),
        ("guards", "completeness"),
        ("guards", "critical"),
        ("guards", "extent"),
        ("guards", "parsed_list"),
        ("health", "guards"),
        ("health", "quarantine"),
        ("judgement", "completeness"),
        ("joined", "completeness"),
        ("lasting", "content"),
        ("joined", "parsed_list"),
        ("judgement", "critical"),
        ("judgement", "extent"),
        ("judgement", "guards"),
        ("judgement", "parsed_list"),
        ("judgement", "samples"),
        ("parsed_list", "completeness"),
        ("parsers", "parsed_list"),
        ("quarantine", "evaluate"),
        ("quarantine", "extent"),
        ("quarantine", "guards"),
        ("quarantine", "judgement"),
        ("quarantine", "samples"),
        ("samples", "extent"),
        ("reading", "completeness"),
        ("reading", "parsed_list"),
        ("reading", "parsers"),
    },
    "adapters": {
        ("firewalls", "netlink"),
        ("fetch", "parser_process"),
        ("fetch", "system"),
        ("geo", "fetch"),
        ("names", "parser_process"),
        ("names", "system"),
        ("parser_process", "system"),
        ("signatures", "parser_process"),
        ("signatures", "system"),
        ("host", "netlink"),
    },
    "adapters/fetch": {
        ("file", "list_path"),
        ("connections", "http_faults"),
        ("connections", "routes"),
        ("connections", "proxies"),
        ("http", "connections"),
        ("http", "credentials"),
        ("http", "http_faults"),
        ("http", "name_lookups"),
        ("http", "pages"),
        ("http", "routes"),
        ("http", "receiving"),
        ("http", "verifying"),
        ("named_files", "list_path"),
        ("routes", "credentials"),
    },
    "adapters/firewalls": set(),
    "adapters/geo": set(),
    "adapters/host": {
        ("login_monitor", "sessions"),
        ("protected", "addresses"),
        ("protected", "route_netlink"),
        ("protected", "services_in_use"),
        ("protected", "wireguard"),
        ("route_monitor", "route_netlink"),
        ("services_in_use", "addresses"),
        ("sessions", "addresses"),
        ("coverage", "route_netlink"),
        ("wireguard", "route_netlink"),
    },
    "adapters/mqtt": {
        ("connection", "outbox"),
        ("connection", "without_dns"),
    },
    "adapters/notices": {
        ("apprise_receiver", "apprise_child"),
        ("apprise_receiver", "program"),
        ("apprise_receiver", "secrets"),
        ("hook", "program"),
        ("hook", "secrets"),
    },
    "adapters/names": {
        ("lookup", "messages"),
        ("name_servers", "messages"),
        ("program", "host_files"),
        ("program", "messages"),
    },
    "adapters/netlink": {
        ("conntrack", "conntrack_entries"),
        ("conntrack", "messages"),
        ("conntrack", "wire"),
        ("conntrack_entries", "messages"),
        ("dumping", "messages"),
        ("expressions", "messages"),
        ("nft_monitor", "notices"),
        ("nft_monitor", "socket"),
        ("nft_monitor", "wire"),
        ("notices", "messages"),
        ("packet_log", "messages"),
        ("packet_log", "wire"),
        ("probing", "messages"),
        ("probing", "socket"),
        ("socket", "messages"),
        ("socket", "wire"),
        ("wire", "messages"),
    },
    "adapters/storage": {
        ("backends_in_use", "database"),
        ("database", "database_file"),
        ("database", "database_schema"),
        ("database", "works"),
        ("database_file", "database_schema"),
        ("database_file", "state_files"),
        ("fleet", "database"),
        ("geo_cache", "database"),
        ("import_runs", "database"),
        ("import_runs", "list_ends"),
        ("list_ends", "database"),
        ("manual_bans", "database"),
        ("orders", "database"),
        ("reports", "database"),
        ("reports", "manual_bans"),
        ("import_runs", "marks"),
        ("import_runs", "poll_rows"),
        ("polling", "poll_rows"),
        ("quarantine", "poll_rows"),
        ("import_runs", "versions"),
        ("versions", "database"),
        ("value", "database"),
        ("polling", "database"),
        ("evidence", "database"),
        ("host", "database"),
        ("polling", "import_runs"),
        ("polling", "quarantine"),
        ("quarantine", "database"),
        ("quarantine", "works"),
        ("start", "database"),
        ("works", "database_schema"),
    },
    "adapters/system": set(),
}

# Helpers that every room of a folder may import; those rooms need no arrow for them.
SHARED = {"adapters/firewalls": {"marker_text", "threaded"}}

PURE = {"core", "scopes", "model", "errors", "events", "formats", "backends"}
NOT_IN_CORE = {
    "asyncio",
    "time",
    "datetime",
    "os",
    "pathlib",
    "random",
    "subprocess",
    "threading",
    "aiohttp",
    "aiosqlite",
    "sqlite3",
    "systemd",
}

# pathlib: a path in a configuration is a value. datetime: so is the day on which an allow entry ends.
ALLOWED_IN_CORE_CONFIG = {"pathlib", "datetime"}

NOT_IN_CTL = {"numpy", "aiohttp", "pydantic", "yaml", "aiosqlite"}

# How many entries a folder may have before it is more than one room.
MAX_ENTRIES = {"core": 14, "adapters": 12}
MAX_FILES = 14
MAX_LINES = 320
MAX_PARAMETERS = 8

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
FOLDERS = sorted({module.parent for module in MODULES})


def room_of(module: Path) -> str:
    return module.parts[0].removesuffix(".py")


@cache
def imports_of(module: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def neighbours_of(module: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """What a module imports of the other rooms of a folder that it is in."""
    mine = module.relative_to(folder).parts[0].removesuffix(".py")
    inside = ("banlistd", *folder.parts)
    for name in imports_of(module):
        parts = tuple(name.split("."))
        if parts[: len(inside)] == inside and (other := parts[len(inside)]) != mine:
            yield mine, other


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_an_import_points_to_a_lower_floor(module: Path) -> None:
    room = room_of(module)
    for name in imports_of(module):
        parts = name.split(".")
        if parts[0] != "banlistd" or parts[1] == room or parts[1] not in FLOORS:
            continue
        assert FLOORS[parts[1]] < FLOORS[room], f"{module} imports {name}"


@pytest.mark.parametrize("folder", ARROWS)
def test_a_room_imports_a_neighbour_only_where_the_arrow_is_listed(folder: str) -> None:
    shared = SHARED.get(folder, set())
    inside = [module for module in MODULES if Path(folder) in module.parents]
    arrows = {arrow for module in inside for arrow in neighbours_of(module, Path(folder)) if arrow[1] not in shared}
    unlisted, unused = arrows - ARROWS[folder], ARROWS[folder] - arrows
    assert not unlisted, f"list the arrow in ARROWS if it is meant: {sorted(unlisted)}"
    assert not unused, f"delete the arrow from ARROWS: {sorted(unused)}"


@pytest.mark.parametrize(
    "module",
    [module for module in MODULES if room_of(module) in PURE],
    ids=str,
)
def test_the_core_has_no_clock_no_files_and_no_event_loop(module: Path) -> None:
    allowed = ALLOWED_IN_CORE_CONFIG if Path("core/config") in module.parents else set()
    used = {name.split(".")[0] for name in imports_of(module)}
    assert not used & (NOT_IN_CORE - allowed), f"{module} imports {used & NOT_IN_CORE}"


@pytest.mark.parametrize("module", [module for module in MODULES if room_of(module) == "ctl"], ids=str)
def test_the_tool_imports_nothing_heavy(module: Path) -> None:
    assert not {name.split(".")[0] for name in imports_of(module)} & NOT_IN_CTL


@pytest.mark.parametrize("module", [Path("cli.py"), Path("application.py")], ids=str)
def test_the_modes_take_their_parts_from_compose(module: Path) -> None:
    adapters = {name.rpartition(".")[0] for name in imports_of(module) if name.startswith("banlistd.adapters.")}
    assert adapters <= {"banlistd.adapters.system.console"}


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_a_room_is_small_enough_to_be_seen_at_once(folder: Path) -> None:
    entries = [entry for entry in (PACKAGE / folder).iterdir() if entry.name != "__pycache__"]
    files = [entry for entry in entries if entry.suffix == ".py"]
    assert len(files) <= MAX_FILES
    assert len(entries) <= MAX_ENTRIES.get(str(folder), len(entries))


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_can_be_read_in_one_go(module: Path) -> None:
    text = (PACKAGE / module).read_text(encoding="utf-8")
    lines = len(text.splitlines())
    assert lines <= MAX_LINES, f"{module} has {lines} lines: split it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            places = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [place.arg for place in places if place.arg not in {"self", "cls"}]
            assert len(names) <= MAX_PARAMETERS, f"{module}:{node.lineno} {node.name}: group some of {names}"


@pytest.mark.parametrize(
    "module", [module for module in MODULES if room_of(module) in {"services", "control", "daemon"}], ids=str
)
def test_only_the_enforcer_calls_the_firewall(module: Path) -> None:
    calls = {
        ast.unparse(node)
        for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr.removeprefix("_") == "firewall"
    }
    assert not calls or module == Path("services/enforcer.py")


def test_every_room_has_a_floor() -> None:
    assert {room_of(module) for module in MODULES} <= FLOORS.keys()
