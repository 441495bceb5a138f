"""The locks of a data dir that is worked on: as a server takes them, and refused where one has them."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from etcdtool.errors import EtcdtoolError
from etcdtool.sources import holder_of
from etcdtool.targets import Hold, InUseError

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    database, segment = tmp_path / "db", tmp_path / "0.wal"
    for path in (database, segment):
        path.write_bytes(b"content")
    return database, segment


def test_both_kinds_of_lock_are_held_until_the_end(files: tuple[Path, Path]) -> None:
    database, segment = files
    with Hold(database=database, segments=[segment]):
        with database.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with segment.open("r+b") as file, pytest.raises(BlockingIOError):
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, WHOLE)
        assert holder_of([database]) is None  # our own lock is nobody's in our way
    with database.open("rb") as file, segment.open("r+b") as log:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.fcntl(log, fcntl.F_OFD_SETLK, WHOLE)
    assert [path.read_bytes() for path in files] == [b"content"] * 2


@pytest.mark.parametrize("which", [0, 1])
def test_a_lock_that_is_taken_is_named(which: int, files: tuple[Path, Path]) -> None:
    with files[which].open("r+b") as file:
        if which == 0:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, WHOLE)
        with pytest.raises(EtcdtoolError, match="is locked by a running process") as caught:
            Hold(database=files[0], segments=[files[1]])
    assert "Stop the server" in caught.value.hint
    with Hold(database=files[0], segments=[files[1]]):
        pass


def test_a_process_that_waits_with_the_file_open_is_named(files: tuple[Path, Path]) -> None:
    code = f"import sys; file = open({str(files[0])!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(EtcdtoolError, match=f"is open in process {other.pid}"):
            Hold(database=files[0])
        other.communicate()


def test_a_process_that_ends_in_time_is_waited_for(files: tuple[Path, Path]) -> None:
    database, _ = files
    said: list[str] = []
    with mock.patch("etcdtool.targets.hold._PATIENCE_SECONDS", 0.1), database.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ending = threading.Timer(0.5, fcntl.flock, (file, fcntl.LOCK_UN))
        ending.start()
        with Hold(database=database, wait_seconds=60, waiting=lambda: said.append("waiting")):
            ending.join()
            with database.open("rb") as other, pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InUseError):
            Hold(database=database, wait_seconds=0.2)
    assert said == ["waiting"]


def test_a_file_that_is_not_there_is_no_lock(tmp_path: Path) -> None:
    with pytest.raises(EtcdtoolError, match="no such file"):
        Hold(database=tmp_path / "db")


def test_a_named_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "db")
    with Hold(database=tmp_path / "db"):
        pass
