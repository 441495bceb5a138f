"""``member list`` and ``auth``: who is in the cluster, and who may do what, as a database has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError
from etcdtool.formats.bbolt import cursor
from etcdtool.model import schema
from etcdtool.model.auth import Role, User, parse_enabled, parse_revision
from etcdtool.model.compactions import read_bucket
from etcdtool.model.membership import Member, parse_member, parse_member_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.operations.status import HasImage

    Found = TypeVar("Found")

__all__ = ["Authentication", "Members", "list_members", "read_authentication"]


@dataclass(frozen=True, slots=True)
class Members:
    """The members of a cluster.

    Attributes:
        members: by id.
        removed: ids of those that are not to come back, ascending.
        problems: what stands in the buckets and cannot be read.
    """

    members: list[Member]
    removed: list[int]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Authentication:
    """Users and roles.

    Attributes:
        enabled: whether a server asks who is there.
        revision: counts the changes; 0 where no server has written it yet.
        users, roles: by name.
        problems: what stands in the buckets and cannot be read.
    """

    enabled: bool
    revision: int
    users: list[User]
    roles: list[Role]
    problems: list[str]


def list_members(database: HasImage) -> Members:
    """Return the members.

    Raises:
        FormatError: a bucket cannot be walked.
    """
    problems: list[str] = []
    image = database.image
    members = _parsed(image, schema.MEMBERS, lambda _, value: parse_member(value), problems)
    removed = _parsed(image, schema.MEMBERS_REMOVED, lambda key, _: _id(key), problems)
    return Members(sorted(members, key=lambda member: member.id), sorted(removed), problems)


def read_authentication(database: HasImage) -> Authentication:
    """Return users, roles, and whether they count.

    Raises:
        FormatError: a bucket cannot be walked.
    """
    problems: list[str] = []
    image = database.image
    settings = read_bucket(image, schema.AUTH)
    enabled, revision = False, None
    try:
        enabled = parse_enabled(settings)
        revision = parse_revision(settings)
    except FormatError as error:
        problems.append(error.message)
    users = _parsed(image, schema.AUTH_USERS, User.parse, problems)
    roles = _parsed(image, schema.AUTH_ROLES, Role.parse, problems)
    return Authentication(enabled, revision or 0, users, roles, problems)


def _parsed(image: Image, name: bytes, parse: Callable[[bytes, bytes], Found], problems: list[str]) -> list[Found]:
    found = []
    bucket = cursor.root_buckets(image).get(name)
    for item in cursor.iter_items(image, bucket) if bucket is not None else ():
        try:
            found.append(parse(item.key, bytes(item.value)))
        except FormatError as error:
            problems.append(f"bucket {name.decode()}, offset {item.offset:#x}: {error.message}")
    return found


def _id(key: bytes) -> int:
    return parse_member_id(key.decode("utf-8", "surrogateescape"))
