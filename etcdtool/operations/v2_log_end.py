"""Is the end of the log really there? A WAL that lost its last file reads as a whole log that ended sooner.

Three things beside the log tell: a server goes on to a new file as soon as entries have filled one (``Save`` and
``cut`` in ``server/storage/wal/wal.go`` @ v3.5.33; a snapshot's record may still go behind them), it writes a ``.snap``
of committed entries only, and its database knows the last entry that it applied (``consistent_index``).  Each of them
shows acknowledged entries that the log does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError
from etcdtool.findings import Finding, Severity
from etcdtool.formats.bbolt.cursor import get, root_buckets
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.wal_size import SEGMENT_SIZE
from etcdtool.sources import InputFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etcdtool.operations.v2_member import MemberLog

__all__ = ["missing_end"]

_INDEX_SIZE = 8
_HINT = "Look for the rest of the WAL, or use another member's data: acknowledged writes may be missing here."


def missing_end(newest: MemberLog, members: Sequence[MemberLog]) -> Iterator[Finding]:
    """Yield an error for each sign that entries behind the end of the log were lost.

    Args:
        newest: the member whose log is used.
        members: all that were given: what one of them has applied, the newest log must have.
    """
    log = newest.log
    if log is None:
        return
    last_file = log.segments[-1].name
    if log.saved_offset >= SEGMENT_SIZE:
        yield _error(
            "wal.next-file-missing", last_file, "the file is full, so there was another one, and it is not here"
        )
    if log.hard_state.commit < newest.base_index:
        yield _error(
            "wal.ends-before-snap",
            last_file,
            f"the log has committed up to {log.hard_state.commit} only, and {newest.snap_name} reaches to raft index "
            f"{newest.base_index}: what came after that is not known",
        )
    last_index = max(newest.base_index, log.last_index)
    for member in members:
        database, applied = _applied_index(member)
        if applied > last_index:
            yield _error(
                "wal.ends-before-database",
                database,
                f"the database has applied raft index {applied}, and the log ends at {last_index}",
            )


def _applied_index(member: MemberLog) -> tuple[str, int]:
    """Return the database's name and ``consistent_index``; 0 where there is none, or no database that can be read."""
    assert member.source.data_dir is not None
    path = member.source.data_dir.database
    if path is None or member.source.holder is not None:  # a server's own database changes under the reader
        return "", 0
    try:
        image = Image.open(InputFile.open(path).data)
        meta = root_buckets(image).get(b"meta")
        index = get(image, meta, b"consistent_index") if meta else None
    except EtcdtoolError:
        return "", 0  # v2 keys do not need it
    return str(path), int.from_bytes(index, "big") if index is not None and len(index) == _INDEX_SIZE else 0


def _error(code: str, where: str, detail: str) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, where=where, detail=detail, hint=_HINT)
