"""Text from outside, made safe to print: no control character, line break or direction mark reaches a terminal or a log.

Pure and light: it imports nothing, so `banlistctl` uses it as well.
"""

LONGEST_QUOTE = 200
"""Characters of foreign text in an error message: enough to recognise it."""

# Long enough to recognise a configured value, short enough for one line of the journal.
_LONGEST_SHOWN = 60


def printable(text: object) -> str:
    r"""Foreign text for one line: every character that is not printable is escaped, as `\x1b`. Its length has no limit."""
    written = str(text)
    if written.isprintable():
        return written
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in written
    )


def quoted(text: str, longest: int = LONGEST_QUOTE) -> str:
    """Foreign text for an error message: printable, cut after `longest` characters, with `...` where it was cut."""
    head = text[:longest]
    safe = printable(head)
    return safe if len(safe) <= longest and len(head) == len(text) else safe[:longest] + "..."


def shown(text: str) -> str:
    """A configured value for a message: in quotation marks, printable, cut to 60 characters."""
    cut = text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."
    return '"' + printable(cut) + '"'


def counted(value: int, one: str, many: str) -> str:
    """A number with its noun: `1 source`, `1,234 sources`."""
    return f"{value:,} {one if value == 1 else many}"
