"""What a real server's watch tells, to compare it with what we read from a file."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

from support import processes, programs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from support.servers import Server

_DELETE = {1, "DELETE"}


class Told(NamedTuple):
    """An event: of a deletion only the key and the revision are told."""

    is_delete: bool
    key: bytes
    revision: int
    create_revision: int
    version: int
    lease: int
    value: bytes
    previous_revision: int | None


def told(events: Iterable[dict[str, Any]]) -> list[Told]:
    """Read events as etcdctl prints them; the revision before is known where it was asked for with --prev-kv."""
    return [
        Told(
            is_delete=event.get("type", 0) in _DELETE,
            key=base64.b64decode(event["kv"]["key"]),
            revision=event["kv"]["mod_revision"],
            create_revision=event["kv"].get("create_revision", 0),
            version=event["kv"].get("version", 0),
            lease=event["kv"].get("lease", 0),
            value=base64.b64decode(event["kv"].get("value", "")),
            previous_revision=event.get("prev_kv", {}).get("mod_revision"),
        )
        for event in events
    ]


def watched(server: Server, from_revision: int, to_revision: int) -> list[Told]:
    """Watch every key of a server, until the events of the last revision have arrived."""
    etcdctl = programs.program("etcdctl", server.version)
    argv = [etcdctl, f"--endpoints={server.client_url}", "watch", "", "--prefix", f"--rev={from_revision}"]
    env = processes.environ({"ETCDCTL_API": "3"} if server.version in {"3.4", "3.5"} else {})
    with subprocess.Popen([*argv, "--prev-kv", "-w", "json"], stdout=subprocess.PIPE, env=env) as process:
        try:
            assert process.stdout is not None
            return told(_until(process.stdout, to_revision))
        finally:
            process.kill()


def _until(lines: Iterable[bytes], revision: int) -> Iterator[dict[str, Any]]:
    for line in lines:
        events = json.loads(line)["Events"]
        yield from events
        if events and events[-1]["kv"]["mod_revision"] >= revision:  # a transaction is never split
            return
    raise AssertionError(f"the watch ended before revision {revision}")
