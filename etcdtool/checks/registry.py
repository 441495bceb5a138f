"""All codes of findings, and the page that explains them.

``python -m etcdtool.checks.registry > docs/findings/index.md`` writes that page; a test says when it is out of date.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from etcdtool.checks import (
    alarms,
    auth,
    buckets,
    container,
    datadir,
    generations,
    leases,
    members,
    meta,
    pages,
    policy,
    restored,
    revisions,
    skipped,
    snap,
    wal,
)

if TYPE_CHECKING:
    from etcdtool.checks.codes import Code

__all__ = ["BY_CODE", "SUBJECTS", "as_markdown"]

SUBJECTS: dict[str, tuple[str, tuple[Code, ...]]] = {
    "container": ("The file around the pages", container.CODES),
    "bbolt": ("Pages", pages.CODES),
    "buckets": ("Buckets", buckets.CODES),
    "revisions": ("Revisions", revisions.CODES),
    "generations": ("The history of each key", generations.CODES),
    "leases": ("Leases", leases.CODES),
    "auth": ("Users and roles", auth.CODES),
    "members": ("Members of the cluster", members.CODES),
    "meta": ("What the server notes of its log and of the schema", meta.CODES),
    "alarms": ("Alarms", alarms.CODES),
    "restore": ("A restore as a check", restored.CODES),
    "wal": ("The log of a data dir", wal.CODES),
    "snap": ("The .snap files of a data dir", snap.CODES),
    "datadir": ("The parts of a data dir together", datadir.CODES),
    "policy": ("What was asked of the data", policy.CODES),
    "verify": ("What was not looked at", skipped.CODES),
}
"""First word of the code -> title and codes; each check file declares its own."""

BY_CODE: dict[str, Code] = {code.code: code for _, codes in SUBJECTS.values() for code in codes}

_HEAD = """\
# Findings

What `etcdtool verify` can say.
The first word of a code names what was looked at; codes do not change between versions.
An **error** makes the verdict "not good" and the exit status 3; a **warning** is worth a look; a **note** is not.

<!-- Written by python -m etcdtool.checks.registry; edit the check files instead. -->
"""


def as_markdown() -> str:
    """Return the page: every code with its meaning and remedy."""
    parts = [_HEAD]
    for title, codes in SUBJECTS.values():
        parts.append(f"\n## {title}\n")
        parts.extend(
            f"\n### `{code.code}`\n\n*{code.severity.value}*\n\n{code.meaning}\n\n{code.remedy}\n" for code in codes
        )
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
