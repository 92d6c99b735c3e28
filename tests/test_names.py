"""One meaning for each name: no public name is defined at the top of two modules, except where the list below says why."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "daemon" / "banlistd"

# The same notion in two firewalls: rooms side by side, each of which reads like the other.
FIREWALLS = {
    "ALLOWED",
    "APPLIED",
    "EVERY_MAP",
    "Look",
    "REFUSED_RULES",
    "Record",
    "SAMPLE",
    "SERVICES",
    "chain_of",
    "compose",
    "element_messages",
    "entries_of",
    "faults_of",
    "is_ours",
    "look_at",
    "map_entries_of",
    "markers_of",
    "questions",
    "read",
    "record_of",
    "shape_of",
    "write",
}

ALLOWED = {
    "main": {
        "__main__",
        "ctl/__main__",
        "notifying/__main__",
        "adapters/parser_process/child",
        "adapters/notices/apprise_child",
    },  # programs
}


def public_names_of(module: Path) -> Iterator[str]:
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))


@cache
def defined_twice() -> dict[str, set[str]]:
    """Names with the modules that define them."""
    modules: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for name in public_names_of(path):
            modules[name].add(str(path.relative_to(PACKAGE).with_suffix("")))
    return {name: where for name, where in modules.items() if len(where) > 1}


def are_firewalls(modules: set[str]) -> bool:
    rooms = [module.split("/")[2] for module in modules if module.startswith("adapters/firewalls/")]
    return len(rooms) == len(modules) == len(set(rooms))


def test_a_public_name_has_one_meaning() -> None:
    offenders = [
        f"{name}: {', '.join(sorted(where))}"
        for name, where in sorted(defined_twice().items())
        if where != ALLOWED.get(name) and not (name in FIREWALLS and are_firewalls(where))
    ]
    assert not offenders, "\n".join(["one name, two meanings: rename it, or list it in ALLOWED", *offenders])


def test_no_exception_is_out_of_use() -> None:
    unused = (FIREWALLS | ALLOWED.keys()) - defined_twice().keys()
    assert not unused, f"FIREWALLS or ALLOWED lists what is no longer defined twice: {sorted(unused)}"
