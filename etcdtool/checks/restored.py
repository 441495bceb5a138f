"""What a restore makes of a source, when it is asked for as a check."""

from __future__ import annotations

from etcdtool.checks.codes import Code
from etcdtool.findings import Severity

__all__ = ["CODES", "REFUSED"]

REFUSED = Code(
    code="restore.refused",
    severity=Severity.ERROR,
    meaning="A restore into a temporary folder, as --simulate-restore does it, was refused or failed.",
    remedy="The detail says why. If it is the temporary disk that is full, set TMPDIR to a folder on a larger one.",
)
CODES = (REFUSED,)
