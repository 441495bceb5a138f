#!/usr/bin/env python3
"""Write MANIFEST.toml: every sample with its producer, command, sha256 and the figures real programs gave.

Everything but the sha256 comes from the ``expected.json`` beside a sample, which was written while the samples were
made.  ``manifest.py --check`` compares instead of writing.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

SAMPLES_DIR = Path(__file__).resolve().parent
MANIFEST = SAMPLES_DIR / "MANIFEST.toml"
HEAD = "# Written by samples/manifest.py from the expected.json files. README.md says what each folder is.\n"
PRODUCERS = ("server", "backend", "started_with", "migrated_with")
RUNS = ("snapshot_save",)
STATUS_TOOL = "etcdutl-3.6 snapshot status"


def manifest() -> str:
    """Give the text of MANIFEST.toml."""
    tables = [HEAD]
    for record in sorted(SAMPLES_DIR.rglob("expected.json")):
        folder = record.parent
        expected = json.loads(record.read_text(encoding="utf-8"))
        known = _described(expected, {})
        for path in sorted(folder.iterdir()):
            if path.is_file():
                facts = {"producer": _producer(expected, folder)} | known.get(path.name, {})
                tables.append(_table(path, facts))
    return "\n".join(tables)


def _described(node: Any, around: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Map file names to what the record says of them; `around` holds the server's and the saving tool's command."""
    if not isinstance(node, dict):
        return {}
    around = around | {name: argv for name in RUNS if (argv := _argv(node.get(name)))} | _server_argv(node)
    found: dict[str, dict[str, Any]] = {}
    if "archive" in node:
        facts = {"data_dir": node["archive_root"], "files": len(node["files"])}
        found[node["archive"]] = _command(node, around) | _figures(node) | facts
    elif isinstance(node.get("file"), str):
        own = ("producer", "command", "what", "size_unpacked", "sha256_unpacked")
        sizes = {key: node[key] for key in own if key in node}
        found[node["file"]] = ({"command": around["snapshot_save"]} if "snapshot_save" in around else {}) | sizes
        found[node["file"]] |= _figures(node)
    for name, child in node.items():
        for file, facts in _described(child, around).items():
            own = _figures(node) if name in {"snapshot", "data"} else {}
            found.setdefault(file, own | facts)
    return found


def _command(node: dict[str, Any], around: dict[str, Any]) -> dict[str, Any]:
    """Give what wrote a data dir: a tool that ran for it, else the server."""
    argv = _argv(node.get("run")) or _argv(node.get("migrate"))
    if argv is None and node["archive_root"].startswith("restored-"):
        argv = next((run for run in around["restores"] if node["archive_root"] in " ".join(run)), None)
    elif argv is None and node["archive"] != "data-before.tar.gz":
        argv = around.get("server")
    return {"command": argv} if argv else {}


def _server_argv(node: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(node.get("argv"), list) and str(node["argv"][0]).startswith("etcd-"):
        found["server"] = node["argv"]
    if isinstance(node.get("restore"), dict):
        found["restores"] = [
            argv for run in node["restore"].values() if isinstance(run, dict) and (argv := _argv(run.get("restore")))
        ]
    return found


def _argv(run: Any) -> list[str] | None:
    return list(run["argv"]) if isinstance(run, dict) and isinstance(run.get("argv"), list) else None


def _producer(expected: dict[str, Any], folder: Path) -> str:
    for name in PRODUCERS:
        if name in expected:
            return str(expected[name][0])
    if folder.parent.name == "damaged":
        return "damaged after a real server wrote it"
    return "etcd Version: 3.4.23"  # what is made of the discovery and expiry stores, whose server that was


def _figures(node: dict[str, Any]) -> dict[str, Any]:
    """Give the few numbers by which a person recognises a sample."""
    figures: dict[str, int] = {}
    for key in ("recovered_by_server", "restarted_force_new_cluster", "live", "v2_after_start"):
        answer = node.get(key, {}).get("keys") if isinstance(node.get(key), dict) else None
        if isinstance(answer, dict) and isinstance(answer.get("response"), dict) and "node" in answer["response"]:
            figures["v2_nodes_not_hidden"] = _count(answer["response"]["node"]) - 1
            figures["v2_index"] = int(answer["headers"]["X-Etcd-Index"])
            break
    for tools in (node.get("offline_snapshot"), node.get("offline"), node.get("tools")):
        status = tools.get(STATUS_TOOL, {}).get("json") if isinstance(tools, dict) else None
        if isinstance(status, dict):
            figures |= {key: status[key] for key in ("hash", "revision", "totalKey", "totalSize") if key in status}
    return {"figures": figures} if figures else {}


def _count(node: dict[str, Any]) -> int:
    return 1 + sum(_count(child) for child in node.get("nodes", ()))


def _table(path: Path, facts: dict[str, Any]) -> str:
    lines = [f'["{path.relative_to(SAMPLES_DIR)}"]']
    own = {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    if path.name == "expected.json":
        facts = {"what": "what real servers and tools answered about the files beside it"}
    elif path.name.endswith(".json.gz"):
        facts = {"producer": facts["producer"], "what": "answers too long for expected.json"}
    for key, value in (own | facts).items():
        if value not in ({}, [], None, ""):
            lines.append(f"{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def main(words: list[str]) -> int:
    """Write or check; the exit code is 1 when the file is not what it has to be."""
    text = manifest()
    if words == ["--check"]:
        return int(MANIFEST.read_text(encoding="utf-8") != text)
    MANIFEST.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
