#!/usr/bin/env python3
"""Write samples/k8s-objects: Kubernetes objects in a real etcd, encoded and encrypted by Kubernetes' own code.

``kubernetes_sample.py`` writes the folder anew; its bytes differ each time, as uids of the server and nonces do.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # started as a script: the folder of the package is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import kubernetes
from support.processes import run
from support.programs import bbolt, program
from support.samples import SAMPLES_DIR
from support.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = SAMPLES_DIR / "k8s-objects" / "3.6"
CONFIG = FOLDER / "encryption.yaml"
SECRET, CONFIG_MAP = "/registry/secrets/shop/database", "/registry/configmaps/shop/prices"
WIDGET = "/registry/example.com/widgets/shop/blue"
DELETED, CHANGED = "/registry/configmaps/shop/gone", "/registry/deployments/shop/web"


def put(server: Server, key: str, value: bytes) -> None:
    """Put a value of any bytes."""
    if value:
        server.etcdctl("put", key, stdin=value.decode("utf-8", "surrogateescape"))
    else:
        server.etcdctl("put", key, "")


def put_objects(server: Server, objects: Iterable[kubernetes.Stored]) -> None:
    for item in objects:
        put(server, item.key, item.value)


def encrypted() -> list[tuple[str, str, bytes]]:
    """Give key, the key whose object it is, and the encrypted value, for each provider."""
    plain = {item.key: item.value for item in kubernetes.objects()}
    wanted = [
        ("secrets", "/registry/secrets/shop/by-aesgcm", SECRET),
        ("configmaps", "/registry/configmaps/shop/by-aescbc", CONFIG_MAP),
        ("widgets.example.com", "/registry/example.com/widgets/shop/by-secretbox", WIDGET),
        ("deployments.apps", "/registry/deployments/shop/by-secretbox", CHANGED),
    ]
    values = kubernetes.encrypt(CONFIG, [(resource, key, plain[of]) for resource, key, of in wanted])
    return [(key, of, value) for (_, key, of), value in zip(wanted, values, strict=True)]


def fill(server: Server) -> list[tuple[str, str]]:
    """Put everything; give each key with the key whose object it holds."""
    objects = {item.key: item for item in kubernetes.objects()}
    put(server, CHANGED, objects["/registry/statefulsets/shop/db"].value)  # an older revision of another look
    put(server, DELETED, objects[CONFIG_MAP].value)
    put_objects(server, objects.values())
    server.etcdctl("del", DELETED)
    hidden = encrypted()
    for key, _, value in hidden:
        put(server, key, value)
    put(server, "compact_rev_key", b"1")
    put(server, "/registry/health", b"")
    return [(key, key) for key in objects] + [(key, of) for key, of, _ in hidden]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        saved = folder / "snapshot.db"
        with Server("3.6", folder / "data") as server:
            holds = fill(server)
            save = server.etcdctl("snapshot", "save", str(saved))
        (FOLDER / "snapshot.db.gz").write_bytes(gzip.compress(saved.read_bytes(), mtime=0))
        descriptors = kubernetes.descriptor_set().read_bytes()
        (FOLDER / "kubernetes.binpb.gz").write_bytes(gzip.compress(descriptors, mtime=0))
        record = {
            "fixture": "k8s-objects/3.6",
            "server": run(program("etcd", "3.6"), "--version").stdout.splitlines(),
            "snapshot_save": _run(save, saved),
            "snapshot": {"file": "snapshot.db.gz"} | _facts(saved.read_bytes()),
            "offline": _tools(saved, folder),
            "descriptors": {
                "file": "kubernetes.binpb.gz",
                "producer": "protoc",
                "command": ["sh", "docs/how-to/get-a-kubernetes-object-back.md"],
                "what": f"descriptor set of k8s.io/api and k8s.io/apimachinery {kubernetes.VERSION}",
            }
            | _facts(descriptors),
            "encryption": {
                "file": "encryption.yaml",
                "producer": "hand",
                "command": [],
                "what": "what the encrypted values were encrypted with",
            },
            "go_json": {item.key: item.document for item in kubernetes.objects()},
            "holds": dict(holds),
        }
        text = json.dumps(record, ensure_ascii=False, indent=1)
        (FOLDER / "expected.json").write_text(f"{text}\n", encoding="utf-8")


def _facts(data: bytes) -> dict[str, Any]:
    return {"size_unpacked": len(data), "sha256_unpacked": hashlib.sha256(data).hexdigest()}


def _tools(saved: Path, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for version in ("3.6", "3.7"):
        tool = program("etcdutl", version)
        for words in (("snapshot", "status"), ("hashkv",)):
            copy = folder / "copy.db"
            shutil.copyfile(saved, copy)
            title = " ".join(words) + (" latest" if words == ("hashkv",) else "")
            found[f"etcdutl-{version} {title}"] = _run(run(tool, *words, copy, "-w", "json"), copy)
    found["bbolt check"] = _run(run(bbolt(), "check", saved), saved)
    return found


def _run(done: Any, file: Path) -> dict[str, Any]:
    program_path, *words = done.args
    tool = Path(program_path)
    version = tool.parent.name.partition("-")[0]
    name = tool.name if version == tool.name else f"{tool.name}-{version}"
    argv = [name, *("@" if word == str(file) else word for word in map(str, words))]
    record: dict[str, Any] = {"argv": argv, "rc": done.returncode, "stderr": done.stderr}
    try:
        record["json"] = json.loads(done.stdout)
    except ValueError:
        record["stdout"] = done.stdout.replace(str(file), "@")
    return record


if __name__ == "__main__":
    main()
