"""Users, roles and the switch of authentication, as buckets ``auth``, ``authUsers`` and ``authRoles`` hold them.

Format: docs/formats/mvcc.md, "Buckets"; upstream: ``server/auth/store.go``, ``server/storage/schema/auth*.go``,
``api/authpb/auth.proto`` @ v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Self

from etcdtool.errors import FormatError
from etcdtool.formats import wire
from etcdtool.model.schema import parse_uint64

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AUTH_ENABLED",
    "AUTH_REVISION",
    "ROOT",
    "Permission",
    "PermissionType",
    "Role",
    "User",
    "parse_enabled",
    "parse_revision",
]

AUTH_ENABLED = b"authEnabled"
AUTH_REVISION = b"authRevision"

ROOT = b"root"
"""Name of the user that has to exist before authentication can be switched on, and of the role it has to have."""

_FROM_KEY = b"\0"
_FLAGS = {b"\0": False, b"\1": True}


class PermissionType(IntEnum):
    """``authpb.Permission.Type``."""

    READ = 0
    WRITE = 1
    READWRITE = 2


@dataclass(frozen=True, slots=True)
class Permission:
    """What a role may do, and on which keys.

    Attributes:
        type: a `PermissionType`, or a number that no version knows.
        key: the key, or the first one of a range.
        range_end: the first key behind the range; b"" for a single key, a zero byte for all keys from ``key`` on.
    """

    type: int
    key: bytes
    range_end: bytes = b""

    @property
    def covers_nothing(self) -> bool:
        """Whether no key can lie in the range; servers refuse to grant such a permission."""
        return self.range_end not in {b"", _FROM_KEY} and self.range_end <= self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user.

    Attributes:
        name: raw bytes.
        password_hash: bcrypt, b"" for one who logs in by certificate alone.
        roles: names, in the order in which a server searches them.
        no_password: whether only a certificate will do.
    """

    name: bytes
    password_hash: bytes = b""
    roles: tuple[bytes, ...] = ()
    no_password: bool = False

    @classmethod
    def parse(cls, key: bytes, value: bytes | memoryview, *, offset: int | None = None) -> Self:
        """Read one pair of bucket ``authUsers``.

        Raises:
            FormatError: the value does not parse, or holds another name than it is filed under.
        """
        message = wire.auth_pb2.User()
        try:
            message.ParseFromString(bytes(value))
        except wire.DecodeError:
            raise FormatError("user", "the value is no authpb.User", offset=offset) from None
        _expect_name("user", key, message.name, offset)
        return cls(
            name=message.name,
            password_hash=message.password,
            roles=tuple(message.roles),
            no_password=message.options.no_password,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role: a name for permissions."""

    name: bytes
    permissions: tuple[Permission, ...] = ()

    @classmethod
    def parse(cls, key: bytes, value: bytes | memoryview, *, offset: int | None = None) -> Self:
        """Read one pair of bucket ``authRoles``.

        Raises:
            FormatError: the value does not parse, or holds another name than it is filed under.
        """
        message = wire.auth_pb2.Role()
        try:
            message.ParseFromString(bytes(value))
        except wire.DecodeError:
            raise FormatError("role", "the value is no authpb.Role", offset=offset) from None
        _expect_name("role", key, message.name, offset)
        permissions = tuple(Permission(one.permType, one.key, one.range_end) for one in message.keyPermission)
        return cls(name=message.name, permissions=permissions)


def parse_enabled(auth: Mapping[bytes, bytes]) -> bool:
    """Tell from bucket ``auth`` whether authentication is on; it is off until it was ever switched on.

    Raises:
        FormatError: the flag is neither of the two bytes; a server takes that for off.
    """
    stored = auth.get(AUTH_ENABLED)
    if stored is None:
        return False
    if stored not in _FLAGS:
        raise FormatError("authEnabled", f"holds {stored[:16].hex() or 'nothing'}, which is neither 00 nor 01")
    return _FLAGS[stored]


def parse_revision(auth: Mapping[bytes, bytes]) -> int | None:
    """Return what bucket ``auth`` counts its changes with, None where no server has written it yet.

    Raises:
        FormatError: it has not eight bytes, at which a server panics.
    """
    stored = auth.get(AUTH_REVISION)
    return None if stored is None else parse_uint64(stored, "authRevision")


def _expect_name(what: str, key: bytes, name: bytes, offset: int | None) -> None:
    if name != key:
        raise FormatError(what, f"filed under {key[:80]!r}, holds the name {name[:80]!r}", offset=offset)
