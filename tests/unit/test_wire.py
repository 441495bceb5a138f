"""The committed protobuf modules: up to date, loadable beside other etcd clients, and true to what servers wrote."""

from __future__ import annotations

import subprocess
import sys

import pytest
from google.protobuf import descriptor_pool
from support.generate_wire import WIRE, generate

from etcdtool.formats.wire import etcdserver_pb2, raft_internal_pb2, raft_pb2, rpc_pb2, wal_pb2


def test_committed_modules_are_what_protoc_makes_of_the_proto_files() -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")

    committed = {path.name: path.read_text() for path in sorted(WIRE.glob("*_pb2.py*"))}
    assert committed == generate()


def test_no_module_narrows_the_range_of_protobuf_versions() -> None:
    for path in WIRE.glob("*_pb2.py"):
        assert "runtime_version" not in path.read_text(), path.name


def test_modules_import_without_a_warning() -> None:
    modules = ", ".join(f"etcdtool.formats.wire.{path.stem}" for path in sorted(WIRE.glob("*_pb2.py")))
    subprocess.run([sys.executable, "-W", "error", "-c", f"import {modules}"], check=True, timeout=60)


def test_upstream_names_stay_free_for_other_etcd_clients() -> None:
    pool = descriptor_pool.Default()
    for name in ("mvccpb.KeyValue", "etcdserverpb.PutRequest", "raftpb.Entry", "walpb.Record"):
        with pytest.raises(KeyError):
            pool.FindMessageTypeByName(name)


def test_request_tells_absent_from_false() -> None:
    absent = etcdserver_pb2.Request.FromString(bytes.fromhex("08011203505554"))
    false = etcdserver_pb2.Request.FromString(bytes.fromhex("080112035055544000"))
    assert not absent.HasField("PrevExist")
    assert false.HasField("PrevExist")
    assert not false.PrevExist


def test_request_keeps_bytes_that_are_not_utf_8() -> None:
    request = etcdserver_pb2.Request.FromString(b"\x22\x02\xff\xfe")
    assert request.Val == b"\xff\xfe"


def test_an_entry_type_that_nobody_knows_is_kept() -> None:
    assert raft_pb2.Entry.FromString(b"\x08\x07").Type == 7


def test_a_first_wal_record_of_3_4_and_an_entry_of_3_7() -> None:
    # both as they stand in real files
    assert wal_pb2.Record.FromString(bytes.fromhex("08041000")).type == 4
    entry = raft_pb2.Entry.FromString(bytes.fromhex("10021804"))
    assert (entry.Type, entry.Term, entry.Index, entry.Data) == (0, 2, 4, b"")


def test_a_put_is_found_in_the_internal_request() -> None:
    data = bytes.fromhex("2208 0a0162 1203313233 a206 05 08ac021801".replace(" ", ""))
    request = raft_internal_pb2.InternalRaftRequest.FromString(data)
    assert (request.put.key, request.put.value) == (b"b", b"123")
    assert request.header.ID == 300
    assert request.header.auth_revision == 1


def test_compare_and_alarm_numbers_are_upstreams() -> None:
    assert rpc_pb2.Compare.DESCRIPTOR.fields_by_name["range_end"].number == 64
    assert rpc_pb2.AlarmType.Value("CORRUPT") == 2
