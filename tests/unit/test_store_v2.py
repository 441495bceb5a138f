"""The v2 store's rules one by one, as upstream's source states them; whole histories are in test_store_v2_history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from etcdtool.errors import FormatError
from etcdtool.model.raft_log import ConfChange, ConfChangeType, V2Request, V3Request
from etcdtool.model.store_v2 import (
    PERMANENT,
    Event,
    Instant,
    Node,
    Store,
    V2Error,
    clean,
    cluster_version,
    has_auth,
    is_auth_enabled,
    iter_nodes,
    iter_nodes_and_own_expiry,
    members,
    removed_members,
)

if TYPE_CHECKING:
    from collections.abc import Callable

YEAR_2030_NS = 1_893_456_000 * 10**9


def put(store: Store, path: str, value: str = "", **fields: object) -> Event | V2Error | None:
    return store.apply(V2Request(method="PUT", path=f"/1{path}", value=value, **fields))  # type: ignore[arg-type]


def refused(operation: Callable[[], object]) -> tuple[int, str, int]:
    with pytest.raises(V2Error) as caught:
        operation()
    return caught.value.code, caught.value.cause, caught.value.index


def node_at(store: Store, path: str) -> Node:
    node = store.find(f"/1{path}")
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("", "/"),
        ("/", "/"),
        ("a", "/a"),
        ("/a/", "/a"),
        ("//a///b", "/a/b"),
        ("/a/./b/.", "/a/b"),
        ("/a/../b", "/b"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/.hidden/..c", "/.hidden/..c"),
        ("/a/...", "/a/..."),
    ],
)
def test_clean_is_gos_path_clean(path: str, cleaned: str) -> None:
    assert clean(path) == cleaned


def test_missing_directories_are_made_at_the_same_index() -> None:
    store = Store()
    store.set("/1/a/b/c", value="x", expires=Instant(YEAR_2030_NS))
    assert store.current_index == 1
    for path in ("/a", "/a/b"):
        assert node_at(store, path) == Node(1, 1, PERMANENT, "", node_at(store, path).children)
    assert node_at(store, "/a/b/c").expires == YEAR_2030_NS


def test_set_replaces_a_file_and_starts_over() -> None:
    store = Store()
    store.set("/1/a", value="old", expires=Instant(YEAR_2030_NS))
    event = store.set("/1/a", value="new")
    assert event.previous == Node(1, 1, Instant(YEAR_2030_NS), "old")
    assert node_at(store, "/a") == Node(2, 2, PERMANENT, "new")
    store.set("/1/a", directory=True, value="dropped")
    assert node_at(store, "/a") == Node(3, 3, PERMANENT, "", {})
    assert refused(lambda: store.set("/1/a", value="x")) == (102, "/1/a", 3)


def test_update_keeps_the_created_index_and_drops_the_ttl() -> None:
    store = Store()
    store.set("/1/a", value="old", expires=Instant(YEAR_2030_NS))
    store.update("/1/a", value="new")
    assert node_at(store, "/a") == Node(1, 2, PERMANENT, "new")
    store.update("/1/a", value="ignored", refresh=True, expires=Instant(YEAR_2030_NS))
    assert node_at(store, "/a") == Node(1, 3, Instant(YEAR_2030_NS), "new")


@pytest.mark.parametrize(("version", "counts"), [(None, True), ("3.4.0", True), ("3.5.0", False), ("3.10.1", False)])
def test_update_of_a_directory_depends_on_the_version(version: str | None, counts: bool) -> None:
    store = Store()
    if version:
        store.apply(V2Request(method="PUT", path="/0/version", value=version))
    store.set("/1/d/x", value="")
    index = store.current_index
    result = put(store, "/d", prev_exist=True, expiration=YEAR_2030_NS)
    directory = node_at(store, "/d")
    assert directory.modified_index == index  # either way
    assert store.current_index == index + counts
    assert directory.expires == (YEAR_2030_NS if counts else PERMANENT)
    assert isinstance(result, Event if counts else V2Error)
    failure = put(store, "/d", "value", prev_exist=True)
    assert isinstance(failure, V2Error)
    assert failure.code == 102


def test_compare_names_what_differs() -> None:
    store = Store()
    store.set("/1/a", value="v")
    swap = store.compare_and_swap
    assert refused(lambda: swap("/1/a", previous_value="w")) == (101, "[w != v]", 1)
    assert refused(lambda: swap("/1/a", previous_index=7)) == (101, "[7 != 1]", 1)
    assert refused(lambda: swap("/1/a", previous_value="w", previous_index=7)) == (101, "[w != v] [7 != 1]", 1)
    swap("/1/a", previous_value="v", previous_index=1, value="new")
    assert node_at(store, "/a") == Node(1, 2, PERMANENT, "new")
    assert refused(lambda: store.compare_and_delete("/1/a", previous_value="v")) == (101, "[v != new]", 2)
    event = store.compare_and_delete("/1/a", previous_index=2)
    assert (event.index, event.node.created_index, event.node.modified_index) == (3, 1, 3)
    assert store.find("/1/a") is None


def test_delete_asks_for_permission_to_remove_directories() -> None:
    store = Store()
    store.set("/1/d/x/y", value="")
    assert refused(lambda: store.delete("/1/d")) == (102, "/1/d", 1)
    assert refused(lambda: store.delete("/1/d", directory=True)) == (108, "/1/d", 1)
    assert refused(lambda: store.delete("/1/e")) == (100, "/1/e", 1)
    assert refused(lambda: store.delete("/1/d/x/y/z")) == (104, "/1/d/x/y", 1)
    store.delete("/1/d", recursive=True)
    assert store.current_index == 2
    assert store.find("/1/d/x/y") is None
    store.set("/1/d/x/y", value="again")
    assert node_at(store, "/d").created_index == 3


@pytest.mark.parametrize("path", ["/", "/0", "/1", "/1/a/..", "//1//"])
def test_roots_are_read_only(path: str) -> None:
    store = Store()
    for operation in (store.set, store.update, store.compare_and_swap, store.delete, store.create):
        assert refused(lambda operation=operation: operation(path)) == (107, "/", 0)
    assert refused(lambda: store.compare_and_delete(path)) == (102, clean(path), 0)


def test_in_order_names_have_twenty_digits() -> None:
    store = Store()
    store.current_index = 41
    event = store.apply(V2Request(method="POST", path="/1/queue", value="job"))
    assert isinstance(event, Event)
    assert event.path == "/1/queue/00000000000000000042"
    assert node_at(store, "/queue").created_index == 42


def test_creating_takes_a_time_before_2000_as_permanent_but_updating_does_not() -> None:
    store = Store()
    put(store, "/a", "x", expiration=1)
    assert node_at(store, "/a").expires == PERMANENT
    put(store, "/a", "x", expiration=1, prev_exist=True)
    assert node_at(store, "/a").expires == 1
    store.apply(V2Request(method="SYNC", time=1))
    assert store.find("/1/a") is None
    assert store.current_index == 3


def test_sync_expires_in_order_and_counts_each() -> None:
    store = Store()
    put(store, "/d", dir=True, expiration=YEAR_2030_NS + 2)
    put(store, "/d/first", "x", expiration=YEAR_2030_NS + 1)
    put(store, "/d/never", "x", expiration=YEAR_2030_NS + 3)
    put(store, "/later", "x", expiration=YEAR_2030_NS + 4)
    store.apply(V2Request(method="SYNC", time=YEAR_2030_NS))
    assert store.current_index == 4
    store.apply(V2Request(method="SYNC", time=YEAR_2030_NS + 3))
    assert store.current_index == 6  # the directory took the third along before its time
    assert [node.path for node in iter_nodes(store)] == [b"/later"]


def test_a_ttl_that_was_given_up_does_not_come_back() -> None:
    store = Store()
    put(store, "/a", "x", expiration=YEAR_2030_NS)
    put(store, "/a", "x", prev_exist=True)
    put(store, "/b", "x", expiration=YEAR_2030_NS)
    put(store, "/b", "again", expiration=YEAR_2030_NS + 5)
    assert store.delete_expired(YEAR_2030_NS + 1) == 0
    assert store.delete_expired(YEAR_2030_NS + 5) == 1


def test_endless_refreshing_needs_no_endless_memory() -> None:
    store = Store()
    for number in range(20_000):
        put(store, "/lock", "" if number else "x", expiration=YEAR_2030_NS + number, refresh=number > 0)
    assert len(store._expiries) < 2_000
    assert node_at(store, "/lock").value == "x"
    assert store.delete_expired(YEAR_2030_NS + 20_000) == 1


def test_refreshing_asks_for_a_node() -> None:
    store = Store()
    result = put(store, "/a", expiration=YEAR_2030_NS, refresh=True)
    assert isinstance(result, V2Error)
    assert (result.code, store.current_index) == (100, 0)


def test_nodes_come_depth_first_in_byte_order_with_the_nearer_expiry() -> None:
    store = Store()
    put(store, "/d/\udcff", "bytes")
    put(store, "/d/\u00e9", "é", expiration=YEAR_2030_NS + 5)
    put(store, "/d/_hidden/x", "x")
    put(store, "/d-e", "x")
    put(store, "/e", dir=True, expiration=YEAR_2030_NS)
    put(store, "/e/f/g", "x", expiration=YEAR_2030_NS + 1)
    shown = [(node.path, node.is_directory, node.expires, own) for node, own in iter_nodes_and_own_expiry(store)]
    assert shown == [
        (b"/d", True, None, None),
        (b"/d/_hidden", True, None, None),
        (b"/d/_hidden/x", False, None, None),
        (b"/d/\xc3\xa9", False, YEAR_2030_NS + 5, YEAR_2030_NS + 5),
        (b"/d/\xff", False, None, None),
        (b"/d-e", False, None, None),
        (b"/e", True, YEAR_2030_NS, YEAR_2030_NS),
        (b"/e/f", True, YEAR_2030_NS, None),
        (b"/e/f/g", False, YEAR_2030_NS, YEAR_2030_NS + 1),
    ]


def test_a_path_of_endless_names_is_refused() -> None:
    with pytest.raises(FormatError, match="20001 names"):
        put(Store(), "/a" * 20_000, "x")


def test_deep_trees_need_no_deep_stack() -> None:
    store = Store()
    put(store, "/a" * 4_000, "x")
    assert sum(1 for _ in iter_nodes(store)) == 4_000
    assert store.dump_json().count(b'"Path":') == 4_003


def test_an_unknown_method_changes_nothing() -> None:
    store = Store()
    result = store.apply(V2Request(method="PATCH", path="/1/a"))
    assert isinstance(result, V2Error)
    assert store.current_index == 0


ADD_ONE = ConfChange(
    type=ConfChangeType.ADD_NODE, node_id=1, context=b'{"id":1,"peerURLs":["http://a:2380"],"name":"one"}'
)
ATTRIBUTES_ONE = V2Request(
    method="PUT", path="/0/members/1/attributes", value='{"name":"one","clientURLs":["http://c&d"]}'
)


def learner(number: int, *, promote: bool = False) -> ConfChange:
    flag = "isPromote" if promote else "isLearner"
    context = f'{{"id":{number},"peerURLs":["http://l{number}:2380"],"{flag}":true}}'
    kind = ConfChangeType.ADD_NODE if promote else ConfChangeType.ADD_LEARNER_NODE
    return ConfChange(type=kind, node_id=number, context=context.encode())


def test_members_come_change_and_go_counting_indexes() -> None:
    store = Store()
    assert store.apply_conf_change(ADD_ONE) is None
    assert store.current_index == 1
    store.apply(ATTRIBUTES_ONE)
    assert store.current_index == 2
    node = store.find("/0/members/1/attributes")
    assert node is not None
    assert node.value == '{"name":"one","clientURLs":["http://c\\u0026d"]}'
    update = ConfChange(type=ConfChangeType.UPDATE_NODE, node_id=1, context=b'{"id":1,"peerURLs":["http://b:2380"]}')
    assert store.apply_conf_change(update) is None
    assert store.current_index == 3
    assert members(store)[1].peer_urls == ("http://b:2380",)
    assert members(store)[1].name == "one"
    assert store.apply_conf_change(ConfChange(type=ConfChangeType.REMOVE_NODE, node_id=1)) is None
    assert store.current_index == 5
    assert members(store) == {}
    assert removed_members(store) == {1}
    store.apply(ATTRIBUTES_ONE)  # of a removed member: nothing happens
    assert store.current_index == 5
    assert store.apply_conf_change(ADD_ONE) == "membership: ID removed"


def test_changes_that_servers_refuse_count_nothing() -> None:
    store = Store()
    store.apply_conf_change(ADD_ONE)
    same_url = ConfChange(type=ConfChangeType.ADD_NODE, node_id=2, context=b'{"id":2,"peerURLs":["http://a:2380"]}')
    assert store.apply_conf_change(ADD_ONE) == "membership: ID exists"
    assert store.apply_conf_change(same_url) == "membership: peerURL exists"
    assert store.apply_conf_change(ConfChange(type=ConfChangeType.REMOVE_NODE, node_id=9)) == "membership: ID not found"
    assert store.apply_conf_change(learner(5)) is None
    assert store.apply_conf_change(learner(6)) == "membership: too many learner members in cluster"
    assert store.current_index == 2
    assert members(store)[5].is_learner
    assert store.apply_conf_change(learner(5, promote=True)) is None
    assert not members(store)[5].is_learner
    assert store.apply_conf_change(learner(5, promote=True)) == "membership: can only promote a learner member"
    assert store.current_index == 3


@pytest.mark.parametrize(
    "stop",
    [
        lambda store: store.apply(V2Request(method="PUT", path="/0/members/abc/attributes", value="{}")),
        lambda store: store.apply(V2Request(method="PUT", path="/1/0/members/1/attributes", value="no json")),
        lambda store: store.apply(V2Request(method="PUT", path="/0/version", value="three")),
        lambda store: store.apply_conf_change(ConfChange(type=ConfChangeType.ADD_NODE, node_id=2, context=b"")),
        lambda store: store.apply_conf_change(
            ConfChange(type=ConfChangeType.ADD_NODE, node_id=2, context=b'{"id":3,"peerURLs":[]}')
        ),
    ],
)
def test_entries_at_which_every_server_stops(stop: Callable[[Store], object]) -> None:
    with pytest.raises(FormatError):
        stop(Store())


def test_servers_of_3_5_may_say_version_and_attributes_the_v3_way() -> None:
    store = Store()
    store.apply_conf_change(ADD_ONE)
    store.apply(V3Request("cluster_version_set", b"\x0a\x053.5.0"))
    store.apply(V3Request("cluster_member_attr_set", b"\x08\x01\x12\x0d\x0a\x03new\x12\x06http:x"))
    assert cluster_version(store) == "3.5.0"
    assert (members(store)[1].name, members(store)[1].client_urls) == ("new", ("http:x",))
    assert store.current_index == 3
    store.apply(V3Request("put"))
    assert store.current_index == 3


def test_auth_is_there_once_something_stands_in_it() -> None:
    store = Store()
    assert not has_auth(store)
    store.create("/2/users", directory=True)
    store.create("/2/roles", directory=True)
    assert not has_auth(store)
    store.create("/2/enabled", value="true")
    assert has_auth(store)
    assert is_auth_enabled(store)
