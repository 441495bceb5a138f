"""Member ids and the JSON of members, compared with what real servers derived and wrote."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support import samples
from support.v2_history import recovered

from etcdtool.errors import FormatError
from etcdtool.model.membership import (
    Attributes,
    Member,
    RaftAttributes,
    cluster_id,
    member_id,
    member_id_text,
    normalise_version,
    parse_attributes,
    parse_member,
    parse_member_id,
    parse_raft_attributes,
)
from etcdtool.model.store_v2 import members

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_ids_of_a_real_restore() -> None:
    """Taken from a WAL that ``etcdutl snapshot restore`` 3.5 wrote."""
    first = member_id(["http://127.0.0.1:2380"], "etcd-cluster")
    second = member_id(["http://127.0.0.1:2390"], "etcd-cluster")
    assert (member_id_text(first), member_id_text(second)) == ("b71f75320dc06a6c", "75fb7df1dacfc315")
    assert cluster_id([first, second]) == cluster_id([second, first]) == 14004104303605229818


@pytest.mark.parametrize("name", ["v2-rich/2.3/data-clean", "v2-rich/3.4/data-clean", "v2-only-wal/3.4/data"])
def test_ids_of_real_servers(name: str, sample: Callable[[str], Path]) -> None:
    (member,) = members(recovered(sample(f"{name}.tar.gz"))).values()
    assert member_id(member.peer_urls, "etcd-cluster") == member.id
    live = samples.expected(name.rpartition("/")[0])
    headers = (live.get("clean") or live)["live"]["members"]["headers"]
    assert f"{cluster_id([member.id]):x}" == headers["X-Etcd-Cluster-Id"]


def test_order_of_urls_does_not_matter_but_time_does() -> None:
    urls = ["http://b:2380", "http://a:2380"]
    assert member_id(urls, "t") == member_id(urls[::-1], "t")
    assert member_id(urls, "t", added_at_seconds=1) == member_id(urls, "t1") != member_id(urls, "t")


def test_member_is_written_as_etcd_writes_it() -> None:
    text = '{"id":8501527199303582485,"peerURLs":["http://127.0.0.1:2390"],"name":"n2"}'
    member = parse_member(text)
    assert member == Member(id=8501527199303582485, peer_urls=("http://127.0.0.1:2390",), name="n2")
    assert member.as_json() == text
    learner = Member(id=1, peer_urls=("http://a&b",), client_urls=("c",), is_learner=True)
    written = '{"id":1,"peerURLs":["http://a\\u0026b"],"isLearner":true,"clientURLs":["c"]}'
    assert learner.as_json() == written
    assert parse_member(written) == learner
    assert parse_member('{"id":1,"peerURLs":null,"isPromote":true,"new":[1]}').is_promote


@pytest.mark.parametrize("name", ["v2-rich/3.4/data-clean", "v2-cluster/3.4/data-c1"])
def test_attributes_are_written_as_etcd_writes_them(name: str, sample: Callable[[str], Path]) -> None:
    store = recovered(sample(f"{name}.tar.gz"))
    for number in members(store):
        for field, parse in (("raftAttributes", parse_raft_attributes), ("attributes", parse_attributes)):
            node = store.find(f"/0/members/{number:x}/{field}")
            assert node is not None
            assert parse(node.value).as_json() == node.value
            assert json.loads(node.value)


def test_empty_attributes() -> None:
    assert Attributes().as_json() == "{}"
    assert RaftAttributes().as_json() == '{"peerURLs":null}'
    assert parse_attributes('{"name":null,"clientURLs":null}').as_json() == "{}"


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"id":-1}', b'{"id":18446744073709551616}', b'{"peerURLs":[1]}', b"\xff", b"[" * 100_000]
)
def test_bad_members_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_member(data)


@pytest.mark.parametrize("parse", [parse_attributes, parse_raft_attributes])
def test_bad_attributes_are_refused(parse: Callable[[str], object]) -> None:
    for data in ("", "1", '{"clientURLs":1,"peerURLs":1}', "\udcff", "[" * 100_000):
        with pytest.raises(FormatError):
            parse(data)


def test_ids_are_hex() -> None:
    assert parse_member_id("a7be38d986537a7c") == 0xA7BE38D986537A7C
    assert parse_member_id("00Ff") == 255
    for text in ("", "0x1", "-1", "1_0", " 1", "10000000000000000", "f" * 5000, "\u0661"):
        with pytest.raises(FormatError):
            parse_member_id(text)


def test_versions_are_semantic() -> None:
    assert normalise_version("3.4.0") == "3.4.0"
    assert normalise_version("03.4.0-rc.1+x") == "3.4.0-rc.1+x"
    for text in ("", "3.4", "3.4.x", "v3.4.0", "3.4.0.0", "9" * 5000 + ".0.0"):
        with pytest.raises(FormatError):
            normalise_version(text)
