"""A real cluster of three killed in the middle of writing: no acknowledged write may be missing from what we read.

Every acknowledged PUT is recorded with its index as the cluster answered it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import threading
import time
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from support.cli import invoke
from support.faults import copy_dir
from support.real import Cluster
from support.v2_answers import flatten

from etcdtool.operations.read_v2 import ReadOptions, TailPolicy, read_v2

if TYPE_CHECKING:
    from pathlib import Path

    from support.servers import Server

WRITERS = 6
WRITING_SECONDS = 1.5
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Write:
    """A PUT that the cluster acknowledged; no key is written twice."""

    key: str
    value: str
    index: int


@dataclass(frozen=True)
class Killed:
    """What is left of a killed cluster, and what came of starting it again."""

    data_dirs: list[Path]
    acknowledged: list[Write]
    served_after: dict[str, tuple[str, int]]


@dataclass(frozen=True)
class Reading:
    """What we make of some of the data dirs."""

    nodes: dict[str, tuple[str, int]]
    tail: list[str]
    is_undecided: bool

    @classmethod
    def of(cls, *data_dirs: Path, tail: TailPolicy | None = None) -> Reading:
        with read_v2(data_dirs, ReadOptions(tail=tail)) as data:
            rows = data.rows(even_undecided=True)
            nodes = {
                node.path.decode(): (node.value.decode(), node.modified_index)
                for node, _ in rows
                if not node.is_directory
            }
            changing = [entry.summary for entry in data.tail if entry.changes_v2]
            return cls(nodes, changing, data.tail_undecided)

    def lost(self, acknowledged: list[Write]) -> list[Write]:
        """Give the acknowledged writes that are not there as they were answered."""
        return [write for write in acknowledged if self.nodes.get(write.key) != (write.value, write.index)]


def keep_writing(server: Server, name: str, acknowledged: list[Write], stop: threading.Event) -> None:
    """PUT one new key after the other until the server is gone."""
    connection = http.client.HTTPConnection("127.0.0.1", int(server.client_url.rpartition(":")[2]), timeout=10)
    number = 0
    with contextlib.suppress(OSError, http.client.HTTPException):
        while not stop.is_set():
            key, value = f"/{name}/{number}", f"value {number} of {name}"
            connection.request("PUT", f"/v2/keys{key}", urlencode({"value": value}), FORM)
            response = connection.getresponse()
            body = response.read()
            if response.status == http.client.CREATED:
                acknowledged.append(Write(key, value, json.loads(body)["node"]["modifiedIndex"]))
            number += 1
    connection.close()


def kill_all_at_once(cluster: Cluster) -> None:
    for member in cluster.members:
        assert member.pid is not None
        os.killpg(member.pid, signal.SIGKILL)
    cluster.kill()


def write_until_killed(cluster: Cluster) -> list[Write]:
    stop = threading.Event()
    acknowledged: list[list[Write]] = [[] for _ in range(WRITERS)]
    threads = [
        threading.Thread(
            target=keep_writing, args=(cluster.members[number % 3], f"w{number}", acknowledged[number], stop)
        )
        for number in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    time.sleep(WRITING_SECONDS)
    kill_all_at_once(cluster)
    stop.set()
    for thread in threads:
        thread.join()
    return [write for writes in acknowledged for write in writes]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("--snapshot-count=200",), id="snap"),
        pytest.param(("--snapshot-count=100000",), id="wal", marks=pytest.mark.full),
    ],
)
def killed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    folder = tmp_path_factory.mktemp("cluster")
    with Cluster("3.4", folder, 3, "--enable-v2=true", *request.param) as cluster:
        acknowledged = write_until_killed(cluster)
        data_dirs = [copy_dir(member.data_dir, folder / f"{member.name}.killed") for member in cluster.members]
        for member in cluster.members:
            member.start(wait=False)
        for member in cluster.members:
            member.wait_ready()
        status, _, answer = cluster.members[0].v2("GET", "/", {"recursive": "true", "quorum": "true"})
        assert status == http.client.OK
    nodes = flatten(answer["node"])
    served = {key: (node.value or "", node.modified_index) for key, node in nodes.items() if not node.is_directory}
    assert len(acknowledged) > 100
    return Killed(data_dirs, acknowledged, served)


def test_all_dirs_together_lose_nothing(killed: Killed) -> None:
    reading = Reading.of(*killed.data_dirs)
    print(f"{len(killed.acknowledged)} acknowledged, {len(reading.tail)} entries undecided")
    assert reading.lost(killed.acknowledged) == []


def test_all_dirs_together_say_what_the_restarted_cluster_serves(killed: Killed) -> None:
    reading = Reading.of(*killed.data_dirs)
    most = Reading.of(*killed.data_dirs, tail=TailPolicy.APPLY)
    # what only a minority had may have survived the election or not; all else is as we said
    assert reading.nodes.items() <= killed.served_after.items()
    assert killed.served_after.items() <= most.nodes.items()
    assert reading.is_undecided == bool(reading.tail)
    assert reading.is_undecided or killed.served_after == reading.nodes


def test_two_of_three_dirs_lose_nothing_if_their_tail_is_applied(killed: Killed) -> None:
    for pair in combinations(killed.data_dirs, 2):
        reading = Reading.of(*pair, tail=TailPolicy.APPLY)
        assert reading.lost(killed.acknowledged) == [], "every quorum has one of any two members"
        undecided = Reading.of(*pair)
        lost = undecided.lost(killed.acknowledged)
        assert undecided.is_undecided or not lost
        assert {f"PUT /1{write.key}" for write in lost} <= set(undecided.tail)


def test_one_dir_asks_about_its_tail(killed: Killed, tmp_path: Path) -> None:
    for data_dir in killed.data_dirs:
        reading = Reading.of(data_dir)
        target = tmp_path / f"{data_dir.name}.db"
        done = invoke("convert", data_dir, "-o", target)
        assert "v2.members-missing" in done.stderr + done.stdout or reading.is_undecided
        if not reading.is_undecided:
            assert done.exit_code == 0, done.stderr
            continue
        assert done.exit_code == 3
        assert "--tail" in done.stderr
        assert reading.tail[0] in done.stderr
        assert not target.exists()
        ignored, applied = (Reading.of(data_dir, tail=policy) for policy in (TailPolicy.IGNORE, TailPolicy.APPLY))
        assert ignored.nodes.items() <= applied.nodes.items()
        assert {f"PUT /1{key}" for key in applied.nodes.keys() - ignored.nodes.keys()} == set(reading.tail)
        for policy in ("ignore", "apply"):
            done = invoke("convert", data_dir, "--tail", policy, "-o", tmp_path / f"{policy}-{data_dir.name}.db")
            assert done.exit_code == 0, done.stderr


def test_a_read_that_lost_a_write_is_found_out(killed: Killed) -> None:
    reading = Reading.of(*killed.data_dirs)
    victim = killed.acknowledged[-1]
    del reading.nodes[victim.key]
    assert reading.lost(killed.acknowledged) == [victim]
