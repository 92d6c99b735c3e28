"""What a terminal shows after the bytes that a program wrote: line ends, carriage return, cursor up, erase line."""

import re

_PIECE = re.compile(r"\x1b\[(\??\d*)([A-Za-z])|[\r\n]|[^\x1b\r\n]+")


def screen(written: str) -> list[str]:
    """The lines of the screen down to the cursor, or to the last one with text. No line is wrapped; colours are left out."""
    lines, row, column = [""], 0, 0
    for piece in _PIECE.finditer(written):
        match piece[0], piece[2]:
            case "\r", _:
                column = 0
            case "\n", _:
                row, column = row + 1, 0
                lines += [""] * (row + 1 - len(lines))
            case _, "A":
                row -= int(piece[1] or 1)
                assert row >= 0
            case _, "K":
                lines[row] = "" if piece[1] == "2" else lines[row][:column]
            case _, None:
                lines[row] = lines[row][:column].ljust(column) + piece[0] + lines[row][column + len(piece[0]) :]
                column += len(piece[0])
            case _, kind:
                assert kind in "mhl", piece[0]
    while len(lines) > row + 1 and not lines[-1]:
        lines.pop()
    return [line.rstrip() for line in lines]
