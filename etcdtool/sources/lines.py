"""A text file of lines, read a piece at a time: as it is, in gzip or zstd, or from stdin."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError, SourceError
from etcdtool.formats.compression import Packing
from etcdtool.sources.files import InputFile, Workspace, open_read_only
from etcdtool.sources.recognise import HEAD_SIZE, Kind, recognise
from etcdtool.sources.unpack import decompress_file, spool_stdin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LINE_SIZE_MAX", "Lines", "Piece", "open_lines"]

LINE_SIZE_MAX = 1 << 28
"""Bytes of a line; a value is 1.5 MB at the most unless a server was told otherwise."""

_PIECE_SIZE = 8 << 20
_PACKED = {Kind.GZIP: Packing.GZIP, Kind.ZSTD: Packing.ZSTD}
_TEXT = {Kind.JSON, Kind.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Piece:
    """Some whole lines.

    Attributes:
        number: of the first line, from 1.
        text: the lines, each with its line feed (the last of a file perhaps without).
        end: offset behind them.
    """

    number: int
    text: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Lines:
    """An opened file of lines.

    Attributes:
        name: as a person is told.
        size: bytes, unpacked.
    """

    name: str
    size: int
    _file: InputFile

    def pieces(self) -> Iterator[Piece]:
        """Yield the file from its start, in pieces of some megabytes.

        Raises:
            FormatError: a line is longer than `LINE_SIZE_MAX`.
            SourceError: it cannot be read, or was written to meanwhile.
        """
        # read, not mapped: what shrinks meanwhile is an error then
        with os.fdopen(open_read_only(self._file.path), "rb", buffering=0) as file:
            number, end, rest = 1, 0, b""
            while True:
                try:
                    found = file.read(_PIECE_SIZE)
                except OSError as error:
                    raise SourceError(f"cannot read {self.name}: {(error.strerror or str(error)).lower()}") from error
                stop = found.rfind(b"\n") + 1 if found else 0
                if not found or stop:
                    text = rest + found[:stop]
                    rest = found[stop:]
                    if text:
                        end += len(text)
                        yield Piece(number, text, end)
                        number += text.count(b"\n")
                    if not found:
                        break
                else:
                    rest += found
                if len(rest) > LINE_SIZE_MAX:
                    raise FormatError(
                        f"line {number + 0}",
                        f"is longer than {LINE_SIZE_MAX >> 20} MB",
                        offset=end,
                        where=self.name,
                        hint="A file of JSON lines is needed, as etcdtool export writes it.",
                    )
        self._file.check_unchanged()


@contextlib.contextmanager
def open_lines(path: Path) -> Iterator[Lines]:
    """Open a file of lines read-only; temporary files of a packed one are gone when the context ends.

    Args:
        path: a file, perhaps in gzip or zstd; ``-`` is stdin.

    Raises:
        SourceError: it cannot be read.
        FormatError: it holds something else; says what.
    """
    with Workspace() as workspace:
        if str(path) == "-":
            name, place = "stdin", spool_stdin(workspace)
        else:
            name, place = str(path), path
        file = InputFile.open(place)
        kind = recognise(file.data[:HEAD_SIZE], file.size)
        if kind in _PACKED:
            place = decompress_file(place, _PACKED[kind], workspace, shown=name)
            file = InputFile.open(place)
            kind = recognise(file.data[:HEAD_SIZE], file.size)
        if kind not in _TEXT:
            raise FormatError(
                "file",
                f"holds {kind.value}, no JSON lines",
                where=name,
                hint="A file is needed that etcdtool export or convert wrote as .jsonl.",
            )
        yield Lines(name, file.size, file)
