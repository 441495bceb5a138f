"""Answers of the v2 API, ``GET /v2/keys/…?recursive=true``, put together to a tree of nodes.

An answer leaves hidden nodes out unless it was asked for one by name, so several answers may be given together; where
two of them tell of the same node they must agree.  Format: ``server/etcdserver/api/v2store/node_extern.go`` @ v3.5.33.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from etcdtool.errors import FormatError
from etcdtool.model.gotext import parse_time
from etcdtool.model.store_v2_tree import INDEX_MAX, PERMANENT, Instant, Node, clean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Dump", "merge", "parse_dump"]

_DEPTH_MAX = 1000
"""Names in a path; a dump or a ``.snap`` nested deeper is no JSON that etcd itself could read back."""

_Index = Annotated[int, msgspec.Meta(ge=0, le=INDEX_MAX)]


class _Extern(msgspec.Struct, rename={"created_index": "createdIndex", "modified_index": "modifiedIndex"}):
    """A node as the API shows it."""

    key: str = "/"
    value: str | None = None
    dir: bool = False
    expiration: str | None = None
    nodes: list[_Extern] | None = None
    created_index: _Index = 0
    modified_index: _Index = 0


class _Answer(msgspec.Struct, rename={"error_code": "errorCode"}):
    action: str = ""
    node: _Extern | None = None
    error_code: int = 0
    message: str = ""
    cause: str = ""


class Dump(msgspec.Struct, frozen=True):
    """One answer.

    Attributes:
        name: the file it came from.
        top: the node that was asked for.
    """

    name: str
    top: _Extern


_decoder = msgspec.json.Decoder(_Answer)


def parse_dump(data: memoryview, name: str) -> Dump:
    """Read one answer.

    Raises:
        FormatError: no JSON, another kind of JSON, or an error that the server answered.
    """
    try:
        answer = _decoder.decode(bytes(data).removeprefix(b"\xef\xbb\xbf"))
    except RecursionError:
        raise FormatError("JSON dump", "nested too deep", where=name) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError("JSON dump", str(error), where=name, hint="Give an answer of GET /v2/keys.") from None
    if answer.error_code:
        raise FormatError(
            "JSON dump", f"holds the server's error {answer.error_code}: {answer.message} ({answer.cause})", where=name
        )
    if answer.node is None:
        raise FormatError("JSON dump", "has no member node", where=name, hint="Give an answer of GET /v2/keys.")
    return Dump(name, answer.node)


def merge(dumps: Sequence[Dump]) -> tuple[Node, int]:
    """Put answers together.

    Returns:
        The node of ``/`` of a store, keys under ``/1``, and the highest index seen.

    Raises:
        FormatError: two answers differ about a node, or a node is not below the one that holds it.
    """
    keys = Node(children={})
    highest = 0
    for dump in dumps:
        pending = [(dump.top, "")]
        while pending:
            extern, above = pending.pop()
            path = clean(extern.key)
            if not path.startswith(above) or path == above:
                raise FormatError("JSON dump", f"{path} is listed below {above.rstrip('/') or '/'}", where=dump.name)
            _place(keys, path, extern, dump.name)
            highest = max(highest, extern.modified_index)
            pending += [(child, path.rstrip("/") + "/") for child in extern.nodes or ()]
    return Node(children={"0": Node(children={}), "1": keys}), highest


def _place(keys: Node, path: str, extern: _Extern, name: str) -> None:
    if path == "/":
        return
    *above, last = path.split("/")[1:]
    if len(above) >= _DEPTH_MAX:
        raise FormatError("JSON dump", f"a key lies more than {_DEPTH_MAX} directories deep", where=name)
    children = keys.children
    assert children is not None
    for part in above:
        # a hidden node that was asked for by name comes without the directories above it: 0 says "not told"
        node = children.setdefault(part, Node(children={}))
        if node.children is None:
            raise FormatError("JSON dump", f"{part} in {path} is a key elsewhere", where=name)
        children = node.children
    node = _node_of(extern, name)
    known = children.get(last)
    if known is None:
        children[last] = node
    elif known.children is not None and known.modified_index == 0 and node.children is not None:
        node.children = known.children
        children[last] = node
    elif not _agree(known, node):
        raise FormatError(
            "JSON dump",
            f"{path} is told differently in another dump",
            where=name,
            hint="Dumps given together must be of one moment.",
        )


def _node_of(extern: _Extern, name: str) -> Node:
    expires = PERMANENT
    if extern.expiration is not None:
        try:
            expires = Instant(parse_time(extern.expiration))
        except ValueError as error:
            raise FormatError(
                "JSON dump", f"{extern.key} has expiration {extern.expiration!r}: {error}", where=name
            ) from None
    if extern.created_index == 0 or extern.modified_index == 0:
        raise FormatError("JSON dump", f"{extern.key} has no createdIndex or modifiedIndex", where=name)
    is_directory = extern.dir or extern.nodes is not None
    return Node(
        extern.created_index,
        extern.modified_index,
        expires,
        "" if is_directory else extern.value or "",
        {} if is_directory else None,
    )


def _agree(known: Node, node: Node) -> bool:
    return (
        (known.children is None) == (node.children is None)
        and known.value == node.value
        and known.created_index == node.created_index
        and known.modified_index == node.modified_index
        and known.expires == node.expires
    )
