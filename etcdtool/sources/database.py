"""Open anything that holds a v3 database: a snapshot file, a ``db`` file, either of them packed, a data dir."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from etcdtool.errors import FormatError, SourceError
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.digest import TRAILER_SIZE, has_trailer
from etcdtool.sources.files import InputFile, Workspace
from etcdtool.sources.live import copy_live
from etcdtool.sources.locks import holder_of
from etcdtool.sources.place import find_place
from etcdtool.sources.touch import Touched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from etcdtool.sources.place import Place

__all__ = ["Database", "open_database", "open_place"]


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
        is_in_place: whether the file is the user's own, not one that was unpacked or copied to be read.
    """

    name: str
    kind: str
    file: InputFile
    data: memoryview
    trailer: bytes | None
    image_problem: FormatError | None
    is_in_place: bool
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
    def of(cls, file: InputFile, *, name: str, kind: str, is_in_place: bool = True) -> Self:
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
            is_in_place=is_in_place,
            _image=image,
        )


@contextlib.contextmanager
def open_database(path: Path, *, live: bool = False, whole: bool = False) -> Iterator[Database]:
    """Open a v3 database read-only; temporary files of a packed one are gone when the context ends.

    Args:
        path: a file, a data dir, either of them packed; ``-`` is stdin.
        live: whether the database of a running server may be copied, and the copy opened.
        whole: whether it is going to be read from end to end, and at once: see `etcdtool.sources.touch`.

    Raises:
        SourceError: it cannot be read, holds no database, or a running server has it open.
        FormatError: it holds something else; says what.
    """
    with Workspace() as workspace:
        database = open_place(find_place(path, workspace), workspace, live=live)
        with Touched(database.data) if whole else contextlib.nullcontext():
            yield database
        database.file.check_unchanged()


def open_place(place: Place, workspace: Workspace, *, live: bool = False) -> Database:
    """Open the database that `find_place` found; see `open_database`."""
    if place.data_dir is None:
        assert place.file is not None
        return _open(place, place.shown, place.file, workspace, live=live)
    path = place.data_dir.database
    if path is None:
        raise SourceError(
            f"{place.shown} holds no v3 database",
            hint="Give a snapshot file, or a data dir (the folder that member/ is in).",
        )
    shown = f"{place.shown}/{path.relative_to(place.data_dir.root)}"
    return _open(place, shown, InputFile.open(path), workspace, live=live)


def _open(place: Place, shown: str, file: InputFile, workspace: Workspace, *, live: bool) -> Database:
    holder = holder_of([file.path])
    if holder is not None:
        if not live:
            raise SourceError(
                f"{holder}, so what it holds may change under the reader",
                hint="Stop the server, or take a snapshot; verify --live works on a copy.",
            )
        file = InputFile.open(copy_live(file.path, workspace))
        kind = "copy of the database of a running server"
        return Database.of(file, name=shown, kind=kind, is_in_place=False)
    kind = "snapshot" if has_trailer(file.size) else "database without a trailer"
    in_place = not workspace.holds(file.path)
    return Database.of(file, name=shown, kind=place.described(kind), is_in_place=in_place)
