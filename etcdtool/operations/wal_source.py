"""Open the log of a data dir, whatever state it is in: for those who look at it, not for a server's start."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError, SourceError
from etcdtool.formats.wal import Segment, parse_segment_name
from etcdtool.sources import InputFile, Workspace, find_place, holder_of, locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from etcdtool.sources import DataDir

__all__ = ["OpenedLog", "open_log"]


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """The files of a log.

    Attributes:
        name: as the user gave it.
        parts: the data dir; None for a single file.
        segments: in order.
        files: likewise, as they were opened.
        notes: names that no log file has, and who has the log open.
    """

    name: str
    parts: DataDir | None
    segments: list[Segment]
    files: list[InputFile]
    notes: list[str]
    in_use: bool


@contextlib.contextmanager
def open_log(path: Path, *, wal_dir: Path | None = None) -> Iterator[OpenedLog]:
    """Open every file of a log read-only.

    Args:
        path: a data dir, also packed, its ``member`` or ``wal`` folder, or a single ``.wal`` file.
        wal_dir: where the log is when it is kept apart.

    Raises:
        SourceError: there is no log, or it cannot be read.
    """
    with Workspace() as workspace:
        parts, paths = _parts(path, wal_dir, workspace)
        if not paths:
            raise SourceError(
                f"{path} holds no log", hint="Give a data dir (the folder that member/ is in), or a .wal file."
            )
        holder = holder_of(paths)
        notes = [f"{holder}, so the end of the log may still be being written"] if holder is not None else []
        segments, files = [], []
        for one in paths:
            try:
                sequence, first_index = parse_segment_name(one.name)
            except FormatError as error:
                if parts is not None:
                    notes.append(f"left out: {error.message}")
                    continue
                sequence, first_index = 0, 0
            file = InputFile.open_if_there(one, in_use=holder is not None)
            if file is None:
                notes.append(f"left out: {one.name}, which the server has deleted meanwhile")
                continue
            files.append(file)
            segments.append(Segment(one.name, sequence, first_index, file.data, file.read_again))
        yield OpenedLog(str(path), parts, segments, files, notes, holder is not None)
        if holder is None:
            for file in files:
                file.check_unchanged()


def _parts(path: Path, wal_dir: Path | None, workspace: Workspace) -> tuple[DataDir | None, list[Path]]:
    if path.suffix == ".wal" and path.is_file():
        return None, [path]
    if path.is_dir():
        parts = locate(path, wal_dir=wal_dir)
        return parts, parts.segments if parts is not None else []
    parts = find_place(path, workspace, wal_dir=wal_dir).data_dir
    return parts, parts.segments if parts is not None else []
