"""Unpack what came compressed or as a tar into a private folder, in chunks, never more than the disk has room for."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from etcdtool.errors import FormatError, SourceError
from etcdtool.formats.compression import Packing, decompress

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable

    from etcdtool.sources.files import Workspace

__all__ = ["decompress_file", "spool_stdin", "unpack_tar"]

_CHUNK_SIZE = 1 << 20
_RESERVE_SIZE = 256 << 20
"""Bytes that stay free on the temporary disk, come what may."""

_TAR_SIZE_MAX = 1 << 36
"""Bytes that the files of one tar may claim to have: headers of holes cost nothing, and reading them takes time."""

_ZEROS = bytes(_CHUNK_SIZE)


def spool_stdin(workspace: Workspace) -> Path:
    """Copy stdin, which cannot be mapped, into a file.

    Raises:
        SourceError: it is closed, or the temporary disk has no room for what comes.
    """
    stream = sys.stdin.buffer if sys.stdin is not None else None
    if stream is None:
        raise SourceError("stdin is closed", hint="Give a file, or a pipe that something is written to.")
    path = workspace.folder() / "stdin"
    with path.open("wb") as out:
        write = _bounded(out, workspace)
        while chunk := stream.read(_CHUNK_SIZE):
            write(chunk)
    return path


def decompress_file(path: Path, packing: Packing, workspace: Workspace, *, shown: str) -> Path:
    """Unpack a gzip or zstd file, which is known to the user as ``shown``.

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
        raise error.at(shown) from error
    except OSError as error:
        raise SourceError(f"cannot unpack {shown}: {(error.strerror or str(error)).lower()}") from error
    return unpacked


def unpack_tar(path: Path, workspace: Workspace, *, wanted: Callable[[PurePosixPath], bool]) -> Path:
    """Unpack the wanted regular files of a tar, holes kept as holes.

    Nothing is written outside a folder of our own, whatever the names say: what leads out of it is refused.

    Raises:
        FormatError: the archive is damaged or cut short, or a wanted file is a link, or its name leads elsewhere.
        SourceError: the temporary disk has no room for what is in it.
    """
    import tarfile  # noqa: PLC0415  few sources are one

    folder = workspace.folder()
    claimed_size = 0
    try:
        with tarfile.open(path, mode="r:") as archive:
            for member in archive:
                if member.isdir() or not wanted(PurePosixPath(member.name)):
                    continue
                name = _safe_name(member)
                claimed_size += member.size
                _refuse_absurd(claimed_size)
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


def _refuse_absurd(claimed_size: int) -> None:
    if claimed_size > _TAR_SIZE_MAX:
        raise FormatError("tar archive", f"claims to hold more than {_TAR_SIZE_MAX} bytes")


def _safe_name(member: tarfile.TarInfo) -> PurePosixPath:
    if not member.isreg():
        raise FormatError(
            "tar archive",
            f"{member.name} in it is a link or a device, not a file",
            hint="Make it anew with tar --dereference --hard-dereference.",
        )
    parts = [part for part in PurePosixPath(member.name).parts if part.strip("/") not in {"", "."}]
    if ".." in parts or any("\0" in part for part in parts):
        raise FormatError("tar archive", f"the name {member.name!r} in it leads elsewhere", hint="Who made it?")
    return PurePosixPath(*parts)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, workspace: Workspace) -> None:
    content = archive.extractfile(member)
    if content is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as out:  # a name that stands twice was added anew: the last one counts, as for tar
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
