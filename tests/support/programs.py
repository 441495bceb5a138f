"""Real etcd programs, built from source as Go tool dependencies into a cache folder.

``tests/tools/<version>`` holds a go.mod with ``tool`` lines and a go.sum, so what is built is pinned to the byte and
checked by Go.  A build lands in ``$ETCDTOOL_CACHE/real/<version>-<hash of go.mod and go.sum>/`` and is never changed
afterwards.  Two processes never build one version twice (a file lock); a killed build leaves nothing (temp + rename).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS_DIR = Path(__file__).resolve().parents[1] / "tools"
BUILD_SECONDS_MAX = 1200

# folder below tests/tools -> program -> Go package
PACKAGES = {
    "3.4": {"etcd": "go.etcd.io/etcd", "etcdctl": "go.etcd.io/etcd/etcdctl"},
    **{
        version: {
            "etcd": "go.etcd.io/etcd/server/v3",
            "etcdctl": "go.etcd.io/etcd/etcdctl/v3",
            "etcdutl": "go.etcd.io/etcd/etcdutl/v3",
        }
        for version in ("3.5", "3.6", "3.7")
    },
    "bbolt": {"bbolt": "go.etcd.io/bbolt/cmd/bbolt"},
    "dump": {
        name: f"go.etcd.io/etcd/v3/tools/{name}" for name in ("etcd-dump-logs", "etcd-dump-db")
    },  # of 3.6, which decodes the requests of v2 too; 3.7 does not
    "load": {"load": "."},  # our own, for the benchmarks
    "walversion": {"walversion": "."},  # our own, which asks etcd's code
    "kubernetes": {"kubernetes": "."},  # our own, which asks Kubernetes' code
}
# what `etcd --version` of each says; the module version of 3.4 does not tell
RELEASES = {
    "3.4": "3.4.13",
    "3.5": "3.5.35",
    "3.6": "3.6.16",
    "3.7": "3.7.3",
    "bbolt": "1.5.0",
    "dump": "3.6.14",
    "load": "1",
    "walversion": "1",
    "kubernetes": "1",
}


class UnavailableError(Exception):
    """A real program can't be had on this machine: no Go, or no way to the modules."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the figures of a run depend on."""

    go: str
    cpu: str
    cpus: int
    cache_dir: Path
    releases: dict[str, str]


def versions() -> tuple[str, ...]:
    """Give the etcd versions there are, oldest first."""
    return tuple(version for version in PACKAGES if "etcd" in PACKAGES[version])


def cache_dir() -> Path:
    """Give the folder that outlives a run: $ETCDTOOL_CACHE, else $XDG_CACHE_HOME/etcdtool, else ~/.cache/etcdtool."""
    named = os.environ.get("ETCDTOOL_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "etcdtool"


def program(name: str, version: str) -> Path:
    """Give the path of a real program ("etcd", "etcdctl", "etcdutl") of a version ("3.4" … "3.7"), building if needed.

    Raises:
        KeyError: that version has no such program (3.4 has no etcdutl).
        UnavailableError: it can't be built here.
    """
    if name not in PACKAGES[version]:
        raise KeyError(f"etcd {version} has no {name}")
    return _built(version) / name


def bbolt() -> Path:
    """Give the path of the real bbolt tool."""
    return program("bbolt", "bbolt")


def environment() -> Environment:
    """Describe this machine and the real programs, for reports and benchmarks."""
    return Environment(
        go=_go_version(), cpu=_cpu_model(), cpus=os.cpu_count() or 1, cache_dir=cache_dir(), releases=dict(RELEASES)
    )


def build_dir(version: str) -> Path:
    """Give the folder a version's programs are (or will be) in; the name holds the hash of what they are built from."""
    digest = hashlib.sha256()
    for path in sorted((TOOLS_DIR / version).iterdir()):
        digest.update(path.read_bytes())
    return cache_dir() / "real" / f"{version}-{digest.hexdigest()[:16]}"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file beside what is made, against other processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def _built(version: str) -> Path:
    target = build_dir(version)
    if target.is_dir():
        return target
    with locked(target.with_suffix(".lock")):
        if not target.is_dir():
            _build(version, target)
    return target


def _build(version: str, target: Path) -> None:
    go = _find_go()
    if go is None:
        raise UnavailableError("there is no Go, with which real etcd programs are built; .ci/bootstrap go installs it")
    staged = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        for name, package in PACKAGES[version].items():
            _go_build(go, version, package, staged / name)
        staged.chmod(0o755)
        staged.rename(target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _go_build(go: str, version: str, package: str, output: Path) -> None:
    argv = [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(output), package]
    # CGO off: the same program on every machine, and no C compiler needed
    environ = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    try:
        done = subprocess.run(
            argv,
            cwd=TOOLS_DIR / version,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{package} was not built within {BUILD_SECONDS_MAX} seconds") from error
    if done.returncode != 0:
        raise UnavailableError(f"{package} can't be built: {done.stderr.strip()[-600:]}")


def _find_go() -> str | None:
    """Look for the Go that ``.ci/bootstrap go`` has put here since the machine's is no good, then for the machine's."""
    beside_python = str(Path(sys.executable).parent)
    places = [beside_python, os.environ.get("PATH", os.defpath), "/usr/local/go/bin", "/usr/lib/go/bin"]
    return shutil.which("go", path=os.pathsep.join(places))


def _go_version() -> str:
    go = _find_go()
    if go is None:
        return "none"
    return subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout.strip()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
