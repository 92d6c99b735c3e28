"""A generated file, or a generated section of a file that is otherwise written by hand."""

import re
from collections.abc import Callable
from dataclasses import dataclass

# How a line of comment begins and ends, by the end of a file's name; a man page's ends in its section.
_COMMENTS = {".md": ("<!-- ", " -->"), ".yaml": ("# ", ""), ".1": ('.\\" ', ""), ".5": ('.\\" ', ""), ".8": ('.\\" ', "")}


@dataclass(frozen=True, slots=True)
class Paper:
    """`path`: relative to the top of the checkout. `text`: the new text of the file, made from the present one."""

    path: str
    text: Callable[[str], str]


def whole(path: str, make: Callable[[], str]) -> Paper:
    """A file that is generated from the first line to the last."""
    return Paper(path, lambda _: make())


def section(path: str, name: str, make: Callable[[], str]) -> Paper:
    """The lines between `begin generated: NAME` and `end generated: NAME`, which are comments of the file."""
    before, after = next(comment for ending, comment in _COMMENTS.items() if path.endswith(ending))
    begin, end = (f"{before}{word} generated: {name}{after}\n" for word in ("begin", "end"))

    def text(present: str) -> str:
        pattern = re.compile(f"(^{re.escape(begin)}).*?(^{re.escape(end)})", re.MULTILINE | re.DOTALL)
        body = make().rstrip("\n") + "\n"
        new, count = pattern.subn(lambda found: f"{found[1]}{body}{found[2]}", present)
        if count != 1:
            raise ValueError(f"{path} has {count} sections {name!r}, not one")
        return new

    return Paper(path, text)
