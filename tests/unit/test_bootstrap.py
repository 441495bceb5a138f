"""The words that describe a new cluster: ids that real tools made of them, and names that have to be looked up."""

from __future__ import annotations

import pytest

from etcdtool.errors import EtcdtoolError
from etcdtool.model.bootstrap import Bootstrap, bootstrap
from etcdtool.operations import resolve as resolving

ADDRESSES = {"n1:2380": "10.0.0.1:2380", "n2:2380": "10.0.0.2:2380", "six:2380": "[fe80::1]:2380"}


def lookup(place: str) -> str:
    if place[0] in "1[":
        return place
    if place not in ADDRESSES:
        raise OSError(f"lookup {place.partition(':')[0]}: no such host")
    return ADDRESSES[place]


def cluster(initial: str, advertised: str, *, name: str = "n1", token: str = "etcd-cluster") -> Bootstrap:
    return bootstrap(name=name, initial_cluster=initial, token=token, advertised=advertised.split(","), resolve=lookup)


def test_ids_are_those_of_real_restores() -> None:
    # printed by etcdutl 3.7.3 as added-peer-id and cluster-id
    made = cluster("n1=http://127.0.0.1:2380,n2=http://127.0.0.1:2390", "http://127.0.0.1:2380")
    assert [f"{member.id:x}" for member in made.members] == ["75fb7df1dacfc315", "b71f75320dc06a6c"]
    assert (made.local.name, made.cluster_id) == ("n1", 14004104303605229818)


def test_a_name_may_have_several_urls_in_any_order() -> None:
    made = cluster("n1=http://b:1,,n1=http://a:1", "http://b:1,http://a:1")
    assert made.local.peer_urls == ("http://a:1", "http://b:1")


@pytest.mark.parametrize(
    ("initial", "advertised"),
    [
        ("http://n1:2380", "http://10.0.0.1:2380"),
        ("http://10.0.0.1:2380", "http://n1:2380"),
        ("http://[FE80:0::1]:2380", "http://[fe80::1]:2380"),
        ("http://six:2380", "http://[fe80:0::1]:2380"),
    ],
)
def test_urls_that_mean_the_same(initial: str, advertised: str) -> None:
    made = cluster(f"n1={initial}", advertised)
    assert made.local.peer_urls == (initial,), "ids are made of what stands in --initial-cluster"


@pytest.mark.parametrize(
    ("initial", "advertised", "message"),
    [
        ("http://n1:2380", "http://n2:2380", 'resolved urls: "http://10.0.0.2:2380" != "http://10.0.0.1:2380"'),
        ("http://n3:2380", "http://n1:2380", 'failed to resolve "http://n3:2380" (lookup n3: no such host)'),
        ("http://a:1", "http://a:1,http://b:1", "has http://b:1 but missing from --initial-cluster="),
        ("unix:///a", "unix:///b", 'resolved urls: "unix:///b" != "unix:///a"'),
    ],
)
def test_urls_that_do_not(initial: str, advertised: str, message: str) -> None:
    with pytest.raises(EtcdtoolError) as raised:
        cluster(f"n1={initial}", advertised)
    assert message in raised.value.message


def test_localhost_is_not_looked_up() -> None:
    with pytest.raises(EtcdtoolError, match=r'resolved urls: "http://10.0.0.1:2380" != "http://localhost:2380"'):
        cluster("n1=http://localhost:2380", "http://n1:2380")


def test_a_host_that_is_not_there_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    clock = iter(range(100))
    monkeypatch.setattr(resolving.time, "sleep", waits.append)
    monkeypatch.setattr(resolving.time, "monotonic", lambda: float(next(clock)))

    def nowhere(*_: object, **__: object) -> None:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    with pytest.raises(OSError, match=r"lookup n1\.invalid: Name or service not known"):
        resolving.resolve("n1.invalid:2380")
    assert 25 < sum(waits) <= 30


def test_addresses_come_with_their_port() -> None:
    assert resolving.resolve("127.0.0.1:2380") == "127.0.0.1:2380"
    assert resolving.resolve("[::1]:2380") == "[::1]:2380"
    assert resolving.resolve("127.0.0.1:02380") == "127.0.0.1:2380"
    assert resolving.resolve("127.0.0.1:") == "127.0.0.1:0"
