"""The oldest etcd for an entry of the log: ours says what etcd's own code says of the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf.descriptor import FieldDescriptor
from support import real, samples
from support.wal_files import read_segments

from etcdtool.errors import FormatError
from etcdtool.formats import wal
from etcdtool.formats.raft import EntryType
from etcdtool.formats.wire import raft_internal_pb2, raft_pb2
from etcdtool.model.raft_log import V2Request, parse_request
from etcdtool.model.wal_version import ANNOTATED, oldest_version_of_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.message import Message

Line = tuple[int, bytes]
LOGS = (
    "v2-auth/3.4/data.tar.gz",
    "v2-rich/3.4/data-killed.tar.gz",
    "v3-extra/3.6/data.tar.gz",
    "v3/3.4/data.tar.gz",
    "v3/3.5/data.tar.gz",
    "v3/3.6/data.tar.gz",
    "v3/3.7/data.tar.gz",
)


def said_by_etcd(lines: Iterable[Line]) -> list[str]:
    text = "".join(f"{kind} {data.hex()}\n" for kind, data in lines)
    return real.run(real.program("walversion", "walversion"), stdin=text, check=True).stdout.splitlines()


def said_by_us(lines: Iterable[Line]) -> list[str]:
    return [str(oldest_version_of_entry(kind, data) or "none") for kind, data in lines]


def requests() -> Iterator[tuple[str, bytes]]:
    """Give a request for each field of each message of one, with that field set; for each value of an enum."""
    yield "nothing", b""
    for path, number in _places(raft_internal_pb2.InternalRaftRequest.DESCRIPTOR, ()):
        request = raft_internal_pb2.InternalRaftRequest()
        message: Message = request
        for name in path[:-1]:
            message = getattr(message, name)
        _set(message, path[-1], number)
        if "downgrade_version_test" in path:
            request.downgrade_version_test.ver = b"3.1.0"  # without one etcd stops
        yield f"{'.'.join(path)}={number}", request.SerializeToString()


def _places(kind: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    for field in kind.fields:  # type: ignore[attr-defined]
        here = (*path, field.name)
        if here == ("v2",):
            continue  # 3.7 knows no such field
        if field.type == FieldDescriptor.TYPE_ENUM:
            yield from ((here, value.number) for value in field.enum_type.values)
        else:
            yield here, 1
        if field.type == FieldDescriptor.TYPE_MESSAGE and not field.is_repeated:
            yield from _places(field.message_type, here)


def _set(message: Message, name: str, number: int) -> None:
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        getattr(message, name).add() if field.is_repeated else getattr(message, name).SetInParent()
    elif field.is_repeated:
        getattr(message, name).append(b"x")
    else:
        setattr(message, name, b"x" if field.type == FieldDescriptor.TYPE_BYTES else number)


def test_every_field_of_every_request() -> None:
    made = dict(requests())
    lines = [(int(EntryType.NORMAL), data) for data in made.values()]
    ours, theirs = said_by_us(lines), said_by_etcd(lines)
    assert dict(zip(made, ours, strict=True)) == dict(zip(made, theirs, strict=True))
    assert {f"{major}.{minor}.0" for major, minor in ANNOTATED} | {"3.0.0"} == set(ours)
    assert len(made) > 90


@pytest.mark.parametrize("version", ["3.8.0", "3.6.0-rc.1", "3.7.1+meta", "3.5.9", "4.0.0-alpha"])
def test_downgrade_version_test_counts_as_its_version(version: str) -> None:
    request = raft_internal_pb2.InternalRaftRequest(ID=1)
    request.downgrade_version_test.ver = version.encode()
    lines = [(int(EntryType.NORMAL), request.SerializeToString())]
    assert said_by_us(lines) == said_by_etcd(lines)


def test_conf_changes() -> None:
    change = raft_pb2.ConfChange(type=raft_pb2.ConfChangeAddNode, node_id=1, context=b"{}").SerializeToString()
    lines = [
        (int(EntryType.CONF_CHANGE), change),
        (int(EntryType.CONF_CHANGE), b"\xff"),
        (int(EntryType.CONF_CHANGE), b""),
        (int(EntryType.CONF_CHANGE_V2), b""),
    ]
    assert said_by_us(lines) == said_by_etcd(lines) == ["3.0.0", "none", "3.0.0", "3.4.0"]


@pytest.mark.parametrize("data", [b"\xff", b"\x22\x05ab"])
def test_what_stops_etcd_is_an_error(data: bytes) -> None:
    assert said_by_etcd([(0, data)])[0].startswith("panic")
    with pytest.raises(FormatError):
        oldest_version_of_entry(0, data)


def test_unknown_alarm_stops_etcd() -> None:
    request = raft_internal_pb2.InternalRaftRequest(ID=1)
    request.alarm.alarm = 7  # type: ignore[assignment]
    data = request.SerializeToString()
    assert "could not visit EnumNumber [7]" in said_by_etcd([(0, data)])[0]
    with pytest.raises(FormatError, match="alarm is 7, which no AlarmType is"):
        oldest_version_of_entry(0, data)


@pytest.mark.parametrize("name", LOGS)
def test_entries_of_real_logs(name: str) -> None:
    log = wal.scan(read_segments(samples.unpack(name) / "member/wal"))
    lines = [(entry.type, bytes(entry.data)) for entry in log.entries()]
    assert lines
    v2 = [kind == EntryType.NORMAL and isinstance(parse_request(data), V2Request) for kind, data in lines]
    ours, theirs = said_by_us(lines), said_by_etcd(lines)
    for is_v2, our, their in zip(v2, ours, theirs, strict=True):
        # 3.7 cannot read v2 requests any more; 3.6 can, and finds no version in them
        assert our == "none" if is_v2 else our == their
