#!/usr/bin/env python3
"""Make the benchmarks' snapshots, each saved from a real etcd 3.7, once, into the cache folder.

``small`` is 1.25 million revisions of 250,000 keys, about 400 MB; ``compacted`` the same after a compaction in the
middle; ``leases`` the same with a lease on every key; ``values`` is 30,000 values of 14 kB.  A minute or two each.
``small-changed`` and ``values-changed`` are those with the first thousand keys written again, to other values.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import real

LAYOUT = 1  # raise it when what is written changes, so that old data are not taken
PUTS = 1_250_000
KEYS = 250_000
SHAPES = {
    "small": (f"-puts={PUTS}", f"-keys={KEYS}", "-value-size=200", "-delete-every=101"),
    "leases": (f"-puts={PUTS}", f"-keys={KEYS}", "-value-size=200", "-leases"),
    "values": ("-puts=30000", "-keys=30000", "-value-size=14000"),
}
COMPACT_AT = PUTS // 2
CHANGED_KEYS = 1000
CHANGED = "-changed"
LOAD_SECONDS_MAX = 1500
READ_SIZE = 8 << 20
_FLAGS = ("--unsafe-no-fsync", f"--quota-backend-bytes={8 << 30}", "--snapshot-count=1000000")


def snapshot(name: str) -> Path:
    """Give a snapshot file, making it at the first call; read-only for its users.

    It is in the page cache as a program that reads it from end to end leaves it: in big pieces.  One that was read here
    and there before stays there in small ones, and to map it takes a fifth longer.
    """
    folder = real.cache_dir() / "bench" / f"v3-{LAYOUT}-{real.RELEASES['3.7']}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.db"
    with real.locked(folder / f"{name}.lock"):
        if not path.exists():
            if name.endswith(CHANGED):
                _change(snapshot(name.removesuffix(CHANGED)), path)
            else:
                _make(name, path)
        _read_anew(path)
    return path


def _read_anew(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while file.read(READ_SIZE):
            pass


def _change(old: Path, path: Path) -> None:
    staged = Path(tempfile.mkdtemp(prefix=f"{path.stem}.", dir=path.parent))
    try:
        real.restore("3.7", old, staged / "data")
        with real.Server("3.7", staged / "data", *_FLAGS) as server:
            shape = (f"-puts={CHANGED_KEYS}", f"-keys={CHANGED_KEYS}", "-value-size=201")
            load = real.program("load", "load")
            real.run(load, f"-endpoint={server.client_url}", *shape, check=True, timeout=LOAD_SECONDS_MAX)
            server.etcdctl("snapshot", "save", staged / "saved.db", "--command-timeout=600s")
        (staged / "saved.db").rename(path)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _make(name: str, path: Path) -> None:
    staged = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=path.parent))
    try:
        with real.Server("3.7", staged / "data", *_FLAGS) as server:
            shape = SHAPES["small" if name == "compacted" else name]
            load = real.program("load", "load")
            real.run(load, f"-endpoint={server.client_url}", *shape, check=True, timeout=LOAD_SECONDS_MAX)
            if name == "compacted":
                server.etcdctl("compact", str(COMPACT_AT), "--physical", "--command-timeout=600s")
            server.etcdctl("snapshot", "save", staged / "saved.db", "--command-timeout=600s")
        (staged / "saved.db").rename(path)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or [*SHAPES, "compacted", f"small{CHANGED}", f"values{CHANGED}"]:
        made_at = time.monotonic()
        print(snapshot(wanted), f"{time.monotonic() - made_at:.0f} s")
