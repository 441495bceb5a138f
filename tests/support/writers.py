"""Random writes to a real server, over its JSON gateway."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

    from support import real


class Writer:
    """Writes to a server over its JSON gateway, and remembers what happened at which revision."""

    def __init__(self, server: real.Server, rng: random.Random) -> None:
        self._server = server
        self._rng = rng
        self.revision = 1
        self.compacted = -1
        self.tombstones: list[int] = []
        self._lease = int(self._post("lease/grant", {"TTL": 3600})["ID"])

    def change(self, *, compact: bool = True) -> None:
        """Make one random change."""
        kind = self._rng.choices(
            ["put", "leased", "delete", "prefix", "txn", "compact"], weights=[40, 10, 15, 3, 15, 2 * compact]
        )[0]
        match kind:
            case "put":
                self._post("kv/put", self._put())
            case "leased":
                self._post("kv/put", self._put() | {"lease": str(self._lease)})
            case "delete":
                self._delete({"key": _text(self._key())})
            case "prefix":
                self._delete({"key": _text(b"/c/"), "range_end": _text(b"/c0")})
            case "txn":
                self._txn()
            case "compact":
                self.compact()

    def compact(self) -> None:
        """Compact anywhere above the last compaction, often where a key was deleted."""
        low = max(self.compacted + 1, 2)
        if low > self.revision:
            return
        deleted = [revision for revision in self.tombstones if revision >= low]
        at = (
            self._rng.choice(deleted) if deleted and self._rng.random() < 0.6 else self._rng.randint(low, self.revision)
        )
        self.compact_at(at, physical=self._rng.random() < 0.7)

    def compact_at(self, revision: int, *, physical: bool) -> None:
        """Compact; a physical one has deleted everything when it returns."""
        self._post("kv/compaction", {"revision": str(revision), "physical": physical})
        self.compacted = revision

    def put(self) -> None:
        """Write any key."""
        self._post("kv/put", self._put())

    def delete_everything(self) -> None:
        """Leave no key."""
        self._delete({"key": _text(b"\0"), "range_end": _text(b"\0")})

    def _key(self) -> bytes:
        return f"/{self._rng.choice('abc')}/{self._rng.randrange(8)}".encode()

    def _some_keys(self) -> list[bytes]:
        keys = self._rng.sample([f"/{name}/{number}" for name in "abc" for number in range(8)], 4)
        return [key.encode() for key in keys]

    def _put(self) -> dict[str, Any]:
        return {"key": _text(self._key()), "value": _text(self._rng.randbytes(self._rng.choice([0, 5, 300])))}

    def _delete(self, request: dict[str, Any]) -> None:
        if "deleted" in self._post("kv/deleterange", request):
            self.tombstones.append(self.revision)

    def _txn(self) -> None:
        operations: list[dict[str, Any]] = []
        for key in self._some_keys():
            name = _text(key)
            if self._rng.random() < 0.4:
                operations.append({"request_delete_range": {"key": name}})
            else:
                operations.append({"request_put": {"key": name, "value": _text(b"txn")}})
        reply = self._post("kv/txn", {"success": operations})
        if any("deleted" in one.get("response_delete_range", {}) for one in reply["responses"]):
            self.tombstones.append(self.revision)

    def _post(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        status, _, body = self._server.http("POST", f"/v3/{path}", json.dumps(request))
        reply: dict[str, Any] = json.loads(body)
        assert status == 200, reply
        self.revision = int(reply["header"]["revision"])
        return reply


class OddWriter(Writer):
    """A writer whose keys and values are what a person has trouble with: controls, quotes, no UTF-8, zero bytes."""

    ODD_KEYS = (
        b"/c/two\nlines",
        b"/c/\x1b[31mred",
        b'/c/"quoted" \\ back',
        "/c/ключ и 鍵 \u202e".encode(),
        b"/c/\xff\xfe no utf-8 \xe2\x82",
        b"\x00",
        b"zero\x00inside",
        b"\xff\xff",
        b"a" * 300,
        b"/a/1/below",
        b" ",
    )
    ODD_VALUES = (b"", b"plain", b"two\nlines\n", b"\x00\xff\x80", "välue <&> \u2028".encode(), b"\a\b\f\t\v\x7f\"'")

    def _key(self) -> bytes:
        return self._rng.choice(self.ODD_KEYS) if self._rng.random() < 0.3 else super()._key()

    def _some_keys(self) -> list[bytes]:
        return [*super()._some_keys()[:3], self._rng.choice(self.ODD_KEYS[:9])]

    def _put(self) -> dict[str, Any]:
        value = self._rng.choice(self.ODD_VALUES) + self._rng.choice([b"", b"+"])
        return {"key": _text(self._key()), "value": _text(value)}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
