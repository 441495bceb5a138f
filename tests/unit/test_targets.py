"""Targets: complete and with their name, or not there at all; whatever exists stays."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from support import faults, samples
from support.cli import invoke
from support.users import public_folder, without_privileges
from support.zygote import MOMENTS, Zygote

from etcdtool.errors import EtcdtoolError, TargetExistsError
from etcdtool.targets import StagedFile, files

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

RICH = "v2-rich/3.4/data-clean.tar.gz"
THEN = ("--as-of", "2026-11-21T02:25:02Z")
KILLS = 20
KILLS_FULL = 200


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faults.variant("wal-cut-clean", tmp_path_factory.mktemp("targets"))


@pytest.fixture(params=["unnamed", "hidden", "without links"])
def kind_of_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How a file gets its name: from none (O_TMPFILE), from a hidden one by a link, or by a rename."""
    if request.param != "unnamed":
        monkeypatch.setattr(files, "_DESCRIPTORS", Path("/nowhere"))
    if request.param == "without links":

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
    return str(request.param)


class TestStagedFile:
    def test_the_name_comes_last(self, kind_of_disk: str, tmp_path: Path) -> None:
        target = tmp_path / "out"
        with StagedFile(target) as staged:
            staged.file.write(b"all of it")
            staged.sync()
            assert not target.exists()
            staged.commit()
        assert target.read_bytes() == b"all of it"
        assert target.stat().st_mode & 0o777 == 0o600
        assert names(tmp_path) == ["out"]

    def test_without_a_commit_nothing_is_left(self, kind_of_disk: str, tmp_path: Path) -> None:
        with StagedFile(tmp_path / "out") as staged:
            staged.file.write(b"half of")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("what", ["file", "folder", "dangling link"])
    def test_what_came_meanwhile_stays(self, kind_of_disk: str, what: str, tmp_path: Path) -> None:
        target = tmp_path / "out"
        with StagedFile(target) as staged:
            staged.file.write(b"ours")
            make(target, what)
            with pytest.raises(TargetExistsError, match="nothing that exists is overwritten"):
                staged.commit()
        assert names(tmp_path) == ["out"]
        assert (target.is_file(), target.is_dir(), target.is_symlink()) == (
            what == "file",
            what == "folder",
            what == "dangling link",
        )

    def test_a_full_disk(self, kind_of_disk: str, tmp_path: Path) -> None:
        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with mock.patch.object(os, "fsync", full), StagedFile(tmp_path / "out") as staged:
            staged.file.write(b"x")
            with pytest.raises(EtcdtoolError, match="no space left on device"):
                staged.commit()
        assert names(tmp_path) == []


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def make(path: Path, what: str) -> None:
    if what == "file":
        path.write_bytes(b"precious")
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to("/nowhere/at/all")


@pytest.mark.parametrize(
    "words", [("compact", "--rev", "5", "a.db"), ("snapshot", "salvage", "a.db"), ("import", "a.jsonl")]
)
def test_stdout_is_no_file_of_that_name(words: tuple[str, ...]) -> None:
    done = invoke(*words, "-o", "-")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "this is written to a file, not to stdout" in done.stderr


@pytest.mark.parametrize("name", ["out.db", "out.jsonl"])
class TestRefusals:
    @pytest.mark.parametrize("what", ["file", "folder", "dangling link"])
    def test_what_exists(self, source: Path, tmp_path: Path, name: str, what: str) -> None:
        make(tmp_path / name, what)
        done = invoke("convert", source, "-o", tmp_path / name)
        assert (done.exit_code, done.stdout) == (12, "")
        assert "nothing that exists is overwritten" in done.stderr
        if what == "file":
            assert (tmp_path / name).read_bytes() == b"precious"

    def test_there_is_no_folder(self, source: Path, tmp_path: Path, name: str) -> None:
        done = invoke("convert", source, "-o", tmp_path / "missing" / name)
        assert (done.exit_code, "there is no folder" in done.stderr) == (1, True)
        (tmp_path / "file").write_bytes(b"")
        done = invoke("convert", source, "-o", tmp_path / "file" / name)
        assert (done.exit_code, "there is no folder" in done.stderr) == (1, True)
        done = invoke("convert", source, "-o", tmp_path / ("x" * 300 + name))
        assert (done.exit_code, "file name too long" in done.stderr) == (1, True)

    @pytest.mark.parametrize("mode", [0o555, 0o000])
    def test_a_folder_that_may_not_be_written_to(self, source: Path, name: str, mode: int) -> None:
        with public_folder() as folder:
            readable = faults.copy_dir(source, folder / "in")
            for path in (readable, *readable.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            (folder / "locked").mkdir()
            (folder / "locked").chmod(mode)
            with without_privileges():
                done = invoke("convert", readable, "-o", folder / "locked" / name)
            (folder / "locked").chmod(0o700)
            assert names(folder / "locked") == []
        assert (done.exit_code, "permission denied" in done.stderr) == (1, True)

    def test_a_disk_that_fills_up(self, source: Path, tmp_path: Path, name: str) -> None:
        (tmp_path / "disk").mkdir()
        with tmpfs(tmp_path / "disk", size=4096):
            done = invoke("convert", source, "-o", tmp_path / "disk" / name)
            assert names(tmp_path / "disk") == []
        assert (done.exit_code, done.stdout) == (1, "")
        assert "no space left on device" in done.stderr
        assert "Free some space or choose another disk" in done.stderr

    def test_a_limit_to_the_size_of_files(self, source: Path, tmp_path: Path, name: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "etcdtool", "convert", str(source), "-o", str(tmp_path / name)],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert "file too large" in done.stderr
        assert names(tmp_path) == []


@contextlib.contextmanager
def tmpfs(folder: Path, *, size: int) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("expected: only root may mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_report_file_on_a_full_disk(source: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with tmpfs(tmp_path / "disk", size=4096):
        (tmp_path / "disk/filler").write_bytes(bytes(4096))
        report = tmp_path / "disk/report.json"
        done = invoke("convert", source, "-o", tmp_path / "out.db", "--report-file", report)
        assert names(tmp_path / "disk") == ["filler"]
    assert (done.exit_code, "no space left on device" in done.stderr) == (1, True)


class TestKill:
    """kill -9: the target is not there, or it is there, complete and good; beside it nothing."""

    def check(self, folder: Path, name: str, whole: bytes) -> bool:
        left = names(folder)
        assert left in ([], [name])
        if left:
            assert (folder / name).read_bytes() == whole
        return bool(left)

    @pytest.mark.parametrize("name", ["out.db", "out.jsonl"])
    def test_at_each_step(self, tmp_path: Path, name: str) -> None:
        source, folder = samples.unpack(RICH), tmp_path / "out"
        before = samples.hashes(source)
        folder.mkdir()
        order = ["convert", source, "-o", folder / name, *THEN]
        seen = set()
        with Zygote() as zygote:
            assert zygote.run(order) == 0
            whole = (folder / name).read_bytes()
            (folder / name).unlink()
            for moment in MOMENTS:
                assert zygote.run(order, at=moment) == -9, moment
                is_there = self.check(folder, name, whole)
                assert is_there == (moment in {"link 1 after", "fsync 3 after"}), moment
                seen.add(is_there)
                (folder / name).unlink(missing_ok=True)
        assert seen == {True, False}
        assert samples.hashes(source) == before

    def test_at_any_moment(self, tmp_path: Path, rng: random.Random, request: pytest.FixtureRequest) -> None:
        source, folder, name = samples.unpack(RICH), tmp_path / "out", "out.db"
        before = samples.hashes(source)
        folder.mkdir()
        order = ["convert", source, "-o", folder / name, *THEN]
        with Zygote() as zygote:
            zygote.run(order)
            (folder / name).unlink()
            started = time.monotonic()
            assert zygote.run(order) == 0
            seconds = time.monotonic() - started
            whole = (folder / name).read_bytes()
            (folder / name).unlink()
            for _ in range(KILLS_FULL if request.config.getoption("--full") else KILLS):
                code = zygote.run(order, after_seconds=rng.uniform(0, seconds * 1.1))
                assert code in (-9, 0)
                is_there = self.check(folder, name, whole)
                assert is_there or code == -9
                (folder / name).unlink(missing_ok=True)
        assert samples.hashes(source) == before
