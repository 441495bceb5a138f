"""A copy of a database counts only if no transaction was committed while it was made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from support.bbolt_files import set_meta, written

from etcdtool.errors import FormatError, SourceError
from etcdtool.sources import Workspace, live

if TYPE_CHECKING:
    from pathlib import Path

PAGE_SIZE = 4096


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "db"
    path.write_bytes(written({b"a": [(b"k", b"v")]}, page_size=PAGE_SIZE))
    return path


def commit(path: Path, txid: int) -> None:
    data = bytearray(path.read_bytes())
    set_meta(data, PAGE_SIZE, txid=txid)
    path.write_bytes(data)


def test_a_quiet_one(database: Path) -> None:
    with Workspace() as workspace:
        assert live.copy_live(database, workspace).read_bytes() == database.read_bytes()


def test_a_commit_in_between_makes_it_copy_again(database: Path) -> None:
    commits = iter(range(10, 13))

    def copy(descriptor: int, target: Path) -> None:
        target.write_bytes(os.pread(descriptor, 1 << 20, 0))
        txid = next(commits, None)
        if txid is not None:
            commit(database, txid)

    with Workspace() as workspace:
        assert live.copy_live(database, workspace, copy=copy).read_bytes() == database.read_bytes()
    assert next(commits, None) is None


def test_a_write_that_is_no_commit_does_not(database: Path) -> None:
    tries = []

    def copy(descriptor: int, target: Path) -> None:
        tries.append(target)
        target.write_bytes(os.pread(descriptor, 1 << 20, 0))
        with database.open("ab") as file:
            file.write(bytes(PAGE_SIZE))

    with Workspace() as workspace:
        live.copy_live(database, workspace, copy=copy)
    assert len(tries) == 1


def test_a_server_that_never_rests(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_SECONDS_MAX", 0.0)
    txids = iter(range(10, 99))

    def copy(descriptor: int, target: Path) -> None:
        target.write_bytes(os.pread(descriptor, 1 << 20, 0))
        commit(database, next(txids))

    with Workspace() as workspace, pytest.raises(SourceError, match="written to during each of 3 copies"):
        live.copy_live(database, workspace, copy=copy)


def test_what_cannot_be_copied(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace() as workspace:
        with pytest.raises(SourceError, match="no such file"):
            live.copy_live(tmp_path / "missing", workspace)
        monkeypatch.setattr(Workspace, "free_space", lambda _: 5)
        with pytest.raises(SourceError, match="no room for a copy"):
            live.copy_live(database, workspace)
        monkeypatch.undo()
        database.write_bytes(bytes(5000))
        with pytest.raises(FormatError):
            live.copy_live(database, workspace)
