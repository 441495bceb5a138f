"""Which v2 requests lie behind an index of the raft log, and which of them etcd 3.6 and 3.7 stop at.

Servers up to 3.5 write v2 requests of their own: member attributes at every start, ``/0/version`` at every change of
the cluster's version.  A later server reads all entries behind its newest snapshot again when it starts:

* 3.6 turns these two into v3 requests and stops at any other, a quorum read or a SYNC too
  (``v2ToV3Request``, ``server/etcdserver/apply_v2.go`` @ v3.6.14);
* 3.7 knows v3 requests only.  What is a path in a v2 request is a range request there, and a path does not parse as
  one; a SYNC has none, so it parses as an empty range request and is skipped
  (``server/etcdserver/apply/apply.go`` @ v3.7.1);
* ``etcdutl check v2store`` allows the same two as 3.6 (``etcdutl/etcdutl/check_command.go`` @ v3.5.33).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from etcdtool.errors import FormatError
from etcdtool.formats.raft import EntryType
from etcdtool.formats.wire import raft_internal_pb2
from etcdtool.model.keyvalue_encoding import encode_varint
from etcdtool.model.membership import normalise_version, parse_attributes, parse_member_id
from etcdtool.model.protofields import LENGTH, VARINT, iter_fields
from etcdtool.model.raft_log import V2Request, parse_request
from etcdtool.model.store_v2_members import VERSION_PATH, is_attributes_path
from etcdtool.model.store_v2_tree import clean
from etcdtool.model.v2_request import parse_canonical_v2_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.formats.wal import Scan
    from etcdtool.model.schema import Version

__all__ = ["LoggedV2Request", "is_of_members", "is_taken_by_3_6", "is_taken_by_3_7", "judge", "v2_requests_behind"]

_ID, _V2 = 1, 2
_REQUEST = raft_internal_pb2.InternalRaftRequest
_WITHOUT_EFFECT = ("range", "auth_user_get", "auth_role_get", "auth_status")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedV2Request:
    """A v2 request of the log.

    Attributes:
        index, term: its place in the log.
        request: what it asks for.
        of_members: whether it is one of the two that servers write themselves.
        refused_by: the versions among 3.6 and 3.7 that stop at it.
    """

    index: int
    term: int
    request: V2Request
    of_members: bool
    refused_by: frozenset[Version]


def v2_requests_behind(log: Scan, index: int) -> Iterator[LoggedV2Request]:
    """Yield the v2 requests of all entries with a higher index, committed or not.

    An entry behind the commit index may or may not come to be applied; a member alone in its cluster applies it.

    Raises:
        FormatError: an entry that parses as no request, at which every server stops.
    """
    for entry in log.entries(index + 1):
        if entry.type != EntryType.NORMAL or not entry.data:
            continue
        data = bytes(entry.data)
        try:
            request = parse_request(data)
        except FormatError as error:
            raise error.at(f"raft entry {entry.index}") from error
        if isinstance(request, V2Request):
            yield judge(entry.index, entry.term, request, data)


def judge(index: int, term: int, request: V2Request, data: bytes) -> LoggedV2Request:
    """Say which versions stop at a v2 request; ``data`` are those of its entry."""
    takers = {(3, 6): is_taken_by_3_6(request), (3, 7): is_taken_by_3_7(data)}
    return LoggedV2Request(
        index=index,
        term=term,
        request=request,
        of_members=is_of_members(request),
        refused_by=frozenset(version for version, takes in takers.items() if not takes),
    )


def is_of_members(request: V2Request) -> bool:
    """Tell whether it is a PUT of member attributes or of the cluster's version, as the real check tells."""
    return request.method == "PUT" and (request.path == VERSION_PATH or is_attributes_path(request.path))


def is_taken_by_3_6(request: V2Request) -> bool:
    """Tell whether 3.6 gets past it, whichever members there are."""
    if not is_of_members(request):
        return False
    try:
        if is_attributes_path(request.path):
            parse_member_id(clean(request.path).rsplit("/", 2)[1])
            parse_attributes(request.value)
        else:
            normalise_version(request.value)
    except FormatError:
        return False
    return True


def is_taken_by_3_7(data: bytes) -> bool:
    """Tell whether 3.7 gets past an entry's data that hold a v2 request: by taking them for a read of the v3 API."""
    canonical = parse_canonical_v2_request(data)
    if canonical is not None and canonical.path.startswith("/"):
        return False  # "/" would begin field 5 of a range request with a wire type that there is not
    outer, has_id = bytearray(), False
    for number, wire_type, content in iter_fields(data):
        if number == _ID and wire_type == VARINT:
            has_id = content != 0
        elif number != _V2 and wire_type == LENGTH:  # other wire types are unknown fields to it, and so is field 2
            assert isinstance(content, bytes)
            outer += encode_varint(number << 3 | LENGTH) + encode_varint(len(content)) + content
    try:
        request = _REQUEST.FromString(bytes(outer))
    except DecodeError:
        return False
    return (has_id or request.HasField("header")) and any(request.HasField(name) for name in _WITHOUT_EFFECT)
