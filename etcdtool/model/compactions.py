"""How far the history of a store was cut off, as bucket ``meta`` has it.

Format: docs/formats/hashes.md, "A compaction that was not finished";
upstream: ``server/storage/mvcc/store.go`` @ v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from etcdtool.formats.bbolt import cursor
from etcdtool.model import schema
from etcdtool.model.revision import Revision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etcdtool.formats.bbolt.page import Image

__all__ = ["NEVER_COMPACTED", "Compactions", "read_bucket", "read_meta"]

NEVER_COMPACTED = -1


@dataclass(frozen=True, slots=True)
class Compactions:
    """How far the history was cut off.

    Attributes:
        finished: main revision of the last finished compaction, -1 if there was none.
        scheduled: the same of the last one accepted; 0 if there was none, as upstream has it.
    """

    finished: int = NEVER_COMPACTED
    scheduled: int = 0

    @classmethod
    def parse(cls, meta: Mapping[bytes, bytes]) -> Self:
        """Read both from bucket ``meta``.

        Raises:
            FormatError: one of them is no revision.
        """
        finished, scheduled = meta.get(schema.FINISHED_COMPACT_REV), meta.get(schema.SCHEDULED_COMPACT_REV)
        return cls(
            Revision.parse(finished).main if finished is not None else NEVER_COMPACTED,
            Revision.parse(scheduled).main if scheduled is not None else 0,
        )

    @property
    def pending(self) -> bool:
        """Whether a server that opens the data resumes a compaction."""
        return self.scheduled > self.finished and self.scheduled > 0

    @property
    def revision(self) -> int:
        """The compact revision that a server serves: reads below it get "compacted"."""
        return self.scheduled if self.pending else self.finished


def read_bucket(image: Image, name: bytes) -> dict[bytes, bytes]:
    """Return a small top-level bucket as it stands, empty when there is no such bucket.

    Raises:
        FormatError: the bucket cannot be walked.
    """
    bucket = cursor.root_buckets(image).get(name)
    return {item.key: bytes(item.value) for item in cursor.iter_items(image, bucket)} if bucket else {}


def read_meta(image: Image) -> dict[bytes, bytes]:
    """Return bucket ``meta``, see `read_bucket`."""
    return read_bucket(image, schema.META)
