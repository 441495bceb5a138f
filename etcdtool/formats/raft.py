"""Small records of raft that WAL and ``.snap`` files share.

Upstream: ``raftpb/raft.proto`` @ go.etcd.io/raft/v3 v3.7.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from etcdtool.formats import wire

if TYPE_CHECKING:
    from etcdtool.formats.wire import raft_pb2

__all__ = ["ConfState", "EntryType", "HardState"]


class EntryType(IntEnum):
    """What the data of a log entry are."""

    NORMAL = 0
    CONF_CHANGE = 1
    CONF_CHANGE_V2 = 2


@dataclass(frozen=True, slots=True)
class HardState:
    """What raft had on disk about its votes and its commits; all zero before the first record."""

    term: int = 0
    vote: int = 0
    commit: int = 0


@dataclass(frozen=True, slots=True)
class ConfState:
    """The members of raft's configuration, by id, in the order they are stored.

    ``voters`` was called ``nodes`` before 3.4.
    """

    voters: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()
    voters_outgoing: tuple[int, ...] = ()
    learners_next: tuple[int, ...] = ()
    auto_leave: bool = False

    @classmethod
    def from_message(cls, message: raft_pb2.ConfState) -> ConfState:
        """Take the fields of a parsed message; what it lacks is empty or false."""
        return cls(
            voters=tuple(message.voters),
            learners=tuple(message.learners),
            voters_outgoing=tuple(message.voters_outgoing),
            learners_next=tuple(message.learners_next),
            auto_leave=message.auto_leave,
        )

    def to_message(self, *, omit_unset: bool = False) -> raft_pb2.ConfState:
        """Give the message as servers write it, or with ``omit_unset`` as ``etcdutl`` 3.7 does (no auto_leave)."""
        message = wire.raft_pb2.ConfState(
            voters=self.voters,
            learners=self.learners,
            voters_outgoing=self.voters_outgoing,
            learners_next=self.learners_next,
        )
        if self.auto_leave or not omit_unset:
            message.auto_leave = self.auto_leave
        return message
