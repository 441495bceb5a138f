"""What the real tools say of a damaged file: asked once, then kept by (tool version, sha256) in the cache folder.

What the repository keeps of a whole corpus (`support.kept_faults`) is not asked again, but for a share by chance.

``good``, ``bad`` (a message, a panic or a crash) or ``hang``: no answer within `SECONDS_MAX` of computing.  The words
they said are kept beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from support import kept_faults, programs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from support.damage import Fault

__all__ = ["SECONDS_MAX", "TOOLS", "Verdict", "ask", "asked_anew", "judge", "kept_or_asked", "program_of", "words_of"]

SECONDS_MAX = 4
_WAITED_SECONDS_MAX = 40  # on a busy machine they get little of it
_MEMORY_MAX = 512 << 20
_SAID_SIZE = 160
TOOLS = ("status", "check", "restore")
"""``etcdutl snapshot status`` 3.7, ``bbolt check`` 1.5.0, ``etcdutl snapshot restore`` 3.7."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a program made of a damaged input.

    Attributes:
        word: ``good``, ``bad`` or ``hang``.
        said: its words: figures where it found nothing, else the message.
    """

    word: str
    said: str


def judge(fault: Fault) -> dict[str, Verdict]:
    """Give the verdict of each of `TOOLS`."""
    return {tool: kept_or_asked(program_of(tool), fault.sha256, partial(_asked, tool, fault)) for tool in TOOLS}


def asked_anew(fault: Fault) -> dict[str, Verdict]:
    """Ask each of `TOOLS`, whatever is kept."""
    return {tool: _asked(tool, fault) for tool in TOOLS}


def kept_or_asked(program: str, sha256: str, asks: Callable[[], Verdict]) -> Verdict:
    """Give the verdict that is kept of this program for this input; ask and keep where there is none."""
    kept = _kept(program)
    if sha256 not in kept:
        kept[sha256] = verdict = asks()
        path = _folder() / f"{program}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        # one write of one short line: processes may append beside each other
        with path.open("ab", buffering=0) as lines:
            lines.write(f"{json.dumps({'sha256': sha256, **asdict(verdict)})}\n".encode())
    return kept[sha256]


def ask(argv: list[str], hidden: Path) -> Verdict:
    """Run a program over an input; ``hidden`` is the path that its words are freed of."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=os.environ | {"GOTRACEBACK": "none"},
            timeout=_WAITED_SECONDS_MAX,
            preexec_fn=_set_limits,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict("hang", "")
    if done.returncode == -signal.SIGKILL:
        return Verdict("hang", "")
    words = (done.stderr or done.stdout) if done.returncode else done.stdout
    return Verdict("bad" if done.returncode else "good", words_of(words.decode("utf-8", "replace"), hidden))


def words_of(text: str, hidden: Path) -> str:
    """Give the line that says it."""
    lines = [line.strip() for line in text.replace(str(hidden), "@").splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("Error:", "panic:", "fatal error:"))]
    return (telling or lines[-1:] or [""])[0][:_SAID_SIZE]


def _asked(tool: str, fault: Fault) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="etcdtool-damage-") as folder:
        path = Path(folder) / "damaged.db"
        path.write_bytes(fault.data)
        try:
            return ask(_argv(tool, path), path)
        finally:
            shutil.rmtree(path.with_suffix(".etcd"), ignore_errors=True)


def _argv(tool: str, path: Path) -> list[str]:
    if tool == "check":
        return [str(programs.bbolt()), "check", str(path)]
    argv = [str(programs.program("etcdutl", "3.7")), "snapshot", tool, str(path)]
    return [*argv, "--data-dir", str(path.with_suffix(".etcd"))] if tool == "restore" else argv


def _set_limits() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX))  # ends it by SIGKILL
    # what a loop allocates; maps of the file do not count
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_MAX, _MEMORY_MAX))


def program_of(tool: str) -> str:
    """Give the name under which the verdicts of one of `TOOLS` are kept; its version is in it."""
    version = programs.RELEASES["bbolt" if tool == "check" else "3.7"]
    return f"{'bbolt' if tool == 'check' else 'etcdutl'}-{version}-{tool}"


def _folder() -> Path:
    return programs.cache_dir() / "damage"


@cache
def _kept(program: str) -> dict[str, Verdict]:
    kept = {sha256: Verdict(*words) for sha256, words in kept_faults.verdicts_of(program).items()}
    with contextlib.suppress(FileNotFoundError):
        for line in (_folder() / f"{program}.jsonl").read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # a line that a kill cut off
                record: Mapping[str, str] = json.loads(line)
                kept[record["sha256"]] = Verdict(record["word"], record["said"])
    return kept
