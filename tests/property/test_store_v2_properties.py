"""The v2 store under any history, any JSON and any log entry."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from etcdtool.errors import FormatError
from etcdtool.formats.wire import etcdserver_pb2, raft_internal_pb2
from etcdtool.model.raft_log import V2Request, parse_conf_change, parse_request
from etcdtool.model.store_v2 import Event, Node, Store, V2Error, iter_nodes, iter_nodes_and_own_expiry
from etcdtool.model.v2_request import METHODS, parse_canonical_v2_request, parse_v2_request

TIME_NS = 1_900_000_000 * 10**9

text = st.binary(max_size=12).map(lambda data: data.decode("utf-8", "surrogateescape"))
names = st.sampled_from(["a", "b", "_h", "é", "\udcff", ".", "..", "", "00000000000000000003"])
paths = st.lists(names, max_size=4).map(lambda found: "/1/" + "/".join(found))
times = st.one_of(st.just(0), st.integers(TIME_NS, TIME_NS + 20), st.integers(-(2**63), 2**63 - 1))
maybe = st.sampled_from([None, False, True])

requests = st.builds(
    V2Request,
    method=st.sampled_from([*METHODS, "PUT", "PUT", "PATCH"]),
    path=paths,
    value=st.sampled_from(["", "x", "<&>\u2028", "\udcfe\x00"]),
    dir=st.booleans(),
    prev_value=st.sampled_from(["", "", "x"]),
    prev_index=st.sampled_from([0, 0, 1, 2, 3]),
    prev_exist=maybe,
    expiration=times,
    recursive=st.booleans(),
    time=times,
    refresh=maybe,
)


@st.composite
def stores(draw: st.DrawFn) -> Store:
    store = Store()
    for request in draw(st.lists(requests, max_size=30)):
        store.apply(request)
    return store


def readable(node: Node) -> Node:
    """Give the node as upstream's JSON can hold it; names that become equal are left to the caller."""

    def replaced(string: str) -> str:
        return re.sub("[\udc80-\udcff]", "\ufffd", string)

    children = node.children and {replaced(name): readable(child) for name, child in node.children.items()}
    return Node(node.created_index, node.modified_index, node.expires, replaced(node.value), children)


@given(stores())
def test_what_is_dumped_is_recovered(store: Store) -> None:
    again = Store.recover(store.dump_json())
    assert again.root == readable(store.root)
    assert again.current_index == store.current_index
    again.delete_expired(TIME_NS + 10)
    store.delete_expired(TIME_NS + 10)
    assert again.root == readable(store.root)
    assert again.current_index == store.current_index


@given(stores(), requests)
def test_a_request_counts_one_index_or_changes_nothing(store: Store, request: V2Request) -> None:
    before, index = store.dump_json(), store.current_index
    result = store.apply(request)
    if isinstance(result, V2Error) or request.method == "QGET":
        assert store.dump_json() == before
    elif isinstance(result, Event):
        assert result.index == store.current_index == index + 1
        shown = store.find(result.path)
        assert (shown is None) == (request.method == "DELETE")


@given(stores())
def test_nodes_are_all_there_in_order_with_indexes_that_happened(store: Store) -> None:
    nodes = list(iter_nodes_and_own_expiry(store))
    found = [node.path for node, _ in nodes]
    assert [path.split(b"/") for path in found] == sorted(path.split(b"/") for path in found)
    assert len(set(found)) == len(found)
    for node, own in nodes:
        live = store.find("/1" + node.path.decode("utf-8", "surrogateescape"))
        assert live is not None
        assert node.child_count == len(live.children or ())
        assert node.is_directory == (live.children is not None)
        assert 0 < node.created_index <= node.modified_index <= store.current_index
        assert own is None or (node.expires is not None and node.expires <= own)


REAL = Store()
REAL.set("/1/a/b", value="x")
REAL.set("/1/_c", value="\udcff")
JSON = REAL.dump_json().replace(b"null,", b"")


@given(st.data())
def test_any_json_gives_a_store_or_our_error(data: st.DataObject) -> None:
    damaged = bytearray(JSON)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged) - 1))
        size = data.draw(st.integers(0, 8))
        damaged[start : start + size] = data.draw(st.binary(max_size=8) | st.sampled_from([b"null", b"{}", b"1e999"]))
    try:
        store = Store.recover(bytes(damaged))
    except FormatError:
        return
    list(iter_nodes(store))
    store.apply(V2Request(method="SYNC", time=2**63 - 1))
    store.apply(V2Request(method="PUT", path="/1/a/b/c", value="x"))
    Store.recover(store.dump_json())


messages: st.SearchStrategy[Any] = st.builds(
    etcdserver_pb2.Request,
    ID=st.integers(0, 2**64 - 1),
    Method=st.sampled_from([method.encode() for method in METHODS]) | st.binary(max_size=4),
    Path=st.binary(max_size=300),
    Val=st.binary(max_size=20) | st.binary(min_size=126, max_size=130) | st.binary(min_size=16_382, max_size=16_386),
    Dir=st.booleans(),
    PrevValue=st.just(b"") | st.binary(max_size=9),
    PrevIndex=st.integers(0, 2**64 - 1),
    PrevExist=maybe,
    Expiration=st.integers(-(2**63), 2**63 - 1),
    Wait=st.booleans(),
    Since=st.integers(0, 2**64 - 1),
    Recursive=st.booleans(),
    Sorted=st.booleans(),
    Quorum=st.booleans(),
    Time=st.integers(-(2**63), 2**63 - 1),
    Stream=st.booleans(),
    Refresh=maybe,
)


def as_request(message: Any) -> V2Request:
    def decoded(data: bytes) -> str:
        return data.decode("utf-8", "surrogateescape")

    return V2Request(
        method=decoded(message.Method),
        path=decoded(message.Path),
        value=decoded(message.Val),
        dir=message.Dir,
        prev_value=decoded(message.PrevValue),
        prev_index=message.PrevIndex,
        prev_exist=message.PrevExist if message.HasField("PrevExist") else None,
        expiration=message.Expiration,
        recursive=message.Recursive,
        sorted=message.Sorted,
        quorum=message.Quorum,
        time=message.Time,
        refresh=message.Refresh if message.HasField("Refresh") else None,
    )


@given(messages)
def test_three_readers_of_a_request_agree(message: Any) -> None:
    data = message.SerializeToString()
    expected = as_request(message)
    assert parse_v2_request(data) == expected
    if message.Method.decode("latin-1") in METHODS:
        assert parse_request(data) == expected
        if len(message.Val) < 16_384:
            assert parse_canonical_v2_request(data) == expected
    wrapped = raft_internal_pb2.InternalRaftRequest(v2=message).SerializeToString()
    assert parse_request(wrapped) == expected


@given(messages, st.data())
def test_the_fast_reader_never_says_more_than_the_slow_one(message: Any, data: st.DataObject) -> None:
    damaged = bytearray(message.SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    fast = parse_canonical_v2_request(bytes(damaged))
    if fast is not None:
        assert fast == parse_v2_request(bytes(damaged))


@given(st.binary(max_size=60))
@example(b"\x12\x06DELETE\x0b\x0b\x0b")
def test_any_entry_gives_a_request_or_our_error(data: bytes) -> None:
    store = Store()
    for parse in (parse_request, lambda entry: parse_conf_change(1, entry)):
        try:
            request: Any = parse(data)
            if parse is parse_request:
                store.apply(request)
            else:
                store.apply_conf_change(request)
        except FormatError:
            pass
