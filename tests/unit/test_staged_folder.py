"""Folders as outputs: what a killed run left goes, what a running one works on stays."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest

from etcdtool.errors import EtcdtoolError, TargetExistsError
from etcdtool.targets import StagedFolder, can_be_replaced, disk, is_vacant


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill(folder: StagedFolder, name: str = "member/file") -> None:
    descriptor = folder.create(name)
    os.write(descriptor, b"all of it")
    os.close(descriptor)


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("flags", [True, False])
def test_the_name_comes_last(inside: bool, flags: bool, tmp_path: Path) -> None:
    target = tmp_path / "out"
    if inside:
        target.mkdir()
    # some network file systems know no rename that refuses to replace
    error = OSError(22, "Invalid argument")
    rename = disk.rename_without_replacing if flags else mock.Mock(side_effect=error)
    with (
        mock.patch("etcdtool.targets.folders.rename_without_replacing", rename),
        StagedFolder(target, entries=("member",)) as folder,
    ):
        fill(folder)
        assert not (target / "member").exists()
        folder.commit()
    assert (target / "member/file").read_bytes() == b"all of it"
    assert (names(tmp_path), names(target)) == (["out"], ["member"])
    assert (target / "member").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("inside", [False, True])
def test_without_a_commit_nothing_is_left(inside: bool, tmp_path: Path) -> None:
    target = tmp_path / "a/b/out"
    if inside:
        target.mkdir(parents=True)
    with StagedFolder(target, entries=("member",)) as folder:
        fill(folder)
    assert names(tmp_path) == (["a"] if inside else [])
    assert not inside or names(target) == []


@pytest.mark.parametrize("inside", [False, True])
def test_what_a_killed_run_left_goes_and_what_a_running_one_has_stays(inside: bool, tmp_path: Path) -> None:
    target, home = tmp_path / "out", tmp_path
    if inside:
        target.mkdir()
        home = target
    left = home / ".out.00112233.etcdtool-partial"
    (left / "member").mkdir(parents=True)
    others = home / ".other.00112233.etcdtool-partial"
    if not inside:
        others.mkdir()
    with StagedFolder(target, entries=("member",)) as running:
        assert not left.exists()
        with StagedFolder(target, entries=("member",)) as second:
            assert running.path.exists()
            fill(second)
            second.commit()
        fill(running)
        with pytest.raises((TargetExistsError, EtcdtoolError)):
            running.commit()
    assert (target / "member/file").exists()
    assert others.exists() != inside
    assert [path for path in home.iterdir() if "partial" in path.name] == ([] if inside else [others])


def test_left_overs_are_known_by_either_name_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    target.mkdir()
    monkeypatch.chdir(target)
    for killed, other in ((target, Path()), (Path(), target)):
        folder = StagedFolder(killed, entries=("member",))
        os.close(folder._lock)  # as the kernel does when a process is killed
        assert is_vacant(other)
        with StagedFolder(other, entries=("member",)):
            assert not folder.path.exists()
        assert names(target) == []


def test_a_name_that_is_as_long_as_names_can_be(tmp_path: Path) -> None:
    target = tmp_path / ("ü" * 127)
    with StagedFolder(target, entries=("member",)) as killed:
        left = killed.path.with_name(killed.path.name.replace(killed.path.name[66:74], "00112233"))
        left.mkdir()
    with StagedFolder(target, entries=("member",)) as folder:
        assert not left.exists()
        fill(folder)
        folder.commit()
    assert names(tmp_path) == [target.name]


def test_a_file_of_that_name_is_no_left_over(tmp_path: Path) -> None:
    (tmp_path / ".out.00112233.etcdtool-partial").write_bytes(b"precious")
    with StagedFolder(tmp_path / "out", entries=("member",)):
        pass
    assert names(tmp_path) == [".out.00112233.etcdtool-partial"]


def test_what_makes_a_folder_vacant(tmp_path: Path) -> None:
    assert is_vacant(tmp_path)
    (tmp_path / "lost+found").mkdir()
    assert is_vacant(tmp_path)
    (tmp_path / "lost+found/x").write_bytes(b"")
    assert not is_vacant(tmp_path)


@pytest.mark.parametrize("entries", [(), ("member",)])
def test_what_exists_is_refused(entries: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("/nowhere/at/all")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_bytes(b"x")
    for name in ("file", "link", "full"):
        with pytest.raises(TargetExistsError, match="nothing that exists is overwritten"):
            StagedFolder(tmp_path / name, entries=entries)
    assert names(tmp_path) == ["file", "full", "link"]
    with pytest.raises(EtcdtoolError, match="not a directory"):
        StagedFolder(tmp_path / "file/out", entries=entries)


def test_an_empty_folder_is_replaced_with_its_owner_and_mode(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    target.chmod(0o2750)
    if os.geteuid() == 0:
        os.chown(target, 1234, 4321)
    before = target.stat()
    with StagedFolder(target) as folder:
        fill(folder, "a/file")
        fill(folder, "b/file")
        assert names(target) == []
        folder.commit()
        after = target.stat()
        assert names(target) == ["a", "b"]
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
        folder.withdraw()
        again = target.stat()
        assert (names(target), again.st_mode, again.st_uid) == ([], before.st_mode, before.st_uid)
    assert names(tmp_path) == ["out"]


def test_an_owner_that_cannot_be_had_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    refusal = PermissionError(1, "Operation not permitted")
    with (
        mock.patch("etcdtool.targets.folders._dress", side_effect=refusal),
        pytest.raises(EtcdtoolError, match="not permitted"),
    ):
        StagedFolder(tmp_path / "out")
    assert (names(tmp_path), names(tmp_path / "out")) == (["out"], [])


def test_what_comes_into_an_empty_folder_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with StagedFolder(tmp_path / "out") as folder:
        fill(folder)
        (tmp_path / "out/precious").write_bytes(b"x")
        with pytest.raises(TargetExistsError, match="made by another process meanwhile"):
            folder.commit()
    assert (names(tmp_path), names(tmp_path / "out")) == (["out"], ["precious"])


def test_what_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "file").write_bytes(b"x")
    answers = {name: can_be_replaced(tmp_path / name) for name in ("empty", "link", "file", "none", ".")}
    assert answers == {"empty": True, "link": False, "file": False, "none": False, ".": False}
    with mock.patch("pathlib.Path.is_mount", return_value=True):
        assert not can_be_replaced(tmp_path / "empty")
