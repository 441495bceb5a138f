"""Stopped at any system call, and on a disk that fills up: real servers start on what is there afterwards."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import restored, samples
from support.booted import ROOT, boot, hashes_at, served
from support.faults import copy_dir
from support.servers import Cluster, Server, ServerError, restore
from support.stops import Scenario, sweep
from support.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Callable

KILLS_MIN = 10  # of each; hundreds of all together
EVERY = 5
COMPACT_AT = 1600
FULL_DISKS = 3
TARGET = "new.etcd"
REGISTRY = "upgrade/v2-hidden-only/data.tar.gz"
LOG, MARKER = "0000000000000000-0000000000000000.wal", "restore-unfinished.wal"
BUMP = ("--bump-revision", "1000000", "--mark-compacted")


def restoring(version: str, *words: str, inside: bool = False, form: str = "snapshot.db") -> Scenario:
    def inputs(folder: Path) -> None:
        shutil.copy(source(version, form), folder / form)
        if inside:
            (folder / TARGET).mkdir()

    def judge(folder: Path) -> None:
        # where nothing has got its name there is nothing to start; what is there is all there
        if (folder / TARGET / "member").exists():
            assert boot(version, folder / TARGET) == wanted(version, words, form)

    return Scenario(
        inputs=inputs,
        command=lambda folder: ["snapshot", "restore", folder / form, "--data-dir", folder / TARGET, *words],
        targets=(TARGET,),
        judge=judge,
    )


def source(version: str, form: str) -> Path:
    if form == "snapshot.db.gz":
        return samples.packed(f"v3/{version}/{form}")
    if form == "db":
        return samples.unpack(f"v3/{version}/data.tar.gz") / "member/snap/db"
    return samples.unpack(f"v3/{version}/snapshot.db.gz")


@cache
def wanted(version: str, words: tuple[str, ...], form: str) -> Any:
    """Tell what is served of the data dir that the real tool makes."""
    with tempfile.TemporaryDirectory() as folder:
        flags: dict[str, str | bool] = {"bump_revision": "1000000", "mark_compacted": True} if words == BUMP else {}
        flags |= {"skip_hash_check": True} if form == "db" else {}
        plain = source(version, form.removesuffix(".gz"))
        restore(version, plain, Path(folder) / TARGET, **flags)
        return boot(version, Path(folder) / TARGET)


def log_elsewhere(version: str, *, inside: bool = False) -> Scenario:
    """Two renames: in between, a server has to give up, and the next run has to complete it."""

    def inputs(folder: Path) -> None:
        shutil.copy(source(version, "snapshot.db"), folder / "snapshot.db")
        if inside:
            (folder / TARGET).mkdir()
            (folder / "wal").mkdir()

    def judge(folder: Path) -> None:
        flags = (f"--wal-dir={folder / 'wal'}",)
        if (folder / "wal" / LOG).exists():
            assert boot(version, folder / TARGET, *flags) == wanted(version, (), "snapshot.db")
        elif (folder / "wal" / MARKER).exists():
            with pytest.raises(ServerError, match="wal: file not found"):
                boot(version, folder / TARGET, *flags)
        else:
            assert not (folder / TARGET / "member").exists()

    return Scenario(
        inputs=inputs,
        command=lambda folder: [
            *("snapshot", "restore", folder / "snapshot.db"),
            *("--data-dir", folder / TARGET, "--wal-dir", folder / "wal"),
        ],
        targets=(TARGET, "wal"),
        judge=judge,
    )


def all_members(version: str, *, empty: bool = False) -> Scenario:
    """Three data dirs with one rename; they start as one cluster."""
    members = Cluster(version, Path(), 3).members
    cluster = members[0].initial_cluster

    def judge(folder: Path) -> None:
        try:
            for member in members:
                member.data_dir = folder / TARGET / f"{member.name}.etcd"
                member.start(wait=False)
            for member in members:
                member.wait_ready()
            answers = [served(member) for member in members[:1]]
            assert len(hashes_at(members)) == 1
            assert answers == [wanted(version, (), "snapshot.db")]
        finally:
            for member in members:
                member.stop()

    def inputs(folder: Path) -> None:
        shutil.copy(source(version, "snapshot.db"), folder / "snapshot.db")
        if empty:
            (folder / TARGET).mkdir()

    return Scenario(
        inputs=inputs,
        command=lambda folder: [
            *("snapshot", "restore", folder / "snapshot.db", "--initial-cluster", cluster),
            *("--all-members", "--output", folder / TARGET),
        ],
        targets=(TARGET,),
        judge=judge,
        close=lambda: [member.close() for member in members],
    )


def migrating() -> Scenario:
    """From 3.6 to 3.7: a server of 3.7 starts on what is old and on what is new."""
    data_dir = samples.unpack("v3/3.6/data.tar.gz")
    return Scenario(
        inputs=lambda folder: samples.fresh("v3/3.6/data.tar.gz", folder),
        command=lambda folder: ["migrate", "--data-dir", folder / data_dir.name, "--target-version", "3.7"],
        targets=(data_dir.name,),
        judge=lambda folder: assert_migrated(folder / data_dir.name),
    )


def assert_migrated(data_dir: Path) -> None:
    found = restored.buckets(data_dir)
    version = found["meta"].pop(b"storageVersion")
    before = restored.buckets(samples.unpack("v3/3.6/data.tar.gz"))
    assert version in {b"3.7.0", before["meta"].pop(b"storageVersion")}
    assert found == before
    assert boot("3.7", data_dir) == served_by_3_7()


@cache
def served_by_3_7() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return boot("3.7", samples.fresh("v3/3.6/data.tar.gz", Path(folder)))


def dropping() -> Scenario:
    """Whatever is left, 3.5 serves what it served before."""

    def judge(folder: Path) -> None:
        assert boot("3.5", folder / TARGET, user=()) == served_with_v2_keys()

    return Scenario(
        inputs=lambda folder: copy_dir(samples.unpack(REGISTRY), folder / TARGET),
        command=lambda folder: ["v2", "drop", folder / TARGET, "--discard"],
        targets=(TARGET,),
        judge=judge,
    )


@cache
def served_with_v2_keys() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return boot("3.5", copy_dir(samples.unpack(REGISTRY), Path(folder) / TARGET), user=())


def shrinking(version: str, *words: str) -> Scenario:
    """A server starts on the old database and on the new one, and serves the same."""
    data_dir = samples.unpack(f"v3/{version}/data.tar.gz")

    def judge(folder: Path) -> None:
        found = boot(version, folder / data_dir.name)
        if words[0] == "defrag":
            assert found == served_whole(version)
        else:
            compacted = found["hash"][1] == COMPACT_AT
            assert found["hash"] == (compacted_hash(version) if compacted else served_whole(version)["hash"])
            assert {**found, "hash": None} == {**served_whole(version), "hash": None}

    return Scenario(
        inputs=lambda folder: samples.fresh(f"v3/{version}/data.tar.gz", folder),
        command=lambda folder: [*words, "--data-dir", folder / data_dir.name],
        targets=(data_dir.name,),
        judge=judge,
        rests_are_judged=True,
    )


@cache
def served_whole(version: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return boot(version, samples.fresh(f"v3/{version}/data.tar.gz", Path(folder)))


@cache
def compacted_hash(version: str) -> Any:
    """Tell what a server hashes after it has compacted by itself."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = samples.fresh(f"v3/{version}/data.tar.gz", Path(folder))
        with Server(version, data_dir) as server:
            server.etcdctl("compact", str(COMPACT_AT), "--physical", *ROOT)
        with Server(version, data_dir) as server:
            hashed = server.etcdctl_json("endpoint", "hashkv", *ROOT)[0]["HashKV"]
            return hashed["hash"], hashed["compact_revision"]


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "restore": lambda: restoring("3.7"),
    "restore into an empty folder": lambda: restoring("3.6", inside=True),
    "restore with another revision": lambda: restoring("3.7", *BUMP),
    "restore of a compressed one": lambda: restoring("3.6", form="snapshot.db.gz"),
    "restore of a copied database": lambda: restoring("3.5", "--skip-hash-check", form="db"),
    "restore for 3.4": lambda: restoring("3.4"),
    "restore with the log elsewhere": lambda: log_elsewhere("3.6"),
    "restore with the log on an empty volume": lambda: log_elsewhere("3.7", inside=True),
    "restore of all members": lambda: all_members("3.7"),
    "restore of all members into an empty folder": lambda: all_members("3.6", empty=True),
    "migrate": migrating,
    "drop": dropping,
    "defrag": lambda: shrinking("3.7", "defrag"),
    "defrag that keeps nothing": lambda: shrinking("3.6", "defrag", "--no-keep"),
    "compact": lambda: shrinking("3.7", "compact", "--rev", str(COMPACT_AT)),
}


@pytest.mark.parametrize(
    "name",
    ["restore", "restore into an empty folder", "restore with the log on an empty volume", "migrate", "defrag"],
)
def test_every_state_that_a_stop_leaves_is_good(name: str, tmp_path: Path) -> None:
    with Zygote() as zygote:
        coverage = sweep(SCENARIOS[name](), zygote, tmp_path, every=EVERY, full_disks=FULL_DISKS)
    assert coverage.kills > 0
    assert coverage.full > 0


@pytest.mark.full
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_point_of_every_verb(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Zygote() as zygote:
        coverage = sweep(SCENARIOS[name](), zygote, tmp_path)
    with capsys.disabled():
        print(f"\n{name}: {coverage}")
    assert coverage.share == 1.0
    assert coverage.kills >= KILLS_MIN
