"""The four forms of ``-w``: a command says what it found as a `View`, and `show` prints it.

``simple`` and ``fields`` are lines, ``table`` is drawn like etcdutl 3.7 draws it, ``json`` is one document in one line.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from etcdtool.cli.fitting import aligned, fitted, least_width, terminal_width
from etcdtool.cli.text import json_text, printable
from etcdtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Table",
    "View",
    "WriteOut",
    "draw",
    "note",
    "show",
    "show_on_stderr",
    "write_binary",
    "write_bytes",
    "write_lines",
]


_BORDER = 3
"""What a column of a table takes beside its cells."""


class WriteOut(Enum):
    """The forms that ``-w`` knows."""

    SIMPLE = "simple"
    TABLE = "table"
    JSON = "json"
    FIELDS = "fields"
    PROTOBUF = "protobuf"  # of commands alone that say so


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells to draw, already printable; a cell may hold line feeds.

    Attributes:
        headers: one a column, printed in capitals.
        rows: as many cells each as there are headers.
        left: numbers of the columns that are aligned left; the others are aligned right, as etcdutl does.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: frozenset[int] = field(default_factory=frozenset)


class View(Protocol):
    """What a command found, in every form; only the form asked for is made."""

    def simple(self) -> Iterable[str]:
        """Lines for people and for pipes."""
        ...

    def table(self) -> Table:
        """The same as a table."""
        ...

    def fields(self) -> Iterable[tuple[str, str]]:
        """Names and values; strings come quoted, and an empty name leaves a blank line."""
        ...

    def as_json(self) -> object:
        """What a program reads; stable."""
        ...


def show(view: View, write_out: WriteOut) -> None:
    """Print a view on stdout."""
    match write_out:
        case WriteOut.SIMPLE:
            write_lines(view.simple())
        case WriteOut.TABLE:
            write_lines([draw(view.table())])
        case WriteOut.JSON:
            write_lines([json_text(view.as_json())])
        case WriteOut.FIELDS:
            write_lines(f'"{name}" : {value}' if name else "" for name, value in view.fields())


def show_on_stderr(view: View) -> None:
    """Print a view's lines on stderr, when stdout carries data."""
    sys.stderr.writelines(f"{line}\n" for line in view.simple())


def note(text: str) -> None:
    """Tell a person something on stderr, behind the data on stdout."""
    sys.stdout.flush()
    print(text, file=sys.stderr)


def write_lines(lines: Iterable[str]) -> None:
    """Print lines on stdout as they come."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def write_bytes(lines: Iterable[bytes]) -> None:
    """Print lines byte for byte on stdout; on a terminal, what could drive it is escaped."""
    if sys.stdout.isatty():
        write_lines(printable(line.decode("utf-8", "surrogateescape"), newlines=True) for line in lines)
        return
    sys.stdout.flush()
    out = sys.stdout.buffer
    for line in lines:
        out.write(line)
        out.write(b"\n")
    out.flush()


def write_binary(pieces: Iterable[bytes]) -> None:
    """Write a binary form on stdout; a terminal gets none.

    Raises:
        UsageError: stdout is a terminal.
    """
    if sys.stdout.isatty():
        raise UsageError("this form is binary, and stdout is a terminal", hint="Send it to a file or into a pipe.")
    sys.stdout.flush()
    sys.stdout.buffer.writelines(pieces)
    sys.stdout.buffer.flush()


def draw(table: Table) -> str:
    """Return the table with its borders, without a line feed at the end; on a terminal it is no wider than that."""
    import tabulate  # noqa: PLC0415  only tables need it

    tabulate.MIN_PADDING = 0  # it would widen headers by two; etcdutl does not
    headers = [header.upper() for header in table.headers]
    rows: Sequence[Sequence[str]] = [headers, *table.rows]
    if (width := terminal_width()) is not None:
        room = width - _BORDER * len(headers) - 1
        if least_width(rows) > room:  # borders would leave too little
            return "\n".join(aligned(rows, left=table.left, gap=" "))
        rows = fitted(rows, room)
    return tabulate.tabulate(
        rows,
        headers="firstrow",
        tablefmt="simple_outline",
        disable_numparse=True,
        colalign=["left" if column in table.left else "right" for column in range(len(headers))],
        headersglobalalign="center",
        preserve_whitespace=True,
    )
