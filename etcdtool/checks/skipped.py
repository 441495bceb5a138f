"""What a run did not look at: whoever reads the verdict must be able to see what it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.checks.codes import Code
from etcdtool.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.findings import Finding

__all__ = ["CODES", "SKIPPED", "say_skipped"]

SKIPPED = Code(
    code="verify.skipped",
    severity=Severity.NOTE,
    meaning="A check was left out, because --level quick was asked for.",
    remedy="Run verify with --level full before you rely on the file.",
)
CODES = (SKIPPED,)

_SHA256 = ("sha256 trailer", "whether it fits the bytes was not computed")
_KEYS = (
    ("bucket key", "revisions and records were not read"),
    ("history of the keys", "was not followed"),
    ("leases of the keys", "were not looked up"),
)


def say_skipped(*, sealed: bool = False) -> Iterator[Finding]:
    """Yield a note for each check that the quick level leaves out; ``sealed``: the sha256 sum was not."""
    for where, what in _KEYS if sealed else (_SHA256, *_KEYS):
        yield SKIPPED.finding(where, what)
