"""``lease list``, ``member list``, ``auth``, ``buckets``, ``page``: what they hide, what they say of damaged data."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.bbolt_files import numbered, written
from support.cli import invoke
from support.mutations import mutated

from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.lease import Lease
from etcdtool.model.revision import pack_revision

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOT = "v3/3.6/snapshot.db.gz"
VERBS: list[tuple[str, ...]] = [
    ("lease", "list"),
    ("lease", "list", "--keys"),
    ("member", "list"),
    ("auth",),
    ("buckets",),
    ("page",),
]
USER = b"\x0a\x01u\x12\x06$2a$xy"


def told(*words: object, exit_code: int = 0) -> str:
    done = invoke(*words)
    assert done.exit_code == exit_code, done
    return done.stdout


def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.db"
    leased = encode_key_value(b"leased\x1b[1m", 2, 2, 1, b"secret", 77)
    buckets = {
        b"key": [(pack_revision(2), leased), (pack_revision(3), encode_key_value(b"k\n", 3, 3, 1, b"v", 5))],
        b"lease": [(Lease(id=5, ttl_seconds=60).key, bytes(Lease(id=5, ttl_seconds=60, remaining_ttl_seconds=9)))],
        b"members": [(b"1", b'{"id":1,"peerURLs":["http://a"]}'), (b"2", b"no json")],
        b"members_removed": [(b"3", b"removed"), (b"x", b"removed")],
        b"auth": [(b"authEnabled", b"\x07")],
        b"authUsers": [(b"u", USER), (b"v", b"\xff")],
        b"authRoles": [(b"r", b"\x0a\x01r\x12\x08\x08\x02\x12\x01a\x1a\x01b"), (b"s", b"\xff")],
    }
    path.write_bytes(written(buckets))
    return path


def test_leases_and_the_keys_on_them(tmp_path: Path) -> None:
    path = odd(tmp_path)
    assert told("lease", "list", path, "--keys").splitlines() == [
        "found 1 leases",
        "0000000000000005 granted with TTL(60s), remaining(9s), attached keys([k\\x0a])",
        "000000000000004d not granted, attached keys([leased\\x1b[1m])",
    ]
    found = json.loads(told("lease", "list", path, "-w", "json"))
    assert found["leases"][0]["keyCount"] == 1
    assert found["missing"] == [{"id": 77, "idHex": "000000000000004d", "keyCount": 1}]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = odd(tmp_path)
    members = invoke("member", "list", path, "--removed")
    assert (members.exit_code, members.stdout.splitlines()) == (
        3,
        ["1, unstarted, , http://a, , false", "3, removed, , , , false"],
    )
    assert [line.split(",")[0] for line in members.stderr.splitlines()] == [
        "unreadable: bucket members",
        "unreadable: bucket members_removed",
    ]
    auth = invoke("auth", path)
    assert (auth.exit_code, auth.stderr.count("unreadable: ")) == (3, 3)
    assert "User: u\nRoles:\nPassword: set\n" in auth.stdout


@pytest.mark.parametrize("form", ["simple", "table", "json", "fields"])
def test_no_password_and_no_value_is_shown(form: str, tmp_path: Path) -> None:
    path = odd(tmp_path)
    for words in (*VERBS, ("buckets", "authUsers"), ("buckets", "key")):
        verb, *rest = words if words[0] in {"auth", "buckets", "page"} else (" ".join(words[:2]), *words[2:])
        done = invoke(*verb.split(), path, *rest, "-w", form)
        assert "$2a$" not in done.stdout, words
        assert "secret" not in done.stdout, words
        assert "\x1b" not in done.stdout, words
    for page in json.loads(told("page", path, "-w", "json"))["pages"]:
        assert "secret" not in told("page", path, page["id"], "-w", form)
    assert '"secret"' in told("buckets", path, "key", "--values")


def test_a_bucket_from_its_end_and_raw() -> None:
    path = samples.unpack(SNAPSHOT)
    lines = told("buckets", path, "key").split("\n")[:-1]
    assert told("buckets", path, "key", "--reverse", "--limit", "3").split("\n")[:-1] == lines[:-4:-1]
    assert told("buckets", path, "key", "--limit", "3").split("\n")[:-1] == lines[:3]
    assert told("buckets", path, "cluster", "--raw") == f"{b'clusterVersion'.hex()}: {b'3.6.0'.hex()}\n"
    assert told("buckets", path, "cluster") == 'cluster name="clusterVersion" value="3.6.0"\n'
    missing = invoke("buckets", path, "nothing")
    assert (missing.exit_code, "There are: alarm, auth, " in missing.stderr) == (1, True)


def test_pages_add_up_and_have_owners() -> None:
    path = samples.unpack(SNAPSHOT)
    pages = json.loads(told("page", path, "-w", "json"))["pages"]
    assert sum(1 + (page["overflow"] or 0) for page in pages) == 143
    figures = {one["name"]: one for one in json.loads(told("buckets", path, "-w", "json"))["buckets"]}
    of_keys = [page for page in pages if page.get("bucket") == "key"]
    counted = figures["key"]["branchPages"] + figures["key"]["leafPages"]
    assert (len(of_keys), sum(page["overflow"] for page in of_keys)) == (counted, figures["key"]["overflowPages"])
    assert sum(page["count"] for page in of_keys if page["type"] == "leaf") == figures["key"]["keys"]


def test_a_page_that_is_damaged_is_shown(tmp_path: Path) -> None:
    data = written({b"b": numbered(100)})
    data[2 * 1024 + 16 + 5] ^= 0x40  # the place of the first pair
    (tmp_path / "a.db").write_bytes(data)
    done = invoke("page", tmp_path / "a.db", 2, 99, 3)
    assert done.exit_code == 3
    assert "Problem:    page 2: " in done.stdout
    assert done.stdout.count("Page ID:") == 2
    assert "unreadable: page 99: out of bounds" in done.stderr
    assert invoke("page", tmp_path / "a.db").exit_code == 3


def test_pages_without_a_meta(tmp_path: Path) -> None:
    data = written({b"b": numbered(100)})
    data[:2048] = bytes(2048)
    (tmp_path / "a.db").write_bytes(data)
    done = invoke("page", tmp_path / "a.db")
    assert done.exit_code == 3
    assert "nobody can tell which pages are free" in done.stderr
    assert sum(" leaf " in line for line in done.stdout.splitlines()) > 3


@pytest.mark.parametrize("seed", range(40))
def test_any_damage_gives_a_list_or_an_error_of_ours(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    source = odd(tmp_path).read_bytes() if seed % 2 else bytes(written({b"key": numbered(300), b"lease": numbered(9)}))
    path = tmp_path / "damaged.db"
    path.write_bytes(mutated(source, rng, times=1 + seed % 5))
    for words in (*VERBS, ("buckets", "key"), ("page", "2", "3", "4", "0")):
        verb, *rest = words if words[0] in {"auth", "buckets", "page"} else (" ".join(words[:2]), *words[2:])
        outcome: Any = invoke(*verb.split(), path, *rest)
        assert outcome.exit_code in {0, 1, 3, 10, 11, 13}, outcome
        assert "internal error" not in outcome.stderr, (seed, words, outcome.stderr)


@pytest.mark.parametrize("name", ["v3/3.6/snapshot.db.gz", "v3/3.4/snapshot.db.gz", "v3-edge"])
def test_both_engines_list_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [name] if name.endswith(".gz") else samples.databases(name)
    for source in sources:
        path = samples.unpack(source)
        for words in (("lease", "list", path, "--keys", "-w", "json"), ("buckets", path, "key", "--values")):
            found = []
            for engine in ("columns", "plain"):
                monkeypatch.setenv("ETCDTOOL_ENGINE", engine)
                found.append(told(*words))
            assert found[0] == found[1]
