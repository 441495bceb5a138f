"""Pairs of the small buckets as records of an export, and back; what would not come back as it was is a `Pair`.

Format: docs/formats/mvcc.md, "Buckets".
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import msgspec

from etcdtool.errors import FormatError
from etcdtool.formats import wire
from etcdtool.model import schema
from etcdtool.model.auth import AUTH_ENABLED, AUTH_REVISION, PermissionType, Role, User
from etcdtool.model.exported import (
    Alarm,
    AuthSetting,
    ClusterSetting,
    LeaseRecord,
    MemberRecord,
    MetaSetting,
    OtherRecord,
    Pair,
    PermissionRecord,
    RemovedMember,
    RoleRecord,
    UserRecord,
    bytes_of,
    text_or_bytes,
)
from etcdtool.model.lease import Lease
from etcdtool.model.membership import Member, parse_member
from etcdtool.model.revision import MAIN_MAX, Revision, pack_revision

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["pair_of", "record_of"]

_UINT64 = struct.Struct(">Q")
_REMOVED = b"removed"
_SIGN_BIT, _ALL_BITS = 1 << 63, (1 << 64) - 1
_ENCODINGS = {key.name: key.encoding for key in schema.META_KEYS}
_REVISION = re.compile(r"([0-9]{1,19})_([0-9]{1,19})")
_ALARMS = {0: "NONE", 1: "NOSPACE", 2: "CORRUPT"}


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[OtherRecord] = msgspec.json.Decoder(OtherRecord)


def record_of(bucket: bytes, key: bytes, value: bytes) -> OtherRecord:
    """Return what a pair says; `pair_of` gives the same pair back."""
    reader = _READERS.get(bucket)
    if reader is not None:
        try:
            record = reader(key, value)
            if pair_of(record) == (bucket, key, value) and _decoder.decode(_encoder.encode(record)) == record:
                return record
        except (FormatError, wire.DecodeError, ValueError, KeyError, struct.error, msgspec.MsgspecError):
            pass
    return Pair(**text_or_bytes("bucket", bucket), **text_or_bytes("key", key), **text_or_bytes("value", value))


def pair_of(record: OtherRecord) -> tuple[bytes, bytes, bytes]:
    """Return bucket, key and value.

    Raises:
        FormatError: the record says what cannot be.
    """
    return _WRITERS[type(record)](record)


def _read_lease(key: bytes, value: bytes) -> LeaseRecord:
    lease = Lease.parse(key, value)
    return LeaseRecord(id=f"{lease.id & _ALL_BITS:x}", ttl=lease.ttl_seconds, remaining_ttl=lease.remaining_ttl_seconds)


def _write_lease(record: LeaseRecord) -> tuple[bytes, bytes, bytes]:
    number = int(record.id, 16)
    lease = Lease(
        id=number - ((number & _SIGN_BIT) << 1), ttl_seconds=record.ttl, remaining_ttl_seconds=record.remaining_ttl
    )
    return schema.LEASE, lease.key, bytes(lease)


def _read_member(_: bytes, value: bytes) -> MemberRecord:
    member = parse_member(value)
    return MemberRecord(
        id=f"{member.id:x}",
        name=member.name,
        peer_urls=member.peer_urls,
        client_urls=member.client_urls,
        is_learner=member.is_learner,
    )


def _write_member(record: MemberRecord) -> tuple[bytes, bytes, bytes]:
    number = int(record.id, 16)
    member = Member(
        id=number,
        name=record.name,
        peer_urls=record.peer_urls,
        client_urls=record.client_urls,
        is_learner=record.is_learner,
    )
    return schema.MEMBERS, b"%x" % number, member.as_json().encode()


def _write_removed(record: RemovedMember) -> tuple[bytes, bytes, bytes]:
    return schema.MEMBERS_REMOVED, record.id.encode(), _REMOVED


def _write_cluster(record: ClusterSetting) -> tuple[bytes, bytes, bytes]:
    return schema.CLUSTER, record.name.encode(), record.value.encode()


def _read_meta(key: bytes, value: bytes) -> MetaSetting:
    match _ENCODINGS[key]:
        case "uint64":
            return MetaSetting(key.decode(), schema.parse_uint64(value, "meta"))
        case "revision":
            revision = Revision.parse(value)
            return MetaSetting(key.decode(), f"{revision.main}_{revision.sub}")
        case _:
            return MetaSetting(key.decode(), value.decode())


def _write_meta(record: MetaSetting) -> tuple[bytes, bytes, bytes]:
    name, value = record.name.encode(), record.value
    encoding = _ENCODINGS.get(name)
    if encoding is None:
        raise FormatError(f"meta {record.name}", "is none that etcd writes", hint='Give it as a record of type "pair"')
    if (encoding == "uint64") != isinstance(value, int):
        raise FormatError(f"meta {record.name}", f"is no {encoding}: {value!r:.80}")
    if isinstance(value, int):
        return schema.META, name, _uint64(record.name, value)
    if encoding == "revision":
        return schema.META, name, _revision(record.name, value)
    return schema.META, name, value.encode()


def _uint64(name: str, value: int) -> bytes:
    if value > _ALL_BITS:
        raise FormatError(name, f"{value} has more than 64 bits")
    return _UINT64.pack(value)


def _revision(name: str, text: str) -> bytes:
    match = _REVISION.fullmatch(text)
    main, sub = map(int, match.groups()) if match else (MAIN_MAX + 1, 0)
    if max(main, sub) > MAIN_MAX:
        raise FormatError(f"meta {name}", f"is no revision: {text!r:.80}", hint="MAIN_SUB, such as 5_0")
    return pack_revision(main, sub)


def _read_auth(key: bytes, value: bytes) -> AuthSetting:
    if key == AUTH_ENABLED:
        return AuthSetting(key.decode(), {b"\0": False, b"\1": True}[value])
    return AuthSetting(key.decode(), schema.parse_uint64(value, "authRevision"))


def _write_auth(record: AuthSetting) -> tuple[bytes, bytes, bytes]:
    name, value = record.name.encode(), record.value
    if name == AUTH_ENABLED and isinstance(value, bool):
        return schema.AUTH, name, bytes([value])
    if name == AUTH_REVISION and not isinstance(value, bool):
        return schema.AUTH, name, _uint64(record.name, value)
    raise FormatError(f"auth {record.name}", f"is none that etcd writes: {value!r}")


def _read_user(key: bytes, value: bytes) -> UserRecord:
    user = User.parse(key, value)
    message = wire.auth_pb2.User.FromString(value)
    return UserRecord(
        name=user.name.decode(),
        password_hash=user.password_hash.decode(),
        roles=tuple(role.decode() for role in user.roles),
        no_password=user.no_password if message.HasField("options") else None,
    )


def _write_user(record: UserRecord) -> tuple[bytes, bytes, bytes]:
    options = None
    if record.no_password is not None:
        options = wire.auth_pb2.UserAddOptions(no_password=record.no_password)
    message = wire.auth_pb2.User(
        name=record.name.encode(),
        password=record.password_hash.encode(),
        roles=[role.encode() for role in record.roles],
        options=options,
    )
    return schema.AUTH_USERS, record.name.encode(), message.SerializeToString(deterministic=True)


def _read_role(key: bytes, value: bytes) -> RoleRecord:
    role = Role.parse(key, value)
    permissions = []
    for one in role.permissions:
        range_end = text_or_bytes("range_end", one.range_end) if one.range_end else {}
        permissions.append(
            PermissionRecord(PermissionType(one.type).name, **text_or_bytes("key", one.key), **range_end)
        )
    return RoleRecord(name=role.name.decode(), permissions=tuple(permissions))


def _write_role(record: RoleRecord) -> tuple[bytes, bytes, bytes]:
    message = wire.auth_pb2.Role(name=record.name.encode())
    for one in record.permissions:
        if one.kind not in PermissionType.__members__:
            raise FormatError(f"role {record.name!r:.80}", f"there is no permission {one.kind!r:.80}")
        ranged = isinstance(one.range_end, str) or isinstance(one.range_end_b64, bytes)
        message.keyPermission.add(
            permType=PermissionType[one.kind].value,
            key=bytes_of(one, "key"),
            range_end=bytes_of(one, "range_end") if ranged else b"",
        )
    return schema.AUTH_ROLES, record.name.encode(), message.SerializeToString(deterministic=True)


def _read_alarm(key: bytes, _: bytes) -> Alarm:
    message = wire.rpc_pb2.AlarmMember.FromString(key)
    return Alarm(f"{message.memberID:x}", _ALARMS[message.alarm])


def _write_alarm(record: Alarm) -> tuple[bytes, bytes, bytes]:
    if record.alarm not in _ALARMS.values():
        raise FormatError("alarm", f"there is none of the name {record.alarm!r:.80}")
    message = wire.rpc_pb2.AlarmMember(memberID=int(record.member, 16), alarm=record.alarm)
    return schema.ALARM, message.SerializeToString(deterministic=True), b""


def _write_pair(record: Pair) -> tuple[bytes, bytes, bytes]:
    return bytes_of(record, "bucket"), bytes_of(record, "key"), bytes_of(record, "value")


_READERS: dict[bytes, Callable[[bytes, bytes], OtherRecord]] = {
    schema.LEASE: _read_lease,
    schema.MEMBERS: _read_member,
    schema.MEMBERS_REMOVED: lambda key, _: RemovedMember(key.decode()),
    schema.CLUSTER: lambda key, value: ClusterSetting(key.decode(), value.decode()),
    schema.META: _read_meta,
    schema.AUTH: _read_auth,
    schema.AUTH_USERS: _read_user,
    schema.AUTH_ROLES: _read_role,
    schema.ALARM: _read_alarm,
}
_WRITERS: dict[type, Callable[..., tuple[bytes, bytes, bytes]]] = {
    LeaseRecord: _write_lease,
    MemberRecord: _write_member,
    RemovedMember: _write_removed,
    ClusterSetting: _write_cluster,
    MetaSetting: _write_meta,
    AuthSetting: _write_auth,
    UserRecord: _write_user,
    RoleRecord: _write_role,
    Alarm: _write_alarm,
    Pair: _write_pair,
}
