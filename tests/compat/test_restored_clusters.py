"""Clusters restored from one snapshot: equal on every member, users and leases as before, grown, and upgraded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import samples
from support.booted import ROOT, count, hashes_at, hold_auth, hold_leases, kvs_at, recorded_kvs
from support.cli import invoke
from support.ports import Port
from support.servers import Cluster, Server

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = ("3.4", "3.5", "3.6", "3.7")
LATEST = 1683
BUMP = 1_000_000_000
SNAPSHOT_COUNT = "--snapshot-count=5"
WRITES = 8


def restore(member: Server, snapshot: Path, version: str, *words: object) -> None:
    done = invoke(
        *("snapshot", "restore", snapshot, "--data-dir", member.data_dir, "--for-version", version),
        *("--name", member.name, "--initial-cluster", member.initial_cluster or f"{member.name}={member.peer_url}"),
        *("--initial-advertise-peer-urls", member.peer_url, *words),
    )
    assert done.exit_code == 0, done.stderr


def restored_cluster(version: str, source: str, folder: Path, *words: object, flags: tuple[str, ...] = ()) -> Cluster:
    cluster = Cluster(version, folder, 3, *flags)
    for member in cluster.members:
        restore(member, samples.unpack(f"v3/{source}/snapshot.db.gz"), version, *words)
    return cluster


def add_member(cluster: Cluster, folder: Path) -> Server:
    first = cluster.members[0]
    peer = Port()
    url = f"http://127.0.0.1:{peer.number}"
    first.add_member("later", url, *ROOT)
    everyone = f"{first.initial_cluster},later={url}"
    flags = ("--initial-cluster-state=existing",)
    return Server(first.version, folder / "later", *flags, name="later", initial_cluster=everyone, peer_port=peer)


@pytest.mark.parametrize(
    ("source", "version", "is_bumped"),
    [
        ("3.4", "3.4", True),
        ("3.7", "3.7", False),
        *(
            pytest.param(*case, marks=pytest.mark.full)
            for case in (
                ("3.4", "3.4", False),
                ("3.4", "3.5", True),
                ("3.4", "3.7", True),
                ("3.5", "3.5", True),
                ("3.6", "3.6", False),
                ("3.6", "3.6", True),
                ("3.7", "3.7", True),
                ("3.7", "3.6", False),
                ("3.7", "3.5", False),
                ("3.7", "3.4", False),
            )
        ),
    ],
)
def test_three_members_and_one_that_joins(source: str, version: str, is_bumped: bool, tmp_path: Path) -> None:
    words = ("--bump-revision", BUMP, "--mark-compacted") if is_bumped else ()
    with restored_cluster(version, source, tmp_path, *words) as cluster:
        first = cluster.members[0]
        for member in cluster.members:
            assert kvs_at(member) == recorded_kvs(f"v3/{source}")
        revision = LATEST + (BUMP if is_bumped else 0)
        assert first.etcdctl_json("get", "nothing", *ROOT)["header"]["revision"] == revision
        assert len(hashes_at(cluster.members)) == 1
        # the old cluster's members and its learner are none of the new one
        members = first.etcdctl_json("member", "list", *ROOT)["members"]
        assert sorted(one["name"] for one in members) == ["m1", "m2", "m3"]
        assert not any(one.get("isLearner") for one in members)
        hold_auth(first)
        hold_leases(first, f"v3/{source}")
        with add_member(cluster, tmp_path) as later:
            if version == "3.4":
                # 3.4.13 takes no token on a member that got everything as a snapshot, until its next start
                later.stop()
                later.start()
            everyone = [*cluster.members, later]
            newest = later.etcdctl_json("put", "/written/by", "the new one", *ROOT)["header"]["revision"]
            assert newest > revision
            assert len(hashes_at(everyone)) == 1
            assert kvs_at(later) == kvs_at(first)
            # what was written since comes back from the log: the index in the database is that of the new log
            cluster.kill()
            later.kill()
            for member in everyone:
                member.start(wait=False)
            for member in everyone:
                member.wait_ready()
            assert len(hashes_at(everyone)) == 1
            assert len(first.etcdctl_json("member", "list", *ROOT)["members"]) == 4
            hold_auth(later)


@pytest.mark.parametrize("source", ["3.4", pytest.param("3.7", marks=pytest.mark.full)])
def test_one_member_taken_through_all_versions(source: str, tmp_path: Path) -> None:
    peer = Port()
    member = Server("3.4", tmp_path / "data", SNAPSHOT_COUNT, peer_port=peer)
    restore(member, samples.unpack(f"v3/{source}/snapshot.db.gz"), "3.4")
    hashes = set()
    with member:
        for version in VERSIONS:
            if version != member.version:
                assert member.stop() in (0, -15)
                member.version = version
                member.start()
            assert kvs_at(member, LATEST) == recorded_kvs(f"v3/{source}")
            hashes |= hashes_at([member], LATEST)
            for number in range(WRITES):  # so that a .snap of this version is written
                member.etcdctl("put", f"/written/{version}/{number}", "x", *ROOT)
            hold_auth(member)
        assert len(hashes) == 1
        assert count(member, "/written/", "--prefix") == WRITES * len(VERSIONS)
        hold_leases(member, f"v3/{source}")


@pytest.mark.full
def test_three_members_taken_through_all_versions(tmp_path: Path) -> None:
    cluster = restored_cluster("3.4", "3.4", tmp_path, flags=(SNAPSHOT_COUNT,))
    hashes = set()
    with cluster:
        for version in VERSIONS:
            for member in cluster.members:
                if version != member.version:
                    member.stop()
                    member.version = version
                    member.start()
            for number in range(WRITES):
                cluster.members[number % 3].etcdctl("put", f"/written/{version}/{number}", "x", *ROOT)
            hashes |= hashes_at(cluster.members, LATEST)
            for member in cluster.members:
                assert kvs_at(member, LATEST) == recorded_kvs("v3/3.4")
                hold_auth(member)
        assert len(hashes) == 1
        hold_leases(cluster.members[0], "v3/3.4")
