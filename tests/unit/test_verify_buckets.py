"""Leases, users, members, meta and alarms: one broken database for every finding that ``verify`` can have there."""

from __future__ import annotations

import hashlib
import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bbolt_files import written

from etcdtool.checks import registry
from etcdtool.formats.bbolt.cursor import root_buckets
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.wire import auth_pb2, rpc_pb2
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.lease import Lease
from etcdtool.model.leases import iter_leases
from etcdtool.model.revision import pack_revision
from etcdtool.model.schema import BUCKETS
from etcdtool.operations.verify import Depth, verify

if TYPE_CHECKING:
    from etcdtool.findings import Report
    from etcdtool.model.rows import Engine

ENGINES: tuple[Engine, ...] = ("columns", "plain")
Pairs = list[tuple[bytes, bytes]]

MEMBER = (b"8e9e05c52164694d", b'{"id":10276657743932975437,"peerURLs":["http://localhost:2380"],"name":"default"}')
OTHER = (b"2bd10ed65a5d7a9d", b'{"id":3157321127565294237,"peerURLs":["http://localhost:2390"],"isLearner":true}')
GOOD_META: Pairs = [
    (b"confState", b'{"voters":[10276657743932975437],"auto_leave":false}'),
    (b"consistent_index", struct.pack(">Q", 7)),
    (b"storageVersion", b"3.6.0"),
    (b"term", struct.pack(">Q", 2)),
]
BCRYPT = b"$2a$10$" + b"x" * 53
GOOD: dict[bytes, Pairs] = {
    b"alarm": [],
    b"auth": [(b"authEnabled", b"\1"), (b"authRevision", struct.pack(">Q", 3))],
    b"authRoles": [],
    b"authUsers": [],
    b"cluster": [(b"clusterVersion", b"3.6.0")],
    b"key": [],
    b"lease": [],
    b"members": [MEMBER],
    b"members_removed": [(b"a", b"removed")],
    b"meta": GOOD_META,
}


def user(name: bytes, *roles: bytes, password: bytes = BCRYPT, no_password: bool = False) -> tuple[bytes, bytes]:
    options = auth_pb2.UserAddOptions(no_password=no_password)
    return name, auth_pb2.User(name=name, password=password, roles=roles, options=options).SerializeToString()


def role(name: bytes, *permissions: tuple[int, bytes, bytes]) -> tuple[bytes, bytes]:
    parts = [
        auth_pb2.Permission(permType=kind, key=key, range_end=end)  # type: ignore[arg-type]
        for kind, key, end in permissions
    ]
    return name, auth_pb2.Role(name=name, keyPermission=parts).SerializeToString()


def alarm(member: int, kind: int) -> tuple[bytes, bytes]:
    return rpc_pb2.AlarmMember(memberID=member, alarm=kind).SerializeToString(), b""  # type: ignore[arg-type]


def lease(number: int, ttl: int, left: int = 0) -> tuple[bytes, bytes]:
    one = Lease(id=number, ttl_seconds=ttl, remaining_ttl_seconds=left)
    return one.key, bytes(one)


def put(main: int, key: bytes, lease_id: int = 0, version: int = 1, create: int | None = None) -> tuple[bytes, bytes]:
    return pack_revision(main), encode_key_value(key, create or main, main, version, b"v", lease_id)


def meta(**changed: bytes | None) -> Pairs:
    return [
        (name.encode(), value) for name, value in ({k.decode(): v for k, v in GOOD_META} | changed).items() if value
    ]


ROOT = user(b"root", b"root")
GOOD[b"authUsers"] = [ROOT]
WITHOUT_REVISION: Pairs = [(b"authEnabled", b"\0")]
NUMBER = struct.Struct(">Q").pack

FAULTS: dict[str, tuple[dict[bytes, Pairs], str, str]] = {
    "user that is none": ({b"authUsers": [ROOT, (b"x", b"\xff")]}, "auth.unreadable", "user x"),
    "user under another name": ({b"authUsers": [ROOT, (b"x", user(b"y")[1])]}, "auth.unreadable", "user x"),
    "role that is none": ({b"authRoles": [(b"r", b"\x0a\x7f")]}, "auth.unreadable", "role r"),
    "role under another name": ({b"authRoles": [(b"r", role(b"s")[1])]}, "auth.unreadable", "role r"),
    "switch": ({b"auth": [(b"authEnabled", b"\3"), (b"authRevision", NUMBER(3))]}, "auth.unreadable", "authEnabled"),
    "revision": ({b"auth": [(b"authEnabled", b"\0"), (b"authRevision", b"3")]}, "auth.unreadable", "authRevision"),
    "no revision": ({b"auth": WITHOUT_REVISION}, "auth.revision-missing", "bucket auth"),
    "key of auth": ({b"auth": [*GOOD[b"auth"], (b"authEnablee", b"\1")]}, "auth.unknown-key", "bucket auth"),
    "no root": ({b"authUsers": [user(b"bob")]}, "auth.root-missing", "bucket authUsers"),
    "root without its role": ({b"authUsers": [user(b"root")]}, "auth.root-missing", "bucket authUsers"),
    "role missing": ({b"authUsers": [ROOT, user(b"x", b"r")]}, "auth.role-missing", "user x"),
    "roles out of order": (
        {b"authUsers": [ROOT, user(b"x", b"s", b"r")], b"authRoles": [role(b"r"), role(b"s")]},
        "auth.roles-order",
        "user x",
    ),
    "no hash": ({b"authUsers": [ROOT, user(b"x", password=b"secret")]}, "auth.password", "user x"),
    "empty range": ({b"authRoles": [role(b"r", (0, b"b", b"a"))]}, "auth.permission", "role r"),
    "permission type": ({b"authRoles": [role(b"r", (3, b"b", b""))]}, "auth.permission", "role r"),
    "member that is none": ({b"members": [MEMBER, (b"f", b"{")]}, "members.unreadable", "member f"),
    "cluster version": ({b"cluster": [(b"clusterVersion", b"three")]}, "members.unreadable", "clusterVersion"),
    "downgrade": ({b"cluster": [(b"downgrade", b"[]")]}, "members.unreadable", "downgrade"),
    "downgrade to nothing": (
        {b"cluster": [(b"downgrade", b'{"target-version":"","enabled":true}')]},
        "members.unreadable",
        "downgrade",
    ),
    "removed word": ({b"members_removed": [(b"a", b"Removed")]}, "members.unreadable", "removed member a"),
    "removed id": ({b"members_removed": [(b"xyz", b"removed")]}, "members.unreadable", "removed member xyz"),
    "removed id padded": ({b"members_removed": [(b"0a", b"removed")]}, "members.id-mismatch", "removed member 0a"),
    "member under another id": ({b"members": [(b"8e9e05c52164694c", MEMBER[1])]}, "members.id-mismatch", "4c"),
    "no peer URL": ({b"members": [(b"5", b'{"id":5,"peerURLs":[]}')]}, "members.peer-urls", "member 5"),
    "bad peer URL": ({b"members": [(b"5", b'{"id":5,"peerURLs":["htt"]}')]}, "members.peer-urls", "member 5"),
    "peer URL twice": (
        {b"members": [MEMBER, (b"5", b'{"id":5,"peerURLs":["http://localhost:2380"]}')]},
        "members.peer-url-twice",
        "member 8e9e",
    ),
    "removed too": ({b"members_removed": [(MEMBER[0], b"removed")]}, "members.removed-too", "removed member 8e9e"),
    "learners alone": ({b"members": [OTHER]}, "members.no-voter", "bucket members"),
    "key of cluster": ({b"cluster": [(b"clusterVersiom", b"3.6.0")]}, "members.unknown-key", "bucket cluster"),
    "downgrading": (
        {b"cluster": [(b"downgrade", b'{"target-version":"3.5.0","enabled":true}')]},
        "members.downgrading",
        "downgrade",
    ),
    "index of 4 bytes": ({b"meta": meta(consistent_index=b"1234")}, "meta.unreadable", "consistent_index"),
    "term of 9 bytes": ({b"meta": meta(term=b"123456789")}, "meta.unreadable", "term"),
    "index 0": ({b"meta": meta(consistent_index=NUMBER(0))}, "meta.index-zero", "consistent_index"),
    "confState": ({b"meta": meta(confState=b'{"voters":["1"]}')}, "meta.unreadable", "confState"),
    "confState of large ids": ({b"meta": meta(confState=b'{"voters":[18446744073709551616]}')}, "meta.unreadable", "c"),
    "confState of negative ids": ({b"meta": meta(confState=b'{"voters":[-1]}')}, "meta.unreadable", "confState"),
    "confState without voters": ({b"meta": meta(confState=b"{}")}, "meta.conf-state-empty", "confState"),
    "stale confState": ({b"meta": meta(confState=b'{"voters":[1]}')}, "meta.conf-state-stale", "confState"),
    "storage version": ({b"meta": meta(storageVersion=b"3.6")}, "meta.unreadable", "storageVersion"),
    "newer version": ({b"meta": meta(storageVersion=b"3.8.0")}, "meta.version-newer", "storageVersion"),
    "version without term": ({b"meta": meta(term=None)}, "meta.version-without-term", "storageVersion"),
    "version to come": ({b"meta": meta(storageVersion=None)}, "meta.version-pending", "bucket meta"),
    "version behind": ({b"cluster": [(b"clusterVersion", b"3.7.0")]}, "meta.version-pending", "storageVersion"),
    "key of meta": ({b"meta": [*GOOD_META, (b"termm", b"")]}, "meta.unknown-key", "termm"),
    "alarm that is none": ({b"alarm": [(b"\xff", b"")]}, "alarms.unreadable", "bucket alarm"),
    "alarm with a value": ({b"alarm": [(alarm(5, 1)[0], b"x")]}, "alarms.unreadable", "bucket alarm"),
    "corrupt": ({b"alarm": [alarm(5, 2)]}, "alarms.corrupt", "member 5"),
    "no space": ({b"alarm": [alarm(5, 1)]}, "alarms.nospace", "member 5"),
    "alarm of another kind": ({b"alarm": [alarm(5, 9)]}, "alarms.unknown", "member 5"),
    "lease that is none": ({b"lease": [(NUMBER(5), b"\xff")]}, "leases.unreadable", "bucket lease"),
    "lease of another id": ({b"lease": [(NUMBER(5), lease(6, 10)[1])]}, "leases.unreadable", "bucket lease"),
    "lease key": ({b"lease": [(b"5", lease(5, 10)[1])]}, "leases.unreadable", "bucket lease"),
    "lease 0": ({b"lease": [lease(0, 10)]}, "leases.id", "bucket lease"),
    "TTL 0": ({b"lease": [lease(5, 0)]}, "leases.ttl", "lease 5"),
    "TTL without end": ({b"lease": [lease(5, 9_000_000_001)]}, "leases.ttl", "lease 5"),
    "more left than there was": ({b"lease": [lease(-5, 10, 11)]}, "leases.ttl", "lease fffffffffffffffb"),
    "orphan": ({b"key": [put(2, b"a", 4)], b"lease": [lease(5, 10)]}, "leases.orphans", "key a"),
    "orphan without any lease": ({b"key": [put(2, b"a", 4)]}, "leases.orphans", "key a"),
}
SUBJECTS = ("leases", "auth", "members", "meta", "alarms")


def verified(changed: dict[bytes, Pairs], engine: Engine) -> Report:
    data = bytes(written(GOOD | {name: sorted(pairs) for name, pairs in changed.items()}))
    sealed = memoryview(data + hashlib.sha256(data).digest())
    file: Any = SimpleNamespace(name="file", file=SimpleNamespace(data=sealed))
    report = verify(file, engine=engine)
    codes = [finding.code for finding in report.findings]
    quick = [finding.code for finding in verify(file, engine=engine, depth=Depth(quick=True)).findings]
    assert quick == [code for code in codes if code != "leases.orphans"] + ["verify.skipped"] * 4
    return report


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fault", FAULTS)
def test_faults(fault: str, engine: Engine) -> None:
    changed, code, where = FAULTS[fault]
    findings = {finding.code: finding for finding in verified(changed, engine).findings}
    assert findings.keys() - {code} <= {"meta.conf-state-stale", "meta.version-pending"}, "notes that come along"
    assert where in findings[code].where
    assert findings[code].offset or where.startswith("bucket")


def test_every_code_is_shown_to_be_found() -> None:
    declared = {code for code in registry.BY_CODE if code.split(".")[0] in SUBJECTS}
    assert declared == {code for _, code, _ in FAULTS.values()}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {b"auth": [], b"authUsers": []},
        {b"auth": [(b"authRevision", NUMBER(1))], b"authUsers": []},
        {b"authUsers": [ROOT, user(b"cert", password=b"", no_password=True)]},
        {b"authRoles": [role(b"r", (0, b"b", b"c"), (1, b"m", b"\0"), (2, b"x", b""))]},
        {b"members": [MEMBER, OTHER], b"meta": meta(confState=None)},
        {b"meta": meta(storageVersion=None), b"cluster": []},
        {b"lease": [lease(5, 10, 10), lease(6, 1)], b"key": [put(2, b"a", 5), put(3, b"b", 6), put(4, b"c")]},
        # only the last revision of a key counts
        {b"key": [put(2, b"a", 4), put(3, b"a", 0, version=2, create=2)]},
        {b"lease": [lease((1 << 63) - 1, 10), lease(-1, 10)], b"key": [put(2, b"a", -1), put(3, b"b", (1 << 63) - 1)]},
    ],
)
def test_what_is_good(changed: dict[bytes, Pairs], engine: Engine) -> None:
    assert verified(changed, engine).findings == []


def test_orphans_are_counted() -> None:
    keys = [put(main, b"%d" % main, 4) for main in range(2, 5)]
    (finding,) = verified({b"key": keys}, "columns").findings
    assert finding.detail == "the key and 2 more keys name a lease that does not exist, first 4"


numbers = st.integers(min_value=-(1 << 63), max_value=(1 << 63) - 1)
values = st.one_of(
    st.binary(max_size=24),
    st.builds(lambda *fields: lease(*fields)[1], numbers, numbers, numbers),
    st.builds(lambda number: lease(number, 5)[1] + b"\x10\x07", numbers),  # a field twice: the last one counts
)
keys = st.one_of(numbers.map(lambda number: struct.pack(">q", number)), st.binary(min_size=1, max_size=9))


@given(pairs=st.dictionaries(keys, st.none() | values, max_size=30), extra=st.binary(max_size=3))
def test_both_readers_of_leases_agree(pairs: dict[bytes, bytes | None], extra: bytes) -> None:
    filled = {
        key: (lease(struct.unpack(">q", key)[0], 60, 7)[1] + extra if len(key) == 8 else b"")
        if value is None
        else value
        for key, value in pairs.items()
    }
    image = Image.open(memoryview(bytes(written({b"lease": sorted(filled.items())}))))
    found = []
    for engine in ENGINES:
        blocks = list(iter_leases(image, root_buckets(image)[b"lease"], engine=engine))
        names = ("offset", "id", "ttl_seconds", "remaining_ttl_seconds")
        rows = [[number for block in blocks for number in getattr(block, name).tolist()] for name in names]
        found.append((rows, [block.problems for block in blocks if block.problems]))
    assert found[0] == found[1]


def test_the_good_one_has_every_bucket() -> None:
    assert tuple(sorted(GOOD)) == BUCKETS
