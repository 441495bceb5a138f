"""samples/generate.py makes what it says: a v2 data dir that a real server starts from with the recorded answers."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from support import real, samples

if TYPE_CHECKING:
    from pathlib import Path


def test_a_server_starts_from_what_was_made(tmp_path: Path) -> None:
    data_dir = tmp_path / "made.etcd"
    subprocess.run([sys.executable, samples.packed("generate.py"), data_dir], check=True, capture_output=True)
    recorded = json.loads((tmp_path / "made.etcd.json").read_text(encoding="utf-8"))
    with real.Server("3.4", data_dir, "--enable-v2=true", name="sample") as server:
        everything = {"recursive": "true", "sorted": "true", "quorum": "true"}
        served = [server.v2("GET", answer["node"].get("key", "/"), everything)[2] for answer in recorded]
    assert [_untimed(answer["node"]) for answer in served] == [_untimed(answer["node"]) for answer in recorded]
    assert len(list(data_dir.rglob("*.snap"))) == 2


def _untimed(node: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in node.items() if name not in {"ttl", "nodes"}}
    return kept | {"nodes": [_untimed(child) for child in node.get("nodes", ())]}
