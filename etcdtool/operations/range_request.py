"""What a range request asks for, and what it is answered with; see `etcdtool.operations.get`.

Upstream: ``api/etcdserverpb/rpc.proto``, ``RangeRequest`` and ``RangeResponse`` @ v3.7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from etcdtool.model.keyvalue import KeyValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.model.key_range import KeyRange

__all__ = ["RangeAnswer", "RangeRequest", "RecordList", "SortOrder", "SortTarget"]


class SortOrder(Enum):
    """Which way results are sorted; ``NONE`` is by key, or ascending by what else is asked for."""

    NONE = "none"
    ASCEND = "ascend"
    DESCEND = "descend"


class SortTarget(Enum):
    """What results are sorted by."""

    KEY = "key"
    VERSION = "version"
    CREATE = "create"
    MODIFY = "modify"
    VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeRequest:
    """What is asked for; a number of 0 stands for none.

    Attributes:
        keys: the keys.
        revision: the revision that is read at; 0 is the newest.
        limit: how many keys are given at the most.
        order, sort_by: how they are sorted.  As on a server the limit takes the first keys before they are sorted
            where no order is named, and after it where one is.
        keys_only: whether values are left out.
        count_only: whether the keys are counted alone; revisions below are not looked at then.
        mod_revision_min, mod_revision_max, create_revision_min, create_revision_max: what is given of what is there.
    """

    keys: KeyRange
    revision: int = 0
    limit: int = 0
    order: SortOrder = SortOrder.NONE
    sort_by: SortTarget = SortTarget.KEY
    keys_only: bool = False
    count_only: bool = False
    mod_revision_min: int = 0
    mod_revision_max: int = 0
    create_revision_min: int = 0
    create_revision_max: int = 0

    @property
    def is_by_key(self) -> bool:
        """Whether the keys come as they lie in a server's index."""
        return self.order is SortOrder.NONE or (self.sort_by is SortTarget.KEY and self.order is SortOrder.ASCEND)

    @property
    def has_revision_filters(self) -> bool:
        """Whether some of the keys that are there are left out for their revisions."""
        return any((self.mod_revision_min, self.mod_revision_max, self.create_revision_min, self.create_revision_max))


class RecordList(Protocol):
    """Records whose number is known; they may be read as they are asked for."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[KeyValue]: ...


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """What a server answers: the records, without their values where only the keys were asked for.

    Attributes:
        revision: the newest revision of the store.
        count: keys in the range, whatever the limit and the filters are.
        more: whether the limit left some out.
    """

    revision: int
    count: int
    more: bool
    _records: RecordList
    _keys_only: bool

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[KeyValue]:
        """Yield the records."""
        return map(_without_value, self._records) if self._keys_only else iter(self._records)


def _without_value(record: KeyValue) -> KeyValue:
    return KeyValue(record.key, record.create_revision, record.mod_revision, record.version, b"", record.lease)
