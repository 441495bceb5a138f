"""The report of a salvage: what was read from where, and what was lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etcdtool.errors import FormatError
from etcdtool.findings import Report
from etcdtool.model.revision import Revision

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.salvage import Gap

__all__ = ["BucketReport", "SalvageReport", "shown_key"]

SCHEMA = "etcdtool.salvage/1"


@dataclass(slots=True, kw_only=True)
class BucketReport:
    """What became of one bucket.

    Attributes:
        name: of the bucket.
        pairs: written in all.
        recovered: of these, found outside of the tree: in an older copy of the bucket, or by scanning.
        lost: ranges of keys that nothing accounts for.
        filled: ranges that were damaged and are accounted for in full.
        doubtful: keys recovered below the compact revision that may have been deleted.
        left_out: keys found outside of the tree that were deleted before, and stay so.
    """

    name: bytes
    pairs: int = 0
    recovered: int = 0
    lost: list[Gap] = field(default_factory=list)
    filled: list[Gap] = field(default_factory=list)
    doubtful: list[bytes] = field(default_factory=list)
    left_out: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing of it is lost."""
        return not (self.lost or self.doubtful)

    def as_json(self) -> dict[str, Any]:
        """The bucket as it stands in the report."""
        return {
            "bucket": self.name.decode("utf-8", "backslashreplace"),
            "pairs": self.pairs,
            "recovered": self.recovered,
            "left_out_as_deleted": self.left_out,
            "lost": [_gap_json(self.name, gap) for gap in self.lost],
            "filled": [_gap_json(self.name, gap) for gap in self.filled],
            "doubtful": [shown_key(self.name, key) for key in self.doubtful],
        }


@dataclass(slots=True, kw_only=True)
class SalvageReport:
    """Everything that a salvage has to say for itself.

    Attributes:
        source: the file.
        size: its bytes.
        target: what was written.
        written_size: bytes of it.
        page_size: of both.
        roots: how the buckets were found, in the order in which they were used.
        buckets: one a bucket.
        mended: what was put right without a loss.
        damage: findings about the source.
        findings: findings about what was written: what the loss looks like to verify.
        compact_revision: -1 if there was no compaction, or nothing tells.
        current_revision: main revision of the last change written.
    """

    source: str
    size: int
    target: Path
    written_size: int = 0
    page_size: int = 0
    roots: list[str] = field(default_factory=list)
    buckets: list[BucketReport] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    damage: list[Finding] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    compact_revision: int = -1
    current_revision: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is lost that can be told: no range of keys, and no hole that verify finds in the result."""
        return all(bucket.whole for bucket in self.buckets) and Report(self.findings).good

    @property
    def exit_code(self) -> int:
        """0 nothing was lost, 3 something was."""
        return 0 if self.complete else 3

    def as_json(self) -> dict[str, Any]:
        """The report as ``--report-file`` and ``-w json`` write it."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "size": self.size,
            "target": str(self.target),
            "written_size": self.written_size,
            "page_size": self.page_size,
            "complete": self.complete,
            "roots": self.roots,
            "current_revision": self.current_revision,
            "compact_revision": self.compact_revision,
            "buckets": [bucket.as_json() for bucket in self.buckets],
            "mended": self.mended,
            "damage": [finding.as_json() for finding in self.damage],
            "findings": [finding.as_json() for finding in self.findings],
        }


def shown_key(bucket: bytes, key: bytes) -> str:
    """Return a key of a bucket for people: a revision, text, or hex."""
    if bucket == b"key":
        try:
            return str(Revision.parse(key))
        except FormatError:
            return key.hex()
    return key.decode("ascii") if key.isascii() and key.decode("ascii").isprintable() else key.hex()


def _gap_json(bucket: bytes, gap: Gap) -> dict[str, Any]:
    return {
        "from": _bound(bucket, gap.lower) if gap.lower else None,
        "to": _bound(bucket, gap.upper) if gap.upper is not None else None,
        "page": gap.page,
        "reason": gap.reason,
    }


def _bound(bucket: bytes, key: bytes) -> str:
    # "just above this key" is the key with a zero byte behind it
    if key.endswith(b"\0") and bucket == b"key" and len(key) in {18, 19}:
        return f"above {shown_key(bucket, key[:-1])}"
    return shown_key(bucket, key)
