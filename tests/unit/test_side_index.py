"""The side index of a database: finds what a scan finds, is never believed when it is stale, harms nobody."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import lmdb
import pytest
from support.bbolt_files import written

from etcdtool.cli.root import run
from etcdtool.errors import EtcdtoolError
from etcdtool.model.history import History
from etcdtool.model.key_range import KeyRange
from etcdtool.model.key_rows import KeyRows
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import pack_revision
from etcdtool.operations import index_finder
from etcdtool.operations.get import get
from etcdtool.operations.index_build import build
from etcdtool.operations.index_finder import IndexFinder, rows_in
from etcdtool.operations.range_request import RangeRequest, SortOrder, SortTarget
from etcdtool.operations.side_index import drop, list_indexes, opened_or_built
from etcdtool.sources import index_place, open_database
from etcdtool.sources.cache import cache_folder
from etcdtool.sources.index_place import index_files
from etcdtool.sources.index_row import ROW, ROWS_PER_BLOCK, IndexRow
from etcdtool.sources.side_index import IndexFile

if TYPE_CHECKING:
    from pathlib import Path

# zeros and long keys with a common start are what would disturb the order of LMDB's own keys
NAMES = [
    b"a",
    b"a\0",
    b"a\0\0",
    b"a\0\0\0\0\0\0\0\0\0",
    b"a\0\xff",
    b"a\x01",
    b"\0" * 600,
    b"\0" * 601,
    *(b"long/" * 200 + bytes([number]) for number in (0, 1, 2, 255)),
    b"\xff\xff",
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ETCDTOOL_CACHE_DIR", str(folder))
    return folder


def make(path: Path, seed: int, count: int) -> Path:
    rng = random.Random(seed)
    names = [*NAMES, *(b"key/%d" % number for number in range(count // 4))]
    pairs = []
    for main in range(2, count + 2):
        name = rng.choice(names)
        gone = rng.random() < 0.2
        key = pack_revision(main, 0) + (b"t" if gone else b"")
        pairs.append((key, encode_key_value(name, *((0, 0, 0, b"") if gone else (main, main, 1, b"value")))))
    path.write_bytes(bytes(written({b"key": pairs, b"meta": []}, page_size=4096)))
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return make(tmp_path / "one.db", 1, 3000)


def count(rows: bytes) -> int:
    return len(rows) // ROW.size


def ranges(rng: random.Random) -> list[KeyRange]:
    ends = [*NAMES, b"key/1", b"key/10", b"key/2", b"k", b"z", b"\0"]
    pairs = [(rng.choice(ends), rng.choice(ends)) for _ in range(60)]
    return [
        KeyRange.everything(),
        KeyRange.prefix(b"a"),
        KeyRange.prefix(b"a\0"),
        KeyRange.prefix(b"long/"),
        KeyRange.prefix(b"\xff"),
        KeyRange.from_key(b"key/5"),
        *(KeyRange.of(name) for name in NAMES),
        *(KeyRange.of(one, other) for one, other in pairs),
    ]


def test_it_finds_what_a_scan_finds(database: Path) -> None:
    with open_database(database) as opened, build(opened) as index:
        history = History.read(opened.image, engine="plain")
        keys = [history.key_of(row) for row in range(len(history))]
        by_key = sorted(range(len(history)), key=lambda row: keys[row])
        assert len(history) > 10 * ROWS_PER_BLOCK
        for wanted in ranges(random.Random(3)):
            found = [row for rows in rows_in(index, opened.data, wanted) for row in ROW.iter_unpack(rows)]
            assert found == [
                (
                    int(history.main[row]),
                    int(history.sub[row]),
                    int(history.start[row]),
                    int(history.size[row]),
                    int(history.key_start[row]),
                    int(history.key_size[row]),
                    int(history.tombstone[row]),
                )
                for row in by_key
                if keys[row] in wanted
            ], wanted


def test_get_answers_the_same_with_it(database: Path) -> None:
    rng = random.Random(4)
    with open_database(database) as opened, build(opened) as index:
        for wanted in ranges(rng):
            request = RangeRequest(
                keys=wanted,
                revision=rng.choice([0, 2, 50, 1500, 3001]),
                limit=rng.choice([0, 1, 10]),
                order=rng.choice(list(SortOrder)),
                sort_by=rng.choice(list(SortTarget)),
            )
            scanned, found = (
                get(opened.image, request),
                get(opened.image, request, find=IndexFinder(index, opened.file)),
            )
            assert (found.count, found.more, found.revision) == (scanned.count, scanned.more, scanned.revision)
            assert list(found) == list(scanned), request


@pytest.mark.parametrize("always", [0, 10_000])
def test_what_is_a_large_part_of_a_file_is_scanned(
    database: Path, always: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_finder, "_ROWS_ALWAYS_LOOKED_UP", always)
    scans: list[KeyRange] = []
    scan = KeyRows.scan

    def counted(image: Any, keys: KeyRange, **words: Any) -> KeyRows:
        scans.append(keys)
        return scan(image, keys, **words)

    with open_database(database) as opened, build(opened) as index:
        monkeypatch.setattr(KeyRows, "scan", counted)
        find = IndexFinder(index, opened.file)
        for wanted in (KeyRange.everything(), KeyRange.of(b"key/7")):
            found = get(opened.image, RangeRequest(keys=wanted), find=find)
            assert list(found) == list(get(opened.image, RangeRequest(keys=wanted), find=scan))
    assert scans == ([] if always else [KeyRange.everything()])


def test_a_look_up_reads_as_many_keys_as_halving_a_block_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "big.db", 5, 60_000)
    reads: list[int] = []
    read = index_finder.key_of

    def counted(data: memoryview, row: IndexRow) -> bytes:
        reads.append(row.key_start)
        return read(data, row)

    monkeypatch.setattr(index_finder, "key_of", counted)
    with open_database(path) as opened, build(opened) as index:
        for number in range(0, 15_000, 100):
            blocks = list(index.blocks_from(b"key/%d" % number))
            reads.clear()
            found = sum(map(count, rows_in(index, opened.data, KeyRange.of(b"key/%d" % number))))
            # in the block before the key, in its own, and in those that its revisions go on in
            blocks_read = 2 + found // ROWS_PER_BLOCK
            assert len(reads) <= 2 * (math.log2(ROWS_PER_BLOCK) + 1) * (blocks_read + 1)
            assert sum(map(count, blocks)) > found


def test_an_index_is_made_when_asked_for_or_of_a_big_file(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_database(database) as opened:
        assert opened_or_built(opened, asked=False) is None
        monkeypatch.setattr(index_place, "BUILT_ABOVE_BYTES", database.stat().st_size - 1)
        with opened_or_built(opened, asked=False) or pytest.fail("none was made") as made:
            assert made.summary.revisions == 3000


def test_one_that_is_there_is_used(database: Path) -> None:
    with open_database(database) as opened:
        build(opened).close()
        before = index_files(database)[0].stat()
        with opened_or_built(opened, asked=True) or pytest.fail("none was found"):
            assert index_files(database)[0].stat() == before


@pytest.mark.parametrize("change", ["content", "time", "size"])
def test_a_stale_one_is_not_used(database: Path, change: str) -> None:
    with open_database(database) as opened:
        build(opened).close()
    if change == "content":
        status = database.stat()
        make(database, 2, 3000)
        os.truncate(database, status.st_size)
        os.utime(database, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "time":
        os.utime(database)
    else:
        os.truncate(database, database.stat().st_size + 4096)
    assert [state.state for state in list_indexes()] == ["stale"]
    with open_database(database) as opened:
        assert opened_or_built(opened, asked=False) is None
        with opened_or_built(opened, asked=True) or pytest.fail("none was made"):
            assert [state.state for state in list_indexes()] == ["fits"]


@pytest.mark.parametrize("size", [0, 100, 4096, 8192, 20000])
def test_a_cut_index_is_none(database: Path, size: int) -> None:
    with open_database(database) as opened:
        build(opened).close()
        os.truncate(index_files(database)[0], size)
        assert [state.state for state in list_indexes()] == ["unreadable"]
        assert opened_or_built(opened, asked=False) is None
        build(opened).close()
        assert [state.state for state in list_indexes()] == ["fits"]


def test_an_index_of_another_form_is_none(database: Path) -> None:
    with open_database(database) as opened:
        build(opened).close()
        with (
            lmdb.open(str(index_files(database)[0]), subdir=False, lock=False) as environment,
            environment.begin(write=True) as transaction,
        ):
            transaction.put(b"about", (transaction.get(b"about") or b"").replace(b'"form":3', b'"form":4'))
        assert IndexFile.of(opened) is None


def test_a_packed_file_gets_none(database: Path, tmp_path: Path) -> None:
    packed = tmp_path / "one.db.gz"
    subprocess.run(["gzip", "-k", str(database)], check=True)
    with open_database(packed) as opened:
        assert opened_or_built(opened, asked=False) is None
        with pytest.raises(EtcdtoolError, match="no file that stays"):
            opened_or_built(opened, asked=True)


def test_a_cache_that_cannot_be_written_is_told_where_an_index_was_asked_for(
    database: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_bytes(b"a file where a folder should be")
    monkeypatch.setattr(index_place, "BUILT_ABOVE_BYTES", 0)
    with open_database(database) as opened:
        assert opened_or_built(opened, asked=False) is None
        with pytest.raises(EtcdtoolError, match="no index can be written"):
            opened_or_built(opened, asked=True)


def test_processes_that_build_at_once_make_one(database: Path, cache: Path) -> None:
    words = [sys.executable, "-m", "etcdtool", "index", "build", str(database)]
    running = [subprocess.Popen(words) for _ in range(4)]
    assert [process.wait(timeout=60) for process in running] == [0] * 4
    assert len(list((cache / "index").glob("*.lmdb"))) == 1
    assert not list((cache / "index").glob("*.building"))
    assert [state.state for state in list_indexes()] == ["fits"]


def test_threads_share_one(database: Path) -> None:
    with open_database(database) as opened:
        build(opened).close()
        found: list[int] = []

        def ask() -> None:
            with IndexFile.of(opened) or pytest.fail("none was found") as index:
                found.append(sum(count(rows) for rows in rows_in(index, opened.data, KeyRange.everything())))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [3000] * 8


def test_what_a_killed_builder_left_is_taken_away(database: Path) -> None:
    with open_database(database) as opened:
        build(opened).close()
    path = index_files(database)[0]
    left = path.with_name(f"{path.name.partition('-')[0]}-0123.building")
    path.rename(left)
    with open_database(database) as opened:
        build(opened).close()
    assert index_files(database) == [path]
    assert not left.exists()


def test_a_stale_one_goes_when_a_new_one_is_made(database: Path) -> None:
    with open_database(database) as opened, build(opened) as stale:
        database.chmod(0o640)  # a change of the file, though not of its content
        with build(opened) as index:
            assert index_files(database) == [index.path] != [stale.path]
            rows = [list(rows_in(one, opened.data, KeyRange.everything())) for one in (stale, index)]
            assert [sum(map(count, blocks)) for blocks in rows] == [3000, 3000]


def test_commands(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["index", "build", str(database)]) == 0
    assert run(["index", "list"]) == 0
    assert capsys.readouterr().out.startswith("fits ")
    assert run(["index", "drop"]) == 2
    assert run(["index", "drop", "--stale"]) == 0
    assert [state.state for state in list_indexes()] == ["fits"]
    database.unlink()
    assert [state.state for state in list_indexes()] == ["database gone"]
    assert run(["index", "drop", str(database)]) == 0
    assert list_indexes() == []


def test_an_empty_store_has_an_empty_index(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.write_bytes(bytes(written({b"key": [], b"meta": []}, page_size=4096)))
    with open_database(path) as opened, build(opened) as index:
        assert list(rows_in(index, opened.data, KeyRange.everything())) == []
    drop(index_files(path)[0])


def test_the_cache_is_where_users_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ETCDTOOL_CACHE_DIR", ""), ("XDG_CACHE_HOME", "relative"), ("HOME", "/home/someone")):
        monkeypatch.setenv(name, value)
    assert str(cache_folder("index")) == "/home/someone/.cache/etcdtool/index"
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/someone")
    assert str(cache_folder("index")) == "/var/cache/someone/etcdtool/index"


def test_where_nobody_knows_the_user_there_is_a_place_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def expand(_: str) -> str:
        return "~"  # what the system gives in a container without HOME and an entry for the user

    for name in ("ETCDTOOL_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", expand)
    assert str(cache_folder("index")) == "/.cache/etcdtool/index"
