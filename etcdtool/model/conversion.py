"""The contract between the conversion engine and its converters.

The engine hands every node of a v2 store to the first converter of the chain that claims it.
A converter answers each node it claimed with one or more `Put`, or with one `Skipped`; the engine fails the run when a
node was given neither, so nothing can vanish.
A converter imports this module and `etcdtool.errors`, nothing else of etcdtool.

What the engine has done before a converter sees a node: ``--prefix`` was applied, expired nodes were taken out (they
are in `ConversionContext.expired`), and ``--ttl`` was applied to `Node.expires`.
What the engine does with the puts: it turns v2 indexes into revisions, gives ``sub`` to puts of one index in key order,
makes one lease for each put that expires, and refuses two puts of one key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence  # noqa: TC003  msgspec and users read these at run time
from enum import Enum
from typing import Protocol, runtime_checkable

import msgspec

from etcdtool.findings import Finding, Severity

__all__ = [
    "AFTER_ALL",
    "ConversionContext",
    "Converter",
    "Directories",
    "Finding",
    "Node",
    "Outcome",
    "Put",
    "Severity",
    "Skipped",
]

AFTER_ALL = -1
"""As an index of a `Put`: a revision of its own behind every v2 index, in the order the puts are given."""


class Directories(Enum):
    """What becomes of v2 directories, which v3 does not have."""

    SKIP = "skip"
    MARKER = "marker"


class Node(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One node of the v2 key space, as its clients named it.

    Attributes:
        path: the client's path, ``b"/foo/bar"``; bytes, because v2 never asked for UTF-8.
        value: the value of a file, ``b""`` for a directory.
        is_directory: whether it is a directory.
        child_count: nodes directly in it, hidden ones included; 0 for a file.
        created_index, modified_index: v2 indexes (``X-Etcd-Index`` counts these, not raft's).
        expires: unix nanoseconds at which it goes: its own TTL or that of a directory above, the nearer one.
            None: permanent (or ``--ttl permanent`` was chosen).
    """

    path: bytes
    value: bytes
    is_directory: bool
    child_count: int
    created_index: int
    modified_index: int
    expires: int | None


class Put(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One key to be written for a node.

    Attributes:
        node: the node it is made from.
        key, value: what v3 will serve.
        created_index, modified_index: v2 indexes that become the create and mod revision, or `AFTER_ALL` for both.
        expires: unix nanoseconds, or None for a permanent key.
    """

    node: Node
    key: bytes
    value: bytes
    created_index: int
    modified_index: int
    expires: int | None


class Skipped(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A node that becomes no key, and why ("directory", "empty directory", ...).

    Attributes:
        node: the node.
        reason: a few words; the report counts nodes by it.
    """

    node: Node
    reason: str


Outcome = Put | Skipped | Finding


class ConversionContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the user chose, and what a converter may need to know of the whole.

    Attributes:
        directories: ``--directories``.
        strip_prefix, add_prefix: ``--strip-prefix`` and ``--add-prefix``, ``b""`` when not given.
        tokens: ``--token OLD=NEW``: discovery tokens that get another name.
        as_of: unix nanoseconds at which TTLs are looked at.
        expired: claimed nodes that were already expired at ``as_of``; the engine has counted and named them.
        outside: claimed nodes that ``--prefix`` leaves out; likewise.
    """

    directories: Directories = Directories.SKIP
    strip_prefix: bytes = b""
    add_prefix: bytes = b""
    tokens: Mapping[str, str] = msgspec.field(default_factory=dict)
    as_of: int = 0
    expired: Sequence[Node] = ()
    outside: Sequence[Node] = ()


@runtime_checkable
class Converter(Protocol):
    """Turns the v2 nodes it claims into v3 puts.

    Attributes:
        name: what ``-c`` calls it.
        summary: one line for ``etcdtool converters``.
    """

    name: str
    summary: str

    def claims(self, node: Node) -> bool:
        """Tell whether this converter answers for the node; called once a node, so keep it cheap."""
        ...

    def convert(self, nodes: Sequence[Node], context: ConversionContext) -> Iterator[Outcome]:
        """Yield a `Put` or a `Skipped` for each node claimed, in path order as given, and findings along the way."""
        ...
