"""``export``: everything that a database holds as records, for other programs and to bring it back with ``import``.

Records go block by block to a `Sink`; what they are is in `etcdtool.model.exported`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from etcdtool.errors import FormatError
from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.page import BUCKET_FLAG
from etcdtool.formats.words import unaligned_words
from etcdtool.model import schema
from etcdtool.model.exported import Header, text_or_bytes
from etcdtool.model.exported_keys import iter_key_records
from etcdtool.model.exported_pairs import record_of
from etcdtool.model.keyspace import Keyspace
from etcdtool.model.rows import iter_rows, refuse_unreadable
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.model.exported import KeyRecord, OtherRecord, Pair
    from etcdtool.model.key_range import KeyRange
    from etcdtool.model.rows import Rows
    from etcdtool.sources import Database

    Progress = Callable[[int, int], object]

__all__ = ["ExportOptions", "Exported", "Sink", "export"]

_OTHERS_AT_ONCE = 4096
_PASSES = 2  # over the keys: which of them are live, and what they hold
_SALVAGE = "etcdtool snapshot salvage takes what can still be read into a new snapshot"


class Sink(Protocol):
    """A form that records are written in.

    Attributes:
        exact: whether pairs that no etcd writes have to come as they are.
        takes_others: whether it has a place for what is no key: leases, members, users.
    """

    exact: bool
    takes_others: bool

    def begin(self, header: Header) -> None:
        """Take the facts about all that follows."""
        ...

    def add(self, records: Sequence[KeyRecord | OtherRecord]) -> None:
        """Take records; those of keys come last, in order of revision."""
        ...

    def add_live(self, records: Sequence[KeyRecord | OtherRecord], live: Sequence[bool]) -> None:
        """Take records of keys of a history, told which of them are the live keys."""
        ...

    def finish(self) -> None:
        """Write what is left."""
        ...

    def close(self) -> None:
        """Let go of the file, whatever state it is in; after `finish`, or where something failed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """One field for each flag.

    Attributes:
        keys: which keys; None: all of them, with what no client can see.
        revision: as of which revision; None: the newest.
        history: every stored revision instead of the live keys.
        only_keys: leave out leases, members, users and whatever else is no key.
    """

    keys: KeyRange | None = None
    revision: int | None = None
    history: bool = False
    only_keys: bool = False


@dataclass(slots=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
        header: the facts about the records.
        counts: records by type.
        left_out: what the form has no place for, counted by bucket.
    """

    header: Header
    counts: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


def export(
    database: Database, sink: Sink, options: ExportOptions, *, progress: Progress = lambda _, __: None
) -> Exported:
    """Write the records of a database.

    Args:
        database: an opened one.
        sink: takes the records.
        options: which ones.
        progress: is told how many bytes of how many were written out.

    Raises:
        EtcdtoolError: the revision is compacted, or was not reached yet.
        FormatError: a bucket cannot be walked, or a revision cannot be read.
    """
    engine = chosen_engine()
    image = database.image
    steps = _Steps(progress, _PASSES * len(image.data))
    keyspace = Keyspace.read(image, engine=engine, advance=steps.advance)
    live = _live(keyspace, options.revision)
    exported = Exported(header=_header(keyspace, options))
    sink.begin(exported.header)
    for others in _others(image, options, sink, exported):
        sink.add(others)
        exported.counts.update(_type_of(record) for record in others)
    bucket = cursor.root_buckets(image).get(schema.KEY)
    if bucket is not None:
        selection = _Selection(image, options, live)
        for rows in iter_rows(image, bucket, engine=engine):
            _refuse_damaged(image, rows, database.name)
            chosen, alive = selection.of(rows)
            for part, records in _parts(image.data, rows, chosen, exact=sink.exact and options.history):
                if options.history:
                    sink.add_live(records, alive[part].tolist())
                else:
                    sink.add(records)
                exported.counts.update(_type_of(record) for record in records)
            steps.advance(int((rows.message_end - rows.offset).sum()))
    sink.finish()
    return exported


@dataclass(slots=True)
class _Steps:
    """Adds up what was read, for the bar."""

    progress: Progress
    total: int
    done: int = 0

    def advance(self, size: int) -> None:
        self.done += size
        self.progress(self.done, self.total)


def _parts(
    data: memoryview, rows: Rows, chosen: NDArray[np.int64], *, exact: bool
) -> Iterator[tuple[slice, list[KeyRecord | Pair]]]:
    start = 0
    for records in iter_key_records(data, rows, chosen, exact=exact):
        yield slice(start, start + len(records)), records
        start += len(records)


def _live(keyspace: Keyspace, revision: int | None) -> NDArray[np.bool_]:
    mask = np.zeros(len(keyspace), dtype=np.bool_)
    mask[keyspace.rows_at(revision)] = True
    return mask


def _header(keyspace: Keyspace, options: ExportOptions) -> Header:
    revision = keyspace.current_revision if options.revision is None else options.revision
    asked: dict[str, Any] = {}
    if options.keys is not None:
        asked |= text_or_bytes("range_start", options.keys.start)
        asked |= text_or_bytes("range_end", options.keys.end or b"\0")
    return Header(history=options.history, revision=revision, compact_revision=keyspace.compact_revision, **asked)


class _Selection:
    """Which rows are wanted, block by block in order."""

    def __init__(self, image: Image, options: ExportOptions, live: NDArray[np.bool_]) -> None:
        self._words = unaligned_words(image.data)
        self._options = options
        self._live = live
        self._row = 0

    def of(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the wanted rows of the next block, and of each of them whether it is a live key."""
        live = self._live[self._row : self._row + len(rows)]
        self._row += len(rows)
        options = self._options
        if not options.history:
            wanted = live & (rows.key_size > 0)  # no client can see the marker of restore --bump-revision
        elif options.revision is not None:
            wanted = rows.main <= options.revision
        else:
            wanted = np.ones(len(rows), dtype=np.bool_)
        if options.keys is not None:
            wanted &= options.keys.mask(self._words, rows.key_start, rows.key_size)
        chosen = np.flatnonzero(wanted)
        return chosen, live[chosen]


def _others(image: Image, options: ExportOptions, sink: Sink, exported: Exported) -> Iterator[list[OtherRecord]]:
    records: list[OtherRecord] = []
    for name, bucket in cursor.root_buckets(image).items():
        if name == schema.KEY:
            continue
        shown = name.decode("utf-8", "backslashreplace")
        for item in cursor.iter_items(image, bucket):
            if item.flags & BUCKET_FLAG or not (options.only_keys or sink.takes_others):
                exported.left_out[f"{shown} (a bucket inside)" if item.flags & BUCKET_FLAG else shown] += 1
            elif not options.only_keys:
                records.append(record_of(name, item.key, bytes(item.value)))
                if len(records) >= _OTHERS_AT_ONCE:
                    yield records
                    records = []
    if records:
        yield records


def _refuse_damaged(image: Image, rows: Rows, name: str) -> None:
    try:
        refuse_unreadable(image.data, rows)
    except FormatError as error:
        raise FormatError(error.what, error.problem, offset=error.offset, where=name, hint=_SALVAGE) from error


def _type_of(record: object) -> str:
    return str(type(record).__struct_config__.tag)  # type: ignore[attr-defined]
