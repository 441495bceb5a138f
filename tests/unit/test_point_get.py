"""One key by a side index, read without NumPy: the same answer, or the same refusal, as by a scan and as by columns."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.bbolt_files import written
from support.cli import invoke

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats.bbolt.page import Image
from etcdtool.model.history import History
from etcdtool.model.key_range import KeyRange
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import pack_revision
from etcdtool.operations import index_finder, point_get
from etcdtool.operations.get import get
from etcdtool.operations.index_build import build
from etcdtool.operations.index_finder import IndexFinder
from etcdtool.operations.point_get import get_one
from etcdtool.operations.range_columns import range_by_columns
from etcdtool.operations.range_request import RangeRequest, SortOrder, SortTarget
from etcdtool.sources import open_database
from etcdtool.sources.index_place import index_files

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from etcdtool.sources import Database

FOLDERS = ("v3/", "v3-", "k8s", "discovery-v3", "v2-migrated")
SAMPLES = [name for name in [*samples.databases(), *samples.archives()] if name.startswith(FOLDERS)]
SNAPSHOTS = [name for name in SAMPLES if name.startswith("v3/") and name.endswith(".db.gz")]
KEYS_ASKED, KEYS_ASKED_FULL, REQUESTS_A_KEY = 6, 40, 5
ENGINES = ("columns", "plain")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ETCDTOOL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@contextmanager
def indexed(path: Path) -> Iterator[tuple[Database, IndexFinder]]:
    with open_database(path) as database, build(database) as index:
        yield database, IndexFinder(index, database.file)


def told(ask: Any) -> Any:
    try:
        if (answer := ask()) is None:
            return None
        return answer.revision, answer.count, answer.more, len(answer), list(answer)
    except EtcdtoolError as error:
        return type(error), str(error)


def ways(image: Image, request: RangeRequest, find: IndexFinder, engine: Any) -> list[Any]:
    """Give the answer by the point look-up, by columns over the same index, and by a scan."""
    words: dict[str, Any] = {"engine": engine, "advance": lambda _: None}
    return [
        told(lambda: get_one(image, request, find, engine=engine)),
        told(lambda: range_by_columns(image, request, find=find, **words)),
        told(lambda: range_by_columns(image, request, find=None, **words)),
    ]


def requests(rng: random.Random, history: History, key: bytes, mains: list[int]) -> Iterator[RangeRequest]:
    """Draw requests around what happened to a key, and on both sides of what can be read."""
    compact, newest = history.compactions.revision, history.current_revision
    near = [main + step for main in mains for step in (-1, 0, 1)] or [0]
    for _ in range(REQUESTS_A_KEY):
        least, greatest = rng.choice([(0, 0), (rng.choice(near), 0), (0, rng.choice(near))])
        mod, create = rng.choice([(1, 0), (0, 1), (0, 0)])
        yield RangeRequest(
            keys=KeyRange.of(key),
            revision=rng.choice([0, -1, *near, rng.choice(near), compact - 1, compact, newest, newest + 1]),
            limit=rng.choice([0, -1, 1, 5]),
            order=rng.choice(list(SortOrder)),
            sort_by=rng.choice(list(SortTarget)),
            keys_only=rng.random() < 0.3,
            count_only=rng.random() < 0.2,
            mod_revision_min=least * mod,
            mod_revision_max=greatest * mod,
            create_revision_min=least * create,
            create_revision_max=greatest * create,
        )


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_gives_the_same(name: str, rng: random.Random, pytestconfig: pytest.Config) -> None:
    asked = KEYS_ASKED_FULL if pytestconfig.getoption("--full") else KEYS_ASKED
    with indexed(samples.unpack(name)) as (database, find):
        history = History.read(database.image)
        rows = range(len(history))
        mains: dict[bytes, list[int]] = {b"/nowhere": [], b"\xff\xff": [], b"\0": []}
        for row in rows:
            if history.key_size[row]:
                mains.setdefault(history.key_of(row), []).append(int(history.main[row]))
        deleted = {history.key_of(row) for row in rows if history.tombstone[row] and history.key_size[row]}
        some = rng.sample(sorted(mains), min(len(mains), asked))
        for key in {*some, *sorted(deleted)[:3], b"/nowhere"}:
            for request in requests(rng, history, key, mains[key]):
                for engine in ENGINES:
                    first, second, third = ways(database.image, request, find, engine)
                    assert first == second == third, (engine, request)


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_every_form_is_printed_the_same(name: str, rng: random.Random) -> None:
    path, live = samples.unpack(name), samples.expected(name.rpartition("/")[0])["live"]
    with open_database(path) as database:
        history = History.read(database.image)
        keys = {history.key_of(row) for row in range(len(history))}
    named = sorted(os.fsdecode(key) for key in keys if key and b"\0" not in key)
    revisions = [*live["revisions"].values(), live["revisions"]["compact"] - 1, live["revisions"]["latest"] + 1]
    codes = set()
    for _ in range(60):
        words = [rng.choice([*named, "/nowhere"]), f"-w={rng.choice(['simple', 'json', 'fields'])}"]
        for flag in ("--keys-only", "--count-only", "--hex", "--print-value-only", "--stream", "--order=DESCEND"):
            words += [flag] * (rng.random() < 0.15)
        for flag in ("--rev", "--min-mod-rev", "--max-mod-rev", "--min-create-rev", "--max-create-rev", "--limit"):
            words += [f"{flag}={rng.choice(revisions)}"] * (rng.random() < 0.25)
        one, other = (invoke("get", path, *words, f"--{way}index") for way in ("", "no-"))
        assert (one.exit_code, one.raw, one.stderr) == (other.exit_code, other.raw, other.stderr), words
        codes.add(one.exit_code)
    assert {0, 1} <= codes


def a_file(path: Path) -> Path:
    """Write a store in which /k changes often between others, is deleted and comes again."""
    pairs = []
    for main in range(2, 200):
        key = b"/k" if main % 3 == 0 else b"/other/%d" % (main % 7)
        if main == 60:
            pairs.append((pack_revision(main) + b"t", encode_key_value(key, 0, 0, 0, b"")))
        else:
            pairs.append((pack_revision(main), encode_key_value(key, max(main % 60, 2), main, 3, b"v%d" % main, main)))
    path.write_bytes(bytes(written({b"key": pairs, b"meta": []}, page_size=1024)))
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return a_file(tmp_path / "one.db")


REQUEST = RangeRequest(keys=KeyRange.of(b"/k"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_damaged_record_is_refused_at_the_same_place(database: Path, engine: str) -> None:
    seen = set()
    with indexed(database) as (opened, find):
        good, data = told(lambda: get(opened.image, REQUEST, find=find)), bytes(opened.data)
        record = encode_key_value(b"/k", 18, 198, 3, b"v198", 198)
        at = data.rindex(record)
        for place in range(at + 4, at + len(record)):  # behind the key: a scan finds another one elsewhere
            for byte in (0x00, 0x0A, 0x2A, 0x30, 0x3F, 0x74, 0x80, 0xFF):
                changed = bytearray(data)
                changed[place] = byte
                image = Image.open(memoryview(bytes(changed)))
                first, second, third = ways(image, REQUEST, find, engine)
                assert first == second == third, (place - at, byte)
                seen.add("refused" if first[0] is FormatError else "same" if first == good else "other")
    assert seen == {"refused", "same", "other"}


def test_where_the_file_does_not_say_what_the_index_says_columns_are_asked(database: Path) -> None:
    ways_taken = set()
    with indexed(database) as (opened, find):
        for main in range(3, 198, 3):
            data = bytearray(opened.data)
            start = data.index(pack_revision(main)) + 17
            if main == 60:
                continue
            data[start + 3] = ord("l")  # the key is /l now: where halving does not come to it, it passes for /k
            image, request = Image.open(memoryview(bytes(data))), replace(REQUEST, revision=main)
            looked_up, by_columns, _ = ways(image, request, find, "columns")
            assert told(partial(get, image, request, find=find)) == by_columns
            ways_taken.add(looked_up == by_columns)
    assert ways_taken == {True, False}


def test_a_row_outside_of_the_file_is_refused_as_by_columns(database: Path) -> None:
    with indexed(database) as (opened, find):
        last = opened.data.tobytes().rindex(b"v198")
        image = opened.image
        for size in (last, last + 3):
            cut = replace(image, data=image.data[:size])
            first, second, _ = ways(cut, REQUEST, find, "columns")
            assert first == second
            assert "outside of the file" in first[1]


def test_of_very_many_rows_all_are_looked_at(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_finder, "_ROWS_ALWAYS_LOOKED_UP", 3)
    with indexed(database) as (opened, find):
        assert get_one(opened.image, REQUEST, find, engine="columns") is None
        assert [record.value for record in get(opened.image, REQUEST, find=find)] == [b"v198"]


def test_a_file_changed_since_is_indexed_anew(database: Path) -> None:
    assert invoke("get", database, "/k", "--index", "--print-value-only").stdout == "v198\n"
    (before,) = index_files(database)
    data = database.read_bytes().replace(b"v198", b"v000")
    database.write_bytes(data)
    for words in ([], ["--index"], ["--index"]):
        assert invoke("get", database, "/k", "--print-value-only", *words).stdout == "v000\n"
    (after,) = index_files(database)
    assert after != before


def test_a_file_changed_meanwhile_is_told(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    invoke("get", database, "/k", "--index")

    def changing(*words: Any, **named: Any) -> Any:
        answer = get_one(*words, **named)
        os.utime(database)
        return answer

    monkeypatch.setattr(point_get, "get_one", changing)
    done = invoke("get", database, "/k", "--index")
    assert done.exit_code == 1
    assert "changed while it was read" in done.stderr


@pytest.mark.parametrize("words", [["-w=simple"], ["-w=json"], ["-w=fields"], ["--rev=100"]])
def test_nothing_is_loaded_that_the_answer_does_not_need(database: Path, words: list[str]) -> None:
    invoke("index", "build", database)
    arguments = ["get", str(database), "/k", "--index", *words]
    code = (
        "import sys; from etcdtool.cli.root import run\n"
        f"assert run({arguments!r}) == 0\n"
        "heavy = {'numpy', 'google.protobuf', 'hashlib', 'tempfile', 'zstandard', 'tqdm'}\n"
        "print(sorted(heavy & set(sys.modules)), 'lmdb' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout
    assert done.stderr == "[] True\n"
