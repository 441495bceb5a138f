"""Lines of an export as pairs of a database: what `etcdtool.operations.import_snapshot` writes.

Records of keys are packed as they come and never held; those of all other buckets are few, and wait for their turn.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import msgspec
from msgspec import UNSET

from etcdtool.errors import FormatError, as_message
from etcdtool.formats.bbolt.packer import joined
from etcdtool.formats.bbolt.pairs_digest import PairsDigest
from etcdtool.formats.bbolt.writer import KEY_SIZE_MAX
from etcdtool.model import schema
from etcdtool.model.compactions import Compactions
from etcdtool.model.exported import FORM, Delete, Header, Put, Record, bytes_of
from etcdtool.model.exported_keys import packed
from etcdtool.model.exported_pairs import pair_of
from etcdtool.model.revision import pack_revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from etcdtool.model.exported import KeyRecord, OtherRecord
    from etcdtool.sources.lines import Lines, Piece

__all__ = ["Records"]

_FIRST_REVISION = 2  # a new store is at revision 1
_MAIN_SIZE = 8
_SHOWN_MAX = 200
_SIGN_BIT = 1 << 63
_SHORT_HINT = "A line is one record, as etcdtool export writes it."


class _WrongRecordError(Exception):
    """A record that says what cannot be.

    Attributes:
        record: it.
        problem, hint: as of the error that becomes of it.
    """

    def __init__(self, record: object, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.record = record
        self.problem = problem
        self.hint = hint


@dataclass(slots=True)
class Records:
    """Reads the lines once.

    Args:
        lines: the file.
        progress: is told how many bytes of how many were read.

    Attributes:
        header: the first line, None where there is none.
        counts: records by type.
        digests: of each bucket's pairs, once they were given out.
        revision: what a server that starts on it calls its revision, once all was read.
        without_lease: keys that hang on a lease which has no record.
    """

    lines: Lines
    progress: Callable[[int, int], object]
    header: Header | None = None
    counts: Counter[str] = field(default_factory=Counter)
    digests: dict[bytes, tuple[int, PairsDigest]] = field(default_factory=dict)
    revision: int = 1
    without_lease: int = 0
    _others: dict[bytes, dict[bytes, bytes]] = field(default_factory=dict)
    _leases: Counter[int] = field(default_factory=Counter)
    _last: bytes = b""
    _numbered: dict[bytes, tuple[int, int]] | None = None
    _begun: bool = False

    def buckets(self) -> Iterator[tuple[bytes, Iterator[tuple[bytes, bytes]]]]:
        """Yield the buckets, that of the keys first; each has to be read to its end before the next one.

        Raises:
            FormatError: a line is no record, or says what cannot be.
        """
        yield schema.KEY, self._key_pairs()
        self._finish()
        for name, pairs in self._others.items():
            listed = sorted(pairs.items())
            digest = PairsDigest()
            digest.add(*joined(listed))
            self.digests[name] = 0, digest
            yield name, iter(listed)

    @property
    def is_exact(self) -> bool:
        """Whether the records are all that was stored, history and all, and are taken as they are."""
        return self.header is not None and self.header.history

    def _key_pairs(self) -> Iterator[tuple[bytes, bytes]]:
        digest = PairsDigest()
        self.digests[schema.KEY] = 0, digest
        for piece in self.lines.pieces():
            records = _decoded(piece, self.lines.name)
            try:
                pairs = [pair for record in records if (pair := self._take(record)) is not None]
            except _WrongRecordError as error:
                place = next(place for place, record in enumerate(records) if record is error.record)
                raise _at_record(piece, place, self.lines.name, error.problem, error.hint) from error
            digest.add(*joined(pairs))
            yield from pairs
            self.progress(piece.end, self.lines.size)

    def _take(self, record: Record) -> tuple[bytes, bytes] | None:
        """Count a record; return its pair where it belongs to the keys."""
        kind = type(record)
        if kind is Put or kind is Delete:
            pair = self._key_pair(cast("KeyRecord", record))
        elif kind is Header:
            self._take_header(cast("Header", record))
            pair = None
        else:
            pair = self._other_pair(cast("OtherRecord", record))
        self._begun = True
        self.counts[str(kind.__struct_config__.tag)] += 1
        if pair is None:
            return None
        if pair[0] <= self._last:
            raise _WrongRecordError(
                record,
                "is not behind the revision before it",
                "Keys come in order of mod_revision and sub, each revision once; sort the lines.",
            )
        self._last = pair[0]
        return pair

    def _take_header(self, header: Header) -> None:
        if header.form != FORM:
            raise _WrongRecordError(header, f"form {header.form} is not known", "A newer etcdtool wrote it.")
        if self._begun:
            raise _WrongRecordError(
                header,
                "a header stands behind other records",
                "Import one export at a time; merged ones have no order.",
            )
        self.header = header
        self.revision = max(self.revision, header.revision)

    def _key_pair(self, record: KeyRecord) -> tuple[bytes, bytes]:
        try:
            key = bytes_of(record, "key")
            value = bytes_of(record, "value") if isinstance(record, Put) else b""
        except FormatError as error:
            raise _WrongRecordError(record, error.message, error.hint) from error
        lease = 0
        if isinstance(record, Put):
            if record.lease is not UNSET:
                lease = int(record.lease, 16)
                lease -= (lease & _SIGN_BIT) << 1
                self._leases[lease] += 1
            if not self.is_exact:
                record = self._completed(record, key)
        elif not self.is_exact:
            raise _WrongRecordError(record, "a tombstone stands where only live keys are", "export --history has them.")
        if record.mod_revision > self.revision:
            self._advance(record)
        return packed(record, key, value, lease)

    def _advance(self, record: KeyRecord) -> None:
        if self.header is not None and record.mod_revision > self.header.revision:
            newest = self.header.revision
            raise _WrongRecordError(record, f"its revision is above {newest}, which the first line says is the newest")
        self.revision = record.mod_revision

    def _completed(self, put: Put, key: bytes) -> Put:
        """Fill in what a line that a person has written leaves out."""
        if not key:
            raise _WrongRecordError(put, "the key is empty", "No server takes an empty key.")
        if not self._last:
            self._numbered = {} if put.mod_revision == 0 else None
        if (put.mod_revision == 0) != (self._numbered is not None):
            raise _WrongRecordError(
                put, "some keys have a mod_revision, and some have none", "Give it to all of them, or to none."
            )
        if self._numbered is None:
            create, version = put.create_revision or put.mod_revision, put.version or 1
            if not 0 < create <= put.mod_revision or version < 0:
                raise _WrongRecordError(put, "create_revision, mod_revision and version do not go together")
            return msgspec.structs.replace(put, create_revision=create, version=version)
        number = max(self.revision + 1, _FIRST_REVISION)
        create, version = self._numbered.get(key, (number, 0))
        self._numbered[key] = create, version + 1
        return msgspec.structs.replace(put, create_revision=create, mod_revision=number, sub=0, version=version + 1)

    def _other_pair(self, record: OtherRecord) -> tuple[bytes, bytes] | None:
        try:
            bucket, key, value = pair_of(record)
        except FormatError as error:
            raise _WrongRecordError(record, error.message, error.hint) from error
        if not bucket or not key or max(len(bucket), len(key)) > KEY_SIZE_MAX:
            raise _WrongRecordError(record, f"a name or key is empty, or longer than {KEY_SIZE_MAX} bytes")
        if bucket == schema.KEY:
            if not self.is_exact:
                raise _WrongRecordError(record, "a pair of bucket key stands where only live keys are")
            return key, value
        pairs = self._others.setdefault(bucket, {})
        if key in pairs:
            raise _WrongRecordError(record, "stands there twice", "Each lease, member, user and setting comes once.")
        pairs[key] = value
        return None

    def _finish(self) -> None:
        """Set the marks of compaction where there is no history, and see to it that all buckets are there."""
        meta = self._others.setdefault(schema.META, {})
        if not self.is_exact and self._numbered is None and self.revision > 1:
            mark = pack_revision(self.revision)
            meta[schema.FINISHED_COMPACT_REV] = meta[schema.SCHEDULED_COMPACT_REV] = mark
        if self.is_exact:
            self.revision = self._reached(meta)
        for name in schema.BUCKETS:
            if name != schema.KEY:
                self._others.setdefault(name, {})
        granted = {int.from_bytes(key, "big", signed=True) for key in self._others[schema.LEASE]}
        self.without_lease = sum(count for lease, count in self._leases.items() if lease not in granted)

    def _reached(self, meta: Mapping[bytes, bytes]) -> int:
        """Return the revision of the last record of a history, or of the compaction that took it."""
        newest = int.from_bytes(self._last[:_MAIN_SIZE], "big") if self._last else 1
        try:
            return max(newest, Compactions.parse(meta).revision)
        except FormatError:  # it comes as it was
            return newest


_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_put_decoder = msgspec.json.Decoder(Put)


def _decoded(piece: Piece, name: str) -> list[Record]:
    try:
        return _decoder.decode_lines(piece.text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    # a line is wrong, or has no type; one after the other then
    records: list[Record] = []
    for place, line in enumerate(_lines(piece)):
        records.append(_decoded_line(line, piece, place, name))
    return records


def _decoded_line(line: bytes, piece: Piece, place: int, name: str) -> Record:
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        problem = str(error)
        if problem == "Object missing required field `type`":
            try:
                return _put_decoder.decode(line)  # a key, as a person writes it
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as other:
                problem = str(other)
        raise _at_record(piece, place, name, as_message(problem), _SHORT_HINT) from error


def _lines(piece: Piece) -> list[bytes]:
    return [line for line in piece.text.split(b"\n") if line.strip()]


def _at_record(piece: Piece, place: int, name: str, problem: str, hint: str = "") -> FormatError:
    """Return the error about the record at this place of a piece; blank lines are no records."""
    number = piece.number
    for line in piece.text.split(b"\n"):
        if line.strip():
            if place == 0:
                break
            place -= 1
        number += 1
    return FormatError(f"line {number}", problem[:_SHOWN_MAX], where=name, hint=hint)
