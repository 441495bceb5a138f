"""The v2 store: recovered from a ``.snap``, changed by the entries of the raft log, listed for export.

How requests become operations: ``etcdserver/apply_v2.go``; how configuration changes do:
``etcdserver/api/membership/{cluster,store}.go``; both @ v3.4.45 and @ v3.5.33, which count the same indexes.  Where a
server would panic, this raises FormatError: a log with such an entry is one that no server got past.

Namespaces: ``/0`` members and cluster version, ``/1`` clients' keys, ``/2`` v2 users and roles.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError
from etcdtool.model.membership import (
    Attributes,
    Member,
    normalise_version,
    parse_attributes,
    parse_member,
    parse_member_id,
)
from etcdtool.model.raft_log import (
    ConfChange,
    ConfChangeType,
    Request,
    V2Request,
    V3Request,
    parse_member_attributes_set,
    parse_version_set,
)
from etcdtool.model.store_v2_json import StoredNode, dump, recover
from etcdtool.model.store_v2_members import (
    ATTRIBUTES,
    RAFT_ATTRIBUTES,
    VERSION_PATH,
    auth_counts,
    cluster_version,
    has_auth,
    is_attributes_path,
    is_auth_enabled,
    member_path,
    members,
    removed_member_path,
    removed_members,
)
from etcdtool.model.store_v2_nodes import iter_nodes, iter_nodes_and_own_expiry
from etcdtool.model.store_v2_tree import PERMANENT, RAFT_INTERNAL, Event, Instant, Node, Tree, V2Error, clean

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PERMANENT",
    "Event",
    "Instant",
    "Node",
    "Store",
    "V2Error",
    "auth_counts",
    "clean",
    "cluster_version",
    "has_auth",
    "is_auth_enabled",
    "iter_nodes",
    "iter_nodes_and_own_expiry",
    "members",
    "removed_members",
]

_FIRST_VERSION_REFUSING_DIRECTORY_UPDATES = (3, 5)
_LEARNERS_MAX = 1


class Store(Tree):
    """A v2 store.

    Attributes:
        duplicates: nodes lost in the ``.snap`` itself, see `Recovered`.
    """

    __slots__ = ("_replaced", "duplicates")

    def __init__(self) -> None:
        super().__init__()
        self._replaced: list[tuple[StoredNode, str]] = []
        self.duplicates = 0

    @classmethod
    def recover(cls, data: bytes | memoryview) -> Store:
        """Read the data of a ``.snap``; what has expired stays until the next SYNC.

        Raises:
            FormatError: no JSON of a store.
        """
        store = cls()
        recovered = recover(data)
        store.root = recovered.root
        store.current_index = recovered.current_index
        store._await(recovered.expiring)
        store._replaced = [(stored, stored.node.value) for stored in recovered.replaced]
        store.duplicates = recovered.duplicates
        return store

    def replaced_characters(self) -> Iterator[str]:
        """Yield the paths of nodes that still are as the ``.snap`` had them, with U+FFFD in name or value.

        Upstream wrote that for each byte that was no UTF-8, and nothing tells it from a U+FFFD of the client's own.
        """
        for (path, node), value in self._replaced:
            if node.value is value and self.find(path) is node:
                yield path

    def apply(self, request: Request) -> Event | V2Error | None:
        """Apply an entry; give what the client was answered, None where nobody asked (SYNC, members' own entries).

        Raises:
            FormatError: an entry at which every server stops.
        """
        if isinstance(request, V2Request):
            try:
                return self._apply_v2(request)
            except V2Error as error:
                return error
        if isinstance(request, V3Request):
            self._apply_v3(request)
        return None

    def apply_conf_change(self, change: ConfChange) -> str | None:
        """Apply a change of the members; give the reason where servers refuse it, which changes nothing.

        Raises:
            FormatError: a change at which every server stops.
        """
        known = members(self)
        member = Member(id=change.node_id)
        if change.type is not ConfChangeType.REMOVE_NODE:
            member = parse_member(change.context)
        reason = _refusal(change, member, known, removed_members(self))
        if reason is not None:
            return reason
        if member.id != change.node_id:
            raise FormatError("configuration change", f"for {change.node_id:x}, with member {member.id:x} in it")
        path = member_path(member.id)
        try:
            if change.type is ConfChangeType.REMOVE_NODE:
                self.delete(path, recursive=True)
                self.create(removed_member_path(member.id))
            elif change.type is ConfChangeType.UPDATE_NODE or member.is_promote:
                new = member if change.type is ConfChangeType.UPDATE_NODE else _promoted(known[member.id])
                self.update(f"{path}/{RAFT_ATTRIBUTES}", value=new.raft_attributes.as_json())
            else:
                self.create(f"{path}/{RAFT_ATTRIBUTES}", value=member.raft_attributes.as_json())
        except V2Error as error:
            raise FormatError("configuration change", f"for member {member.id:x}: {error.message}") from None
        return None

    def dump_json(self) -> bytes:
        """Return the JSON that a ``.snap`` of this store holds; an empty event queue, statistics at zero."""
        return dump(self.root, self.current_index)

    def _apply_v2(self, request: V2Request) -> Event | V2Error | None:  # noqa: PLR0911  one return a method
        method = request.method
        if method == "PUT":
            return self._put(request)
        if method == "POST":
            return self.create(
                request.path, directory=request.dir, value=request.value, unique=True, expires=_expires(request)
            )
        if method == "DELETE":
            if request.prev_index or request.prev_value:
                return self.compare_and_delete(
                    request.path, previous_value=request.prev_value, previous_index=request.prev_index
                )
            return self.delete(request.path, directory=request.dir, recursive=request.recursive)
        if method == "QGET":
            return self.get(request.path)
        if method == "SYNC":
            self.delete_expired(request.time)
            return None
        return V2Error(RAFT_INTERNAL, "etcdserver: unknown method", 0)

    def _put(self, request: V2Request) -> Event | None:  # noqa: PLR0911  one return a method
        path, value, expires = request.path, request.value, _expires(request)
        if request.prev_exist is False:
            return self.create(path, directory=request.dir, value=value, expires=expires)
        refresh = request.refresh is True
        if request.prev_index or request.prev_value:
            return self.compare_and_swap(
                path,
                previous_value=request.prev_value,
                previous_index=request.prev_index,
                value=value,
                expires=expires,
                refresh=refresh,
            )
        if request.prev_exist:
            return self._update(path, value, expires, refresh=refresh)
        if is_attributes_path(path):
            number = parse_member_id(clean(path).rsplit("/", 2)[1])
            self._set_attributes(number, parse_attributes(value))
            return None
        if path == VERSION_PATH:
            self.set(path, value=normalise_version(value))
            return None
        if refresh:
            return self.set(path, directory=request.dir, value=value, expires=expires, refresh=True)
        return self._create("set", path, request.dir, value, expires)

    def _update(self, path: str, value: str, expires: Instant, *, refresh: bool) -> Event:
        node = self.find(path)
        if node is None or node.children is None:
            return self.update(path, value=value, expires=expires, refresh=refresh)
        # the log does not say which version applied it: the cluster's version at that time is the nearest
        version = tuple(map(int, re.findall(r"\d+", cluster_version(self) or "")[:2]))
        return self.update(
            path, value=value, expires=expires, directories=version < _FIRST_VERSION_REFUSING_DIRECTORY_UPDATES
        )

    def _apply_v3(self, request: V3Request) -> None:
        if request.kind == "cluster_version_set":
            self.set(VERSION_PATH, value=normalise_version(parse_version_set(request.body)))
        elif request.kind == "cluster_member_attr_set":
            self._set_attributes(*parse_member_attributes_set(request.body))

    def _set_attributes(self, number: int, attributes: Attributes) -> None:
        if self.find(member_path(number)) is not None:
            self.set(f"{member_path(number)}/{ATTRIBUTES}", value=attributes.as_json())
        elif self.find(removed_member_path(number)) is None:
            raise FormatError("raft entry", f"attributes of member {number:x}, which the log does not know")


def _expires(request: V2Request) -> Instant:
    return Instant(request.expiration) if request.expiration else PERMANENT


def _promoted(learner: Member) -> Member:
    return Member(id=learner.id, peer_urls=learner.peer_urls)


def _refusal(  # noqa: PLR0911  one return a reason
    change: ConfChange, member: Member, known: dict[int, Member], removed: set[int]
) -> str | None:
    """Return why servers refuse a change when it comes up in the log, in their words (``errors.go``)."""
    if change.node_id in removed:
        return "membership: ID removed"
    current = known.get(change.node_id)
    is_addition = change.type in {ConfChangeType.ADD_NODE, ConfChangeType.ADD_LEARNER_NODE} and not member.is_promote
    if is_addition != (current is None):
        return "membership: ID exists" if is_addition else "membership: ID not found"
    if change.type is ConfChangeType.REMOVE_NODE:
        return None
    if change.type is not ConfChangeType.UPDATE_NODE and member.is_promote:
        return None if current is not None and current.is_learner else "membership: can only promote a learner member"
    taken = {url for other in known.values() if other.id != change.node_id for url in other.peer_urls}
    if taken.intersection(member.peer_urls):
        return "membership: peerURL exists"
    if is_addition and member.is_learner and sum(other.is_learner for other in known.values()) >= _LEARNERS_MAX:
        return "membership: too many learner members in cluster"
    return None
