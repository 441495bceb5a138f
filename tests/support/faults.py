"""Data dirs with a fault in them: the recorded variants of samples/damaged/dirs made again, and copies to damage."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support import samples

if TYPE_CHECKING:
    from collections.abc import Callable

WAL = "member/wal/0000000000000000-0000000000000000.wal"
NEWEST_SNAP = "member/snap/0000000000000002-0000000000000069.snap"
_FRAME_BEHIND_SNAP = 0x2E40
_WAL_SIZE = 64_000_000


def variants() -> dict[str, Any]:
    """Give what real programs did with each variant, by its name."""
    return dict(samples.expected("damaged/dirs")["variants"])


def variant(name: str, folder: Path) -> Path:
    """Make a recorded variant again, byte for byte: the sha256 of every file is the recorded one."""
    root = copy_dir(samples.unpack("damaged/dirs/good.tar.gz"), folder / "g1.etcd")
    _RECIPES[name](root)
    for file in variants()[name].get("files", ()):
        if name != "db-metas-bad" or file["path"] != "member/snap/db":  # how its metas were damaged is not recorded
            assert samples.sha256(root / file["path"]) == file["sha256"], file["path"]
    return root


def copy_dir(source: Path, target: Path) -> Path:
    """Copy a data dir, leaving holes as holes: a WAL of 64 MB is mostly that."""
    return shutil.copytree(source, target, copy_function=copy_sparse)


def copy_sparse(source: str | Path, target: str | Path) -> str | Path:
    """Copy a file, leaving holes as holes."""
    with Path(source).open("rb") as read, Path(target).open("wb") as write:
        size = os.fstat(read.fileno()).st_size
        at = 0
        while at < size:
            try:
                start = os.lseek(read.fileno(), at, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                break
            at = os.lseek(read.fileno(), start, os.SEEK_HOLE)
            os.pwrite(write.fileno(), os.pread(read.fileno(), at - start, start), start)
        write.truncate(size)
    return target


def put(path: Path, offset: int, data: bytes) -> None:
    """Write bytes into a file in place."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def flip(path: Path, offset: int, mask: int = 1) -> None:
    """Turn bits of one byte over."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ mask]))


def _cut(name: str, size: int) -> Callable[[Path], None]:
    return lambda root: os.truncate(root / name, size)


def _zero_from(offset: int) -> Callable[[Path], None]:
    def recipe(root: Path) -> None:
        os.truncate(root / WAL, offset)
        os.truncate(root / WAL, _WAL_SIZE)

    return recipe


def _flip(name: str, offset: int, mask: int = 1) -> Callable[[Path], None]:
    return lambda root: flip(root / name, offset, mask)


def _length(change: Callable[[int], int]) -> Callable[[Path], None]:
    def recipe(root: Path) -> None:
        with (root / WAL).open("rb") as file:
            file.seek(_FRAME_BEHIND_SNAP)
            length = int.from_bytes(file.read(8), "little")
        put(root / WAL, _FRAME_BEHIND_SNAP, change(length).to_bytes(8, "little"))

    return recipe


def _remove(pattern: str) -> Callable[[Path], None]:
    def recipe(root: Path) -> None:
        for path in root.glob(pattern):
            path.unlink()

    return recipe


def _flip_every_snap(root: Path) -> None:
    for path in root.glob("member/snap/*.snap"):
        flip(path, 200)


def _spoil_metas(root: Path) -> None:
    for page in (0, 1):
        put(root / "member/snap/db", page * 4096 + 16, b"\xff" * 64)


_RECIPES: dict[str, Callable[[Path], None]] = {
    "good": lambda root: None,
    "wal-flip-middle": _flip(WAL, 5540),
    "wal-flip-crc": _flip(WAL, 5531),
    "wal-flip-length": _flip(WAL, 5520, 64),
    "wal-length-tail-256": _length(lambda length: length ^ 256),
    "wal-length-tail-1M": _length(lambda length: length + (1 << 20)),
    "wal-length-tail-1G": _length(lambda length: length + (1 << 30)),
    "wal-length-tail-zero": _length(lambda length: 0),
    "wal-flip-last": _flip(WAL, 19270),
    "wal-torn-last": _zero_from(19260),
    "wal-torn-sector": _zero_from(13824),
    "wal-cut-last": _cut(WAL, 19260),
    "wal-cut-clean": _cut(WAL, 19272),
    "wal-cut-3": _cut(WAL, 19128),
    "wal-empty": _cut(WAL, 0),
    "wal-missing": _remove("member/wal/*.wal"),
    "snap-flip-newest": _flip(NEWEST_SNAP, 200),
    "snap-flip-all": _flip_every_snap,
    "snap-flip-crc": lambda root: put(root / NEWEST_SNAP, 2, b"\xab"),
    "snap-cut-newest": _cut(NEWEST_SNAP, 11412),
    "snap-empty-newest": _cut(NEWEST_SNAP, 0),
    "snap-missing-all": _remove("member/snap/*.snap"),
    "db-missing": _remove("member/snap/db"),
    "db-metas-bad": _spoil_metas,
}
