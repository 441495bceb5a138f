"""The key space as we read it, against what servers answered to ranges and watches over the same data."""

from __future__ import annotations

import timeit
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import samples
from support.bbolt_files import written

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats.bbolt.cursor import iter_items, root_buckets
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.wire import kv_pb2
from etcdtool.formats.words import unaligned_words
from etcdtool.model import grouping
from etcdtool.model.grouping import Keys, group_rows, hash_keys
from etcdtool.model.keyspace import Compactions, Keyspace, KeyValue, iter_key_values
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.lease import Lease
from etcdtool.model.revision import pack_revision
from etcdtool.model.schema import detect_schema_version, storage_version

if TYPE_CHECKING:
    from etcdtool.model.rows import Engine

VERSIONS = ("3.2", "3.4", "3.5", "3.6", "3.7")
ENGINES: tuple[Engine, ...] = ("columns", "plain")


def image_of(name: str) -> Image:
    return Image.open(memoryview(samples.unpack(name).read_bytes()))


def as_record(answer: dict[str, Any]) -> KeyValue:
    """Turn a record of a server's JSON into ours."""
    return KeyValue(
        b64decode(answer["key"]),
        int(answer.get("create_revision", 0)),
        int(answer.get("mod_revision", 0)),
        int(answer.get("version", 0)),
        b64decode(answer.get("value", "")),
        int(answer.get("lease", 0)),
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("moment", ["latest", "mid", "compact"])
@pytest.mark.parametrize("version", VERSIONS)
def test_items_are_what_a_range_answered(version: str, moment: str, engine: Engine) -> None:
    asked = samples.expected(f"v3/{version}")["live"]["ranges"][moment]["requested_revision"]
    answer = samples.load(f"v3/{version}/range-{moment}.json.gz")
    keyspace = Keyspace.read(image_of(f"v3/{version}/snapshot.db.gz"), engine=engine)
    assert list(keyspace.items_at(asked or None)) == [as_record(record) for record in answer["kvs"]]
    assert keyspace.current_revision == int(answer["header"]["revision"])


@pytest.mark.parametrize("version", VERSIONS)
def test_history_is_what_a_watch_from_the_compaction_saw(version: str) -> None:
    answer = samples.load(f"v3/{version}/watch.json.gz")
    events = [event for response in answer for event in response["Events"]]
    image = image_of(f"v3/{version}/snapshot.db.gz")
    compact_revision = Keyspace.read(image).compact_revision
    seen = []
    for revision, record in iter_key_values(image, root_buckets(image)[b"key"]):
        if revision.main > compact_revision:
            # a watch tells the revision of a deletion, which the tombstone has in its key
            seen.append(KeyValue(record.key, mod_revision=revision.main) if revision.tombstone else record)
    assert seen == [as_record(event["kv"]) for event in events]


@pytest.mark.parametrize("version", VERSIONS)
def test_reads_outside_of_history_are_refused_as_the_server_did(version: str) -> None:
    revisions = samples.expected(f"v3/{version}")["live"]["revisions"]
    keyspace = Keyspace.read(image_of(f"v3/{version}/snapshot.db.gz"))
    assert (keyspace.compact_revision, keyspace.current_revision) == (revisions["compact"], revisions["latest"])
    with pytest.raises(EtcdtoolError, match="has been compacted"):
        list(keyspace.items_at(revisions["compact"] - 1))
    with pytest.raises(EtcdtoolError, match="is a future revision"):
        list(keyspace.items_at(revisions["latest"] + 1))


@pytest.mark.parametrize("folder", ["v2-migrated/3.3", "v2-migrated/3.4", "v2-migrated/3.4-no-ttl"])
def test_migrated_data_is_what_the_server_served(folder: str) -> None:
    served = [as_record(record) for record in samples.load(f"{folder}/v3-range.json.gz")["kvs"]]
    keyspace = Keyspace.read(image_of(f"{folder}/snapshot.db.gz"))
    # one more key was put before the snapshot was saved
    assert [record for record in keyspace.items_at() if record.mod_revision < keyspace.current_revision] == served
    assert keyspace.compact_revision == -1


def test_leases_are_those_the_server_listed() -> None:
    live = samples.expected("v3/3.6")["live"]
    image = image_of("v3/3.6/snapshot.db.gz")
    items = image_items(image, b"lease")
    leases = [Lease.parse(key, value) for key, value in items]
    assert {lease.id for lease in leases} == {int(lease["ID"]) for lease in live["leases"]["leases"]}
    granted = {int(answer["ID"]): int(answer.get("grantedTTL", 0)) for answer in live["lease_timetolive"].values()}
    assert {lease.id: lease.ttl_seconds for lease in leases}.items() <= granted.items()
    assert [(lease.key, bytes(lease)) for lease in leases] == items


def image_items(image: Image, bucket: bytes) -> list[tuple[bytes, bytes]]:
    return [(item.key, bytes(item.value)) for item in iter_items(image, root_buckets(image)[bucket])]


def test_a_lease_filed_under_another_id_is_refused() -> None:
    with pytest.raises(FormatError, match="filed under 8, holds id 7"):
        Lease.parse(Lease(id=8, ttl_seconds=1).key, bytes(Lease(id=7, ttl_seconds=1)))
    with pytest.raises(FormatError, match=r"no leasepb\.Lease"):
        Lease.parse(bytes(8), b"\x08")
    with pytest.raises(FormatError, match="3 bytes instead of 8"):
        Lease.parse(b"abc", b"")


def test_what_a_restart_resumes_counts_as_compacted() -> None:
    scheduled = {b"scheduledCompactRev": pack_revision(9), b"finishedCompactRev": pack_revision(4)}
    assert Compactions.parse(scheduled) == Compactions(4, 9)
    assert (Compactions(4, 9).pending, Compactions(4, 9).revision) == (True, 9)
    assert (Compactions(9, 9).pending, Compactions(9, 9).revision) == (False, 9)
    assert (Compactions.parse({}).pending, Compactions.parse({}).revision) == (False, -1)


@pytest.mark.parametrize(
    ("meta", "version", "shown"),
    [
        ({}, (3, 4), ""),
        ({b"term": bytes(7) + b"\x02"}, (3, 5), ""),
        ({b"confState": b"{}"}, (3, 5), ""),
        ({b"storageVersion": b"3.6.0", b"term": bytes(7) + b"\x02"}, (3, 6), "3.6.0"),
        ({b"storageVersion": b""}, (3, 4), ""),
        ({b"storageVersion": b"three"}, (3, 4), ""),
    ],
)
def test_schema_version(meta: dict[bytes, bytes], version: tuple[int, int], shown: str) -> None:
    assert (detect_schema_version(meta), storage_version(meta)) == (version, shown)


NUMBERS = (0, 1, 127, 128, 16383, 16384, (1 << 28) - 1, 1 << 28, 1 << 49, 1 << 56, (1 << 63) - 1, -1, -(1 << 63))


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("sizes", [(0, 0), (1, 0), (3, 5), (127, 128), (200, 20000)])
def test_encoding_equals_the_generated_module_s(number: int, sizes: tuple[int, int]) -> None:
    key, value = b"k" * sizes[0], b"v" * sizes[1]
    for field in ("create_revision", "mod_revision", "version", "lease"):
        fields = {"create_revision": 5, "mod_revision": 300, "version": 2, "lease": 0} | {field: number}
        message = kv_pb2.KeyValue(key=key, value=value, **fields).SerializeToString()
        record = KeyValue(
            key, fields["create_revision"], fields["mod_revision"], fields["version"], value, fields["lease"]
        )
        assert encode_key_value(key, *list(fields.values())[:3], value, fields["lease"]) == message == bytes(record)
        assert KeyValue.parse(message) == record


def test_encoding_keeps_up_with_a_conversion() -> None:
    call = lambda: encode_key_value(b"/registry/pods/default/web-0", 150_000, 150_001, 2, b"x" * 40)  # noqa: E731
    seconds = min(timeit.repeat(call, number=2000, repeat=5)) / 2000
    assert seconds < 1e-5, "twenty times what it takes on two slow cores"


def test_two_keys_of_one_hash_are_told_apart() -> None:
    names = [b"one", b"two", b"one", b"three", b"two", b"one"]
    data = memoryview(b"".join(names))
    start = np.cumsum([0] + [len(name) for name in names[:-1]])
    keys = Keys(data, unaligned_words(data), start, np.array([len(name) for name in names]))
    order, first = group_rows(keys, np.full(len(names), 1 << 60, dtype=np.uint64))
    groups = np.split(order, np.flatnonzero(first)[1:])
    assert sorted(group.tolist() for group in groups) == [[0, 2, 5], [1, 4], [3]]


def test_ordinary_keys_never_take_the_plain_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "_regroup", lambda *_: pytest.fail("neighbours of one hash were called different"))
    assert Keyspace.read(image_of("v3/3.6/snapshot.db.gz")).live_key_count == 1951


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 1024, 1025, 5000])
def test_equal_keys_have_equal_hashes_up_to_the_last_byte_of_the_file(size: int) -> None:
    key = bytes(range(256)) * 20
    data = memoryview(b"....." + key[:size] + b"|" + key[:size])
    start = np.array([5, 6 + size])
    hashes = hash_keys(Keys(data, unaligned_words(data), start, np.array([size, size])))
    assert hashes[0] == hashes[1]
    if size:
        shorter = hash_keys(Keys(data, unaligned_words(data), start, np.array([size, size - 1])))
        assert shorter[0] != shorter[1]


def test_an_unreadable_record_is_named_with_its_offset() -> None:
    good = encode_key_value(b"a", 2, 2, 1, b"v")
    data = written({b"key": [(pack_revision(2), good), (pack_revision(3), b"\x0a\x05a")]})
    image = Image.open(memoryview(data))
    records = iter_key_values(image, root_buckets(image)[b"key"])
    with pytest.raises(FormatError, match="does not parse") as caught:
        list(records)
    assert caught.value.offset == bytes(data).index(b"\x0a\x05a")
