"""Where a v3 database or a data dir is, once everything around it is taken off: stdin, gzip, zstd, tar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError, SourceError
from etcdtool.formats.compression import Packing
from etcdtool.sources.datadir import locate
from etcdtool.sources.files import InputFile, is_folder
from etcdtool.sources.recognise import HEAD_SIZE, Kind, recognise, refusal
from etcdtool.sources.unpack import decompress_file, spool_stdin, unpack_tar

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.sources.datadir import DataDir
    from etcdtool.sources.files import Workspace

__all__ = ["Place", "find_place"]

_COMPRESSED = {Kind.GZIP: (Packing.GZIP, "gzip"), Kind.ZSTD: (Packing.ZSTD, "zstd")}
_REFUSED = {
    Kind.SNAP,
    Kind.WAL,
    Kind.JSON,
    Kind.EMPTY,
    Kind.LMDB,
    Kind.SQLITE,
    Kind.BBOLT_BIG_ENDIAN,
    Kind.XZ,
    Kind.BZIP2,
    Kind.ZIP,
}
_NESTING_MAX = 4
_NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a user's path led to; exactly one of ``file`` and ``data_dir`` is set.

    Attributes:
        shown: how a person is told of it: as it was given, with the name inside an archive behind a colon.
        packing: what was taken off, the outermost last.
        file: a file that may hold a database.
        data_dir: the parts of a data dir.
    """

    shown: str
    packing: tuple[str, ...] = ()
    file: InputFile | None = None
    data_dir: DataDir | None = None

    def described(self, kind: str) -> str:
        """Return ``data dir in a tar archive in gzip`` for the kind of thing it is."""
        return " in ".join((kind, *self.packing))


def find_place(path: Path, workspace: Workspace, *, wal_dir: Path | None = None) -> Place:
    """Follow a path, ``-`` for stdin, to the file or folder that is meant, unpacking where that is needed.

    Args:
        path: as the user gave it.
        workspace: where unpacked files live; close it last.
        wal_dir: ``--wal-dir``, for a data dir.

    Raises:
        SourceError: it cannot be read, or holds nothing or more than one thing.
        FormatError: it holds something else; says what. Or an archive is damaged.
    """
    if str(path) == "-":
        return _in_file("stdin", spool_stdin(workspace), workspace, ())
    if is_folder(path):
        return _in_folder(str(path), path, wal_dir, ())
    return _in_file(str(path), path, workspace, ())


def _in_folder(shown: str, path: Path, wal_dir: Path | None, packing: tuple[str, ...]) -> Place:
    parts = locate(path, wal_dir=wal_dir)
    if parts is None:
        raise SourceError(
            f"{shown} holds no v3 database",
            hint="Give a snapshot file, or a data dir (the folder that member/ is in).",
        )
    return Place(shown=shown, packing=packing, data_dir=parts)


def _in_file(shown: str, path: Path, workspace: Workspace, packing: tuple[str, ...]) -> Place:
    file = InputFile.open(path)
    kind = recognise(file.data[:HEAD_SIZE], file.size)
    if len(packing) > _NESTING_MAX:
        raise FormatError("archive", f"packed more than {_NESTING_MAX} times over", where=shown)
    if kind in _COMPRESSED:
        form, word = _COMPRESSED[kind]
        return _in_file(shown, decompress_file(path, form, workspace, shown=shown), workspace, (word, *packing))
    if kind is Kind.TAR:
        return _in_tar(shown, path, workspace, ("a tar archive", *packing))
    if kind in _REFUSED:
        raise FormatError("file", f"holds {kind.value}, no v3 database", where=shown, hint=refusal(kind, path.name))
    return Place(shown=shown, packing=packing, file=file)


def _in_tar(shown: str, path: Path, workspace: Workspace, packing: tuple[str, ...]) -> Place:
    folder = unpack_tar(path, workspace, wanted=lambda _: True)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    roots = {file: _root_of(file) for file in files}
    found = sorted({root or file for file, root in roots.items()})
    if len(found) != 1:
        names = ", ".join(str(one.relative_to(folder)) for one in found[:_NAMED_AT_MOST])
        more = f" and {len(found) - _NAMED_AT_MOST} more" if len(found) > _NAMED_AT_MOST else ""
        raise SourceError(
            f"{shown} holds {f'{names}{more}' if found else 'no files'}, where one snapshot or data dir is needed",
            hint="Unpack it, and give what is meant." if found else "",
        )
    inside = found[0].relative_to(folder)
    named = shown if str(inside) == "." else f"{shown}:{inside}"
    if found[0].is_dir():
        return _in_folder(named, found[0], None, packing)
    return _in_file(named, found[0], workspace, packing)


def _root_of(file: Path) -> Path | None:
    """Return the data dir that a file inside an archive belongs to, None for one that stands alone."""
    if file.parent.name not in {"snap", "wal"}:
        return file.parent if file.suffix in {".snap", ".wal"} else None
    member = file.parent.parent
    return member.parent if member.name == "member" else member
