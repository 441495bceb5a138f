#!/usr/bin/env python3
"""Real etcd programs for tests: where they are, and how to run them.

As a script it builds them: ``real.py --list``, ``real.py --build [VERSION …]``, ``real.py --run 3.6 etcdutl version``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import fields
from pathlib import Path

if not __package__:  # started as a script: the folder of the package is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.processes import ProgramError, run
from support.programs import (
    PACKAGES,
    RELEASES,
    UnavailableError,
    bbolt,
    build_dir,
    cache_dir,
    environment,
    locked,
    program,
    versions,
)
from support.servers import Cluster, Server, ServerError, restore

__all__ = [
    "RELEASES",
    "Cluster",
    "ProgramError",
    "Server",
    "ServerError",
    "UnavailableError",
    "bbolt",
    "cache_dir",
    "environment",
    "locked",
    "program",
    "restore",
    "run",
    "versions",
]


def main(words: list[str]) -> int:
    """Build, list or run the real programs; the exit code is 1 when one can't be had."""
    parser = argparse.ArgumentParser(description="Build real etcd programs into the cache folder.")
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--list", action="store_true", help="say what there is and where (the default)")
    act.add_argument("--build", nargs="*", metavar="VERSION", help=f"build {', '.join(PACKAGES)}, or all")
    act.add_argument("--run", nargs=argparse.REMAINDER, metavar="…", help="VERSION PROGRAM ARGUMENT…: run one")
    chosen = parser.parse_args(words)
    if chosen.run:
        path = program(chosen.run[1], chosen.run[0])
        os.execv(path, [str(path), *chosen.run[2:]])
    if chosen.build is not None:
        return _build(chosen.build or list(PACKAGES))
    for field in fields(here := environment()):
        print(f"{field.name:10} {getattr(here, field.name)}")
    for version, programs in PACKAGES.items():
        built = "built" if build_dir(version).is_dir() else "not built"
        print(f"{version:6} {RELEASES[version]:8} {built:10} {build_dir(version)}  {' '.join(programs)}")
    return 0


def _build(wanted: list[str]) -> int:
    for version in wanted:
        started = time.monotonic()
        try:
            for name in PACKAGES[version]:
                program(name, version)
        except UnavailableError as error:
            print(f"{version}: {error}", file=sys.stderr)
            return 1
        print(f"{version}: {build_dir(version)} ({time.monotonic() - started:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
