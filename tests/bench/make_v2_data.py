#!/usr/bin/env python3
"""Make the benchmarks' data: v2 data dirs of 200,000 keys, written by a real etcd 3.4, once, into the cache folder.

``wal-only`` holds every request in its WAL and no .snap; ``with-snap`` is the same after a restart with a small
--snapshot-count, so that its newest .snap holds nearly everything.  Takes about a minute or two.
"""

from __future__ import annotations

import http.client
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import real

KEYS = 200_000
CONNECTIONS = 48
TAIL_KEYS = 200  # written after the restart of with-snap; most of them lie in the WAL after its .snap
SNAPSHOT_COUNT = 150
NAME = "bench"
LAYOUT = 1  # raise it when what is written changes, so that old data are not taken


@dataclass(frozen=True, slots=True)
class V2Data:
    """The two data dirs; read-only for their users."""

    wal_only: Path
    with_snap: Path


def v2_data(keys: int = KEYS) -> V2Data:
    """Give the data dirs, making them at the first call."""
    folder = real.cache_dir() / "bench" / f"v2-{keys}-{LAYOUT}-{real.RELEASES['3.4']}"
    with real.locked(folder.with_suffix(".lock")):
        if not folder.is_dir():
            _make(folder, keys)
    return V2Data(folder / "wal-only", folder / "with-snap")


def copy(data_dir: Path, target: Path) -> Path:
    """Copy a data dir for a program that writes into it; holes stay holes."""
    real.run("cp", "-a", "--sparse=always", data_dir, target, check=True)
    return target


def _make(folder: Path, keys: int) -> None:
    staged = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        # more than there are entries: no .snap
        with real.Server(
            "3.4", staged / "wal-only", "--enable-v2=true", f"--snapshot-count={keys * 2}", name=NAME
        ) as one:
            _fill(one, range(keys))
        copy(staged / "wal-only", staged / "with-snap")
        flags = ("--enable-v2=true", f"--snapshot-count={SNAPSHOT_COUNT}")
        with real.Server("3.4", staged / "with-snap", *flags, name=NAME, start_seconds_max=180) as other:
            _fill(other, range(keys, keys + TAIL_KEYS))
            _wait_for_snap(staged / "with-snap")
        staged.chmod(0o755)
        staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _fill(server: real.Server, numbers: range) -> None:
    parts = [numbers[start::CONNECTIONS] for start in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(lambda part: _put(server.client_url, part), parts):
            pass


def _put(client_url: str, numbers: range) -> None:
    """Put keys over one connection that stays open."""
    connection = http.client.HTTPConnection(urlsplit(client_url).netloc, timeout=60)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for number in numbers:
        body = f"value=http%3A%2F%2F10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}%3A8080"
        connection.request("PUT", f"/v2/keys/services/s{number % 500:03}/node-{number:06}", body, headers)
        response = connection.getresponse()
        response.read()
        assert response.status == http.client.CREATED, response.status
    connection.close()


def _wait_for_snap(data_dir: Path) -> None:
    # it is written beside the requests, and renamed into place when whole
    deadline = time.monotonic() + 120
    while not list(data_dir.rglob("*.snap")):
        assert time.monotonic() < deadline, "the server wrote no .snap"
        time.sleep(0.1)


if __name__ == "__main__":
    made_at = time.monotonic()
    print(v2_data(int(sys.argv[1]) if len(sys.argv) > 1 else KEYS), f"{time.monotonic() - made_at:.0f} s")
