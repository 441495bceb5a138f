"""Random v2 histories, sent to a real server and replayed from its log through our store.

Every answer is compared (nodes, error code, cause, index), and at the end every node that the server shows, hidden ones
included.  ``--seed`` repeats a history.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from support.real import Server
from support.v2_history import answer_of, plain, recovered, replay

from etcdtool.model.store_v2 import Event, Store, V2Error

if TYPE_CHECKING:
    import random
    from pathlib import Path

STEPS = 400
SHORT_TTL_SECONDS = 1
PLAIN_NAMES = (
    "a",
    "b",
    "c",
    "queue",
    "with space",
    "per%cent",
    "que?st#",
    "ключ",
    "日本",
    "dot.",
    "a-b",
    "~",
    "2",
    "0",
)
HIDDEN_NAMES = ("_", "_h", "_скрытый")
BINARY_NAMES = (b"\xff", b"\xfe", b"_\x80x", b"\xc3")
VALUES = ("", "x", "y", "<&>\u2028", "значение", '{"a": "b"}', "x" * 3000)


@dataclass(frozen=True)
class Call:
    method: str
    key: bytes
    params: dict[str, str]
    form: dict[str, str | bytes] | None
    status: int
    answer: Any


class Historian:
    """Makes calls up, remembering just enough to hit what exists about every other time."""

    def __init__(self, rng: random.Random, *, binary: bool) -> None:
        self.rng = rng
        self.names = [name.encode() for name in (*PLAIN_NAMES, *HIDDEN_NAMES)] + (list(BINARY_NAMES) if binary else [])
        self.values: list[str | bytes] = [*VALUES, *([b"\xff\x00\xfe", b"ok\xe2\x82"] if binary else [])]
        self.seen: list[bytes] = [b"/a"]
        self.indexes = [4]

    def call(self) -> tuple[str, bytes, dict[str, str], dict[str, str | bytes] | None]:
        choose = self.rng.choices
        (method,) = choose(("PUT", "POST", "DELETE", "GET"), (60, 10, 20, 10))
        key = self._key()
        if method == "GET":
            flags = {name: "true" for name in ("recursive", "sorted") if self.rng.random() < 0.5}
            return method, key, {"quorum": "true", **flags}, None
        if method == "DELETE":
            return method, key, {**self._sometimes(("dir", "recursive"), 0.4), **self._conditions(0.25)}, None
        form: dict[str, str | bytes] = {}
        if self.rng.random() < 0.2:
            form["dir"] = "true"
        if self.rng.random() < 0.35:
            form["ttl"] = self.rng.choice((str(SHORT_TTL_SECONDS), "1000", "100000", "0", ""))
        if form.get("ttl") and self.rng.random() < 0.4:
            form["refresh"] = "true"
        elif self.rng.random() < 0.85:
            form["value"] = self.rng.choice(self.values)
        if method == "PUT":
            form |= self._conditions(0.2)
            if self.rng.random() < 0.4:
                form["prevExist"] = self.rng.choice(("true", "false"))
        return method, key, {}, form

    def learn(self, key: bytes, answer: Any) -> None:
        self.seen.append(key)
        node = (answer or {}).get("node", {})
        if "\ufffd" not in node.get("key", "\ufffd"):
            self.seen.append(node["key"].encode())
        self.indexes.append(node.get("modifiedIndex", 4))
        del self.seen[:-60], self.indexes[:-8]

    def _key(self) -> bytes:
        if self.rng.random() < 0.5:
            return self.rng.choice(self.seen)
        depth = self.rng.choice((0, 1, 1, 1, 2, 2, 3))
        key = b"".join(b"/" + self.rng.choice(self.names) for _ in range(depth)) or b"/"
        return self.rng.choice((key, key, key, key + b"/", key.replace(b"/", b"//"), key + b"/../b", key + b"/./c"))

    def _conditions(self, chance: float) -> dict[str, str]:
        conditions = {}
        if self.rng.random() < chance:
            conditions["prevValue"] = self.rng.choice(("x", "y", "значение"))
        if self.rng.random() < chance:
            conditions["prevIndex"] = str(self.rng.choice((*self.indexes, 0)))
        return conditions

    def _sometimes(self, names: tuple[str, ...], chance: float) -> dict[str, str]:
        return {name: self.rng.choice(("true", "false")) for name in names if self.rng.random() < chance}


def converse(server: Server, historian: Historian, steps: int) -> list[Call]:
    """Send calls one after the other; give those that reached the store."""
    calls = []
    for _ in range(steps):
        method, key, params, form = historian.call()
        status, _, answer = server.v2(method, key, params, form)
        if status in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT}:
            continue  # "//" and ".." are redirected before the store sees them
        historian.learn(key, answer)
        calls.append(Call(method, key, params, form, status, answer))
    return calls


def show_everything(server: Server, historian: Historian) -> dict[str, Any]:
    """GET all that can be named: the root, and each hidden name in each directory that is known."""
    shown: dict[str, Any] = {}
    pending = [b"/"]
    for key in pending:
        status, headers, answer = server.v2("GET", key, {"recursive": "true"})
        if status == HTTPStatus.NOT_FOUND:
            continue
        shown[key.decode("utf-8", "surrogateescape")] = (int(headers["x-etcd-index"]), plain(answer))
        for directory in directories(answer["node"]):
            hidden = [name for name in historian.names if name.startswith(b"_")]
            pending += [directory.encode() + b"/" + name for name in hidden]
    return shown


def directories(node: dict[str, Any]) -> list[str]:
    """List the directories in a GET's answer, the node itself first; "\ufffd" in a path can't be asked for."""
    found = [node.get("key", "")] if node.get("dir") and "\ufffd" not in node.get("key", "") else []
    return found + [path for child in node.get("nodes", ()) for path in directories(child)]


def check_everything(store: Store, shown: dict[str, Any]) -> None:
    assert shown
    for key, (index, answer) in shown.items():
        result = store.get(f"/1{key}")
        assert store.current_index == index, key
        assert answer_of(result, recursive=True) == answer, key


def check_answers(data_dir: Path, calls: list[Call]) -> None:
    """Replay the log from its beginning; each call's answer must be ours."""
    waiting = iter(calls)
    for _, request, result in replay(data_dir, use_snap=False):
        if not isinstance(result, Event | V2Error) or not request.path:
            continue  # the servers' own entries: SYNC, attributes, version, members, and a QGET of "" for /health
        call = next(waiting)
        recursive = call.method == "GET" and call.params.get("recursive") == "true"
        assert answer_of(result, recursive=recursive) == plain(call.answer), (call, request)
    assert next(waiting, None) is None, "a call that the log does not have"


@pytest.mark.parametrize("version", ["3.4", "3.5"])
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_random_history(version: str, binary: bool, rng: random.Random, tmp_path: Path) -> None:
    historian = Historian(rng, binary=binary)
    data_dir = tmp_path / "etcd"
    with Server(version, data_dir, "--enable-v2=true", "--snapshot-count=100") as server:
        calls = converse(server, historian, STEPS // 2)
        if not binary:  # a .snap damages names and values that are no UTF-8, and a restart would serve that
            server.kill()
            server.start()
        calls += converse(server, historian, STEPS // 2)
        time.sleep(SHORT_TTL_SECONDS + 1.5)  # until SYNC has taken all that expires soon
        shown = show_everything(server, historian)
        server.kill()
    check_answers(data_dir, calls)
    store = recovered(data_dir, use_snap=False)
    check_everything(store, shown)
    if not binary:
        check_everything(recovered(data_dir), shown)
        check_everything(Store.recover(store.dump_json()), shown)
