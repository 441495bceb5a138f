"""An export as JSON lines: one record a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from etcdtool.model.exported import Header, KeyRecord, OtherRecord

__all__ = ["LinesSink"]


class LinesSink:
    """Writes JSON lines.

    Args:
        out: where to.
        shown: changes the text of a line before it is written: for terminals.
    """

    exact = True
    takes_others = True

    def __init__(self, out: BinaryIO, *, shown: Callable[[str], str] | None = None) -> None:
        self._out = out
        self._shown = shown
        self._encoder = msgspec.json.Encoder()

    def begin(self, header: Header) -> None:
        """Write the first line."""
        self._write([header])

    def add(self, records: Sequence[KeyRecord | OtherRecord]) -> None:
        """Write a line a record."""
        self._write(records)

    def add_live(self, records: Sequence[KeyRecord | OtherRecord], live: Sequence[bool]) -> None:  # noqa: ARG002
        """Write a line a record; which are live can be told from the lines behind it."""
        self._write(records)

    def finish(self) -> None:
        """Hand over what was buffered."""
        self._out.flush()

    def close(self) -> None:
        """Do nothing: the stream is the caller's."""

    def _write(self, records: Sequence[object]) -> None:
        lines = self._encoder.encode_lines(records)
        self._out.write(lines if self._shown is None else self._shown(lines.decode()).encode())
