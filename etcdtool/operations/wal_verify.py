"""``wal verify``: every record of a log, file by file, and what a server that starts on it would make of the whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.formats.wal import RecordType
from etcdtool.formats.wal.every_record import Damage, LogRecord, iter_all_records
from etcdtool.operations.verify_log import LogCheck
from etcdtool.operations.wal_dump import Dump, Selection

if TYPE_CHECKING:
    from etcdtool.findings import Finding
    from etcdtool.operations.wal_source import OpenedLog

__all__ = ["SegmentFigures", "VerifiedLog", "verify_wal"]

_EMPTY_FILE = "the file holds no record"


@dataclass(slots=True)
class SegmentFigures:
    """What one file holds.

    Attributes:
        name: of the file.
        size: its bytes, those allocated in advance included.
        records: that could be read.
        proven: of these, by the running checksum.
        first_index, last_index: of its entries; 0 without one.
        end: offset behind the last record.
        damage: where it is damaged.
    """

    name: str
    size: int
    records: int = 0
    proven: int = 0
    first_index: int = 0
    last_index: int = 0
    end: int = 0
    damage: list[Damage] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether every record is proven; a write that a crash cut off is no fault."""
        return self.records > 0 and all(one.is_tail for one in self.damage)


@dataclass(frozen=True, slots=True)
class VerifiedLog:
    """A verdict.

    Attributes:
        segments: the files, in order.
        log: what their records say together.
        findings: what a server's way of reading finds, beyond the places that `segments` name.
        unreadable: committed entries that no server can apply, and the others that cannot be decoded: index, why.
    """

    segments: list[SegmentFigures]
    log: Dump
    findings: list[Finding]
    unreadable: list[tuple[int, str]]

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        errors = [one for one in self.findings if one.severity is Severity.ERROR]
        return not errors and not self.unreadable and all(segment.is_good for segment in self.segments)


def verify_wal(opened: OpenedLog) -> VerifiedLog:
    """Read every record, and then the whole as a server does.

    Raises:
        SourceError: a file cannot be read.
    """
    figures = [SegmentFigures(segment.name, len(segment.data)) for segment in opened.segments]
    log = Dump(opened.segments)
    for found in iter_all_records(opened.segments):
        if isinstance(found, Damage):
            figures[found.segment].damage.append(found)
        else:
            _count(figures[found.segment], found, log)
    for one in log.damage:
        figures[one.segment].damage.append(one)
    for number, figure in enumerate(figures):
        if not figure.records and not figure.damage:
            figure.damage.append(Damage(number, 0, 0, _EMPTY_FILE))
    unreadable = [(entry.index, entry.problem) for entry in log.entries(Selection(types=frozenset(["unreadable"])))]
    return VerifiedLog(figures, log, _findings(opened, figures), unreadable)


def _count(figure: SegmentFigures, record: LogRecord, log: Dump) -> None:
    figure.records += 1
    figure.proven += record.proven
    figure.end = record.offset
    before = len(log.places)
    log.take(record)
    if record.type == RecordType.ENTRY and (log.places or before):
        index = log.places[-1].index if log.places else 0
        figure.first_index = figure.first_index or index
        figure.last_index = index


def _findings(opened: OpenedLog, figures: list[SegmentFigures]) -> list[Finding]:
    """Return what a server would find, but for the places that are known already."""
    if opened.parts is None:
        return []
    known = {(figure.name, one.offset) for figure in figures for one in figure.damage}
    check = LogCheck(parts=opened.parts, in_use=opened.in_use)
    try:
        check.read()
    except FormatError:
        return []  # said file by file
    return [one for one in check.findings if (one.where, one.offset) not in known]
