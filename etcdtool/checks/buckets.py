"""Which buckets there are: a server of 3.4 to 3.7 makes the same ten at its first start, and no others.

Format: docs/formats/mvcc.md, "Buckets".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.checks.codes import Code
from etcdtool.findings import Severity
from etcdtool.model import schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from etcdtool.findings import Finding

__all__ = ["CODES", "check_buckets"]

UNKNOWN = Code(
    code="buckets.unknown",
    severity=Severity.ERROR,
    meaning="There is a bucket that no version of etcd makes. A server ignores it, so what a damaged name hides is "
    "lost: of bucket lease every lease, of bucket authUsers every user.",
    remedy="Use another copy. If this is a database of something else than etcd, little can be said about it.",
)
KEY_MISSING = Code(
    code="buckets.key-missing",
    severity=Severity.ERROR,
    meaning="There is no bucket key, and what etcdctl backup makes has a bucket meta alone: a server starts on it "
    "without a single key.",
    remedy="Use another copy.",
)
MISSING = Code(
    code="buckets.missing",
    severity=Severity.NOTE,
    meaning="Buckets are missing that every server makes at its first start. etcdctl backup and etcdctl migrate leave "
    "them to the next server.",
    remedy="None is needed for data that one of these made; else use another copy.",
)
CODES = (UNKNOWN, KEY_MISSING, MISSING)


def check_buckets(names: Collection[bytes]) -> Iterator[Finding]:
    """Yield what is off about the names of the top-level buckets."""
    for name in names:
        if name not in schema.BUCKETS:
            yield UNKNOWN.finding("the root bucket", f"unknown bucket {name!r}")
    if schema.KEY not in names and set(names) != {schema.META}:
        yield KEY_MISSING.finding("the root bucket", "no bucket key")
    missing = [name.decode() for name in schema.BUCKETS if name not in names]
    if missing:
        yield MISSING.finding("the root bucket", f"without the buckets {', '.join(missing)}")
