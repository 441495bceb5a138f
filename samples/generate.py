#!/usr/bin/env python3
"""Make a fresh v2 data dir with a real etcd 3.4: ``samples/generate.py DIRECTORY``.

The server is built from source (Go is needed), asked for a small tree of everything v2 knows, and stopped.  What it
answered to a last look at everything is written beside the data dir as ``<DIRECTORY>.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support import real

SNAPSHOT_COUNT = 20  # so that there are .snap files, and a WAL after the newest
HOUR_SECONDS, YEAR_SECONDS = 3600, 365 * 86400
TOKEN = "c0ffee" * 5 + "00"
REGISTRY = f"/_etcd/registry/{TOKEN}"

# method, key, form, URL parameters
REQUESTS: tuple[tuple[str, str, dict[str, str] | None, dict[str, str] | None], ...] = (
    *(("PUT", f"/apps/web-{number}", {"value": f"http://10.0.0.{number}:8080"}, None) for number in range(30)),
    ("PUT", "/apps/web-1", {"value": "moved"}, None),
    ("PUT", "/apps/web-2", {"value": "swapped", "prevValue": "http://10.0.0.2:8080"}, None),
    ("DELETE", "/apps/web-3", None, None),
    ("PUT", "/message", {"value": "Hello world"}, None),
    ("PUT", "/empty", {"value": ""}, None),
    ("PUT", "/empty-directory", {"dir": "true"}, None),
    ("PUT", "/ключ/日本語", {"value": "🐳"}, None),
    ("PUT", "/_hidden", {"value": "not listed"}, None),
    ("PUT", "/apps/_meta/owner", {"value": "ops"}, None),
    *(("POST", "/queue", {"value": f"job {number}"}, None) for number in range(3)),
    ("PUT", "/lock", {"value": "held", "ttl": str(HOUR_SECONDS)}, None),
    ("PUT", "/sessions", {"dir": "true", "ttl": str(YEAR_SECONDS)}, None),
    ("PUT", "/sessions/alice", {"value": "1"}, None),
    ("PUT", f"{REGISTRY}/_config/size", {"value": "3"}, None),
    ("PUT", f"{REGISTRY}/3f1c0ad6a8b9e4d2", {"value": "m1=http://10.0.1.1:2380"}, None),
    ("PUT", f"{REGISTRY}/1b2d9f5e7c3a6048", {"value": "m2=http://10.0.1.2:2380"}, None),
)
LOOKED_AT = ("/", "/_hidden", "/apps/_meta", "/_etcd")


def generate(data_dir: Path) -> list[dict[str, Any]]:
    """Fill a new data dir and give what the server answered at the end."""
    with real.Server(
        "3.4", data_dir, "--enable-v2=true", f"--snapshot-count={SNAPSHOT_COUNT}", name="sample"
    ) as server:
        for method, key, form, params in REQUESTS:
            status, _, body = server.v2(method, key, params=params, form=form)
            if status not in {200, 201}:
                raise SystemExit(f"{method} {key}: {status} {body}")
        everything = {"recursive": "true", "sorted": "true", "quorum": "true"}
        return [server.v2("GET", key, everything)[2] for key in LOOKED_AT]


def main() -> int:
    """Make the data dir; the exit code is 1 when there is no real etcd to be had."""
    parser = argparse.ArgumentParser(description="Make a fresh v2 data dir with a real etcd 3.4.")
    parser.add_argument("directory", type=Path, help="the data dir to make; must not exist")
    directory = parser.parse_args().directory
    if directory.exists():
        print(f"{directory} exists; name a new folder", file=sys.stderr)
        return 1
    try:
        answers = generate(directory)
    except real.UnavailableError as error:
        print(f"no real etcd: {error}", file=sys.stderr)
        return 1
    record = directory.with_name(f"{directory.name}.json")
    record.write_text(json.dumps(answers, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{directory} holds v2 data of etcd {real.RELEASES['3.4']}; what the server answered is in {record}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
