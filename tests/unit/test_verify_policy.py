"""Conditions that ``verify`` is given, and how deep it looks: by the command line, as a pipeline calls it."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from support import samples
from support.cli import invoke

from etcdtool.checks import registry

SNAPSHOT = "v3/3.6/snapshot.db.gz"
DATA_DIR = "v3/3.6/data.tar.gz"
LIVE = samples.expected("v3/3.6")["live"]


def verify(*words: object) -> tuple[int, dict[str, Any]]:
    """Give the exit code, and code -> finding of the one source."""
    done = invoke("verify", *words, "-w", "json")
    (result,) = json.loads(done.stdout)["results"]
    return done.exit_code, {finding["code"]: finding for finding in result["findings"]}


@pytest.fixture
def snapshot() -> Path:
    return samples.unpack(SNAPSHOT)


@pytest.mark.parametrize(
    ("good", "bad", "code"),
    [
        (("--min-revision", 1683), ("--min-revision", 1684), "policy.min-revision"),
        (("--min-keys", 1951), ("--min-keys", 1952), "policy.min-keys"),
        (("--require-prefix", "inbox/"), ("--require-prefix", "inbox//"), "policy.prefix-missing"),
        (("--require-prefix", ""), ("--require-prefix", "z" * 5000), "policy.prefix-missing"),
        (("--max-age", "36500d"), ("--max-age", "0s"), "policy.max-age"),
        (
            ("--same-as", samples.packed(SNAPSHOT)),
            ("--same-as", samples.packed("k8s/3.6/snapshot.db.gz")),
            "policy.differs",
        ),
    ],
)
def test_conditions(snapshot: Path, good: tuple[object, ...], bad: tuple[object, ...], code: str) -> None:
    assert verify(snapshot, *good) == (0, {})
    exit_code, found = verify(snapshot, *bad)
    assert (exit_code, set(found)) == (3, {code})


def test_the_revision_is_the_servers(snapshot: Path) -> None:
    revision = int(LIVE["ranges"]["latest"]["header"]["revision"])
    assert verify(snapshot, "--min-revision", revision)[0] == 0
    assert verify(snapshot, "--min-revision", revision + 1)[0] == 3


def test_several_prefixes(snapshot: Path) -> None:
    _, found = verify(snapshot, "--require-prefix", "inbox/", "--require-prefix", "/nothing/here/")
    assert found["policy.prefix-missing"]["detail"] == "no key begins with /nothing/here/"


def test_the_age_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.db.gz"
    path.write_bytes(samples.packed(SNAPSHOT).read_bytes())
    for hours_ago, age, code in [(25, "26h", 0), (27, "26h", 3), (27, "1d3h1m", 0), (-2, "26h", 3), (0, "1.5m", 0)]:
        moment = time.time() - hours_ago * 3600
        os.utime(path, (moment, moment))
        assert verify(path, "--max-age", age)[0] == code, (hours_ago, age)


def test_the_age_of_a_data_dir_is_that_of_its_newest_part(tmp_path: Path) -> None:
    root = samples.fresh("v3/3.7/restored.tar.gz", tmp_path)
    for path in root.rglob("*"):
        os.utime(path, (1, 1))
    assert verify(root, "--max-age", "1h")[0] == 3
    os.utime(next((root / "member/wal").glob("*.wal")))
    assert verify(root, "--max-age", "1h")[0] == 0


def test_the_cluster_id(snapshot: Path) -> None:
    root, known = samples.unpack(DATA_DIR), f"{int(LIVE['status']['header']['cluster_id']):x}"
    assert verify(root, "--expect-cluster-id", known)[0] == 0
    assert verify(root, "--expect-cluster-id", f"0x{known.upper()}")[0] == 0
    exit_code, found = verify(root, "--expect-cluster-id", "5")
    assert (exit_code, set(found)) == (3, {"policy.cluster-id"})
    # a learner has joined since the first start, so that the snapshot does not show the id any more
    exit_code, found = verify(snapshot, "--expect-cluster-id", known)
    assert (exit_code, set(found)) == (3, {"policy.cluster-id-unknown"})


def test_the_cluster_id_of_first_members_shows_in_a_snapshot() -> None:
    _, found = verify(samples.unpack("v3-cluster/3.6/data-n0.tar.gz"), "--expect-cluster-id", "5")
    logged = found["policy.cluster-id"]["detail"].split()[3].rstrip(",")
    assert verify(samples.unpack("v3-cluster/3.6/snapshot-n1.db.gz"), "--expect-cluster-id", logged) == (0, {})


def test_the_same_as_its_own_data_dir_but_not_as_what_was_bumped(snapshot: Path) -> None:
    assert verify(snapshot, "--same-as", samples.unpack(DATA_DIR)) == (0, {})
    exit_code, found = verify(snapshot, "--same-as", samples.unpack("v3/3.6/restored-bumped.tar.gz"))
    assert (exit_code, set(found)) == (3, {"policy.differs"})


def test_a_condition_on_what_cannot_be_read() -> None:
    broken = samples.unpack("damaged/snapshots/branch-pgid-high+sealed.db.gz")
    for words in (("--min-keys", 1), ("--same-as", samples.packed(SNAPSHOT))):
        exit_code, found = verify(broken, *words)
        assert exit_code == 3
        assert "policy.not-checked" in found
    v2_only = samples.unpack("v2-only-wal/2.3/data.tar.gz")
    assert set(verify(v2_only, "--same-as", samples.packed(SNAPSHOT))[1]) == {"datadir.v2-only", "policy.not-checked"}


def test_an_other_source_that_is_not_there(snapshot: Path, tmp_path: Path) -> None:
    done = invoke("verify", snapshot, "--same-as", tmp_path / "missing")
    assert done.exit_code == 1
    assert "missing" in done.stderr


def test_quick_says_what_it_leaves_out(snapshot: Path, tmp_path: Path) -> None:
    exit_code, found = verify(snapshot, "--level", "quick")
    assert (exit_code, set(found)) == (0, {"verify.skipped"})
    data = bytearray(snapshot.read_bytes())
    data[-1] ^= 1
    (tmp_path / "changed").write_bytes(data)
    assert verify(tmp_path / "changed", "--level", "quick")[0] == 0
    assert set(verify(tmp_path / "changed")[1]) == {"container.sha256-mismatch"}
    for size, code in [(len(data) - 1, "container.trailer-cut"), (len(data) - 40, "container.cut-short")]:
        (tmp_path / "cut").write_bytes(data[:size])
        exit_code, found = verify(tmp_path / "cut", "--level", "quick")
        assert (exit_code, set(found) - {"bbolt.file-short"}) == (3, {"verify.skipped", code})
    (tmp_path / "zeros").write_bytes(bytes(544))
    assert "bbolt.no-image" in verify(tmp_path / "zeros", "--level", "quick")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--level", "quick", "--min-keys", "1"), "do not go together"),
        (("--level", "quick", "--same-as", "x"), "do not go together"),
        (("--max-age", "1 day"), "is no duration"),
        (("--max-age", "9" * 400 + "d"), "is no duration"),
        (("--max-age", ""), "is no duration"),
        (("--expect-cluster-id", "xyz"), "is no id"),
        (("--min-revision", "-1"), "-1"),
        (("--wal-dir", "/tmp", "other"), "one data dir"),
        (("-", "--max-age", "1h"), "cannot be told of stdin"),
        (("-", "--same-as", "-"), "given twice"),
    ],
)
def test_words_that_are_off(snapshot: Path, words: tuple[str, ...], message: str) -> None:
    done = invoke("verify", snapshot, *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


def test_the_kind_is_told(snapshot: Path) -> None:
    kinds = {
        snapshot: "snapshot",
        samples.packed(SNAPSHOT): "snapshot in gzip",
        samples.packed(DATA_DIR): "data dir in a tar archive in gzip",
    }
    done = invoke("verify", *kinds, "-w", "json")
    assert [result["kind"] for result in json.loads(done.stdout)["results"]] == list(kinds.values())


def test_every_condition_has_a_finding() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [code for code in registry.BY_CODE if code.startswith("policy.") and f'"{code}"' not in text] == []


def test_stdin(snapshot: Path) -> None:
    packed = io.TextIOWrapper(io.BytesIO(gzip.compress(snapshot.read_bytes())))
    with mock.patch.object(sys, "stdin", packed):
        done = invoke("verify", "-", "--min-keys", "1")
    assert (done.exit_code, done.stdout) == (0, "-: good (0 errors, 0 warnings, 0 notes)\n")
