"""Give values and names back their bytes that a ``.snap`` has lost.

Upstream writes U+FFFD into a ``.snap`` for each byte of a string that is no UTF-8.  Where the log still reaches back to
an older start, the same history is replayed from there: what that replay has from the log has its bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.findings import Finding, Severity
from etcdtool.formats.snap import parse_snap_file
from etcdtool.formats.wal import scan, select
from etcdtool.operations.engine import chosen_engine
from etcdtool.operations.snap_source import open_snap
from etcdtool.operations.v2_member import MemberLog
from etcdtool.operations.v2_replay import Replay, replay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.model.store_v2 import Store
    from etcdtool.operations.v2_cluster import Settled

__all__ = ["restore_values"]

_NAMED_AT_MOST = 1000


def restore_values(settled: Settled) -> Iterator[Finding]:
    """Replace what the ``.snap`` has damaged where its bytes can be found, and name what stays damaged."""
    damaged = _damaged(settled.store)
    if not damaged:
        return
    found = len(damaged)
    for start in _older_starts(settled.member):
        older = _replayed(start, settled)
        if older is None:
            continue
        unknown = set(_damaged(older))
        if not unknown:  # the same history, with every byte: names are whole there too
            older.duplicates = 0
            settled.store, damaged = older, []
            break
        damaged = [path for path in damaged if path in unknown or not _take_over(path, older, settled.store)]
    name = settled.member.source.path
    if found > len(damaged):
        yield Finding(
            code="v2.value-restored",
            severity=Severity.NOTE,
            where=name,
            detail=f"bytes taken from the WAL where the .snap holds U+FFFD for them: {found - len(damaged)} nodes",
        )
    for path in damaged[:_NAMED_AT_MOST]:
        yield Finding(
            code="v2.value-replaced",
            severity=Severity.WARNING,
            where=path.removeprefix("/1").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"),
            detail="holds U+FFFD: if its bytes were no UTF-8, they were lost when etcd wrote its .snap",
            hint="Write the value again after the move, if it was binary.",
        )
    if len(damaged) > _NAMED_AT_MOST:
        yield Finding(
            code="v2.value-replaced",
            severity=Severity.WARNING,
            where=name,
            detail=f"{len(damaged) - _NAMED_AT_MOST} more nodes hold U+FFFD",
        )


def _damaged(store: Store) -> list[str]:
    return [path for path in store.replaced_characters() if path.startswith("/1/")]


def _older_starts(member: MemberLog) -> Iterator[MemberLog]:
    """Yield the same member as read from an older point, the very beginning first."""
    assert member.source.data_dir is not None
    yield MemberLog(source=member.source, segments=member.segments)
    for path in member.source.data_dir.snap_files:
        if path.name == member.snap_name:
            continue
        try:
            file = open_snap(path, in_use=member.source.holder is not None)
            if file is None:
                continue
            snap = parse_snap_file(file.data)
        except EtcdtoolError:
            continue  # already told, or of no use here
        if snap.index < member.base_index:
            yield MemberLog(source=member.source, segments=member.segments, snap_name=path.name, snap=snap)


def _replayed(start: MemberLog, settled: Settled) -> Store | None:
    """Replay from an older start to where the settled store is; None where the log does not reach back."""
    try:
        segments = select(start.segments, start.base_index)
        start.log = scan(segments, after_index=start.base_index, engine=chosen_engine())
        store = start.base_store()
        replay(start, store, Replay(index=start.base_index), settled.replay.index)
    except FormatError:
        return None
    return store if store.current_index == settled.store.current_index else None


def _take_over(path: str, older: Store, store: Store) -> bool:
    """Give a node the value of the older replay, where that is known to be the same write."""
    node, source = store.find(path), older.find(path)
    if node is None or source is None or source.modified_index != node.modified_index:
        return False
    node.value = source.value
    return True
