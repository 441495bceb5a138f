"""The listing verbs beside the real tools: etcdctl on a running server, bbolt and etcd-dump-db on files."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from support import real, samples
from support.booted import ROOT
from support.cli import invoke
from support.programs import program

if TYPE_CHECKING:
    from pathlib import Path

DATABASES = [
    pytest.param(name, marks=[] if name.startswith(("v3/", "damaged/")) else [pytest.mark.full])
    for name in samples.databases()
]
STATS = {
    "Number of logical branch pages": "branchPages",
    "Number of logical leaf pages": "leafPages",
    "Number of keys/value pairs": "keys",
    "Number of levels in B+tree": "depth",
}
BBOLT_ITEMS = re.compile(r"^(Page ID|Page Type|Total Size|Overflow pages|Item Count|Root|Freelist|HWM|Txn ID|Checksum)")


def bbolt(*words: object) -> Any:
    return real.run(real.bbolt(), *words, timeout=30)


def told(*words: object) -> str:
    done = invoke(*words)
    assert done.exit_code in {0, 3}, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", DATABASES)
def test_pages_are_those_of_bbolt(name: str) -> None:
    path = samples.unpack(name)
    # on a damaged file it reads the freelist beside, and may have printed everything before that panics
    theirs = max((bbolt("pages", path) for _ in range(3)), key=lambda done: abs(done.returncode))
    ours = invoke("page", path)
    assert ours.exit_code in {0, 3}
    if theirs.returncode == 0:
        pairs = zip(ours.stdout.splitlines(), theirs.stdout.splitlines(), strict=True)
        # where a damaged list calls a page free that is in use, ours shows the page
        differing = [(mine, real_one) for mine, real_one in pairs if mine[:34].rstrip() != real_one.rstrip()]
        assert all("free" in real_one for _, real_one in differing)
        assert not differing or (name.startswith("damaged/snapshots/freelist") and ours.exit_code == 3)


@pytest.mark.parametrize(
    "name", ["v3/3.6/snapshot.db.gz", "v3/3.4/snapshot.db.gz", "damaged/snapshots/leaf-count.db.gz"]
)
def test_what_is_on_a_page_is_what_bbolt_says(name: str) -> None:
    path = samples.unpack(name)
    listed = json.loads(told("page", path, "-w", "json"))["pages"]
    ids = [page["id"] for page in listed if page["type"] != "free"][:40]
    theirs = bbolt("page", path, *ids).stdout.split("===============================================\n")
    ours = told("page", path, *ids).split("===============================================\n")
    compared = 0
    for page_id, mine, real_one in zip(ids, ours, theirs, strict=True):
        if "Printing page" in real_one or "Problem:" in mine:
            continue
        compared += 1
        assert keys_and_facts(mine) == keys_and_facts(real_one), page_id
    assert compared > len(ids) * 3 // 4


def keys_and_facts(text: str) -> list[str]:
    """Give the header's lines, and of items the key: values are hidden in ours."""
    found = []
    for line in text.splitlines():
        if BBOLT_ITEMS.match(line):
            found.append(" ".join(line.split()))
        elif match := re.match(r'("(?:[^"\\]|\\.)*"|[0-9a-f]+): (<pgid=.*)?', line):
            found.append(match[1] + (match[2] or ""))
    return found


def test_bytes_are_those_that_bbolt_dumps() -> None:
    path = samples.unpack("v3/3.6/snapshot.db.gz")
    listed = json.loads(told("page", path, "-w", "json"))["pages"]
    ids = [page["id"] for page in listed if not page["overflow"]]
    theirs = bbolt("dump", path, *ids).stdout
    ours = told("page", path, *ids, "--hex")
    assert [line for line in ours.splitlines() if re.match(r"[0-9a-f]{7} ", line)] == [
        line for line in theirs.splitlines() if re.match(r"[0-9a-f]{7} ", line)
    ]


@pytest.mark.parametrize("name", [*DATABASES[:0], *(one for one in DATABASES if not one.marks)])
def test_buckets_are_those_of_bbolt(name: str) -> None:
    path = samples.unpack(name)
    theirs = bbolt("buckets", path)
    if theirs.returncode != 0:
        # it wants to know the free pages before it looks; what we can list is listed
        assert invoke("buckets", path).exit_code in {0, 3, 10, 11}
        return
    ours = json.loads(told("buckets", path, "-w", "json"))["buckets"]
    assert [bucket["name"] for bucket in ours] == theirs.stdout.splitlines()
    for bucket in ours:
        others = [one for one in ours if one["name"].startswith(bucket["name"])]
        stats = bbolt("stats", path, bucket["name"])
        if bucket["problem"] or len(others) > 1 or stats.returncode != 0:
            continue  # the real one takes a prefix for a name
        figures = {key.strip(): value for key, _, value in (line.partition(": ") for line in stats.stdout.splitlines())}
        assert {name: int(figures[name]) for name in STATS} == {name: bucket[key] for name, key in STATS.items()}
        overflow = ("Number of physical branch overflow pages", "Number of physical leaf overflow pages")
        assert sum(int(figures[name]) for name in overflow) == bucket["overflowPages"]
        listed = bbolt("keys", path, bucket["name"], "--format", "hex").stdout.splitlines()
        raw = told("buckets", path, bucket["name"], "--raw").splitlines()
        assert [line.partition(":")[0] for line in raw] == listed


@pytest.mark.parametrize("name", ["v3/3.4/snapshot.db.gz", "v3/3.5/snapshot.db.gz", "v3/3.6/snapshot.db.gz"])
def test_pairs_are_those_of_etcd_dump_db(name: str, tmp_path: Path) -> None:
    path = tmp_path / "db"  # the real one writes into what it reads
    shutil.copy(samples.unpack(name), path)
    dump = program("etcd-dump-db", "dump")
    for bucket in real.run(dump, "list-bucket", path, check=True).stdout.split():
        theirs = real.run(dump, "iterate-bucket", path, bucket, "--decode", check=True).stdout.split("\n")[:-1]
        lines = told("buckets", path, bucket, "--reverse", "--values", "-w", "json").split("\n")[:-1]
        ours = [json.loads(line) for line in lines]
        hold = HOLDS.get(bucket)
        if hold is not None:
            assert [hold(one) for one in ours] == [facts(line, bucket) for line in theirs]
        assert len(ours) == len(theirs)


def facts(line: str, bucket: str) -> list[str]:
    """Give the numbers and names that stand in a line of etcd-dump-db."""
    patterns = {
        "key": r"Main:(\d+) Sub:(\d+)\} tombstone:(\w+)\}.* created (\d+) \| mod \d+ \| ver (\d+)\]",
        "lease": r"lease ID=0*(\w+), TTL=(\d+)s, remaining TTL=(\d+)s",
        "authUsers": r'user="(.*)", roles=\[(.*)\], option=(.*?) *$',
        "authRoles": r'role="(.*)", keyPermission',
        "meta": r'key="(\w+)", value',
    }
    match = re.search(patterns[bucket], line, re.DOTALL)
    assert match is not None, line
    return [str(group) for group in match.groups()]


HOLDS: dict[str, Any] = {
    "key": lambda one: [
        *(str(one["mod_revision"]), str(one["sub"]), str(one["type"] == "delete").lower()),
        *(str(one.get("create_revision", 0)), str(one.get("version", 0))),
    ],
    "lease": lambda one: [one["id"], str(one["ttl"]), str(one["remaining_ttl"])],
    "authUsers": lambda one: [
        *(one["name"], " ".join(f'"{role}"' for role in one["roles"])),
        "no_password:true" if one["no_password"] else "",
    ],
    "authRoles": lambda one: [one["name"]],
    "meta": lambda one: [one["name"]],
}


@pytest.mark.parametrize("version", ["3.6", *(pytest.param(one, marks=pytest.mark.full) for one in ("3.5", "3.7"))])
def test_lists_are_those_of_etcdctl(version: str, tmp_path: Path) -> None:
    real.restore(version, samples.unpack(f"v3/{version}/snapshot.db.gz"), tmp_path / "data")
    with real.Server(version, tmp_path / "data") as server:
        server.etcdctl("member", "add", "n2", "--peer-urls=http://10.1.1.1:2380", "--learner", *ROOT)
        server.etcdctl("lease", "grant", "500", *ROOT)
        saved = tmp_path / "saved.db"
        server.etcdctl("snapshot", "save", saved, *ROOT)

        def asked(*words: str) -> str:
            return server.etcdctl(*words, *ROOT).stdout

        assert told("member", "list", saved) == asked("member", "list")
        fields = [line for line in asked("member", "list", "-w", "fields").splitlines() if line[1:5] not in HEADERS]
        assert "\n".join(fields).rstrip() == told("member", "list", saved, "-w", "fields").rstrip()
        assert json.loads(told("member", "list", saved, "-w", "json"))["members"] == without_zeros(
            json.loads(asked("member", "list", "-w", "json"))["members"]
        )
        table = [re.sub(r"[│|]", "|", line) for line in told("member", "list", saved, "-w", "table").splitlines()]
        theirs = [re.sub(r"[│|]", "|", line) for line in asked("member", "list", "-w", "table").splitlines()]
        assert [line for line in table if "|" in line] == [line for line in theirs if "|" in line]
        ours = told("lease", "list", saved).splitlines()
        # in order of what is left to each there, in order of id here
        assert sorted(line.split()[0] if number else line for number, line in enumerate(ours)) == sorted(
            asked("lease", "list").splitlines()
        )
        for lease in json.loads(told("lease", "list", saved, "--keys", "-w", "json"))["leases"]:
            theirs_of_it = json.loads(asked("lease", "timetolive", f"{lease['id']:x}", "--keys", "-w", "json"))
            assert lease["granted-ttl"] == theirs_of_it["granted-ttl"]
            assert sorted(lease["keys"]) == sorted(theirs_of_it["keys"] or [])
        auth = told("auth", saved)
        assert auth.startswith(asked("auth", "status"))
        for role in asked("role", "list").split():
            if role == "root" and version == "3.5":
                continue  # which does not say that root may do everything; 3.6 does
            assert f"\n{asked('role', 'get', role)}" in f"{auth}\n"
        for user in asked("user", "list").split():
            assert f"\n{asked('user', 'get', user)}".rstrip() in auth


HEADERS = {"Clus", "Memb", "Raft", "Revi"}


def without_zeros(members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in member.items() if value} for member in members]
