"""Every bucket and every key of bucket ``meta``, and which version of etcd knows them.

Format: docs/formats/mvcc.md, "Buckets" and "meta"; upstream: ``server/storage/schema/*.go`` @ v3.6.14, v3.7.1,
``server/mvcc/buckets/bucket.go`` @ v3.5.33, ``mvcc/backend`` and ``mvcc/downgrade.go`` @ v3.4.45.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ALARM",
    "AUTH",
    "AUTH_ROLES",
    "AUTH_USERS",
    "BUCKETS",
    "CLUSTER",
    "CONF_STATE",
    "CONSISTENT_INDEX",
    "FINISHED_COMPACT_REV",
    "KEY",
    "LEASE",
    "MEMBERS",
    "MEMBERS_REMOVED",
    "META",
    "META_KEYS",
    "SCHEDULED_COMPACT_REV",
    "STORAGE_VERSION",
    "TERM",
    "MetaKey",
    "Version",
    "detect_schema_version",
    "parse_uint64",
    "storage_version",
]

Version = tuple[int, int]
"""Major and minor: (3, 6)."""

ALARM = b"alarm"
AUTH = b"auth"
AUTH_ROLES = b"authRoles"
AUTH_USERS = b"authUsers"
CLUSTER = b"cluster"
KEY = b"key"
LEASE = b"lease"
MEMBERS = b"members"
MEMBERS_REMOVED = b"members_removed"
META = b"meta"
BUCKETS = (ALARM, AUTH, AUTH_ROLES, AUTH_USERS, CLUSTER, KEY, LEASE, MEMBERS, MEMBERS_REMOVED, META)
"""All buckets in the order of their names; a server of 3.4 to 3.7 makes every one of them at its first boot."""

CONSISTENT_INDEX = b"consistent_index"
TERM = b"term"
CONF_STATE = b"confState"
SCHEDULED_COMPACT_REV = b"scheduledCompactRev"
FINISHED_COMPACT_REV = b"finishedCompactRev"
STORAGE_VERSION = b"storageVersion"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaKey:
    """A key that a server writes to bucket ``meta``.

    Attributes:
        name: the key.
        since: the first version that writes it.
        encoding: uint64 (8 bytes, big-endian), revision (17 bytes), json or text.
        meaning: what it says.
    """

    name: bytes
    since: Version
    encoding: str
    meaning: str


META_KEYS = (
    MetaKey(name=CONF_STATE, since=(3, 5), encoding="json", meaning="raft's ConfState: voters and learners"),
    MetaKey(name=CONSISTENT_INDEX, since=(3, 0), encoding="uint64", meaning="raft index of the last applied entry"),
    MetaKey(
        name=FINISHED_COMPACT_REV, since=(3, 0), encoding="revision", meaning="the last compaction that was finished"
    ),
    MetaKey(name=SCHEDULED_COMPACT_REV, since=(3, 0), encoding="revision", meaning="the last compaction accepted"),
    MetaKey(name=STORAGE_VERSION, since=(3, 6), encoding="text", meaning="version of the schema, X.Y.0"),
    MetaKey(name=TERM, since=(3, 5), encoding="uint64", meaning="raft term of the last applied entry"),
)

_UINT64 = struct.Struct(">Q")
# what go-semver takes: three numbers, then an optional pre-release and metadata
_SEMANTIC_VERSION = re.compile(rb"(0|[1-9]\d{0,18})\.(0|[1-9]\d{0,18})\.(0|[1-9]\d{0,18})([-+][0-9A-Za-z.+-]*)?")


def parse_uint64(value: bytes, what: str) -> int:
    """Read a big-endian uint64 of bucket ``meta`` or ``auth``.

    Raises:
        FormatError: the value has not 8 bytes.
    """
    if len(value) != _UINT64.size:
        raise FormatError(what, f"{len(value)} bytes instead of {_UINT64.size}")
    return int(_UINT64.unpack(value)[0])


def storage_version(meta: Mapping[bytes, bytes]) -> str:
    """Return what ``snapshot status`` shows as version: the text of ``storageVersion``, "" if absent or unreadable."""
    text = meta.get(STORAGE_VERSION, b"")
    return text.decode("ascii") if _SEMANTIC_VERSION.fullmatch(text) else ""


def detect_schema_version(meta: Mapping[bytes, bytes]) -> Version:
    """Tell which version's schema the data follow, as a server that starts on them would.

    ``storageVersion`` if it is readable; else 3.5 where a term or a ConfState stands, else 3.4, which writes neither.
    (3.6 and 3.7 call data without a term undetectable and only warn.)
    """
    text = storage_version(meta)
    if text:
        major, minor = text.split(".")[:2]
        return int(major), int(minor)
    return (3, 5) if meta.get(TERM) or meta.get(CONF_STATE) else (3, 4)
