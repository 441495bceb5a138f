"""``get`` by columns, by the plain twin, and by carrying a history out on a dictionary: one answer for any request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from support.histories import KEYS, Entry, compacted, file_of, histories, newest

from etcdtool.errors import EtcdtoolError
from etcdtool.model.key_range import KeyRange
from etcdtool.operations.get import get
from etcdtool.operations.range_request import RangeRequest, SortOrder, SortTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etcdtool.model.keyvalue import KeyValue

RANGES = (
    st.builds(KeyRange.of, KEYS)
    | st.builds(KeyRange.of, KEYS, KEYS)
    | st.builds(KeyRange.prefix, st.sampled_from([b"", b"/", b"/a/", b"k"]))
    | st.builds(KeyRange.from_key, KEYS)
)
BOUNDS = st.sampled_from([0, 0, 0, 3, 9, 20])
REQUESTS = st.builds(
    RangeRequest,
    keys=RANGES,
    revision=st.integers(0, 40),
    limit=st.integers(-1, 4),
    order=st.sampled_from(SortOrder),
    sort_by=st.sampled_from(SortTarget),
    keys_only=st.booleans(),
    count_only=st.booleans(),
    mod_revision_min=BOUNDS,
    mod_revision_max=BOUNDS,
    create_revision_min=BOUNDS,
    create_revision_max=BOUNDS,
)


def answer_of(file: Any, request: RangeRequest, engine: Any) -> Any:
    try:
        answer = get(file.image, request, engine=engine)
    except EtcdtoolError as error:
        return error.message
    return answer.revision, answer.count, answer.more, list(answer)


def by_hand(entries: Sequence[Entry], request: RangeRequest, compact: int) -> Any:
    """Do what a server does, on a dictionary."""
    head = newest(entries)
    revision = request.revision or head
    if revision > head:
        return "etcdserver: mvcc: required revision is a future revision"
    if revision < compact:
        return "etcdserver: mvcc: required revision has been compacted"
    alive: dict[bytes, Entry] = {}
    for entry in entries:
        if entry.main <= revision:
            alive[entry.key] = entry
    found = [one for key, one in sorted(alive.items()) if one.value is not None and key in request.keys]
    count = len(found)
    if request.count_only:
        return head, count, False, []
    bounds = (request.mod_revision_min, request.create_revision_min, request.mod_revision_max or 99, 99)
    by_key = request.order is SortOrder.NONE or (request.sort_by, request.order) == (SortTarget.KEY, SortOrder.ASCEND)
    filtered = any(bounds[:2]) or request.mod_revision_max or request.create_revision_max
    if request.limit > 0 and by_key and not filtered:
        found = found[: request.limit + 1]
    # the histories create every key anew: the revision it was made at is that of its last change
    low, high = max(bounds[:2]), min(request.mod_revision_max or 99, request.create_revision_max or 99)
    found = [one for one in found if low <= one.main <= high]
    number = {SortTarget.KEY: lambda one: one.key, SortTarget.VALUE: lambda one: one.value}
    found.sort(
        key=number.get(request.sort_by, lambda one: 1 if request.sort_by is SortTarget.VERSION else one.main),
        reverse=request.order is SortOrder.DESCEND,
    )
    more = 0 < request.limit < len(found)
    if more:
        found = found[: request.limit]
    return head, count, more, [(one.key, b"" if request.keys_only else one.value, one.main) for one in found]


def plain(record: KeyValue) -> tuple[bytes, bytes, int]:
    assert (record.create_revision, record.version, record.lease) == (record.mod_revision, 1, 7)
    return record.key, record.value, record.mod_revision


@given(histories(), REQUESTS, st.data())
def test_an_answer_is_that_of_a_dictionary(entries: list[Entry], request: RangeRequest, data: st.DataObject) -> None:
    compact = data.draw(st.integers(0, newest(entries)))
    expected = by_hand(entries, request, compact)
    marks = {"scheduled": compact, "finished": compact} if compact else {}
    kept = compacted(entries, compact) if compact else entries
    for file in (file_of(kept, **marks), file_of(entries, **({"scheduled": compact} if compact else {}))):
        for engine in ("columns", "plain"):
            found = answer_of(file, request, engine)
            if isinstance(found, tuple):
                found = (*found[:3], [plain(record) for record in found[3]])
            assert found == expected


@given(histories(odd=True), REQUESTS)
def test_both_engines_give_one_answer_however_odd(entries: list[Entry], request: RangeRequest) -> None:
    file = file_of(entries)
    assert answer_of(file, request, "columns") == answer_of(file, request, "plain")


@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"/a", b"/a\0", b"/a\0\0", b"/a" * 150, b""]), max_size=20))
def test_keys_are_ordered_as_their_bytes_are(names: list[bytes]) -> None:
    file = file_of([Entry(main, 0, name, b"") for main, name in enumerate(names, start=2)])
    found = get(file.image, RangeRequest(keys=KeyRange.everything()))
    assert [record.key for record in found] == sorted({name for name in names if name})
