"""Members of a cluster: their ids, and the JSON in which the v2 store, the ``members`` bucket and the log hold them.

See ``etcdserver/api/membership/{member,store,cluster}.go`` @ v3.4.45.  An id is made from peer URLs and the cluster
token, see `member_id`; it prints as hex without padding.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import msgspec

from etcdtool.errors import FormatError
from etcdtool.model.gotext import json_string

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Attributes",
    "Member",
    "RaftAttributes",
    "cluster_id",
    "member_id",
    "member_id_text",
    "normalise_version",
    "parse_attributes",
    "parse_member",
    "parse_member_id",
    "parse_raft_attributes",
]

_ID_SIZE = 8
_MEMBER_ID = re.compile(r"[0-9a-fA-F]+")
_U64_MAX = (1 << 64) - 1
_SEMANTIC_VERSION = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})(-[^+]+)?(\+.+)?", re.ASCII)


class RaftAttributes(msgspec.Struct, frozen=True, rename={"peer_urls": "peerURLs", "is_learner": "isLearner"}):
    """What raft needs to know of a member."""

    peer_urls: tuple[str, ...] | None = None
    is_learner: bool = False

    def as_json(self) -> str:
        """The JSON as Go writes it."""
        learner = ',"isLearner":true' if self.is_learner else ""
        return f'{{"peerURLs":{_json_strings(self.peer_urls)}{learner}}}'


class Attributes(msgspec.Struct, frozen=True, rename={"client_urls": "clientURLs"}):
    """What a member publishes about itself once it has started."""

    name: str | None = ""
    client_urls: tuple[str, ...] | None = None

    def as_json(self) -> str:
        """The JSON as Go writes it."""
        fields = []
        if self.name:
            fields.append(f'"name":{json_string(self.name)}')
        if self.client_urls:
            fields.append(f'"clientURLs":{_json_strings(self.client_urls)}')
        return f"{{{','.join(fields)}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member.

    Attributes:
        id: unsigned 64 bits.
        peer_urls: as the cluster knows them.
        name, client_urls: "" and () until the member has published them.
        is_learner: it does not vote yet.
        is_promote: in a configuration change only: a learner becomes a voter.
    """

    id: int
    peer_urls: tuple[str, ...] = ()
    name: str = ""
    client_urls: tuple[str, ...] = ()
    is_learner: bool = False
    is_promote: bool = False

    @property
    def raft_attributes(self) -> RaftAttributes:
        """Its part that raft needs."""
        return RaftAttributes(self.peer_urls or None, self.is_learner)

    def with_attributes(self, attributes: Attributes) -> Member:
        """The member with what it published."""
        return replace(self, name=attributes.name or "", client_urls=attributes.client_urls or ())

    def as_json(self) -> str:
        """The JSON of the ``members`` bucket and of a configuration change's context, as Go writes it."""
        raft_attributes, attributes = self.raft_attributes.as_json(), Attributes(self.name, self.client_urls).as_json()
        fields = [f'"id":{self.id}', raft_attributes[1:-1], attributes[1:-1]]
        return f"{{{','.join(filter(None, fields))}}}"


class _MemberJSON(
    msgspec.Struct,
    rename={"peer_urls": "peerURLs", "is_learner": "isLearner", "client_urls": "clientURLs", "is_promote": "isPromote"},
):
    id: Annotated[int, msgspec.Meta(ge=0)] = 0
    peer_urls: tuple[str, ...] | None = None
    is_learner: bool = False
    name: str | None = ""
    client_urls: tuple[str, ...] | None = None
    is_promote: bool = False


_member_decoder = msgspec.json.Decoder(_MemberJSON)
_attributes_decoder = msgspec.json.Decoder(Attributes)
_raft_attributes_decoder = msgspec.json.Decoder(RaftAttributes)


def member_id(peer_urls: Iterable[str], token: str, *, added_at_seconds: int | None = None) -> int:
    """Return the id etcd derives for a member.

    Args:
        peer_urls: as Go prints them; their order does not matter.
        token: the cluster token; v2 discovery takes the whole discovery URL for it, v3 discovery the bare token.
        added_at_seconds: unix time, for one added by ``member add``.
    """
    hashed = "".join(sorted(peer_urls, key=str.encode)) + token
    if added_at_seconds is not None:
        hashed += str(added_at_seconds)
    return _first_bytes_of_sha1(hashed.encode("utf-8", "surrogateescape"))


def cluster_id(member_ids: Iterable[int]) -> int:
    """Return the id of the cluster that these members found."""
    return _first_bytes_of_sha1(b"".join(number.to_bytes(_ID_SIZE, "big") for number in sorted(member_ids)))


def member_id_text(number: int) -> str:
    """Return an id as etcd prints it: hex without padding."""
    return f"{number:x}"


def parse_member_id(text: str) -> int:
    """Read an id; FormatError where etcd would panic."""
    if _MEMBER_ID.fullmatch(text) is None or len(text.lstrip("0")) > 2 * _ID_SIZE:
        raise FormatError("member id", f"{text[:80]!r} is no 64 bit hex number")
    return int(text, 16)


def parse_member(data: str | bytes | memoryview) -> Member:
    """Read a member's JSON, or that of a configuration change's context."""
    try:
        stored = _member_decoder.decode(_utf8(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError("member", str(error)) from None
    if stored.id > _U64_MAX:
        raise FormatError("member", "an id beyond 64 bits")
    return Member(
        id=stored.id,
        peer_urls=stored.peer_urls or (),
        name=stored.name or "",
        client_urls=stored.client_urls or (),
        is_learner=stored.is_learner,
        is_promote=stored.is_promote,
    )


def parse_attributes(data: str | bytes | memoryview) -> Attributes:
    """Read what a member published."""
    try:
        return _attributes_decoder.decode(_utf8(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError("member attributes", str(error)) from None


def parse_raft_attributes(data: str | bytes | memoryview) -> RaftAttributes:
    """Read what raft needs to know of a member."""
    try:
        return _raft_attributes_decoder.decode(_utf8(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError("member raft attributes", str(error)) from None


def normalise_version(text: str) -> str:
    """Return a semantic version as Go's semver prints it; FormatError where etcd would panic."""
    match = _SEMANTIC_VERSION.fullmatch(text)
    if match is None:
        raise FormatError("cluster version", f"{text[:80]!r} is no semantic version")
    numbers = ".".join(str(int(number)) for number in match.group(1, 2, 3))
    return numbers + (match[4] or "") + (match[5] or "")


def _json_strings(texts: tuple[str, ...] | None) -> str:
    return "null" if texts is None else f"[{','.join(map(json_string, texts))}]"


def _utf8(data: str | bytes | memoryview) -> bytes | memoryview:
    return data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data


def _first_bytes_of_sha1(data: bytes) -> int:
    return int.from_bytes(hashlib.sha1(data, usedforsecurity=False).digest()[:_ID_SIZE], "big")
