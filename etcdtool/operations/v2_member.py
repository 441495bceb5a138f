"""One member's v2 data: the newest ``.snap`` that can be used, and the log behind it.

A server takes the newest ``.snap`` that a record of the WAL vouches for and renames what it cannot read
(``server/etcdserver/api/snap/snapshotter.go`` @ v3.5.33).  Here nothing is renamed: a damaged ``.snap`` is named in a
finding, and an older one is used where the log reaches back to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.findings import Finding, Severity
from etcdtool.formats.snap import SnapFile, parse_snap_file, parse_snap_name
from etcdtool.formats.wal import Scan, Segment, parse_segment_name, scan, select
from etcdtool.model.store_v2 import Store
from etcdtool.operations.engine import chosen_engine
from etcdtool.operations.snap_source import open_snap
from etcdtool.sources import InputFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from etcdtool.sources.v2 import V2Source

__all__ = ["MemberLog", "read_member"]

_UNVOUCHED = "wal.snapshot-not-found"


@dataclass(slots=True, kw_only=True)
class MemberLog:
    """What one member has on disk.

    Attributes:
        source: where it was read.
        snap_name: the ``.snap`` that was used, "" for none.
        snap: its content, or None.
        log: the log behind it, or None where only a ``.snap`` was given.
        findings: what reading them had to say.
        older: other ``.snap`` files that could be used, oldest first, and None first where the log begins at index 1.
        files: every file that was read.
    """

    source: V2Source
    snap_name: str = ""
    snap: SnapFile | None = None
    log: Scan | None = None
    findings: list[Finding] = field(default_factory=list)
    files: list[InputFile] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)

    @property
    def base_index(self) -> int:
        """Raft index that the ``.snap`` reaches to, 0 without one."""
        return self.snap.index if self.snap else 0

    @property
    def last(self) -> tuple[int, int]:
        """(term, index) of the last entry, by which raft decides whose log is newer."""
        if self.log is not None and self.log.entry_count:
            return self.log.last_term, self.log.last_index
        return (self.snap.term, self.snap.index) if self.snap else (0, 0)

    @property
    def commit_index(self) -> int:
        """Highest index known to be committed; what is in a ``.snap`` is."""
        return max(self.base_index, self.log.hard_state.commit if self.log else 0)

    def term_at(self, index: int) -> int | None:
        """Term of the ``.snap`` or of an entry behind it, or None where the log does not reach."""
        if self.snap is not None and index == self.snap.index:
            return self.snap.term
        if self.log is None or not self.log.first_index <= index <= self.log.last_index:
            return None
        return self.log.terms[index - self.log.first_index]

    def base_store(self) -> Store:
        """Make the store as it was at the ``.snap``, or an empty one.

        Raises:
            FormatError: the ``.snap`` passes its checksum but holds no v2 store.
        """
        if self.snap is None:
            return Store()
        try:
            return Store.recover(self.snap.data)
        except FormatError as error:
            raise error.at(f"{self.source.path}/{self.snap_name}") from error


def read_member(source: V2Source) -> MemberLog:
    """Read one data dir, or the loose ``.snap`` or WAL files that were given instead.

    Raises:
        FormatError: no ``.snap`` and log fit together; says which file is to blame.
        ChecksumError: a record of the log is damaged where it is needed.
        SourceError: a file cannot be read.
    """
    assert source.data_dir is not None
    member = MemberLog(source=source)
    in_use = source.holder is not None
    for path in source.data_dir.segments:
        member.segments.extend(_open_segment(path, member, in_use=in_use))
    unreadable: list[FormatError] = []
    readable = _readable_snaps(member, unreadable)
    for name, snap in readable:
        member.snap_name, member.snap = name, snap
        if not member.segments:
            _say_no_log(member)
            return member
        member.log, findings = _scan_behind(member, unreadable)
        if _is_passed_by(member.log, snap):
            findings = _go_back_to_vouched(member, readable, unreadable) or findings
        member.findings.extend(findings)
        _say_unused(member, unreadable)
        return member
    if not member.segments:
        raise unreadable[0]
    member.log, findings = _scan_behind(member, unreadable)
    member.findings.extend(findings)
    _say_unused(member, unreadable)
    return member


def _is_passed_by(log: Scan, snap: SnapFile) -> bool:
    """Tell whether the log has no record of a ``.snap``, and has committed all that is in it: a server goes without."""
    return snap.index <= log.hard_state.commit and any(finding.code == _UNVOUCHED for finding in log.findings)


def _go_back_to_vouched(
    member: MemberLog, older: Iterator[tuple[str, SnapFile]], unreadable: list[FormatError]
) -> list[Finding] | None:
    """Take the older start that a server takes, and return what is to say of it; None where there is none."""
    chosen = member.snap_name, member.snap, member.log
    for name, snap in (*older, ("", None)):
        member.snap_name, member.snap = name, snap
        try:
            member.log, findings = _scan_behind(member, unreadable)
        except FormatError:
            break  # the log no longer reaches back so far
        if all(finding.code != _UNVOUCHED for finding in findings):
            return findings
    member.snap_name, member.snap, member.log = chosen
    return None


def _open_segment(path: Path, member: MemberLog, *, in_use: bool) -> Iterator[Segment]:
    """Yield the file as a segment, or nothing for one that no server takes for a segment: its name is no WAL's."""
    assert member.source.data_dir is not None
    try:
        sequence, first_index = parse_segment_name(path.name)
    except FormatError as error:
        if len(member.source.data_dir.segments) > 1:
            member.findings.append(_ignored(error, member))
            return
        sequence = first_index = 0  # the only one, and its entries have their own indexes
    file = InputFile.open_if_there(path, in_use=in_use)
    if file is None:
        return  # what begins behind a newer .snap is still there
    member.files.append(file)
    yield Segment(path.name, sequence, first_index, file.data, file.read_again)


def _ignored(error: FormatError, member: MemberLog) -> Finding:
    return Finding(
        code="v2.file-ignored",
        severity=Severity.WARNING,
        where=member.source.path,
        detail=f"{error.problem}: not read, as a server does not read it either",
    )


def _readable_snaps(member: MemberLog, unreadable: list[FormatError]) -> Iterator[tuple[str, SnapFile]]:
    """Yield the readable ``.snap`` files, newest first, gathering what is wrong with the others."""
    assert member.source.data_dir is not None
    ordered: list[tuple[tuple[int, int], Path]] = []
    for path in member.source.data_dir.snap_files:
        try:
            ordered.append((parse_snap_name(path.name), path))
        except FormatError:
            ordered.append(((0, 0), path))  # a copy under another name is as good as its content
    for _, path in sorted(ordered, reverse=True):
        file = open_snap(path, in_use=member.source.holder is not None)
        if file is None:
            continue
        try:
            snap = parse_snap_file(file.data)
        except FormatError as error:
            unreadable.append(error.at(f"{member.source.path}/{path.name}"))
            continue
        member.files.append(file)
        yield path.name, snap


def _scan_behind(member: MemberLog, unreadable: list[FormatError]) -> tuple[Scan, list[Finding]]:
    """Read the log behind the chosen ``.snap``; refuse one that leaves a gap or whose end is in doubt."""
    index, term = member.base_index, member.snap.term if member.snap else None
    try:
        log = scan(select(member.segments, index), after_index=index, after_term=term, engine=chosen_engine())
    except FormatError as error:
        raise _explained(error.at(member.source.path), member, unreadable) from error
    for finding in log.findings:
        if finding.severity is Severity.ERROR:
            raise FormatError(
                "wal",
                finding.detail,
                offset=finding.offset,
                where=f"{member.source.path}/{finding.where}",
                hint=finding.hint,
            )
    return log, log.findings


def _explained(error: FormatError, member: MemberLog, unreadable: list[FormatError]) -> FormatError:
    """Add what the user can still do, and what stood in the way of a better start."""
    if unreadable:
        start = f"The log was read from {member.snap_name} on" if member.snap else "The log was read from its beginning"
        error.hint = f"{start}, because of {unreadable[0].message}."
    elif member.snap is not None and isinstance(error, ChecksumError):
        error.hint = (
            f"Use another member's data. {member.snap_name} alone is readable: given as the source by itself, "
            f"it has everything up to raft index {member.snap.index}, and nothing after it."
        )
    return error


def _say_no_log(member: MemberLog) -> None:
    assert member.snap is not None
    member.findings.append(
        Finding(
            code="v2.no-log",
            severity=Severity.WARNING,
            where=member.source.path,
            detail=f"there is no WAL, so what came after raft index {member.snap.index} is not known",
            hint="Give the whole data dir, and --wal-dir where the WAL is kept apart.",
        )
    )


def _say_unused(member: MemberLog, unreadable: list[FormatError]) -> None:
    for error in unreadable:
        instead = f"{member.snap_name} and the WAL behind it" if member.snap else "the WAL from its beginning"
        member.findings.append(
            Finding(
                code="v2.snap-unreadable",
                severity=Severity.WARNING,
                where=error.where,
                detail=f"{error.what}: {error.problem}; {instead} were used, which have everything",
                offset=error.offset,
                hint="The file is left as it is; a server would rename it to .broken.",
            )
        )
