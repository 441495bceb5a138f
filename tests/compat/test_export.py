"""From a real server by ``export`` and ``import`` back to a real server, which says the same; ``--seed`` repeats it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from support import real, restored, samples
from support.booted import boot, recorded_kvs
from support.cli import invoke
from support.writers import Writer

if TYPE_CHECKING:
    import random
    from pathlib import Path

VERSIONS = ("3.7", *(pytest.param(version, marks=pytest.mark.full) for version in ("3.5", "3.6")))
CHANGES = 120


def brought_back(source: Path, folder: Path, *words: str) -> Path:
    target = folder / f"back{''.join(words)}.db"
    for command in (
        ("export", source, "-o", target.with_suffix(".jsonl"), *words),
        ("import", target.with_suffix(".jsonl"), "-o", target),
    ):
        done = invoke(*command)
        assert done.exit_code == 0, done.stderr
    return target


def ours(source: Path, revision: int) -> tuple[int, int]:
    told = json.loads(invoke("hashkv", source, "--rev", revision, "-w", "json").stdout)
    return told["hash"], told["compactRevision"]


def all_of(server: real.Server, *words: str) -> Any:
    return server.etcdctl_json("get", "", "--from-key", *words).get("kvs", [])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_random_history_is_served_again(version: str, rng: random.Random, tmp_path: Path) -> None:
    rng.seed(f"{rng.random()} {version}")
    with real.Server(version, tmp_path / "old") as server:
        writer = Writer(server, rng)
        for _ in range(CHANGES):
            writer.change()
        source = tmp_path / "saved.db"
        server.etcdctl("snapshot", "save", source)
        now = all_of(server)
        asked = sorted({rng.randint(max(writer.compacted, 2), writer.revision) for _ in range(5)} | {writer.revision})
        then = {revision: all_of(server, f"--rev={revision}") for revision in asked}
        hashes = {
            revision: server.etcdctl_json("endpoint", "hashkv", "--rev", str(revision))[0]["HashKV"]["hash"]
            for revision in asked
        }
        leases = server.etcdctl_json("lease", "list")["leases"]
    whole = brought_back(source, tmp_path, "--history")
    assert restored.buckets(whole) == restored.buckets(source)
    for revision in asked:
        assert ours(whole, revision)[0] == hashes[revision]
        assert ours(whole, revision) == ours(source, revision)
    real.restore(version, whole, tmp_path / "whole")
    with real.Server(version, tmp_path / "whole") as server:
        assert {revision: all_of(server, f"--rev={revision}") for revision in asked} == then
        assert server.etcdctl_json("lease", "list")["leases"] == leases
        for revision in asked:
            reply = server.etcdctl_json("endpoint", "hashkv", "--rev", str(revision))[0]["HashKV"]
            assert reply["hash"] == hashes[revision]
        server.etcdctl("put", "written", "afterwards")
    head = brought_back(source, tmp_path)
    real.restore(version, head, tmp_path / "head")
    with real.Server(version, tmp_path / "head") as server:
        assert all_of(server) == now
        assert server.etcdctl_json("lease", "list")["leases"] == leases
        refused = server.etcdctl("get", "x", f"--rev={writer.revision - 1}", check=False).stderr
        assert "required revision has been compacted" in refused
        server.etcdctl("put", "written", "afterwards")


@pytest.mark.parametrize("version", VERSIONS)
def test_users_and_leases_of_a_sample_come_back(version: str, tmp_path: Path) -> None:
    """Auth is on in there: who may do what has to be as it was."""
    sample = f"v3/{version}"
    whole = brought_back(samples.unpack(f"{sample}/snapshot.db.gz"), tmp_path, "--history")
    real.restore(version, whole, tmp_path / "data")
    served = boot(version, tmp_path / "data")
    recorded = samples.expected(sample)["live"]
    assert len(served["kvs"]) == len(recorded_kvs(sample))
    assert {base64.b64decode(kv["key"]) for kv in served["kvs"]} == {
        base64.b64decode(kv["key"]) for kv in recorded_kvs(sample)
    }
    assert served["users"] == recorded["users"]["users"]
    assert served["leases"] == sorted(int(lease["ID"]) for lease in recorded["leases"]["leases"])


def test_etcdutl_takes_what_was_written(tmp_path: Path) -> None:
    """The snapshot has the trailer that etcdutl checks, and bbolt finds nothing wrong."""
    source = samples.unpack("v3/3.7/snapshot.db.gz")
    target = brought_back(source, tmp_path, "--history")
    told = real.run(real.program("etcdutl", "3.7"), "snapshot", "status", target, "-w", "json")
    mine = json.loads(invoke("snapshot", "status", source, "-w", "json").stdout)
    theirs = json.loads(told.stdout)
    assert {name: theirs[name] for name in ("hash", "revision", "totalKey")} == {
        name: mine[name] for name in ("hash", "revision", "totalKey")
    }
    assert real.run(real.bbolt(), "check", target).stdout.strip() == "OK"
