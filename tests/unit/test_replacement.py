"""Files replaced in their place: the old or the new one at any moment, the old one kept, left-overs taken away."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from etcdtool.errors import EtcdtoolError
from etcdtool.targets import Replacement

if TYPE_CHECKING:
    from pathlib import Path

NO_LINKS = mock.patch("os.link", side_effect=OSError(errno.EPERM, "Operation not permitted"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "db"
    path.write_bytes(b"old")
    path.chmod(0o640)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def replaced(old: Path, **words: bool) -> Path | None:
    with Replacement(old, verb="defrag", **words) as new:
        new.file.write(b"new")
        return new.commit()


@pytest.mark.parametrize("links", [True, False])
def test_the_new_one_stands_there_and_the_old_one_is_kept(links: bool, old: Path, tmp_path: Path) -> None:
    # an unnamed file gets its name by a link, too: without links it is hidden from the start
    unnamed = mock.patch("os.O_TMPFILE", os.O_TMPFILE if links else os.O_DIRECTORY | os.O_CREAT)
    with unnamed, mock.patch("os.link", os.link) if links else NO_LINKS:
        kept = replaced(old)
    assert kept is not None
    assert re.fullmatch(r"db\.before-defrag-\d{8}T\d{6}Z", kept.name)
    assert (old.read_bytes(), kept.read_bytes()) == (b"new", b"old")
    assert old.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["db", kept.name]


def test_the_old_one_is_not_kept_where_nobody_wants_it(old: Path, tmp_path: Path) -> None:
    assert replaced(old, keep=False) is None
    assert (names(tmp_path), old.read_bytes()) == (["db"], b"new")


def test_two_in_one_second_keep_both(old: Path, tmp_path: Path) -> None:
    kept = [replaced(old) for _ in range(12)]
    assert len(set(kept)) == 12
    assert len(names(tmp_path)) == 13


def test_without_a_commit_nothing_changes(old: Path, tmp_path: Path) -> None:
    with Replacement(old, verb="defrag") as new:
        new.file.write(b"new")
    assert (names(tmp_path), old.read_bytes()) == (["db"], b"old")


def test_a_last_look_that_raises_leaves_everything_as_it_was(old: Path, tmp_path: Path) -> None:
    def look() -> None:
        raise EtcdtoolError("somebody came")

    with Replacement(old, verb="defrag") as new:
        new.file.write(b"new")
        with pytest.raises(EtcdtoolError, match="somebody came"):
            new.commit(last_look=look)
    assert (names(tmp_path), old.read_bytes()) == (["db"], b"old")


@pytest.mark.parametrize("number", range(1, 4))
@pytest.mark.parametrize("keep", [True, False])
def test_a_folder_that_cannot_be_synced_is_left_as_it_was(keep: bool, number: int, old: Path, tmp_path: Path) -> None:
    real, calls = os.fsync, 0

    def failing(descriptor: int) -> None:
        nonlocal calls
        calls += os.path.isdir(f"/proc/self/fd/{descriptor}")  # noqa: PTH112  a link of the kernel's
        if calls == number:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with mock.patch("os.fsync", failing), Replacement(old, verb="defrag", keep=keep) as new:
        new.file.write(b"new")
        if not keep and number == 3:
            new.commit()  # there is no third one
            assert (names(tmp_path), old.read_bytes()) == (["db"], b"new")
            return
        with pytest.raises(EtcdtoolError, match="no space left on device"):
            new.commit()
    assert (names(tmp_path), old.read_bytes()) == (["db"], b"old")


def test_a_file_system_that_cannot_exchange_has_the_new_one(old: Path, tmp_path: Path) -> None:
    with mock.patch("etcdtool.targets.replacement.exchange", side_effect=OSError(errno.EINVAL, "Invalid argument")):
        assert replaced(old, keep=False) is None
    assert (names(tmp_path), old.read_bytes()) == (["db"], b"new")


def test_a_disk_that_refuses_the_last_step_leaves_everything_as_it_was(old: Path, tmp_path: Path) -> None:
    refused = mock.patch("os.replace", side_effect=OSError(errno.ENOSPC, "No space left on device"))
    with refused, pytest.raises(EtcdtoolError, match="no space left"):
        replaced(old)
    assert (names(tmp_path), old.read_bytes()) == (["db"], b"old")


def test_whoever_opens_the_new_one_waits_for_its_lock(old: Path) -> None:
    with Replacement(old, verb="defrag") as new:
        new.file.write(b"new")
        new.commit()
        with old.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    with old.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_what_a_killed_run_left_goes_and_what_a_running_one_has_stays(old: Path, tmp_path: Path) -> None:
    left, held = tmp_path / ".db.00112233.partial", tmp_path / ".db.44556677.partial"
    for path in (left, held):
        path.write_bytes(b"part")
    with held.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        kept = replaced(old)
    assert kept is not None
    assert names(tmp_path) == [held.name, "db", kept.name]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EtcdtoolError, match="no such file"):
        Replacement(tmp_path / "db", verb="defrag")
