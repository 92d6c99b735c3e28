"""The list formats in banlistd.yaml(5) and packaging/docs/formats.md."""

from banlistd.formats import FormatType
from papers.paper import Paper, section
from papers.roff import roff

_ADDRESSES = ("192.0.2.1", "198.51.100.7")


def _man() -> str:
    return "".join(f".TP\n.B {kind}\n{roff(kind.kind.summary)}\n{_recognised(kind)}" for kind in FormatType)


def _recognised(kind: FormatType) -> str:
    return f"{roff(f'Recognised by: {kind.kind.recognised_by}.')}\n" if kind.kind.recognised_by else ""


def _table() -> str:
    rows = (
        f"| `{kind}` | {kind.kind.summary} | {', '.join(f'`{key}`' for key in kind.kind.keys)} | {kind.kind.recognised_by} |\n"
        for kind in FormatType
    )
    return "| type | what it is | keys | `auto` recognises it by |\n|---|---|---|---|\n" + "".join(rows)


def _examples() -> str:
    kinds = (kind for kind in FormatType if kind is not FormatType.AUTO)
    return "\n".join(f"`{kind}`:\n\n```\n{kind.kind.example.written(_ADDRESSES)}```\n" for kind in kinds)


PAPERS: tuple[Paper, ...] = (
    section("packaging/man/banlistd.yaml.5", "formats", _man),
    section("packaging/docs/formats.md", "formats", _table),
    section("packaging/docs/formats.md", "examples", _examples),
)
