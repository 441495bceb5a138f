"""``wal dump`` and ``wal verify``: what is hidden, what is chosen, and where damage is told to be."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.cli import invoke
from support.mutations import mutated
from support.wal_files import METADATA, read_segments

from etcdtool.formats import wire
from etcdtool.formats.digest import crc32c
from etcdtool.formats.wal import RecordType, scan
from etcdtool.formats.wal.records import pack_frame
from etcdtool.operations.wal_dump import dump_entries

if TYPE_CHECKING:
    from pathlib import Path

NAME = "0000000000000000-0000000000000000.wal"
V3 = "v3/3.6/data.tar.gz"
RICH = "v2-rich/3.4/data-clean.tar.gz"


class Log:
    """A log made record by record, with a running checksum."""

    def __init__(self) -> None:
        self.crc = 0
        self.data = bytearray(pack_frame(RecordType.CRC, None, 0))
        self.places: list[int] = []
        self.add(RecordType.METADATA, METADATA)

    def add(self, kind: int, data: bytes) -> None:
        self.crc = crc32c(data, self.crc)
        self.places.append(len(self.data))
        self.data += pack_frame(kind, data, self.crc)

    def entry(self, index: int, data: bytes, *, term: int = 1, type_: int = 0) -> None:
        entry = wire.raft_pb2.Entry(Type=type_, Term=term, Index=index, Data=data)
        self.add(RecordType.ENTRY, entry.SerializeToString())

    def put(self, index: int, key: bytes = b"k", *, term: int = 1) -> None:
        self.entry(index, request(put=wire.rpc_pb2.PutRequest(key=key, value=b"secret")), term=term)

    def state(self, commit: int, term: int = 1) -> None:
        self.add(RecordType.STATE, wire.raft_pb2.HardState(term=term, vote=1, commit=commit).SerializeToString())

    def write(self, folder: Path) -> Path:
        (folder / "wal").mkdir(parents=True, exist_ok=True)
        (folder / "wal" / NAME).write_bytes(bytes(self.data) + bytes(4096))
        return folder


def request(**fields: Any) -> bytes:
    return wire.raft_internal_pb2.InternalRaftRequest(**fields).SerializeToString()


def lines(*words: object, exit_code: int = 0) -> list[dict[str, Any]]:
    done = invoke("wal", "dump", *words, "-w", "json")
    assert done.exit_code == exit_code, done.stderr
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


def test_entries_with_all_that_is_known_of_them(tmp_path: Path) -> None:
    log = Log()
    log.entry(1, b"")
    log.put(2, b"\xff")
    log.entry(3, request() + b"\xb2\x7d\x02ab\xa8\x7d\x05")
    log.entry(4, wire.raft_pb2.ConfChangeV2(transition=2).SerializeToString(), type_=2)
    log.entry(5, b"\xff\xff")
    log.entry(6, b"", type_=9)
    log.state(2)
    found = lines(log.write(tmp_path), exit_code=0)
    assert [entry["kind"] for entry in found] == ["empty", "put", "", "conf", "unreadable", "unreadable"]
    assert [entry["committed"] for entry in found] == [True, True, False, False, False, False]
    assert found[1]["request"] == {"put": {"key_b64": "/w==", "value_size": 6}}
    assert found[2]["request"] == {"unknown": {"2006": "<2 bytes>", "2005": "5"}}
    assert found[0]["offset"] == log.places[1]
    printed = invoke("wal", "dump", tmp_path).stdout
    assert "   1\t         3\tnorm\t2006:<2 bytes> 2005:5\t(not committed)\n" in printed
    assert "entry of the unknown type 9" in printed


def test_replaced_entries_are_left_out_but_of_the_raw_form(tmp_path: Path) -> None:
    log = Log()
    for index in (1, 2, 3):
        log.put(index)
    log.put(2, b"other", term=2)
    log.state(2, term=2)
    path = log.write(tmp_path)
    assert [(entry["index"], entry["term"]) for entry in lines(path)] == [(1, 1), (2, 2)]
    assert "WAL entries: 2, 2 more were replaced by a later leader" in invoke("wal", "dump", path).stdout
    assert invoke("wal", "dump", path, "--raw").stdout.count("\tEntry: ") == 4


def test_values_and_secrets_are_hidden(tmp_path: Path) -> None:
    log = Log()
    log.put(1)
    user = wire.rpc_pb2.AuthUserAddRequest(name=b"u", password=b"pw-1", hashedPassword=b"pw-2")
    log.entry(2, request(auth_user_add=user))
    compare = wire.rpc_pb2.Compare(key=b"k", value=b"secret", target=3)
    log.entry(3, request(txn=wire.rpc_pb2.TxnRequest(compare=[compare])))
    change = wire.rpc_pb2.AuthUserChangePasswordRequest(name=b"u", password=b"pw-3")
    log.entry(4, request(auth_user_change_password=change))
    path = log.write(tmp_path)
    for form in ("simple", "json"):
        hidden = invoke("wal", "dump", path, "-w", form).stdout
        assert "secret" not in hidden
        assert "pw-" not in hidden
        shown = invoke("wal", "dump", path, "--values", "-w", form).stdout
        assert shown.count("secret") == 2
        assert "pw-" not in shown
        assert "secret" not in invoke("wal", "dump", path, "--raw", "-w", form).stdout
    assert 'auth_user_add:<name:"u" password:"<value removed>"' in invoke("wal", "dump", path).stdout


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (("--from-index", "1756"), lambda entry: entry["index"] >= 1756),
        (("--to-index", "3"), lambda entry: entry["index"] <= 3),
        (("--start-snap", "0000000000000002-00000000000003e9.snap"), lambda entry: entry["index"] > 0x3E9),
        (("--term", "1"), lambda entry: entry["term"] == 1),
        (("--type", "conf,lease_grant"), lambda entry: entry["kind"] in {"conf", "lease_grant"}),
        (("--type", "put", "--type", "IRRTxn", "--from-index", "1500"), lambda entry: entry["kind"] in {"put", "txn"}),
        (("--type", "v3"), lambda entry: entry["kind"] not in {"conf", "empty"}),
        (("--entry-type", "Normal"), lambda entry: entry["kind"] != "conf"),
    ],
)
def test_some_entries(words: tuple[str, ...], chosen: Any) -> None:
    path = samples.unpack(V3)
    everything = [entry for entry in lines(path) if chosen(entry)]
    if "1500" in words:
        everything = [entry for entry in everything if entry["index"] >= 1500]
    assert lines(path, *words) == everything
    assert everything


def test_v2_requests_have_their_fields() -> None:
    found = {entry["index"]: entry for entry in lines(samples.unpack(RICH), "--type", "v2", "--values")}
    assert {entry["request"]["method"] for entry in found.values()} == {"PUT", "POST", "DELETE", "QGET", "SYNC"}
    assert any(entry["request"].get("prev_value") for entry in found.values())
    hidden = invoke("wal", "dump", samples.unpack(RICH), "--type", "v2").stdout
    assert " prev_value=<" in hidden
    assert ' expiration="20' in hidden
    assert " val=<" in hidden
    assert ' val="' not in hidden


def test_words_that_do_not_go_together() -> None:
    for words, told in (
        (("--type", "nix"), "there is no type 'nix'"),
        (("--raw", "--term", "1"), "--raw prints every"),
    ):
        done = invoke("wal", "dump", samples.unpack(V3), *words)
        assert (done.exit_code, told in done.stderr) == (2, True)
    done = invoke("wal", "dump", samples.unpack("v3/3.6/snapshot.db.gz"))
    assert done.exit_code == 1
    assert "holds no log" in done.stderr


def ten_puts() -> Log:
    log = Log()
    for index in range(1, 11):
        log.put(index, b"key-%d" % index)
    log.state(10)
    return log


def verdict(path: Path, exit_code: int) -> dict[str, Any]:
    done = invoke("wal", "verify", path, "-w", "json")
    assert done.exit_code == exit_code, done
    return json.loads(done.stdout)


def test_a_flipped_bit_is_located_and_the_rest_is_read(tmp_path: Path) -> None:
    log = ten_puts()
    at = log.places[5]  # the entry of index 5, record 6 of the file
    log.data[bytes(log.data).index(b"key-5")] ^= 1
    path = log.write(tmp_path)
    found = verdict(path, 3)
    assert [(one["offset"], one["record"]) for one in found["files"][0]["damage"]] == [(at, 6)]
    assert found["files"][0]["proven"] == found["files"][0]["records"] - 1
    entries = lines(path, exit_code=3)
    assert [entry["index"] for entry in entries] == list(range(1, 11))
    assert [entry["index"] for entry in entries if entry.get("proven") is False] == [5]
    assert f"damaged: {NAME} at {at:#x}, record 6: wrong checksum" in invoke("wal", "dump", path).stderr


def test_a_damaged_checksum_spoils_one_record_alone(tmp_path: Path) -> None:
    log = ten_puts()
    log.data[log.places[5] + 8 + 4] ^= 1  # inside of the stored sum
    found = verdict(log.write(tmp_path), 3)
    assert len(found["files"][0]["damage"]) == 1
    assert found["entries"] == 10


def test_a_damaged_length_hides_nothing(tmp_path: Path) -> None:
    log = ten_puts()
    log.data[log.places[5] + 1] ^= 0x7F
    path = log.write(tmp_path)
    found = verdict(path, 3)
    assert [one["offset"] for one in found["files"][0]["damage"]] == [log.places[5]]
    assert found["entries"] == 10


def test_a_torn_tail_is_no_damage(tmp_path: Path) -> None:
    log = ten_puts()
    torn = pack_frame(RecordType.ENTRY, bytes(3000), 1)[:600]
    path = log.write(tmp_path)
    (path / "wal" / NAME).write_bytes(bytes(log.data) + torn)
    found = verdict(path, 0)
    assert [(one["offset"], one["tornTail"]) for one in found["files"][0]["damage"]] == [(len(log.data), True)]
    done = invoke("wal", "dump", path)
    assert (done.exit_code, f"torn tail: {NAME} at {len(log.data):#x}" in done.stderr) == (0, True)


def test_a_single_file_and_a_wal_dir(tmp_path: Path) -> None:
    path = ten_puts().write(tmp_path / "x")
    single = lines(path / "wal" / NAME)
    assert single == lines(path / "wal") == lines(path) == lines(tmp_path, "--wal-dir", path / "wal")
    done = invoke("wal", "dump", tmp_path / "nothing")
    assert done.exit_code == 1


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    log = ten_puts()
    path = log.write(tmp_path)
    (path / "wal" / NAME).rename(path / "wal" / NAME.replace("0000.wal", "0063.wal"))
    found = verdict(path, 3)
    assert found["files"][0]["good"]
    assert any(one["severity"] == "error" for one in found["findings"])


@pytest.mark.parametrize("seed", range(60))
def test_any_bytes_give_lines_or_an_error_of_ours(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    log = ten_puts()
    log.entry(11, rng.randbytes(40))
    source = bytes(log.data) + bytes(700)
    (tmp_path / "wal").mkdir()
    damaged = rng.randbytes(500) if seed % 10 == 0 else mutated(source, rng, times=1 + seed % 5)
    (tmp_path / "wal" / NAME).write_bytes(damaged)
    for words in (
        ("dump",),
        ("dump", "--raw"),
        ("dump", "-w", "json", "--values"),
        ("verify",),
        ("verify", "-w", "json"),
    ):
        verb, *rest = words
        done = invoke("wal", verb, tmp_path, *rest)
        assert done.exit_code in {0, 1, 3, 10, 11}, (seed, words, done.stderr)
        assert "internal error" not in done.stderr, (seed, words, done.stderr)


@pytest.mark.parametrize("name", [name for name in samples.archives() if not name.startswith("damaged/")])
def test_the_entries_are_those_that_a_server_reads(name: str) -> None:
    segments = [segment for folder in samples.unpack(name).rglob("wal") for segment in read_segments(folder)]
    if not segments:
        return
    dump = dump_entries(segments)
    assert not [one for one in dump.damage if not one.is_tail]
    newest = max(index for index, _ in dump.snapshots)  # members that joined later have nothing before it
    log = scan(segments, after_index=newest)
    assert (dump.node_id, dump.cluster_id, dump.commit) == (log.node_id, log.cluster_id, log.hard_state.commit)
    assert [(one.index, one.term, one.type, bytes(one.data)) for one in dump.places if one.index > log.after_index] == [
        (entry.index, entry.term, entry.type, bytes(entry.data)) for entry in log.entries()
    ]
