"""Our check against the recorded verdicts of real tools, and against faults that they miss or die of."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.bbolt_files import numbered, set_meta, written

from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.check import FINDINGS_PER_CODE_MAX, check
from etcdtool.formats.bbolt.page import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from etcdtool.findings import Finding

DAMAGED = "damaged/snapshots"
GOOD = [name for name in samples.databases() if not name.startswith(DAMAGED)]


def damaged() -> list[tuple[str, dict[str, Any]]]:
    variants = samples.expected(DAMAGED)["variants"]
    there = {name.removeprefix(f"{DAMAGED}/") for name in samples.databases(DAMAGED)}
    return [(facts["file"], facts["tools"]) for facts in variants.values() if facts.get("file") in there]


def findings(data: bytes) -> list[Finding]:
    image = Image.open(memoryview(bytes(data)))
    found = list(check(image))
    assert found == list(check(image, engine="plain"))
    return found


def codes(data: bytes) -> set[str]:
    return {finding.code for finding in findings(data)}


def errors(data: bytes) -> list[Finding]:
    return [finding for finding in findings(data) if finding.severity is Severity.ERROR]


@pytest.mark.parametrize("name", GOOD)
def test_good_files_of_real_servers_have_no_finding(name: str) -> None:
    assert findings(samples.unpack(name).read_bytes()) == []


@pytest.mark.parametrize(("name", "tools"), damaged(), ids=[name for name, _ in damaged()])
def test_damaged_files_are_bad_where_a_real_tool_says_so(name: str, tools: dict[str, Any]) -> None:
    is_bad = any(tools[tool]["rc"] != 0 for tool in ("bbolt check", "etcdutl-3.7 snapshot status"))
    data = samples.unpack(f"{DAMAGED}/{name}").read_bytes()
    try:
        found = errors(data)
    except FormatError:
        assert is_bad
    else:
        assert bool(found) == is_bad, found


def test_each_error_of_the_real_check_is_found() -> None:
    said = samples.expected(DAMAGED)["variants"]["freelist-used-page"]["tools"]["bbolt check"]["stdout"].splitlines()
    assert said[-1] == "2 errors found"
    found = errors(samples.unpack(f"{DAMAGED}/freelist-used-page.db.gz").read_bytes())
    ours = [f"{finding.where.removesuffix(' of bucket key')}: {finding.detail}" for finding in found]
    assert ours == said[:-1]


def branch(data: bytes, name: bytes = b"b") -> tuple[int, int]:
    """Give offset and count of the root page of a bucket."""
    image = Image.open(memoryview(bytes(data)))
    page = image.page(cursor.root_buckets(image)[name].root)
    return page.offset, page.count


def header_of(data: bytes, name: bytes = b"b") -> int:
    image = Image.open(memoryview(bytes(data)))
    return cursor.root_buckets(image)[name].offset


def leaf(data: bytes, number: int = 0) -> int:
    image = Image.open(memoryview(bytes(data)))
    return int(columns.leaf_pages(image, cursor.root_buckets(image)[b"b"])[number]) * 1024


def second_key_first(data: bytearray) -> None:
    data[data.index(struct.pack(">Q", 7))] = 0xFF


def loop(data: bytearray) -> None:
    start, _ = branch(data)
    struct.pack_into("<Q", data, start + 24, start // 1024)


def child_twice(data: bytearray) -> None:
    start, _ = branch(data)
    data[start + 24 : start + 32] = data[start + 40 : start + 48]


def at_the_high_water_mark(data: bytearray) -> None:
    # upstream compares with > and reads past its end
    start, _ = branch(data)
    struct.pack_into("<Q", data, start + 24, len(data) // 1024)


def first_separator_too_high(data: bytearray) -> None:
    start, _ = branch(data)
    (pos,) = struct.unpack_from("<I", data, start + 16)
    data[start + 16 + pos + 7] += 1


def later_separator_too_low(data: bytearray) -> None:
    start, _ = branch(data)
    (pos,) = struct.unpack_from("<I", data, start + 32)
    data[start + 32 + pos + 7] -= 1


def wrong_id(data: bytearray) -> None:
    data[leaf(data, 1)] ^= 1


def wrong_type(data: bytearray) -> None:
    data[leaf(data, 1) + 8] = 3


def overflow_past_the_end(data: bytearray) -> None:
    struct.pack_into("<I", data, leaf(data, 1) + 12, 0xFFFFFFFF)


def overflow_into_the_next(data: bytearray) -> None:
    struct.pack_into("<I", data, leaf(data, 1) + 12, 1)


def too_many_elements(data: bytearray) -> None:
    struct.pack_into("<H", data, leaf(data, 1) + 10, 64)


def empty_branch(data: bytearray) -> None:
    struct.pack_into("<H", data, branch(data)[0] + 10, 0)


def element_leaves_the_page(data: bytearray) -> None:
    struct.pack_into("<I", data, leaf(data, 1) + 16 + 4, 0xFFFFFFF0)


def empty_key(data: bytearray) -> None:
    struct.pack_into("<I", data, leaf(data, 1) + 16 + 8, 0)


def unknown_flags(data: bytearray) -> None:
    data[leaf(data, 1) + 16] = 2


def a_pair_for_a_bucket(data: bytearray) -> None:
    image = Image.open(memoryview(bytes(data)))
    data[image.meta.root * 1024 + 16] = 0


def shared_by_two_buckets(data: bytearray) -> None:
    data[header_of(data) : header_of(data) + 8] = data[header_of(data, b"other") : header_of(data, b"other") + 8]


def root_out_of_bounds(data: bytearray) -> None:
    set_meta(data, 1024, root=1 << 63)


def no_root(data: bytearray) -> None:
    set_meta(data, 1024, root=0)


def freelist_is_a_leaf(data: bytearray) -> None:
    set_meta(data, 1024, freelist=leaf(data) // 1024)


def freelist_out_of_bounds(data: bytearray) -> None:
    set_meta(data, 1024, freelist=(1 << 64) - 2)


def with_freelist(data: bytearray, ids: list[int], *, extra_pages: int = 0) -> None:
    page = len(data) // 1024
    data += (struct.pack("<QHHI", page, 16, len(ids), 0) + struct.pack(f"<{len(ids)}Q", *ids)).ljust(1024, b"\0")
    data += bytes(1024 * extra_pages)
    set_meta(data, 1024, freelist=page, high_water_mark=len(data) // 1024)


def a_leaked_page(data: bytearray) -> None:
    with_freelist(data, [], extra_pages=3)


def a_free_page_in_use(data: bytearray) -> None:
    with_freelist(data, [leaf(data) // 1024])


def a_page_twice_free(data: bytearray) -> None:
    page = len(data) // 1024 + 1
    with_freelist(data, [page, page], extra_pages=1)


def free_page_out_of_bounds(data: bytearray) -> None:
    with_freelist(data, [0, (1 << 64) - 1])


def freelist_frees_itself(data: bytearray) -> None:
    with_freelist(data, [len(data) // 1024])


def freelist_longer_than_its_page(data: bytearray) -> None:
    with_freelist(data, [])
    struct.pack_into("<HIQ", data, len(data) - 1024 + 10, 0xFFFF, 0, 200)


def absurd_extended_freelist(data: bytearray) -> None:
    with_freelist(data, [])
    struct.pack_into("<HIQ", data, len(data) - 1024 + 10, 0xFFFF, 0, 1 << 63)


def second_meta_page_of_another_type(data: bytearray) -> None:
    data[1024 + 8] = 2


def nested_loop(data: bytearray) -> None:
    # the last pair of a leaf becomes a bucket whose root is that bucket's own root
    start = leaf(data, 1)
    (pos,) = struct.unpack_from("<I", data, start + 20)
    data[start + 16] = 1
    struct.pack_into("<QQ", data, start + 16 + pos + 8, branch(data)[0] // 1024, 0)


def inline_out_of_order(data: bytearray) -> None:
    data[data.index(b"ink2")] = 0


def inline_of_another_type(data: bytearray) -> None:
    data[header_of(data, b"inline") + 16 + 8] = 1


def inline_too_many(data: bytearray) -> None:
    data[header_of(data, b"inline") + 16 + 11] = 0x7F


def inline_nested(data: bytearray) -> None:
    data[header_of(data, b"inline") + 32] = 1


def header_too_short(data: bytearray) -> None:
    start = Image.open(memoryview(bytes(data))).meta.root * 1024
    struct.pack_into("<I", data, start + 16 + 12, 15)


FAULTS: list[tuple[Callable[[bytearray], None], str]] = [
    (second_key_first, "bbolt.key-order"),
    (loop, "bbolt.page-shared"),
    (child_twice, "bbolt.page-shared"),
    (at_the_high_water_mark, "bbolt.page-bounds"),
    (first_separator_too_high, "bbolt.key-order"),
    (later_separator_too_low, "bbolt.key-order"),
    (wrong_id, "bbolt.page-id"),
    (wrong_type, "bbolt.page-type"),
    (overflow_past_the_end, "bbolt.page-overflow"),
    (overflow_into_the_next, "bbolt.page-shared"),
    (too_many_elements, "bbolt.page-count"),
    (empty_branch, "bbolt.page-count"),
    (element_leaves_the_page, "bbolt.element-bounds"),
    (empty_key, "bbolt.key-empty"),
    (unknown_flags, "bbolt.element-flags"),
    (a_pair_for_a_bucket, "bbolt.root-item"),
    (shared_by_two_buckets, "bbolt.page-shared"),
    (root_out_of_bounds, "bbolt.page-bounds"),
    (no_root, "bbolt.page-bounds"),
    (freelist_is_a_leaf, "bbolt.freelist-type"),
    (freelist_out_of_bounds, "bbolt.page-bounds"),
    (a_leaked_page, "bbolt.page-leaked"),
    (a_free_page_in_use, "bbolt.page-freed"),
    (a_page_twice_free, "bbolt.freelist-twice"),
    (free_page_out_of_bounds, "bbolt.freelist-bounds"),
    (freelist_frees_itself, "bbolt.page-freed"),
    (freelist_longer_than_its_page, "bbolt.freelist-count"),
    (absurd_extended_freelist, "bbolt.freelist-count"),
    (second_meta_page_of_another_type, "bbolt.page-type"),
    (nested_loop, "bbolt.page-shared"),
    (inline_out_of_order, "bbolt.key-order"),
    (inline_of_another_type, "bbolt.page-type"),
    (inline_too_many, "bbolt.page-count"),
    (inline_nested, "bbolt.inline-nested"),
    (header_too_short, "bbolt.bucket-header"),
]


def victim() -> bytearray:
    return written({b"b": numbered(200), b"inline": [(b"ink1", b""), (b"ink2", b"v")], b"other": numbered(90)})


def test_the_victim_is_good() -> None:
    assert findings(victim()) == []


@pytest.mark.parametrize(("harm", "code"), FAULTS, ids=[harm.__name__ for harm, _ in FAULTS])
def test_a_fault_is_an_error_with_its_code(harm: Callable[[bytearray], None], code: str) -> None:
    data = victim()
    harm(data)
    found = errors(data)
    assert code in {finding.code for finding in found}, [str(finding) for finding in found]
    assert all(finding.offset is None or 0 <= finding.offset <= len(data) for finding in found)


def test_leaked_pages_are_told_as_one_run() -> None:
    data = victim()
    a_leaked_page(data)
    last = len(data) // 1024 - 1
    assert [finding.where for finding in errors(data)] == [f"pages {last - 2} to {last}"]


def test_a_free_overflow_page_of_a_large_bucket_is_an_error() -> None:
    data = written({b"b": [*numbered(200), (b"\x01", bytes(5000))]})
    first = leaf(data, -1) // 1024
    with_freelist(data, [first + 2])
    assert [(finding.code, finding.where) for finding in errors(data)] == [
        ("bbolt.page-freed", f"page {first + 2} of bucket b")
    ]


@pytest.mark.parametrize("place", ["leaf", "branch", "inline"])
def test_a_size_that_shrank_leaves_a_gap(place: str) -> None:
    data = victim()
    sizes = {
        "leaf": leaf(data, 1) + 16 + 12,
        "branch": branch(data)[0] + 16 + 4,
        "inline": header_of(data, b"inline") + 40,
    }
    data[sizes[place]] -= 1
    assert "bbolt.element-gap" in codes(data)


def test_a_persisted_freelist_is_good_when_all_adds_up() -> None:
    data = victim()
    page = len(data) // 1024
    with_freelist(data, [page + 1, page + 2], extra_pages=2)
    assert findings(data) == []


def test_a_bad_older_meta_is_a_warning() -> None:
    data = victim()
    data[1024 + 20] ^= 1
    found = findings(data)
    assert [(finding.code, finding.severity) for finding in found] == [("bbolt.meta-invalid", Severity.WARNING)]


def test_what_is_missing_of_a_partial_file_is_an_error() -> None:
    data = victim()
    image = Image.open(memoryview(bytes(data[:-2000])), partial=True)
    assert "bbolt.file-short" in {finding.code for finding in check(image)}


def test_findings_are_limited_and_the_rest_is_counted() -> None:
    count = 3 * FINDINGS_PER_CODE_MAX
    data = written({b"b": [(b"key%05d" % number, b"") for number in range(count)]}, page_size=1 << 17)
    start = data.index(b"key00000")
    data[start : start + 8 * count] = b"key00000" * count
    found = errors(data)
    assert len(found) == FINDINGS_PER_CODE_MAX + 1
    assert "more findings like this" in found[-1].detail


def test_a_bucket_with_pages_has_nothing_behind_its_header() -> None:
    data = written({b"b": [(b"k", b"v")], b"large": numbered(200)}, page_size=1024)
    image = Image.open(memoryview(bytes(data)))
    bucket = cursor.root_buckets(image)[b"b"]
    struct.pack_into("<Q", data, bucket.offset, cursor.root_buckets(image)[b"large"].root)
    assert "bbolt.bucket-header" in codes(data)


@pytest.mark.parametrize("count", [0, 1])
def test_elements_hidden_at_the_end_of_an_inline_bucket_are_found(count: int) -> None:
    data = written({b"b": [(b"k", b"v"), (b"l", b"w")]}, page_size=1024)
    bucket = cursor.root_buckets(Image.open(memoryview(bytes(data))))[b"b"]
    struct.pack_into("<H", data, bucket.offset + 16 + 10, count)
    assert "bbolt.inline-size" in codes(data)
