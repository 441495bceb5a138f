"""The real ``etcdctl migrate`` of 3.4 beside ``etcdtool convert``, on the same data dirs.

Whatever migrate finds, convert finds, with equal value and revisions, or its report names it; what convert has beyond
that are hidden nodes, which migrate loses.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from support import processes, programs, samples, v2_log
from support.cli import invoke
from support.servers import Server
from support.v2_answers import shown

from etcdtool.formats.bbolt.cursor import root_buckets
from etcdtool.model.rows import iter_key_values
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from pathlib import Path

AS_OF = "2026-11-21T03:00:00Z"  # about when the samples were made
LONG_AFTER = "2029-01-01T00:00:00Z"

ACCEPTED = [
    *(f"v2-rich/{version}/data-{end}.tar.gz" for version in ("2.3", "3.2", "3.4") for end in ("clean", "killed")),
    "v2-only-wal/2.3/data.tar.gz",
    "v2-only-wal/3.4/data.tar.gz",
    "v2-multiwal/3.4/data.tar.gz",
    "v2-auth/3.4/data.tar.gz",
    *(f"v2-cluster/3.4/data-c{number}.tar.gz" for number in (1, 2)),
    "v2-migrated/discovery/data-before.tar.gz",
    "v2-migrated/expired/data-before.tar.gz",
    "discovery-v2/3.4/data.tar.gz",
    *(f"damaged/dirs/{name}.tar.gz" for name in ("good", "snap-cut-newest", "snap-flip-all", "wal-cut-last")),
]
ACCEPTED_TOO = [
    *(f"v2-rich/{version}/backup-etcdctl.tar.gz" for version in ("2.3", "3.2", "3.4")),
    "v2-rich/3.2/backup-etcdutl-3.5-with-v3.tar.gz",
    "v2-rich/3.4/backup-etcdctl-with-v3.tar.gz",
    "v2-rich/3.4/backup-etcdutl-3.5-with-v3.tar.gz",
    *(f"v2-cluster/3.4/data-c{number}.tar.gz" for number in (3, 4)),
]
REFUSED = [f"damaged/dirs/{name}.tar.gz" for name in ("wal-empty", "wal-flip-middle", "wal-length-tail-256")]
ALL_HIDDEN = {"v2-migrated/discovery/data-before.tar.gz", "discovery-v2/3.4/data.tar.gz"}


@dataclass(frozen=True)
class Pair:
    """A key of a v3 database; ``version`` and lease are not compared: migrate says 1 and none for every key."""

    value: bytes
    create_revision: int
    mod_revision: int
    has_lease: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Answered:
    """A key as etcdctl's JSON gives it."""

    key: bytes
    pair: Pair

    @classmethod
    def of(cls, kv: dict[str, Any]) -> Answered:
        value = base64.b64decode(kv.get("value", ""))
        return cls(base64.b64decode(kv["key"]), Pair(value, int(kv["create_revision"]), int(kv["mod_revision"])))


def read_keys(database: Path) -> dict[bytes, Pair]:
    """Give the last revision of each key in a database, {} where there is none."""
    if not database.exists():
        return {}
    with open_database(database) as opened:
        bucket = root_buckets(opened.image).get(b"key")
        rows = list(iter_key_values(opened.image, bucket)) if bucket else []
    return {pair.key: Pair(pair.value, pair.create_revision, pair.mod_revision, pair.lease != 0) for _, pair in rows}


def migrate(data_dir: Path, *flags: str, check: bool = True) -> dict[bytes, Pair]:
    """Run the real program on a data dir of its own; give the keys that were not in the database before."""
    database = data_dir / "member/snap/db"
    before = read_keys(database)
    words = ("migrate", f"--data-dir={data_dir}", *flags)
    processes.run(programs.program("etcdctl", "3.4"), *words, env={"ETCDCTL_API": "3"}, check=check)
    return {key: pair for key, pair in read_keys(database).items() if before.get(key) != pair}


def convert(source: Path, folder: Path, *arguments: str) -> tuple[dict[bytes, Pair], dict[str, Any]]:
    """Run ours; give the keys of the snapshot and the report."""
    folder.mkdir(exist_ok=True)
    target, report_file = folder / "v3.db", folder / "report.json"
    done = invoke("convert", source, "-o", target, "-c", "keys", "--report-file", report_file, *arguments)
    assert done.exit_code == 0, done.stderr
    return read_keys(target), json.loads(report_file.read_text())


def missing(theirs: dict[bytes, Pair], ours: dict[bytes, Pair], report: dict[str, Any]) -> list[str]:
    """Name what migrate has and convert has not or has differently, unless the report gives the reason."""
    # migrate passes everything through JSON: bytes that are no UTF-8 are U+FFFD there, ours may have them from the WAL
    as_shown = {shown(key): pair for key, pair in ours.items()}
    assert len(as_shown) == len(ours)
    told = {*report["skipped"].get("expired", ()), *(entry["summary"].partition(" /1")[2] for entry in report["tail"])}
    found = []
    for key, pair in theirs.items():
        text = shown(key)
        own = as_shown.get(text)
        if own is None:
            found += [] if text in told else [f"{text} is missing"]
        elif (own.create_revision, own.mod_revision) != (pair.create_revision, pair.mod_revision):
            found.append(f"{text} has revisions {own.create_revision}, {own.mod_revision}")
        elif shown(own.value) != shown(pair.value):
            found.append(f"{text} has another value")
    return found


def beyond(theirs: dict[bytes, Pair], ours: dict[bytes, Pair]) -> dict[str, str]:
    """Give what convert has and migrate has not, with the reason."""
    known = {shown(key) for key in theirs}
    return {text: "hidden" if "/_" in text else "no reason" for text in sorted(map(shown, ours)) if text not in known}


def check_sums(report: dict[str, Any]) -> None:
    """Hold the report's figures against each other."""
    counts = report["counts"]
    assert counts["adds_up"] is True
    assert counts["nodes"] == counts["converted"] + sum(counts["skipped"].values())
    assert counts["skipped"] == {reason: len(paths) for reason, paths in report["skipped"].items()}
    assert counts["converted"] == sum(counts["converted_by"].values()) == report["proof"]["nodes_compared"]
    assert counts["puts"] == report["proof"]["records_compared"]
    assert counts["leases"] == report["proof"]["leases_compared"]


@pytest.mark.parametrize("name", [*ACCEPTED, *(pytest.param(name, marks=pytest.mark.full) for name in ACCEPTED_TOO)])
def test_what_migrate_has_convert_has(name: str, tmp_path: Path) -> None:
    data_dir = samples.fresh(name, tmp_path)
    ours, report = convert(data_dir, tmp_path / "ours", "--as-of", AS_OF)
    theirs = migrate(data_dir)
    assert bool(theirs) != (name in ALL_HIDDEN)
    assert missing(theirs, ours, report) == []
    more = beyond(theirs, ours)
    print(f"{name}: beyond migrate {more}")
    assert set(more.values()) <= {"hidden"}
    assert more.keys() == {text for text in map(shown, ours) if "/_" in text}
    check_sums(report)
    assert report["counts"]["puts"] == len(ours)


@pytest.mark.parametrize("name", REFUSED)
def test_what_migrate_refuses_we_do_not_convert_in_silence(name: str, tmp_path: Path) -> None:
    data_dir = samples.fresh(name, tmp_path)
    done = invoke("convert", data_dir, "-o", tmp_path / "v3.db", "--as-of", AS_OF)
    assert done.exit_code in {1, 10, 11}
    assert not (tmp_path / "v3.db").exists()
    with pytest.raises(processes.ProgramError):
        migrate(data_dir)


@pytest.mark.parametrize("name", ["v2-migrated/expired/data-before.tar.gz", "v2-rich/3.4/data-killed.tar.gz"])
def test_what_has_expired_is_named(name: str, tmp_path: Path) -> None:
    data_dir = samples.fresh(name, tmp_path)
    ours, report = convert(data_dir, tmp_path / "ours", "--as-of", LONG_AFTER)
    theirs = migrate(data_dir)
    left_out = {shown(key) for key in theirs} - {shown(key) for key in ours}
    assert left_out, "migrate keeps what has expired, for ever"
    assert left_out <= set(report["skipped"]["expired"])
    assert missing(theirs, ours, report) == []
    check_sums(report)


@pytest.mark.parametrize(
    ("migrated", "source"),
    [
        ("v2-migrated/3.3", "v2-migrated/3.3/data-migrated.tar.gz"),
        ("v2-migrated/3.4", "v2-rich/3.4/data-clean.tar.gz"),
        ("v2-migrated/3.4", "v2-migrated/3.4/data-migrated.tar.gz"),
        ("v2-migrated/3.4-no-ttl", "v2-rich/3.4/data-clean.tar.gz"),
    ],
)
def test_what_a_server_served_after_migrate_convert_has(migrated: str, source: str, tmp_path: Path) -> None:
    theirs = {pair.key: pair.pair for pair in map(Answered.of, samples.load(f"{migrated}/v3-range.json.gz")["kvs"])}
    ours, report = convert(samples.unpack(source), tmp_path / "ours", "--as-of", AS_OF)
    assert len(theirs) > 400
    assert missing(theirs, ours, report) == []
    no_ttl = {shown(key) for key, pair in ours.items() if pair.has_lease} if migrated.endswith("-no-ttl") else set()
    more = beyond(theirs, ours)
    assert {text for text, reason in more.items() if reason != "hidden"} <= no_ttl
    check_sums(report)


@pytest.mark.parametrize(
    "name", ["v2-rich/3.4/data-killed.tar.gz", "v2-multiwal/3.4/data.tar.gz", "v2-migrated/expired/data-before.tar.gz"]
)
def test_a_real_server_shows_the_migrated_keys_as_we_read_them(name: str, tmp_path: Path) -> None:
    data_dir = samples.fresh(name, tmp_path)
    theirs = migrate(data_dir)
    with Server("3.4", data_dir) as server:
        answer = server.etcdctl_json("get", "", "--from-key")
    assert {pair.key: pair.pair for pair in map(Answered.of, answer["kvs"])} == theirs


def test_entries_past_the_commit_are_named_or_applied(tmp_path: Path) -> None:
    history = v2_log.History().with_voters(1, 2, 3).in_term(2).put("/sure", "1").put("/sure", "2")
    commit = len(history)
    history.put("/perhaps", "3").put("/sure", "4").v3_put(b"k", b"v")
    data_dir = v2_log.write_member(tmp_path, 1, history, commit=commit)
    ignoring, report = convert(data_dir, tmp_path / "ignore", "--tail", "ignore")
    applying, full_report = convert(data_dir, tmp_path / "apply", "--tail", "apply")
    theirs = migrate(data_dir)
    assert theirs == applying
    assert set(theirs) - set(ignoring) == {b"/perhaps"}
    assert ignoring[b"/sure"].value == b"2"
    assert [entry["summary"] for entry in report["tail"]] == ["PUT /1/perhaps", "PUT /1/sure", "v3 put"]
    assert missing({b"/perhaps": theirs[b"/perhaps"]}, ignoring, report) == []
    assert full_report["tail"] == []
