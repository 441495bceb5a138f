"""Apply entries of the raft log to a v2 store, as a server of 2.x to 3.5 does when it starts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats.raft import EntryType
from etcdtool.model.raft_log import V2Request, V3Request, parse_conf_change, parse_request
from etcdtool.model.store_v2 import V2Error

if TYPE_CHECKING:
    from etcdtool.formats.wal import Entry
    from etcdtool.model.store_v2 import Store
    from etcdtool.operations.v2_member import MemberLog

__all__ = ["Replay", "TailEntry", "describe", "replay"]

_DEPTH_MAX = 10_000
_PATH_SIZE_USUAL = 1000


@dataclass(slots=True)
class Replay:
    """What was applied.

    Attributes:
        kinds: applied entries by what they were: "v2 PUT", "v3", "conf change", "no-op".
        refused: v2 requests that the store refused, as the server did; they change nothing.
        index: raft index of the last entry applied.
        term: its term.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    index: int = 0
    term: int = 0


@dataclass(frozen=True, slots=True)
class TailEntry:
    """An entry past the commit index.

    Attributes:
        index, term: its place in the log.
        summary: what it asks for: ``PUT /foo``.
        changes_v2: whether applying it would change v2 keys or their indexes.
    """

    index: int
    term: int
    summary: str
    changes_v2: bool


def replay(member: MemberLog, store: Store, result: Replay, stop_index: int) -> None:
    """Apply the member's entries from behind ``result.index`` up to ``stop_index``, both ends as raft counts.

    Raises:
        FormatError: an entry at which every server stops.
    """
    if member.log is None:
        return
    apply = store.apply
    methods: Counter[str] = Counter()
    v3 = 0
    for entry in member.log.entries(result.index + 1, stop_index + 1):
        try:
            if entry.type != EntryType.NORMAL:
                _apply_conf_change(entry, store, result)
            elif not entry.data:
                result.kinds["no-op"] += 1
            else:
                request = parse_request(entry.data)
                if isinstance(request, V2Request) and len(request.path) > _PATH_SIZE_USUAL:
                    _refuse_depth(request.path)
                if isinstance(apply(request), V2Error):
                    result.refused += 1
                if isinstance(request, V2Request):
                    methods[request.method] += 1
                else:
                    v3 += isinstance(request, V3Request)
        except EtcdtoolError as error:
            raise _at(error, entry, member) from error
        result.index, result.term = entry.index, entry.term
    result.kinds.update({f"v2 {method}": count for method, count in methods.items()})
    if v3:
        result.kinds["v3"] += v3


def _refuse_depth(path: str) -> None:
    """Refuse a path whose directories alone would fill the memory: a server overflows its stack on such a store."""
    if path.count("/") > _DEPTH_MAX:
        raise FormatError("v2 request", f"its path is more than {_DEPTH_MAX} directories deep")


def _apply_conf_change(entry: Entry, store: Store, result: Replay) -> None:
    change = parse_conf_change(entry.type, entry.data)
    result.kinds["conf change"] += 1
    if store.apply_conf_change(change) is not None:
        result.refused += 1


def describe(entry: Entry) -> TailEntry:
    """Say what an entry asks for, for a person who has to decide about it."""
    if entry.type != EntryType.NORMAL:
        change = parse_conf_change(entry.type, entry.data)
        return TailEntry(entry.index, entry.term, f"{change.type.name} {change.node_id:x}", changes_v2=True)
    if not entry.data:
        return TailEntry(entry.index, entry.term, "no-op of a new leader", changes_v2=False)
    request = parse_request(entry.data)
    if isinstance(request, V2Request):
        path = request.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return TailEntry(entry.index, entry.term, f"{request.method} {path}".strip(), request.method != "QGET")
    kind = request.kind if isinstance(request, V3Request) else "nothing"
    return TailEntry(entry.index, entry.term, f"v3 {kind}", changes_v2=False)


def _at(error: EtcdtoolError, entry: Entry, member: MemberLog) -> EtcdtoolError:
    if isinstance(error, FormatError):
        return error.at(f"raft entry {entry.index} of {member.source.path}")
    return error
