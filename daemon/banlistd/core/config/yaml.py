"""YAML -> plain data with positions. Every scalar stays text, so that `no` is not False and 010 is not 8.

Hostile YAML ends here: no tags, no merge keys, bounded size, depth and aliases. load.py gives it its meaning.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from banlistd.core.config.problems import Document, Place, Problem, key_of
from banlistd.core.printing import printable, shown

# The largest file: 20,000 sources need less.
LARGEST_FILE = 4 * 2**20

# What nests deeper than this is no configuration; stacks end much later.
DEEPEST = 24

# Values in one file, its aliases written out. 20,000 sources of ten keys are 420,000.
MAX_VALUES = 500_000


def parse_document(name: str, content: bytes) -> Document:
    """The document of a file's bytes. Raises nothing: all that is wrong is among the document's problems."""
    try:
        return _document(name, _text_of(content))
    except _BadYamlError as fault:
        return Document(name, problems=(Problem(name, fault.line, "", fault.words, fault.hint),))


class _BadYamlError(Exception):
    """A file that cannot be read any further. `line` 0: the whole of it."""

    def __init__(self, line: int, words: str, hint: str) -> None:
        super().__init__(words)
        self.line = line
        self.words = words
        self.hint = hint


# All but what YAML 1.1 calls printable (5.1), and without its odder line breaks: no editor counts lines by them.
_NOT_YAML = re.compile("[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def _text_of(content: bytes) -> str:
    if len(content) > LARGEST_FILE:
        raise _BadYamlError(0, "is larger than 4 MiB", "split it into files of sources.d")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise _BadYamlError(content.count(b"\n", 0, fault.start) + 1, "is not UTF-8", "save it as UTF-8") from None
    odd = _NOT_YAML.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        raise _BadYamlError(line, f"has the character {shown(odd[0])}", "remove it: it cannot be seen")
    return text


@dataclass(slots=True)
class _Node:
    """A value of the file. A mapping's `items` are key, value, key, value; `text` is None for nothing, `~` and `null`.

    `size`: how many values with all aliases written out, `depth`: of the levels below; both known once it is closed.
    """

    kind: str
    line: int
    text: str | None = None
    items: "list[_Node]" = field(default_factory=list)
    size: int = 1
    depth: int = 0
    closed: bool = False


# The C parser is ten times faster; some builds of PyYAML come without it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_ODD_BEGINNING = re.compile(r"^[ \t]*+(?:([^\S \t\r\n\x0b\x0c\x1c-\x1e])[^\n]*?[^\s]|(<{7}|={7}|>{7})(?: |\r?$))", re.MULTILINE)


def _refuse_odd_beginnings(text: str) -> None:
    """What YAML takes for text, and is none: blanks that look like those of an indentation, marks of a merge."""
    found = _ODD_BEGINNING.search(text)
    if found is None:
        return
    line = text.count("\n", 0, found.start()) + 1
    if found[2]:
        raise _BadYamlError(line, "a conflict of a merge is not solved here", "keep one of the two parts, and delete the marks")
    sign = f"U+{ord(found[1]):04X}"
    raise _BadYamlError(line, f"there is another blank ({sign}) at the beginning of the line", "YAML is indented with spaces")


def _document(name: str, text: str) -> Document:
    _refuse_odd_beginnings(text)
    try:
        root = _grow(text)
    except yaml.YAMLError as fault:
        mark = fault.problem_mark if isinstance(fault, yaml.MarkedYAMLError) else None
        problem = (fault.problem if isinstance(fault, yaml.MarkedYAMLError) else "") or ""
        lines = text.splitlines()
        opened = fault.context_mark if isinstance(fault, yaml.MarkedYAMLError) else None
        if opened and "found unexpected end of stream" in problem:
            raise _BadYamlError(
                opened.line + 1, "a quote is opened here and not closed", "write the same quote at its end"
            ) from None
        # An end that comes too soon is found behind the last line.
        line = min(mark.line + 1 if mark else 1, max(len(lines), 1))
        words, hint = _in_words(problem, lines[:line] or [""])
        raise _BadYamlError(line, words, hint) from None
    lines_of: dict[Place, int] = {}
    problems: list[Problem] = []
    tree = _plain(root, (), lines_of, problems, name) if root else None
    return Document(name, tree, lines_of, tuple(problems))


def _grow(text: str) -> _Node | None:
    """The value of the only document, None for an empty file. Built from events: no depth exhausts a stack."""
    root: _Node | None = None
    open_nodes: list[_Node] = []
    anchors: dict[str, _Node] = {}
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.CollectionEndEvent):
            _close(open_nodes.pop())
            continue
        if isinstance(event, yaml.DocumentStartEvent) and root:
            raise _BadYamlError(line, "a second document begins", "remove the line ---; sources.d takes more files")
        if not isinstance(event, yaml.NodeEvent):
            continue
        node = _node(event, anchors, line)
        if open_nodes:
            open_nodes[-1].items.append(node)
        root = root or node
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append(node)
            if len(open_nodes) > DEEPEST:
                raise _BadYamlError(line, "nests too deep", f"at most {DEEPEST} levels")
    return root


_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})


def _node(event: yaml.NodeEvent, anchors: dict[str, _Node], line: int) -> _Node:
    if isinstance(event, yaml.AliasEvent):
        alias = event.anchor or ""
        if alias not in anchors or not anchors[alias].closed:
            raise _BadYamlError(line, f"*{printable(alias)} refers to no anchor", "quote a text that begins with *")
        return anchors[alias]
    if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
        return _Node("scalar", line, closed=True)  # YAML has no other nodes
    if event.tag is not None:
        raise _BadYamlError(line, f"has the tag {shown(event.tag)}", "tags are not understood; quote a text with !")
    if isinstance(event, yaml.ScalarEvent):
        plain = event.implicit[0]
        text = None if plain and event.value in _NOTHING else event.value
        node = _Node("scalar", line, text, closed=True)
    else:
        node = _Node("mapping" if isinstance(event, yaml.MappingStartEvent) else "list", line)
    if event.anchor:
        anchors[event.anchor] = node
    return node


def _close(node: _Node) -> None:
    node.size += sum(item.size for item in node.items)
    node.depth = 1 + max((item.depth for item in node.items), default=0)
    node.closed = True
    # Aliases of aliases grow without much text; both bounds count them written out.
    if node.size > MAX_VALUES:
        raise _BadYamlError(node.line, "has too many values", f"at most {MAX_VALUES}, aliases written out")
    if node.depth > DEEPEST:
        raise _BadYamlError(node.line, "nests too deep", f"at most {DEEPEST} levels")


def _plain(node: _Node, place: Place, lines: dict[Place, int], problems: list[Problem], name: str) -> object:
    lines.setdefault(place, node.line)
    if node.kind == "scalar":
        return node.text
    if node.kind == "list":
        return [_plain(item, (*place, index), lines, problems, name) for index, item in enumerate(node.items)]
    tree: dict[str, object] = {}
    for key, value in zip(node.items[::2], node.items[1::2], strict=True):
        if key.text is None:
            words = "a key has no name" if key.kind == "scalar" else f"a key is a {key.kind}"
            problems.append(Problem(name, key.line, key_of(place), words, "write name: value"))
            continue
        at = (*place, key.text)
        if key.text in tree:
            first = f"line {lines[at]} has it already; delete one of them"
            problems.append(Problem(name, key.line, key_of(at), "is written twice", first))
            continue
        lines[at] = key.line
        tree[key.text] = _plain(value, at, lines, problems, name)
    return tree


# A key without the blank that YAML wants after its colon; in a url, slashes follow.
_NO_BLANK = re.compile(r" *(?:- +)?([a-z_0-9]+):(?!//)[^ ].*")


def _in_words(problem: str, lines: Sequence[str]) -> tuple[str, str]:
    """What libyaml found, for someone who has never heard of tokens. `lines`: up to where it noticed."""
    *above, line = lines
    quote = next((at for at, one in enumerate(above, 1) if one.partition(" #")[0].count('"') % 2), 0)
    if quote:
        return "is not YAML", f"line {quote} opens a quote that it does not close"
    glued = _NO_BLANK.fullmatch(above[-1]) if above and "mapping values are not allowed" in problem else None
    if glued:
        return "the line above has no blank after its colon", f"write {glued[1]}: value"
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "there is a tab at the beginning of the line", "YAML is indented with spaces"
    return next((words for sign, words in _SIGNS.items() if sign in problem), ("is not YAML", printable(problem)))


_SIGNS: Mapping[str, tuple[str, str]] = {
    # libyaml stops by itself, long after we would, where no level is ever complete (since PyYAML 6.0.4).
    "exceeded maximum nesting depth": ("nests too deep", f"at most {DEEPEST} levels"),
    "mapping values are not allowed": (
        'there is a ":" where none can be',
        "the line above may be indented less, or a text with a colon needs quotes",
    ),
    "could not find expected ':'": ('a ":" is missing', "write name: value, with a blank after the colon"),
    "did not find expected key": ("a key is missing", "the line may be indented differently from those above"),
    "expected '-' indicator": ('a "-" is missing', "the line may be indented differently from those above"),
    "did not find expected ',' or ']'": ("a list [ is not closed", "write ] at its end"),
    "did not find expected ',' or '}'": ("a mapping { is not closed", "write } at its end"),
    "did not find expected node content": ("a value is missing", 'quote a text that begins with ":"'),
    "cannot start any token": ("a text begins with a character that YAML keeps for itself", "quote the text"),
    "unknown escape character": ("a backslash in double quotes begins nothing", "use single quotes"),
    "violates indentation": ("there is a tab where blanks must be", "YAML is indented with spaces"),
}
