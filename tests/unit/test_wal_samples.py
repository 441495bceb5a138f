"""WALs that real servers wrote, compared with what those servers answered."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from support import samples
from support.wal_files import frame_offsets, read_segments, with_bytes

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.findings import Severity
from etcdtool.formats import snap, wal
from etcdtool.formats.wire import etcdserver_pb2


def scan_sample(name: str, after_index: int = 0) -> wal.Scan:
    segments = read_segments(samples.unpack(name) / "member" / "wal")
    return wal.scan(wal.select(segments, after_index), after_index=after_index)


def raft_indexes(answers: Any) -> list[int]:
    """Collect every applied index that a server named in its answers."""
    if isinstance(answers, dict):
        own = [int(answers[key]) for key in ("X-Raft-Index", "raftIndex") if key in answers]
        return own + [index for value in answers.values() for index in raft_indexes(value)]
    return [index for value in answers for index in raft_indexes(value)] if isinstance(answers, list) else []


@pytest.mark.parametrize("version", ["2.3", "3.2", "3.4"])
def test_each_entry_is_what_the_client_sent_when_the_server_named_its_index(version: str) -> None:
    result = scan_sample(f"v2-rich/{version}/data-clean.tar.gz")
    compared = 0
    for operation in samples.load(f"v2-rich/{version}/ops.json.gz"):
        form = operation.get("form") or {}
        if operation["method"] != "PUT" or "value" not in form or operation["status"] not in (200, 201):
            continue
        if form["value"].startswith("<BIG"):  # left out of the recording
            continue
        index = int(operation["headers"]["X-Raft-Index"])
        request = etcdserver_pb2.Request.FromString(result.entry_data(index).tobytes())
        assert request.Method == b"PUT"
        assert request.Path.decode() == "/1" + operation["response"]["node"]["key"]
        assert request.Val.decode() == form["value"]
        compared += 1
    assert compared > 400


@pytest.mark.parametrize("version", ["2.3", "3.2", "3.4"])
@pytest.mark.parametrize("state", ["clean", "killed"])
def test_the_log_ends_where_the_server_stopped(version: str, state: str) -> None:
    result = scan_sample(f"v2-rich/{version}/data-{state}.tar.gz")
    answered = samples.expected(f"v2-rich/{version}")[state]
    last_answered = max(raft_indexes(answered["live"]) + raft_indexes(answered.get("endpoint_status", {})))
    assert result.last_index - last_answered in (0, 1)
    assert result.hard_state.commit == result.last_index
    cluster_id = answered["live"]["keys"]["headers"]["X-Etcd-Cluster-Id"]
    assert f"{result.cluster_id:x}" == cluster_id
    assert not result.findings


def test_endpoint_status_of_3_4_names_the_last_index() -> None:
    answered = samples.expected("v2-rich/3.4")["clean"]["endpoint_status"]
    assert scan_sample("v2-rich/3.4/data-clean.tar.gz").last_index == max(raft_indexes(answered))


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_a_v3_log_ends_at_the_raft_index_of_the_last_status(version: str) -> None:
    status = samples.expected(f"v3-extra/{version}")["status"]
    assert scan_sample(f"v3-extra/{version}/data.tar.gz").last_index == int(status["raftIndex"])


@pytest.mark.parametrize("version", ["2.3", "3.4"])
def test_a_member_without_a_snap_file(version: str) -> None:
    result = scan_sample(f"v2-only-wal/{version}/data.tar.gz")
    for operation in samples.expected(f"v2-only-wal/{version}")["ops"]:
        form = operation.get("form") or {}
        if operation["method"] == "PUT" and "value" in form:
            index = int(operation["headers"]["X-Raft-Index"])
            assert etcdserver_pb2.Request.FromString(result.entry_data(index).tobytes()).Val.decode() == form["value"]
    assert [(record.index, record.term, record.conf_state) for record in result.snapshots] == [(0, 0, None)]


def test_three_segments_hold_every_large_value() -> None:
    result = scan_sample("v2-multiwal/3.4/data.tar.gz")
    assert len(result.segments) == 3
    assert [segment.first_index for segment in result.segments] == [0, 0x46, 0x86]
    by_index = {number: result.segments[number].first_index for number in set(result.segment_numbers)}
    for row, number in enumerate(result.segment_numbers):
        assert by_index[number] <= row + 1
    served = samples.expected("v2-multiwal/3.4")["live"]["keys"]["response"]["node"]["nodes"]
    hashes = {
        node["key"]: node["value_sha256"] for top in served for node in top.get("nodes", []) if "value_sha256" in node
    }
    written = {}
    for entry in result.entries():
        if entry.type == 0 and b"/1/big/" in entry.data[:80].tobytes():
            request = etcdserver_pb2.Request.FromString(entry.data.tobytes())
            written[request.Path.decode().removeprefix("/1")] = hashlib.sha256(request.Val).hexdigest()
    assert hashes
    assert hashes.items() <= written.items()


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in samples.archives()
        if not name.startswith("damaged/") and not name.startswith("v2-multiwal/") and "k8s" not in name
    ],
)
def test_every_member_goes_on_from_each_of_its_snap_files(name: str) -> None:
    member = samples.unpack(name) / "member"
    segments = read_segments(member / "wal")
    for path in sorted((member / "snap").glob("*.snap")):
        file = snap.parse_snap_file(memoryview(path.read_bytes()))
        assert snap.parse_snap_name(path.name) == (file.term, file.index)
        assert snap.snap_name(file.term, file.index) == path.name
        if segments:
            result = wal.scan(wal.select(segments, file.index), after_index=file.index, after_term=file.term)
            assert result.last_index >= file.index
            assert not result.findings
            assert (file.index, file.term) in [(record.index, record.term) for record in result.valid_snapshots()]


class TestDamage:
    """The damaged dirs that real programs were tried on; those not in samples/ are made again and told by sha256."""

    NAME = "0000000000000000-0000000000000000.wal"

    @pytest.fixture
    def good(self) -> wal.Segment:
        return read_segments(samples.unpack("damaged/dirs/good.tar.gz") / "member" / "wal")[0]

    def variant(self, name: str) -> dict[str, Any]:
        variants: dict[str, Any] = samples.expected("damaged/dirs")["variants"]
        return variants[name]

    def damaged(self, good: wal.Segment, name: str, offset: int, data: bytes) -> wal.Segment:
        """Write bytes into the good file and prove that the real programs saw exactly this."""
        image = bytearray(good.data)
        image[offset : offset + len(data)] = data
        files = self.variant(name)["files"]
        recorded = next(file["sha256"] for file in files if file["path"].endswith(".wal"))
        assert hashlib.sha256(image).hexdigest() == recorded, name
        return with_bytes(good, bytes(image))

    def test_good_ends_where_it_was_measured(self, good: wal.Segment) -> None:
        base = samples.expected("damaged/dirs")["base_wal"]
        result = wal.scan([good])
        assert result.end_offset == base["end_of_data"]
        assert len(frame_offsets(good)) - 1 == base["records"]
        assert not result.findings

    def test_a_flipped_bit_in_the_middle(self) -> None:
        with pytest.raises(ChecksumError) as caught:
            scan_sample("damaged/dirs/wal-flip-middle.tar.gz")
        assert caught.value.where == self.NAME
        assert caught.value.offset is not None
        assert caught.value.offset <= 5540 < caught.value.offset + 100
        assert caught.value.stored != caught.value.computed

    def test_a_length_field_hit_after_the_newest_snap(self) -> None:
        with pytest.raises(FormatError, match="length field says 331 bytes, and the record in it has 75") as caught:
            scan_sample("damaged/dirs/wal-length-tail-256.tar.gz", after_index=105)
        assert caught.value.offset == 0x2E40

    def test_a_length_field_that_made_3_4_lose_committed_keys(self, good: wal.Segment) -> None:
        length = int.from_bytes(good.data[0x2E40:0x2E48], "little")
        for name, field in (("wal-length-tail-1M", length + (1 << 20)), ("wal-length-tail-zero", 0)):
            lost = self.variant(name)["server"]
            assert lost["started"]
            assert lost["v2_missing"]
            segment = self.damaged(good, name, 0x2E40, field.to_bytes(8, "little"))
            with pytest.raises(FormatError, match="length field") as caught:
                wal.scan([segment], after_index=105)
            assert caught.value.offset == 0x2E40

    def test_a_length_field_past_the_end_of_the_file(self, good: wal.Segment) -> None:
        length = int.from_bytes(good.data[0x2E40:0x2E48], "little") + (1 << 30)
        segment = self.damaged(good, "wal-length-tail-1G", 0x2E40, length.to_bytes(8, "little"))
        with pytest.raises(FormatError, match="has 75"):
            wal.scan([segment], after_index=105)

    def test_a_torn_sector_loses_what_the_real_server_lost_and_says_so(self, good: wal.Segment) -> None:
        server = self.variant("wal-torn-sector")["server"]
        assert server["v2_missing"] == ["/tail/large"]
        segment = self.damaged(good, "wal-torn-sector", 13824, bytes(len(good.data) - 13824))
        result = wal.scan([segment], after_index=105)
        assert [(finding.code, finding.offset) for finding in result.findings] == [("wal.torn-tail", 12464)]
        # a restarted sole member adds its election, its name and the quorum read to what it found
        raft_index = int(server["v2"]["headers"]["X-Raft-Index"])
        good_raft_index = int(self.variant("good")["server"]["v2"]["headers"]["X-Raft-Index"])
        assert raft_index - result.last_index == good_raft_index - wal.scan([good]).last_index

    def test_a_half_zeroed_record_within_one_sector_is_no_torn_write(self, good: wal.Segment) -> None:
        assert not self.variant("wal-torn-last")["server"]["started"]
        last = samples.expected("damaged/dirs")["base_wal"]["last_frame_at"]
        end = samples.expected("damaged/dirs")["base_wal"]["end_of_data"]
        middle = last + 8 + (end - last - 8) // 2
        with pytest.raises(ChecksumError):
            wal.scan([with_bytes(good, bytes(good.data[:middle]) + bytes(1000))])

    def test_a_file_cut_in_its_last_record_starts_as_the_real_server_does(self) -> None:
        assert self.variant("wal-cut-last")["server"]["v2_same_as_base"]
        result = scan_sample("damaged/dirs/wal-cut-last.tar.gz", after_index=105)
        assert result.last_index == 114
        assert [(finding.code, finding.severity) for finding in result.findings] == [
            ("wal.torn-tail", Severity.WARNING)
        ]
        assert result.torn_bytes == 19260 - 19240

    def test_a_cut_between_records_is_no_damage(self, good: wal.Segment) -> None:
        assert self.variant("wal-cut-clean")["server"]["v2_same_as_base"]
        end = samples.expected("damaged/dirs")["base_wal"]["end_of_data"]
        result = wal.scan([with_bytes(good, bytes(good.data[:end]))])
        assert (result.last_index, result.findings) == (114, [])

    def test_an_empty_file(self) -> None:
        assert not self.variant("wal-empty")["server"]["started"]
        with pytest.raises(FormatError, match=r"holds no record \(0 bytes\)"):
            scan_sample("damaged/dirs/wal-empty.tar.gz")
