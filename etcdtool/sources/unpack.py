"""Unpack what came compressed or as a tar into a private folder, in chunks, never more than the disk has room for."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from etcdtool.errors import FormatError, SourceError
from etcdtool.formats.compression import Packing, decompress

if TYPE_CHECKING:
    from collections.abc import Callable

    from etcdtool.sources.files import Workspace

__all__ = ["decompress_file", "spool", "unpack_tar"]

_CHUNK_SIZE = 1 << 20
_RESERVE_SIZE = 256 << 20
"""Bytes that stay free on the temporary disk, come what may."""

_MEMBER_SIZE_MAX = 1 << 40
_ZEROS = bytes(_CHUNK_SIZE)


def spool(stream: BinaryIO, workspace: Workspace) -> Path:
    """Copy a stream that cannot be mapped (stdin) into a file."""
    path = workspace.folder() / "stdin"
    with path.open("wb") as out:
        write = _bounded(out, workspace)
        while chunk := stream.read(_CHUNK_SIZE):
            write(chunk)
    return path


def decompress_file(path: Path, packing: Packing, workspace: Workspace) -> Path:
    """Unpack a gzip or zstd file.

    Raises:
        FormatError: the stream is damaged or cut short; says at which offset.
        SourceError: the temporary disk has no room for what is in it.
    """
    name = path.name
    for suffix in (".gz", ".zst", ".zstd"):
        name = name.removesuffix(suffix)
    unpacked = workspace.folder() / (name.removesuffix(".tgz") or "unpacked")
    try:
        with path.open("rb") as source, unpacked.open("wb") as out:
            decompress(source, _bounded(out, workspace), packing=packing)
    except FormatError as error:
        raise error.at(str(path)) from error
    except OSError as error:
        raise SourceError(f"cannot unpack {path}: {(error.strerror or str(error)).lower()}") from error
    return unpacked


def unpack_tar(path: Path, workspace: Workspace, *, wanted: Callable[[PurePosixPath], bool]) -> Path:
    """Unpack the wanted regular files of a tar, holes kept as holes.

    Names that would lead out of the folder, links and devices are left where they are: in the archive.

    Raises:
        FormatError: the archive is damaged or cut short.
        SourceError: the temporary disk has no room for what is in it.
    """
    folder = workspace.folder()
    try:
        with tarfile.open(path, mode="r:") as archive:
            for member in archive:
                name = _safe_name(member.name)
                if name is None or not member.isreg() or not wanted(name):
                    continue
                _extract(archive, member, folder / name, workspace)
    except FormatError as error:
        raise error.at(str(path)) from error
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"cannot unpack {path}: {(error.strerror or str(error)).lower()}") from error
    except Exception as error:  # hostile headers make tarfile raise nearly anything
        raise FormatError(
            "tar archive", f"damaged or cut short ({str(error) or type(error).__name__})", where=str(path)
        ) from error
    return folder


def _safe_name(name: str) -> PurePosixPath | None:
    parts = [part for part in PurePosixPath(name).parts if part not in {".", "/"}]
    if not parts or ".." in parts or any("\0" in part for part in parts):
        return None
    return PurePosixPath(*parts)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, workspace: Workspace) -> None:
    content = archive.extractfile(member)
    if content is None:
        return
    if member.size > _MEMBER_SIZE_MAX:
        raise FormatError("tar archive", f"{member.name} claims {member.size} bytes")
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("xb") as out:
        write = _bounded(out, workspace)
        size = 0
        while chunk := content.read(_CHUNK_SIZE):
            size += len(chunk)
            if chunk == _ZEROS:
                out.seek(size)
            else:
                write(chunk)
        out.truncate(size)
    if size != member.size:
        raise FormatError("tar archive", f"{member.name} is cut short after {size} of {member.size} bytes")


def _bounded(out: BinaryIO, workspace: Workspace) -> Callable[[bytes], object]:
    """Return a write function that stops before the temporary disk is full."""
    room = workspace.free_space() - _RESERVE_SIZE

    def write(chunk: bytes) -> None:
        nonlocal room
        room -= len(chunk)
        if room < 0:
            raise SourceError(
                "the temporary disk has no room for what has to be unpacked",
                hint="Set TMPDIR to a folder on a larger disk, or unpack it there yourself.",
            )
        out.write(chunk)

    return write
