"""Random calls of ``etcdctl get``, and what makes two answers the same."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from support.cli import Outcome

SINCE = {
    "--count-only": "3.5",
    "--min-create-rev": "3.6",
    "--max-create-rev": "3.6",
    "--min-mod-rev": "3.6",
    "--max-mod-rev": "3.6",
    "--stream": "3.7",
}
"""Flags that older versions of etcdctl have not."""
FLAGS = (
    *("--prefix", "--from-key", "--rev", "--limit", "--order", "--sort-by", "--keys-only", "--print-value-only"),
    *("--consistency", "--hex", *SINCE),
)
FORMS = ("simple", "json", "fields")
_TARGETS = {
    "CREATE": "create_revision",
    "MODIFY": "mod_revision",
    "VALUE": "value",
    "VERSION": "version",
}
_OF_A_MEMBER = re.compile(rb'^"(?:ClusterID|MemberID|RaftTerm)" : .*\n', re.MULTILINE)
_LEASE = re.compile(rb'^"Lease" : .*\n', re.MULTILINE)


@dataclass
class Shares:
    """What kinds of calls there were."""

    calls: int = 0
    several: int = 0
    errors: int = 0
    flags: Counter[str] = field(default_factory=Counter)

    def count(self, words: Sequence[str], exit_code: int, keys: int) -> None:
        self.calls += 1
        self.errors += exit_code != 0
        self.several += keys > 1
        self.flags.update(word.split("=")[0] for word in words if word.startswith("--"))

    def hold(self, version: str, *, share: float = 1.0) -> None:
        """Hold that nothing came short; a smaller run has to have its share alone."""
        flags = [flag for flag in FLAGS if SINCE.get(flag, "") <= version]
        assert {flag: self.flags[flag] for flag in flags if self.flags[flag] < 10 * share} == {}
        assert self.several >= 0.3 * self.calls
        assert self.errors >= 20 * share


@dataclass(frozen=True)
class Store:
    """What the calls are made of: what there is to ask for."""

    keys: Sequence[bytes]
    compacted: int
    revision: int


def call(rng: random.Random, store: Store, version: str) -> list[str]:
    """Draw the words of a call; about one in five is refused."""
    words: list[str] = []

    def some(share: float, flag: str, *values: Any) -> None:
        if rng.random() < share and SINCE.get(flag, "") <= version:
            words.append(f"{flag}={rng.choice(values)}" if values else flag)

    key = rng.choice(store.keys).replace(b"\0", b"").decode("utf-8", "surrogateescape")
    shape = rng.choices(["key", "range", "prefix", "from"], weights=[12, 18, 45, 30])[0]
    if shape in {"prefix", "from"}:
        key = key[: rng.randint(0, min(len(key), 3))]
    words += [key, *([_end(rng, store)] if shape == "range" else [])]
    words += {"prefix": ["--prefix"], "from": ["--from-key"]}.get(shape, [])
    some(0.02, "--prefix")
    some(0.02, "--from-key")
    low, high = max(store.compacted, 1), store.revision
    some(0.4, "--rev", *(rng.randint(low, high) for _ in range(8)), low - 1, high + 1, 0)
    some(0.3, "--limit", 1, 2, 3, 7, 100, 0, -1)
    some(0.3, "--order", *("ASCEND", "DESCEND") * 7, "descend", "SIDEWAYS")
    some(0.4, "--sort-by", *("CREATE", "KEY", "MODIFY", "VALUE", "VERSION") * 4, "version", "SIZE")
    some(0.2, "--keys-only")
    some(0.12, "--consistency", *"slslslx")
    some(0.2, "--hex")
    for flag in ("--min-create-rev", "--max-create-rev", "--min-mod-rev", "--max-mod-rev"):
        half = (low + high) // 2
        some(0.11, flag, rng.randint(*((1, half) if "min" in flag else (half, high))), rng.randint(1, high), 0)
    # sorted without an order, a stream is sorted piece by piece, and goes on behind the last key of each piece
    if not any(word.startswith("--sort-by") for word in words) or any(word.startswith("--order") for word in words):
        some(0.14, "--stream")
    form = rng.choice(FORMS)
    some(0.25 if form == "fields" else 0.03, "--count-only")
    some(0.4 if form == "simple" else 0.03, "--print-value-only")
    # 3.4 and 3.5 print the lease as a number whatever --hex says
    if form == "fields" and version < "3.6" and "--hex" in words:
        words.remove("--hex")
    return [*words, f"-w={form}"]


def _end(rng: random.Random, store: Store) -> str:
    if rng.random() < 0.2:
        return rng.choice(["", "/", "0", "\x7f"])
    return rng.choice(store.keys).replace(b"\0", b"").decode("utf-8", "surrogateescape")


def hold_same(words: Sequence[str], version: str, theirs: Any, ours: Outcome) -> int:
    """Hold our answer to a call against that of etcdctl; give the number of keys in it."""
    assert ours.exit_code == theirs.returncode, (words, theirs.stderr, ours.stderr)
    if theirs.returncode:
        message = theirs.stderr.strip().splitlines()[-1].removeprefix("Error: ")
        assert _plain(message) in _plain(ours.stderr), words
        return 0
    told = theirs.stdout.encode("utf-8", "surrogateescape")
    found = ours.raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # as the other was read
    # a server of 3.7 gives no leases with keys alone
    no_leases = version == "3.7" and "--keys-only" in words and "--sort-by=VALUE" not in words
    if "-w=json" in words:
        return _hold_same_json(words, json.loads(told), json.loads(found), no_leases=no_leases)
    if "-w=fields" in words:
        told, found = (_OF_A_MEMBER.sub(b"", text) for text in (told, found))
        if no_leases:
            told, found = (_LEASE.sub(b"", text) for text in (told, found))
    if _sorted_by(words):  # equal ones come in any order, and which of them a limit leaves out is not said either
        assert len(told.splitlines()) == len(found.splitlines()) or _limited(words), words
        if not _limited(words):
            told, found = (b"\n".join(sorted(text.splitlines())) for text in (told, found))
    if not (_sorted_by(words) and _limited(words)):
        assert found == told, words
    if "-w=fields" in words:
        return told.count(b'"Key" :')
    return told.count(b"\n") // (1 if "--print-value-only" in words else 2)


def _hold_same_json(words: Sequence[str], told: dict[str, Any], found: dict[str, Any], *, no_leases: bool) -> int:
    header = told.pop("header")
    assert found.pop("header") == {"revision": header["revision"]}
    if no_leases:
        for record in found.get("kvs", []):
            record.pop("lease", None)
    by = _sorted_by(words)
    records = [one.pop("kvs", []) for one in (told, found)]
    assert found == told, words
    if by is None:
        assert records[1] == records[0], words
        return len(records[0])
    groups = [[(name, list(group)) for name, group in groupby(one, lambda kv: kv.get(by))] for one in records]
    assert [(name, len(group)) for name, group in groups[1]] == [(name, len(group)) for name, group in groups[0]], words
    whole = -1 if told.get("more") else None  # of the last group a limit takes any
    for (_, theirs), (_, ours) in zip(groups[0][:whole], groups[1][:whole], strict=True):
        assert sorted(ours, key=_key) == sorted(theirs, key=_key), words
    return len(records[0])


def _key(record: dict[str, Any]) -> str:
    return str(record["key"])


def _sorted_by(words: Sequence[str]) -> str | None:
    return next((_TARGETS.get(word[10:].upper()) for word in words if word.startswith("--sort-by=")), None)


def _limited(words: Sequence[str]) -> bool:
    return any(word.startswith("--limit=") and int(word[8:]) > 0 for word in words)


def _plain(message: str) -> str:
    """Give a message without what gRPC puts before it."""
    return re.sub(r"rpc error: code = \w+ desc = ", "", message).lower()
