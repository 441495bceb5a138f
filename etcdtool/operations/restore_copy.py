"""The staged copy of a snapshot's database: copied, verified where it lies, and edited."""

from __future__ import annotations

import contextlib
import mmap
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.checks import container
from etcdtool.checks.skipped import SKIPPED
from etcdtool.errors import AnswerIsNoError, ChecksumError
from etcdtool.findings import Severity
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.digest import TRAILER_SIZE, has_trailer, sha256_of
from etcdtool.model.compactions import read_meta
from etcdtool.operations.hasher import Hasher, positions_of
from etcdtool.operations.restore_version import version_to_write
from etcdtool.targets import Copying, write_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from etcdtool.findings import Finding, Report
    from etcdtool.model.bootstrap import Bootstrap
    from etcdtool.model.schema import Version
    from etcdtool.operations.restore_changes import Changes, Counts
    from etcdtool.operations.restore_events import Events
    from etcdtool.sources import Database
    from etcdtool.targets import StagedFolder

    Progress = Callable[[int, int], None]

__all__ = ["StagedDatabase", "judge"]

_SUBJECTS_THAT_COUNT = {"container", "bbolt", "buckets", "revisions", "generations"}
"""Others speak of what a restore writes anew, or of what it leaves to the server, as etcdutl does."""
_WITHOUT_HASH = {code.code for code in (container.SHA256_MISMATCH, container.TRAILER_CUT, container.APPENDED)}
_HARMLESS = {"bbolt.page-leaked"}
"""Pages that are lost to the file, and take part in nothing."""
_FINDINGS_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class _File:
    data: memoryview


@dataclass(frozen=True, slots=True)
class _Copy:
    name: str
    file: _File


class StagedDatabase(contextlib.AbstractContextManager["StagedDatabase"]):
    """A copy of a database in a staged folder.

    It is made and hashed by two threads; meanwhile what checks and edits it is imported, which takes as long.

    Args:
        folder: where it goes.
        name: its path in there.
        source: what is copied.
    """

    def __init__(self, folder: StagedFolder, name: str, source: Database) -> None:
        self._folder = folder
        self._source = source
        with contextlib.ExitStack() as stack:
            self._descriptor = folder.create(name)
            stack.callback(os.close, self._descriptor)
            with folder.reporting():
                os.ftruncate(self._descriptor, source.size)
            self._data = memoryview(mmap.mmap(self._descriptor, source.size, prot=mmap.PROT_READ))
            self._copying = stack.enter_context(Copying(source.file.path, source.file.data, self._descriptor))
            hasher = Hasher(self._data, positions_of(source), arrived=self._copying.wait_for)
            self._hasher = stack.enter_context(hasher)
            self._stack = stack.pop_all()

    def verify(
        self, *, skip_hash_check: bool, quick: bool = False, events: Events, progress: Progress | None = None
    ) -> Report:
        """Check the copy, ``quick``: but for what reads every key; raises as `judge` does."""
        from etcdtool.operations.verify import Depth, verify  # noqa: PLC0415  as the class says

        _load_what_follows()
        with self._folder.reporting():
            self._copying.wait()
        copy = _Copy(self._source.name, _File(self._data))
        report = verify(copy, progress=progress, depth=Depth(quick=quick, sealed=True), hasher=self._hasher)
        judge(report, self._source.name, self._data, skip_hash_check=skip_hash_check, events=events)
        return report

    def edit(
        self, cluster: Bootstrap, wanted: Version | None, changes: Changes, events: Events
    ) -> tuple[Version, Counts]:
        """Make it the database of a member of a new cluster, and sync it.

        Returns:
            The version it is written for, and what was changed.

        Raises:
            EtcdtoolError: as `edit_database`, or the disk refuses.
        """
        from etcdtool.operations.restore_edit import edit_database  # noqa: PLC0415  likewise

        data = self._data[:-TRAILER_SIZE] if has_trailer(len(self._data)) else self._data
        image = Image.open(data)
        version = version_to_write(read_meta(image), wanted)
        edit, counts = edit_database(image, cluster, version, changes, events)
        with self._folder.reporting():
            self._copying.wait_synced()
            # from here on nothing looks at the map: the file gets shorter by its trailer
            os.ftruncate(self._descriptor, len(data))
            os.ftruncate(self._descriptor, max(len(data), edit.size))
            for offset, piece in (*edit.pages, edit.meta):  # in one go, since nobody knows the file yet
                write_at(self._descriptor, piece, offset)
            os.fsync(self._descriptor)
        return version, counts

    def __exit__(self, *failure: object) -> None:
        self._stack.close()


def _load_what_follows() -> None:
    """Import what the rest of a restore needs, while the sum is computed and there is time."""
    from etcdtool.formats.wire import etcdserver_pb2, raft_pb2, snap_pb2, wal_pb2  # noqa: F401, PLC0415
    from etcdtool.operations import restore_edit, restore_log, restore_proof  # noqa: F401, PLC0415


def judge(report: Report, name: str, data: memoryview, *, skip_hash_check: bool, events: Events) -> None:
    """Raise for errors that keep a snapshot from being restored, and tell of all others.

    Raises:
        ChecksumError: the trailer is not that of the file.
        AnswerIsNoError: something else is wrong that a server would stumble over, or serve.
    """
    errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    if not skip_hash_check:
        _refuse_mismatch(report, data)
    blocking = [finding for finding in errors if _counts(finding, skip_hash_check=skip_hash_check)]
    if blocking:
        raise AnswerIsNoError(_complaint(name, blocking), hint=_HINT_DAMAGED)
    for finding in errors:
        events.tell(str(finding), warning=True)
    left_out = {finding.where: finding.detail for finding in report.findings if finding.code == SKIPPED.code}
    if left_out:
        events.tell("not everything was checked, as --level quick has it", left_out, warning=True)


def _refuse_mismatch(report: Report, data: memoryview) -> None:
    if report.good:  # a wrong trailer is always an error
        return
    computed = sha256_of(data[:-TRAILER_SIZE])
    assert computed is not None
    stored = bytes(data[-TRAILER_SIZE:])
    if stored != computed:
        raise _HashError(f"expected sha256 {_go_bytes(stored)}, got {_go_bytes(computed)}", hint=_HINT_MISMATCH)


_HINT_MISMATCH = (
    "The file was changed after it was saved (etcdutl hashkv does that). Use another copy, or give --skip-hash-check"
)
_HINT_DAMAGED = "Use another copy. etcdtool snapshot verify says it all, with what can be done"


class _HashError(ChecksumError):
    """A trailer that is not the file's, in upstream's words."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__("snapshot", stored=0, computed=0, hint=hint)
        self.message = message
        self.args = (message,)


def _counts(finding: Finding, *, skip_hash_check: bool) -> bool:
    if finding.code in _HARMLESS or (skip_hash_check and finding.code in _WITHOUT_HASH):
        return False
    return finding.code.partition(".")[0] in _SUBJECTS_THAT_COUNT


def _complaint(name: str, findings: list[Finding]) -> str:
    more = len(findings) - _FINDINGS_SHOWN_MAX
    lines = [f"  {finding}" for finding in findings[:_FINDINGS_SHOWN_MAX]]
    lines += [f"  and {more} more"] if more > 0 else []
    return "\n".join([f"{name} is damaged, so it is not restored", *lines])


def _go_bytes(data: bytes) -> str:
    return f"[{' '.join(map(str, data))}]"
