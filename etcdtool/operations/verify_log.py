"""The log and the ``.snap`` files of a data dir: every record, every file, and what a server would start from."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.checks import snap as codes
from etcdtool.checks import wal
from etcdtool.errors import FormatError
from etcdtool.formats.snap import SnapFile, parse_snap_file, parse_snap_name, snap_name
from etcdtool.formats.wal import Scan, Segment, parse_segment_name, scan, select
from etcdtool.formats.wal.layout import odd_frames
from etcdtool.model.semver import SemanticVersion
from etcdtool.operations.engine import chosen_engine
from etcdtool.operations.limiter import limited
from etcdtool.operations.snap_source import open_snap
from etcdtool.sources import InputFile, locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from etcdtool.findings import Finding
    from etcdtool.model.schema import Version
    from etcdtool.sources import DataDir

__all__ = ["FIRST_FROM_RECORD", "LogCheck"]

FIRST_FROM_RECORD: Version = (3, 7)
"""The first version that starts from the newest record of a snapshot in the log, whatever ``.snap`` there is."""

_ABOUT_THE_START = "wal.snapshot-not-found"  # said of any index that a scan begins behind; judged here by the files
_TORN_TAIL = "wal.torn-tail"
_SECONDS_TO_WRITE_MAX, _LOOK_SECONDS = 2.0, 0.05


@dataclass(slots=True, kw_only=True)
class LogCheck:
    """What the log and the ``.snap`` files of one data dir hold.

    Attributes:
        parts: the data dir.
        in_use: whether a server may be writing to it: files are read, not mapped, and an end still being written is
            no finding.
        findings: what was found by `read`.
        log: the log as far as a server needs it; None where it cannot be read.
        snaps: readable ``.snap`` files by name, oldest first.
        start: name of the one that a server starts from, "" for none.
        files: every file that was opened.
    """

    parts: DataDir
    in_use: bool = False
    findings: list[Finding] = field(default_factory=list)
    log: Scan | None = None
    snaps: dict[str, SnapFile] = field(default_factory=dict)
    start: str = ""
    files: list[InputFile] = field(default_factory=list)

    @property
    def start_snap(self) -> SnapFile | None:
        """The ``.snap`` that a server starts from."""
        return self.snaps.get(self.start)

    def findings_for(self, version: SemanticVersion | None) -> Iterator[Finding]:
        """Yield the findings as they matter to a server of a version, or to that of the storage; None: not known."""
        known = (
            version is not None and version >= SemanticVersion(*FIRST_FROM_RECORD) and self._reaches_back_to_a_record()
        )
        for finding in self.findings:
            if known and finding.code == codes.MISSING.code:
                yield codes.RECORD_ALONE.finding(finding.where, finding.detail)
            elif not known or finding.code != codes.NO_START.code:
                yield finding

    def _reaches_back_to_a_record(self) -> bool:
        if self.log is None or not self.log.valid_snapshots():
            return False
        return min(segment.first_index for segment in self.log.segments) <= self.log.valid_snapshots()[-1].index + 1

    def read(self) -> None:
        """Read everything, and gather findings.

        Raises:
            SourceError: a file cannot be opened or read.
        """
        segments = list(self._segments())  # first: a server writes a .snap, and then the log's record of it
        self.findings.extend(self._read_snaps())
        if not segments:
            self.start = next(reversed(self.snaps), "")
            self.findings.append(wal.NOT_THERE.finding(str(self.parts.root), "there is no .wal file"))
            return
        self._scan(sorted(segments, key=lambda segment: (segment.sequence, segment.first_index)))
        if self.log is not None:
            self.findings.extend(self._match(self.log, segments))
            self.findings.extend(limited(self._odd(segments)))

    def _read_snaps(self) -> Iterator[Finding]:
        readable: list[tuple[tuple[int, int], str, SnapFile]] = []
        for path in self._snap_files():
            file = open_snap(path, in_use=self.in_use)
            if file is None:
                continue
            self.files.append(file)
            try:
                snap = parse_snap_file(file.data)
            except FormatError as error:
                yield codes.UNREADABLE.finding(path.name, error.problem, offset=error.offset)
                continue
            readable.append(((snap.term, snap.index), path.name, snap))
            yield from _check_name(path.name, snap)
            if not snap.is_usual:
                detail = "its checksum, or what stands around its data, is not written as servers write it"
                yield codes.LAYOUT.finding(path.name, detail, offset=0)
        self.snaps = {name: snap for _, name, snap in sorted(readable, key=lambda one: one[:2])}

    def _snap_files(self) -> list[Path]:
        """Return the ``.snap`` files; beside a running server, those that are there now."""
        if not self.in_use:
            return self.parts.snap_files
        parts = locate(self.parts.root)
        return parts.snap_files if parts is not None else []

    def _segments(self) -> Iterator[Segment]:
        for path in self.parts.segments:
            try:
                sequence, first_index = parse_segment_name(path.name)
            except FormatError as error:
                self.findings.append(wal.FILE_IGNORED.finding(path.name, error.problem))
                continue
            file = InputFile.open_if_there(path, in_use=self.in_use)
            if file is None:
                continue
            self.files.append(file)
            yield Segment(path.name, sequence, first_index, file.data, file.read_again)

    def _odd(self, segments: list[Segment]) -> Iterator[Finding]:
        assert self.log is not None
        explained = {finding.where for finding in (*self.findings, *self.log.findings)}
        for segment in segments:
            if segment.name not in explained:
                for offset in odd_frames(segment):
                    detail = "the record, or the padding behind it, is not written as servers write it"
                    yield wal.LAYOUT.finding(segment.name, detail, offset=offset)

    def _scan(self, segments: list[Segment]) -> None:
        """Read every record, entries from behind the newest ``.snap``; where that fails, what a server reads."""
        newest = next(reversed(self.snaps.values()), None)
        try:
            self.log = _scan_from(segments, newest)
            vouched = self._newest_vouched(self.log)
            if vouched is not newest:
                self.log = _scan_from(segments, vouched)
        except FormatError as error:
            self._scan_needed(segments, error)
        if self.log is not None:
            self.findings.extend(finding for finding in self.log.findings if not self._is_expected(finding))

    def _newest_vouched(self, log: Scan) -> SnapFile | None:
        recorded = {(record.index, record.term) for record in log.valid_snapshots()}
        return next((snap for snap in reversed(self.snaps.values()) if (snap.index, snap.term) in recorded), None)

    def _scan_needed(self, segments: list[Segment], damage: FormatError) -> None:
        where = damage.where or segments[0].name
        for snap in reversed(self.snaps.values()):
            try:
                self.log = _scan_from(select(segments, snap.index), snap)
            except FormatError:
                continue
            self.findings.append(wal.DAMAGED_BEFORE.finding(where, _said(damage), offset=damage.offset))
            return
        self.findings.append(wal.DAMAGED.finding(where, _said(damage), offset=damage.offset, hint=damage.hint))

    def _is_expected(self, finding: Finding) -> bool:
        return finding.code == _ABOUT_THE_START or (self.in_use and finding.code == _TORN_TAIL)

    def _match(self, log: Scan, segments: list[Segment]) -> Iterator[Finding]:
        """Hold the ``.snap`` files against the log's records of them."""
        recorded = {(record.index, record.term) for record in log.valid_snapshots()}
        oldest = min(recorded, default=(0, 0))
        for name, snap in self.snaps.items():
            if (snap.index, snap.term) in recorded:
                self.start = name
            elif snap.index > oldest[0]:
                yield codes.NOT_IN_LOG.finding(name, "the log has no record of it up to its commit index")
        start_index = self.snaps[self.start].index if self.start else 0
        newest = max(recorded, default=(0, 0))
        if newest[0] > start_index and not self._is_new(snap_name(newest[1], newest[0])):
            detail = f"the log has a record of raft index {newest[0]}, term {newest[1]}, and there is no such .snap"
            yield codes.MISSING.finding(str(self.parts.root), detail)
        if min(segment.first_index for segment in segments) > start_index + 1:
            first = min(segments, key=lambda segment: segment.first_index)
            detail = f"the log begins at raft index {first.first_index}, and no .snap reaches there"
            yield codes.NO_START.finding(first.name, detail)

    def _is_new(self, name: str) -> bool:
        """Tell whether a running server has written this ``.snap`` since the others were read, or does so in a moment.

        Up to 3.4 the record in the log comes first.
        """
        until = time.monotonic() + (_SECONDS_TO_WRITE_MAX if self.in_use else 0)
        while time.monotonic() < until:
            if any(path.name == name for path in self._snap_files()):
                return True
            time.sleep(_LOOK_SECONDS)
        return False


def _scan_from(segments: list[Segment], snap: SnapFile | None) -> Scan:
    """Read all records, and note the entries that come after a ``.snap``; all of them without one."""
    if snap is None:
        return scan(segments, after_index=max(segments[0].first_index - 1, 0), engine=chosen_engine())
    return scan(segments, after_index=snap.index, after_term=snap.term, engine=chosen_engine())


def _check_name(name: str, snap: SnapFile) -> Iterator[Finding]:
    try:
        named = parse_snap_name(name)
    except FormatError as error:
        yield codes.NAME.finding(name, error.problem)
        return
    if named != (snap.term, snap.index):
        yield codes.NAME.finding(name, f"holds term {snap.term:x}, index {snap.index:x}")


def _said(error: FormatError) -> str:
    return f"{error.what} {error.problem}"
