"""Rows that fit a terminal: what is too wide for its column goes on in the next line, and nothing is cut.

A pipe or a file gets rows as wide as they are: programs take them apart by lines.
"""

from __future__ import annotations

import re
import sys
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["aligned", "fitted", "hanging", "least_width", "terminal_width"]

_SHORT = 12
"""A cell this wide stays whole, and no column gets narrower for longer ones."""
_WORD = 20
"""A word this long, such as an id, is broken only where nothing else makes the rows fit."""

# keys, URLs and sentences come apart where their parts do, names and kinds of Kubernetes only where they have to
_PART = re.compile(r".+?(?:(?<![:/])/+[)\],]* *|,? +|(?<=[a-z])(?=[A-Z])|$)")
_PIECE = re.compile(r".+?(?:[/.,:_-]+ *| +|(?<=[a-z])(?=[A-Z])|(?=\\[xu])|$)")


def terminal_width() -> int | None:
    """Return how many columns the terminal has that stdout is, None for a pipe or a file."""
    if not sys.stdout.isatty():
        return None
    import shutil  # noqa: PLC0415  it loads every kind of compression

    return shutil.get_terminal_size().columns


def hanging(head: str, text: str) -> str:
    """Return a row whose last cell goes on below itself where the terminal ends."""
    width = terminal_width()
    room = 0 if width is None else width - len(head)
    return head + (f"\n{'':{len(head)}}".join(_folded(text, room)) if room >= _SHORT else text)


def aligned(rows: Sequence[Sequence[str]], *, left: Collection[int], gap: str = "  ") -> Iterator[str]:
    """Yield lines of columns without borders; those not named ``left`` are aligned right. On a terminal they fit it."""
    width = terminal_width()
    if width is not None and rows:
        rows = fitted(rows, width - len(gap) * (len(rows[0]) - 1))
    widths = [max(map(_cell_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        for cells in zip_longest(*(cell.split("\n") for cell in row), fillvalue=""):
            spaces = (" " * (column - _columns(cell)) for cell, column in zip(cells, widths, strict=True))
            padded = zip(range(len(cells)), cells, spaces, strict=True)
            yield gap.join(cell + space if at in left else space + cell for at, cell, space in padded).rstrip()


def least_width(rows: Sequence[Sequence[str]]) -> int:
    """Return the columns that rows need when no word of usual length is to be broken."""
    return sum(_least(column, _WORD) for column in zip(*rows, strict=True))


def fitted(rows: Sequence[Sequence[str]], room: int) -> list[list[str]]:
    """Return rows, headers first, whose cells add up to at most ``room`` columns, if they can.

    The widest columns are folded; lines that stood beside each other in their cells still do.
    """
    by_column = list(zip(*rows, strict=True))
    widths = [min(max(map(_cell_width, column)), max(room, _SHORT)) for column in by_column]
    for word in (_WORD, _SHORT):
        _narrow(widths, [_least(column, word) for column in by_column], room)
    return [_folded_row(row, widths) for row in rows]


def _folded_row(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    folded: list[list[str]] = [[] for _ in row]
    for beside in zip_longest(*(cell.split("\n") for cell in row), fillvalue=""):
        cells = [list(_folded(cell, width)) for cell, width in zip(beside, widths, strict=True)]
        for lines in zip_longest(*cells, fillvalue=""):
            for whole, line in zip(folded, lines, strict=True):
                whole.append(line)
    return ["\n".join(lines).rstrip("\n") for lines in folded]


def _narrow(widths: list[int], least: Sequence[int], room: int) -> None:
    """Take columns from the widest one until they fit, or all are as narrow as they may be."""
    while sum(widths) > room:
        width, widest = max(
            ((width, place) for place, width in enumerate(widths) if width > least[place]), default=(0, 0)
        )
        if not width:
            return
        widths[widest] = width - 1


def _folded(text: str, width: int) -> Iterator[str]:
    """Yield lines of at most ``width`` columns; a word that is longer is broken where the line is full."""
    if _columns(text) <= width:
        yield text
        return
    begun = ""
    for piece in _pieces(text, width):
        if begun and _columns(begun + piece.rstrip(" ")) > width:
            yield begun.rstrip(" ")
            begun = ""
        begun += piece
    yield begun.rstrip(" ")


def _pieces(text: str, width: int) -> Iterator[str]:
    for part in _PART.findall(text):
        if _columns(part) <= width:
            yield part
        else:
            for piece in _PIECE.findall(part):
                yield from _broken(piece, width)


def _broken(piece: str, width: int) -> Iterator[str]:
    """Break a piece where a line is full; a letter of some scripts takes two columns."""
    start = used = 0
    for place, letter in enumerate(piece):
        columns = _columns(letter)
        if used + columns > width and place > start:
            yield piece[start:place]
            start, used = place, 0
        used += columns
    yield piece[start:]


def _least(column: Sequence[str], word: int) -> int:
    """Return what a header and the cells below it need, when words up to ``word`` columns stay whole."""
    header, *cells = column
    needs = [_columns(part) for part in header.split()]
    for cell in cells:
        whole = _cell_width(cell)
        pieces = [whole] if whole <= _SHORT else (_columns(piece.rstrip(" ")) for piece in _PIECE.findall(cell))
        needs += (min(need, word) for need in pieces)
    return max(needs, default=0)


def _cell_width(cell: str) -> int:
    return max(map(_columns, cell.split("\n")))


def _columns(text: str) -> int:
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # noqa: PLC0415  most text goes without

    return max(0, wcswidth(text))
