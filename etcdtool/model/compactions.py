"""How far the history of a store was cut off, as bucket ``meta`` has it, and what can be read of it therefore.

Format: docs/formats/hashes.md, "A compaction that was not finished";
upstream: ``server/storage/mvcc/store.go`` @ v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats.bbolt import cursor
from etcdtool.model import schema
from etcdtool.model.revision import MAIN_MAX, Revision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image

__all__ = [
    "NEVER_COMPACTED",
    "Compactions",
    "current_revision",
    "is_without_keys",
    "open_history",
    "read_bucket",
    "read_meta",
]

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

    def check_readable(self, revision: int, newest: int) -> None:
        """Refuse a revision that a server refuses to read at, in its words.

        Args:
            revision: that is to be read at.
            newest: what the server calls its revision.

        Raises:
            EtcdtoolError: the revision is compacted, or was not reached yet.
        """
        if revision > newest:
            raise EtcdtoolError(
                "etcdserver: mvcc: required revision is a future revision", hint=f"The newest revision is {newest}."
            )
        if revision < self.revision:
            raise EtcdtoolError(
                "etcdserver: mvcc: required revision has been compacted",
                hint=f"The oldest that can be read is {self.revision}.",
            )


def open_history(image: Image) -> tuple[Compactions, Bucket | None]:
    """Return how far the history was cut off, and bucket ``key``, None where there is none.

    Raises:
        FormatError: a bucket cannot be walked, or a mark of compaction is no revision that a store can have.
    """
    compactions = Compactions.parse(read_meta(image))
    if max(compactions.finished, compactions.scheduled) == MAIN_MAX:
        raise FormatError("mark of compaction", "beyond what a server loads: 2^63-1")
    return compactions, cursor.root_buckets(image).get(schema.KEY)


def is_without_keys(image: Image) -> bool:
    """Tell whether a store holds no revision, and never compacted one away.

    Raises:
        FormatError: a bucket cannot be walked, or a mark of compaction is off.
    """
    compactions, bucket = open_history(image)
    return compactions.revision < 0 and (bucket is None or next(cursor.iter_items(image, bucket), None) is None)


def current_revision(compactions: Compactions, last: int) -> int:
    """Return what a server calls its revision, where ``last`` is the newest main revision stored, 0 without any."""
    return max(1, last, compactions.finished, compactions.scheduled)


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
