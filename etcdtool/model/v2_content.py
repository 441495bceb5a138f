"""What of clients is in a v2 store, and what of that the checks of etcd look at.

A GET leaves out nodes whose name begins with ``_``, and the checks list the store by a GET: what lies under such a name
is hidden from them.
Upstream: ``IsMetaStoreOnly`` in ``server/etcdserver/api/membership/storev2.go`` @ v3.5.18, v3.5.33, v3.6.14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.model.store_v2_tree import Node, Tree

__all__ = ["StoredPath", "custom_paths", "is_custom", "stored_paths"]

_MEMBERS, _AUTH = "0", "2"
_AUTH_FOLDERS = ("/2/users", "/2/roles")


class StoredPath(NamedTuple):
    """A node that is no member's.

    Attributes:
        path: with the namespace: ``/1/foo``.
        is_directory: whether it is one.
        is_hidden: whether its name or one above begins with ``_``.
    """

    path: str
    is_directory: bool
    is_hidden: bool


def stored_paths(store: Tree) -> Iterator[StoredPath]:
    """Yield all keys and directories of clients, hidden ones too, and users and roles of v2 auth, in order.

    Without ``/1`` itself, and without what v2 auth leaves behind when it holds nobody.
    """
    for name, node in sorted((store.root.children or {}).items()):
        if name != _MEMBERS:
            for found in _below(f"/{name}", node, is_hidden=name.startswith("_")):
                if name != _AUTH or found.path.startswith(tuple(f"{folder}/" for folder in _AUTH_FOLDERS)):
                    yield found


def custom_paths(store: Tree) -> Iterator[StoredPath]:
    """Yield what makes 3.6 refuse a store, and the check of 3.5 from 3.5.22 on: empty for a store that passes."""
    for name, children in _listed(store):
        if name != _AUTH:
            yield from _visible(f"/{name}", children)
            continue
        for folder, node in sorted(children.items()):
            yield from _visible(f"/{name}/{folder}", _shown(node))


def is_custom(store: Tree, *, auth_folders_count: bool = False) -> bool:
    """Tell whether the check calls it custom content; up to 3.5.21 even empty folders of v2 auth counted."""
    if auth_folders_count:
        return any(children for _, children in _listed(store))
    return next(custom_paths(store), None) is not None


def _listed(store: Tree) -> Iterator[tuple[str, dict[str, Node]]]:
    """Yield the namespaces that a GET of ``/`` lists, but for the members', each with what it lists in them."""
    for name, node in sorted((store.root.children or {}).items()):
        if name != _MEMBERS and not name.startswith("_"):
            yield name, _shown(node)


def _shown(node: Node) -> dict[str, Node]:
    return {name: child for name, child in (node.children or {}).items() if not name.startswith("_")}


def _visible(path: str, children: dict[str, Node]) -> Iterator[StoredPath]:
    for name, node in sorted(children.items()):
        yield StoredPath(f"{path}/{name}", node.children is not None, is_hidden=False)
        yield from (found for found in _below(f"{path}/{name}", node, is_hidden=False) if not found.is_hidden)


def _below(path: str, node: Node, *, is_hidden: bool) -> Iterator[StoredPath]:
    """Yield what is below a node, depth first."""
    pending = [(path, is_hidden, iter(sorted((node.children or {}).items())))]
    while pending:
        prefix, hidden, children = pending[-1]
        for name, child in children:
            here = f"{prefix}/{name}"
            is_below_hidden = hidden or name.startswith("_")
            yield StoredPath(here, child.children is not None, is_below_hidden)
            if child.children:
                pending.append((here, is_below_hidden, iter(sorted(child.children.items()))))
                break
        else:
            pending.pop()
