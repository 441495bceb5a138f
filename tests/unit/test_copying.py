"""A file copied by a thread: whole, or an error; readers are let on as far as it came."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import threading
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from etcdtool.operations.hasher import Hasher
from etcdtool.targets import Copying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = os.urandom(1 << 20) * 5 + b"end"
REAL_COPY = os.copy_file_range


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def output(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "copy", os.O_CREAT | os.O_RDWR)
    yield descriptor
    os.close(descriptor)


def written(descriptor: int) -> bytes:
    return os.pread(descriptor, len(CONTENT) + 1, 0)


@pytest.mark.parametrize("kernel", ["copies", "can't", "stops half way", "copies little"])
def test_it_is_whole(kernel: str, source: Path, output: int) -> None:
    def copy(one: int, other: int, size: int, *offsets: int) -> int:
        if kernel == "can't" or (kernel == "stops half way" and offsets[0]):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return REAL_COPY(one, other, min(size, 100_000) if kernel == "copies little" else size, *offsets)

    os.ftruncate(output, len(CONTENT))
    copied = memoryview(mmap.mmap(output, len(CONTENT), prot=mmap.PROT_READ))
    with (
        mock.patch("os.copy_file_range", copy),
        Copying(source, memoryview(CONTENT), output) as copying,
        Hasher(copied, [3, len(CONTENT)], arrived=copying.wait_for) as hasher,
    ):
        copying.wait_synced()
        assert written(output) == CONTENT
        sums = hasher.wait(lambda _: None)
    assert sums == {size: hashlib.sha256(CONTENT[:size]).digest() for size in (3, len(CONTENT))}


def test_a_source_that_went_away_is_still_mapped(source: Path, output: int) -> None:
    source.unlink()
    with Copying(source, memoryview(CONTENT), output) as copying:
        copying.wait()
    assert written(output) == CONTENT


def test_a_full_disk_is_told_to_all_who_wait(source: Path, output: int) -> None:
    def copy(one: int, other: int, size: int, *offsets: int) -> int:
        if offsets[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return REAL_COPY(one, other, size, *offsets)

    with (
        mock.patch("os.copy_file_range", copy),
        Copying(source, memoryview(CONTENT), output) as copying,
        Hasher(memoryview(CONTENT), [1, len(CONTENT)], arrived=copying.wait_for) as hasher,
    ):
        assert copying.wait_for(1)
        assert not copying.wait_for(len(CONTENT))
        assert set(hasher.wait(lambda _: None)) == {1}
        for wait in (copying.wait, copying.wait_synced):
            with pytest.raises(OSError, match="No space left"):
                wait()


def test_a_disk_that_fails_at_the_sync_says_so_once(source: Path, output: int) -> None:
    failure = OSError(errno.EIO, os.strerror(errno.EIO))
    with mock.patch("os.fdatasync", side_effect=failure), Copying(source, memoryview(CONTENT), output) as copying:
        copying.wait()
        with pytest.raises(OSError, match="Input/output error"):
            copying.wait_synced()


def test_who_leaves_does_not_wait_for_the_rest(source: Path, output: int) -> None:
    left = threading.Event()

    def copy(one: int, other: int, size: int, *offsets: int) -> int:
        assert left.wait(10)
        return REAL_COPY(one, other, 1, *offsets)

    with mock.patch("os.copy_file_range", copy):
        copying = Copying(source, memoryview(CONTENT), output)
        hasher = Hasher(memoryview(CONTENT), [len(CONTENT)], arrived=copying.wait_for)
        with copying, hasher:
            threading.Timer(0.05, left.set).start()
            hasher._stopped.set()
            copying._stopped = True
    assert len(written(output)) <= 1
