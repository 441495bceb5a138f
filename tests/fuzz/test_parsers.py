"""Any bytes, raw or real ones damaged, give every parser a result, findings or one of our errors, in little time."""

from __future__ import annotations

import contextlib
import gzip
import io
import random
import tarfile
import time
from functools import cache
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from support import samples
from support.bbolt_files import META_SIZE
from support.mutations import mutated
from support.wal_files import METADATA, as_segments, frame_offsets, read_segments

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats import digest, wal
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.check import check
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.compression import Packing, decompress
from etcdtool.formats.raft import ConfState, HardState
from etcdtool.formats.snap import pack_snap_file, parse_snap_file
from etcdtool.formats.wire import etcdserver_pb2
from etcdtool.model.gotext import parse_time
from etcdtool.model.keys_dump import merge, parse_dump
from etcdtool.model.keyspace import Keyspace
from etcdtool.model.keyvalue import KeyValue
from etcdtool.model.lease import Lease
from etcdtool.model.membership import parse_attributes, parse_member
from etcdtool.model.raft_log import parse_conf_change, parse_request
from etcdtool.model.revision import Revision
from etcdtool.model.rows import iter_key_values
from etcdtool.model.store_v2 import Store, iter_nodes_and_own_expiry, members, removed_members
from etcdtool.model.v2_request import parse_v2_request
from etcdtool.operations.v2_member import MemberLog
from etcdtool.operations.v2_replay import Replay, replay
from etcdtool.sources import recognise
from etcdtool.sources.files import Workspace
from etcdtool.sources.unpack import unpack_tar
from etcdtool.sources.v2 import V2Source, open_v2_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SECONDS_MAX = 5
WAL_OF = ("v2-only-wal/2.3/data.tar.gz", "v2-only-wal/3.4/data.tar.gz", "v2-auth/3.4/data.tar.gz")
SNAPS_OF = ("v2-auth/3.4/data.tar.gz", "discovery-v2/3.4/data.tar.gz", "v2-cluster/3.4/data-c1.tar.gz")


def snap_files() -> list[bytes]:
    return [min((samples.unpack(name) / "member/snap").glob("*.snap")).read_bytes() for name in SNAPS_OF]


def stores() -> list[bytes]:
    return [bytes(parse_snap_file(memoryview(data)).data) for data in snap_files()]


def wals() -> list[bytes]:
    segments = [read_segments(samples.unpack(name) / "member/wal")[0] for name in WAL_OF]
    return [bytes(segment.data[: frame_offsets(segment)[-1]]) + bytes(600) for segment in segments]


def entries() -> list[wal.Entry]:
    scans = [wal.scan(read_segments(samples.unpack(name) / "member/wal")) for name in WAL_OF]
    return [entry for scan in scans for entry in scan.entries()]


def requests() -> list[bytes]:
    return [bytes(entry.data) for entry in entries() if entry.type == 0 and entry.data]


def conf_changes() -> list[bytes]:
    return [bytes(entry.data) for entry in entries() if entry.type != 0]


def databases() -> list[bytes]:
    return [
        samples.unpack(name).read_bytes() for name in ("v3-extra/3.6/empty.db.gz", "v3-extra/3.7/after-defrag.db.gz")
    ]


def dumps() -> list[bytes]:
    return [
        (
            b'{"action":"get","node":{"dir":true,"nodes":[{"key":"/a","value":"x\\u0000","modifiedIndex":4,"createdIndex":4,'
            b'"expiration":"2027-01-01T00:00:00.5Z","ttl":5},{"key":"/d","dir":true,"nodes":[{"key":"/d/e","value":"",'
            b'"modifiedIndex":6,"createdIndex":5}],"modifiedIndex":5,"createdIndex":5}]}}\n'
        ),
        b'{"errorCode":100,"message":"Key not found","cause":"/a","index":7}',
    ]


def key_values() -> list[bytes]:
    image = Image.open(memoryview(databases()[1]))
    return [bytes(item.value) for item in cursor.iter_items(image, cursor.root_buckets(image)[b"key"])][:40]


def tars() -> list[bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for number, data in enumerate(snap_files()[:2]):
            info = tarfile.TarInfo(f"{'long/' * 40}{number}.snap")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return [out.getvalue()]


def read_store(data: bytes) -> None:
    store = Store.recover(data)
    list(iter_nodes_and_own_expiry(store))
    members(store)
    removed_members(store)
    list(store.replaced_characters())
    Store.recover(store.dump_json())


def read_wal(data: bytes) -> None:
    (segment,) = as_segments([(wal.segment_name(0, 0), data)])
    for after in (0, 20):
        result = wal.scan([segment], after_index=after)
        for entry in result.entries():
            parse_request(entry.data) if entry.type == 0 else parse_conf_change(entry.type, entry.data)


def replayed(entry_type: int) -> Callable[[bytes], None]:
    """Put the bytes into a sound record behind real ones, so that no checksum keeps them from the store."""

    def apply(data: bytes) -> None:
        writer = wal.WalWriter(METADATA, padded=True)
        real = _real_entries()
        for index, entry in enumerate(real, 1):
            writer.save_entry(index, 2, bytes(entry.data), entry.type)
        last = len(real) + 1
        writer.save_entry(last, 2, data, entry_type)
        writer.save_state(HardState(2, 0xA1, last))
        log = wal.scan(as_segments(writer.files(allocated_size=0)))
        store = Store()
        replay(MemberLog(source=V2Source(path="fuzz", kind="data dir"), log=log), store, Replay(), last)
        list(iter_nodes_and_own_expiry(store))
        members(store)

    return apply


@cache
def _real_entries() -> list[wal.Entry]:
    """The beginning of a log: its first member is added, has its name, the version is set."""
    return list(wal.scan(read_segments(samples.unpack(WAL_OF[1]) / "member/wal")).entries())[:6]


def read_snap_of_any_store(data: bytes) -> None:
    sealed = pack_snap_file(data, index=9, term=2, conf_state=ConfState((1,)))
    read_store(bytes(parse_snap_file(memoryview(sealed)).data))


def read_dump(data: bytes) -> None:
    root, index = merge([parse_dump(memoryview(data), "dump"), parse_dump(memoryview(data), "same")])
    store = Store()
    store.root, store.current_index = root, index
    list(iter_nodes_and_own_expiry(store))


def read_database(data: bytes) -> None:
    image = Image.open(memoryview(data))
    for _ in check(image):
        pass
    Keyspace.read(image)
    for bucket in cursor.root_buckets(image).values():
        for engine in ("columns", "plain"):
            list(iter_key_values(image, bucket, engine=engine))  # type: ignore[arg-type]
        list(columns.iter_blocks(image, bucket))


def read_sealed_database(data: bytes) -> None:
    """Make the meta pages' checksums fit, so that they do not keep the damage out."""
    image = bytearray(data)
    for start in (16, 4096 + 16):
        if len(image) >= start + META_SIZE + 8:
            checksum = digest.fnv1a64(bytes(image[start : start + META_SIZE]))
            image[start + META_SIZE : start + META_SIZE + 8] = checksum.to_bytes(8, "little")
    read_database(bytes(image))


def read_lease(data: bytes) -> None:
    Lease.parse(data[:8], data[8:])


def unpack(packing: Packing) -> Callable[[bytes], object]:
    return lambda data: decompress(io.BytesIO(data), lambda _: None, packing=packing, limit=1 << 30)


def no_conf_change(data: bytes) -> None:
    for entry_type in (1, 2, 3, -1):
        parse_conf_change(entry_type, data)


# name: (real data to damage, the parser)
PARSERS: dict[str, tuple[Callable[[], Sequence[bytes]], Callable[[bytes], object]]] = {
    "snap": (snap_files, lambda data: parse_snap_file(memoryview(data))),
    "store": (stores, read_store),
    "store in a sealed snap": (stores, read_snap_of_any_store),
    "wal": (wals, read_wal),
    "entry": (requests, replayed(0)),
    "request": (requests, parse_request),
    "v2 request": (requests, parse_v2_request),
    "conf change": (conf_changes, no_conf_change),
    "conf change entry": (conf_changes, replayed(1)),
    "dump": (dumps, read_dump),
    "member": (lambda: [b'{"id":1,"peerURLs":["http://a:1"],"name":"m","clientURLs":[]}'], parse_member),
    "attributes": (lambda: [b'{"name":"m","clientURLs":["http://a:1"]}'], parse_attributes),
    "bbolt": (databases, read_database),
    "bbolt with sealed metas": (databases, read_sealed_database),
    "revision": (lambda: [bytes(17), b"\0" * 8 + b"_" + b"\0" * 8 + b"t"], Revision.parse),
    "key value": (key_values, KeyValue.parse),
    "lease": (lambda: [bytes(7) + b"\x05\x08\x05\x10\x0a\x18\x0a"], read_lease),
    "gzip": (lambda: [gzip.compress(stores()[0])], unpack(Packing.GZIP)),
    "zstd": (lambda: [zstandard.ZstdCompressor().compress(stores()[0])], unpack(Packing.ZSTD)),
    "recognise": (lambda: [*wals(), *snap_files(), *tars()], lambda data: recognise(data, len(data))),
}


@cache
def seeds(name: str) -> list[bytes]:
    return list(PARSERS[name][0]())


def obeys_the_law(parse: Callable[[bytes], object], data: bytes) -> None:
    started = time.monotonic()
    with contextlib.suppress(EtcdtoolError):
        parse(data)
    assert time.monotonic() - started < SECONDS_MAX


@pytest.mark.parametrize("name", PARSERS)
@given(seed=st.integers(0, (1 << 40) - 1))
def test_damaged_real_data(name: str, seed: int) -> None:
    rng = random.Random(seed)
    obeys_the_law(PARSERS[name][1], mutated(rng.choice(seeds(name)), rng, times=rng.choice((1, 1, 2, 5))))


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.binary(max_size=600))
def test_any_bytes(name: str, data: bytes) -> None:
    obeys_the_law(PARSERS[name][1], data)


@pytest.mark.parametrize("name", [name for name in PARSERS if PARSERS[name][0] is not databases])
def test_real_data_pass(name: str) -> None:
    """The law is worth something only where undamaged data get through."""
    passed = 0
    for data in seeds(name):
        try:
            PARSERS[name][1](data)
        except EtcdtoolError:
            continue
        passed += 1
    assert passed * 2 >= len(seeds(name)) or name == "conf change"


@given(text=st.text(max_size=40) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{0,20}[Z+-]?[0-9:]{0,6}"))
def test_times(text: str) -> None:
    try:
        nanoseconds = parse_time(text)
    except ValueError:
        return
    assert isinstance(nanoseconds, int)


@given(seed=st.integers(0, (1 << 40) - 1))
def test_tars(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = random.Random(seed)
    path = _tar_path(tmp_path_factory)
    path.write_bytes(mutated(tars_once(), rng, times=rng.choice((1, 2, 8))))

    def read(_: bytes) -> None:
        with Workspace() as workspace:
            unpack_tar(path, workspace, wanted=lambda name: name.suffix == ".snap")
        with Workspace() as workspace:
            open_v2_sources([path], workspace)

    obeys_the_law(read, b"")


@cache
def tars_once() -> bytes:
    return tars()[0]


_folders: list[Path] = []


def _tar_path(factory: pytest.TempPathFactory) -> Path:
    if not _folders:
        _folders.append(factory.mktemp("tars"))
    return _folders[0] / "x.tar"


def test_deep_nesting_is_refused() -> None:
    for text in (b"[" * 100_000, b'{"Root":' * 100_000, b'{"node":{"nodes":[' * 100_000):
        obeys_the_law(read_store, text)
        obeys_the_law(read_dump, text)
    deep = b'{"node":{"key":"/","dir":true,"nodes":[' + b'{"key":"/a","dir":true,"createdIndex":1,"modifiedIndex":1,'
    obeys_the_law(read_dump, deep + b'"nodes":[{' * 5000)
    long_path = b"/a" * 50_000
    obeys_the_law(read_dump, b'{"node":{"key":"%s","value":"","createdIndex":1,"modifiedIndex":1}}' % long_path)


def test_a_path_of_a_million_directories_is_refused() -> None:
    deep = etcdserver_pb2.Request(ID=1, Method=b"PUT", Path=b"/1" + b"/a" * 1_000_000, Val=b"x")
    with pytest.raises(FormatError, match="more than 10000 directories deep"):
        replayed(0)(deep.SerializeToString())
    replayed(0)(etcdserver_pb2.Request(ID=1, Method=b"PUT", Path=b"/1" + b"/a" * 2_000).SerializeToString())
