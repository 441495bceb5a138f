"""Data dirs that a restore made: what is in them, to compare ours with those of the real tools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from etcdtool.formats import snap
from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.digest import TRAILER_SIZE, has_trailer

if TYPE_CHECKING:
    from pathlib import Path

DB = "member/snap/db"
_HEAD_SIZE = 1 << 20


def buckets(place: Path) -> dict[str, dict[bytes, bytes]]:
    """Give every pair of every bucket of the database; in a data dir, or a file of its own."""
    data = memoryview((place / DB if place.is_dir() else place).read_bytes())
    image = Image.open(data[:-TRAILER_SIZE] if has_trailer(len(data)) else data)
    return {
        name.decode(): {item.key: bytes(item.value) for item in cursor.iter_items(image, bucket)}
        for name, bucket in cursor.root_buckets(image).items()
    }


def wal_dir(data_dir: Path, *, beside: bool = False) -> Path:
    """Give where the log is: in the data dir, or beside it under the name that the tests give."""
    return data_dir.with_name(f"{data_dir.name}-wal") if beside else data_dir / "member/wal"


def log(data_dir: Path, *, beside: bool = False) -> tuple[str, bytes, int]:
    """Give the only WAL file: its name, its first bytes without the zeros allocated in advance, its size."""
    (path,) = wal_dir(data_dir, beside=beside).iterdir()
    with path.open("rb") as file:
        return path.name, file.read(_HEAD_SIZE).rstrip(b"\0"), path.stat().st_size


def snapshot(data_dir: Path) -> tuple[str, bytes, Any]:
    """Give the only .snap file: its name, its bytes, the v2 store in it."""
    (path,) = (data_dir / "member/snap").glob("*.snap")
    data = path.read_bytes()
    return path.name, data, json.loads(bytes(snap.parse_snap_file(memoryview(data)).data))


def modes(data_dir: Path) -> dict[str, int]:
    """Give the permissions of everything inside."""
    return {str(path.relative_to(data_dir)): path.stat().st_mode for path in sorted(data_dir.rglob("*"))}
