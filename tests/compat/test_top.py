"""``etcdtool top`` beside ``bbolt pages``, ``bbolt stats`` and real servers; what it foretells beside what they do."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import real, restored, samples
from support.cli import invoke
from support.writers import Writer

if TYPE_CHECKING:
    import random
    from pathlib import Path

DATABASES = [
    *(name for name in [*samples.databases(), *samples.archives("v3")] if not name.startswith(("damaged", "v2"))),
    *samples.archives("v3-extra"),
]
SERVERS = ["3.5", "3.6", "3.7"]
CHANGES = 150
PAGE_SIZE = 4096
PAGES_OF_A_DEFRAG = 4
"""A new file of bbolt begins with a freelist and an empty root, which its first commit leaves as free pages."""
PAGES_OF_A_LAST_SPLIT = 2
"""What is left of a bucket goes on one page upstream where it fits; ours are never more than nine tenths full."""
PAGES_OF_A_START = 6
"""A server writes at its start: members, versions, its consistent index; each commit copies the pages it changes."""
RECORD = 16


@dataclass(frozen=True)
class Stats:
    """What bbolt says: bytes of pages by type, and of the buckets."""

    pages: dict[str, int]
    counts: dict[str, int]

    @classmethod
    def of(cls, path: Path) -> Stats:
        pages: dict[str, int] = {}
        for line in real.run(real.bbolt(), "pages", path, check=True).stdout.splitlines()[2:]:
            kind, overflow = line[9:19].strip(), line[27:].strip()
            pages[kind] = pages.get(kind, 0) + PAGE_SIZE * (1 + int(overflow or 0))
        stats = real.run(real.bbolt(), "stats", path, "key", check=True).stdout
        found = re.findall(r"^\s+([A-Z][^:]+): (\d+)", stats, re.MULTILINE)
        return cls(pages, {name: int(number) for name, number in found})

    @property
    def is_inline(self) -> bool:
        return self.counts["Total number on inlined buckets"] == 1


def opened(name: str) -> Path:
    path = samples.unpack(name)
    return path / restored.DB if path.is_dir() else path


def top(path: Path, *words: str) -> Any:
    done = invoke("top", path, "--limit=0", *words, "-w", "json")
    assert (done.exit_code, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", DATABASES)
def test_it_adds_up_to_what_bbolt_counts(name: str) -> None:
    path = opened(name)
    hold_beside_bbolt(path)


def hold_beside_bbolt(path: Path) -> None:
    before = samples.sha256(path)
    stats = Stats.of(path)
    for by in ("prefix", "key", "kind", "namespace", "lease", "size-class"):
        found = top(path, f"--by={by}")
        size = path.stat().st_size
        assert (found["residual"], found["accounted"], found["fileSize"]) == (0, size, size)
        groups, parts = found["groups"], {part["name"]: part["size"] for part in found["parts"]}
        assert sum(group["total"] for group in groups) + sum(parts.values()) == size
        assert parts["meta pages"] == stats.pages["meta"]
        assert parts.get("free pages", 0) == stats.pages.get("free", 0)
        assert parts.get("freelist", 0) == stats.pages.get("freelist", 0)
        assert found["dbSize"] == sum(stats.pages.values())
        assert found["dbSizeInUse"] == found["dbSize"] - stats.pages.get("free", 0)
        assert found["fileSize"] - found["dbSize"] == parts.get("beyond the high-water mark", 0) + parts.get(
            "sha256 trailer", 0
        )
        hold_entries(stats, groups, parts)
    assert samples.sha256(path) == before


def hold_entries(stats: Stats, groups: list[dict[str, int]], parts: dict[str, int]) -> None:
    """Hold the entries of bucket ``key``, and the pages they lie on, beside bbolt's figures."""
    counts = stats.counts
    revisions = sum(group["revisions"] for group in groups)
    assert revisions == counts["Number of keys/value pairs"]
    entries = sum(group[name] for group in groups for name in ("live", "historic", "tombstones"))
    if stats.is_inline:
        used = counts["Bytes used for inlined buckets"]
        header = RECORD
        if revisions:
            assert sum(group["total"] for group in groups) == used
    else:
        used = counts["Bytes actually used for leaf data"]
        header = RECORD * counts["Number of logical leaf pages"]
        empty = parts.get("header and empty pages of bucket key", 0)
        assert sum(group["total"] for group in groups) + empty == counts["Bytes allocated for physical leaf pages"]
        assert parts.get("branch pages of bucket key", 0) == counts["Bytes allocated for physical branch pages"]
    assert entries == used - header - RECORD * revisions


def turns() -> list[Any]:
    """Give one history a version, and with --full six."""
    return [
        pytest.param(version, turn, id=f"{version}-{turn}", marks=[pytest.mark.full] if turn else [])
        for version in SERVERS
        for turn in range(6)
    ]


@pytest.mark.parametrize(("version", "turn"), turns())
def test_random_histories(version: str, turn: int, rng: random.Random, tmp_path: Path) -> None:
    rng.seed(f"{rng.random()} {version} {turn}")
    folder = tmp_path / "data"
    with real.Server(version, folder) as server:
        writer = Writer(server, rng)
        for _ in range(CHANGES):
            writer.change()
        server.etcdctl("snapshot", "save", tmp_path / "saved.db")
        size = endpoint_size(server)[0]
        server.stop()
        hold_beside_bbolt(tmp_path / "saved.db")
        hold_beside_bbolt(folder / restored.DB)
        assert top(tmp_path / "saved.db")["dbSize"] == size
        hold_savings(version, folder, tmp_path)


@pytest.mark.parametrize("version", SERVERS)
def test_samples_of_each_version(version: str, tmp_path: Path) -> None:
    hold_savings(version, samples.fresh(f"v3/{version}/data.tar.gz", tmp_path), tmp_path)


def hold_savings(version: str, folder: Path, place: Path) -> None:
    """Do what is foretold, with our commands and the real ones, each on a copy of its own."""
    found = top(folder)
    head = found["savings"]["compactAt"]
    copies = {name: place / name for name in ("defrag", "compact", "theirs", "served")}
    for copy in copies.values():
        shutil.copytree(folder, copy)
    # ours: to the page
    assert invoke("defrag", "--data-dir", copies["defrag"], "--no-keep").exit_code == 0
    assert top(copies["defrag"])["dbSize"] == found["savings"]["sizeDefragmented"]
    if found["compactRevision"] < head:
        assert invoke("compact", "--rev", head, "--data-dir", copies["compact"], "--no-keep").exit_code == 0
        compacted = top(copies["compact"])
        assert compacted["dbSize"] == found["savings"]["sizeCompacted"]
        hold_removed(found, restored.buckets(folder)["key"], restored.buckets(copies["compact"])["key"])
        assert compacted["savings"]["revisionsRemoved"] == 0
    real.run(real.program("etcdutl", version), "defrag", "--data-dir", copies["theirs"], check=True)
    theirs = top(copies["theirs"])
    hold_size(theirs["dbSize"], found["savings"]["sizeDefragmented"], PAGES_OF_A_DEFRAG)
    hold_size(theirs["dbSizeInUse"], found["savings"]["sizeDefragmented"], PAGES_OF_A_LAST_SPLIT)
    hold_server(version, copies["served"], found)


def hold_server(version: str, folder: Path, found: Any) -> None:
    before, head = restored.buckets(folder)["key"], found["savings"]["compactAt"]
    login = ("--user", "root:rootpw") if restored.buckets(folder)["auth"].get(b"authEnabled") == b"\1" else ()
    with real.Server(version, folder) as server:
        size, in_use = endpoint_size(server, login)
        hold_size(size, found["dbSize"], PAGES_OF_A_START)
        hold_size(in_use, found["dbSizeInUse"], PAGES_OF_A_START)
        if found["compactRevision"] < head:
            server.etcdctl("compact", str(head), "--physical", *login)
        server.etcdctl("defrag", *login)
        size, _ = endpoint_size(server, login)
        hold_size(size, found["savings"]["sizeCompacted"], PAGES_OF_A_DEFRAG + PAGES_OF_A_START)
        server.stop()
    hold_removed(found, before, restored.buckets(folder)["key"])


def endpoint_size(server: real.Server, login: tuple[str, ...] = ()) -> tuple[int, int]:
    status = server.etcdctl_json("endpoint", "status", *login)[0]["Status"]
    return int(status["dbSize"]), int(status["dbSizeInUse"])


def hold_removed(found: Any, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> None:
    removed = before.keys() - after.keys()
    assert len(removed) == found["savings"]["revisionsRemoved"]
    sizes = sum(len(key) + len(before[key]) + RECORD for key in removed)
    assert sizes == found["savings"]["bytesFreed"]


def hold_size(size: int, foretold: int, pages: int) -> None:
    assert abs(size - foretold) <= pages * PAGE_SIZE, (size, foretold)
