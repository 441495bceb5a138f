"""A v2 registry of real servers, converted and served, completes a cluster of real members and turns others away."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from support.servers import Server, restore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REGISTRY = "/_etcd/registry"
SECONDS_MAX = 60


@pytest.fixture
def servers() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.05)


def member(servers: contextlib.ExitStack, version: str, data_dir: Path, *flags: str) -> Server:
    """Make a member that knows nobody; it is not started."""
    server = Server(version, data_dir, *flags, name=data_dir.name.partition(".")[0], initial_cluster=None)
    servers.callback(server.close)
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
    flags = ("--discovery-token=tok", f"--discovery-endpoints={new.client_url}")
    first.version, first.flags, first.data_dir = version, flags, tmp_path / "first.new"
    everyone = [first, member(servers, version, tmp_path / "second", *flags)]
    everyone.append(member(servers, version, tmp_path / "third", *flags))
    for one in reversed(everyone):
        one.start(wait=False)
    for one in everyone:
        one.wait_ready()

    assert len({one.pid for one in everyone}) == 3
    for one in everyone:
        assert {m["name"] for m in one.etcdctl_json("member", "list")["members"]} == {"first", "second", "third"}
        one.etcdctl("put", f"/{one.name}", "x")
        assert one.etcdctl_json("get", f"/{one.name}")["count"] == 1
    # had the record kept its v2 id, the first member would have left a second one
    keys = new.etcdctl("get", f"{REGISTRY}/tok/members/", "--prefix", "--keys-only").stdout.split()
    assert len(keys) == 3

    late = member(servers, version, tmp_path / "late", *flags)
    late.start(wait=False)
    until(lambda: "discovery: cluster is full" in late.log, "the refusal of a fourth member")


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
    late = member(
        servers, version, tmp_path / "late", "--discovery-token=many", f"--discovery-endpoints={new.client_url}"
    )
    late.start(wait=False)
    until(lambda: "discovery: cluster is full" in late.log, "the refusal of a further member")
