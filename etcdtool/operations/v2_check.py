"""``v2 check``: is a member's data safe to start etcd 3.6 and 3.7 on, as far as v2 is concerned?

What a server would stop at, what it would lose without a word, and what etcd's own check says of it.  That check lists
the store by a GET, which leaves hidden nodes out, and before 3.5.32 it did not look at the log.

Upstream: ``etcdutl/etcdutl/check_command.go`` @ v3.5.18, v3.5.22, v3.5.33.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.checks import wal
from etcdtool.errors import EtcdtoolError, FormatError, SourceError
from etcdtool.findings import Finding, Severity
from etcdtool.model.migration import detect_version
from etcdtool.model.v2_content import StoredPath, is_custom, stored_paths
from etcdtool.operations.boot_outlook import MemberFiles, Outlook, outlook
from etcdtool.operations.v2_member import MemberLog
from etcdtool.operations.v2_replay import Replay, replay
from etcdtool.operations.verify_log import LogCheck
from etcdtool.sources import InputFile, Workspace, holder_of
from etcdtool.sources.database import open_place
from etcdtool.sources.place import find_place
from etcdtool.sources.v2 import V2Source

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.model.schema import Version
    from etcdtool.model.store_v2 import Store

__all__ = ["CLEAN", "VERSIONS", "V2Check", "check_v2"]

VERSIONS: tuple[Version, ...] = ((3, 6), (3, 7))
"""Servers whose start is foretold."""

CLEAN = "No custom content found in both v2store and WAL records."
"""What ``etcdutl check v2store`` prints of data that pass."""

_SAID_SINCE = ("3.5.18", "3.5.22", "3.5.32")
_CLEAN_BEFORE = "No custom content found in v2store."
_IN_STORE = "detected custom content in v2store"
_IN_LOG = "detected custom v2 content in WAL records"
_IN_BOTH = "detected custom v2 content in both v2store and WAL records"
_HINT_LOST = (
    "Turn what is needed of it into v3 keys with etcdtool convert, then etcdtool v2 drop takes it away knowingly"
)


@dataclass(slots=True, kw_only=True)
class V2Check:
    """What was found.

    Attributes:
        name, kind: the data dir, and what it was taken for.
        snap: the ``.snap`` that 3.5 and 3.6 start from, "" for none.
        log_range: raft indexes of the first and the last entry behind it; None where there is no log.
        commit_index: highest raft index known to be committed.
        content: keys, directories, users and roles at the end of what is committed.
        content_is_known: False where the log cannot be read, so that there may be more.
        outlooks: what a server of each version would do.
        said: what the real check says, by the first version of etcdutl that says it; "" where it cannot read the log.
        findings: what is to be known, errors make the answer no.
    """

    name: str
    kind: str
    snap: str = ""
    log_range: tuple[int, int] | None = None
    commit_index: int = 0
    content: tuple[StoredPath, ...] = ()
    content_is_known: bool = True
    outlooks: dict[Version, Outlook] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def loses(self, version: Version) -> bool:
        """Tell whether a server of a version would start, and v2 content would be gone."""
        return self.outlooks[version].starts and bool(self.content)

    def is_safe(self, version: Version) -> bool:
        """Tell whether a server of a version would start and lose nothing."""
        return self.outlooks[version].starts and not self.content


def check_v2(path: Path, *, wal_dir: Path | None = None) -> V2Check:
    """Look at one member's data; nothing is changed or renamed.

    Args:
        path: a data dir, or an archive of one.
        wal_dir: where the log is when it is kept apart.

    Raises:
        SourceError: it cannot be read, or is no data dir.
        FormatError: the v2 store or an entry of the log is damaged.
    """
    with Workspace() as workspace:
        place = find_place(path, workspace, wal_dir=wal_dir)
        parts = place.data_dir
        if parts is None or not (parts.segments or parts.snap_files or parts.database):
            raise SourceError(
                f"{place.shown} is no data dir", hint="Give the data dir of a member, the folder that member/ is in"
            )
        holder = holder_of(parts.lockable)
        log = LogCheck(parts=parts, in_use=holder is not None)
        log.read()
        member = MemberFiles.of(
            place.shown,
            log,
            (lambda: open_place(place, workspace, live=True).image) if parts.database is not None else None,
        )
        found = _Checking(member, place.described("data dir")).run()
        if holder is None:
            _refuse_changed(log.files)
        else:
            found.findings.insert(0, _in_use(place.shown, str(holder)))
        return found


class _Checking:
    """One member's data on the way to an answer."""

    def __init__(self, member: MemberFiles, kind: str) -> None:
        self._member = member
        self._result = V2Check(name=member.name, kind=kind, snap=member.log.start)

    def run(self) -> V2Check:
        result, log = self._result, self._member.log.log
        found = self._member.log.findings_for(detect_version(self._member.meta or {}))
        result.findings.extend(one for one in found if one.severity is Severity.ERROR)
        if log is not None:
            result.log_range = (log.first_index, log.last_index)
            result.commit_index = log.hard_state.commit
        store = self._member.store()
        result.said = self._said(store)
        for version in VERSIONS:
            result.outlooks[version] = outlook(self._member, version)
        self._apply_log(store)  # last: from here on it is no more the store that a server starts with
        result.content = tuple(stored_paths(store))
        self._explain()
        return result

    def _said(self, store: Store) -> dict[str, str]:
        """Return what ``etcdutl check v2store`` says."""
        if self._member.log.log is None:
            unread = self._member.log.parts.segments
            return dict(
                zip(_SAID_SINCE, ("", "", "") if unread else (_CLEAN_BEFORE, _CLEAN_BEFORE, CLEAN), strict=True)
            )
        start = self._member.start_index((3, 5))
        in_log = any(one.index > start and not one.of_members for one in self._member.asked().requests)
        in_store = is_custom(store)
        words = {(True, True): _IN_BOTH, (True, False): _IN_STORE, (False, True): _IN_LOG, (False, False): CLEAN}
        before = _IN_STORE if is_custom(store, auth_folders_count=True) else _CLEAN_BEFORE
        said = (before, _IN_STORE if in_store else _CLEAN_BEFORE, words[in_store, in_log])
        return dict(zip(_SAID_SINCE, said, strict=True))

    def _apply_log(self, store: Store) -> None:
        """Apply what is committed, so that nothing is missed that came after the ``.snap``."""
        check = self._member.log
        source = V2Source(path=self._member.name, kind="data dir", data_dir=check.parts)
        member = MemberLog(source=source, snap_name=check.start, snap=check.start_snap, log=check.log)
        if check.log is None or check.log.after_index > member.base_index:
            self._result.content_is_known = False
            return
        result = Replay(index=member.base_index)
        try:
            replay(member, store, result, member.commit_index)
        except EtcdtoolError as error:
            self._result.content_is_known = False
            where = error.where if isinstance(error, FormatError) else self._member.name
            self._result.findings.append(wal.ENTRY_UNREADABLE.finding(where, error.message))

    def _explain(self) -> None:
        result = self._result
        known = {(finding.code, finding.where, finding.detail) for finding in result.findings}
        for version, one in result.outlooks.items():
            for finding in one.obstacles(result.name):
                if (finding.code, finding.where, finding.detail) not in known:
                    result.findings.append(finding)
            if result.loses(version):
                result.findings.append(self._lost(version))

    def _lost(self, version: Version) -> Finding:
        counts = Counter(one.is_hidden for one in self._result.content)
        hidden = f", {counts[True]} of them hidden from its own check" if counts[True] else ""
        return Finding(
            code="boot.v2-content-lost",
            severity=Severity.ERROR,
            where=self._result.name,
            detail=f"etcd {'.'.join(map(str, version))} starts, and {counts.total()} v2 keys, directories, users or "
            f"roles are gone without a word{hidden}",
            hint=_HINT_LOST,
        )


def _in_use(name: str, holder: str) -> Finding:
    return Finding(
        code="v2.in-use",
        severity=Severity.WARNING,
        where=name,
        detail=f"{holder}: what it writes from now on is not in the answer",
        hint="Run it again once the server is stopped, right before the upgrade",
    )


def _refuse_changed(files: list[InputFile]) -> None:
    for file in files:
        file.check_unchanged()
