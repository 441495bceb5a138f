"""A digest of the clients' nodes of a v2 store, by which a conversion's report is known to be of a tree.

SHA-256 over one msgpack array a node, in the order of `etcdtool.model.store_v2_nodes`:
``[path, value, is_directory, created_index, modified_index, expires]``, bytes as bytes, ``expires`` nil for a permanent
node.  Everything that a client can see of a node is in it, and nothing that depends on when it is looked at.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.model.conversion import Node

__all__ = ["digest_nodes"]

_BATCH = 1 << 12
_fields = attrgetter("path", "value", "is_directory", "created_index", "modified_index", "expires")


def digest_nodes(nodes: Iterable[Node]) -> str:
    """Return ``sha256:`` and 64 hexadecimal digits; nodes are to come as a store gives them."""
    digest = hashlib.sha256()
    encode = msgspec.msgpack.Encoder().encode
    encoded = map(encode, map(_fields, nodes))
    while batch := b"".join(islice(encoded, _BATCH)):
        digest.update(batch)
    return f"sha256:{digest.hexdigest()}"
