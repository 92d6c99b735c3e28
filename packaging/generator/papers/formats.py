"""The list formats in banlistd.yaml(5) and packaging/docs/formats.md."""

from banlistd.formats import FormatType
from papers.paper import Paper, section
from papers.roff import roff

_BESIDE = {
    "where": (
        'In `csv`, `json` and `jsonl`: only the records that meet every condition are read, as in `where: {score: ">= '
        '90", type: ADDR, country: [DE, FR], expires: future}`. A condition is a value, one of a list, or a value '
        "after `>=`, `<=`, `>`, `<` or `!=`; numbers and times are compared as such, words whatever their case. "
        "`future` is a time that has not come; the ban ends when it comes, without a poll. "
        "A field that is absent or empty meets only `!=`; a record whose time "
        "cannot be read is rejected."
    ),
    "members": (
        'In every format: which files of a zip or tar archive are read, as in `members: "*.txt"`. Without it all that '
        "may be lists are read one behind the other, without prose and signatures, which are known by their names, "
        "and files without an address. An archive of which one of these cannot be read is refused, as are files of "
        "several kinds and archives in it."
    ),
}
"""Keys of more than one format."""

_ADDRESSES = ("192.0.2.1", "198.51.100.7")


def _man() -> str:
    kinds = "".join(f".TP\n.B {kind}\n{roff(kind.kind.summary)}\n{_recognised(kind)}" for kind in FormatType)
    return kinds + "".join(f".PP\n{roff(f'`{key}`: {text[0].lower()}{text[1:]}')}\n" for key, text in _BESIDE.items())


def _recognised(kind: FormatType) -> str:
    return f"{roff(f'Recognised by: {kind.kind.recognised_by}.')}\n" if kind.kind.recognised_by else ""


def _table() -> str:
    rows = (
        f"| `{kind}` | {kind.kind.summary} | {', '.join(f'`{key}`' for key in kind.kind.keys)} | {kind.kind.recognised_by} |\n"
        for kind in FormatType
    )
    beside = "".join(f"\n`{key}`: {text[0].lower()}{text[1:]}\n" for key, text in _BESIDE.items())
    return "| type | what it is | keys | `auto` recognises it by |\n|---|---|---|---|\n" + "".join(rows) + beside


def _examples() -> str:
    kinds = (kind for kind in FormatType if kind is not FormatType.AUTO)
    return "\n".join(f"`{kind}`:\n\n```\n{kind.kind.example.written(_ADDRESSES)}```\n" for kind in kinds)


PAPERS: tuple[Paper, ...] = (
    section("packaging/man/banlistd.yaml.5", "formats", _man),
    section("packaging/docs/formats.md", "formats", _table),
    section("packaging/docs/formats.md", "examples", _examples),
)
