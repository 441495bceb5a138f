"""The registry of v2 discovery: which nodes are tokens, registrations, sizes, and which are none of these.

The layout and its reading are those of ``server/etcdserver/api/v2discovery/discovery.go`` @ v3.5.33, what a v3 client
makes of a value those of ``…/v3discovery/discovery.go`` @ v3.6.14.  A token may hold slashes, so it is found by its
``_config``; below a root without one, each directory is taken for a token whose size is missing.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.converters._peer_urls import member_id, parse_registration, shown
from etcdtool.errors import FormatError
from etcdtool.model.conversion import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from etcdtool.model.conversion import ConversionContext, Finding, Node

__all__ = ["Record", "Registration", "Registry", "Token", "parse_size", "registrations_of", "state_of"]

_SIZE_MAX = (1 << 63) - 1
_SIZE = re.compile(rb"\+?0*([1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One member that registered.

    Attributes:
        node: its v2 node.
        name: the member's name, "" when the value is no registration.
        urls: its peer URLs as Go prints them, sorted.
        v2_id, v3_id: the id it registered under, and the one of a v3 client; hex without padding, "" if unknown.
        problem: why it becomes no record, or "".
    """

    node: Node
    name: str = ""
    urls: tuple[str, ...] = ()
    v2_id: str
    v3_id: str = ""
    problem: str = ""

    @property
    def created_index(self) -> int:
        """Its turn: the first ``size`` by this index are the cluster."""
        return self.node.created_index


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One discovery token, as a person wants to see it.

    Attributes:
        token, v3_token: its name, and the one it gets (``--token OLD=NEW``).
        size: how many members make the cluster, None when that is not said in a way a v3 client reads.
        state: "unused", "waiting 2 of 5", "complete", "over-full", "size missing" or "bad size".
        members: who registered, in order of created index.
        problems: findings about this token.
    """

    token: bytes
    v3_token: bytes
    size: int | None
    state: str
    members: tuple[Registration, ...]
    problems: tuple[Finding, ...]


@dataclass(slots=True)
class Record:
    """The nodes of one token.

    Attributes:
        path, token: of its directory in v2; the path below the root.
        is_live: whether any node of it is there still.
        size: the node of ``_config/size``.
        members: files that v2 clients take for registrations.
        strays: other visible nodes, which v2 clients would trip over and v3 clients never see.
        expired: registrations whose TTL has run out.
    """

    path: bytes
    token: bytes
    is_live: bool = False
    size: Node | None = None
    members: list[Node] = field(default_factory=list)
    strays: list[Node] = field(default_factory=list)
    expired: list[Node] = field(default_factory=list)


class Registry:
    """Sorts the nodes under a root into tokens, once, when it is made.

    Attributes:
        records: by token; those of which only expired nodes are known are in ``expired_records``.
        skipped: directories and hidden keys, which become nothing.
        loose: files directly under the root, which belong to no token.
    """

    def __init__(self, root: bytes, nodes: Sequence[Node], context: ConversionContext) -> None:
        self.root = root
        self.skipped: list[Skipped] = []
        self.loose: list[Node] = []
        self._by_path: dict[bytes, Record] = {}
        self._paths = _paths_with_config(root, nodes)
        self._path_set = frozenset(self._paths)
        self._lengths = sorted({len(path) for path in self._paths}, reverse=True)
        for node in nodes:
            self._place(node)
        for node in context.expired:
            self._place_expired(node)
        records = [self._by_path[path] for path in sorted(self._by_path)]
        self.records = [record for record in records if record.is_live]
        self.expired_records = [record for record in records if not record.is_live]

    def _place(self, node: Node) -> None:
        token_path, rest = self._split(node.path)
        if not token_path or (node.is_directory and self._leads_to_token(node.path)):
            self._skip_directory(node)
        elif not rest and not node.is_directory:
            self.loose.append(node)
        else:
            record = self._record(token_path)
            record.is_live = True
            self._place_in(record, node, rest)

    def _place_in(self, record: Record, node: Node, rest: bytes) -> None:
        if rest == b"_config/size" and not node.is_directory:
            record.size = node
        elif node.is_directory and (not rest or rest.startswith(b"_")):
            self._skip_directory(node)
        elif rest.startswith(b"_"):
            # hidden: v2 clients never saw it in the token's listing, and v3 clients do not ask for it
            self.skipped.append(Skipped(node=node, reason="not read by discovery"))
        elif b"/" not in rest and not node.is_directory:
            record.members.append(node)
        else:
            record.strays.append(node)

    def _place_expired(self, node: Node) -> None:
        token_path, rest = self._split(node.path)
        if rest and not node.is_directory and b"/" not in rest and not rest.startswith(b"_"):
            self._record(token_path).expired.append(node)

    def _record(self, token_path: bytes) -> Record:
        record = self._by_path.get(token_path)
        if record is None:
            record = self._by_path[token_path] = Record(token_path, token_path[len(self.root) + 1 :])
        return record

    def _skip_directory(self, node: Node) -> None:
        self.skipped.append(Skipped(node=node, reason="directory" if node.child_count else "empty directory"))

    def _split(self, path: bytes) -> tuple[bytes, bytes]:
        """Return the path of the token that a node belongs to ("" above tokens), and what follows it."""
        if not path.startswith(self.root + b"/"):
            return b"", b""
        for length in self._lengths:
            if path[length : length + 1] in {b"", b"/"} and path[:length] in self._path_set:
                return path[:length], path[length + 1 :]
        end = path.find(b"/", len(self.root) + 1)
        return (path, b"") if end < 0 else (path[:end], path[end + 1 :])

    def _leads_to_token(self, path: bytes) -> bool:
        below = path + b"/"
        position = bisect.bisect_left(self._paths, below)
        return position < len(self._paths) and self._paths[position].startswith(below)


def _paths_with_config(root: bytes, nodes: Iterable[Node]) -> list[bytes]:
    """Return, sorted, the paths with a ``_config`` in them: the tokens, which may hold slashes."""
    paths = set()
    for node in nodes:
        position = (node.path + b"/").find(b"/_config/", len(root))
        if position > len(root):
            paths.add(node.path[:position])
    return sorted(paths)


def registrations_of(record: Record, v3_token: bytes) -> tuple[Registration, ...]:
    """Return what registered under a token, in order of created index, with the ids a v3 client computes."""
    found: list[Registration] = []
    by_id: dict[str, Registration] = {}
    for node in sorted(record.members, key=lambda member: (member.created_index, member.path)):
        v2_id = shown(node.path.rpartition(b"/")[2])
        try:
            name, urls = parse_registration(node.value)
        except FormatError as error:
            found.append(Registration(node=node, v2_id=v2_id, problem=error.problem))
            continue
        v3_id = member_id(urls, v3_token)
        earlier = by_id.get(v3_id)
        problem = f"same peer urls as {earlier.v2_id}, which registered earlier" if earlier else ""
        found.append(Registration(node=node, name=name, urls=urls, v2_id=v2_id, v3_id=v3_id, problem=problem))
        by_id.setdefault(v3_id, found[-1])
    return tuple(found)


def parse_size(value: bytes) -> int | None:
    """Return the size as a v3 client reads it: ``strconv.ParseInt`` above zero."""
    match = _SIZE.fullmatch(value)
    size = int(match[1]) if match else 0
    return size if 0 < size <= _SIZE_MAX else None


def state_of(record: Record, size: int | None, count: int) -> str:
    """Return the state of a token with so many registrations that become records."""
    if size is None:
        return "size missing" if record.size is None else "bad size"
    if not count:
        return "unused"
    if count < size:
        return f"waiting {count} of {size}"
    return "complete" if count == size else "over-full"
