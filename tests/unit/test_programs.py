"""Building real programs: once, whole or not at all, and with a reason when it can't be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import programs

TESTS_DIR = Path(__file__).resolve().parents[1]
ASK = (
    "import shutil; from support import programs\n"
    "programs._find_go = lambda: shutil.which('go')  # and not one that lies beside this Python\n"
    "print(programs.bbolt())"
)
FAKE_GO = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
while [ "$1" != -o ]; do shift; done
sleep 0.3
[ -z "$FAKE_GO_FAILS" ] || { echo 'dial tcp: lookup modules.example: no such host' >&2; exit 1; }
echo built > "$2"
"""


@pytest.fixture
def fake_go(tmp_path: Path) -> dict[str, str]:
    """Put a go on the PATH that counts its calls, and an empty cache beside it."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{go.parent}:{os.environ['PATH']}",
        "ETCDTOOL_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(TESTS_DIR),
    }


def test_processes_that_ask_at_once_build_once(fake_go: dict[str, str], tmp_path: Path) -> None:
    asking = [subprocess.Popen([sys.executable, "-c", ASK], env=fake_go, stdout=subprocess.PIPE) for _ in range(4)]
    paths = {process.communicate(timeout=60)[0].decode().strip() for process in asking}
    assert len(paths) == 1
    built = Path(paths.pop())
    assert built.read_text() == "built\n"
    assert built.is_relative_to(tmp_path / "cache" / "real")
    calls = (tmp_path / "bin" / "calls").read_text().splitlines()
    assert len(calls) == 1
    assert "-mod=readonly" in calls[0]
    assert "-trimpath" in calls[0]


def test_a_failed_build_leaves_nothing_and_says_why(fake_go: dict[str, str], tmp_path: Path) -> None:
    failing = fake_go | {"FAKE_GO_FAILS": "1"}
    done = subprocess.run([sys.executable, "-c", ASK], env=failing, capture_output=True, text=True, check=False)
    assert "UnavailableError" in done.stderr
    assert "no such host" in done.stderr
    assert [path.suffix for path in (tmp_path / "cache" / "real").iterdir()] == [".lock"]
    done = subprocess.run([sys.executable, "-c", ASK], env=fake_go, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_file()


def test_without_go_the_reason_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda *_, **__: None)
    with pytest.raises(programs.UnavailableError, match="there is no Go"):
        programs._build("bbolt", tmp_path / "bbolt")


def test_the_folder_follows_what_is_pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = programs.build_dir("bbolt")
    for name in ("go.mod", "go.sum"):
        text = (programs.TOOLS_DIR / "bbolt" / name).read_text()
        (tmp_path / "bbolt").mkdir(exist_ok=True)
        (tmp_path / "bbolt" / name).write_text(text.replace("v1.5.0", "v1.5.1"))
    monkeypatch.setattr(programs, "TOOLS_DIR", tmp_path)
    assert programs.build_dir("bbolt") != before


def test_the_3_4_has_no_etcdutl() -> None:
    with pytest.raises(KeyError, match="has no etcdutl"):
        programs.program("etcdutl", "3.4")


def test_pins_are_the_releases_named() -> None:
    for version, release in programs.RELEASES.items():
        pinned = (programs.TOOLS_DIR / version / "go.mod").read_text()
        # the commit of 3.4.13: this release came before Go modules could name it
        assert (f"v{release}" if version != "3.4" else "dd1b699fc489") in pinned, version
