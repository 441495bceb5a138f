"""What real servers say of data dirs that were restored with more than etcdutl can do."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from support import restored, samples
from support.bbolt_files import applied
from support.booted import ROOT, served
from support.cli import invoke
from support.servers import Cluster, Server, ServerError, restore

from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.transaction import Transaction
from etcdtool.formats.wire import rpc_pb2
from etcdtool.model.keyspace import Keyspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.cli import Outcome

VERSIONS = ("3.4", "3.5", "3.6", "3.7")
OLDEST_AND_NEWEST = ("3.4", *(pytest.param(version, marks=pytest.mark.full) for version in ("3.5", "3.6")), "3.7")
LOG, MARKER = "0000000000000000-0000000000000000.wal", "restore-unfinished.wal"
K8S = "k8s/3.6/snapshot.db.gz"


def ours(source: Path, *words: object) -> Outcome:
    done = invoke("snapshot", "restore", source, *words)
    assert done.exit_code == 0, done.stderr
    return done


def changed(path: Path, name: str, change: Callable[[Transaction], object]) -> Path:
    """Write a sample's database with changes; it has no sha256 then."""
    data = samples.unpack(name).read_bytes()[:-32]
    transaction = Transaction(Image.open(memoryview(data)))
    change(transaction)
    path.write_bytes(applied(data, transaction.commit()))
    return path


@pytest.mark.parametrize("version", ["3.5", "3.6", "3.7", pytest.param("3.4", marks=pytest.mark.full)])
@pytest.mark.parametrize("elsewhere", [False, pytest.param(True, marks=pytest.mark.full)])
def test_all_members_start_as_one_cluster(version: str, elsewhere: bool, tmp_path: Path) -> None:
    cluster = Cluster(version, tmp_path, 3)
    logs = tmp_path / "logs"
    ours(
        samples.unpack("v3/3.4/snapshot.db.gz"),
        *("--all-members", "--output", tmp_path / "all", "--for-version", version),
        *("--initial-cluster", cluster.members[0].initial_cluster),
        *(("--wal-dir", logs) if elsewhere else ()),
    )
    for member in cluster.members:
        member.data_dir = tmp_path / "all" / f"{member.name}.etcd"
        if elsewhere:
            member.flags = (f"--wal-dir={logs / member.name}.wal",)
    with cluster:
        first = cluster.members[0]
        listed = first.etcdctl_json("member", "list", *ROOT)["members"]
        assert sorted(one["name"] for one in listed) == ["m1", "m2", "m3"]
        asked = served(first)
        assert len(asked["kvs"]) > 1000
        first.etcdctl("put", "/written/after", "all members", *ROOT)
        answers = [member.etcdctl_json("get", "/written/after", *ROOT)["kvs"] for member in cluster.members]
        assert answers[0] == answers[1] == answers[2]
        hashes = {member.etcdctl_json("endpoint", "hashkv", *ROOT)[0]["HashKV"]["hash"] for member in cluster.members}
        assert len(hashes) == 1


@pytest.mark.parametrize("version", OLDEST_AND_NEWEST)
def test_old_revisions_are_compacted_for_kubernetes(version: str, tmp_path: Path) -> None:
    ours(samples.unpack(K8S), "--data-dir", tmp_path / "new", "--profile", "kubernetes", "--for-version", version)
    before = Keyspace.read(Image.open(memoryview(samples.unpack(K8S).read_bytes()[:-32])))
    with Server(version, tmp_path / "new") as server:
        answer = server.etcdctl_json("get", "/registry", "--prefix", "--keys-only")
        assert answer["header"]["revision"] == before.current_revision + 1_000_000_000
        assert len(answer["kvs"]) == sum(one.key.startswith(b"/registry") for one in before.items_at())
        for revision in (before.current_revision, before.current_revision + 999_999_999):
            told = server.etcdctl("get", "/registry", f"--rev={revision}", check=False)
            assert "required revision has been compacted" in told.stderr
        watched = server.etcdctl("watch", "/registry", f"--rev={before.current_revision}", check=False)
        assert "compacted" in watched.stdout + watched.stderr
        written = server.etcdctl_json("put", "/registry/after", "x")
        assert written["header"]["revision"] == answer["header"]["revision"] + 1


def test_a_bump_counts_from_a_revision_that_a_compaction_took_away(tmp_path: Path) -> None:
    """3.4.13 compacts a deletion at the last revision away; etcdutl counts from what is left, and raises nothing."""
    with Server("3.4", tmp_path / "old") as server:
        for number in range(9):
            server.etcdctl("put", "gone", str(number))
        head = server.etcdctl_json("del", "gone")["header"]["revision"]
        server.etcdctl("compact", str(head), "--physical")
        server.etcdctl("snapshot", "save", tmp_path / "s.db")
    words = ("--bump-revision", "1", "--mark-compacted")
    ours(tmp_path / "s.db", "--data-dir", tmp_path / "ours", *words)
    restore("3.7", tmp_path / "s.db", tmp_path / "theirs", bump_revision="1", mark_compacted=True)
    for name, raised in (("ours", 1), ("theirs", 0)):
        with Server("3.5", tmp_path / name) as server:
            assert server.etcdctl_json("get", "gone")["header"]["revision"] == head + raised
            refused = server.etcdctl("get", "gone", f"--rev={head}", check=False).stderr
            assert ("required revision has been compacted" in refused) == bool(raised)


@pytest.mark.parametrize("version", OLDEST_AND_NEWEST)
def test_authentication_is_off(version: str, tmp_path: Path) -> None:
    words = ("--data-dir", tmp_path / "new", "--for-version", version)
    ours(samples.unpack("v3/3.4/snapshot.db.gz"), *words, "--disable-auth")
    users = restored.buckets(tmp_path / "new")["authUsers"]
    with Server(version, tmp_path / "new") as server:
        server.etcdctl("put", "/written/by", "anybody")
        assert sorted(server.etcdctl_json("user", "list")["users"]) == sorted(name.decode() for name in users)
        server.etcdctl("auth", "enable")
        refused = server.etcdctl("put", "/written/by", "nobody", check=False)
        assert "user name is empty" in refused.stderr
        server.etcdctl("put", "/written/by", "root", *ROOT)


@pytest.mark.parametrize("version", OLDEST_AND_NEWEST)
def test_alarms_are_gone(version: str, tmp_path: Path) -> None:
    alarm = rpc_pb2.AlarmMember(memberID=0x8E9E05C52164694D, alarm=1).SerializeToString()
    source = changed(tmp_path / "db", K8S, lambda one: one.put(b"alarm", alarm, b""))
    for name, words in (("kept", ()), ("cleared", ("--clear-alarms",))):
        more = ("--skip-hash-check", "--for-version", version)
        ours(source, "--data-dir", tmp_path / name, *more, *words)
        with Server(version, tmp_path / name) as server:
            listed = server.etcdctl("alarm", "list").stdout
            done = server.etcdctl("put", "/a", "b", check=False)
        assert ("NOSPACE" in listed, done.returncode != 0) == (name == "kept", name == "kept")


@pytest.mark.parametrize("version", OLDEST_AND_NEWEST)
def test_keys_without_their_lease_are_gone_as_if_it_had_ended(version: str, tmp_path: Path) -> None:
    source = changed(
        tmp_path / "db",
        "v3/3.4/snapshot.db.gz",
        lambda one: (one.clear(b"lease"), one.put(b"auth", b"authEnabled", b"\0")),
    )
    before = Keyspace.read(Image.open(memoryview(source.read_bytes())))
    orphans = sorted(one.key.decode() for one in before.items_at() if one.lease)
    words = ("--skip-hash-check", "--for-version", version, "--drop-lease-orphans")
    ours(source, "--data-dir", tmp_path / "new", *words)
    with Server(version, tmp_path / "new") as server:
        revision = before.current_revision
        assert server.etcdctl_json("get", "/nothing")["header"]["revision"] == revision + 1
        for key in orphans:
            assert server.etcdctl("get", key).stdout == ""
            assert server.etcdctl("get", key, f"--rev={revision}", "--print-value-only").stdout != ""
        kept = server.etcdctl_json("get", "", "--from-key", "--keys-only")["kvs"]
        assert len(kept) == sum(1 for one in before.items_at() if not one.lease)
        server.etcdctl("compact", str(revision + 1))
        # the server's own hash, and ours of what it has compacted
        theirs = server.etcdctl_json("endpoint", "hashkv")[0]["HashKV"]
        assert server.stop() in (0, -15)
    mine = invoke("hashkv", tmp_path / "new" / restored.DB, "-w", "json")
    assert json.loads(mine.stdout)["hash"] == theirs["hash"]


@pytest.mark.parametrize("version", VERSIONS)
def test_no_server_starts_between_the_two_renames(version: str, tmp_path: Path) -> None:
    data, wal = tmp_path / "data", tmp_path / "wal"
    words = ("--data-dir", data, "--wal-dir", wal, "--for-version", version)
    source = samples.unpack("v3/3.4/snapshot.db.gz")
    flags = (f"--wal-dir={wal}",)

    ours(source, *words)
    marker = {"about": "x", "order": "x", "content": "x"}
    (wal / LOG).rename(wal / f"{LOG}.etcdtool-partial")
    (wal / MARKER).write_text(json.dumps(marker), encoding="ascii")
    before = restored.buckets(data)
    with pytest.raises(ServerError, match="wal: file not found"):
        Server(version, data, *flags).__enter__()
    assert restored.buckets(data) == before

    shutil.move(data, tmp_path / "away")
    with pytest.raises(ServerError, match="wal: file not found"):
        Server(version, data, *flags).__enter__()
    shutil.rmtree(data)
    shutil.move(tmp_path / "away", data)

    # the last step but one: the log has its name, and the marker is still there
    (wal / f"{LOG}.etcdtool-partial").rename(wal / LOG)
    with Server(version, data, *flags) as server:
        assert len(served(server)["kvs"]) > 1000


@pytest.mark.parametrize("version", OLDEST_AND_NEWEST)
def test_what_the_page_says_of_one_folder_without_the_other(version: str, tmp_path: Path) -> None:
    data, wal = tmp_path / "data", tmp_path / "wal"
    words = ("--data-dir", data, "--wal-dir", wal, "--for-version", version)
    ours(samples.unpack("v3/3.4/snapshot.db.gz"), *words)
    shutil.move(wal, tmp_path / "log")
    with Server(version, data, f"--wal-dir={wal}") as server:
        assert len(served(server)["kvs"]) > 1000  # a new cluster, with the old keys
    shutil.rmtree(data)
    flags = f"--wal-dir={tmp_path / 'log'}"
    if version == "3.7":
        with pytest.raises(ServerError, match="failed to recover v3 backend from snapshot"):
            Server(version, data, flags).__enter__()
        return
    with Server(version, data, flags) as server:
        assert "kvs" not in server.etcdctl_json("get", "", "--from-key")


def test_data_touched_by_a_server_that_gave_up_are_completed(tmp_path: Path) -> None:
    data, wal = tmp_path / "data", tmp_path / "wal"
    words = ("--data-dir", data, "--wal-dir", wal)
    source = samples.unpack("v3/3.6/snapshot.db.gz")
    assert stopped(source, *words) == 9
    with pytest.raises(ServerError, match="wal: file not found"):
        Server("3.6", data, f"--wal-dir={wal}").__enter__()
    done = ours(source, *words)
    assert "completed a restore that had been stopped" in done.stderr
    with Server("3.6", data, f"--wal-dir={wal}") as server:
        assert len(served(server)["kvs"]) > 1000


def stopped(source: Path, *words: object) -> int:
    """Restore, and die when the data dir has its name and the log does not."""
    child = os.fork()
    if child == 0:
        with mock.patch("etcdtool.operations.restore_files.name_all", side_effect=lambda _: os._exit(9)):
            invoke("snapshot", "restore", source, *words)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
