"""What of clients is in a v2 store: keys, hidden ones too, and users and roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.model.node_digest import digest_nodes
from etcdtool.model.store_v2 import auth_counts, is_auth_enabled, iter_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.model.conversion import Node
    from etcdtool.model.store_v2 import Store

__all__ = ["V2Content", "counted", "holds_more_than_members"]

_NAMED_AT_MOST = 5


@dataclass(slots=True, kw_only=True)
class V2Content:
    """What a v2 store holds besides its cluster's members.

    Attributes:
        keys, directories: nodes of clients, hidden ones included.
        hidden: how many of both are hidden, or in a hidden directory.
        users, roles: of v2 auth.
        auth_enabled: whether v2 auth is on.
        digest: of the nodes, as a conversion's report has it; "" where there are none.
        first: paths of the first nodes.
        index: the store's index.
    """

    keys: int = 0
    directories: int = 0
    hidden: int = 0
    users: int = 0
    roles: int = 0
    auth_enabled: bool = False
    digest: str = ""
    first: tuple[str, ...] = ()
    index: int = 0

    @property
    def nodes(self) -> int:
        """Keys and directories."""
        return self.keys + self.directories

    @property
    def has_auth(self) -> bool:
        """Whether there are users or roles, or auth is on: an empty folder of them is nobody's loss."""
        return bool(self.users or self.roles or self.auth_enabled)

    def described(self) -> str:
        """Return ``3 keys and 1 directory, 4 of them hidden (/_etcd, …)`` for a person."""
        hidden = f", {self.hidden} of them hidden" if self.hidden else ""
        more = ", ..." if self.nodes > len(self.first) else ""
        named = f" ({', '.join(self.first)}{more})" if self.first else ""
        return f"{counted(self.keys, 'key')} and {counted(self.directories, 'directory')}{hidden}{named}"

    @classmethod
    def of(cls, store: Store) -> V2Content:
        """Count what is in a store."""
        users, roles = auth_counts(store)
        content = cls(users=users, roles=roles, auth_enabled=is_auth_enabled(store), index=store.current_index)
        digest = digest_nodes(content._counted(iter_nodes(store)))
        content.digest = digest if content.nodes else ""
        return content

    def _counted(self, nodes: Iterator[Node]) -> Iterator[Node]:
        keys = directories = hidden = 0
        first: list[str] = []
        for node in nodes:
            keys += not node.is_directory
            directories += node.is_directory
            hidden += b"/_" in node.path
            if len(first) < _NAMED_AT_MOST:
                first.append(node.path.decode("utf-8", "backslashreplace"))
            yield node
        self.keys, self.directories, self.hidden, self.first = keys, directories, hidden, tuple(first)


def counted(number: int, noun: str) -> str:
    """Return ``1 directory`` or ``2 directories``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun != "key" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def holds_more_than_members(store: Store) -> bool:
    """Tell whether a server would find anything besides members and version, be it an empty folder of v2 auth."""
    children = store.root.children or {}
    return bool(children["1"].children or children.keys() - {"0", "1"})
