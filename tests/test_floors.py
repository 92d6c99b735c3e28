"""The floors: an import points to a lower floor, rooms on one floor do not know each other, and core stays pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "daemon" / "banlistd"

FLOORS = {
    "model": 0,
    "errors": 0,
    "places": 0,
    "core": 1,
    "interfaces": 2,
    "operations": 2,
    "importing": 3,
    "enforcing": 3,
    "banning": 3,
    "moving": 3,
    "timetable": 3,
    "enriching": 3,
    "adapters": 3,
    "service": 4,
    "answers": 4,
    "control": 4,
    "compose": 5,
    "restoring": 5,
    "modes": 6,
    "ctl": 6,
    "__main__": 7,
}

# Rooms of one floor that may know each other: none. Within the adapters only these may.
ADAPTERS_THAT_MAY_KNOW = {
    ("backends", "netlink"),
    ("backends", "netlink_monitor"),
    ("netlink_monitor", "netlink"),
    ("route_netlink", "netlink"),
    ("host", "route_netlink"),
    ("import_runs", "database"),
    ("database", "database_file"),
    ("database", "database_schema"),
    ("database_file", "database_schema"),
    ("backends_in_use", "database"),
    ("known_names", "database"),
    ("last_footing", "database"),
    ("quarantine", "database"),
    ("manual_bans", "database"),
    ("geo_cache", "database"),
    ("download", "credentials"),
    ("geo_online", "credentials"),
}

NOT_IN_CORE = {
    "asyncio", "time", "datetime", "os", "pathlib", "random", "subprocess", "threading", "aiohttp", "aiosqlite", "sqlite3",
    "systemd",
}  # fmt: skip

# pathlib: a path in a configuration is a value. datetime: so is the day on which an allow entry ends.
ALLOWED_IN_CORE_CONFIG = {"pathlib", "datetime"}

NOT_IN_CTL = {"numpy", "aiohttp", "pydantic", "yaml", "aiosqlite"}

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def room_of(module: Path) -> str:
    return module.parts[0].removesuffix(".py")


def imports_of(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_an_import_points_to_a_lower_floor(module: Path) -> None:
    room = room_of(module)
    for name in imports_of(module):
        parts = name.split(".")
        if parts[0] != "banlistd" or parts[1] == room or parts[1] not in FLOORS:
            continue
        assert FLOORS[parts[1]] < FLOORS[room], f"{module} imports {name}"


@pytest.mark.parametrize("module", [module for module in MODULES if room_of(module) == "adapters"], ids=str)
def test_an_adapter_knows_no_other_adapter(module: Path) -> None:
    mine = module.parts[1].removesuffix(".py")
    for name in imports_of(module):
        parts = name.split(".")
        if parts[:2] == ["banlistd", "adapters"] and parts[2] != mine:
            assert (mine, parts[2]) in ADAPTERS_THAT_MAY_KNOW, f"{module} imports {name}"


@pytest.mark.parametrize("module", [module for module in MODULES if room_of(module) in {"core", "model", "errors"}], ids=str)
def test_the_core_has_no_clock_no_files_and_no_event_loop(module: Path) -> None:
    allowed = ALLOWED_IN_CORE_CONFIG if module.name.startswith("config") else set()
    used = {name.split(".")[0] for name in imports_of(module)}
    assert not used & (NOT_IN_CORE - allowed), f"{module} imports {used & NOT_IN_CORE}"


@pytest.mark.parametrize("module", [module for module in MODULES if room_of(module) == "ctl"], ids=str)
def test_the_tool_imports_nothing_heavy(module: Path) -> None:
    assert not {name.split(".")[0] for name in imports_of(module)} & NOT_IN_CTL


def test_every_room_has_a_floor() -> None:
    assert {room_of(module) for module in MODULES} <= FLOORS.keys()
