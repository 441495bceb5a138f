"""What a restore can be asked for beside what etcdutl does: all members, a log elsewhere, changes, a look ahead."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from support import restored, samples
from support.bbolt_files import applied
from support.cli import invoke

from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.transaction import Transaction
from etcdtool.formats.digest import sha256_of
from etcdtool.formats.wal import Segment, scan
from etcdtool.formats.wire import rpc_pb2
from etcdtool.model.keyspace import Keyspace
from etcdtool.model.revision import Revision
from etcdtool.operations import restore_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from support.cli import Outcome

    from etcdtool.targets import Deferred

LOG = "0000000000000000-0000000000000000.wal"
MARKER = "restore-unfinished.wal"
THREE = "n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380,n3=http://10.0.0.3:2380"
NOSPACE = rpc_pb2.AlarmMember(memberID=7, alarm=1).SerializeToString()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def snapshot_of(version: str) -> Path:
    return samples.unpack(f"v3/{version}/snapshot.db.gz")


def changed(path: Path, change: Callable[[Transaction], object]) -> Path:
    """Write the sample with changes, and a right sha256."""
    data = snapshot_of("3.6").read_bytes()[:-32]
    transaction = Transaction(Image.open(memoryview(data)))
    change(transaction)
    written = applied(data, transaction.commit())
    digest = sha256_of(memoryview(written))
    assert digest is not None
    path.write_bytes(written + digest)
    return path


def run(source: Path, *words: object) -> Outcome:
    return invoke("snapshot", "restore", source, *words)


def done(source: Path, *words: object) -> Outcome:
    outcome = run(source, *words)
    assert outcome.exit_code == 0, outcome.stderr
    return outcome


def told(outcome: Outcome, message: str) -> list[Any]:
    lines = [line.split("\t") for line in outcome.stderr.splitlines()]
    return [json.loads(words[4]) if len(words) > 4 else {} for words in lines if len(words) > 3 and message in words[3]]


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
        "words", [("--disable-auth",), ("--for-version", "3.5"), ("--initial-cluster-token", "x")], ids=str
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


class TestChanges:
    def test_alarms(self, tmp_path: Path) -> None:
        source = changed(tmp_path / "s.db", lambda one: one.put(b"alarm", NOSPACE, b""))
        outcome = done(source, "--data-dir", tmp_path / "kept")
        assert told(outcome, "alarms of the old cluster stand in the new one") == [{"NOSPACE": 1}]
        outcome = done(source, "--data-dir", tmp_path / "new", "--clear-alarms")
        assert "alarms of the old cluster stand" not in outcome.stderr
        assert told(outcome, "cleared alarms") == [{"alarms": 1, "NOSPACE": 1}]
        kept, new = restored.buckets(tmp_path / "kept"), restored.buckets(tmp_path / "new")
        assert (kept.pop("alarm"), new.pop("alarm")) == ({NOSPACE: b""}, {})
        assert new == kept

    def test_authentication(self, tmp_path: Path) -> None:
        done(snapshot_of("3.6"), "--data-dir", tmp_path / "kept")
        outcome = done(snapshot_of("3.6"), "--data-dir", tmp_path / "new", "--disable-auth")
        kept, new = restored.buckets(tmp_path / "kept"), restored.buckets(tmp_path / "new")
        users, roles = len(kept["authUsers"]), len(kept["authRoles"])
        assert told(outcome, "disabled authentication") == [{"users-kept": users, "roles-kept": roles}]
        before, after = kept.pop("auth"), new.pop("auth")
        assert (before[b"authEnabled"], after[b"authEnabled"]) == (b"\1", b"\0")
        assert int.from_bytes(after[b"authRevision"]) == int.from_bytes(before[b"authRevision"]) + 1
        assert new == kept

    def test_authentication_that_is_off(self, tmp_path: Path) -> None:
        source = samples.unpack("k8s/3.6/snapshot.db.gz")
        outcome = done(source, "--data-dir", tmp_path / "new", "--disable-auth", "--clear-alarms")
        assert len(told(outcome, "authentication was not enabled")) == 1
        assert told(outcome, "cleared alarms") == [{"alarms": 0}]
        done(source, "--data-dir", tmp_path / "plain")
        assert restored.buckets(tmp_path / "new") == restored.buckets(tmp_path / "plain")

    @pytest.mark.parametrize("engine", ["columns", "plain"])
    def test_keys_whose_lease_is_gone(self, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ETCDTOOL_ENGINE", engine)
        source = changed(tmp_path / "s.db", lambda one: one.clear(b"lease"))
        before = Keyspace.read(Image.open(memoryview(source.read_bytes()[:-32])))
        orphans = [one.key for one in before.items_at() if one.lease]
        assert orphans
        outcome = done(source, "--data-dir", tmp_path / "new", "--drop-lease-orphans")
        (facts,) = told(outcome, "dropped keys of leases")
        revision = before.current_revision + 1
        assert facts == {"keys": len(orphans), "revision": revision, "first-key": orphans[0].decode()}
        after = Keyspace.read(Image.open(memoryview((tmp_path / "new" / restored.DB).read_bytes())))
        assert after.current_revision == revision
        assert [one for one in before.items_at() if not one.lease] == list(after.items_at())
        found = restored.buckets(tmp_path / "new")["key"]
        dropped = [Revision(revision, sub, tombstone=True) for sub in range(len(orphans))]
        assert [Revision.parse(key) for key in found][-len(orphans) :] == dropped

    def test_none_are_dropped_where_all_leases_exist(self, tmp_path: Path) -> None:
        outcome = done(snapshot_of("3.6"), "--data-dir", tmp_path / "new", "--drop-lease-orphans")
        done(snapshot_of("3.6"), "--data-dir", tmp_path / "plain")
        assert told(outcome, "dropped keys of leases") == [{"keys": 0}]
        assert restored.buckets(tmp_path / "new") == restored.buckets(tmp_path / "plain")

    def test_with_a_lease_that_cannot_be_read_nobody_knows(self, tmp_path: Path) -> None:
        source = changed(tmp_path / "s.db", lambda one: one.put(b"lease", b"short", b"?"))
        outcome = run(source, "--data-dir", tmp_path / "new", "--drop-lease-orphans")
        assert (outcome.exit_code, names(tmp_path)) == (1, ["s.db"])
        assert "leave --drop-lease-orphans out" in outcome.stderr

    def test_dropped_ones_come_before_the_bump(self, tmp_path: Path) -> None:
        source = changed(tmp_path / "s.db", lambda one: one.clear(b"lease"))
        words = ("--drop-lease-orphans", "--profile", "kubernetes")
        outcome = done(source, "--data-dir", tmp_path / "new", *words)
        (dropped,), (bumped,) = told(outcome, "dropped keys of leases"), told(outcome, "bumping latest revision")
        assert bumped["latest-revision"] == dropped["revision"]
        assert bumped["new-latest-revision"] == dropped["revision"] + 1_000_000_000


class TestProfile:
    def test_it_is_a_bump_with_its_reason(self, tmp_path: Path) -> None:
        outcome = done(snapshot_of("3.6"), "--data-dir", tmp_path / "new", "--profile", "kubernetes")
        assert told(outcome, "a restore takes the revision back") == [{"bump-amount": 1_000_000_000}]
        words = ("--bump-revision", "1000000000", "--mark-compacted")
        done(snapshot_of("3.6"), "--data-dir", tmp_path / "plain", *words)
        assert restored.buckets(tmp_path / "new") == restored.buckets(tmp_path / "plain")

    def test_another_amount_is_taken(self, tmp_path: Path) -> None:
        words = ("--profile", "kubernetes", "--bump-revision", "5")
        outcome = done(snapshot_of("3.6"), "--data-dir", tmp_path / "new", *words)
        (facts,) = told(outcome, "bumping latest revision")
        assert facts["bump-amount"] == 5

    def test_a_revision_that_would_not_fit_is_refused(self, tmp_path: Path) -> None:
        last = bytes(Revision((1 << 63) - 1_000_000, 0))
        source = changed(tmp_path / "s.db", lambda one: one.put(b"key", last, b""))
        words = ("--profile", "kubernetes")
        outcome = run(source, "--data-dir", tmp_path / "new", *words)
        assert (outcome.exit_code, names(tmp_path)) == (1, ["s.db"])
        assert "beyond the largest there is" in outcome.stderr


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
