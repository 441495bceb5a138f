"""No finding above note on anything that is healthy: every sample, as it lies there and unpacked."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from support import samples

from etcdtool.checks import registry
from etcdtool.findings import Severity
from etcdtool.operations.verify_source import verify_source

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.findings import Report

SNAPSHOTS = [name for name in samples.databases() if not name.startswith("damaged")]
DATA_DIRS = [name for name in samples.archives() if not name.startswith("damaged/")]
KNOWN_NOTES = {
    "alarms.nospace",
    "buckets.missing",
    "container.no-trailer",
    "datadir.member-removed",
    "datadir.v2-only",
    "generations.converted",
    "meta.conf-state-stale",
    "revisions.bump-marker",
    "revisions.compaction-pending",
}


def only_notes(report: Report) -> set[str]:
    """Give the codes of the notes, of which there is nothing else."""
    assert [str(finding) for finding in report.findings if finding.severity is not Severity.NOTE] == []
    found = {finding.code for finding in report.findings}
    assert found <= KNOWN_NOTES
    return found


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_snapshots(name: str) -> None:
    found = verify_source(samples.unpack(name))
    assert found.kind == "snapshot"
    assert only_notes(found.report) <= {"alarms.nospace", "generations.converted"}


@pytest.mark.parametrize("name", SNAPSHOTS[::4])
def test_snapshots_as_they_lie_there(name: str) -> None:
    found = verify_source(samples.packed(name))
    assert found.kind == "snapshot in gzip"
    only_notes(found.report)


@pytest.mark.parametrize("name", DATA_DIRS)
def test_data_dirs(name: str) -> None:
    root = samples.unpack(name)
    found = verify_source(root)
    assert found.kind == "data dir"
    notes = only_notes(found.report)
    assert "container.no-trailer" not in notes, "a server's own database has none by nature"
    left = name.endswith("data-c2.tar.gz") or "backup" in name
    assert ("datadir.member-removed" in notes) == left
    assert ("datadir.v2-only" in notes) == (not (root / "member/snap/db").exists())


@pytest.mark.parametrize("name", DATA_DIRS[::6])
def test_data_dirs_as_they_lie_there(name: str) -> None:
    found = verify_source(samples.packed(name))
    assert found.kind == "data dir in a tar archive in gzip"
    only_notes(found.report)


@pytest.mark.parametrize("name", ["v3/3.4/data.tar.gz", "v3/3.7/data.tar.gz", "v3/3.6/restored.tar.gz"])
def test_databases_copied_out_of_data_dirs(name: str, tmp_path: Path) -> None:
    shutil.copy(samples.unpack(name) / "member/snap/db", tmp_path / "copy")
    found = verify_source(tmp_path / "copy")
    assert found.kind == "database without a trailer"
    assert "container.no-trailer" in only_notes(found.report)


DAMAGED = {
    "good": set(),
    "snap-cut-newest": {"snap.unreadable", "snap.missing"},
    "snap-flip-all": {"snap.unreadable", "snap.missing"},
    "wal-cut-last": {"wal.torn-tail"},
    "wal-empty": {"wal.damaged"},
    "wal-flip-middle": {"wal.damaged"},
    "wal-length-tail-256": {"wal.damaged"},
}


@pytest.mark.parametrize("variant", DAMAGED)
def test_damaged_data_dirs(variant: str) -> None:
    root = samples.unpack(f"damaged/dirs/{variant}.tar.gz")
    before = samples.hashes(root)
    report = verify_source(root).report
    assert {finding.code for finding in report.findings} == DAMAGED[variant]
    assert all(finding.code in registry.BY_CODE for finding in report.findings)
    assert samples.hashes(root) == before
