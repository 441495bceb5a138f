"""Which v2 requests of a log etcd 3.6 and 3.7 stop at. That they do is shown in tests/compat/test_v2_check.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import samples
from support.v2_log import History, v2_request, write_member
from support.wal_files import read_segments

from etcdtool.errors import FormatError
from etcdtool.formats import wal
from etcdtool.formats.wire import etcdserver_pb2, raft_internal_pb2
from etcdtool.model.raft_log import V2Request, parse_request
from etcdtool.model.v2_leftovers import is_of_members, is_taken_by_3_6, is_taken_by_3_7, v2_requests_behind

if TYPE_CHECKING:
    from pathlib import Path

ATTRIBUTES = '{"name":"default","clientURLs":["http://127.0.0.1:2379"]}'


def request(method: str, path: str, value: str = "") -> bytes:
    message = etcdserver_pb2.Request.FromString(v2_request(method, "/", value))
    message.Path = path.encode()
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("data", "of_members", "taken_by_3_6", "taken_by_3_7"),
    [
        (request("PUT", "/0/members/8e9e05c52164694d/attributes", ATTRIBUTES), True, True, False),
        (request("PUT", "/0/version", "3.5.0"), True, True, False),
        # allowed by the check, and 3.6 stops at it nevertheless
        (request("PUT", "/0/members/8e9e05c52164694d/attributes", "no JSON"), True, False, False),
        (request("PUT", "/0/members/8e9e05c52164694d/attributes/more", ATTRIBUTES), True, False, False),
        (request("PUT", "/0/version", "three"), True, False, False),
        # a client's key that looks like a member's
        (request("PUT", "/1/a/0/members/ab/attributes", ATTRIBUTES), True, True, False),
        (request("PUT", "/0/version/", "3.5.0"), False, False, False),
        (request("DELETE", "/0/version"), False, False, False),
        (request("PUT", "/1/a", "1"), False, False, False),
        (request("POST", "/1/a", "1"), False, False, False),
        (request("QGET", "/1/a"), False, False, False),
        (request("SYNC", ""), False, False, True),
    ],
)
def test_judgement(data: bytes, of_members: bool, taken_by_3_6: bool, taken_by_3_7: bool) -> None:
    parsed = parse_request(data)
    assert isinstance(parsed, V2Request)
    assert is_of_members(parsed) == of_members
    assert is_taken_by_3_6(parsed) == taken_by_3_6
    assert is_taken_by_3_7(data) == taken_by_3_7


def test_wrapped_request_is_nothing_to_3_7() -> None:
    wrapped = raft_internal_pb2.InternalRaftRequest(ID=7)
    wrapped.v2.ParseFromString(request("PUT", "/0/version", "3.5.0"))
    data = wrapped.SerializeToString()
    assert isinstance(parsed := parse_request(data), V2Request)
    assert is_taken_by_3_6(parsed)
    assert not is_taken_by_3_7(data)


def test_only_v2_requests_behind_the_index(tmp_path: Path) -> None:
    history = History().with_voters(1).put("/a", "1").no_op().v3_put(b"a", b"1").quorum_get("/a").put("/b", "2")
    log = wal.scan(read_segments(write_member(tmp_path, 1, history, commit=5) / "member/wal"))
    found = list(v2_requests_behind(log, 2))
    assert [(one.index, one.term, one.request.method, one.request.path) for one in found] == [
        (5, 1, "QGET", "/1/a"),
        (6, 1, "PUT", "/1/b"),
    ]
    assert all(one.refused_by == {(3, 6), (3, 7)} for one in found)
    assert [one.index for one in v2_requests_behind(log, 0)] == [2, 5, 6]


def test_entry_that_is_no_request_is_named(tmp_path: Path) -> None:
    history = History().with_voters(1).put("/a", "1")
    history._add(b"\x12\xff")
    log = wal.scan(read_segments(write_member(tmp_path, 1, history, commit=3) / "member/wal"))
    with pytest.raises(FormatError, match="in raft entry 3"):
        list(v2_requests_behind(log, 0))


def test_log_of_3_5_has_its_own_two_only() -> None:
    log = wal.scan(read_segments(samples.unpack("v3/3.5/data.tar.gz") / "member/wal"))
    found = list(v2_requests_behind(log, 0))
    assert {one.request.path.rsplit("/", 1)[1] for one in found} == {"attributes", "version"}
    assert all(one.of_members and one.refused_by == {(3, 7)} for one in found)


def test_log_of_3_7_has_none() -> None:
    log = wal.scan(read_segments(samples.unpack("v3/3.7/data.tar.gz") / "member/wal"))
    assert log.entry_count
    assert not list(v2_requests_behind(log, 0))
