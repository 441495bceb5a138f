"""What else a restore can be asked for: other sources, a look ahead, an owner; and what it warns of."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from support import restored, samples
from support.restoring import THREE, changed, done, names, run, snapshot_of, told

from etcdtool.formats.wal import Segment, scan
from etcdtool.formats.wire import rpc_pb2

if TYPE_CHECKING:
    from pathlib import Path


NOSPACE = rpc_pb2.AlarmMember(memberID=7, alarm=1).SerializeToString()


class TestWarnings:
    def test_learners_are_named(self, tmp_path: Path) -> None:
        outcome = done(snapshot_of("3.6"), "--data-dir", tmp_path / "new")
        (facts,) = told(outcome, "a learner of the snapshot's cluster is left out")
        assert facts["peer-urls"] == ["http://127.0.0.1:9"]
        words = (
            "--initial-cluster",
            "default=http://127.0.0.1:9",
            "--initial-advertise-peer-urls",
            "http://127.0.0.1:9",
        )
        outcome = done(snapshot_of("3.6"), "--data-dir", tmp_path / "voter", *words)
        assert len(told(outcome, "a learner of the snapshot's cluster is not one in the new cluster")) == 1

    def test_one_of_several(self, tmp_path: Path) -> None:
        words = ("--name", "n1", "--initial-cluster", THREE, "--initial-advertise-peer-urls", "http://10.0.0.1:2380")
        outcome = done(snapshot_of("3.6"), "--data-dir", tmp_path / "new", *words)
        assert told(outcome, "one member of several is made") == [{"member": "n1", "members": 3}]

    def test_ids_of_the_old_cluster(self, tmp_path: Path) -> None:
        words = ("--initial-cluster", THREE, "--all-members", "--output")
        outcome = done(snapshot_of("3.6"), *words, tmp_path / "first")
        assert not told(outcome, "with the ids of old ones")
        again = tmp_path / "first/n1.etcd" / restored.DB
        outcome = done(again, *words, tmp_path / "second", "--skip-hash-check")
        (facts,) = told(outcome, "with the ids of old ones")
        assert len(facts["member-ids"]) == 3
        outcome = done(again, *words, tmp_path / "third", "--skip-hash-check", "--initial-cluster-token", "another")
        assert not told(outcome, "with the ids of old ones")


class TestSources:
    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("v3/3.6/data.tar.gz", "The database of a data dir has none"),
            ("db", "A copy of member/snap/db has none: give --skip-hash-check. A snapshot without it was cut short"),
            ("db.gz", "This is what was unpacked. A copy of member/snap/db has none"),
        ],
    )
    def test_each_without_a_sha256_is_told_apart(self, name: str, hint: str, tmp_path: Path) -> None:
        import gzip  # noqa: PLC0415

        source = tmp_path / name
        if name.startswith("db"):
            data = snapshot_of("3.6").read_bytes()[:-32]
            source.write_bytes(gzip.compress(data) if name == "db.gz" else data)
        else:
            source = samples.unpack(name)
        outcome = run(source, "--data-dir", tmp_path / "new")
        assert (outcome.exit_code, (tmp_path / "new").exists()) == (1, False)
        assert f"snapshot missing hash but --skip-hash-check=false. {hint}" in outcome.stderr

    def test_what_the_log_of_a_data_dir_holds_is_counted(self, tmp_path: Path) -> None:
        source = samples.unpack("v3/3.6/data.tar.gz")
        outcome = done(source, "--data-dir", tmp_path / "new", "--skip-hash-check")
        (facts,) = told(outcome, "what its log holds beyond the database is left out")
        meta = restored.buckets(source)["meta"]
        assert facts["consistent-index"] == int.from_bytes(meta[b"consistent_index"])
        (log,) = (source / "member/wal").glob("*.wal")
        found = scan([Segment.named(log.name, memoryview(log.read_bytes()))])
        assert facts["entries-left-out"] == found.hard_state.commit - facts["consistent-index"]

    def test_others_are_told_too(self, tmp_path: Path) -> None:
        outcome = done(samples.packed("v3/3.6/snapshot.db.gz"), "--data-dir", tmp_path / "new")
        assert [facts["kind"] for facts in told(outcome, "unpacked the source")] == ["snapshot in gzip"]
        (tmp_path / "db").write_bytes(snapshot_of("3.6").read_bytes()[:-32])
        outcome = done(tmp_path / "db", "--data-dir", tmp_path / "raw", "--skip-hash-check")
        assert len(told(outcome, "the source has no sha256")) == 1


class TestDryRun:
    def test_it_says_what_then_happens(self, tmp_path: Path) -> None:
        source = changed(tmp_path / "s.db", lambda one: (one.clear(b"lease"), one.put(b"alarm", NOSPACE, b"")))
        words = (
            *("--all-members", "--output", tmp_path / "all", "--initial-cluster", THREE, "--profile", "kubernetes"),
            *("--clear-alarms", "--disable-auth", "--drop-lease-orphans"),
        )
        dry = done(source, *words, "--dry-run", "-w", "json")
        assert names(tmp_path) == ["s.db"]
        outcome = done(source, *words)
        plan = json.loads(dry.stdout)
        added = told(outcome, "added member")
        assert {one["id"] for one in plan["members"]} == {one["added-peer-id"] for one in added}
        assert {plan["cluster"]["id"]} == {one["cluster-id"] for one in added}
        assert {one["dataDir"] for one in plan["members"]} == {str(path) for path in (tmp_path / "all").iterdir()}
        counted = ("cleared alarms", "disabled authentication", "dropped keys of leases", "bumping latest revision")
        assert [told(dry, message) for message in counted] == [told(outcome, message) for message in counted]
        (bumped,), (dropped,) = told(dry, "bumping latest revision"), told(dry, "dropped keys of leases")
        assert (plan["newRevision"], plan["markCompacted"]) == (bumped["new-latest-revision"], True)
        assert (plan["alarmsCleared"], plan["authDisabled"], plan["leaseOrphansDropped"]) == (1, True, dropped["keys"])

    @pytest.mark.parametrize("form", ["simple", "table", "fields"])
    def test_in_every_form(self, form: str, tmp_path: Path) -> None:
        outcome = done(snapshot_of("3.6"), "--data-dir", tmp_path / "new", "--dry-run", "-w", form)
        assert "new" in outcome.stdout
        assert "8e9e05c52164694d" in outcome.stdout or str(0x8E9E05C52164694D) in outcome.stdout
        assert names(tmp_path) == []

    def test_it_refuses_what_the_run_would_refuse(self, tmp_path: Path) -> None:
        damaged = samples.unpack("damaged/snapshots/leaf-page-zeroed+sealed.db.gz")
        (tmp_path / "full").mkdir()
        (tmp_path / "full/x").write_bytes(b"")
        for source, words, message in (
            (damaged, (), "is damaged, so it is not restored"),
            (samples.unpack("damaged/snapshots/sha-wrong.db.gz"), (), "expected sha256"),
            (samples.unpack("v3/3.6/data.tar.gz"), (), "snapshot missing hash"),
            (snapshot_of("3.6"), ("--data-dir", tmp_path / "full"), "not empty or could not be read"),
            (snapshot_of("3.6"), ("--bump-revision", "9223372036854775807", "--mark-compacted"), "beyond the largest"),
        ):
            outcome = run(source, "--data-dir", tmp_path / "new", *words, "--dry-run")
            assert (outcome.exit_code, outcome.stdout, names(tmp_path)) == (1, "", ["full"])
            assert message in outcome.stderr

    def test_names_that_are_too_long_are_found(self, tmp_path: Path) -> None:
        outcome = run(snapshot_of("3.6"), "--data-dir", tmp_path / ("x" * 256), "--dry-run")
        assert (outcome.exit_code, "file name too long" in outcome.stderr) == (1, True)

    def test_room_is_asked_for(self, tmp_path: Path) -> None:
        with mock.patch("os.statvfs", return_value=mock.Mock(f_bavail=10, f_frsize=100)):
            outcome = run(snapshot_of("3.6"), "--data-dir", tmp_path / "a/b/new", "--dry-run")
        assert (outcome.exit_code, "bytes are needed, and 1000 are free" in outcome.stderr) == (1, True)

    def test_a_folder_that_may_not_be_written_is_found(self, tmp_path: Path) -> None:
        real = os.access
        with mock.patch("os.access", lambda path, mode: path != tmp_path and real(path, mode)):
            outcome = run(snapshot_of("3.6"), "--data-dir", tmp_path / "new", "--dry-run")
        assert (outcome.exit_code, "new: permission denied" in outcome.stderr) == (1, True)
        (tmp_path / "file").write_bytes(b"")
        outcome = run(snapshot_of("3.6"), "--data-dir", tmp_path / "file/a/new", "--dry-run")
        assert (outcome.exit_code, "file/a/new: not a directory" in outcome.stderr) == (1, True)


class TestOwner:
    def test_everything_is_given_before_it_has_its_name(self, tmp_path: Path) -> None:
        given: dict[str, tuple[int, int]] = {}
        with mock.patch("os.chown", lambda path, uid, gid, **_: given.__setitem__(str(path), (uid, gid))):
            words = ("--owner", "12345:23456", "--mode", "0750", "--wal-dir", tmp_path / "x/wal")
            done(snapshot_of("3.6"), "--data-dir", tmp_path / "a/new", *words)
        assert set(given.values()) == {(12345, 23456)}
        made = {path.replace(path.split("/")[-1], "") for path in given}
        assert len(made) > 3
        assert {str(tmp_path / "a"), str(tmp_path / "x")} <= given.keys()
        modes = restored.modes(tmp_path / "a")
        assert {mode & 0o7777 for path, mode in modes.items() if "." in path.split("/")[-1]} == {0o640}
        assert modes["new/member/snap/db"] & 0o7777 == 0o640
        assert {modes[path] & 0o7777 for path in ("new", "new/member", "new/member/snap")} == {0o750}

    @pytest.mark.parametrize("owner", ["nobody-there", "root:nobody-there", ":", "", "4294967295"])
    def test_owners_that_are_not_there(self, owner: str, tmp_path: Path) -> None:
        outcome = run(snapshot_of("3.6"), "--data-dir", tmp_path / "new", "--owner", owner)
        assert (outcome.exit_code, names(tmp_path)) == (1, [])
        assert "there is no" in outcome.stderr or "names no owner" in outcome.stderr

    def test_names_are_looked_up(self, tmp_path: Path) -> None:
        given = set()
        with mock.patch("os.chown", lambda path, uid, gid, **_: given.add((uid, gid))):
            done(snapshot_of("3.6"), "--data-dir", tmp_path / "new", "--owner", "root")
        assert given == {(0, -1)}

    def test_one_that_may_not_give_away_says_so_first(self, tmp_path: Path) -> None:
        denied = PermissionError(1, "Operation not permitted")
        with mock.patch("os.chown", side_effect=denied), mock.patch("os.copy_file_range") as copying:
            outcome = run(snapshot_of("3.6"), "--data-dir", tmp_path / "new", "--owner", "12345")
        assert (outcome.exit_code, names(tmp_path), copying.called) == (1, [], False)
        assert "to another owner: operation not permitted. Only root may give files away" in outcome.stderr

    def test_a_folder_that_stood_there_is_not_given(self, tmp_path: Path) -> None:
        (tmp_path / "new").mkdir()
        with mock.patch("os.chown") as chown:
            outcome = done(snapshot_of("3.6"), "--data-dir", tmp_path / "new", "--owner", "12345")
        assert str(tmp_path / "new") not in {str(call.args[0]) for call in chown.call_args_list}
        assert told(outcome, "was there before and keeps its owner") == [
            {"folder": str(tmp_path / "new"), "uid": os.getuid()}
        ]

    @pytest.mark.parametrize("mode", ["rwx", "0500", "8", "77777"])
    def test_modes_that_are_none(self, mode: str, tmp_path: Path) -> None:
        outcome = run(snapshot_of("3.6"), "--data-dir", tmp_path / "new", "--mode", mode)
        assert (outcome.exit_code, names(tmp_path)) == (1, [])
