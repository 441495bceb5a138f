"""Drawn damage of WAL and ``.snap`` files: found, with a place, or of a kind that is known to leave no sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import samples
from support.damage_logs import LOG_FIELDS, WITHOUT_A_SIGN, draw_log

from etcdtool.findings import Severity
from etcdtool.operations.verify_source import verify_source

if TYPE_CHECKING:
    from pathlib import Path

    from support.damage_logs import LogFault

EACH, FULL_EACH = 4, 40


def is_found(fault: LogFault, folder: Path) -> bool:
    """Tell whether a finding above a note with a place comes of it; the data dir stays as it is."""
    root = fault.write(folder)
    before = samples.hashes(root)
    report = verify_source(root).report
    assert samples.hashes(root) == before
    return any(finding.severity is not Severity.NOTE and finding.where for finding in report.findings)


@pytest.mark.parametrize(("kind", "name"), LOG_FIELDS, ids=["/".join(names) for names in LOG_FIELDS])
def test_a_fault_is_found(kind: str, name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    count = FULL_EACH if request.config.getoption("--full") else EACH
    seed = request.config.getoption("--seed") or 0
    faults = [draw_log(seed, kind, name, number) for number in range(count)]
    missed = [str(fault) for number, fault in enumerate(faults) if not is_found(fault, tmp_path / str(number))]
    assert not missed or (kind, name) in WITHOUT_A_SIGN
    assert len(missed) <= count / 2
