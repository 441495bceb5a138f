"""v2 nodes for tests: from what real servers answered, and by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etcdtool.model.conversion import Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def file(
    path: str | bytes, value: str | bytes = b"", *, created: int = 5, modified: int = 0, expires: int | None = None
) -> Node:
    return Node(
        path=_bytes(path),
        value=_bytes(value),
        is_directory=False,
        child_count=0,
        created_index=created,
        modified_index=modified or created,
        expires=expires,
    )


def directory(path: str | bytes, *, children: int = 1, created: int = 4) -> Node:
    return Node(
        path=_bytes(path),
        value=b"",
        is_directory=True,
        child_count=children,
        created_index=created,
        modified_index=created,
        expires=None,
    )


def tree(files: Iterable[Node]) -> list[Node]:
    """Add the directories that the files lie in, and sort by path."""
    found = {node.path: node for node in files}
    children: dict[bytes, set[bytes]] = {}
    for leaf in list(found):
        path = leaf
        while path.count(b"/") > 1:
            parent = path.rpartition(b"/")[0]
            children.setdefault(parent, set()).add(path)
            path = parent
    for path, below in children.items():
        found.setdefault(path, directory(path, children=len(below)))
    return [found[path] for path in sorted(found)]


def from_answers(*answers: Mapping[str, Any]) -> list[Node]:
    """Give the nodes of recorded ``GET /v2/keys/…?recursive=true`` responses together, by path, without the root."""
    found: dict[bytes, Node] = {}
    for answer in answers:
        for node in _walk(answer["response"]["node"]):
            found.setdefault(node.path, node)
    return [found[path] for path in sorted(found) if path]


def _walk(node: Mapping[str, Any]) -> Iterable[Node]:
    below = node.get("nodes", [])
    yield Node(
        path=node.get("key", "").encode(),
        value=node.get("value", "").encode(),
        is_directory=node.get("dir", False),
        child_count=len(below),
        created_index=node.get("createdIndex", 0),
        modified_index=node.get("modifiedIndex", 0),
        expires=_nanoseconds(node["expiration"]) if "expiration" in node else None,
    )
    for child in below:
        yield from _walk(child)


def _nanoseconds(text: str) -> int:
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0") or 0)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
