"""An export whose values are objects of Kubernetes: JSON lines of their own, or their JSON in a table's values."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from etcdtool.model.exported import Put, bytes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from etcdtool.model.exported import Header, KeyRecord, OtherRecord
    from etcdtool.model.kubernetes.objects import ObjectReader
    from etcdtool.operations.export import Sink

__all__ = ["ObjectsSink"]


class ObjectsSink:
    """Hands records on to another sink, with objects in the place of values.

    As lines they have the fields of `KubernetesObject.as_json` beside those of their record, and no header comes first:
    they are no export to bring back.  In a table the value is the object's JSON, and null where there is none.

    Args:
        sink: takes what comes out.
        reader: reads the values.
        takes: whether a key is asked for.
        as_lines: whether the sink writes lines of JSON.

    Attributes:
        counts: records that were handed on, by type.
    """

    exact = False
    takes_others = False

    def __init__(self, sink: Sink, reader: ObjectReader, takes: Callable[[bytes], bool], *, as_lines: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._sink = sink
        self._reader = reader
        self._takes = takes
        self._as_lines = as_lines

    def begin(self, header: Header) -> None:
        """Take the facts about all that follows."""
        if not self._as_lines:
            self._sink.begin(header)

    def add(self, records: Sequence[KeyRecord | OtherRecord]) -> None:
        """Take records of keys."""
        self._sink.add(self._objects(list(filter(self._is_asked_for, records))))

    def add_live(self, records: Sequence[KeyRecord | OtherRecord], live: Sequence[bool]) -> None:
        """Take records of keys of a history, told which of them are the live keys."""
        taken = [(record, alive) for record, alive in zip(records, live, strict=True) if self._is_asked_for(record)]
        self._sink.add_live(self._objects([record for record, _ in taken]), [alive for _, alive in taken])

    def finish(self) -> None:
        """Write what is left."""
        self._sink.finish()

    def close(self) -> None:
        """Let go of the file."""
        self._sink.close()

    def _is_asked_for(self, record: Any) -> bool:
        return self._takes(bytes_of(record, "key"))

    def _objects(self, records: Sequence[Any]) -> list[Any]:
        self.counts.update("put" if isinstance(record, Put) else "delete" for record in records)
        return [self._object(record) if isinstance(record, Put) else record for record in records]

    def _object(self, record: Put) -> Any:
        found = self._reader.read(bytes_of(record, "key"), bytes_of(record, "value"))
        if self._as_lines:
            fields = msgspec.to_builtins(msgspec.structs.replace(record, value=UNSET, value_b64=UNSET))
            return fields | {"type": "object"} | found.as_json()
        text = msgspec.json.encode(found.document).decode()  # null where there is none: SQLite refuses an empty text
        return msgspec.structs.replace(record, value=text, value_b64=UNSET)
