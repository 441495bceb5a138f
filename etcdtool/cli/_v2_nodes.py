"""A v2 node in the words of the v2 API (``NodeExtern``, ``server/etcdserver/api/v2store/node_extern.go`` @ v3.5.33).

Two things differ, because nothing may be lost: a key or value that is no UTF-8 stands base64-encoded under ``key_b64``
or ``value_b64``, and directories list their hidden nodes too.
"""

from __future__ import annotations

import base64
import posixpath
from typing import TYPE_CHECKING, Any

from etcdtool.cli.times import rfc3339

if TYPE_CHECKING:
    from etcdtool.model.conversion import Node

__all__ = ["clean_key", "is_hidden", "is_under", "node_json", "text_or_base64", "ttl_seconds"]

_SECOND_NS = 1_000_000_000


def node_json(node: Node, own_expires: int | None, *, with_value: bool = True) -> dict[str, Any]:
    """Return the node as the v2 API's JSON has it; ``expiration`` is its own, as v2 shows it.

    Args:
        node: the node.
        own_expires: unix nanoseconds of its own TTL, not of one above it.
        with_value: False leaves the value out and gives its ``size`` in bytes.
    """
    record = text_or_base64("key", node.path)
    if node.is_directory:
        record["dir"] = True
    elif with_value:
        record.update(text_or_base64("value", node.value))
    else:
        record["size"] = len(node.value)
    record["createdIndex"] = node.created_index
    record["modifiedIndex"] = node.modified_index
    if own_expires is not None:
        record["expiration"] = rfc3339(own_expires)
    return record


def text_or_base64(name: str, data: bytes) -> dict[str, Any]:
    """Return ``{name: text}``, or ``{name_b64: …}`` for bytes that are no UTF-8."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_b64": base64.b64encode(data).decode()}


def ttl_seconds(expires: int, as_of: int) -> int:
    """Return the remaining seconds, rounded up as v2 does; zero and below when it has expired."""
    return -((as_of - expires) // _SECOND_NS)


def clean_key(key: bytes) -> bytes:
    """Return a key as the v2 store names it: ``a//b/`` is ``/a/b``."""
    cleaned = posixpath.normpath(b"/" + key)
    return cleaned.replace(b"//", b"/", 1) if cleaned.startswith(b"//") else cleaned


def is_hidden(key: bytes) -> bool:
    """Tell whether v2 leaves the key out when its parent is listed: a name on its path starts with ``_``."""
    return b"/_" in key


def is_under(key: bytes, prefix: bytes) -> bool:
    """Tell whether ``key`` is ``prefix`` or lies in that directory."""
    return prefix in (b"/", key) or key.startswith(prefix + b"/")
