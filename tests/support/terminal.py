"""Run the command line on a terminal, as a person does."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def on_terminal(*words: object, columns: int = 80, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run ``etcdtool WORDS`` on a terminal that is so wide; return its exit code and what stands there."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    argv = [sys.executable, "-m", "etcdtool", *map(str, words)]
    try:
        with subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, env={**inherited, **(environment or {})}
        ) as program:
            os.close(theirs)
            shown = b"".join(iter(lambda: _read(ours), b""))
    finally:
        os.close(ours)
    return program.returncode, shown.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # Linux says EIO when the other end is closed
        return b""
