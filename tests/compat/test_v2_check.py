"""``v2 check`` foretells what real 3.6 and 3.7 do on a data dir, and says what real etcdutl 3.5 says of it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import real, samples
from support.cli import invoke

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VERSIONS = ("3.6", "3.7")
# they wait for others of their cluster, which is as far as they get alone
PART_OF_A_CLUSTER = ("v2-cluster/", "v3-cluster/")
USUAL = (
    "upgrade/v2-hidden-only/data.tar.gz",
    "v2-rich/3.4/data-killed.tar.gz",
    "v3/3.5/data.tar.gz",
    "v3/3.7/data.tar.gz",
)
SECONDS_MAX = 10
# the real check takes a log without a record for no log
LOG_WITHOUT_RECORDS = "damaged/dirs/wal-empty.tar.gz"
V2 = "--enable-v2=true"
SNAPSHOTS = "--snapshot-count=5"


def checked(data_dir: Path) -> Any:
    return json.loads(invoke("v2", "check", data_dir, "-w", "json").stdout)


def starts(version: str, data_dir: Path, *, answers: bool = True) -> bool:
    """Tell whether a server starts; one of a cluster whose others are missing, whether it goes on trying."""
    server = real.Server(version, data_dir, start_seconds_max=60 if answers else SECONDS_MAX)
    try:
        server.start()
    except real.ServerError as error:
        if answers and "does not answer" in str(error):
            raise
        return "does not answer" in str(error)
    finally:
        server.kill()  # alone in its cluster it does not stop when it is asked to
        server.close()
    return True


def cases() -> Iterator[Any]:
    for name in samples.archives():
        yield pytest.param(name, marks=[] if name in USUAL else pytest.mark.full)


@pytest.mark.parametrize("name", list(cases()))
def test_each_sample_does_as_foretold(name: str, tmp_path: Path) -> None:
    found = checked(samples.unpack(name))
    for version in VERSIONS:
        data_dir = samples.fresh(name, tmp_path / version)
        answers = not name.startswith(PART_OF_A_CLUSTER)
        assert starts(version, data_dir, answers=answers) == found["etcd"][version]["starts"]


@pytest.mark.parametrize("name", list(cases()))
def test_each_sample_gets_the_words_of_etcdutl(name: str, tmp_path: Path) -> None:
    theirs = real.run(real.program("etcdutl", "3.5"), "check", "v2store", "--data-dir", samples.fresh(name, tmp_path))
    ours = invoke("check", "v2store", "--data-dir", samples.unpack(name))
    if name == LOG_WITHOUT_RECORDS:
        assert (theirs.returncode, ours.exit_code) == (0, 1)
        return
    assert ours.exit_code == theirs.returncode
    assert ours.stdout == theirs.stdout
    said = next((line for line in theirs.stderr.splitlines() if line.startswith("Error: ")), "")
    if "custom" in said:  # of damage each speaks in words of its own
        assert ours.stderr.startswith(said)


def made_by_3_5(folder: Path, fill: Callable[[real.Server], object], *flags: str) -> Path:
    """Have 3.5 write a data dir."""
    with real.Server("3.5", folder, *flags) as server:
        fill(server)
        server.etcdctl("put", "/v3", "kept")
        server.stop()
    return folder


def nothing(_: real.Server) -> None:
    """Leave it to the server itself to write v2 requests; with the v2 API, health checks have it read by one."""


def plain(server: real.Server) -> None:
    server.v2("PUT", "/plain", form={"value": "1"})


def hidden(server: real.Server) -> None:
    server.v2("PUT", "/_hidden/key", form={"value": "1"})


def quorum_read(server: real.Server) -> None:
    server.v2("GET", "/", params={"quorum": "true"})


def expired(server: real.Server) -> None:
    server.v2("PUT", "/gone", form={"value": "1", "ttl": "1"})
    deadline = time.monotonic() + 30
    while server.v2("GET", "/gone")[0] != 404:
        assert time.monotonic() < deadline, "it does not expire"
        time.sleep(0.2)


def folder_of_auth(server: real.Server) -> None:
    """Leave the folders of v2 auth behind, with nobody in them."""
    server.http("PUT", "/v2/auth/users/root", '{"user":"root","password":"pw"}', {"Content-Type": "application/json"})
    server.http("DELETE", "/v2/auth/users/root")


def many_v3(server: real.Server) -> None:
    """Have a snapshot taken behind all that was before."""
    for number in range(30):
        server.etcdctl("put", "/many", str(number))


def then(*fills: Callable[[real.Server], object]) -> Callable[[real.Server], object]:
    return lambda server: [fill(server) for fill in fills]


# what is written, flags, whether 3.6 and 3.7 start, whether v2 content is lost where they do
MADE: dict[str, tuple[Callable[[real.Server], object], tuple[str, ...], tuple[bool, bool], bool]] = {
    "no v2 API": (nothing, (), (True, False), False),
    "no v2 API, and a snapshot": (many_v3, (SNAPSHOTS,), (True, True), False),
    "health checks": (nothing, (V2,), (False, False), False),
    "health checks, and a snapshot": (many_v3, (V2, SNAPSHOTS), (True, True), False),
    "plain key": (plain, (V2,), (False, False), False),
    "plain key, and a snapshot": (then(plain, many_v3), (V2, SNAPSHOTS), (False, True), True),
    "hidden key": (hidden, (V2,), (False, False), False),
    "hidden key, and a snapshot": (then(hidden, many_v3), (V2, SNAPSHOTS), (True, True), True),
    "quorum read": (quorum_read, (V2,), (False, False), False),
    "key that expired, and a snapshot": (then(expired, many_v3), (V2, SNAPSHOTS), (True, True), False),
    "folders of auth, and a snapshot": (then(folder_of_auth, many_v3), (V2, SNAPSHOTS), (True, True), False),
}
USUAL_MADE = {"no v2 API", "hidden key, and a snapshot"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in USUAL_MADE else pytest.mark.full) for name in MADE]
)
def test_what_3_5_writes(name: str, tmp_path: Path) -> None:
    fill, flags, wanted, lost = MADE[name]
    found = checked(made_by_3_5(tmp_path / "made", fill, *flags))
    assert tuple(found["etcd"][version]["starts"] for version in VERSIONS) == wanted
    assert any(found["etcd"][version]["loses_content"] for version in VERSIONS) == lost
    assert bool(found["content"]) == (lost or ("key" in name and "expired" not in name))
    for version in VERSIONS:
        data_dir = tmp_path / version
        real.run("cp", "-r", "--sparse=always", tmp_path / "made", data_dir, check=True)
        assert starts(version, data_dir) == found["etcd"][version]["starts"]


def test_what_3_4_leaves_where_nobody_wrote(tmp_path: Path) -> None:
    server = real.Server("3.4", tmp_path / "made")
    try:
        server.start(wait=False)  # asked for its health, it would have that read by its log
        deadline = time.monotonic() + 60
        while "set the initial cluster version" not in server.log:
            assert time.monotonic() < deadline, server.log
            time.sleep(0.1)
    finally:
        server.close()
    found = checked(tmp_path / "made")
    assert [one["others"] for one in found["etcd"].values()] == [["boot.member-twice"]] * 2
    assert not found["etcd"]["3.6"]["requests"]
    with pytest.raises(real.ServerError, match="removed all voters"):
        real.Server("3.6", tmp_path / "made").__enter__()


def test_3_7_starts_without_a_snap(tmp_path: Path) -> None:
    with real.Server("3.7", tmp_path / "made", SNAPSHOTS) as server:
        many_v3(server)
        server.stop()
    for path in (tmp_path / "made/member/snap").glob("*.snap"):
        path.unlink()
    verified = invoke("verify", tmp_path / "made", "-w", "json")
    (result,) = json.loads(verified.stdout)["results"]
    assert [finding["code"] for finding in result["findings"]] == ["snap.record-alone"]
    assert checked(tmp_path / "made")["etcd"]["3.7"]["starts"]
    assert starts("3.7", tmp_path / "made")


def test_dir_of_a_running_server_is_looked_at_with_a_warning(tmp_path: Path) -> None:
    with real.Server("3.5", tmp_path / "data", V2) as server:
        server.v2("PUT", "/a", form={"value": "1"})
        found = checked(tmp_path / "data")
        assert [one["path"] for one in found["content"]] == ["/1/a"]
        assert found["findings"][0]["code"] == "v2.in-use"
        server.etcdctl("put", "/b", "1")
