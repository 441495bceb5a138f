"""What real programs say of a damaged data dir; kept as in `support.verdicts`.

A server that starts and offers its service makes it ``good``, whatever it has lost by then.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from support import processes, programs
from support.verdicts import SECONDS_MAX, Verdict, ask, kept_or_asked, words_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.damage_logs import LogFault

__all__ = ["LOG_TOOLS", "judge_log", "log_asked_anew", "log_program_of"]

LOG_TOOLS = ("boot", "migrate", "check v2store")
"""A server of the version that wrote the data dir; ``etcdutl migrate`` 3.7 for data of 3.5 and later, to the version
that the tool reads without changing more than it must; ``etcdutl check v2store`` 3.5."""

_BOOT_SECONDS_MAX = 15
_READY = (b"ready to serve client requests", b"serving client traffic")
_URL = "http://127.0.0.1:0"
_FOUND_CONTENT = "detected custom v2 content"


def judge_log(fault: LogFault) -> dict[str, Verdict]:
    """Give the verdict of each of `LOG_TOOLS` that reads data of this version."""
    return {
        tool: kept_or_asked(log_program_of(tool, fault), fault.sha256, partial(_asked, one, fault))
        for tool, one in _asks_of(fault).items()
    }


def log_asked_anew(fault: LogFault) -> dict[str, Verdict]:
    """Ask each of them, whatever is kept."""
    return {tool: _asked(one, fault) for tool, one in _asks_of(fault).items()}


def log_program_of(tool: str, fault: LogFault) -> str:
    """Give the name under which the verdicts of one of `LOG_TOOLS` are kept; its version is in it."""
    version = {"boot": fault.version, "migrate": "3.7", "check v2store": "3.5"}[tool]
    return f"{'etcd' if tool == 'boot' else 'etcdutl'}-{programs.RELEASES[version]}-{tool.replace(' ', '-')}"


def _asks_of(fault: LogFault) -> dict[str, Callable[[Path, str], Verdict]]:
    asks = {"boot": _boot, "check v2store": _check_v2store}
    return asks if fault.version == "3.4" else {**asks, "migrate": _migrate}


def _asked(one: Callable[[Path, str], Verdict], fault: LogFault) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="etcdtool-damage-") as folder:
        return one(fault.write(Path(folder)), fault.version)


def _migrate(root: Path, _: str) -> Verdict:
    words = ["migrate", "--data-dir", str(root), "--target-version", "3.7"]
    return ask([str(programs.program("etcdutl", "3.7")), *words], root)


def _check_v2store(root: Path, _: str) -> Verdict:
    verdict = ask([str(programs.program("etcdutl", "3.5")), "check", "v2store", "--data-dir", str(root)], root)
    # it ends with 1 where there are v2 keys: that is its answer, not a complaint
    return Verdict("good", verdict.said) if _FOUND_CONTENT in verdict.said else verdict


def _boot(root: Path, version: str) -> Verdict:
    argv = [
        str(programs.program("etcd", version)),
        "--name=m",
        f"--data-dir={root}",
        *(f"--{flag}={_URL}" for flag in ("listen-client-urls", "advertise-client-urls", "listen-peer-urls")),
        f"--initial-advertise-peer-urls={_URL}",
        f"--initial-cluster=m={_URL}",
        "--heartbeat-interval=10",
        "--election-timeout=60",
        "--logger=zap",
        "--log-outputs=stderr",
        *(["--enable-v2=true"] if version in {"3.4", "3.5"} else []),
    ]
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=processes.environ({"GOTRACEBACK": "none"}),
        start_new_session=True,
    )
    timer = threading.Timer(_BOOT_SECONDS_MAX, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    lines: list[bytes] = []
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if any(words in line for words in _READY):
                return _end(process, timer, Verdict("good", "ready to serve client requests"))
            lines.append(line)
    word = "bad" if timer.is_alive() else "hang"
    return _end(process, timer, Verdict(word, words_of(_telling(lines), root)))


def _telling(lines: list[bytes]) -> str:
    grave = [line for line in lines if any(b'"level":"%s"' % level in line for level in (b"fatal", b"panic"))]
    return b"".join(grave or lines).decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes], timer: threading.Timer, verdict: Verdict) -> Verdict:
    timer.cancel()
    process.kill()
    process.wait(timeout=SECONDS_MAX)
    return verdict
