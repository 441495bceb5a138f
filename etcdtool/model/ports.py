"""What the conversion engine asks of a place that puts go to.

Implemented by ``operations.targets_snapshot`` and ``operations.targets_lines``; a live cluster is one more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.model.conversion_plan import Plan

__all__ = ["Origin", "Target", "WrittenRecord"]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where in raft's history the v2 store stands that a target is made from.

    Attributes:
        raft_index, raft_term: last entry that was applied; 0 where it is not known (a JSON dump).
    """

    raft_index: int = 0
    raft_term: int = 0


class WrittenRecord(msgspec.Struct, frozen=True, gc=False):
    """A record as it was read back from a target.

    Attributes:
        main, sub: its revision.
        key, value, create_revision, mod_revision, version: as `mvccpb.KeyValue` has them.
        lease: lease id, 0 for none.
        ttl_seconds: granted TTL of that lease, 0 for none, -1 for a lease that the target does not define.
    """

    main: int
    sub: int
    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int
    ttl_seconds: int


class Target(Protocol):
    """A place that a plan is written to, all of it or nothing."""

    def write(self, plan: Plan, origin: Origin) -> None:
        """Write everything, durably, under no name yet."""
        ...

    def read_back(self) -> Iterator[WrittenRecord] | None:
        """Yield what stands there now, in order of revision; None where nothing can be read back (a pipe)."""
        ...

    def commit(self) -> None:
        """Make it visible under its name."""
        ...
