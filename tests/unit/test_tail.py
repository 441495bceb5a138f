"""A record into the unused end of a log: last its length field, and nothing at all where the disk is full."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from etcdtool.errors import EtcdtoolError
from etcdtool.targets import is_unfinished, write_into_tail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORD = bytes(range(1, 41))


@pytest.fixture(params=[0, 24, 4096])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a log of 64 bytes, and so many allocated behind them."""
    path = tmp_path / "0.wal"
    path.write_bytes(b"x" * 64 + bytes(request.param))
    return path


def test_nothing_else_changes(log: Path) -> None:
    before = log.read_bytes()
    write_into_tail(log, 64, RECORD)
    assert log.read_bytes() == before[:64] + RECORD + before[64 + len(RECORD) :]


def test_the_length_field_comes_last(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int, int]] = []
    real, sync = os.pwrite, os.fsync

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        calls.append(("write", offset, len(data)))
        return real(descriptor, data, offset)

    def fsync(descriptor: int) -> None:
        calls.append(("sync", 0, 0))
        sync(descriptor)

    monkeypatch.setattr(os, "pwrite", pwrite)
    monkeypatch.setattr(os, "fsync", fsync)
    write_into_tail(log, 64, RECORD)
    assert calls == [("write", 72, 32), ("sync", 0, 0), ("write", 64, 8), ("sync", 0, 0)]


@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("for_good", [False, True])
def test_a_full_disk_leaves_it_as_it_was(at: int, for_good: bool, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first to say so is a write or a sync; full for good, it takes no more writes."""
    before, calls = log.read_bytes(), 0

    def failing(real: Callable[..., int | None], *, is_write: bool) -> Callable[..., int | None]:
        def call(*arguments: object) -> int | None:
            nonlocal calls
            calls += 1
            if calls == at or (for_good and is_write and calls > at):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        return call

    monkeypatch.setattr(os, "pwrite", failing(os.pwrite, is_write=True))
    monkeypatch.setattr(os, "fsync", failing(os.fsync, is_write=False))
    with pytest.raises(EtcdtoolError, match="no space left on device"):
        write_into_tail(log, 64, RECORD)
    assert log.read_bytes() == before


def test_what_stands_there_is_not_written_over(log: Path) -> None:
    before = log.read_bytes()
    with pytest.raises(EtcdtoolError, match="has changed at offset 0x20"):
        write_into_tail(log, 32, RECORD)
    assert log.read_bytes() == before


@pytest.mark.parametrize(
    ("tail", "answer"),
    [
        (b"", True),
        (bytes(100), True),
        (bytes(8) + RECORD[8:], True),
        (bytes(8) + RECORD[8:20] + bytes(50), True),
        (bytes(24) + RECORD[24:], True),
        (RECORD, False),
        (RECORD[:8], False),
        (bytes(8) + b"other", False),
        (bytes(8) + RECORD[8:] + b"more", False),
    ],
)
def test_an_unfinished_record_is_known(tail: bytes, answer: bool) -> None:
    assert is_unfinished(tail, RECORD) is answer
