"""Salvage: a whole file comes out as it is, a damaged one with all that is left and nothing that was deleted."""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.bbolt_files import written
from support.cli import invoke
from support.damage import draw, sample_bytes

from etcdtool.errors import EtcdtoolError
from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.loose_pages import Pages, guess_page_size
from etcdtool.formats.bbolt.page import Image, PageFlag
from etcdtool.formats.bbolt.salvage import ascending
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import Revision, pack_revision
from etcdtool.model.schema import BUCKETS
from etcdtool.operations.salvage import salvage
from etcdtool.operations.status import status
from etcdtool.operations.targets_snapshot import write_sealed
from etcdtool.operations.verify import verify
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.operations.salvage_report import SalvageReport

    Content = dict[bytes, dict[bytes, bytes]]

GOOD = [name for name in samples.databases() if not name.startswith("damaged")]
# a fault in one of these leaves everything readable: each number of a page is told by another one too
REDUNDANT = [
    ("meta", "checksum"),
    ("meta", "root"),
    ("both metas", "page size"),
    ("both metas", "root"),
    ("both metas", "magic"),
    ("meta in use, fitted", "page size"),
    ("meta in use, fitted", "root"),
    ("meta in use, fitted", "high-water mark"),
    ("freelist", "count"),
    ("freelist", "ids"),
    ("branch", "page id"),
    ("branch", "flags"),
    ("branch", "count"),
    ("branch", "overflow"),
    ("branch", "pos"),
    ("branch", "ksize"),
    ("branch", "child"),
    ("branch", "key"),
    ("branch", "page zeroed"),
    ("branch", "page of noise"),
    ("branch", "pages swapped"),
    ("root leaf", "page id"),
    ("root leaf", "flags"),
    ("root leaf", "count"),
    ("root leaf", "element flags"),
    ("root leaf", "vsize"),
    ("key leaf", "page id"),
    ("key leaf", "flags"),
    ("key leaf", "count"),
    ("key leaf", "overflow"),
    ("key leaf", "element flags"),
    ("key leaf", "pos"),
    ("key leaf", "vsize"),
    ("key leaf", "unused end"),
    ("inline page", "flags"),
    ("inline page", "count"),
    ("free page", "any byte"),
]
LOSING = [
    ("key leaf", "page zeroed"),
    ("key leaf", "page of noise"),
    ("key leaf", "page copied"),
    ("root leaf", "page zeroed"),
    ("key record", "tag and size of the key"),
    ("file", "cut at a sector"),
]


def content(data: bytes) -> Content:
    image = Image.open(memoryview(data))
    return {
        name: {item.key: bytes(item.value) for item in cursor.iter_items(image, bucket)}
        for name, bucket in cursor.root_buckets(image).items()
    }


def salvaged(data: bytes, folder: Path) -> tuple[SalvageReport, Content]:
    damaged, target = folder / "damaged.db", folder / "salvaged.db"
    damaged.write_bytes(data)
    with open_database(damaged) as database:
        report = salvage(database, target)
    assert damaged.read_bytes() == data
    whole = target.read_bytes()
    assert whole[-32:] == hashlib.sha256(whole[:-32]).digest()
    damaged.unlink()
    target.unlink()
    return report, content(whole[:-32])


@pytest.mark.parametrize("name", GOOD)
def test_a_whole_file_comes_out_with_the_same_hash(name: str, tmp_path: Path) -> None:
    target = tmp_path / "salvaged.db"
    with open_database(samples.unpack(name)) as database:
        report = salvage(database, target)
        before = status(database)
    with open_database(target) as database:
        after = status(database)
        assert verify(database).good
    assert report.exit_code == 0
    assert (after.hash, after.revision, after.total_key) == (before.hash, before.revision, before.total_key)
    assert report.current_revision == before.revision
    assert all(bucket.recovered == bucket.left_out == 0 for bucket in report.buckets)


@pytest.mark.parametrize(("page_type", "field"), REDUNDANT, ids=["/".join(names) for names in REDUNDANT])
def test_what_is_told_twice_is_not_lost(page_type: str, field: str, tmp_path: Path) -> None:
    for number in range(3):
        fault = draw(4, page_type, field, number, sealed=bool(number % 2))
        report, left = salvaged(fault.data, tmp_path)
        assert left == content(sample_bytes(fault.sample)), fault
        assert report.damage or page_type == "free page" or field == "unused end" or "sequence" in field, fault


@pytest.mark.parametrize(("page_type", "field"), LOSING, ids=["/".join(names) for names in LOSING])
def test_what_is_lost_is_said(page_type: str, field: str, tmp_path: Path) -> None:
    for number in range(4):
        fault = draw(5, page_type, field, number, sealed=True)
        truth = content(sample_bytes(fault.sample))
        report, left = salvaged(fault.data, tmp_path)
        missing = [(name, key) for name, pairs in truth.items() for key in pairs if key not in left.get(name, {})]
        gaps = {bucket.name: bucket.lost for bucket in report.buckets}
        assert not missing or report.exit_code == 3, fault
        assert all(any(gap.holds(key) for gap in gaps[name]) for name, key in missing), fault


def put(main: int, key: bytes, create: int = 0, version: int = 1, value: bytes = b"v" * 40) -> tuple[bytes, bytes]:
    return pack_revision(main), encode_key_value(key, create or main, main, version, value)


def tombstone(main: int, key: bytes) -> tuple[bytes, bytes]:
    return bytes(Revision(main, 0, tombstone=True)), encode_key_value(key, 0, 0, 0, b"")


def leaf_page(pairs: list[tuple[bytes, bytes]], page_size: int = 1024) -> bytes:
    """Give a leaf page as it would lie about in free space, with the page id 0 filled in."""
    data = written({b"x": [*pairs, (b"\xff" * 9, bytes(page_size))]}, page_size=page_size)
    image = Image.open(memoryview(data))
    (page_id, page), *_ = cursor.iter_leaves(image, cursor.root_buckets(image)[b"x"])
    assert page.count == len(pairs)
    return bytes(data[page_id * page_size : (page_id + 1) * page_size])


COMPACTED = 100


def compacted_database() -> tuple[bytearray, int]:
    """Give a database compacted at 100 and the page that holds keys a to e, which are its first."""
    mark = pack_revision(COMPACTED)
    live = [put(main, b"%c" % (main + 0x57)) for main in range(10, 15)]
    live += [put(main, b"old-%d" % main) for main in range(40, 50)]
    live.append(put(50, b"again", create=20, version=3))
    many = [put(main, b"more-%d" % main, value=b"x" * 150) for main in range(101, 130)]
    meta = [(b"finishedCompactRev", mark), (b"scheduledCompactRev", mark)]
    later = [put(130, b"gone", create=130), put(131, b"again", create=20, version=4)]
    buckets = dict.fromkeys(BUCKETS, ()) | {b"key": [*live, *many, *later], b"meta": meta}
    data = written(buckets)
    image = Image.open(memoryview(bytes(data)))
    (page_id, _), *_ = cursor.iter_leaves(image, cursor.root_buckets(image)[b"key"])
    return data, page_id


def test_leftovers_fill_a_gap_without_what_was_deleted(tmp_path: Path) -> None:
    data, page_id = compacted_database()
    truth = content(bytes(data))
    first = truth[b"key"].items()
    lost = [(key, value) for key, value in first if Revision.parse(key).main <= 20]
    leftovers = [
        *lost,
        put(20, b"again", create=20),  # versions 3 and 4 follow
        put(21, b"a", create=10, version=2),  # deleted at 22, as the tombstone tells
        tombstone(22, b"a"),
        put(23, b"gone", create=23),  # created anew at 130, so deleted before
    ]
    data[page_id * 1024 : (page_id + 1) * 1024] = bytes(1024)
    damaged = bytes(data) + leaf_page(leftovers)
    report, left = salvaged(damaged + hashlib.sha256(damaged).digest(), tmp_path)
    key = next(bucket for bucket in report.buckets if bucket.name == b"key")
    kept = set(left[b"key"])
    assert not kept - truth[b"key"].keys(), "nothing deleted has come back"
    assert {pack_revision(main) for main in (11, 12, 13, 14)} <= kept
    assert pack_revision(10) not in kept, "key a is known to be deleted"
    assert key.left_out == 5
    assert report.exit_code == 3


def test_above_the_compaction_a_dense_history_proves_that_nothing_is_lost(tmp_path: Path) -> None:
    data, _ = compacted_database()
    image = Image.open(memoryview(bytes(data)))
    pages = [page for _, page in cursor.iter_leaves(image, cursor.root_buckets(image)[b"key"])]
    offset = pages[-2].offset
    moved = bytes(data[offset : offset + 1024])
    data[offset : offset + 1024] = bytes(1024)
    report, left = salvaged(bytes(data) + moved, tmp_path)
    key = next(bucket for bucket in report.buckets if bucket.name == b"key")
    assert left[b"key"].keys() >= {pack_revision(main) for main in range(101, 130)}
    assert (key.lost, len(key.filled), report.exit_code) == ([], 1, 0)


def test_nothing_of_etcd_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "noise.db"
    path.write_bytes(random.Random(1).randbytes(20000))
    done = invoke("snapshot", "salvage", path, "-o", tmp_path / "out.db")
    assert (done.exit_code, done.stdout) == (10, "")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["noise.db"]


def test_a_file_that_changes_meanwhile_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = compacted_database()
    (tmp_path / "s.db").write_bytes(data)

    def written_to(*words: Any, **named: Any) -> None:
        write_sealed(*words, **named)
        os.utime(tmp_path / "s.db")

    monkeypatch.setattr("etcdtool.operations.salvage.write_sealed", written_to)
    done = invoke("snapshot", "salvage", tmp_path / "s.db", "-o", tmp_path / "out.db")
    assert (done.exit_code, "changed while it was read" in done.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]


@pytest.mark.parametrize("seed", range(12))
def test_any_damage_gives_a_report_or_an_error_of_ours(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    data = bytearray(sample_bytes(rng.choice(["3.6 small", "three levels", "3.2 with a freelist"])))
    for _ in range(rng.choice([10, 300, 20000])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    try:
        report, _ = salvaged(bytes(data), tmp_path)
    except EtcdtoolError:
        return
    assert report.exit_code in {0, 3}


def test_the_command_reports_and_never_overwrites(tmp_path: Path) -> None:
    fault = draw(5, "key leaf", "page zeroed", 0, sealed=True)
    damaged, target, lost = tmp_path / "damaged.db", tmp_path / "salvaged.db", tmp_path / "lost.json"
    damaged.write_bytes(fault.data)
    words = ["snapshot", "salvage", damaged, "-o", target, "--report-file", lost]
    done = invoke(*words, "-w", "json")
    assert done.exit_code == 3
    report = json.loads(lost.read_text())
    assert report == json.loads(done.stdout)
    assert (report["schema"], report["complete"]) == ("etcdtool.salvage/1", False)
    assert next(bucket for bucket in report["buckets"] if bucket["bucket"] == "key")["lost"]
    before = target.read_bytes()
    assert invoke(*words).exit_code == 12
    target.unlink()
    assert invoke(*words).exit_code == 12, "the report file exists"
    assert invoke("snapshot", "salvage", damaged, "-o", lost, "--report-file", lost).exit_code == 12
    assert invoke(*words[:4], target, "--report-file", target).exit_code == 2
    lost.unlink()
    for form in ("simple", "table", "fields"):
        target.unlink(missing_ok=True)
        done = invoke(*words[:5], "-w", form)
        assert (done.exit_code, target.read_bytes()) == (3, before)
        assert "key" in done.stdout
    assert damaged.read_bytes() == fault.data


def test_page_sizes_are_told_by_the_pages() -> None:
    for name, size in (("3.7", 4096), ("three levels", 1024)):
        data = bytearray(sample_bytes(name))
        data[: 2 * size] = bytes(2 * size)
        assert guess_page_size(memoryview(data)) == size
        assert Pages(memoryview(data), size).header(3)[1] in {PageFlag.LEAF, PageFlag.BRANCH}


def test_the_keys_that_do_not_ascend_are_told() -> None:
    keys = [b"a", b"b", b"z", b"c", None, b"d", b"a", b"e"]
    assert ascending(keys) == [True, True, False, True, False, True, False, True]
    assert ascending([]) == []


def test_pages_that_all_claim_each_other_are_no_endless_work(tmp_path: Path) -> None:
    data = bytearray(sample_bytes("three levels"))
    for page_id in range(2, len(data) // 1024):
        at = page_id * 1024
        data[at + 10 : at + 16] = b"\xfe\xff" + (len(data) // 1024 - page_id - 1).to_bytes(4, "little")
        for element in range(at + 16, at + 1024, 16):  # each claims a megabyte
            data[element + 8 : element + 16] = b"\x11\0\0\0\0\0\x10\0"
    path = tmp_path / "hostile.db"
    path.write_bytes(data)
    started = time.perf_counter()
    invoke("snapshot", "salvage", path, "-o", tmp_path / "out.db")
    assert time.perf_counter() - started < 20
