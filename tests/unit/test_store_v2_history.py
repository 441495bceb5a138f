"""Whole histories against what real servers of 2.3, 3.2 and 3.4 answered to each request, and showed at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from support import samples
from support.v2_history import answer_of, expiration_in, plain, recovered, replay, request_of

from etcdtool.model.store_v2 import Event, Store, V2Error, members, removed_members

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERSIONS = ("2.3", "3.2", "3.4")
FIRST_INDEX = 4  # after the member itself, its attributes and the cluster version


def expire_up_to(store: Store, index: int) -> None:
    """Do what SYNC entries between two recorded requests did: the recorded index says how many nodes went."""
    while store.current_index < index:
        assert store._expiries, f"the server was at {index}, we are at {store.current_index} and nothing expires"
        store.delete_expired(store._expiries[0][0])


def big_value(version: str) -> str:
    """Give the value that the recorded requests leave out."""
    root = samples.load(f"v2-rich/{version}/keys.json.gz")["response"]["node"]
    (directory,) = (node for node in root["nodes"] if node["key"] == "/big")
    return str(directory["nodes"][0]["value"])


@pytest.mark.parametrize("version", VERSIONS)
def test_each_answer_is_the_servers(version: str) -> None:
    store = Store()
    store.current_index = FIRST_INDEX - 1
    for record in samples.load(f"v2-rich/{version}/ops.json.gz"):
        answer = record["response"]
        if answer is None:  # redirected: "//" and ".." never reach the store
            continue
        failed = "errorCode" in answer
        index = answer["index"] if failed else answer["node"]["modifiedIndex"]
        expire_up_to(store, index if failed else index - 1)
        request = request_of(record, expiration_in(answer))
        if request.value.startswith("<BIG"):
            request = msgspec.structs.replace(request, value=big_value(version))
        result = store.apply(request)
        assert isinstance(result, Event | V2Error)
        assert answer_of(result) == plain(answer), record
        assert store.current_index == index


LIVE: list[tuple[str, str, Callable[[dict[str, Any]], Any]]] = [
    *((f"v2-rich/{version}", "data-clean", lambda e: e["clean"]["live"]) for version in VERSIONS),
    *((f"v2-rich/{version}", "data-killed", lambda e: e["killed"]["live"]) for version in VERSIONS),
    ("v2-only-wal/2.3", "data", lambda e: e["live"]),
    ("v2-only-wal/3.4", "data", lambda e: e["live"]),
    ("v2-multiwal/3.4", "data", lambda e: e["live"]),
    ("v2-auth/3.4", "data", lambda e: e["live"]),
    ("discovery-v2/3.4", "data", lambda e: e["live"]),
    *(("v2-cluster/3.4", f"data-{name}", lambda e, name=name: e["live"][name]) for name in ("c1", "c3", "c4")),
]


@pytest.mark.parametrize(("folder", "archive", "live_of"), LIVE, ids=[f"{row[0]}/{row[1]}" for row in LIVE])
def test_data_dir_holds_what_the_server_showed(
    folder: str, archive: str, live_of: Callable[[dict[str, Any]], Any], sample: Callable[[str], Path]
) -> None:
    live = live_of(samples.expected(folder))
    store = recovered(sample(f"{folder}/{archive}.tar.gz"))
    for record in (live["keys"], *live["hidden"]):
        result = store.apply(request_of(record | {"method": "QGET"}))
        assert isinstance(result, Event | V2Error)
        assert answer_of(result, recursive=True) == plain(record["response"]), record["path"]
        assert result.index == int(record["headers"]["X-Etcd-Index"])
    shown = [
        {
            "id": f"{member.id:x}",
            "name": member.name,
            "peerURLs": list(member.peer_urls),
            "clientURLs": list(member.client_urls),
        }
        for member in members(store).values()
    ]
    assert sorted(shown, key=lambda member: member["id"]) == sorted(
        live["members"]["response"]["members"], key=lambda member: member["id"]
    )


@pytest.mark.parametrize("name", ["v2-only-wal/2.3/data.tar.gz", "v2-only-wal/3.4/data.tar.gz"])
def test_log_answers_what_was_recorded(name: str, sample: Callable[[str], Path]) -> None:
    recorded = [plain(record["response"]) for record in samples.expected(name.removesuffix("/data.tar.gz"))["ops"]]
    answers = [
        answer_of(result)
        for _, request, result in replay(sample(name))
        if request and result and request.method != "QGET"
    ]
    assert answers == recorded


def test_members_that_came_and_went(sample: Callable[[str], Path]) -> None:
    expected = samples.expected("v2-cluster/3.4")
    before = {member["id"] for member in expected["members_before"]["response"]["members"]}
    final = {member["id"] for member in expected["members_final"]["members"]}
    store = recovered(sample("v2-cluster/3.4/data-c1.tar.gz"))
    assert {f"{number:x}" for number in members(store)} == final
    assert {f"{number:x}" for number in removed_members(store)} == before - final != set()


@pytest.mark.parametrize("version", VERSIONS)
def test_bytes_that_the_snap_damaged_are_named(version: str, sample: Callable[[str], Path]) -> None:
    data_dir = sample(f"v2-rich/{version}/data-clean.tar.gz")
    assert list(recovered(data_dir).replaced_characters()) == ["/1/odd/bytes"]
    log_alone = recovered(data_dir, use_snap=False)
    assert list(log_alone.replaced_characters()) == []
    node = log_alone.find("/1/odd/bytes")
    assert node is not None
    assert node.value.encode("utf-8", "surrogateescape") == b"\xff\xfe\x00\x80abc"


@pytest.mark.parametrize("version", VERSIONS)
def test_log_alone_and_snap_with_log_agree(version: str, sample: Callable[[str], Path]) -> None:
    data_dir = sample(f"v2-rich/{version}/data-killed.tar.gz")
    with_snap, log_alone = recovered(data_dir), recovered(data_dir, use_snap=False)
    for store in (with_snap, log_alone):
        store.set("/1/odd/bytes", value="the one that the .snap damaged")
    assert with_snap.root == log_alone.root
    assert with_snap.current_index == log_alone.current_index
    assert with_snap.dump_json() == log_alone.dump_json()
