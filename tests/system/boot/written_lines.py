"""What the documents have an administrator type or write, as it is there."""

import re
from textwrap import dedent

from system.boot.machine_image import TOP

_BLOCK = re.compile(r"(?:^(?:    .*|[ \t]*)\n)*^    .*\n", re.MULTILINE)


def section(document: str, title: str) -> str:
    """The text below a heading. `document`: its path within the repository."""
    parts = dict(part.partition("\n")[::2] for part in (TOP / document).read_text().split("\n## ")[1:])
    return parts[title]


def block(document: str, title: str, containing: str) -> str:
    """The one indented block of a section that has a text, without its indentation."""
    outside = re.sub(r"^```.*?^```$", "", section(document, title), flags=re.DOTALL | re.MULTILINE)
    (found,) = (text for text in _BLOCK.findall(outside) if containing in text)
    return dedent(found).strip("\n") + "\n"


def configuration(document: str, title: str) -> str:
    """The YAML of a section."""
    return "".join(re.findall(r"^```yaml\n(.*?)^```$", section(document, title), flags=re.DOTALL | re.MULTILINE))
