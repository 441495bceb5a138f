"""What a restore changes when it is asked to: alarms, authentication, leases, the revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import restored, samples
from support.bbolt_files import set_meta, with_freelist
from support.cli import invoke
from support.restoring import changed, done, names, run, snapshot_of, told

from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.wire import rpc_pb2
from etcdtool.model import schema
from etcdtool.model.keyspace import Keyspace
from etcdtool.model.revision import Revision

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.formats.bbolt.transaction import Transaction


NOSPACE = rpc_pb2.AlarmMember(memberID=7, alarm=1).SerializeToString()


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

    def test_a_revision_that_a_compaction_took_away_counts(self, tmp_path: Path) -> None:
        """Of a deletion that is the last change, old servers leave nothing but the mark of the compaction."""

        def compact(one: Transaction) -> None:
            for mark in (schema.FINISHED_COMPACT_REV, schema.SCHEDULED_COMPACT_REV):
                one.put(schema.META, mark, bytes(Revision(2000, 0)))

        words = ("--bump-revision", "5", "--mark-compacted", "--data-dir", tmp_path / "new")
        outcome = done(changed(tmp_path / "s.db", compact), *words)
        (facts,) = told(outcome, "bumping latest revision")
        assert facts == {"latest-revision": 2000, "bump-amount": 5, "new-latest-revision": 2005}
        found = restored.buckets(tmp_path / "new")
        assert max(found["key"]) == found["meta"][schema.SCHEDULED_COMPACT_REV] == bytes(Revision(2005, 0))

    def test_a_revision_without_one_for_the_next_write_is_refused(self, tmp_path: Path) -> None:
        source = changed(tmp_path / "s.db", lambda one: one.put(b"key", bytes(Revision((1 << 63) - 10, 0)), b""))
        for amount, good in ((9, False), (8, True)):
            words = ("--bump-revision", amount, "--mark-compacted", "--data-dir", tmp_path / f"new{amount}")
            assert run(source, *words).exit_code == (0 if good else 1)
        assert names(tmp_path) == ["new8", "s.db"]

    def test_a_revision_that_would_not_fit_is_refused(self, tmp_path: Path) -> None:
        last = bytes(Revision((1 << 63) - 1_000_000, 0))
        source = changed(tmp_path / "s.db", lambda one: one.put(b"key", last, b""))
        words = ("--profile", "kubernetes")
        outcome = run(source, "--data-dir", tmp_path / "new", *words)
        assert (outcome.exit_code, names(tmp_path)) == (1, ["s.db"])
        assert "beyond the largest there is" in outcome.stderr


def test_pages_that_are_lost_to_the_file_are_told_and_left_behind(tmp_path: Path) -> None:
    """Etcdutl restores such a file too; all that a leaked page costs is its room."""
    whole = with_freelist(snapshot_of("3.6").read_bytes()[:-32])
    leaking = bytearray(whole + bytes(4096))
    set_meta(leaking, 4096, high_water_mark=len(leaking) // 4096)
    (tmp_path / "s.db").write_bytes(leaking)
    outcome = done(tmp_path / "s.db", "--data-dir", tmp_path / "new", "--skip-hash-check")
    assert "bbolt.page-leaked" in outcome.stderr
    done(snapshot_of("3.6"), "--data-dir", tmp_path / "other")
    assert restored.buckets(tmp_path / "new") == restored.buckets(tmp_path / "other")
    assert invoke("verify", tmp_path / "new").exit_code == 0
