"""A restore of every member at once: all of them, each as it is alone, or none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from support import restored, samples
from support.restoring import THREE, done, names, run, snapshot_of, told

from etcdtool.operations import restore_files

if TYPE_CHECKING:
    from pathlib import Path


class TestAllMembers:
    def test_each_is_what_it_is_alone(self, tmp_path: Path) -> None:
        source = snapshot_of("3.6")
        outcome = done(source, "--all-members", "--output", tmp_path / "all", "--initial-cluster", THREE)
        assert names(tmp_path / "all") == ["n1.etcd", "n2.etcd", "n3.etcd"]
        assert len(told(outcome, "added member")) == 3
        assert len(told(outcome, "restored snapshot")) == 3
        for number, name in enumerate(("n1", "n2", "n3"), start=1):
            alone, together = tmp_path / name, tmp_path / "all" / f"{name}.etcd"
            words = ("--name", name, "--initial-advertise-peer-urls", f"http://10.0.0.{number}:2380")
            done(source, "--data-dir", alone, "--initial-cluster", THREE, *words)
            assert samples.hashes(together) == samples.hashes(alone)
            assert restored.modes(together) == restored.modes(alone)
            assert together.stat().st_mode == alone.stat().st_mode

    @pytest.mark.parametrize(
        "words",
        [
            ("--all-members",),
            ("--output", "x"),
            ("--all-members", "--output", "x", "--name", "n1"),
            ("--all-members", "--output", "x", "--data-dir", "y"),
            ("--all-members", "--output", "x", "--initial-advertise-peer-urls", "http://localhost:2380"),
        ],
    )
    def test_flags_that_contradict_it(self, words: tuple[str, ...], tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.chdir(tmp_path)
        outcome = run(snapshot_of("3.6"), *words)
        assert (outcome.exit_code, names(tmp_path)) == (128, [])
        assert "--all-members" in outcome.stderr

    @pytest.mark.parametrize(
        ("cluster", "message"),
        [
            ("a/b=http://10.0.0.1:2380", "a member of the name 'a/b' has no folder of that name"),
            ("=http://10.0.0.1:2380", "a member of the name '' has no folder"),
            ("..=http://10.0.0.1:2380", "a member of the name '..' has no folder"),
            (f"{'a' * 251}=http://10.0.0.1:2380", "has no folder of that name"),
            ("a=http://10.0.0.1:2380,b=http://10.0.0.1:2380", "has duplicate url"),
            ("a=10.0.0.1:2380", "first path segment in URL cannot contain colon"),
            ("", "--initial-cluster names no member"),
        ],
    )
    def test_names_and_urls_are_checked_first(self, cluster: str, message: str, tmp_path: Path) -> None:
        words = ("--all-members", "--output", tmp_path / "all", "--initial-cluster", cluster)
        outcome = run(tmp_path / "none", *words)
        assert (outcome.exit_code, names(tmp_path)) == (1, [])
        assert message in outcome.stderr

    def test_the_folder_must_be_new_or_empty(self, tmp_path: Path) -> None:
        words = ("--all-members", "--output", tmp_path / "all", "--initial-cluster", THREE)
        (tmp_path / "all").mkdir(mode=0o755)
        done(snapshot_of("3.6"), *words)
        assert names(tmp_path / "all") == ["n1.etcd", "n2.etcd", "n3.etcd"]
        assert (tmp_path / "all").stat().st_mode & 0o777 == 0o755
        before = samples.hashes(tmp_path)
        outcome = run(snapshot_of("3.6"), *words)
        assert outcome.exit_code == 1
        assert "All members come to be at once, with the folder" in outcome.stderr
        assert samples.hashes(tmp_path) == before

    def test_empty_folders_for_data_and_logs(self, tmp_path: Path) -> None:
        words = ("--all-members", "--output", tmp_path / "all", "--wal-dir", tmp_path / "wal")
        for name in ("all", "wal"):
            (tmp_path / name).mkdir()
        done(snapshot_of("3.6"), *words, "--initial-cluster", THREE)
        assert names(tmp_path) == ["all", "wal"]
        assert names(tmp_path / "wal") == ["n1.wal", "n2.wal", "n3.wal"]
        assert [names(tmp_path / "wal" / name) for name in names(tmp_path / "wal")] == [
            names(tmp_path / "wal/n1.wal")
        ] * 3

    def test_a_copy_that_comes_back_otherwise_is_refused(self, tmp_path: Path) -> None:
        def lossy(_: Path, descriptor: int, data: memoryview) -> None:
            os.write(descriptor, bytes(data[:-1]) + b"?")

        words = ("--all-members", "--output", tmp_path / "all", "--initial-cluster", THREE)
        with mock.patch.object(restore_files, "copy_bytes", lossy):
            outcome = run(snapshot_of("3.6"), *words)
        assert (outcome.exit_code, names(tmp_path)) == (1, [])
        assert "a copy came back with other bytes" in outcome.stderr
