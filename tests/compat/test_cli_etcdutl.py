"""Right and wrong calls of etcdutl, made to it and to etcdtool in its place: exit code, stdout, message, what is left.

Where etcdtool differs on purpose, `DIFFERENCES` says how; anything else that differs fails.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support import real, samples
from support.cli import invoke

if TYPE_CHECKING:
    from pathlib import Path

RESTORE = "snapshot restore s.db --data-dir new"
FOR_ONE = "--initial-cluster default="
CALLS = {
    "version": ["version", "version extra", "--timeout 5s version", "version --timeout 1m30s"],
    "status": [
        "snapshot status s.db",
        "snapshot status s.db -w table",
        "-w json snapshot status s.db",
        "snapshot -w fields status s.db",
        "snapshot status s.db --write-out=json --timeout 1s",
        "snapshot --timeout 1s status s.db",
        "snapshot status",
        "snapshot status s.db s.db",
        "snapshot status none",
        "snapshot status text",
        "snapshot status --nosuch",
        "snapshot status s.db -w xx",
        "snapshot status s.db --timeout x",
    ],
    "hashkv": [
        "hashkv s.db",
        "hashkv s.db --rev 1600",
        "hashkv s.db --rev 1",
        "hashkv s.db --rev 99999999",
        "hashkv s.db --rev x",
        "hashkv s.db --rev 99999999999999999999",
        "hashkv s.db --rev",
        "-w json hashkv s.db",
        "hashkv s.db -w table",
        "hashkv -w=fields s.db",
        "--timeout=2s hashkv s.db",
        "hashkv none",
        "hashkv s.db -w xx",
    ],
    "restore": [
        RESTORE,
        "--timeout 1s " + RESTORE,
        RESTORE + " --timeout 1s",
        RESTORE + " --bump-revision 10 --mark-compacted=true",
        RESTORE + " --skip-hash-check=false --wal-dir log",
        "snapshot restore raw --data-dir new --skip-hash-check",
        "snapshot restore s.db",
        "snapshot restore",
        "snapshot restore s.db s.db",
        "snapshot restore none --data-dir new",
        "snapshot restore raw --data-dir new",
        "snapshot restore bad --data-dir new",
        "snapshot restore s.db --data-dir full",
        RESTORE + " --wal-dir full",
        RESTORE + " --bump-revision 1_0 --mark-compacted",
        RESTORE + " --bump-revision 0x_10 --mark-compacted",
        RESTORE + " --bump-revision 1__0 --mark-compacted",
        RESTORE + " --bump-revision 5",
        RESTORE + " --mark-compacted",
        RESTORE + " --bump-revision x",
        RESTORE + " --bump-revision=-1",
        RESTORE + " --bump-revision",
        RESTORE + " --name n2",
        RESTORE + " --initial-cluster default=http://a",
        RESTORE + " --initial-cluster x",
        RESTORE + " --initial-cluster default=http://a:1;b=http://c:1",
        RESTORE + f" {FOR_ONE}http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:02380",
        RESTORE + f" {FOR_ONE}unix:///a:1 --initial-advertise-peer-urls unix:///a:1",
        RESTORE + " --initial-advertise-peer-urls http://127.0.0.1:2381",
        RESTORE + " --initial-advertise-peer-urls http://localhost:2380/x",
        RESTORE + " --skip-hash-check=maybe",
        RESTORE + " --nosuch",
        "snapshot restore s.db --data-dir",
    ],
    "completion": ["completion", "completion nosuch", "completion bash zsh", "completion powershell zsh"],
}
OLDER = {
    "3.5": {"version", "version extra", *CALLS["status"], *CALLS["restore"]} - {"snapshot restore s.db"},
    "3.6": {"version", "version extra", *CALLS["status"], *CALLS["restore"], *CALLS["completion"]},
}
"""Calls that these versions have; their exit codes are those of 3.7, and 3.5 wants a data dir first."""
WANTS_DATA_DIR = {"snapshot restore", "snapshot restore s.db s.db"}
ONLY_IN_37 = re.compile("--timeout")

DIFFERENCES = {
    "snapshot restore raw --data-dir new": "etcdutl leaves new/member/snap/db behind",
    "snapshot restore bad --data-dir new": "etcdutl leaves new/member/snap/db behind",
}
OWN_EXIT_CODES = {
    "-w xx version": (0, 4, "etcdutl takes no notice of -w there"),
    "-w xx " + RESTORE: (0, 4, "etcdutl takes no notice of -w there"),
    "nosuch": (1, 2, "a wrong word is 2 for all of etcdtool"),
    "--nosuch": (1, 2, "likewise"),
    "snapshot nosuch": (0, 2, "etcdutl prints help and calls it a success"),
    "snapshot": (0, 2, "likewise"),
}


class Done(NamedTuple):
    exit_code: int
    stdout: str
    message: str
    left: list[str]


def fresh(folder: Path) -> Path:
    folder.mkdir()
    snapshot = samples.unpack("v3/3.6/snapshot.db.gz").read_bytes()
    (folder / "s.db").write_bytes(snapshot)
    (folder / "raw").write_bytes(snapshot[:-32])
    (folder / "bad").write_bytes(snapshot[:-1] + bytes([snapshot[-1] ^ 1]))
    (folder / "text").write_bytes(b"no database\n" * 1000)
    (folder / "full").mkdir()
    (folder / "full/x").write_bytes(b"")
    return folder


def ended(folder: Path, exit_code: int, stdout: str, stderr: str) -> Done:
    messages = [line.removeprefix("Error: ") for line in stderr.splitlines() if line.startswith("Error: ")]
    message = messages[-1] if messages and exit_code else ""
    return Done(exit_code, stdout, message, sorted(path.name for path in folder.iterdir()))


def ours(words: str, tmp_path: Path) -> Done:
    folder = fresh(tmp_path / "ours")
    with contextlib.chdir(folder):
        done = invoke(*words.split())
    return ended(folder, done.exit_code, done.stdout, done.stderr)


def theirs(version: str, words: str, tmp_path: Path) -> Done:
    folder = fresh(tmp_path / version)
    done = real.run(real.program("etcdutl", version), *words.split(), cwd=folder)
    return ended(folder, done.returncode, done.stdout, done.stderr)


def without_program(text: str) -> str:
    """Leave out what names the program and its version, and the system call in front of a path."""
    text = re.sub(r"etcdutl|etcdtool", "PROGRAM", text)
    text = re.sub(r"^(PROGRAM version: ).*", r"\1X", text)
    return re.sub(r"^(stat|open|cannot read) none: ", "none: ", text)


@pytest.mark.parametrize("words", [call for calls in CALLS.values() for call in calls])
def test_a_call_ends_as_with_etcdutl(words: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    mine, other = ours(words, tmp_path), theirs("3.7", words, tmp_path)
    assert mine.exit_code == other.exit_code, (mine, other)
    assert without_program(mine.stdout) == without_program(other.stdout)
    assert without_program(other.message) in without_program(mine.message), (mine, other)
    if words in DIFFERENCES:
        assert set(other.left) - set(mine.left) == {"new"}
    else:
        assert mine.left == other.left
    for version in ("3.5", "3.6") if request.config.getoption("--full") else ():
        if words in OLDER[version] and ONLY_IN_37.search(words) is None:
            older = theirs(version, words, tmp_path)
            wants = version == "3.5" and words in WANTS_DATA_DIR
            assert older.exit_code == (1 if wants else mine.exit_code), older


@pytest.mark.parametrize("words", OWN_EXIT_CODES)
def test_calls_that_end_otherwise_on_purpose(words: str, tmp_path: Path) -> None:
    wanted = OWN_EXIT_CODES[words][:2]
    assert (theirs("3.7", words, tmp_path).exit_code, ours(words, tmp_path).exit_code) == wanted


def test_json_of_version_is_our_own(tmp_path: Path) -> None:
    words = "version -w json"
    mine, other = ours(words, tmp_path), theirs("3.7", words, tmp_path)
    assert other.stdout.startswith("etcdutl version: ")  # it has no JSON there
    assert (mine.exit_code, other.exit_code, mine.stdout[:12]) == (0, 0, '{"version":"')
