"""``export`` and ``import``: round trips of every sample, the forms beside one another, and lines that are wrong."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import random
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import parquet
from support import restored, samples
from support.bbolt_files import written
from support.cli import invoke
from support.mutations import mutated
from support.zygote import Zygote

from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.page import Image
from etcdtool.model import schema
from etcdtool.model.exported import Pair
from etcdtool.model.exported_pairs import pair_of, record_of
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import pack_revision

csv.field_size_limit(1 << 24)

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOT = "v3/3.6/snapshot.db.gz"
DATABASES = [name for name in samples.databases() if not name.startswith("damaged/") or "good" in name]
RICH, THEN = "v2-rich/3.4/data-clean.tar.gz", ("--as-of", "2026-11-21T02:25:02Z")


def done(*words: object) -> Any:
    outcome = invoke(*words)
    assert outcome.exit_code == 0, outcome.stderr
    return outcome


def exported(source: Path, *words: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done("export", source, "-o", "-", *words).stdout.rstrip("\n").split("\n")]


def content(record: dict[str, Any], name: str) -> bytes:
    found = record.get(name)
    return found.encode() if found is not None else base64.b64decode(record[f"{name}_b64"])


def live(source: Path, *words: object) -> dict[bytes, tuple[bytes, str | None]]:
    puts = [record for record in exported(source, *words) if record["type"] == "put"]
    return {content(put, "key"): (content(put, "value"), put.get("lease")) for put in puts}


@pytest.mark.parametrize("name", DATABASES)
def test_a_history_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    source = samples.unpack(name)
    before = samples.sha256(source)
    done("export", source, "-o", tmp_path / "all.jsonl", "--history")
    done("import", tmp_path / "all.jsonl", "-o", tmp_path / "back.db")
    was, back = restored.buckets(source), restored.buckets(tmp_path / "back.db")
    assert {bucket: back[bucket] for bucket in was} == was
    assert not any(back[bucket] for bucket in back.keys() - was.keys())
    assert done("hashkv", source).stdout == done("hashkv", tmp_path / "back.db").stdout
    assert samples.sha256(source) == before


@pytest.mark.parametrize("name", DATABASES)
def test_of_live_keys_the_set_comes_back(name: str, tmp_path: Path) -> None:
    source = samples.unpack(name)
    done("export", source, "-o", tmp_path / "head.jsonl")
    done("import", tmp_path / "head.jsonl", "-o", tmp_path / "back.db")
    assert live(tmp_path / "back.db") == live(source)
    was, back = restored.buckets(source), restored.buckets(tmp_path / "back.db")
    assert {bucket: back[bucket] for bucket in was if bucket not in {"key", "meta"}} == {
        bucket: pairs for bucket, pairs in was.items() if bucket not in {"key", "meta"}
    }
    told = [json.loads(done("hashkv", path, "-w", "json").stdout) for path in (source, tmp_path / "back.db")]
    assert told[1]["hashRevision"] == told[0]["hashRevision"]
    assert told[1]["compactRevision"] == (told[0]["hashRevision"] if told[0]["hashRevision"] > 1 else -1)


def test_the_forms_hold_the_same(tmp_path: Path) -> None:
    source = samples.unpack(SNAPSHOT)
    lines = [one for one in exported(source, "--history", "--only-keys") if one["type"] in {"put", "delete"}]
    wanted = [
        (
            *(content(one, "key"), b"" if one["type"] == "delete" else content(one, "value")),
            *(one.get("create_revision", 0), one["mod_revision"], one["sub"], one.get("version", 0)),
            *(one.get("lease"), one["type"] == "delete"),
        )
        for one in lines
    ]
    for name in ("all.csv", "all.parquet", "all.sqlite"):
        done("export", source, "-o", tmp_path / name, "--history")
    rows = csv.DictReader(io.StringIO((tmp_path / "all.csv").read_bytes().decode(), newline=""))
    assert [of_table({name: value or None for name, value in row.items()}) for row in rows] == wanted
    table = parquet.read_table(tmp_path / "all.parquet")
    assert [of_table(row) for row in table.to_pylist()] == wanted
    assert parquet.read_metadata(tmp_path / "all.parquet").metadata[b"etcd.revision"] == b"1683"
    with sqlite3.connect(tmp_path / "all.sqlite") as database:
        found = database.execute(
            "SELECT key, value, create_revision, mod_revision, sub, version, lease, deleted FROM history"
            " ORDER BY mod_revision, sub"
        )
        assert [(as_bytes(key), as_bytes(value), *rest) for key, value, *rest in found] == wanted
        keys = database.execute("SELECT key, value, lease FROM keys")
        assert {as_bytes(key): (as_bytes(value), lease) for key, value, lease in keys} == live(source)
    database.close()


def as_bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def of_table(row: dict[str, Any]) -> tuple[Any, ...]:
    pairs = [
        base64.b64decode(row[f"{name}_b64"]) if row[f"{name}_b64"] else as_bytes(row[name]) for name in ("key", "value")
    ]
    numbers = [int(row[name]) for name in ("create_revision", "mod_revision", "sub", "version")]
    return *pairs, *numbers, row["lease"], row["deleted"] in {True, "true"}


def test_sqlite_has_a_table_for_everything(tmp_path: Path) -> None:
    source = samples.unpack(SNAPSHOT)
    done("export", source, "-o", tmp_path / "all.sqlite")
    lines = exported(source)
    tables = {"lease": "leases", "member": "members", "user": "users", "role": "roles", "meta": "meta", "put": "keys"}
    with sqlite3.connect(tmp_path / "all.sqlite") as database:
        for kind, table in tables.items():
            (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert count == sum(line["type"] == kind for line in lines) > 0, table
        granted = database.execute("SELECT role, permission, key, range_end FROM permissions ORDER BY role, key")
        assert ("writer", "READWRITE", "/app/", "/app0") in granted.fetchall()
        (leased,) = database.execute("SELECT count(*) FROM keys JOIN leases ON lease = id").fetchone()
        assert leased > 0
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["all.sqlite"]


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (("--prefix", "/app/"), lambda key: key.startswith(b"/app/")),
        (("--from-key", "k"), lambda key: key >= b"k"),
        (("--from-key", "/app/cfg/", "--range-end", "/app/cfg/005"), lambda key: b"/app/cfg/" <= key < b"/app/cfg/005"),
        (("--prefix", ""), lambda key: True),
        (("--prefix", "nothing/here"), lambda key: False),
    ],
)
def test_a_part_of_the_keys(words: tuple[str, ...], chosen: Any) -> None:
    source = samples.unpack(SNAPSHOT)
    everything = exported(source, "--history")
    some = exported(source, "--history", *words)
    assert [one for one in some if one["type"] in {"put", "delete"}] == [
        one for one in everything if one["type"] in {"put", "delete"} and chosen(content(one, "key"))
    ]
    assert live(source, *words) == {key: value for key, value in live(source).items() if chosen(key)}


@pytest.mark.parametrize("name", ["compact", "mid"])
def test_at_a_revision_of_the_past(name: str) -> None:
    source = samples.unpack(SNAPSHOT)
    revision = samples.expected("v3/3.6")["live"]["revisions"][name]
    recorded = samples.load(f"v3/3.6/range-{name}.json.gz")["kvs"]
    assert {key: value for key, (value, _) in live(source, "--rev", revision).items()} == {
        base64.b64decode(one["key"]): base64.b64decode(one.get("value", "")) for one in recorded
    }
    until = exported(source, "--rev", revision, "--history")
    assert [one for one in until if one["type"] in {"put", "delete"}] == [
        one
        for one in exported(source, "--history")
        if one["type"] in {"put", "delete"} and one["mod_revision"] <= revision
    ]


def test_revisions_that_are_not_there(tmp_path: Path) -> None:
    source = samples.unpack(SNAPSHOT)
    for revision, words in ((1494, "has been compacted"), (1684, "is a future revision")):
        for more in ((), ("--history",)):
            outcome = invoke("export", source, "-o", tmp_path / "no.jsonl", "--rev", revision, *more)
            assert (outcome.exit_code, words in outcome.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


ODD = {
    b"key": sorted(
        {
            pack_revision(2): encode_key_value(b"/plain", 2, 2, 1, b'text\r\n",\x00'),
            pack_revision(3): encode_key_value(b"\xff\x00", 3, 3, 1, b"\xfe" * 9, -1),
            pack_revision(4) + b"x": encode_key_value(b"18 bytes", 4, 4, 1, b"v"),
            pack_revision(5): encode_key_value(b"other mod", 5, 4, 1, b"v"),
            pack_revision(6): encode_key_value(b"unknown field", 6, 6, 1, b"v") + b"\x38\x05",
            pack_revision(7): b"\x2a\x01v" + encode_key_value(b"other order", 7, 7, 1, b""),
            pack_revision(8): encode_key_value(b"negative", 8, 8, -3, b"v"),
            pack_revision(9) + b"t": encode_key_value(b"/plain", 0, 0, 0, b""),
            pack_revision(10) + b"t": encode_key_value(b"tombstone with a value", 0, 0, 0, b"v"),
            pack_revision(11): encode_key_value(b"", 11, 11, 1, b"marker"),
        }.items()
    ),
    b"lease": [(b"12345678", b"\x08\x01"), (b"short", b""), (b"\xff" * 8, b"\x08" + b"\xff" * 9 + b"\x01\x10\x05")],
    b"members": [(b"1", b'{"id":1, "peerURLs":["http://a"]}'), (b"2", b'{"id":2,"peerURLs":["http://a"]}')],
    b"members_removed": [(b"3", b"removed"), (b"XYZ", b"removed"), (b"zz", b"removed")],
    b"meta": [
        (b"consistent_index", b"\xff" * 8),
        (b"finishedCompactRev", pack_revision(2, 1)),
        (b"mine", b"\x00"),
        (b"scheduledCompactRev", pack_revision(2)),
        (b"term", b"short"),
    ],
    b"auth": [(b"authEnabled", b"\x02"), (b"authRevision", bytes(8))],
    b"authUsers": [(b"u", b"\x0a\x01u\x12\x02pw\x22\x00"), (b"\xff", b"\x0a\x01\xff")],
    b"authRoles": [(b"r", b"\x0a\x01r\x12\x06\x08\x07\x12\x02ab")],
    b"alarm": [(b"\x08\x01\x10\x01", b""), (b"\x08\x01\x10\x02", b"x")],
    b"cluster": [(b"clusterVersion", b"3.6.0"), (b"downgrade", b"\xff")],
    b"unknown\xff": [(b"a", b"b")],
}


def test_what_no_etcd_writes_comes_back_too(tmp_path: Path) -> None:
    (tmp_path / "odd.db").write_bytes(written(ODD))
    done("export", tmp_path / "odd.db", "-o", tmp_path / "odd.jsonl", "--history")
    done("import", tmp_path / "odd.jsonl", "-o", tmp_path / "back.db")
    image = {name: list(pairs) for name, pairs in ODD.items()}
    back = read_buckets(tmp_path / "back.db")
    assert {name: pairs for name, pairs in back.items() if pairs} == image
    done("export", tmp_path / "back.db", "-o", tmp_path / "again.jsonl", "--history")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "odd.jsonl").read_bytes()
    for name in ("odd.csv", "odd.sqlite", "odd.parquet"):
        assert done("export", tmp_path / "odd.db", "-o", tmp_path / name, "--history").exit_code == 0


def read_buckets(path: Path) -> dict[bytes, list[tuple[bytes, bytes]]]:
    image = Image.open(memoryview(path.read_bytes())[:-32])
    return {
        name: [(item.key, bytes(item.value)) for item in cursor.iter_items(image, bucket)]
        for name, bucket in cursor.root_buckets(image).items()
    }


def test_pairs_of_servers_are_typed() -> None:
    for name in DATABASES:
        for bucket, pairs in restored.buckets(samples.unpack(name)).items():
            for key, value in pairs.items() if bucket != "key" else ():
                record = record_of(bucket.encode(), key, value)
                assert pair_of(record) == (bucket.encode(), key, value)
                assert not isinstance(record, Pair), (name, bucket, key)


PUT = '{"type":"put","key":"a","value":"b","create_revision":2,"mod_revision":2,"sub":0,"version":1}'
HEAD = '{"type":"export","form":1,"history":true,"revision":9,"compact_revision":-1}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "line 1 in FILE: JSON is malformed".lower()),
        (f"{PUT}\n\n{{}}", "line 3 in FILE: field key: is missing"),
        (f"{PUT}\n{PUT}", "line 2 in FILE: is not behind the revision before it"),
        (f"{PUT}\n{HEAD}", "line 2 in FILE: a header stands behind other records"),
        (HEAD.replace('"form":1', '"form":2'), "form 2 is not known"),
        (f"{HEAD}\n{PUT.replace(':2', ':10')}", "line 2 in FILE: its revision is above 9"),
        (PUT.replace('"value"', '"valeu"'), "line 1 in FILE: object contains unknown field `valeu`"),
        (PUT.replace('"value":"b"', '"value":"b","value_b64":"AA=="'), "stands there twice, as value_b64 too"),
        (PUT.replace('"value":"b"', '"value_b64":"?"'), "invalid base64"),
        (PUT.replace('"key":"a"', '"key":""'), "line 1 in FILE: the key is empty"),
        (PUT.replace('"mod_revision":2', '"mod_revision":1'), "do not go together"),
        (PUT.replace('"mod_revision":2', f'"mod_revision":{1 << 63}'), "line 1 in FILE: expected `int` <= "),
        (PUT.replace('"version":1', '"version":1,"lease":"xyz"'), "line 1 in FILE: expected `str` matching regex"),
        (f'{PUT}\n{{"key":"b","value":""}}', "some keys have a mod_revision, and some have none"),
        ('{"type":"delete","key":"a","mod_revision":2}', "a tombstone stands where only live keys are"),
        ('{"type":"lease","id":"1","ttl":5}\n{"type":"lease","id":"1","ttl":6}', "line 2 in FILE: stands there twice"),
        ('{"type":"meta","name":"mine","value":1}', "is none that etcd writes"),
        ('{"type":"meta","name":"term","value":18446744073709551616}', "has more than 64 bits"),
        ('{"type":"meta","name":"finishedCompactRev","value":"5"}', "is no revision"),
        ('{"type":"role","name":"r","permissions":[{"permission":"NIX","key":""}]}', "there is no permission 'NIX'"),
        ('{"type":"alarm","member":"1","alarm":"FIRE"}', "there is none of the name 'FIRE'"),
        ('{"type":"pair","bucket":"","key":"a","value":""}', "a name or key is empty"),
        ('{"type":"pair","bucket":"key","key":"a","value":""}', "a pair of bucket key stands where only live keys are"),
        (f'{HEAD}\n{{"type":"nix"}}', "line 2 in FILE: invalid value 'nix'"),
        ("[" * 5000, "line 1 in FILE"),
        ('{"type":"put","key":"\\ud800","value":""}', "line 1 in FILE"),
    ],
)
def test_lines_that_are_wrong(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(text)
    outcome = invoke("import", tmp_path / "in.jsonl", "-o", tmp_path / "out.db")
    told = outcome.stderr.replace(str(tmp_path / "in.jsonl"), "FILE")
    assert (outcome.exit_code, words in told or words in told.lower()) == (10, True), told
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_json_keeps_its_capitals(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"key":NaN}')
    outcome = invoke("import", tmp_path / "in.jsonl", "-o", tmp_path / "out.db")
    assert ": JSON is malformed: invalid character" in outcome.stderr


def test_a_history_that_was_cut_short_is_told(tmp_path: Path) -> None:
    done("export", samples.unpack(SNAPSHOT), "-o", tmp_path / "all.jsonl", "--history")
    lines = (tmp_path / "all.jsonl").read_bytes().splitlines(keepends=True)
    last = json.loads(lines[-101])["mod_revision"]
    for name, kept in (("cut", lines[:-100]), ("whole", lines)):
        (tmp_path / f"{name}.jsonl").write_bytes(b"".join(kept))
    cut = done("import", tmp_path / "cut.jsonl", "-o", tmp_path / "cut.db").stdout
    assert f"the history up to revision {last}\n" in cut
    assert f"the export went up to revision 1683, and what came behind {last} is not in it" in " ".join(cut.split())
    whole = done("import", tmp_path / "whole.jsonl", "-o", tmp_path / "whole.db").stdout
    assert "went up to" not in whole
    for name, revision in (("cut", last), ("whole", 1683)):
        assert json.loads(done("hashkv", tmp_path / f"{name}.db", "-w", "json").stdout)["hashRevision"] == revision


def test_lines_of_a_person(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        '{"key":"a","value":"1"}\n{"key":"b","value_b64":"/w=="}\n{"key":"a","value":"2"}'
    )
    done("import", tmp_path / "in.jsonl", "-o", tmp_path / "out.db")
    assert restored.buckets(tmp_path / "out.db")["key"] == {
        pack_revision(2): encode_key_value(b"a", 2, 2, 1, b"1"),
        pack_revision(3): encode_key_value(b"b", 3, 3, 1, b"\xff"),
        pack_revision(4): encode_key_value(b"a", 2, 4, 2, b"2"),
    }
    assert "0 errors, 0 warnings" in done("verify", tmp_path / "out.db").stdout


def test_packed_lines_and_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{PUT}\n".encode()
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(text))
    done("import", tmp_path / "in.jsonl.gz", "-o", tmp_path / "a.db")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    done("import", "-", "-o", tmp_path / "b.db")
    assert (tmp_path / "a.db").read_bytes() == (tmp_path / "b.db").read_bytes()


def test_a_file_of_something_else(tmp_path: Path) -> None:
    outcome = invoke("import", samples.unpack(SNAPSHOT), "-o", tmp_path / "out.db")
    assert (outcome.exit_code, "holds a bbolt database, no JSON lines" in outcome.stderr) == (10, True)


def test_words_that_do_not_go_together(tmp_path: Path) -> None:
    source = samples.unpack(SNAPSHOT)
    for words, told in (
        (("-o", "-", "--format", "sqlite"), "cannot be written to a pipe"),
        (("-o", "-", "--format", "parquet"), "cannot be written to a pipe"),
        (("-o", tmp_path / "a.jsonl.gz"), "is written as it is, not packed"),
        (("-o", "-", "--prefix", "a", "--from-key", "b"), "cannot be set at the same time"),
        (("-o", "-", "--range-end", "a"), "--range-end needs --from-key"),
    ):
        outcome = invoke("export", source, *words)
        assert (outcome.exit_code, told in outcome.stderr) == (2, True), outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.sqlite", "a.db"):
        (tmp_path / name).write_bytes(b"precious")
        words = ("import", tmp_path / "a.jsonl") if name == "a.db" else ("export", samples.unpack(SNAPSHOT))
        outcome = invoke(*words, "-o", tmp_path / name)
        assert (outcome.exit_code, (tmp_path / name).read_bytes()) == (12, b"precious")


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    outcome = invoke("export", samples.unpack(SNAPSHOT), "-o", tmp_path / "a.parquet")
    assert (outcome.exit_code, outcome.stderr) == (
        1,
        'Error: Parquet needs pyarrow, which is not installed. Run: pip install "etcdtool[parquet]"\n',
    )
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    damaged = samples.unpack("damaged/snapshots/leaf-count.db.gz")
    outcome = invoke("export", damaged, "-o", tmp_path / "a.jsonl")
    assert outcome.exit_code == 10
    assert list(tmp_path.iterdir()) == []


def test_a_conversion_has_the_same_form(tmp_path: Path) -> None:
    source = samples.unpack(RICH)
    for name in ("direct.db", "lines.jsonl"):
        done("convert", source, "-o", tmp_path / name, *THEN)
    done("import", tmp_path / "lines.jsonl", "-o", tmp_path / "by-lines.db")
    assert read_buckets(tmp_path / "by-lines.db") == read_buckets(tmp_path / "direct.db")
    done("export", tmp_path / "direct.db", "-o", tmp_path / "again.jsonl", "--history")
    again, first = ((tmp_path / name).read_text().splitlines() for name in ("again.jsonl", "lines.jsonl"))
    assert sorted(again) == sorted(first)


def test_every_bucket_is_known() -> None:
    assert set(schema.BUCKETS) - {schema.KEY} == {
        name.encode() for name in restored.buckets(samples.unpack(SNAPSHOT)) if name != "key"
    }


@pytest.mark.parametrize("seed", range(30))
def test_any_database_gives_an_export_or_an_error_of_ours(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    (tmp_path / "damaged.db").write_bytes(mutated(bytes(written(ODD)), rng, times=1 + seed % 4))
    for name in ("a.jsonl", "a.csv", "a.sqlite", "a.parquet"):
        outcome = invoke("export", tmp_path / "damaged.db", "-o", tmp_path / name, *(["--history"] if seed % 2 else []))
        assert outcome.exit_code in {0, 1, 10, 11, 13}, outcome
        assert "internal error" not in outcome.stderr, (seed, name, outcome.stderr)
        assert (tmp_path / name).exists() == (outcome.exit_code == 0)


KILLED_AT = ("fsync 1 before", "fsync 1 after", "link 1 before", "link 1 after")


@pytest.mark.parametrize("name", ["out.jsonl", "out.db"])
def test_a_kill_leaves_the_whole_file_or_none(name: str, tmp_path: Path) -> None:
    source = samples.unpack(SNAPSHOT)
    done("export", source, "-o", tmp_path / "in.jsonl", "--history")
    folder = tmp_path / "out"
    folder.mkdir()
    verb = ("export", source, "--history") if name.endswith("jsonl") else ("import", tmp_path / "in.jsonl")
    with Zygote() as zygote:
        order = [*verb, "-o", folder / name]
        assert zygote.run(order) == 0
        whole = (folder / name).read_bytes()
        (folder / name).unlink()
        for moment in KILLED_AT:
            assert zygote.run(order, at=moment) == -9, moment
            left = [path.name for path in folder.iterdir()]
            assert left == ([name] if moment == "link 1 after" else []), moment
            if left:
                assert (folder / name).read_bytes() == whole
                (folder / name).unlink()
