"""What the real tools say of a damaged file: asked once, then kept by (tool version, sha256) in the cache folder.

``good``, ``bad`` (a message, a panic or a crash) or ``hang``: no answer within `SECONDS_MAX`.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support import programs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.damage import Fault

__all__ = ["TOOLS", "judge"]

SECONDS_MAX = 4
_MEMORY_MAX = 512 << 20
TOOLS = ("status", "check", "restore")
"""``etcdutl snapshot status`` 3.7, ``bbolt check`` 1.5.0, ``etcdutl snapshot restore`` 3.7."""


def judge(fault: Fault) -> dict[str, str]:
    """Give the verdict of each of `TOOLS`."""
    name = fault.sha256
    missing = [tool for tool in TOOLS if name not in _kept(tool)]
    if missing:
        with tempfile.TemporaryDirectory(prefix="etcdtool-damage-") as folder:
            path = Path(folder) / "damaged.db"
            for tool in missing:
                path.write_bytes(fault.data)
                _keep(tool, {"sha256": name, **_ask(tool, path)})
    return {tool: _kept(tool)[name]["verdict"] for tool in TOOLS}


def _argv(tool: str, path: Path) -> list[str]:
    if tool == "check":
        return [str(programs.bbolt()), "check", str(path)]
    argv = [str(programs.program("etcdutl", "3.7")), "snapshot", tool, str(path)]
    return [*argv, "--data-dir", str(path.with_suffix(".etcd"))] if tool == "restore" else argv


def _ask(tool: str, path: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(
            _argv(tool, path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"GOTRACEBACK": "none"},
            timeout=SECONDS_MAX,
            preexec_fn=_limit_memory,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"verdict": "hang"}
    finally:
        shutil.rmtree(path.with_suffix(".etcd"), ignore_errors=True)
    return {"verdict": "good" if done.returncode == 0 else "bad", "rc": done.returncode}


def _limit_memory() -> None:
    # what a loop allocates; maps of the file do not count
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_MAX, _MEMORY_MAX))


@cache
def _file(tool: str) -> Path:
    version = programs.RELEASES["bbolt" if tool == "check" else "3.7"]
    program = "bbolt" if tool == "check" else "etcdutl"
    return programs.cache_dir() / "damage" / f"{program}-{version}-{tool}.jsonl"


@cache
def _kept(tool: str) -> dict[str, Mapping[str, Any]]:
    kept: dict[str, Mapping[str, Any]] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in _file(tool).read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # a line that a kill cut off
                record = json.loads(line)
                kept[record["sha256"]] = record
    return kept


def _keep(tool: str, record: dict[str, Any]) -> None:
    _kept(tool)[record["sha256"]] = record
    path = _file(tool)
    path.parent.mkdir(parents=True, exist_ok=True)
    # one write of one short line: processes may append beside each other
    with path.open("ab", buffering=0) as file:
        file.write(f"{json.dumps(record)}\n".encode())
