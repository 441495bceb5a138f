"""The library's front gives what the commands give, of every kind of source, and loads nothing before it is used."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import samples

import etcdtool
from etcdtool.cli.root import run
from etcdtool.errors import TargetExistsError

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOTS = ["v3/3.4/snapshot.db.gz", "v3/3.7/snapshot.db.gz", "k8s/3.6/snapshot.db.gz"]


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert run([*words, "-w", "json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(params=SNAPSHOTS)
def path(request: pytest.FixtureRequest) -> Path:
    return samples.packed(request.param)


def test_figures_are_those_of_the_commands(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with etcdtool.open(path) as snapshot:
        status, hashkv = snapshot.status(), snapshot.hashkv()
        assert asked(capsys, "snapshot", "status", str(path)) == {
            "hash": status.hash,
            "revision": status.revision,
            "totalKey": status.total_key,
            "totalSize": status.total_size,
            "version": status.version,
        }
        assert asked(capsys, "hashkv", str(path))["hash"] == hashkv.hash
        assert snapshot.details().current_revision == hashkv.hash_revision
        assert not [one for one in snapshot.verify().findings if one.severity is not etcdtool.Severity.NOTE]
        assert snapshot.top().file_size == snapshot.size


def test_ranges_are_those_of_the_commands(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with etcdtool.open(path) as snapshot:
        everything = snapshot.range(etcdtool.KeyRange.everything())
        told = asked(capsys, "get", str(path), "", "--from-key")
        assert (everything.count, everything.revision) == (told["count"], told["header"]["revision"])
        assert [(one.key, one.value) for one in everything] == [
            (b64decode(one["key"]), b64decode(one.get("value", ""))) for one in told["kvs"]
        ]
        for record in everything:
            assert snapshot.get(record.key) == record
        assert [one.key for one in snapshot.range(etcdtool.KeyRange.everything(), limit=2, keys_only=True)] == [
            one.key for one in list(everything)[:2]
        ]


def test_histories_are_those_of_the_commands(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def lines(*words: str) -> list[Any]:
        capsys.readouterr()
        assert run([*words, "-w", "json"]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    with etcdtool.open(path) as snapshot:
        everything = etcdtool.KeyRange.everything()
        told = lines("history", str(path), "", "--from-key")
        assert [[event.revision for event in one.events] for one in snapshot.history(everything)] == [
            [event["revision"] for event in one["events"]] for one in told
        ]
        told = [event["revision"] for event in lines("changes", str(path)) if "revision" in event]
        assert [event.revision for event in snapshot.changes()] == told
        gone = [one.deletion.revision for one in snapshot.deleted(1)]
        assert len(gone) == len({one.key for one in snapshot.history(everything) if not one.exists})
        assert sum(level.keys for level in snapshot.list().levels) == snapshot.range(everything).count


def test_columns_hold_every_revision(path: Path) -> None:
    with etcdtool.open(path) as snapshot:
        columns, details = snapshot.columns, snapshot.details()
        assert (len(columns), int(columns.tombstone.sum())) == (details.revisions.total, details.revisions.tombstones)
        assert (np.diff(columns.main) >= 0).all()
        for row in range(len(columns)):
            if not columns.tombstone[row] and columns.main[row] >= (details.compact_revision or 0):
                found = snapshot.get(columns.key(row), revision=int(columns.main[row]))
                assert found is not None
                if found.mod_revision == columns.mod_revision[row] and found.version == columns.version[row]:
                    assert (found.value, found.lease) == (columns.value(row), columns.lease[row])


def test_members_of_a_cluster_are_equal_and_other_files_are_not() -> None:
    with (
        etcdtool.open(samples.packed("v3-cluster/3.6/snapshot-n0.db.gz")) as one,
        etcdtool.open(samples.packed("v3-cluster/3.6/snapshot-n1.db.gz")) as other,
        etcdtool.open(samples.packed("v3/3.6/snapshot.db.gz")) as third,
    ):
        assert one.diff(other).equal
        found = one.diff(third)
        assert not found.equal
        keys = [{record.key for record in side.range(etcdtool.KeyRange.everything())} for side in (one, third)]
        assert {change.key for change in found.keys.differences() if change.before is None} == keys[1] - keys[0]
        assert {change.key for change in found.keys.differences() if change.after is None} == keys[0] - keys[1]


def test_what_stands_beside_keys_is_that_of_the_commands(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with etcdtool.open(path) as snapshot:
        members = asked(capsys, "member", "list", str(path))["members"]
        assert [one.id for one in snapshot.members().members] == [one["ID"] for one in members]
        leases = asked(capsys, "lease", "list", str(path))["leases"] or []
        assert [one.id for one in snapshot.leases().granted] == [int(one["id"]) for one in leases]
        assert snapshot.auth().enabled == asked(capsys, "auth", str(path))["enabled"]


def test_a_key_is_bytes_or_text_and_may_be_gone() -> None:
    with etcdtool.open(samples.packed("k8s/3.6/snapshot.db.gz")) as snapshot:
        assert snapshot.get("/registry/health") == snapshot.get(b"/registry/health") is not None
        assert snapshot.get("/registry/healt") is None
        with pytest.raises(etcdtool.EtcdtoolError, match="future revision"):
            snapshot.get("/registry/health", revision=10_000)


@pytest.mark.parametrize("index", [True, False, None])
def test_an_index_changes_no_answer(index: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCDTOOL_CACHE_DIR", str(tmp_path / "cache"))
    path = samples.unpack("v3/3.7/snapshot.db.gz")
    with etcdtool.open(path, index=index) as snapshot, etcdtool.open(path, index=False) as scanned:
        everything = etcdtool.KeyRange.everything()
        assert list(snapshot.range(everything)) == list(scanned.range(everything))
    assert (tmp_path / "cache").exists() == (index is True)


def test_an_export_is_written_once(tmp_path: Path) -> None:
    with etcdtool.open(samples.packed("v3/3.7/snapshot.db.gz")) as snapshot:
        target = tmp_path / "keys.jsonl"
        exported = snapshot.export(target)
        assert len(target.read_text(encoding="utf-8").splitlines()) >= exported.counts.total()
        with pytest.raises(TargetExistsError):
            snapshot.export(target)


def test_what_cannot_be_opened_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(etcdtool.SourceError):
        etcdtool.open(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("no database", encoding="utf-8")
    with etcdtool.open(tmp_path / "text.db") as snapshot:
        assert [one.severity for one in snapshot.verify().findings] == [etcdtool.Severity.ERROR]
        for ask in (
            snapshot.status,
            snapshot.hashkv,
            snapshot.top,
            lambda: snapshot.get("a"),
            lambda: snapshot.columns,
        ):
            with pytest.raises(etcdtool.FormatError):
                ask()


def test_every_name_is_there_and_no_other() -> None:
    for name in etcdtool.__all__:
        assert getattr(etcdtool, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'close'"):
        etcdtool.close  # noqa: B018


def test_an_import_loads_nothing_heavy() -> None:
    program = "import sys, etcdtool; print({'numpy', 'lmdb', 'google.protobuf'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
