"""What entries of the raft log are taken for, compared with the generated parser and with real logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from etcdtool.errors import FormatError
from etcdtool.formats.wal import Segment, scan
from etcdtool.formats.wire import etcdserver_pb2, membership_pb2, raft_internal_pb2, raft_pb2
from etcdtool.model.membership import Attributes
from etcdtool.model.raft_log import (
    EMPTY,
    ConfChange,
    ConfChangeType,
    V2Request,
    V3Request,
    parse_conf_change,
    parse_member_attributes_set,
    parse_request,
    parse_version_set,
)
from etcdtool.model.v2_request import parse_canonical_v2_request, parse_v2_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOGS = ["v2-rich/2.3/data-killed", "v2-rich/3.2/data-killed", "v2-rich/3.4/data-killed", "v2-auth/3.4/data"]
V3_LOGS = ["v3/3.2/data", "v3/3.4/data", "v3/3.5/data", "v3/3.6/data", "v3/3.7/data"]


def entries(data_dir: Path) -> Iterator[tuple[int, bytes]]:
    files = sorted((data_dir / "member/wal").glob("*.wal"))
    log = scan([Segment.named(file.name, memoryview(file.read_bytes())) for file in files])
    return ((entry.type, bytes(entry.data)) for entry in log.entries())


def as_request(message: etcdserver_pb2.Request) -> V2Request:
    def text(data: bytes) -> str:
        return data.decode("utf-8", "surrogateescape")

    return V2Request(
        method=text(message.Method),
        path=text(message.Path),
        value=text(message.Val),
        dir=message.Dir,
        prev_value=text(message.PrevValue),
        prev_index=message.PrevIndex,
        prev_exist=message.PrevExist if message.HasField("PrevExist") else None,
        expiration=message.Expiration,
        recursive=message.Recursive,
        sorted=message.Sorted,
        quorum=message.Quorum,
        time=message.Time,
        refresh=message.Refresh if message.HasField("Refresh") else None,
    )


@pytest.mark.parametrize("name", LOGS)
def test_v2_requests_of_real_logs(name: str, sample: Callable[[str], Path]) -> None:
    methods = set()
    for entry_type, data in entries(sample(f"{name}.tar.gz")):
        if entry_type or not data:
            continue
        request = parse_request(data)
        if isinstance(request, V2Request):
            assert request == as_request(etcdserver_pb2.Request.FromString(data))
            assert request == parse_v2_request(data)
            methods.add(request.method)
            if len(request.value) < 16_384:
                assert parse_canonical_v2_request(data) == request, "real requests should not need the slow way"
    assert methods >= {"PUT", "QGET"}


@pytest.mark.parametrize("name", V3_LOGS)
def test_v3_requests_of_real_logs(name: str, sample: Callable[[str], Path]) -> None:
    kinds = set()
    for entry_type, data in entries(sample(f"{name}.tar.gz")):
        if entry_type:
            message = raft_pb2.ConfChange.FromString(data)
            change = parse_conf_change(entry_type, data)
            assert (change.type, change.node_id, change.context) == (message.type, message.node_id, message.context)
            continue
        request = parse_request(data)
        if isinstance(request, V3Request):
            internal = raft_internal_pb2.InternalRaftRequest.FromString(data)
            assert internal.HasField(request.kind)
            kinds.add(request.kind)
    assert kinds >= {"put", "txn", "delete_range", "compaction", "lease_grant", "auth_enable"}


def test_no_data_asks_for_nothing() -> None:
    assert parse_request(b"") is EMPTY
    assert parse_request(memoryview(b"")) is EMPTY


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "QGET", "SYNC", "WHAT"])
def test_both_forms_of_a_v2_request(method: str) -> None:
    message = etcdserver_pb2.Request(ID=1 << 63, Method=method.encode(), Path=b"/1/a\xff", Val=b"v" * 200, Dir=False)
    message.PrevExist, message.Refresh, message.Expiration, message.Time = False, True, -1, 1 << 62
    expected = as_request(message)
    assert expected.path == "/1/a\udcff"
    assert parse_request(message.SerializeToString()) == expected
    wrapped = raft_internal_pb2.InternalRaftRequest(v2=message)
    assert parse_request(wrapped.SerializeToString()) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x08\x05", V3Request("")),
        (b"\xa2\x06\x02\x08\x05\x22\x03\x0a\x01a", V3Request("put")),
        (b"\x22\x00\x1a\x00", V3Request("put")),
        (b"\xd2\x0f\x00", V3Request("")),  # an unknown field
        (b"\x12\x00", V2Request()),  # an embedded request without a method
        (b"\x12\x03PUT", V2Request(method="PUT")),
        (b"\x1a\x02/1\x12\x03PUT", V2Request(method="PUT", path="/1")),  # no order is asked for
        (b"\x12\x05\x12\x03PUT\x12\x04\x1a\x02/1", V2Request(method="PUT", path="/1")),  # two parts, merged
        (b"\x28\x01\x12\x03PUT", V2Request(method="PUT", dir=True)),
        (b"\x12\x03PUT\x9b\x01\x08\x05\x9c\x01", V2Request(method="PUT")),  # an unknown group
    ],
)
def test_recognition(data: bytes, expected: object) -> None:
    assert parse_request(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",
        b"\x08" + b"\xff" * 11,
        b"\x12\x7fPUT",
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01PUT",
        b"\x00\x01",
        b"\x0c",
        b"\x9b\x01\x08",
        b"\x9b\x01" * 100_000,
        b"\x0f",
        b"\x08\x01\x12\x03PUT\x1a\x02/1\x22\x01",
        b"\x10\x01",  # the method as a number: neither form
    ],
)
def test_what_no_server_reads(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_request(data)


def test_configuration_changes() -> None:
    message = raft_pb2.ConfChange(type=raft_pb2.ConfChangeUpdateNode, node_id=1 << 63, context=b"{}")
    expected = ConfChange(type=ConfChangeType.UPDATE_NODE, node_id=1 << 63, context=b"{}")
    assert parse_conf_change(1, message.SerializeToString()) == expected
    assert parse_conf_change(1, b"") == ConfChange(type=ConfChangeType.ADD_NODE, node_id=0)
    for entry_type, data in ((2, b""), (7, b""), (1, b"\x10\x09"), (1, b"\x12\x00"), (1, b"\x20\x01"), (1, b"\xff")):
        with pytest.raises(FormatError):
            parse_conf_change(entry_type, data)


def test_what_servers_say_of_themselves() -> None:
    attributes = membership_pb2.Attributes(name=b"one", client_urls=[b"http://a", b"http://b"])
    message = membership_pb2.ClusterMemberAttrSetRequest(member_ID=7, member_attributes=attributes)
    request = parse_request(raft_internal_pb2.InternalRaftRequest(cluster_member_attr_set=message).SerializeToString())
    assert isinstance(request, V3Request)
    expected = (7, Attributes("one", ("http://a", "http://b")))
    assert parse_member_attributes_set(request.body) == expected
    version = membership_pb2.ClusterVersionSetRequest(ver=b"3.5.0")
    request = parse_request(raft_internal_pb2.InternalRaftRequest(cluster_version_set=version).SerializeToString())
    assert isinstance(request, V3Request)
    assert parse_version_set(request.body) == "3.5.0"
