"""A v2 registry of real servers, converted and served, completes a cluster of real members and turns others away."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from support import samples
from support.ports import Port
from support.servers import Server, restore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REGISTRY = "/_etcd/registry"
SECONDS_MAX = 60
RECORDED_PORTS = {"part0": 23013, "part1": 23015}


@pytest.fixture
def servers() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.05)


def member(
    servers: contextlib.ExitStack, version: str, data_dir: Path, *flags: str, peer_port: Port | None = None
) -> Server:
    """Make a member that knows nobody; it is not started."""
    name = data_dir.name.partition(".")[0]
    server = Server(version, data_dir, *flags, name=name, initial_cluster=None, peer_port=peer_port)
    servers.callback(server.close)
    servers.callback(server.kill)  # a leader that stops looks for another one first, which takes seconds
    return server


def converted(source: Path, target: Path) -> None:
    subprocess.run([sys.executable, "-m", "etcdtool", "convert", source, "-o", target], check=True, capture_output=True)


def serve(servers: contextlib.ExitStack, version: str, source: Path, folder: Path) -> Server:
    """Convert a v2 registry and serve what came out."""
    converted(source, folder / "registry.db")
    restore(
        version,
        folder / "registry.db",
        folder / "v3.etcd",
        name="v3",
        initial_cluster="v3=http://127.0.0.1:1",
        initial_advertise_peer_urls="http://127.0.0.1:1",
    )
    return servers.enter_context(Server(version, folder / "v3.etcd", name="v3"))


def discovery_flags(service: Server, token: str) -> tuple[str, str]:
    return f"--discovery-token={token}", f"--discovery-endpoints={service.client_url}"


def start_together(members: list[Server]) -> None:
    """Start all members of a token; each is a process and a member of its own, and answers linearizable reads."""
    for one in reversed(members):
        one.start(wait=False)
    for one in members:
        one.wait_ready()
    names = sorted(one.name for one in members)
    assert len({one.pid for one in members}) == len(members)
    status = [one.etcdctl_json("endpoint", "status")[0]["Status"]["header"] for one in members]
    assert len({header["member_id"] for header in status}) == len(members)
    assert len({header["cluster_id"] for header in status}) == 1
    for one in members:
        assert sorted(m["name"] for m in one.etcdctl_json("member", "list")["members"]) == names
        one.etcdctl("put", f"/{one.name}", "x")
        assert one.etcdctl_json("get", f"/{one.name}", "--consistency=l")["count"] == 1


def turned_away(late: Server) -> None:
    late.start(wait=False)
    until(lambda: "discovery: cluster is full" in late.log, "the refusal of a further member")
    late.kill()


def recorded_registry(token: str, folder: Path, servers: contextlib.ExitStack) -> tuple[Path, dict[str, Port | None]]:
    """Give the recorded registry and the ports that two members registered with; a generated one if they are taken."""
    ports: dict[str, Port | None] = {}
    try:
        for name, number in RECORDED_PORTS.items():
            ports[name] = Port(number)
    except OSError:
        for port in filter(None, ports.values()):
            port.release()
    else:
        return samples.unpack("discovery-v2/3.4/data.tar.gz"), ports
    ports = {name: Port() for name in RECORDED_PORTS}
    data_dir = samples.fresh("discovery-v2/3.4/data.tar.gz", folder / "generated")
    with Server("3.4", data_dir, "--enable-v2=true", "--force-new-cluster=true") as old:
        answer = old.v2("GET", f"{REGISTRY}/{token}")[2]["node"]
        for node in answer["nodes"]:
            name = node["value"].partition("=")[0]
            old.v2("PUT", node["key"], form={"value": f"{name}=http://127.0.0.1:{ports[name].number}"})
    return data_dir, ports


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_a_partly_registered_token_is_completed_by_real_members(
    version: str, tmp_path: Path, servers: contextlib.ExitStack
) -> None:
    old = servers.enter_context(Server("3.4", tmp_path / "v2.etcd", "--enable-v2=true"))
    old.v2("PUT", f"{REGISTRY}/tok/_config/size", form={"value": "3"})
    # the one that registers by v2 is a real member too; it waits for others and has nothing on disk yet
    first = member(servers, "3.4", tmp_path / "first", f"--discovery={old.client_url}/v2/keys{REGISTRY}/tok")
    first.start(wait=False)
    until(lambda: bool(old.v2("GET", f"{REGISTRY}/tok")[2]["node"].get("nodes")), "the registration by v2")
    first.kill()
    old.stop()

    new = serve(servers, version, tmp_path / "v2.etcd", tmp_path)
    flags = discovery_flags(new, "tok")
    first.version, first.flags, first.data_dir = version, flags, tmp_path / "first.new"
    everyone = [first, member(servers, version, tmp_path / "second", *flags)]
    everyone.append(member(servers, version, tmp_path / "third", *flags))
    start_together(everyone)
    # had the record kept its v2 id, the first member would have left a second one
    keys = new.etcdctl("get", f"{REGISTRY}/tok/members/", "--prefix", "--keys-only").stdout.split()
    assert len(keys) == 3

    turned_away(member(servers, version, tmp_path / "late", *flags))


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_many_registrations_keep_their_turn_whatever_their_ids(
    version: str, tmp_path: Path, servers: contextlib.ExitStack
) -> None:
    values = [f"m{n}=http://127.0.0.1:{1000 + n}" for n in range(14)]
    with Server("3.4", tmp_path / "v2.etcd", "--enable-v2=true") as old:
        old.v2("PUT", f"{REGISTRY}/many/_config/size", form={"value": "14"})
        for n, value in enumerate(values):
            status, _, _ = old.v2("PUT", f"{REGISTRY}/many/{0xFFFF - n:x}", {"prevExist": "false"}, {"value": value})
            assert status == 201
    new = serve(servers, version, tmp_path / "v2.etcd", tmp_path)
    words = ("get", f"{REGISTRY}/many/members", "--prefix", "--sort-by=CREATE", "--print-value-only")
    assert new.etcdctl(*words).stdout.split() == values
    by_key = new.etcdctl("get", f"{REGISTRY}/many/members", "--prefix", "--print-value-only").stdout.split()
    assert by_key != values
    turned_away(member(servers, version, tmp_path / "late", *discovery_flags(new, "many")))


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_the_recorded_registry_goes_on_where_it_stood(
    version: str, tmp_path: Path, servers: contextlib.ExitStack
) -> None:
    recorded = samples.expected("discovery-v2/3.4")
    tokens, answers = recorded["tokens"], recorded["registry_per_token"]
    source, ports = recorded_registry(tokens["partial5"], tmp_path, servers)
    new = serve(servers, version, source, tmp_path)

    flags = discovery_flags(new, tokens["partial5"])
    waiting = [member(servers, version, tmp_path / name, *flags, peer_port=port) for name, port in ports.items()]
    further = [member(servers, version, tmp_path / f"new{number}", *flags) for number in range(3)]
    start_together([*waiting, *further])
    turned_away(member(servers, version, tmp_path / "late", *flags))

    # who joined a cluster that was full, or whose v2 members turned up again, would be one too many
    turned_away(member(servers, version, tmp_path / "fourth", *discovery_flags(new, tokens["full3"])))
    words = ("get", f"{REGISTRY}/{tokens['full3']}/members/", "--prefix", "--sort-by=CREATE", "--print-value-only")
    full = answers["full3"]["response"]["node"]["nodes"]
    by_turn = [node["value"] for node in sorted(full, key=lambda node: node["createdIndex"])]
    assert by_turn != [node["value"] for node in sorted(full, key=lambda node: node["key"])]
    assert new.etcdctl(*words).stdout.split()[:3] == by_turn
