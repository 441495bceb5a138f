"""The oldest etcd that understands the entries of a raft log.

Upstream's protobuf files say of messages, fields, enums and their values which version brought them (options
``versionpb.etcd_version_msg`` and so on, which are equal in v3.6.14 and v3.7.1).  The version of an entry is the
highest of all that it uses: of its message, of the fields that are set, of the messages in these, but not in lists.

Upstream: ``server/storage/wal/version.go``, ``api/etcdserverpb/{raft_internal,rpc}.proto``,
``api/membershippb/membership.proto`` @ v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from etcdtool.errors import FormatError
from etcdtool.formats.raft import EntryType
from etcdtool.formats.wire import raft_internal_pb2, raft_pb2
from etcdtool.model.raft_log import V2Request, parse_request
from etcdtool.model.semver import SemanticVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from etcdtool.formats.wal import Entry
    from etcdtool.model.schema import Version

__all__ = ["ANNOTATED", "oldest_version_of_entry", "oldest_version_of_log"]

ANNOTATED: Mapping[Version, tuple[str, ...]] = {
    (3, 1): (
        "RequestHeader.auth_revision",
        "RangeRequest.min_mod_revision",
        "RangeRequest.max_mod_revision",
        "RangeRequest.min_create_revision",
        "RangeRequest.max_create_revision",
        "PutRequest.prev_kv",
        "DeleteRangeRequest.prev_kv",
    ),
    (3, 2): ("PutRequest.ignore_value", "PutRequest.ignore_lease"),
    (3, 3): ("AlarmType.CORRUPT",),
    (3, 4): ("InternalRaftRequest.lease_checkpoint", "LeaseCheckpointRequest", "AuthUserAddRequest.options"),
    (3, 5): (
        "InternalRaftRequest.auth_status",
        "InternalRaftRequest.cluster_version_set",
        "InternalRaftRequest.cluster_member_attr_set",
        "InternalRaftRequest.downgrade_info_set",
        "AuthStatusRequest",
        "AuthUserAddRequest.hashedPassword",
        "AuthUserChangePasswordRequest.hashedPassword",
        "ClusterVersionSetRequest",
        "ClusterMemberAttrSetRequest",
        "DowngradeInfoSetRequest",
        "Attributes",
    ),
    (3, 6): ("InternalRaftRequest.downgrade_version_test", "DowngradeVersionTestRequest"),
}
"""What came after 3.0, by version: messages, ``Message.field``, ``Enum.VALUE``; all else of a v3 request is 3.0."""

_V3_0: Version = (3, 0)
_V3_4: Version = (3, 4)
_SINCE: Mapping[str, Version] = {name: version for version, names in ANNOTATED.items() for name in names}
_REQUEST = raft_internal_pb2.InternalRaftRequest
_ID_TAG = b"\x08"


def oldest_version_of_log(entries: Iterable[Entry]) -> SemanticVersion | None:
    """Return the oldest version that understands all entries; None where none of them says any.

    Raises:
        FormatError: an entry that is no request, at which upstream stops.
    """
    oldest: Version | SemanticVersion | None = None
    for entry in entries:
        try:
            version = _of_entry(entry.type, bytes(entry.data))
        except FormatError as error:
            raise error.at(f"raft entry {entry.index}") from error
        oldest = _higher(oldest, version)
    return _semantic(oldest)


def oldest_version_of_entry(entry_type: int, data: bytes) -> SemanticVersion | None:
    """Return the oldest version that understands an entry; None for a v2 request, which has no version.

    Raises:
        FormatError: no request, or an unknown entry type, enum value or version in it.
    """
    return _semantic(_of_entry(entry_type, data))


def _of_entry(entry_type: int, data: bytes) -> Version | SemanticVersion | None:
    if entry_type == EntryType.NORMAL:
        return _of_request(data)
    if entry_type == EntryType.CONF_CHANGE:
        return _V3_0 if _parses(raft_pb2.ConfChange, data) else None
    if entry_type == EntryType.CONF_CHANGE_V2:
        return _V3_4  # no etcd proposes it, so that its fields have never been looked at
    raise FormatError("raft entry", f"type {entry_type} is none that etcd writes")


def _of_request(data: bytes) -> Version | SemanticVersion | None:
    # every v2 request begins with its id; what does not is worth one parser only
    if data[:1] == _ID_TAG and isinstance(parse_request(data), V2Request):
        return None
    try:
        request = _REQUEST.FromString(data)
    except DecodeError as error:
        if isinstance(parse_request(data), V2Request):
            return None
        raise FormatError("raft request", f"cannot be read: {error}") from error
    oldest = _of_message(request)
    if not request.HasField("downgrade_version_test"):
        return oldest
    text = request.downgrade_version_test.ver.decode("utf-8", "backslashreplace")
    try:
        return _higher(oldest, SemanticVersion.parse(text))
    except ValueError as error:
        raise FormatError("downgrade version test", str(error)) from error


def _of_message(message: Message) -> Version:
    name = message.DESCRIPTOR.name
    oldest = _SINCE.get(name, _V3_0)
    for field, value in message.ListFields():
        oldest = max(oldest, _SINCE.get(f"{name}.{field.name}", _V3_0))
        if isinstance(value, Message):  # a list of them is none
            oldest = max(oldest, _of_message(value))
        elif field.type == FieldDescriptor.TYPE_ENUM and isinstance(value, int):
            oldest = max(oldest, _of_enum_value(field, value))
    return oldest


def _of_enum_value(field: FieldDescriptor, number: int) -> Version:
    enum = field.enum_type
    assert enum is not None
    value = enum.values_by_number.get(number)
    if value is None:
        raise FormatError("raft request", f"{field.name} is {number}, which no {enum.name} is")
    return _SINCE.get(f"{enum.name}.{value.name}", _V3_0)


def _higher(
    one: Version | SemanticVersion | None, other: Version | SemanticVersion | None
) -> Version | SemanticVersion | None:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return max(one, other)  # nearly always, and without an object for each entry
    one, other = _semantic(one), _semantic(other)
    return other if one is None or (other is not None and other > one) else one


def _semantic(version: Version | SemanticVersion | None) -> SemanticVersion | None:
    return SemanticVersion(*version) if isinstance(version, tuple) else version


def _parses(kind: type[Message], data: bytes) -> bool:
    try:
        kind.FromString(data)
    except DecodeError:
        return False
    return True
