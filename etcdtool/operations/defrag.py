"""``defrag``: the same pairs without the free pages between them.

Upstream: ``etcdutl/defrag_command.go``, ``server/storage/backend/backend.go`` @ v3.7.1, which loses the buckets' own
sequence numbers; here they stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.operations.shrink import Plan, in_place, to_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etcdtool.operations.shrink import Member, Shrunk

    Progress = Callable[[int, int], None]

__all__ = ["defrag", "defrag_to_snapshot"]


_PLAN = Plan(verb="defrag")


def defrag(member: Member, *, progress: Progress | None = None) -> Shrunk:
    """Defragment the database of a stopped member; see `in_place`."""
    return in_place(member, _PLAN, progress=progress)


def defrag_to_snapshot(source: Path, target: Path, *, progress: Progress | None = None) -> Shrunk:
    """Write a defragmented snapshot; see `to_snapshot`."""
    return to_snapshot(source, target, _PLAN, progress=progress)
