"""A restore whose log goes elsewhere: two renames, and what is left between them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from support import restored, samples
from support.bbolt_files import applied
from support.restoring import THREE, done, names, run, snapshot_of, told, tree

from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.transaction import Transaction
from etcdtool.operations import restore_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from etcdtool.targets import Deferred

LOG = "0000000000000000-0000000000000000.wal"
MARKER = "restore-unfinished.wal"


class TestLogElsewhere:
    def words(self, folder: Path, *more: object) -> tuple[object, ...]:
        return ("--data-dir", folder / "data", "--wal-dir", folder / "wal", *more)

    def stopped(self, folder: Path, *, before: str, words: tuple[object, ...] = ()) -> None:
        """Restore, and die before the data dir, or the log, gets its name."""
        place = "etcdtool.targets.folders._rename" if before == "data" else "etcdtool.operations.restore_files.name_all"
        real_rename = __import__("etcdtool.targets.folders", fromlist=["_rename"])._rename
        child = os.fork()
        if child == 0:

            def dying(*args: Any) -> None:
                if before == "log" or args[1].name == "data" or args[1].parent.name == "data":
                    os._exit(9)
                real_rename(*args)

            with mock.patch(place, dying):
                run(snapshot_of("3.6"), *(words or self.words(folder)))
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    @pytest.mark.parametrize("exist", [False, True])
    @pytest.mark.parametrize("before", ["data", "log"])
    def test_a_second_run_completes_it(self, before: str, exist: bool, tmp_path: Path) -> None:
        if exist:
            for name in ("data", "wal"):
                (tmp_path / name).mkdir()
                (tmp_path / name / "lost+found").mkdir()
        self.stopped(tmp_path, before=before)
        assert {MARKER, f"{LOG}.etcdtool-partial"} <= set(names(tmp_path / "wal"))
        assert (tmp_path / "data/member").exists() == (before == "log")
        assert json.loads((tmp_path / "wal" / MARKER).read_bytes())["about"].startswith("etcdtool snapshot restore was")
        outcome = done(snapshot_of("3.6"), *self.words(tmp_path))
        assert len(told(outcome, "completed a restore")) == (before == "log")
        assert len(told(outcome, "added member")) == 1
        kept = ["lost+found"] if exist else []
        assert names(tmp_path / "wal") == [LOG, *kept]
        assert names(tmp_path / "data") == [*kept, "member"]
        done(snapshot_of("3.6"), "--data-dir", tmp_path / "alone")
        whole = samples.hashes(tmp_path / "alone")
        assert samples.sha256(tmp_path / "wal" / LOG) == whole[f"member/wal/{LOG}"]
        assert samples.sha256(tmp_path / "data" / restored.DB) == whole[restored.DB]

    def test_of_all_members_too(self, tmp_path: Path) -> None:
        words = (
            *("--all-members", "--output", tmp_path / "data", "--wal-dir", tmp_path / "wal"),
            *("--initial-cluster", THREE),
        )
        for before in ("data", "log"):
            folder = tmp_path / before
            folder.mkdir()
            mine = tuple(folder / word.name if isinstance(word, type(tmp_path)) else word for word in words)
            self.stopped(folder, before=before, words=mine)
            outcome = done(snapshot_of("3.6"), *mine)
            assert len(told(outcome, "completed a restore")) == (before == "log")
            assert tree(folder / "wal") == sorted(
                path for name in ("n1", "n2", "n3") for path in (f"{name}.wal", f"{name}.wal/{LOG}")
            )
            assert names(folder) == ["data", "wal"]

    def test_one_that_is_complete_but_for_its_marker(self, tmp_path: Path) -> None:
        self.stopped(tmp_path, before="log")
        os.rename(tmp_path / "wal" / f"{LOG}.etcdtool-partial", tmp_path / "wal" / LOG)  # noqa: PTH104
        done(snapshot_of("3.6"), *self.words(tmp_path))
        assert names(tmp_path / "wal") == [LOG]

    @pytest.mark.parametrize(
        "words",
        [("--disable-auth",), ("--for-version", "3.5"), ("--initial-cluster-token", "x"), ("--mode", "0750")],
        ids=str,
    )
    def test_other_options_do_not(self, words: tuple[str, ...], tmp_path: Path) -> None:
        self.stopped(tmp_path, before="log")
        before = samples.hashes(tmp_path)
        outcome = run(snapshot_of("3.6"), *self.words(tmp_path, *words))
        assert (outcome.exit_code, samples.hashes(tmp_path)) == (1, before)
        assert "holds an unfinished restore of another file or with other options" in outcome.stderr

    def test_another_file_does_not(self, tmp_path: Path) -> None:
        self.stopped(tmp_path, before="log")
        outcome = run(snapshot_of("3.5"), *self.words(tmp_path))
        assert outcome.exit_code == 1
        assert "of another file or with other options" in outcome.stderr

    def test_data_that_were_changed_meanwhile_do_not(self, tmp_path: Path) -> None:
        self.stopped(tmp_path, before="log")
        path = tmp_path / "data" / restored.DB
        data = path.read_bytes()
        transaction = Transaction(Image.open(memoryview(data)))
        transaction.put(b"meta", b"consistent_index", bytes(7) + b"\x09")
        path.write_bytes(applied(data, transaction.commit()))
        outcome = run(snapshot_of("3.6"), *self.words(tmp_path))
        assert (outcome.exit_code, MARKER in names(tmp_path / "wal")) == (1, True)
        assert "is not what the unfinished restore wrote" in outcome.stderr

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff"])
    def test_a_marker_that_nobody_wrote(self, content: bytes, tmp_path: Path) -> None:
        self.stopped(tmp_path, before="log")
        (tmp_path / "wal" / MARKER).write_bytes(content)
        outcome = run(snapshot_of("3.6"), *self.words(tmp_path))
        assert (outcome.exit_code, "unfinished restore of another file" in outcome.stderr) == (1, True)

    def test_what_a_running_one_has_is_left_alone(self, tmp_path: Path) -> None:
        real = restore_files.name_all
        seen = []

        def meanwhile(waiting: Sequence[Deferred]) -> None:
            second = run(snapshot_of("3.6"), *self.words(tmp_path))
            seen.append((second.exit_code, "is being written by another process" in second.stderr))
            real(waiting)

        with mock.patch.object(restore_files, "name_all", meanwhile):
            done(snapshot_of("3.6"), *self.words(tmp_path))
        assert seen == [(1, True)]
        assert names(tmp_path / "wal") == [LOG]

    def test_a_log_with_its_name_is_never_taken_away(self, tmp_path: Path) -> None:
        (tmp_path / "wal").mkdir()
        for name in (LOG, MARKER):
            (tmp_path / "wal" / name).write_bytes(b"precious")
        outcome = run(snapshot_of("3.6"), *self.words(tmp_path))
        assert (outcome.exit_code, names(tmp_path / "wal")) == (1, [LOG, MARKER])
        assert f'wal-dir "{tmp_path / "wal"}" exists' in outcome.stderr

    @pytest.mark.parametrize("exists", [False, True])
    def test_below_the_data_dir(self, exists: bool, tmp_path: Path) -> None:
        data = tmp_path / "data"
        if exists:
            data.mkdir()
        done(snapshot_of("3.6"), "--data-dir", data, "--wal-dir", data / "logs/wal")
        assert (names(data), names(data / "logs/wal")) == (["logs", "member"], [LOG])

    def test_the_usual_place_may_be_named(self, tmp_path: Path) -> None:
        done(snapshot_of("3.6"), "--data-dir", tmp_path / "a", "--wal-dir", tmp_path / "a/member/wal")
        done(snapshot_of("3.6"), "--data-dir", tmp_path / "b")
        assert samples.hashes(tmp_path / "a") == samples.hashes(tmp_path / "b")

    @pytest.mark.parametrize("dry", [(), ("--dry-run",)])
    def test_a_link_to_the_data_dir_is_no_other_place(self, dry: tuple[str, ...], tmp_path: Path) -> None:
        (tmp_path / "new").mkdir()
        (tmp_path / "link").symlink_to("new")
        words = ("--data-dir", tmp_path / "new", "--wal-dir", tmp_path / "link", *dry)
        outcome = run(snapshot_of("3.6"), *words)
        assert (outcome.exit_code, names(tmp_path), names(tmp_path / "new")) == (1, ["link", "new"], [])
        assert "are the same folder" in outcome.stderr

    @pytest.mark.parametrize("inside", [".", "member", "member/snap", ".."])
    def test_places_that_cannot_be(self, inside: str, tmp_path: Path) -> None:
        data = tmp_path / "some/data"
        outcome = run(snapshot_of("3.6"), "--data-dir", data, "--wal-dir", data / inside)
        assert (outcome.exit_code, names(tmp_path)) == (1, [])
        assert "cannot lie one in the other" in outcome.stderr
