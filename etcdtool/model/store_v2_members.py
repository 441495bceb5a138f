"""What a v2 store says about its cluster: members, removed members, version, users and roles.

``etcdserver/api/membership/store.go``, ``cluster.go`` (``membersFromStore``) and ``etcdserver/api/v2auth`` @ v3.4.45.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError
from etcdtool.model.membership import (
    Member,
    member_id_text,
    parse_attributes,
    parse_member_id,
    parse_raft_attributes,
)

if TYPE_CHECKING:
    from etcdtool.model.store_v2_tree import Node, Tree

__all__ = [
    "ATTRIBUTES",
    "RAFT_ATTRIBUTES",
    "VERSION_PATH",
    "auth_counts",
    "cluster_version",
    "has_auth",
    "is_attributes_path",
    "is_auth_enabled",
    "member_path",
    "members",
    "removed_member_path",
    "removed_members",
]

VERSION_PATH = "/0/version"
ATTRIBUTES = "attributes"
RAFT_ATTRIBUTES = "raftAttributes"
_MEMBERS_PATH = "/0/members"
_REMOVED_MEMBERS_PATH = "/0/removed_members"
# upstream does not anchor it, so a client's key of that shape is taken for a member's attributes as well
_ATTRIBUTES_PATH = re.compile("/0/members/[0-9A-Fa-f]{1,16}/attributes")


def is_attributes_path(path: str) -> bool:
    """Tell whether servers take a PUT of this path for attributes that a member publishes."""
    return "/0/members/" in path and _ATTRIBUTES_PATH.search(path) is not None


def member_path(number: int) -> str:
    """Return where a member stands."""
    return f"{_MEMBERS_PATH}/{member_id_text(number)}"


def removed_member_path(number: int) -> str:
    """Return where a removed member leaves its id."""
    return f"{_REMOVED_MEMBERS_PATH}/{member_id_text(number)}"


def members(store: Tree) -> dict[int, Member]:
    """Return the members that the store knows, by id.

    Raises:
        FormatError: what stands there is none; every server stops at it.
    """
    found = {}
    for name, node in _visible_children(store, _MEMBERS_PATH):
        number = parse_member_id(name)
        fields = node.children or {}
        values = {}
        for field, child in fields.items():
            if field[:1] == "_":
                continue
            if field not in {ATTRIBUTES, RAFT_ATTRIBUTES} or child.children is not None:
                raise FormatError("v2 store", f"unknown key {_MEMBERS_PATH}/{name}/{field}")
            values[field] = child.value
        if RAFT_ATTRIBUTES not in values:
            raise FormatError("v2 store", f"{_MEMBERS_PATH}/{name} has no {RAFT_ATTRIBUTES}")
        raft = parse_raft_attributes(values[RAFT_ATTRIBUTES])
        member = Member(id=number, peer_urls=raft.peer_urls or (), is_learner=raft.is_learner)
        if ATTRIBUTES in values:
            member = member.with_attributes(parse_attributes(values[ATTRIBUTES]))
        found[number] = member
    return found


def removed_members(store: Tree) -> set[int]:
    """Return the ids of members that were removed and may not come back."""
    return {parse_member_id(name) for name, _ in _visible_children(store, _REMOVED_MEMBERS_PATH)}


def cluster_version(store: Tree) -> str | None:
    """Return the version the cluster agreed on ("3.4.0"), None before it did."""
    node = store.find(VERSION_PATH)
    return None if node is None else node.value


def has_auth(store: Tree) -> bool:
    """Tell whether v2 users or roles are there, or v2 auth was ever switched on or off."""
    pending = [node for name, node in (store.root.children or {}).items() if name == "2"]
    for node in pending:
        if node.children is None:
            return True
        pending.extend(node.children.values())
    return False


def auth_counts(store: Tree) -> tuple[int, int]:
    """Return how many v2 users and roles there are."""
    users, roles = store.find("/2/users"), store.find("/2/roles")
    return len((users and users.children) or ()), len((roles and roles.children) or ())


def is_auth_enabled(store: Tree) -> bool:
    """Tell whether v2 auth is on."""
    node = store.find("/2/enabled")
    return node is not None and node.value == "true"


def _visible_children(store: Tree, path: str) -> list[tuple[str, Node]]:
    node = store.find(path)
    children = {} if node is None else node.children or {}
    return [(name, child) for name, child in children.items() if name[:1] != "_"]
