"""``etcdtool hashkv`` beside real servers and the real etcdutl, over random histories; ``--seed`` repeats one.

What a server says is asked after a restart: a running one may answer from its cache at a compacted revision.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import real, samples
from support.cli import invoke
from support.writers import Writer

if TYPE_CHECKING:
    import random
    from pathlib import Path

VERSIONS = ["3.5", "3.6", "3.7"]
CHANGES = 150
REVISIONS_ASKED = 20
BATCH_LIMIT, SLEEP = 3, "300ms"
Answer = tuple[int, int, int] | str


def turns() -> list[Any]:
    """Give one history a version, and with --full ten."""
    return [
        pytest.param(version, turn, id=f"{version}-{turn}", marks=[pytest.mark.full] if turn else [])
        for version in VERSIONS
        for turn in range(10)
    ]


def of_server(server: real.Server, revision: int) -> Answer:
    done = server.etcdctl("endpoint", "hashkv", "--rev", str(revision), "-w", "json", check=False)
    if done.returncode:
        return refusal(done.stderr)
    reply = json.loads(done.stdout)[0]["HashKV"]
    return reply["hash"], reply.get("hash_revision", revision), reply["compact_revision"]


def of_etcdutl(path: Path, revision: int, folder: Path) -> Answer:
    copy = folder / "copy.db"  # it writes into its input
    shutil.copy(path, copy)
    etcdutl = real.program("etcdutl", "3.7")
    words = [etcdutl, "hashkv", copy, f"--rev={revision}", "-w", "json"]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, check=False)
    return tuple(json.loads(done.stdout).values()) if done.returncode == 0 else refusal(done.stderr)


def of_ours(path: Path, revision: int) -> Answer:
    done = invoke("hashkv", path, f"--rev={revision}", "-w", "json")
    return tuple(json.loads(done.stdout).values()) if done.exit_code == 0 else refusal(done.stderr)


def refusal(words: str) -> str:
    return next(known for known in ("has been compacted", "is a future revision") if known in words)


def revisions(writer: Writer, rng: random.Random) -> list[int]:
    """Choose what to ask for: random ones, the borders, tombstones, and what is beyond both ends."""
    low = max(writer.compacted, 2)
    borders = [low - 1, low, low + 1, writer.revision, writer.revision + 1]
    inside = [rng.randint(low, writer.revision) for _ in range(REVISIONS_ASKED - len(borders) - 3)]
    deleted = [revision for revision in writer.tombstones if revision >= low] or [low]
    return [revision for revision in [*borders, *inside, *rng.choices(deleted, k=3)] if revision > 0]


@pytest.mark.parametrize(("version", "turn"), turns())
def test_random_histories(version: str, turn: int, rng: random.Random, tmp_path: Path) -> None:
    rng.seed(f"{rng.random()} {version} {turn}")
    saved = tmp_path / "saved.db"
    with real.Server(version, tmp_path / "data") as server:
        writer = Writer(server, rng)
        for _ in range(CHANGES):
            writer.change()
        server.etcdctl("snapshot", "save", saved)
        server.stop()
        before = samples.hashes(saved)
        stopped = shutil.copy(tmp_path / "data" / "member" / "snap" / "db", tmp_path / "stopped.db")
        server.start()
        for revision in revisions(writer, rng):
            said = of_server(server, revision)
            assert of_ours(saved, revision) == said, revision
            assert of_ours(stopped, revision) == said, revision
            assert of_etcdutl(saved, revision, tmp_path) == said, revision
    assert samples.hashes(saved) == before
    assert invoke("hashkv", saved, stopped).exit_code == 0


def slowly(version: str) -> tuple[str, str]:
    """Give the flags with which a compaction takes its time."""
    name = "experimental-compaction" if version == "3.5" else "compaction"
    return f"--{name}-batch-limit={BATCH_LIMIT}", f"--{name}-sleep-interval={SLEEP}"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_compaction_that_a_kill_cut_off(version: str, rng: random.Random, tmp_path: Path) -> None:
    killed = tmp_path / "killed.db"
    with real.Server(version, tmp_path / "data", *slowly(version)) as server:
        writer = Writer(server, rng)
        for _ in range(80):
            writer.change(compact=False)
        writer.compact_at(writer.revision - 5, physical=False)
        time.sleep(0.4)  # some batches are deleted, and committed
        server.kill()
        shutil.copy(tmp_path / "data" / "member" / "snap" / "db", killed)
        assert "revisions.compaction-pending" in invoke("verify", killed).stdout
        server.start()
        low = writer.compacted
        for revision in [low - 1, low, *(rng.randint(low, low + 5) for _ in range(4))]:
            said = of_server(server, revision)
            assert of_ours(killed, revision) == said, revision
            assert of_etcdutl(killed, revision, tmp_path) == said, revision


@pytest.mark.parametrize("version", VERSIONS)
def test_a_compaction_cut_off_after_everything_was_deleted(version: str, rng: random.Random, tmp_path: Path) -> None:
    # nothing is kept then, and upstream filters by nothing: the answer is the one of a server that has finished
    killed = tmp_path / "killed.db"
    with real.Server(version, tmp_path / "data", *slowly(version)) as server:
        writer = Writer(server, rng)
        for _ in range(20):
            writer.put()
        writer.delete_everything()
        at = writer.revision - 3
        writer.compact_at(at, physical=False)
        time.sleep(0.4)
        server.kill()
        shutil.copy(tmp_path / "data" / "member" / "snap" / "db", killed)
        assert "revisions.compaction-pending" in invoke("verify", killed).stdout
        server.flags = ()
        server.start()
        deadline = time.monotonic() + 30
        while "finished scheduled compaction" not in server.log and time.monotonic() < deadline:
            time.sleep(0.1)
        for revision in (at - 1, at, at + 1, writer.revision):
            assert of_ours(killed, revision) == of_server(server, revision), revision


def test_a_lease_makes_no_difference(tmp_path: Path) -> None:
    path = samples.unpack("k8s/3.6/snapshot.db.gz")  # etcdutl 3.6.14 panics on it
    assert of_ours(path, 47) == of_etcdutl(path, 47, tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--rev=x", "{file}"],
        ["--rev=9223372036854775808", "{file}"],
        ["--no-such-flag", "{file}"],
        ["/no/such/file"],
        ["{file}", "-w", "yaml"],
        ["{file}", "--rev=1494"],
        ["{file}", "--rev=9223372036854775807"],
        ["{file}", "--rev=-3"],
        ["{file}", "--rev=0x690"],
        ["{file}", "--timeout=5s"],
        ["{file}", "-w", "simple"],
        ["{file}", "-w", "table"],
        ["{file}", "-w", "fields"],
        ["{file}", "-w", "json"],
    ],
    ids=" ".join,
)
def test_what_is_printed_and_the_exit_code_are_etcdutl_s(words: list[str], tmp_path: Path) -> None:
    copy = samples.fresh("v3/3.7/snapshot.db.gz", tmp_path)
    words = ["hashkv", *(word.format(file=copy) for word in words)]
    ours = invoke(*words)
    theirs = subprocess.run(
        [str(real.program("etcdutl", "3.7")), *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert ours.exit_code == theirs.returncode, theirs.stderr
    if theirs.returncode == 0:
        assert ours.stdout == theirs.stdout
    else:
        assert (ours.stdout, ours.stderr[:7]) == ("", "Error: ")
