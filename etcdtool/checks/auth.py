"""Authentication: its switch and revision, users, roles, and whether they fit together.

Format: docs/formats/mvcc.md, "Buckets"; upstream: ``server/auth/store.go`` @ v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.checks.codes import Code, shown
from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.model.auth import (
    AUTH_ENABLED,
    AUTH_REVISION,
    ROOT,
    PermissionType,
    Role,
    User,
    parse_enabled,
    parse_revision,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.cursor import Item

__all__ = ["CODES", "check_auth"]

_ANOTHER_COPY = "Use another copy."
_BCRYPT = b"$2"

UNREADABLE = Code(
    code="auth.unreadable",
    severity=Severity.ERROR,
    meaning="A user, a role, or a setting of authentication cannot be read. A server stops at a user or a role; it "
    "takes an unreadable switch for off, so that everyone may do everything.",
    remedy=_ANOTHER_COPY,
)
UNKNOWN_KEY = Code(
    code="auth.unknown-key",
    severity=Severity.ERROR,
    meaning="Bucket auth holds a key that no version of etcd writes, and a server ignores it. Was authEnabled "
    "damaged, authentication is off for all who read this.",
    remedy=_ANOTHER_COPY,
)
ROOT_MISSING = Code(
    code="auth.root-missing",
    severity=Severity.ERROR,
    meaning="Authentication is on, and there is no user root with the role root. Servers refuse to come into this "
    "state, and nobody can lead them out of it.",
    remedy=_ANOTHER_COPY,
)
ROLE_MISSING = Code(
    code="auth.role-missing",
    severity=Severity.WARNING,
    meaning="A user has a role that does not exist. Servers take a deleted role from everyone.",
    remedy="Compare the roles with another copy; the user has no permission from this one.",
)
ROLES_ORDER = Code(
    code="auth.roles-order",
    severity=Severity.WARNING,
    meaning="The roles of a user are not in order, so that a server does not find all of them.",
    remedy="Compare with another copy.",
)
PASSWORD = Code(
    code="auth.password",
    severity=Severity.WARNING,
    meaning="A user who should log in by password has no bcrypt hash, and can't.",
    remedy="Compare with another copy, or set the password anew.",
)
PERMISSION = Code(
    code="auth.permission",
    severity=Severity.WARNING,
    meaning="A permission is of an unknown type, or of a range that holds no key.",
    remedy="Compare with another copy; nobody gets anything from this permission.",
)
REVISION_MISSING = Code(
    code="auth.revision-missing",
    severity=Severity.WARNING,
    meaning="There are users or roles, and no authRevision, which every server writes at its start.",
    remedy="Compare with another copy.",
)
CODES = (
    UNREADABLE,
    UNKNOWN_KEY,
    ROOT_MISSING,
    ROLE_MISSING,
    ROLES_ORDER,
    PASSWORD,
    PERMISSION,
    REVISION_MISSING,
)


def check_auth(auth: Sequence[Item], users: Sequence[Item], roles: Sequence[Item]) -> Iterator[Finding]:
    """Yield what is off about authentication; the pairs of buckets ``auth``, ``authUsers`` and ``authRoles``."""
    settings = {item.key: bytes(item.value) for item in auth}
    enabled = yield from _check_settings(auth, settings, used=bool(users or roles))
    known_users = yield from _check_users(users, {item.key for item in roles})
    for item in roles:
        yield from _check_role(item)
    if enabled and ROOT not in known_users.get(ROOT, ()):
        role = " with the role root" if ROOT in known_users else ""
        yield ROOT_MISSING.finding("bucket authUsers", f"authentication is on, and there is no user root{role}")


def _check_settings(
    auth: Iterable[Item], settings: Mapping[bytes, bytes], *, used: bool
) -> Generator[Finding, None, bool]:
    enabled = False
    offsets = {item.key: item.offset for item in auth}
    try:
        enabled = parse_enabled(settings)
    except FormatError as error:
        yield UNREADABLE.finding("key authEnabled of bucket auth", error.problem, offset=offsets[AUTH_ENABLED])
    try:
        revision = parse_revision(settings)
    except FormatError as error:
        yield UNREADABLE.finding("key authRevision of bucket auth", error.problem, offset=offsets[AUTH_REVISION])
    else:
        if not revision and (used or enabled):
            yield REVISION_MISSING.finding("bucket auth", "no authRevision, though authentication was set up")
    for key, offset in offsets.items():
        if key not in {AUTH_ENABLED, AUTH_REVISION}:
            yield UNKNOWN_KEY.finding("bucket auth", f"unknown key {shown(key)}", offset=offset)
    return enabled


def _check_users(
    users: Iterable[Item], roles: Collection[bytes]
) -> Generator[Finding, None, dict[bytes, tuple[bytes, ...]]]:
    found: dict[bytes, tuple[bytes, ...]] = {}
    for item in users:
        where = f"user {shown(item.key)}"
        try:
            user = User.parse(item.key, item.value, offset=item.offset)
        except FormatError as error:
            yield UNREADABLE.finding(where, error.problem, offset=item.offset)
            continue
        found[user.name] = user.roles
        if list(user.roles) != sorted(user.roles):
            yield ROLES_ORDER.finding(where, "its roles are not in order", offset=item.offset)
        for role in user.roles:
            if role not in roles and role != ROOT:  # the role root needs no permissions, and need not be made
                yield ROLE_MISSING.finding(
                    where, f"has the role {shown(role)}, which does not exist", offset=item.offset
                )
        if not user.no_password and not user.password_hash.startswith(_BCRYPT):
            yield PASSWORD.finding(where, "no bcrypt hash of a password", offset=item.offset)
    return found


def _check_role(item: Item) -> Iterator[Finding]:
    where = f"role {shown(item.key)}"
    try:
        role = Role.parse(item.key, item.value, offset=item.offset)
    except FormatError as error:
        yield UNREADABLE.finding(where, error.problem, offset=item.offset)
        return
    for permission in role.permissions:
        if permission.type not in set(PermissionType):
            yield PERMISSION.finding(where, f"a permission of unknown type {permission.type}", offset=item.offset)
        if permission.covers_nothing:
            keys = f"from {shown(permission.key)} to {shown(permission.range_end)}"
            yield PERMISSION.finding(where, f"a permission on the empty range {keys}", offset=item.offset)
