"""``etcdtool auth``: users and roles in a snapshot or database, in the words of etcdctl."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etcdtool.cli._groups import command
from etcdtool.cli._lists import LISTED, bool_text, listed, source_argument
from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.printers import Table
from etcdtool.cli.text import printable_bytes, quoted
from etcdtool.model.auth import ROOT, PermissionType
from etcdtool.model.key_range import KeyRange
from etcdtool.operations.cluster_lists import read_authentication
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.model.auth import Permission, Role, User
    from etcdtool.operations.cluster_lists import Authentication

__all__ = ["auth_command"]

_OPEN_END = b"\0"
_READS = {PermissionType.READ, PermissionType.READWRITE}
_WRITES = {PermissionType.WRITE, PermissionType.READWRITE}


@dataclass(frozen=True, slots=True)
class _AuthView:
    found: Authentication

    def simple(self) -> Iterable[str]:
        yield f"Authentication Status: {bool_text(self.found.enabled)}"
        yield f"AuthRevision: {self.found.revision}"
        for user in self.found.users:
            yield ""
            yield f"User: {printable_bytes(user.name)}"
            yield f"Roles: {' '.join(map(printable_bytes, user.roles))}".rstrip()
            yield f"Password: {_password(user)}"
        for role in self.found.roles:
            yield ""
            yield from _role_lines(role)

    def table(self) -> Table:
        rows = [
            ["user", printable_bytes(user.name), "\n".join(map(printable_bytes, user.roles)), _password(user)]
            for user in self.found.users
        ]
        for role in self.found.roles:
            kinds = "\n".join(_kind(one) for one in role.permissions)
            rows.append(["role", printable_bytes(role.name), "\n".join(map(_range, role.permissions)), kinds])
        headers = ["what", "name", "roles or keys", "password or permission"]
        return Table(headers=headers, rows=rows, left=frozenset(range(4)))

    def fields(self) -> Iterable[tuple[str, str]]:
        yield "Enabled", bool_text(self.found.enabled)
        yield "AuthRevision", str(self.found.revision)
        for user in self.found.users:
            yield "", ""
            yield "User", quoted(printable_bytes(user.name))
            for name in user.roles:
                yield "Role", quoted(printable_bytes(name))
            yield "Password", quoted(_password(user))
        for role in self.found.roles:
            yield "", ""
            yield "Role", quoted(printable_bytes(role.name))
            for one in role.permissions:
                yield "PermType", _kind(one)
                yield "Key", quoted(printable_bytes(one.key))
                yield "RangeEnd", quoted(printable_bytes(one.range_end))

    def as_json(self) -> object:
        return {
            "enabled": self.found.enabled,
            "authRevision": self.found.revision,
            "users": [_user_json(user) for user in self.found.users],
            "roles": [
                {**text_or_base64("name", role.name), "permissions": [_json(one) for one in role.permissions]}
                for role in self.found.roles
            ],
        }


def _user_json(user: User) -> dict[str, Any]:
    return {
        **text_or_base64("name", user.name),
        "roles": [printable_bytes(role) for role in user.roles],
        "hasPassword": bool(user.password_hash),
        "noPassword": user.no_password,
    }


def _json(one: Permission) -> dict[str, Any]:
    return {"permType": _kind(one), **text_or_base64("key", one.key), **text_or_base64("range_end", one.range_end)}


def _password(user: User) -> str:
    if user.no_password:
        return "none, only a certificate will do"
    return "set" if user.password_hash else "none"


def _kind(one: Permission) -> str:
    return PermissionType(one.type).name if one.type in set(PermissionType) else str(one.type)


def _role_lines(role: Role) -> Iterable[str]:
    yield f"Role {printable_bytes(role.name)}"
    for title, kinds in (("KV Read:", _READS), ("KV Write:", _WRITES)):
        yield title
        if role.name == ROOT and not role.permissions:
            yield "\t[, <open ended>"  # as etcdctl prints it: root may do everything without a permission
        for one in role.permissions:
            if one.type in kinds:
                yield f"\t{_range(one)}"


def _range(one: Permission) -> str:
    key, end = printable_bytes(one.key), printable_bytes(one.range_end)
    if not one.range_end:
        return key
    shown = f"[{key}, <open ended>" if one.range_end == _OPEN_END else f"[{key}, {end})"
    whole = KeyRange.prefix(one.key)
    return f"{shown} (prefix {key})" if one.key and (whole.end or _OPEN_END) == one.range_end else shown


@command(
    "auth",
    short_help="Show whether authentication is on, users and roles.",
    examples=["etcdtool auth snapshot.db", "etcdtool auth snapshot.db -w json | jq '.users[].name'"],
    exit_codes=LISTED,
)
@source_argument
def auth_command(source: Path) -> None:
    """Show whether authentication is on in SOURCE, its users with their roles, and the roles with their permissions.

    Roles are printed as etcdctl role get prints them. Passwords are not shown, only whether there is one.
    """
    with open_database(source) as database:
        found = read_authentication(database)
    listed(_AuthView(found), found.problems)
