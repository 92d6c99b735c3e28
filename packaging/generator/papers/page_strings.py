"""The texts of the page in Cockpit, as a template for translators (GNU gettext, "The Format of PO Files")."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from papers.paper import Paper, whole

PAGE = Path(__file__).resolve().parents[2] / "cockpit"
TEMPLATE = "packaging/cockpit/po/cockpit-banlistd.pot"

_TEXT = r'"((?:[^"\\]|\\.)*)"'
_ONE = re.compile(rf"(?<![\w.])_\(\s*{_TEXT}\s*\)")
_COUNTED = re.compile(rf"\bcounted\((?:[^\"()]|\([^()]*\))+,\s*{_TEXT},\s*{_TEXT}\)")
# However they are written: what the patterns above do not find would be missing in every translation.
_CALL = re.compile(r"(?<![\w.])(?:_|counted)\(")

_HEADER = (
    "# The texts of cockpit-banlistd. A translation is a file LANGUAGE.po in this folder; packaging/build-cockpit takes it.\n"
    'msgid ""\n'
    'msgstr ""\n'
    '"Project-Id-Version: cockpit-banlistd\\n"\n'
    '"MIME-Version: 1.0\\n"\n'
    '"Content-Type: text/plain; charset=UTF-8\\n"\n'
    '"Content-Transfer-Encoding: 8bit\\n"\n'
    '"Plural-Forms: nplurals=INTEGER; plural=EXPRESSION;\\n"\n'
)


def texts(script: str) -> Iterator[tuple[str, str]]:
    """The texts of a script, in its order, with their plurals or "". Raises ValueError for a call that is not understood."""
    script = re.sub(r"/\*.*?\*/", "", script, flags=re.DOTALL)
    found = [(each.start(), each[1], "") for each in _ONE.finditer(script)]
    found += [(each.start(), each[1], each[2]) for each in _COUNTED.finditer(script)]
    unknown = {each.start() for each in _CALL.finditer(script)} - {at for at, _, _ in found}
    if unknown:
        raise ValueError(f"no text that a translator could be given: {script[min(unknown) :][:80]}")
    return ((one, many) for _, one, many in sorted(found))


def _template() -> str:
    places: dict[tuple[str, str], list[str]] = {}
    for path in sorted((PAGE / "src").rglob("*.js")):
        for text in texts(path.read_text()):
            places.setdefault(text, []).append(path.relative_to(PAGE).as_posix())
    for tool in json.loads((PAGE / "manifest.json").read_text())["tools"].values():
        places.setdefault((tool["label"], ""), []).append("manifest.json")
    return _HEADER + "".join(_entry(one, many, dict.fromkeys(files)) for (one, many), files in places.items())


def _entry(one: str, many: str, files: dict[str, None]) -> str:
    forms = f'msgid_plural "{many}"\nmsgstr[0] ""\nmsgstr[1] ""\n' if many else 'msgstr ""\n'
    return f'\n#: {" ".join(files)}\nmsgid "{one}"\n{forms}'


PAPERS: tuple[Paper, ...] = (whole(TEMPLATE, _template),)
