"""``etcdtool compact`` beside real servers, over random histories; ``--seed`` repeats one.

The same data dir twice: one compacted by a server, one by us.  Every pair has to be the same then, but for what raft
and the start of a server write.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import faults, real, restored, samples
from support.cli import invoke
from support.writers import Writer

if TYPE_CHECKING:
    import random
    from pathlib import Path

VERSIONS = ["3.5", "3.6", "3.7"]
CHANGES = 150
MARKS = (b"scheduledCompactRev", b"finishedCompactRev")
OF_RAFT = {b"consistent_index", b"term", b"confState", b"storageVersion"}
ROOT = ("--user", "root:rootpw", "--dial-timeout=30s", "--command-timeout=60s")  # logging in takes a while under load
BATCH_LIMIT, SLEEP = 3, "300ms"


def turns() -> list[Any]:
    """Give one history a version, and with --full eight."""
    return [
        pytest.param(version, turn, id=f"{version}-{turn}", marks=[pytest.mark.full] if turn else [])
        for version in VERSIONS
        for turn in range(8)
    ]


def compacted_by_a_server(server: real.Server, revision: int) -> None:
    server.etcdctl("compact", str(revision), "--physical")


def marks_of(folder: Path) -> list[bytes | None]:
    return [restored.buckets(folder)["meta"].get(mark) for mark in MARKS]


def hold_same(ours: Path, theirs: Path, version: str, rng: random.Random, low: int, high: int) -> None:
    """Hold two data dirs against each other: pairs, marks, and hashes of both by a real server and by us."""
    mine, real_ones = restored.buckets(ours), restored.buckets(theirs)
    assert mine["key"] == real_ones["key"]
    assert marks_of(ours) == marks_of(theirs)
    assert mine["meta"].keys() - OF_RAFT == real_ones["meta"].keys() - OF_RAFT
    assert {name: mine[name] for name in mine if name not in {"meta", "key", "cluster", "members"}} == {
        name: real_ones[name] for name in mine if name not in {"meta", "key", "cluster", "members"}
    }
    asked = sorted({low, high, *(rng.randint(low, high) for _ in range(6))})
    found = [hashes(folder, asked) for folder in (ours, theirs)]
    assert found[0] == found[1]
    with real.Server(version, ours) as server:
        for revision, (checksum, compact) in zip(asked, found[0], strict=True):
            reply = server.etcdctl_json("endpoint", "hashkv", "--rev", str(revision))[0]["HashKV"]
            assert (reply["hash"], reply["compact_revision"]) == (checksum, compact), revision
        server.etcdctl("put", "written", "afterwards")


def hashes(folder: Path, asked: list[int]) -> list[tuple[int, int]]:
    found = []
    for revision in asked:
        done = invoke("hashkv", folder, f"--rev={revision}")
        assert done.exit_code == 0, done.stderr
        checksum, _, compact = done.stdout.split(", ")
        found.append((int(checksum), int(compact)))
    return found


@pytest.mark.parametrize(("version", "turn"), turns())
def test_random_histories(version: str, turn: int, rng: random.Random, tmp_path: Path) -> None:
    rng.seed(f"{rng.random()} {version} {turn}")
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    with real.Server(version, theirs) as server:
        writer = Writer(server, rng)
        for _ in range(CHANGES):
            writer.change()
        server.stop()
        faults.copy_dir(theirs, ours)
        old = restored.buckets(ours)["meta"]
        low = max(writer.compacted + 1, 2)
        deleted = [revision for revision in writer.tombstones if revision >= low]
        at = rng.choice(deleted) if deleted and turn % 2 == 0 else rng.randint(low, writer.revision)
        server.start()
        refused = server.etcdctl("compact", str(writer.revision + 1), check=False).stderr
        assert "required revision is a future revision" in refused
        compacted_by_a_server(server, at)
    rest = {name: digest for name, digest in samples.hashes(ours).items() if "snap/db" not in name}
    for revision, words in (
        (writer.revision + 1, "mvcc: required revision is a future revision"),
        (writer.compacted, "mvcc: required revision has been compacted"),
    ):
        if revision > 0:
            done = invoke("compact", "--rev", revision, "--data-dir", ours)
            assert (done.exit_code, done.stdout) == (1, "")
            assert words in done.stderr
    done = invoke("compact", "--rev", at, "--data-dir", ours)
    assert (done.exit_code, done.stderr) == (0, "")
    assert {name: digest for name, digest in samples.hashes(ours).items() if "snap/db" not in name} == rest
    new = restored.buckets(ours)["meta"]
    assert {name: value for name, value in new.items() if name not in MARKS} == {
        name: value for name, value in old.items() if name not in MARKS
    }
    hold_same(ours, theirs, version, rng, at, writer.revision)


def slowly(version: str) -> tuple[str, str]:
    """Give the flags with which a compaction takes its time."""
    name = "experimental-compaction" if version == "3.5" else "compaction"
    return f"--{name}-batch-limit={BATCH_LIMIT}", f"--{name}-sleep-interval={SLEEP}"


@pytest.mark.parametrize("beyond", [0, 3])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_compaction_that_a_kill_cut_off_is_finished(
    version: str, beyond: int, rng: random.Random, tmp_path: Path
) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    with real.Server(version, theirs, *slowly(version)) as server:
        writer = Writer(server, rng)
        for _ in range(80):
            writer.change(compact=False)
        at = writer.revision - 5
        writer.compact_at(at, physical=False)
        time.sleep(0.4)  # some batches are deleted, and committed
        server.kill()
        shutil.copytree(theirs, ours)
        server.flags = ()
        server.start()
        deadline = time.monotonic() + 30
        while "finished scheduled compaction" not in server.log and time.monotonic() < deadline:
            time.sleep(0.1)
        if beyond:
            compacted_by_a_server(server, at + beyond)
    too_early = invoke("compact", "--rev", at - 1, "--data-dir", ours)
    assert too_early.exit_code == 1
    assert f"--rev {at} does so" in too_early.stderr
    done = invoke("compact", "--rev", at + beyond, "--data-dir", ours)
    assert done.exit_code == 0, done.stderr
    assert f"resumed   the compaction at {at}" in done.stdout
    hold_same(ours, theirs, version, rng, at + beyond, writer.revision)


@pytest.mark.parametrize("version", ["3.4", *VERSIONS])
def test_a_server_of_each_version_starts_on_it(version: str, tmp_path: Path) -> None:
    folder = samples.fresh(f"v3/{version}/data.tar.gz", tmp_path)
    with real.Server(version, samples.fresh(f"v3/{version}/data.tar.gz", tmp_path / "whole")) as server:
        before = server.etcdctl_json("get", "", "--from-key", *ROOT)
    head = int(before["header"]["revision"])
    assert invoke("compact", "--rev", head, "--data-dir", folder).exit_code == 0
    with real.Server(version, folder) as server:
        after = server.etcdctl_json("get", "", "--from-key", *ROOT)
        assert after["kvs"] == before["kvs"]
        assert int(after["header"]["revision"]) == head
        assert "has been compacted" in server.etcdctl("get", "a", f"--rev={head - 1}", *ROOT, check=False).stderr
        server.etcdctl("put", "/written/after", "the compaction", *ROOT)
