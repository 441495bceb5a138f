"""``migrate`` on real data dirs: what it changes, what it refuses, and that it leaves all else alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from support import restored, samples
from support.cli import Outcome, invoke

from etcdtool.formats.bbolt.check import check
from etcdtool.formats.bbolt.page import Image
from etcdtool.targets import Hold

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = {"3.5": b"", "3.6": b"3.6.0", "3.7": b"3.7.0"}


def migrate(data_dir: Path, target: str, *more: object) -> Outcome:
    return invoke("migrate", "--data-dir", data_dir, "--target-version", target, *more)


def told(outcome: Outcome) -> list[list[str]]:
    """Give the lines of the log, without their time."""
    return [line.split("\t")[1:] for line in outcome.stderr.splitlines() if "\t" in line]


def storage_version(data_dir: Path) -> bytes:
    return restored.buckets(data_dir)["meta"].get(b"storageVersion", b"")


def without_version(data_dir: Path) -> dict[str, dict[bytes, bytes]]:
    buckets = restored.buckets(data_dir)
    buckets["meta"].pop(b"storageVersion", None)
    return buckets


def kept(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "member/snap").glob("db.before-migrate-*"))


@pytest.mark.parametrize("target", VERSIONS)
@pytest.mark.parametrize("version", VERSIONS)
def test_only_the_version_changes(version: str, target: str, tmp_path: Path) -> None:
    data_dir = samples.fresh(f"v3/{version}/data.tar.gz", tmp_path)
    before, content = samples.hashes(data_dir), without_version(data_dir)
    outcome = migrate(data_dir, target)
    assert outcome.exit_code == 0
    assert outcome.stdout == ""
    after = samples.hashes(data_dir)
    if version == target:
        assert told(outcome) == [
            ["info", "etcdtool", "storage version up-to-date", f'{{"storage-version": "{target}"}}']
        ]
        assert after == before
        return
    assert storage_version(data_dir) == VERSIONS[target]
    assert without_version(data_dir) == content
    assert not list(check(Image.open(memoryview((data_dir / restored.DB).read_bytes()))))
    (old,) = kept(data_dir)
    assert after.pop(str(old.relative_to(data_dir))) == before.pop(restored.DB)
    assert after.pop(restored.DB)
    assert after == before  # the log and the .snap files
    assert (data_dir / restored.DB).stat().st_mode == old.stat().st_mode


def test_steps_are_told_in_order(tmp_path: Path) -> None:
    outcome = migrate(samples.fresh("v3/3.5/data.tar.gz", tmp_path), "3.7", "--no-keep")
    assert told(outcome) == [
        ["info", "etcdtool", "updated storage version", '{"new-storage-version": "3.6.0"}'],
        ["info", "etcdtool", "updated storage version", '{"new-storage-version": "3.7.0"}'],
    ]
    assert not kept(tmp_path)


def test_there_and_back_is_as_before(tmp_path: Path) -> None:
    data_dir = samples.fresh("v3/3.6/data.tar.gz", tmp_path)
    before = restored.buckets(data_dir)
    assert migrate(data_dir, "3.7", "--no-keep").exit_code == 0
    assert migrate(data_dir, "3.5", "--no-keep").exit_code == 0
    assert migrate(data_dir, "3.6").exit_code == 0
    assert restored.buckets(data_dir) == before


def test_a_cluster_of_a_higher_version_is_warned_of(tmp_path: Path) -> None:
    outcome = migrate(samples.fresh("v3/3.7/data.tar.gz", tmp_path), "3.6")
    assert outcome.exit_code == 0
    (warning,) = [words for words in told(outcome) if words[0] == "warn"]
    assert warning[2].startswith("etcd 3.6 refuses a cluster of version 3.7.0. Bring it down with etcdctl downgrade")


def test_no_term_is_no_version(tmp_path: Path) -> None:
    data_dir = samples.fresh("v3/3.4/data.tar.gz", tmp_path)
    before = samples.hashes(data_dir)
    outcome = migrate(data_dir, "3.6")
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("Error: missing term information. The data are of etcd 3.4 or older")
    assert samples.hashes(data_dir) == before


def test_force_sets_what_no_plan_leads_to(tmp_path: Path) -> None:
    data_dir = samples.fresh("v3/3.7/data.tar.gz", tmp_path)
    before = samples.hashes(data_dir)
    refused = migrate(data_dir, "3.8")
    assert (refused.exit_code, samples.hashes(data_dir)) == (1, before)
    assert refused.stderr == 'Error: cannot create migration plan: version "3.8.0" is not supported\n'
    forced = migrate(data_dir, "3.8", "--force")
    assert forced.exit_code == 0
    assert storage_version(data_dir) == b"3.8.0"
    assert [words[2] for words in told(forced)][:2] == [
        "normal migrate failed, trying with force",
        "forcefully set storage version",
    ]
    assert migrate(data_dir, "3.7").exit_code == 1
    assert migrate(data_dir, "3.5", "--force").exit_code == 0
    assert storage_version(data_dir) == b""


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (
            (),
            1,
            'Error: required flag(s) "data-dir", "target-version" not set. v2 keys become v3 keys with etcdtool con',
        ),
        (
            ("--data-dir", "nowhere"),
            1,
            'Error: required flag(s) "target-version" not set. v2 keys become v3 keys with e',
        ),
        (("--target-version", "3.6"), 1, 'Error: required flag(s) "data-dir" not set\n'),
        (
            ("--data-dir", "nowhere", "--target-version", "3.6"),
            1,
            "Error: stat nowhere/member/snap/db: no such file or",
        ),
        (("--data-dir", "nowhere", "--target-version", "3"), 128, 'Error: wrong target version format, expected "X.Y"'),
        (
            ("--data-dir", "nowhere", "--target-version", "3.4"),
            128,
            'Error: target version "3.4" not supported. Minimal',
        ),
        (
            ("--data-dir", "nowhere", "--target-version", "3.x"),
            128,
            "Error: failed to parse target version: strconv.Par",
        ),
        (("--bogus",), 1, "Error: unknown flag: --bogus"),
    ],
)
def test_words_that_are_off(words: tuple[str, ...], exit_code: int, said: str) -> None:
    outcome = invoke("migrate", *words)
    assert (outcome.exit_code, outcome.stderr[: len(said)]) == (exit_code, said)


def test_log_that_is_kept_apart(tmp_path: Path) -> None:
    data_dir = samples.fresh("v3/3.7/data.tar.gz", tmp_path)
    wal_dir = tmp_path / "log"
    (data_dir / "member/wal").rename(wal_dir)
    refused = migrate(data_dir, "3.6")
    assert refused.exit_code == 1
    assert "failed to get the lastest snapshot: wal: file not found. If the log is kept apart" in refused.stderr
    assert migrate(data_dir, "3.6", "--wal-dir", wal_dir).exit_code == 0
    assert storage_version(data_dir) == b"3.6.0"


def test_damaged_log_is_refused(tmp_path: Path) -> None:
    data_dir = samples.fresh("v3/3.7/data.tar.gz", tmp_path)
    (segment,) = (data_dir / "member/wal").iterdir()
    with segment.open("r+b") as file:
        file.seek(2000)
        file.write(b"\xff" * 20)
    before = samples.hashes(data_dir)
    outcome = migrate(data_dir, "3.6", "--force")
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith(f"Error: failed to read wal: {segment.name}: wal record ")
    assert samples.hashes(data_dir) == before


def test_folder_in_use_is_refused(tmp_path: Path) -> None:
    data_dir = samples.fresh("v3/3.7/data.tar.gz", tmp_path)
    before = samples.hashes(data_dir)
    with Hold(database=data_dir / restored.DB):
        outcome = migrate(data_dir, "3.6", "--timeout", "10ms")
    assert (outcome.exit_code, samples.hashes(data_dir)) == (1, before)
    assert "is locked by a running process. Stop the server first" in outcome.stderr


def test_folder_in_use_is_waited_for(tmp_path: Path) -> None:
    data_dir = samples.fresh("v3/3.7/data.tar.gz", tmp_path)
    hold = Hold(database=data_dir / restored.DB)
    ending = threading.Timer(1.5, hold.__exit__)
    ending.start()
    outcome = migrate(data_dir, "3.6", "--timeout", "60s")
    ending.join()
    assert outcome.exit_code == 0
    assert told(outcome)[0][2] == "waiting for etcd to close and release its lock"
    assert storage_version(data_dir) == b"3.6.0"


def test_database_behind_a_link_stays_behind_it(tmp_path: Path) -> None:
    data_dir = samples.fresh("v3/3.6/data.tar.gz", tmp_path)
    link, real = data_dir / restored.DB, tmp_path / "elsewhere" / "db"
    real.parent.mkdir()
    link.rename(real)
    link.symlink_to(real)
    assert migrate(data_dir, "3.7").exit_code == 0
    assert link.readlink() == real
    assert storage_version(data_dir) == b"3.7.0"
    assert len(list(real.parent.glob("db.before-migrate-*"))) == 1


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    data_dir = samples.fresh("v3-edge/3.6/data.tar.gz", tmp_path)
    (data_dir / restored.DB).write_bytes(b"")
    outcome = migrate(data_dir, "3.7")
    assert outcome.exit_code == 1
    assert f"in {data_dir / restored.DB}: invalid database" in outcome.stderr


def test_any_damage_of_the_database_is_named_or_left_alone(tmp_path: Path) -> None:
    data_dir = samples.fresh("v3-edge/3.6/data.tar.gz", tmp_path)
    database = data_dir / restored.DB
    whole = database.read_bytes()
    for place in (0, 16, 24, 64, 80, 4096, 4112, 4160, 8192, 8200, 12288, 16384):
        data = bytearray(whole)
        data[place : place + 8] = b"\xee" * 8
        database.write_bytes(data)
        outcome = migrate(data_dir, "3.7", "--no-keep")
        if outcome.exit_code:
            assert outcome.stderr.startswith("Error: ")
            assert "internal error" not in outcome.stderr
            assert database.read_bytes() == data
