"""``verify`` against what real tools and servers found, and a broken file of our own for every other code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.bbolt_files import written

from etcdtool.checks import registry
from etcdtool.checks.revisions import RowCheck
from etcdtool.findings import Report, Severity
from etcdtool.formats.bbolt.cursor import root_buckets
from etcdtool.formats.bbolt.page import Image
from etcdtool.model.keyspace import iter_rows
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import Revision, pack_revision
from etcdtool.model.schema import BUCKETS
from etcdtool.operations.verify import verify
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from etcdtool.model.rows import Engine

ENGINES: tuple[Engine, ...] = ("columns", "plain")
DAMAGED = {
    variant: facts
    for variant, facts in samples.expected("damaged/snapshots")["variants"].items()
    if samples.packed(f"damaged/snapshots/{variant}.db.gz").exists()
}
# what every tool and server lets pass, and verify does not
BEYOND_UPSTREAM = {
    "bucket-name+sealed": "bucket lease has another name, so that its leases are silently lost: buckets.unknown",
}
GOOD = [name for name in samples.databases() if not name.startswith("damaged")]
GOOD_DIRS = [name for folder in ("v3", "v3-cluster", "v3-extra", "v3-edge") for name in samples.archives(folder)]


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def database(data: bytes) -> Any:
    return SimpleNamespace(name="file", file=SimpleNamespace(data=memoryview(data)))


def sealed(data: bytes) -> bytes:
    return data + hashlib.sha256(data).digest()


def good_bytes() -> bytes:
    return samples.unpack("damaged/snapshots/good.db.gz").read_bytes()


@pytest.mark.parametrize("name", GOOD)
def test_a_good_snapshot_has_neither_errors_nor_warnings(name: str) -> None:
    with open_database(samples.unpack(name)) as opened:
        report = verify(opened)
    assert codes(report) <= {"generations.converted", "alarms.nospace"}
    assert ("generations.converted" in codes(report)) == name.startswith("v2-migrated")
    assert report.counts() | {"note": 0} == {"error": 0, "warning": 0, "note": 0}


@pytest.mark.parametrize("name", GOOD_DIRS)
def test_the_database_of_a_good_data_dir_lacks_only_its_trailer(name: str) -> None:
    with open_database(samples.unpack(name)) as opened:
        report = verify(opened)
    restored = {"meta.conf-state-stale"} if "restored" in name else set()
    bumped = {"revisions.bump-marker", "revisions.compaction-pending"} if "bumped" in name else set()
    alarm = {"alarms.nospace"} if name.startswith("v3-extra") else set()
    assert codes(report) == {"container.no-trailer"} | restored | bumped | alarm
    assert report.counts() | {"note": 0} == {"error": 0, "warning": 0, "note": 0}


@pytest.mark.parametrize("variant", DAMAGED)
def test_verify_finds_fault_where_any_tool_or_server_does(variant: str) -> None:
    faulted = any(run.get("rc") not in {0, None} for run in DAMAGED[variant]["tools"].values())
    with open_database(samples.unpack(f"damaged/snapshots/{variant}.db.gz")) as opened:
        report = verify(opened)
        assert verify(opened, engine="plain") == report
    assert report.good == (not faulted and variant not in BEYOND_UPSTREAM), report.findings


@pytest.mark.parametrize("variant", DAMAGED)
def test_a_trailer_is_said_to_be_what_it_was_made_to_be(variant: str) -> None:
    expected = {
        "match": set(),
        "mismatch": {"container.sha256-mismatch"},
        "cut": {"container.trailer-cut"},
        "shifted": {"container.appended"},
    }
    found = {"container.sha256-mismatch", "container.trailer-cut", "container.appended"}
    if DAMAGED[variant]["trailer"] in expected and not variant.startswith("meta-pagesize"):
        with open_database(samples.unpack(f"damaged/snapshots/{variant}.db.gz")) as opened:
            assert codes(verify(opened)) & found == expected[DAMAGED[variant]["trailer"]]


@pytest.mark.parametrize(
    ("data", "code", "detail"),
    [
        (lambda good: good[:-32], "container.no-trailer", "has no sha256 trailer"),
        (lambda good: good[:-32] + bytes(8192), "container.no-trailer", "8192 zero bytes follow"),
        (lambda good: good[:-32] + bytes(32), "container.sha256-mismatch", "the sha256 trailer is zeros"),
        (lambda good: good[:-1], "container.trailer-cut", "cut short by 1 bytes"),
        (lambda good: good + b"x", "container.appended", "1 bytes follow the sha256 trailer"),
        (lambda good: good[:-32] + b"x" * 100, "container.appended", "100 unknown bytes"),
        (lambda good: good[:-32] + b"x" * 4096, "container.unknown-tail", "4096 bytes that are not zero"),
        (lambda good: sealed(good[:-32] + bytes(4096)), "container.sealed-tail", "4096 bytes between"),
        (lambda good: good[:-4128], "container.cut-short", "ends 4096 bytes before"),
        (lambda good: sealed(good[:-4128]), "container.cut-short", "cut before it was sealed"),
    ],
)
def test_what_stands_around_the_pages(data: Any, code: str, detail: str) -> None:
    report = verify(database(data(good_bytes())))
    assert [detail in finding.detail for finding in report.findings if finding.code == code] == [True]


def put(main: int, sub: int = 0, key: bytes = b"a", **fields: Any) -> tuple[bytes, bytes]:
    record = {"create_revision": main, "mod_revision": main, "version": 1, "value": b"v"} | fields
    return bytes(Revision(main, sub)), encode_key_value(key, **record)


def delete(main: int, sub: int = 0, key: bytes = b"a") -> tuple[bytes, bytes]:
    return bytes(Revision(main, sub, tombstone=True)), encode_key_value(key, 0, 0, 0, b"")


def again(main: int, create: int, version: int, key: bytes = b"a", sub: int = 0) -> tuple[bytes, bytes]:
    return put(main, sub, key, create_revision=create, version=version)


HISTORIES: dict[str, tuple[list[tuple[bytes, bytes]], int, set[str]]] = {
    "a whole life": ([put(2), again(3, 2, 2), delete(4), put(5)], -1, set()),
    "two changes in one transaction": ([put(2), put(2, 1, b"b")], -1, set()),
    "what compaction leaves": ([again(5, 2, 4), again(7, 2, 5)], 6, set()),
    "the tombstone at the compact revision": ([delete(6), put(7)], 6, set()),
    "migrated": ([again(5, 2, 1), again(7, 2, 2)], -1, {"generations.converted"}),
    "converted without a mark": ([again(5, 2, 2)], -1, {"generations.beginning-doubtful"}),
    "converted with a mark": ([again(5, 2, 2)], 5, set()),
    "a lost update": ([put(2), again(4, 2, 3)], -1, {"generations.broken"}),
    "an update lost above the mark": ([again(5, 2, 4), again(9, 2, 6)], 6, {"generations.broken"}),
    "a lost tombstone": ([put(2), put(4)], -1, {"generations.broken"}),
    "a lost creation": ([again(4, 2, 3)], -1, {"generations.beginning-lost"}),
    "a tombstone of nothing": ([delete(4)], -1, {"generations.beginning-lost"}),
    "two tombstones": ([put(2), delete(3), delete(4)], -1, {"generations.broken"}),
    "a compaction cut off": ([put(2), again(3, 2, 2)], 3, {"generations.leftovers"}),
    "a forgotten tombstone": ([delete(3), put(7)], 6, {"generations.leftovers"}),
    "a hole in a transaction": ([put(2), put(2, 2, b"b")], -1, {"revisions.sub-gap"}),
    "a hole in a compacted one": ([put(2), put(2, 2, b"b")], 2, set()),
    "another mod revision": ([put(2, mod_revision=3)], -1, {"revisions.mod-mismatch"}),
    "created later": ([put(2, create_revision=3)], 2, {"revisions.fields"}),
    "version below one": ([put(2, version=0)], 2, {"revisions.fields"}),
    "no key": ([put(2, key=b"")], -1, {"revisions.empty-key"}),
    "bumped": ([put(2), (pack_revision(1000), b"")], -1, {"revisions.bump-marker"}),
    "bumped behind a later change": ([put(2), (pack_revision(1000, 3), b"")], -1, {"revisions.bump-marker"}),
    "put and deleted at once": ([put(2), delete(2)], -1, {"revisions.order"}),
    "main revision 0": ([put(0)], -1, {"revisions.out-of-range", "revisions.fields"}),
    "short key": ([(b"\0", b""), put(2)], -1, {"revisions.key-malformed"}),
    "long key": ([(pack_revision(2) + b"tt", put(2)[1])], -1, {"revisions.key-malformed"}),
    "another separator": ([(pack_revision(2).replace(b"_", b"-"), put(2)[1])], -1, {"revisions.key-malformed"}),
    "negative": ([put(2), (b"\x80" + pack_revision(3)[1:], put(3)[1])], -1, {"revisions.key-malformed"}),
    "a mark that is none": ([(pack_revision(2) + b"x", put(2)[1])], -1, {"revisions.tombstone-mark"}),
    "no record": ([put(2), (pack_revision(3), b"\xff")], -1, {"revisions.record-unreadable"}),
    "a length beyond the file": (
        [put(2), (pack_revision(3), b"\x0a\xff\xff\xff\xff\x0f")],
        -1,
        {"revisions.record-unreadable"},
    ),
    "a tombstone with a value": (
        [put(2), (bytes(Revision(3, 0, tombstone=True)), put(3)[1])],
        -1,
        {"revisions.tombstone-fields"},
    ),
}


def with_history(pairs: list[tuple[bytes, bytes]], compacted: int) -> bytes:
    mark = pack_revision(max(compacted, 0))
    meta = [(b"finishedCompactRev", mark), (b"scheduledCompactRev", mark)] if compacted >= 0 else []
    return sealed(bytes(written(dict.fromkeys(BUCKETS, ()) | {b"key": pairs, b"meta": meta})))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("history", HISTORIES)
def test_histories(history: str, engine: Engine) -> None:
    pairs, compacted, expected = HISTORIES[history]
    assert codes(verify(database(with_history(pairs, compacted)), engine=engine)) == expected


def test_a_transaction_may_go_on_in_the_next_block() -> None:
    image = Image.open(memoryview(with_history([put(2, sub, b"key %d" % sub) for sub in range(100)], -1)))
    check = RowCheck(image.data, -1)
    blocks = list(iter_rows(image, root_buckets(image)[b"key"], pages_per_block=1))
    assert len(blocks) > 3
    assert [finding for rows in blocks for finding in check.findings(rows)] == []


def test_marks_of_compaction() -> None:
    buckets = dict.fromkeys(BUCKETS, ()) | {b"key": [put(2), again(3, 2, 2)]}
    pending = written(buckets | {b"meta": [(b"scheduledCompactRev", pack_revision(3))]})
    assert codes(verify(database(sealed(pending)))) == {"revisions.compaction-pending"}
    malformed = written(buckets | {b"meta": [(b"finishedCompactRev", b"3")]})
    assert codes(verify(database(sealed(malformed)))) == {"revisions.compaction-mark"}


def test_buckets() -> None:
    only_meta = codes(verify(database(sealed(written({b"meta": []})))))
    assert only_meta == {"buckets.missing"}, "etcdctl backup makes such a database"
    without_key = dict.fromkeys(BUCKETS[:-1], ())
    del without_key[b"key"]
    assert codes(verify(database(sealed(written(without_key))))) == {"buckets.missing", "buckets.key-missing"}
    assert codes(verify(database(sealed(written(dict.fromkeys((*BUCKETS, b"x"), ())))))) == {"buckets.unknown"}


@pytest.mark.parametrize("data", [b"", b"x", bytes(5000), b"x" * 544])
def test_no_database_at_all(data: bytes) -> None:
    assert "bbolt.no-image" in codes(verify(database(data)))


def test_findings_without_end_are_counted() -> None:
    pairs = [put(main, mod_revision=1, create_revision=1) for main in range(2, 1002)]
    report = verify(database(with_history(pairs, 2000)))
    mismatches = [finding for finding in report.findings if finding.code == "revisions.mod-mismatch"]
    assert len(mismatches) == 101
    assert mismatches[-1].detail == "900 more findings like this"


def test_progress_ends_with_everything_done() -> None:
    calls: list[tuple[int, int]] = []
    verify(database(good_bytes()), progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (len(good_bytes()) - 32,) * 2


def test_an_unknown_engine_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCDTOOL_ENGINE", "plain")
    assert verify(database(good_bytes())).good
    monkeypatch.setenv("ETCDTOOL_ENGINE", "steam")
    with pytest.raises(Exception, match="ETCDTOOL_ENGINE is 'steam'") as caught:
        verify(database(good_bytes()))
    assert caught.value.exit_code == 2


def test_every_finding_of_the_samples_is_in_the_registry() -> None:
    for variant in DAMAGED:
        with open_database(samples.unpack(f"damaged/snapshots/{variant}.db.gz")) as opened:
            for finding in verify(opened).findings:
                assert registry.BY_CODE[finding.code].severity is finding.severity


def test_codes_are_unique_and_filed_under_their_subject() -> None:
    declared = [code for _, codes_ in registry.SUBJECTS.values() for code in codes_]
    assert len(registry.BY_CODE) == len(declared)
    assert all(code.code.startswith(f"{subject}.") for subject, (_, own) in registry.SUBJECTS.items() for code in own)
    assert {code.severity for code in declared} == set(Severity)


def test_every_code_of_the_page_check_is_explained() -> None:
    folder = Path(registry.__file__).parents[1] / "formats" / "bbolt"
    quoted = {
        word for path in folder.glob("*.py") for word in path.read_text("utf-8").split('"') if word[:6] == "bbolt."
    }
    between_readers = {"bbolt.tree-uneven"}  # makes the columns hand over to the plain walk, and is never reported
    assert {word for word in quoted if " " not in word} - registry.BY_CODE.keys() == between_readers


def test_the_page_of_findings_is_up_to_date() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "findings" / "index.md"
    assert page.read_text("utf-8") == registry.as_markdown(), (
        "python -m etcdtool.checks.registry > docs/findings/index.md"
    )
