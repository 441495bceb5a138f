"""What real servers answered about the v2 samples, as a flat table: one entry a node.

The server's text stands for a node's value, so a byte that is no UTF-8 shows as U+FFFD here: `shown` says the same of
bytes of ours.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from support import samples

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Answer:
    """One node as a server showed it; a long value is known by its sha256 only."""

    value: str | None
    value_sha256: str | None
    is_directory: bool
    created_index: int
    modified_index: int
    expiration: str | None
    ttl: int | None


@dataclass(frozen=True)
class Case:
    """One v2 sample: the archives to read together, the nodes that the server told of, and when it was asked.

    ``subtree`` is set where the server was asked for a part of the tree only.
    """

    name: str
    archives: tuple[str, ...]
    nodes: dict[str, Answer]
    index: int | None
    asked_at: str
    subtree: str = "/"
    index_moved_on: bool = False

    def __str__(self) -> str:
        return self.name


def shown(value: bytes) -> str:
    """Give a value as a server's JSON shows it: each byte that is no UTF-8 as one U+FFFD."""
    text = value.decode("utf-8", "surrogateescape")
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


def agrees(answer: Answer, value: bytes) -> bool:
    """Tell whether a value of ours is the one that the server showed."""
    if answer.value_sha256 is not None:
        return hashlib.sha256(value).hexdigest() == answer.value_sha256
    return shown(value) == (answer.value or "")


def flatten(*nodes: dict[str, Any]) -> dict[str, Answer]:
    """Give the nodes of v2 answers by path, the root left out."""
    found: dict[str, Answer] = {}
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if node.get("key", "/") != "/":
            found[node["key"]] = Answer(
                node.get("value"),
                node.get("value_sha256"),
                bool(node.get("dir")),
                node["createdIndex"],
                node["modifiedIndex"],
                node.get("expiration"),
                node.get("ttl"),
            )
        pending += node.get("nodes", [])
    return found


def _of_server(
    name: str,
    archives: tuple[str, ...],
    live: dict[str, Any],
    *,
    index_moved_on: bool = False,
    unlisted: Iterable[dict[str, Any]] = (),
) -> Case:
    """Make a case of a server's answers; ``unlisted`` are answers about hidden nodes it was not asked for by name."""
    answers = [live["keys"], *(hidden for hidden in live["hidden"] if hidden["status"] == 200), *unlisted]
    nodes = flatten(*(answer["response"]["node"] for answer in answers))
    index = int(live["keys"]["headers"]["X-Etcd-Index"])
    return Case(name, archives, nodes, index, live["asked_at"], index_moved_on=index_moved_on)


def _with_directory(answer: dict[str, Any]) -> dict[str, Any]:
    """Add the directory that creating a node in it made: with the node's own index."""
    node = answer["response"]["node"]
    above = {**node, "key": node["key"].rpartition("/")[0], "dir": True, "value": None, "nodes": [node]}
    return {"response": {"node": above}}


def _rich(version: str) -> list[Case]:
    folder = f"v2-rich/{version}"
    answered = samples.expected(folder)
    cases = [
        _of_server(f"{folder}/clean", (f"{folder}/data-clean.tar.gz",), answered["clean"]["live"]),
        _of_server(f"{folder}/killed", (f"{folder}/data-killed.tar.gz",), answered["killed"]["live"]),
        # a member publishes its attributes when it starts, which counts an index
        _of_server(
            f"{folder}/recovered",
            (f"{folder}/data-killed.tar.gz",),
            answered["killed"]["recovered_by_server"],
            index_moved_on=True,
        ),
    ]
    for name, backup in answered["backups"].items():
        # starting with --force-new-cluster changes the members, which counts indexes
        live = backup.get("restarted_force_new_cluster", {})
        if "keys" not in live:  # that server did not start from it, so nothing was answered
            continue
        cases.append(_of_server(f"{folder}/{name}", (f"{folder}/{backup['archive']}",), live, index_moved_on=True))
    return cases


def _registry(name: str, archive: str, answers: list[dict[str, Any]]) -> Case:
    nodes = flatten(*(answer["response"]["node"] for answer in answers))
    # when it was asked is not recorded; expiration and ttl of one node tell it to the second
    with_ttl = next(node for node in nodes.values() if node.expiration and node.ttl)
    expiration = datetime.fromisoformat(f"{str(with_ttl.expiration)[:19]}+00:00")
    asked_at = expiration - timedelta(seconds=with_ttl.ttl or 0)
    return Case(name, (archive,), nodes, None, asked_at.isoformat(), subtree="/_etcd/registry")


def cases() -> list[Case]:
    """Give every v2 sample that a real server answered about."""
    found = [case for version in ("2.3", "3.2", "3.4") for case in _rich(version)]
    for folder in ("v2-only-wal/2.3", "v2-only-wal/3.4", "v2-multiwal/3.4", "v2-auth/3.4"):
        answered = samples.expected(folder)
        unlisted = [_with_directory(op) for op in answered.get("ops", ()) if op["path"] == "/v2/keys/_hid/x"]
        found.append(_of_server(folder, (f"{folder}/data.tar.gz",), answered["live"], unlisted=unlisted))
    cluster = samples.expected("v2-cluster/3.4")["live"]
    found += [
        _of_server(f"v2-cluster/{member}", (f"v2-cluster/3.4/data-{member}.tar.gz",), cluster[member])
        for member in ("c1", "c3", "c4")
    ]
    together = tuple(f"v2-cluster/3.4/data-{member}.tar.gz" for member in ("c1", "c3", "c4"))
    found.append(_of_server("v2-cluster/together", together, cluster["c1"]))
    for folder in ("v2-migrated/3.3", "v2-migrated/3.4", "v2-migrated/3.4-no-ttl"):
        # migrate leaves the v2 data where they are
        live = samples.expected(folder)["v2_still_served"]
        found.append(_of_server(folder, (f"{folder}/data-migrated.tar.gz",), live, index_moved_on=True))
    migrated = samples.expected("v2-migrated/discovery")
    archive = f"v2-migrated/discovery/{migrated['data_before']['archive']}"
    registry = samples.expected("discovery-v2/3.4")
    found.append(
        _of_server(
            "v2-migrated/discovery",
            (archive,),
            migrated["v2_after_start"],
            index_moved_on=True,
            unlisted=registry["registry_config"].values(),
        )
    )
    expired = samples.expected("v2-migrated/expired")
    archive = f"v2-migrated/expired/{expired['data_before']['archive']}"
    found.append(_of_server("v2-migrated/expired", (archive,), expired["live"]))
    damaged = samples.expected("damaged/dirs")["base_live"]["v2"]
    found.append(_of_server("damaged/dirs/good", ("damaged/dirs/good.tar.gz",), damaged))
    answers = [registry["registry"], *registry["registry_per_token"].values(), *registry["registry_config"].values()]
    found.append(_registry("discovery-v2/3.4", "discovery-v2/3.4/data.tar.gz", answers))
    upgraded = samples.expected("upgrade/v2-hidden-only")["registry_served_by_3.5"]
    answers = [upgraded, *registry["registry_config"].values()]
    name = "upgrade/v2-hidden-only"
    found.append(_registry(name, f"{name}/data.tar.gz", answers))
    return found
