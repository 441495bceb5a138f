"""What a v3 database says of its cluster: raft's configuration, the planned downgrade, and alarms.

Format: docs/formats/mvcc.md, "Buckets" and "meta".
Upstream: ``server/storage/schema/{confstate,membership,alarm}.go`` @ v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import msgspec

from etcdtool.errors import FormatError
from etcdtool.formats import wire
from etcdtool.formats.raft import ConfState

__all__ = [
    "CLUSTER_VERSION",
    "DOWNGRADE",
    "REMOVED",
    "Alarm",
    "AlarmType",
    "Downgrade",
    "parse_conf_state",
    "parse_downgrade",
]

CLUSTER_VERSION = b"clusterVersion"
DOWNGRADE = b"downgrade"

REMOVED = b"removed"
"""The value of every key in bucket ``members_removed``."""


class _ConfStateJSON(msgspec.Struct):
    voters: tuple[int, ...] | None = None
    learners: tuple[int, ...] | None = None
    voters_outgoing: tuple[int, ...] | None = None
    learners_next: tuple[int, ...] | None = None
    auto_leave: bool | None = None


class Downgrade(msgspec.Struct, frozen=True, rename={"target_version": "target-version"}):
    """A downgrade of the cluster that was asked for.

    Attributes:
        target_version: "" when none is.
        enabled: whether one is under way.
    """

    target_version: str = ""
    enabled: bool = False


class AlarmType(IntEnum):
    """``etcdserverpb.AlarmType``; a member raises one, and it stands until someone takes it down."""

    NONE = 0
    NOSPACE = 1
    CORRUPT = 2


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that stands.

    Attributes:
        member_id: who raised it, or whom it is about.
        type: an `AlarmType`, or a number that no version knows.
    """

    member_id: int
    type: int

    @classmethod
    def parse(cls, key: bytes, value: bytes | memoryview, *, offset: int | None = None) -> Alarm:
        """Read one pair of bucket ``alarm``: all is in the key.

        Raises:
            FormatError: the key does not parse, or there is a value.
        """
        message = wire.rpc_pb2.AlarmMember()
        try:
            message.ParseFromString(key)
        except wire.DecodeError:
            raise FormatError("alarm", "the key is no etcdserverpb.AlarmMember", offset=offset) from None
        if value:
            raise FormatError("alarm", f"a value of {len(value)} bytes, where all stands in the key", offset=offset)
        return cls(message.memberID, message.alarm)

    @property
    def name(self) -> str:
        """Upstream's word for its type."""
        return AlarmType(self.type).name if self.type in set(AlarmType) else f"unknown type {self.type}"


_conf_state_decoder = msgspec.json.Decoder(_ConfStateJSON)
_downgrade_decoder = msgspec.json.Decoder(Downgrade)


def parse_conf_state(data: bytes) -> ConfState:
    """Read the JSON of meta key ``confState``; ids are whole numbers of 64 bits.

    Raises:
        FormatError: no such JSON, at which every server stops.
    """
    try:
        stored = _conf_state_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError("confState", str(error)) from None
    lists = (stored.voters, stored.learners, stored.voters_outgoing, stored.learners_next)
    if any(not 0 <= number < 1 << 64 for ids in lists for number in ids or ()):
        raise FormatError("confState", "an id beyond 64 bits")
    voters, learners, voters_outgoing, learners_next = (tuple(ids or ()) for ids in lists)
    return ConfState(voters, learners, voters_outgoing, learners_next, bool(stored.auto_leave))


def parse_downgrade(data: bytes) -> Downgrade:
    """Read the JSON of key ``downgrade`` in bucket ``cluster``.

    Raises:
        FormatError: no such JSON.
    """
    try:
        return _downgrade_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError("downgrade", str(error)) from None
