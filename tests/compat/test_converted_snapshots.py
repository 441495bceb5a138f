"""Every v2 sample, converted, restored and served by real servers, held against what the old server answered.

Nothing in here looks at etcdtool's own report: the old server's recorded answers are one side, a new server's answers
about the restored snapshot the other.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from support import programs, samples, v2_answers
from support.servers import Server, restore

if TYPE_CHECKING:
    from pathlib import Path

    from support.v2_answers import Answer, Case

CASES = v2_answers.cases()
VERSIONS = ("3.5", "3.6", "3.7")
STATUS_FIELDS = {"3.5": {"hash", "revision", "totalSize"}}
TTL_TOLERANCE_SECONDS = 2  # each answer was asked for a moment before or after the recorded time

pytestmark = pytest.mark.compat


@dataclass(frozen=True)
class Served:
    """A key as a new server shows it; ``ttl`` is what its lease was granted."""

    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    ttl: int | None


def etcdtool(*arguments: object, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "etcdtool", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == exit_code, done.stderr
    return done


def convert(case: Case, target: Path, *arguments: object) -> None:
    # as plain keys, registries too: what becomes of those has a test of its own
    sources = [samples.unpack(archive) for archive in case.archives]
    before = [samples.hashes(source) for source in sources]
    etcdtool("convert", *sources, "-o", target, "-c", "keys", "--as-of", case.asked_at, *arguments)
    assert [samples.hashes(source) for source in sources] == before, "the source is as it was"


def serve(version: str, snapshot: Path, folder: Path) -> dict[str, Served]:
    """Restore a snapshot with the real tool, start the real server, and give what it serves."""
    restore(version, snapshot, folder / "new.etcd")
    with Server(version, folder / "new.etcd") as server:
        answer = server.etcdctl_json("get", "", "--from-key")
        leases = {pair["lease"] for pair in answer.get("kvs", []) if pair.get("lease")}
        ttl_of = {lease: server.etcdctl_json("lease", "timetolive", f"{lease:x}")["granted-ttl"] for lease in leases}
        server.etcdctl("put", "/written/after/the/restore", "yes")
    return {
        base64.b64decode(pair["key"]).decode(): Served(
            base64.b64decode(pair.get("value", "")),
            pair["create_revision"],
            pair["mod_revision"],
            pair["version"],
            ttl_of.get(pair.get("lease")),
        )
        for pair in answer.get("kvs", [])
    }


def differences(case: Case, served: dict[str, Served]) -> list[str]:
    """Say what a new server shows otherwise than the old one did."""
    asked = {path: answer for path, answer in case.nodes.items() if not answer.is_directory}
    told = {path: pair for path, pair in served.items() if (path + "/").startswith(case.subtree.rstrip("/") + "/")}
    found = [f"{path} is missing" for path in sorted(asked.keys() - told.keys())]
    found += [f"{path} was not there before" for path in sorted(told.keys() - asked.keys())]
    for path in sorted(asked.keys() & told.keys()):
        found += [f"{path}: {what}" for what in _pair_differences(asked[path], told[path], _ttl(case, path))]
    return found


def _pair_differences(answer: Answer, pair: Served, ttl: int | None) -> list[str]:
    found = []
    if not v2_answers.agrees(answer, pair.value):
        found.append(f"value {pair.value[:80]!r}")
    if (pair.create_revision, pair.mod_revision) != (answer.created_index, answer.modified_index):
        found.append(f"revisions {pair.create_revision}, {pair.mod_revision}")
    if pair.version != (1 if answer.created_index == answer.modified_index else 2):
        found.append(f"version {pair.version}")
    if (ttl is None) != (pair.ttl is None) or abs((ttl or 0) - (pair.ttl or 0)) > TTL_TOLERANCE_SECONDS:
        found.append(f"ttl {pair.ttl} instead of {ttl}")
    return found


def _ttl(case: Case, path: str) -> int | None:
    """Give the nearest of a node's own TTL and those of the directories above it, as the old server showed them."""
    names = path.split("/")
    above = ("/".join(names[:depth]) for depth in range(2, len(names) + 1))
    ttls = [answer.ttl for answer in (case.nodes.get(part) for part in above) if answer and answer.ttl is not None]
    return min(ttls, default=None)


def _matrix() -> list[object]:
    """Give each sample one version in turn, and with --full every version."""
    rows = []
    for number, case in enumerate(CASES):
        for turn, version in enumerate(VERSIONS):
            marks = [] if turn == number % len(VERSIONS) else [pytest.mark.full]
            rows.append(pytest.param(case, version, id=f"{case}-{version}", marks=marks))
    return rows


@pytest.mark.parametrize(("case", "version"), _matrix())
def test_a_new_server_shows_what_the_old_one_did(case: Case, version: str, tmp_path: Path) -> None:
    convert(case, tmp_path / "v3.db")
    assert differences(case, serve(version, tmp_path / "v3.db", tmp_path)) == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_real_tools_accept_the_snapshot(case: Case, tmp_path: Path) -> None:
    snapshot = tmp_path / "v3.db"
    convert(case, snapshot)
    image = tmp_path / "image"
    image.write_bytes(snapshot.read_bytes()[:-32])
    checked = subprocess.run([programs.bbolt(), "check", image], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.strip() == "OK"
    ours = json.loads(etcdtool("snapshot", "status", snapshot, "-w", "json").stdout)
    for version in VERSIONS:
        tool = programs.program("etcdutl", version)
        told = subprocess.run([tool, "snapshot", "status", snapshot, "-w", "json"], capture_output=True, check=True)
        theirs = json.loads(told.stdout)
        fields = STATUS_FIELDS.get(version, theirs.keys())
        assert {field: theirs[field] for field in fields} == {field: ours[field] for field in fields}, version


DROPPING = """
from etcdtool.converters.keys import KeysConverter
from etcdtool.model.conversion import Put, Skipped

class Dropping(KeysConverter):
    name = "dropping"

    def convert(self, nodes, context):
        dropped = False
        for outcome in super().convert(nodes, context):
            if isinstance(outcome, Put) and not dropped:
                dropped = True
                yield Skipped(node=outcome.node, reason="directory")
            else:
                yield outcome
"""


def test_a_converter_that_drops_one_node_is_found_out(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "v2-only-wal/3.4")
    (tmp_path / "dropping.py").write_text(DROPPING)
    source = samples.unpack(case.archives[0])
    etcdtool("convert", source, "-o", tmp_path / "v3.db", "-c", tmp_path / "dropping.py", "--as-of", case.asked_at)
    found = differences(case, serve("3.6", tmp_path / "v3.db", tmp_path))
    assert [line for line in found if line.endswith("is missing")] == found
    assert len(found) == 1


def test_a_read_in_the_past_is_refused_not_answered(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "v2-only-wal/3.4")
    convert(case, tmp_path / "marked.db")
    convert(case, tmp_path / "unmarked.db", "--no-compact-mark")
    key = next(path for path, answer in case.nodes.items() if answer.created_index != answer.modified_index)
    for name, refused in (("marked", True), ("unmarked", False)):
        folder = tmp_path / name
        folder.mkdir()
        restore("3.6", tmp_path / f"{name}.db", folder / "new.etcd")
        with Server("3.6", folder / "new.etcd") as server:
            told = server.etcdctl("get", key, f"--rev={case.nodes[key].created_index}", check=False)
        assert ("required revision has been compacted" in told.stderr) == refused, told.stderr
