"""Open anything that holds a v3 database: a snapshot file, a ``db`` file, either of them compressed, a data dir."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from etcdtool.errors import FormatError, SourceError
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.compression import Packing
from etcdtool.formats.digest import TRAILER_SIZE, has_trailer
from etcdtool.sources.datadir import locate
from etcdtool.sources.files import InputFile, Workspace, is_folder
from etcdtool.sources.locks import holder_of
from etcdtool.sources.recognise import HEAD_SIZE, Kind, recognise, refusal
from etcdtool.sources.unpack import decompress_file, spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Database", "open_database"]

_COMPRESSED = {Kind.GZIP: Packing.GZIP, Kind.ZSTD: Packing.ZSTD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An opened v3 database.

    Attributes:
        name: as the user gave it.
        kind: what it was taken for, as a person is told.
        file: the mapped file, trailer included.
        data: its bytes without the trailer.
        trailer: the stored sha256, or None where the size says that there is none.
        image: the bbolt image, or None where not even a meta page can be used.
        image_problem: why there is no image.
    """

    name: str
    kind: str
    file: InputFile
    data: memoryview
    trailer: bytes | None
    image_problem: FormatError | None
    _image: Image | None

    @property
    def size(self) -> int:
        """Bytes of the file, trailer included."""
        return self.file.size

    @property
    def image(self) -> Image:
        """The bbolt image.

        Raises:
            FormatError: no meta page can be used, or the file ends before the high-water mark.
        """
        if self._image is None:
            assert self.image_problem is not None
            raise self.image_problem
        return self._image

    @classmethod
    def of(cls, file: InputFile, *, name: str, kind: str) -> Self:
        """Look at the metas and the trailer of an opened file."""
        split = has_trailer(file.size)
        data = file.data[:-TRAILER_SIZE] if split else file.data
        image, problem = None, None
        try:
            image = Image.open(data)
        except FormatError as error:
            problem = error.at(name)
        return cls(
            name=name,
            kind=kind,
            file=file,
            data=data,
            trailer=bytes(file.data[-TRAILER_SIZE:]) if split else None,
            image_problem=problem,
            _image=image,
        )


@contextlib.contextmanager
def open_database(path: Path) -> Iterator[Database]:
    """Open a v3 database read-only; temporary files of a compressed one are gone when the context ends.

    Raises:
        SourceError: it cannot be read, holds no database, or a running server has it open.
        FormatError: it holds something else; says what.
    """
    with Workspace() as workspace:
        database = _open(str(path), path, workspace)
        yield database
        database.file.check_unchanged()


def _open(shown: str, path: Path, workspace: Workspace) -> Database:
    if shown == "-":
        return _open("stdin", spool(sys.stdin.buffer, workspace), workspace)
    if is_folder(path):
        parts = locate(path)
        if parts is None or parts.database is None:
            raise SourceError(
                f"{shown} holds no v3 database",
                hint="Give a snapshot file, or a data dir (the folder that member/ is in).",
            )
        return _open(f"{shown}/{parts.database.relative_to(path)}", parts.database, workspace)
    file = InputFile.open(path)
    kind = recognise(file.data[:HEAD_SIZE], file.size)
    if kind in _COMPRESSED:
        return _open(shown, decompress_file(path, _COMPRESSED[kind], workspace), workspace)
    if kind in {Kind.SNAP, Kind.WAL, Kind.JSON, Kind.TAR, Kind.EMPTY, Kind.LMDB, Kind.SQLITE, Kind.BBOLT_BIG_ENDIAN}:
        raise FormatError("file", f"holds {kind.value}, no v3 database", where=shown, hint=refusal(kind, path.name))
    holder = holder_of([path])
    if holder is not None:
        raise SourceError(
            f"{holder}, so what it holds may change under the reader", hint="Stop the server, or take a snapshot."
        )
    return Database.of(file, name=shown, kind="snapshot" if has_trailer(file.size) else "database without a trailer")
