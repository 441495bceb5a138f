"""What an entry of the raft log asks for.

Recognition follows ``applyEntryNormal`` of ``etcdserver/server.go`` @ v3.4.45: an entry is an ``InternalRaftRequest``
where it parses as one, else a bare v2 ``Request``.  A bare request never parses as the former: its method would have to
be an embedded request, and no method's letters are one.  So a known method as text in field 2 decides at once, and for
the rest the wire types of the outer fields decide.  Upstream looks into the embedded v3 messages too; one that is
broken in there would be read as a v2 request without a known method, which does nothing to the v2 store either.

Servers up to 3.5 propose the bare form for the v2 API; the wrapped form (field 2) is handled by them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import msgspec

from etcdtool.errors import FormatError
from etcdtool.formats.raft import EntryType
from etcdtool.model.membership import Attributes
from etcdtool.model.protofields import LENGTH, VARINT, iter_fields
from etcdtool.model.v2_request import V2Request, parse_canonical_v2_request, parse_v2_request

__all__ = [
    "EMPTY",
    "MEMBERSHIP_KINDS",
    "ConfChange",
    "ConfChangeType",
    "Empty",
    "Request",
    "V2Request",
    "V3Request",
    "parse_conf_change",
    "parse_member_attributes_set",
    "parse_request",
    "parse_version_set",
]


class ConfChangeType(IntEnum):
    """``raftpb.ConfChangeType``."""

    ADD_NODE = 0
    REMOVE_NODE = 1
    UPDATE_NODE = 2
    ADD_LEARNER_NODE = 3


class Empty(msgspec.Struct, frozen=True, gc=False):
    """An entry without data: a new leader's first."""


EMPTY = Empty()


class V3Request(msgspec.Struct, frozen=True, gc=False):
    """A request of the v3 API or of the servers themselves.

    Attributes:
        kind: upstream's field name ("put", "txn", "lease_grant", …), "" for one this program does not know.
        body: the message inside, of the kinds in `MEMBERSHIP_KINDS`, which change the v2 store too; else b"".
    """

    kind: str
    body: bytes = b""


Request = V2Request | V3Request | Empty


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfChange:
    """A change of the members.

    Attributes:
        type: what is done.
        node_id: to which member.
        context: JSON of the member; b"" for a removal.
    """

    type: ConfChangeType
    node_id: int
    context: bytes = b""


MEMBERSHIP_KINDS = frozenset(("cluster_version_set", "cluster_member_attr_set"))
"""Applied to the v2 store as well (3.5): each counts an index there."""

_ID_FIELD, _V2_FIELD = 1, 2
_KINDS = {
    3: "range",
    4: "put",
    5: "delete_range",
    6: "txn",
    7: "compaction",
    8: "lease_grant",
    9: "lease_revoke",
    10: "alarm",
    11: "lease_checkpoint",
    1000: "auth_enable",
    1011: "auth_disable",
    1012: "authenticate",
    1013: "auth_status",
    1100: "auth_user_add",
    1101: "auth_user_delete",
    1102: "auth_user_get",
    1103: "auth_user_change_password",
    1104: "auth_user_grant_role",
    1105: "auth_user_revoke_role",
    1106: "auth_user_list",
    1107: "auth_role_list",
    1200: "auth_role_add",
    1201: "auth_role_delete",
    1202: "auth_role_get",
    1203: "auth_role_grant_permission",
    1204: "auth_role_revoke_permission",
    1300: "cluster_version_set",
    1301: "cluster_member_attr_set",
    1302: "downgrade_info_set",
    9900: "downgrade_version_test",
}
_HEADER_FIELD = 100
_MESSAGE_FIELDS = frozenset((_V2_FIELD, _HEADER_FIELD, *_KINDS))


def parse_request(data: bytes | memoryview) -> Request:
    """Read the data of a normal entry.

    Raises:
        FormatError: neither form parses; every server stops at such an entry.
    """
    if not data:
        return EMPTY
    if not isinstance(data, bytes):
        data = bytes(data)
    request = parse_canonical_v2_request(data)
    if request is not None:
        return request
    return _parse_internal(data) or parse_v2_request(data)


def _parse_internal(data: bytes) -> Request | None:
    """Read an ``InternalRaftRequest``; None where Go would refuse it."""
    kind, body, wrapped = "", b"", []
    for number, wire_type, content in iter_fields(data):
        if number == _ID_FIELD:
            if wire_type != VARINT:
                return None
        elif number in _MESSAGE_FIELDS:
            if wire_type != LENGTH:
                return None
            assert isinstance(content, bytes)
            if number == _V2_FIELD:
                wrapped.append(content)
            elif number != _HEADER_FIELD and not kind:
                kind = _KINDS[number]
                body = content if kind in MEMBERSHIP_KINDS else b""
    if not wrapped:
        return V3Request(kind, body)
    try:
        return parse_v2_request(b"".join(wrapped))  # protobuf merges repeated occurrences of a message
    except FormatError:
        return None


def parse_conf_change(entry_type: int, data: bytes | memoryview) -> ConfChange:
    """Read the data of a configuration change.

    Raises:
        FormatError: bad data, an unknown type, or the joint form (`EntryType.CONF_CHANGE_V2`), which no etcd proposes
            and at which every etcd stops.
    """
    if entry_type != EntryType.CONF_CHANGE:
        raise FormatError("raft entry", f"type {entry_type} is none that etcd writes")
    numbers = {1: 0, 2: 0, 3: 0}
    context = b""
    for number, wire_type, content in iter_fields(bytes(data)):
        if number in numbers and wire_type == VARINT and isinstance(content, int):
            numbers[number] = content
        elif number == 4 and wire_type == LENGTH and isinstance(content, bytes):
            context = content
        elif number in {1, 2, 3, 4}:
            raise FormatError("configuration change", f"field {number} has wire type {wire_type}")
    if numbers[2] not in set(ConfChangeType):
        raise FormatError("configuration change", f"unknown type {numbers[2]}")
    return ConfChange(type=ConfChangeType(numbers[2]), node_id=numbers[3], context=context)


def parse_version_set(body: bytes) -> str:
    """Return the version of a ``ClusterVersionSetRequest``."""
    return _texts(body).get(1, [""])[-1]


def parse_member_attributes_set(body: bytes) -> tuple[int, Attributes]:
    """Return member id and attributes of a ``ClusterMemberAttrSetRequest``."""
    number, attributes = 0, b""
    for field, wire_type, content in iter_fields(body):
        if field == 1 and wire_type == VARINT and isinstance(content, int):
            number = content
        elif field == 2 and wire_type == LENGTH and isinstance(content, bytes):
            attributes += content
    texts = _texts(attributes)
    return number, Attributes(texts.get(1, [""])[-1], tuple(texts.get(2, ())))


def _texts(message: bytes) -> dict[int, list[str]]:
    texts: dict[int, list[str]] = {}
    for number, _, content in iter_fields(message):
        if isinstance(content, bytes):
            texts.setdefault(number, []).append(str(content, "utf-8", "surrogateescape"))
    return texts
