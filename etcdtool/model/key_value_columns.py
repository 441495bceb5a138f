"""Every stored revision with all that its record says, as NumPy columns: for questions that no command answers.

About 88 bytes a revision; keys and values stay in the file and are read when asked.
Format: docs/formats/mvcc.md; upstream: ``api/mvccpb/kv.proto`` @ v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from etcdtool.formats.bbolt import cursor
from etcdtool.model import schema
from etcdtool.model.growing import GrowingColumn
from etcdtool.model.rows import expected_rows, iter_rows, refuse_unreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine

__all__ = ["KeyValueColumns"]

_INT64_COLUMNS = (
    "main",
    "sub",
    "key_start",
    "key_size",
    "value_start",
    "value_size",
    "create_revision",
    "mod_revision",
    "version",
    "lease",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValueColumns:
    """One element a revision, ascending; int64 but for ``tombstone``; offsets count from the start of the file.

    Attributes:
        data: the file's bytes.
        main, sub: the revision.
        tombstone: bool, whether it is a deletion: such a record holds the key alone.
        key_start, key_size: where the user's key lies, in bytes.
        value_start, value_size: where the value lies, in bytes; 0 and 0 for an empty one.
        create_revision, mod_revision, version: as a client sees them.
        lease: id, 0 for none.
    """

    data: memoryview
    main: NDArray[np.int64]
    sub: NDArray[np.int64]
    tombstone: NDArray[np.bool_]
    key_start: NDArray[np.int64]
    key_size: NDArray[np.int64]
    value_start: NDArray[np.int64]
    value_size: NDArray[np.int64]
    create_revision: NDArray[np.int64]
    mod_revision: NDArray[np.int64]
    version: NDArray[np.int64]
    lease: NDArray[np.int64]

    @classmethod
    def read(cls, image: Image, *, engine: Engine = "columns") -> Self:
        """Read bucket ``key`` of a database; nothing where there is none.

        Raises:
            FormatError: the bucket cannot be walked, or a revision or a record cannot be read.
        """
        bucket = cursor.root_buckets(image).get(schema.KEY)
        expected = expected_rows(image, bucket, engine)
        parts = {name: GrowingColumn(np.int64, expected) for name in _INT64_COLUMNS}
        tombstone = GrowingColumn(np.bool_, expected)
        for rows in iter_rows(image, bucket, engine=engine) if bucket is not None else ():
            refuse_unreadable(image.data, rows)
            for name, column in parts.items():
                column.extend(getattr(rows, name).view(np.int64))
            tombstone.extend(rows.tombstone)
        return cls(
            data=image.data,
            tombstone=tombstone.finish(),
            **{name: column.finish() for name, column in parts.items()},
        )

    def __len__(self) -> int:
        return len(self.main)

    def key(self, row: int) -> bytes:
        """Return the user's key of a row."""
        start = int(self.key_start[row])
        return bytes(self.data[start : start + int(self.key_size[row])])

    def value(self, row: int) -> bytes:
        """Return the value of a row; empty for a deletion."""
        start = int(self.value_start[row])
        return bytes(self.data[start : start + int(self.value_size[row])])
