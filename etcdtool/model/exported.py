"""The records of an export: what each pair of a database says, as lines of JSON have it.

One record a line, with its ``type``; the forms are those of docs/reference/export.md.  Keys, values and names are text
where they are UTF-8, else base64 under the same name with ``_b64``; ids are hex, as etcdctl prints them, so that no
reader of JSON rounds them.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from etcdtool.errors import FormatError

__all__ = [
    "FORM",
    "Alarm",
    "AuthSetting",
    "ClusterSetting",
    "Delete",
    "Header",
    "KeyRecord",
    "LeaseRecord",
    "MemberRecord",
    "MetaSetting",
    "OtherRecord",
    "Pair",
    "PermissionRecord",
    "Put",
    "Record",
    "RemovedMember",
    "RoleRecord",
    "UserRecord",
    "bytes_of",
    "text_or_bytes",
]

FORM = 1
"""The number of this form; another one is refused."""

Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Uint64 = Annotated[int, msgspec.Meta(ge=0)]
HexId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{1,16}$")]
Text = str | UnsetType
Base64 = bytes | UnsetType


class _Typed(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, gc=False):
    """A record; a field that is not known is an error, so that nothing of a line is lost in silence."""


class Header(_Typed, tag="export", kw_only=True):
    """The first line: what the lines behind it are.

    Attributes:
        form: `FORM`.
        history: whether every stored revision of the keys comes, or the live keys alone.
        revision: the store's, or the one that was asked for.
        compact_revision: reads before it are refused; -1: nothing was ever compacted.
        range_start, range_end: the keys that were asked for; absent: all of them.
    """

    form: int = FORM
    history: bool
    revision: Number
    compact_revision: Int64 = -1
    range_start: Text = UNSET
    range_start_b64: Base64 = UNSET
    range_end: Text = UNSET
    range_end_b64: Base64 = UNSET


class Put(_Typed, tag="put"):
    """A revision that gave a key a value.

    Attributes:
        mod_revision, sub: the revision; ``sub`` counts the changes of a transaction from 0.
        create_revision, version: as ``etcdctl get -w json`` names them.
        lease: id of the lease, absent for none.
    """

    key: Text = UNSET
    key_b64: Base64 = UNSET
    value: Text = UNSET
    value_b64: Base64 = UNSET
    create_revision: Int64 = 0
    mod_revision: Number = 0
    sub: Number = 0
    version: Int64 = 0
    lease: HexId | UnsetType = UNSET


class Delete(_Typed, tag="delete"):
    """A tombstone: a revision that deleted a key."""

    key: Text = UNSET
    key_b64: Base64 = UNSET
    mod_revision: Number = 0
    sub: Number = 0


class LeaseRecord(_Typed, tag="lease", kw_only=True):
    """A lease; times in seconds, ``remaining_ttl`` 0 without a checkpoint."""

    id: HexId
    ttl: Int64
    remaining_ttl: Int64 = 0


class MemberRecord(
    _Typed,
    tag="member",
    kw_only=True,
    rename={"peer_urls": "peerURLs", "client_urls": "clientURLs", "is_learner": "isLearner"},
):
    """A member, with etcd's own names."""

    id: HexId
    name: str = ""
    peer_urls: tuple[str, ...] = ()
    client_urls: tuple[str, ...] = ()
    is_learner: bool = False


class RemovedMember(_Typed, tag="member_removed"):
    """A member that is not to come back."""

    id: HexId


class ClusterSetting(_Typed, tag="cluster"):
    """A pair of bucket ``cluster``: ``clusterVersion``, ``downgrade``."""

    name: str
    value: str


class MetaSetting(_Typed, tag="meta"):
    """A pair of bucket ``meta``: a number, a revision as ``MAIN_SUB``, or text."""

    name: str
    value: Uint64 | str


class AuthSetting(_Typed, tag="auth"):
    """A pair of bucket ``auth``: ``authEnabled`` (a boolean) or ``authRevision`` (a number)."""

    name: str
    value: bool | Uint64


class UserRecord(_Typed, tag="user", kw_only=True):
    """A user.

    Attributes:
        password_hash: bcrypt, "" for one who logs in by certificate alone.
        no_password: null where no server has written it.
    """

    name: str
    password_hash: str = ""
    roles: tuple[str, ...] = ()
    no_password: bool | None = None


class PermissionRecord(msgspec.Struct, forbid_unknown_fields=True, rename={"kind": "permission"}):
    """What a role may do (READ, WRITE, READWRITE), and where; a ``range_end`` as in the API."""

    kind: str
    key: Text = UNSET
    key_b64: Base64 = UNSET
    range_end: Text = UNSET
    range_end_b64: Base64 = UNSET


class RoleRecord(_Typed, tag="role", kw_only=True):
    """A role."""

    name: str
    permissions: tuple[PermissionRecord, ...] = ()


class Alarm(_Typed, tag="alarm"):
    """An alarm that is on: of which member, and NOSPACE or CORRUPT."""

    member: HexId
    alarm: str


class Pair(_Typed, tag="pair", kw_only=True):
    """A pair that no version of etcd writes, as it stands in the file."""

    bucket: Text = UNSET
    bucket_b64: Base64 = UNSET
    key: Text = UNSET
    key_b64: Base64 = UNSET
    value: Text = UNSET
    value_b64: Base64 = UNSET


KeyRecord = Put | Delete
OtherRecord = (
    LeaseRecord
    | MemberRecord
    | RemovedMember
    | ClusterSetting
    | MetaSetting
    | AuthSetting
    | UserRecord
    | RoleRecord
    | Alarm
    | Pair
)
Record = Header | KeyRecord | OtherRecord


def text_or_bytes(name: str, content: bytes) -> dict[str, Any]:
    """Return ``{name: text}``, or ``{name_b64: bytes}`` where they are no UTF-8."""
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_b64": content}


def bytes_of(record: object, name: str) -> bytes:
    """Undo `text_or_bytes`.

    Raises:
        FormatError: the record has both, or neither.
    """
    text, content = getattr(record, name), getattr(record, f"{name}_b64")
    if text is UNSET:
        if content is UNSET:
            raise FormatError(f"field {name}", "is missing", hint=f"Bytes that are no UTF-8 stand under {name}_b64")
        return content  # type: ignore[no-any-return]
    if content is not UNSET:
        raise FormatError(f"field {name}", f"stands there twice, as {name}_b64 too")
    return text.encode()  # type: ignore[no-any-return]
