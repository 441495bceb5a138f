"""The clients' nodes of a v2 store, as the conversion and the export take them."""

from __future__ import annotations

from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING

from etcdtool.model import conversion
from etcdtool.model.store_v2_tree import PERMANENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.model.store_v2_tree import Node, Tree

__all__ = ["iter_nodes", "iter_nodes_and_own_expiry"]


def iter_nodes(store: Tree) -> Iterator[conversion.Node]:
    """Yield every client's node, hidden ones too, depth first, children in byte order of their names.

    ``/`` itself is not a node.  ``expires`` is the nearest of the node's own expiry and those of the directories above.
    """
    return (node for node, _ in iter_nodes_and_own_expiry(store))


def iter_nodes_and_own_expiry(store: Tree, *, consume: bool = False) -> Iterator[tuple[conversion.Node, int | None]]:
    """Yield the nodes of `iter_nodes`, each with its own expiry in unix nanoseconds, which is what a GET shows.

    With ``consume`` the store gives each node up as it is yielded, so that a large one is never in memory twice.
    """
    namespace = (store.root.children or {}).get("1")
    if namespace is None or namespace.children is None:
        return
    pending: list[tuple[bytes, int | None, Iterator[tuple[bytes, Node]]]] = [
        (b"/", None, _in_byte_order(namespace.children, consume=consume))
    ]
    while pending:
        prefix, inherited, children = pending[-1]
        for name, node in children:
            path = prefix + name
            own = expires = None
            if node.expires != PERMANENT:
                own = expires = int(node.expires)
            if inherited is not None and (expires is None or inherited < expires):
                expires = inherited
            below = node.children
            yield (
                conversion.Node(
                    path=path,
                    value=node.value.encode("utf-8", "surrogateescape"),
                    is_directory=below is not None,
                    child_count=0 if below is None else len(below),
                    created_index=node.created_index,
                    modified_index=node.modified_index,
                    expires=expires,
                ),
                own,
            )
            if below:
                pending.append((path + b"/", expires, _in_byte_order(below, consume=consume)))
                break
        else:
            pending.pop()


def _in_byte_order(children: dict[str, Node], *, consume: bool) -> Iterator[tuple[bytes, Node]]:
    named = [(name.encode("utf-8", "surrogateescape"), node) for name, node in children.items()]
    named.sort(key=itemgetter(0), reverse=consume)
    if not consume:
        return iter(named)
    children.clear()
    return map(list.pop, repeat(named, len(named)))
