"""The v2 store's JSON: what a ``.snap`` file holds, read and written.

``{"Root": node, "WatcherHub": …, "CurrentIndex": n, "Stats": …, "CurrentVersion": 2}``, see
``etcdserver/api/v2store/store.go`` @ v3.4.45, ``Save`` and ``Recovery``.  ``Path`` of a node is not read: the names
that lead to it are its path.  The watchers' event queue and the statistics are not read either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec

from etcdtool.errors import FormatError, as_message
from etcdtool.model.gotext import ZERO_TIME_TEXT, format_time, json_string, parse_time
from etcdtool.model.store_v2_tree import INDEX_MAX, PERMANENT, Instant, Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Recovered", "StoredNode", "dump", "recover"]

REPLACEMENT = "\ufffd"
_REPLACEMENT_IN_JSON = (rb"\ufffd", rb"\uFFFD", REPLACEMENT.encode())
_PATH_IN_JSON = b'"Path":"'
_PIECE_SIZE = 1 << 20
_EVENT_QUEUE_CAPACITY = 1000
_COUNTERS = (
    *("getsSuccess", "getsFail", "setsSuccess", "setsFail", "deleteSuccess", "deleteFail"),
    *("updateSuccess", "updateFail", "createSuccess", "createFail"),
    *("compareAndSwapSuccess", "compareAndSwapFail", "compareAndDeleteSuccess", "compareAndDeleteFail"),
    *("expireCount", "watchers"),
)


class StoredNode(NamedTuple):
    """A node with its path."""

    path: str
    node: Node


class Recovered(NamedTuple):
    """What was read from the JSON of a store.

    Attributes:
        root: the node of ``/``; ``/0`` and ``/1`` are there, as a server makes sure.
        current_index: the store's index.
        expiring: nodes with an expiry.
        replaced: nodes with U+FFFD in name or value, which upstream writes for each byte that is no UTF-8.
        duplicates: nodes that the JSON holds and nobody can reach, since a later one has the same name; it happens
            where names differed only in bytes that became U+FFFD.
    """

    root: Node
    current_index: int
    expiring: list[StoredNode]
    replaced: list[StoredNode]
    duplicates: int


class _File(msgspec.Struct, rename={"root": "Root", "current_index": "CurrentIndex"}):
    root: Node = msgspec.field(default_factory=Node)
    # counted on by a replay, so there must be room
    current_index: Annotated[int, msgspec.Meta(ge=0, le=INDEX_MAX >> 1)] = 0


def _instant(_: type, text: object) -> Instant:
    if text == ZERO_TIME_TEXT:
        return PERMANENT
    if not isinstance(text, str):
        raise ValueError("no RFC 3339 time")  # noqa: TRY004  msgspec adds the JSON path to a ValueError
    return Instant(parse_time(text))


_decoder = msgspec.json.Decoder(_File, dec_hook=_instant)


def recover(data: bytes | memoryview) -> Recovered:
    """Read a store's JSON.

    Raises:
        FormatError: no JSON, or not a store's; the message has the path in the JSON.
    """
    try:
        stored = _decoder.decode(data)
    except RecursionError:
        raise FormatError("v2 store", "nested too deep") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError("v2 store", as_message(str(error))) from None
    root = stored.root
    if root.expires != PERMANENT:
        raise FormatError("v2 store", "the root has an expiry - at `$.Root.ExpireTime`")
    recovered = _survey(root, stored.current_index, data)
    root.children = children = {"0": Node(children={}), "1": Node(children={}), **(root.children or {})}
    for name in ("0", "1"):
        if children[name].children is None:
            raise FormatError("v2 store", f"/{name} is no directory - at `$.Root.Children[{name}]`")
    return recovered


def _survey(root: Node, current_index: int, data: bytes | memoryview) -> Recovered:
    expiring: list[StoredNode] = []
    replaced: list[StoredNode] = []
    look_for_replaced = any(_count(data, text) for text in _REPLACEMENT_IN_JSON)
    node_count = 1
    for prefix, children in _directories(root):
        node_count += len(children)
        for name, node in children.items():
            if node.expires != PERMANENT:
                expiring.append(StoredNode(f"{prefix}/{name}", node))
            if look_for_replaced and (REPLACEMENT in node.value or REPLACEMENT in name):
                replaced.append(StoredNode(f"{prefix}/{name}", node))
    # each node as etcd writes it has a Path; events have "key"
    duplicates = max(0, _count(data, _PATH_IN_JSON) - node_count)
    return Recovered(root, current_index, expiring, replaced, duplicates)


def _count(data: bytes | memoryview, text: bytes) -> int:
    """Count a text piece by piece: a copy of the whole would be the largest thing in memory, a pattern is slow."""
    overlap = len(text) - 1
    return sum(
        bytes(data[start : start + _PIECE_SIZE + overlap]).count(text) for start in range(0, len(data), _PIECE_SIZE)
    )


def _directories(root: Node) -> Iterator[tuple[str, dict[str, Node]]]:
    pending = [("", root.children or {})]
    while pending:
        prefix, children = pending.pop()
        yield prefix, children
        pending += [(f"{prefix}/{name}", node.children) for name, node in children.items() if node.children is not None]


def dump(
    root: Node, current_index: int, *, created: Sequence[StoredNode] = (), stats: Mapping[str, int] | None = None
) -> bytes:
    """Write a store's JSON as upstream does; a byte that is no UTF-8 becomes U+FFFD, as it does there.

    Args:
        root: the node of ``/``.
        current_index: the store's index.
        created: what the history of watchers holds: files, in the order in which they were created, 1,000 at the most.
        stats: counters that are not 0.
    """
    counted = dict.fromkeys(_COUNTERS, 0) | dict(stats or {})
    counters = ",".join(f'"{counter}":{count}' for counter, count in counted.items())
    parts = ['{"Root":']
    parts += _dump_nodes(root)
    parts.append(
        f',"WatcherHub":{{"EventHistory":{_dump_history(created)}}},"CurrentIndex":{current_index},'
        f'"Stats":{{{counters}}},"CurrentVersion":2}}'
    )
    return "".join(parts).encode()


def _dump_history(created: Sequence[StoredNode]) -> str:
    size = len(created)
    assert size < _EVENT_QUEUE_CAPACITY
    events = ",".join([*map(_dump_creation, created), *["null"] * (_EVENT_QUEUE_CAPACITY - size)])
    first, last = (created[0].node.modified_index, created[-1].node.modified_index) if created else (0, 0)
    return (
        f'{{"Queue":{{"Events":[{events}],"Size":{size},"Front":0,"Back":{size},'
        f'"Capacity":{_EVENT_QUEUE_CAPACITY}}},"StartIndex":{first},"LastIndex":{last}}}'
    )


def _dump_creation(stored: StoredNode) -> str:
    node = stored.node
    return (
        f'{{"action":"create","node":{{"key":{json_string(stored.path)},"value":{json_string(node.value)},'
        f'"modifiedIndex":{node.modified_index},"createdIndex":{node.created_index}}}}}'
    )


def _dump_nodes(root: Node) -> Iterator[str]:
    """Yield the JSON of a tree in pieces; a stack of its own, since a path may have more names than Python frames."""
    yield _dump_fields("/", root)
    pending = [("", _sorted_children(root))]
    separator = ""
    while pending:
        prefix, children = pending[-1]
        named = next(children, None)
        if named is None:
            pending.pop()
            separator = ","
            yield "}}"
            continue
        name, node = named
        path = f"{prefix}/{name}"
        yield f"{separator}{json_string(name)}:{_dump_fields(path, node)}"
        separator = ","
        if node.children is None:
            yield "null}"
        else:
            pending.append((path, _sorted_children(node)))
            separator = ""


def _dump_fields(path: str, node: Node) -> str:
    return (
        f'{{"Path":{json_string(path)},"CreatedIndex":{node.created_index},"ModifiedIndex":{node.modified_index},'
        f'"ExpireTime":"{format_time(node.expires)}","Value":{json_string(node.value)},"Children":'
        f"{'' if node.children is None else '{'}"
    )


def _sorted_children(node: Node) -> Iterator[tuple[str, Node]]:
    assert node.children is not None
    return iter(sorted(node.children.items(), key=lambda named: named[0].encode("utf-8", "surrogateescape")))
