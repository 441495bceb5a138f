"""Recorded or live conversations with the v2 API, as requests of the raft log and as answers to compare with."""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from etcdtool.formats.snap import parse_snap_file
from etcdtool.formats.wal import Segment, scan
from etcdtool.model.gotext import parse_time
from etcdtool.model.raft_log import V2Request, parse_conf_change, parse_request
from etcdtool.model.store_v2 import PERMANENT, Event, Node, Store, V2Error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = "/v2/keys"
NAMESPACE = "/1"
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


def request_of(record: dict[str, Any], expiration: int = 0) -> V2Request:
    """Give the request that a server makes of a recorded HTTP call; only the server knows the expiration."""
    form = dict(record["query"] or {}) | dict(record.get("form") or {})
    form |= dict(parse_qsl(record.get("form_raw", ""), keep_blank_values=True, errors="surrogateescape"))
    return V2Request(
        method=record["method"],
        path=(NAMESPACE + record["path"].removeprefix(KEYS)).rstrip("/"),
        value=form.get("value", ""),
        dir=form.get("dir") == "true",
        prev_value=form.get("prevValue", ""),
        prev_index=int(form.get("prevIndex", 0)),
        prev_exist={"true": True, "false": False}.get(form.get("prevExist", "")),
        recursive=form.get("recursive") == "true",
        expiration=expiration,
        refresh={"true": True, "false": False}.get(form.get("refresh", "")),
    )


def expiration_in(answer: dict[str, Any]) -> int:
    """Give the expiration that an answer shows for its node, in unix nanoseconds; 0 for none."""
    text = answer.get("node", {}).get("expiration")
    return parse_time(text) if text else 0


def plain(answer: Any) -> Any:
    """Give a server's answer without what depends on when it was asked."""
    if isinstance(answer, list):
        # by all they are: names that are no UTF-8 all show as U+FFFD
        return sorted((plain(node) for node in answer), key=lambda node: json.dumps(node, sort_keys=True))
    if not isinstance(answer, dict):
        return answer
    kept = {name: plain(value) for name, value in answer.items() if name not in {"ttl", "message"}}
    if isinstance(kept.get("expiration"), str):
        kept["expiration"] = parse_time(kept["expiration"])
    if len(kept.get("value", "")) > 100_000:  # recorded as a sum
        data = kept.pop("value").encode("utf-8", "surrogateescape")
        kept |= {"value_sha256": hashlib.sha256(data).hexdigest(), "value_len": len(data)}
    return kept


def answer_of(result: Event | V2Error, *, recursive: bool = False) -> dict[str, Any]:
    """Give what the v2 API says about a result, in the form of `plain`."""
    if isinstance(result, V2Error):
        cause = _shown(result.cause.removeprefix(NAMESPACE))
        return {"errorCode": result.code, "index": result.index} | ({"cause": cause} if cause else {})
    answer: dict[str, Any] = {"action": result.action}
    removed = result.action in {"delete", "compareAndDelete"}
    answer["node"] = _extern(result.path, result.node, listed=result.action == "get", recursive=recursive)
    if removed:
        answer["node"].pop("value", None)
    if result.previous is not None:
        answer["prevNode"] = _extern(result.path, result.previous)
    return dict(plain(answer))


def _extern(path: str, node: Node, *, listed: bool = False, recursive: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if key := _shown(path.removeprefix(NAMESPACE)):
        shown["key"] = key
    if node.children is None:
        shown["value"] = _shown(node.value)
    else:
        shown["dir"] = True
        if listed:
            children = [
                _extern(f"{path}/{name}", child, listed=recursive, recursive=recursive)
                for name, child in node.children.items()
                if not name.startswith("_")
            ]
            if children:
                shown["nodes"] = children
    if node.expires != PERMANENT:
        shown["expiration"] = int(node.expires)
    indexes = {"modifiedIndex": node.modified_index, "createdIndex": node.created_index}
    return shown | {name: index for name, index in indexes.items() if index}


def _shown(text: str) -> str:
    return _NOT_UTF8.sub("\ufffd", text)


def replay(data_dir: Path, *, use_snap: bool = True) -> Iterator[tuple[Store, Any, Any]]:
    """Yield the store of a member, and after each entry the store, the request and the result."""
    store, index = Store(), 0
    snaps = sorted((data_dir / "member/snap").glob("*.snap"))
    if use_snap and snaps:
        snap = parse_snap_file(memoryview(snaps[-1].read_bytes()))
        store, index = Store.recover(snap.data), snap.index
    yield store, None, None
    files = sorted((data_dir / "member/wal").glob("*.wal"))
    log = scan([Segment.named(file.name, memoryview(file.read_bytes())) for file in files], after_index=index)
    for entry in log.entries():
        if entry.type:
            yield store, None, store.apply_conf_change(parse_conf_change(entry.type, entry.data))
        else:
            request = parse_request(entry.data)
            yield store, request, store.apply(request)


def recovered(data_dir: Path, *, use_snap: bool = True) -> Store:
    """Give a member's store at the end of its log."""
    ((store, _, _),) = deque(replay(data_dir, use_snap=use_snap), maxlen=1)
    return store
