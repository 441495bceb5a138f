"""What v2 keys are read from: data dirs, ``.snap`` files, WAL files, JSON dumps, and tars of any of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.errors import AnswerIsNoError, FormatError, SourceError
from etcdtool.formats.compression import Packing
from etcdtool.sources.datadir import DataDir, locate
from etcdtool.sources.files import InputFile, is_folder
from etcdtool.sources.locks import Holder, holder_of
from etcdtool.sources.recognise import HEAD_SIZE, Kind, recognise, refusal
from etcdtool.sources.unpack import decompress_file, spool_stdin, unpack_tar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path, PurePosixPath

    from etcdtool.sources.files import Workspace

__all__ = ["V2Source", "open_v2_sources"]

_COMPRESSED = {Kind.GZIP: Packing.GZIP, Kind.ZSTD: Packing.ZSTD}
_NESTING_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class V2Source:
    """One place that v2 keys are read from; exactly one of ``data_dir`` and ``dump`` is set.

    Attributes:
        path: as the user gave it, with the name inside an archive behind a colon.
        kind: what it was taken for, as a person is told.
        data_dir: the parts of a data dir, or a single ``.snap`` or WAL file as such parts.
        dump: a JSON answer of ``GET /v2/keys``.
        holder: the process that has it open, where a running server is seen.
    """

    path: str
    kind: str
    data_dir: DataDir | None = None
    dump: InputFile | None = None
    holder: Holder | None = None


def open_v2_sources(paths: Sequence[Path], workspace: Workspace, *, wal_dir: Path | None = None) -> list[V2Source]:
    """Find out what each path is, unpacking where that is needed.

    Args:
        paths: files and folders; ``-`` is stdin.
        workspace: where unpacked files live; close it last.
        wal_dir: ``--wal-dir``, for one data dir.

    Raises:
        SourceError: nothing of etcd's is there, or it cannot be read.
        AnswerIsNoError: it is v3 data.
        FormatError: an archive is damaged.
    """
    sources: list[V2Source] = []
    for path in paths:
        if str(path) == "-":
            sources.extend(_open_file("stdin", spool_stdin(workspace), workspace))
        elif is_folder(path):
            sources.append(_open_folder(str(path), path, wal_dir))
        else:
            sources.extend(_open_file(str(path), path, workspace))
    return sources


def _open_folder(shown: str, folder: Path, wal_dir: Path | None) -> V2Source:
    parts = locate(folder, wal_dir=wal_dir)
    if parts is None:
        raise SourceError(
            f"{shown} holds no etcd data", hint="Give a data dir (the folder that member/ is in), a .snap or a dump."
        )
    return _from_parts(shown, parts)


def _from_parts(shown: str, parts: DataDir) -> V2Source:
    if not parts.snap_files and not parts.segments:
        if parts.database:
            raise AnswerIsNoError(
                f"{shown} holds no v2 keys, only a v3 database",
                hint="v2 keys lie in .snap and .wal files. Was the WAL kept in a --wal-dir?",
            )
        raise SourceError(f"{shown} is an empty data dir: no .snap, no .wal", hint="Was the WAL kept in a --wal-dir?")
    holder = holder_of(parts.lockable)
    kind = "data dir" if parts.segments else "folder of .snap files"
    if not parts.snap_files:
        kind = "data dir without .snap files"
    return V2Source(path=shown, kind=kind, data_dir=parts, holder=holder)


def _open_file(shown: str, path: Path, workspace: Workspace, depth: int = 0) -> Iterator[V2Source]:
    file = InputFile.open(path)
    kind = recognise(file.data[:HEAD_SIZE], file.size)
    if depth > _NESTING_MAX:
        raise FormatError("archive", f"packed more than {_NESTING_MAX} times over", where=shown)
    if kind in _COMPRESSED:
        unpacked = decompress_file(path, _COMPRESSED[kind], workspace, shown=shown)
        yield from _open_file(shown, unpacked, workspace, depth + 1)
    elif kind is Kind.TAR:
        yield from _open_tar(shown, path, workspace, depth)
    elif kind is Kind.SNAP:
        yield V2Source(path=shown, kind="v2 snapshot (.snap)", data_dir=DataDir(root=path, snap_files=[path]))
    elif kind is Kind.WAL:
        yield V2Source(path=shown, kind="WAL segment", data_dir=DataDir(root=path, segments=[path]))
    elif kind is Kind.JSON:
        yield V2Source(path=shown, kind="JSON dump of /v2/keys", dump=file)
    elif kind is Kind.BBOLT:
        raise AnswerIsNoError(f"{shown} is a v3 database or snapshot: it holds no v2 keys")
    else:
        raise FormatError("file", f"holds {kind.value}", where=shown, hint=refusal(kind, path.name))


def _wanted(name: PurePosixPath) -> bool:
    # a v3 database inside is not unpacked: v2 keys are never in it, and it may be large
    return name.suffix in {".snap", ".wal", ".json"} or name.name == "keys"


def _open_tar(shown: str, path: Path, workspace: Workspace, depth: int) -> Iterator[V2Source]:
    folder = unpack_tar(path, workspace, wanted=_wanted)
    roots = sorted({_root_of(file) for file in folder.rglob("*") if file.suffix in {".snap", ".wal"}})
    for root in roots:
        inside = str(root.relative_to(folder))
        parts = locate(root)
        if parts is not None:
            yield _from_parts(shown if inside == "." else f"{shown}:{inside}", parts)
    dumps = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix not in {".snap", ".wal"})
    for dump in dumps:
        yield from _open_file(f"{shown}:{dump.relative_to(folder)}", dump, workspace, depth + 1)
    if not roots and not dumps:
        raise SourceError(f"{shown} is a tar without .snap, .wal or .json files")


def _root_of(file: Path) -> Path:
    """The data dir that a .snap or .wal file inside an archive belongs to."""
    if file.parent.name not in {"snap", "wal"}:
        return file.parent
    member = file.parent.parent
    return member.parent if member.name == "member" else member
