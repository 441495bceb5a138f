"""``hashkv`` against what etcdutl 3.7 and restarted servers said of the same data, and what it says beyond them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.bbolt_files import written
from support.cli import invoke

from etcdtool.errors import FormatError
from etcdtool.formats.digest import crc32c
from etcdtool.model.key_groups import group_of
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import pack_revision
from etcdtool.operations.hashkv import RevisionError, hashkv, hashkv_detailed
from etcdtool.operations.hashkv_compare import Change, compare
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from etcdtool.formats.engine import Engine

ENGINES: tuple[Engine, ...] = ("columns", "plain")
ETCDUTL = "etcdutl-3.7"
EMPTY_HASH = 1084519789  # of the word "key" alone, as etcdutl prints it for an empty store
COMPACTED = "mvcc: required revision has been compacted"
FUTURE = "mvcc: required revision is a future revision"

Answer = tuple[int, int, int] | str


def runs(document: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield every recorded run of a hashkv with the way to it."""
    if isinstance(document, dict):
        if "hashkv" in document.get("argv", ()):
            yield path, document
            return
        for name, inner in document.items():
            yield from runs(inner, (*path, name))


def answer_of(run: dict[str, Any]) -> Answer:
    if not run.get("json"):
        return next(words for words in (COMPACTED, FUTURE) if words.split(": ")[1] in run["stderr"])
    if isinstance(run["json"], dict):
        return tuple(run["json"].values())
    reply = run["json"][0]["HashKV"]
    # servers before 3.6 do not say at which revision they hashed
    revision = reply.get("hash_revision") or asked_revision(run) or reply["header"]["revision"]
    return reply["hash"], revision, reply["compact_revision"]


def asked_revision(run: dict[str, Any]) -> int:
    words = run["argv"]
    return int(words[words.index("--rev") + 1]) if "--rev" in words else 0


def file_of(folder: str, path: tuple[str, ...]) -> str | None:
    """Say which sample a run was about; None where it is not there, or the answer came out of a server's cache."""
    known = {
        "offline_member_db": "data.tar.gz",
        "restored_dir": "restored.tar.gz",
        "restored_bumped_dir": "restored-bumped.tar.gz",
    }
    top = path[1] if path[0] == "per_member" else path[0]
    if "live" in path or path[0] == "endpoint_hashkv" or path[2:3] == ("hashkv",):
        return None
    if path[0] == "restore":
        name = "restored-bumped.tar.gz" if "--bump-revision" in path[1] else "snapshot.db.gz"
    elif path[0] == "per_member":
        name = f"snapshot-{top}.db.gz"
    else:
        name = known.get(top, "snapshot.db.gz" if top.startswith("offline") else f"{top}.db.gz")
    return f"{folder}/{name}" if samples.packed(f"{folder}/{name}").exists() else None


def recorded() -> dict[tuple[str, int], dict[Answer, str]]:
    """Give what was said of each file at each revision, and by whom."""
    found: dict[tuple[str, int], dict[Answer, str]] = {}
    for path in sorted(samples.SAMPLES_DIR.rglob("expected.json")):
        folder = str(path.parent.relative_to(samples.SAMPLES_DIR))
        if folder.startswith("damaged"):
            continue
        for where, run in runs(samples.expected(folder)):
            by_etcdutl, by_server = run["argv"][0] == ETCDUTL, "endpoint" in run["argv"]
            name = file_of(folder, where) if by_etcdutl or by_server else None
            if name is not None:
                answers = found.setdefault((name, asked_revision(run)), {})
                answers[answer_of(run)] = f"{answers.get(answer_of(run), '')} {' '.join(where)}"
    return found


RECORDED = recorded()


def hashed(name: str, revision: int, engine: Engine) -> Answer:
    with open_database(samples.unpack(name)) as database:
        try:
            found = hashkv(database, revision, engine=engine)
        except RevisionError as error:
            return error.message
    return found.hash, found.hash_revision, found.compact_revision


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "revision"), RECORDED)
def test_every_recorded_answer(name: str, revision: int, engine: Engine) -> None:
    assert {hashed(name, revision, engine)} == RECORDED[name, revision].keys()


def test_the_recorded_answers_are_of_every_kind() -> None:
    assert {name.split("/")[0] for name, _ in RECORDED} == {
        "v3",
        "v3-cluster",
        "v3-edge",
        "v3-extra",
        "k8s",
        "k8s-objects",
    }
    assert {answer for answers in RECORDED.values() for answer in answers} >= {COMPACTED, FUTURE}
    where = " ".join(where for answers in RECORDED.values() for where in answers.values())
    assert all(words in where for words in ("after_restart", "restored_bumped_dir", "per_member", "before-defrag"))
    assert len(RECORDED) > 80


@pytest.mark.parametrize("version", ["3.4", "3.5", "3.6", "3.7"])
def test_a_running_server_says_the_same_where_it_has_nothing_cached(version: str) -> None:
    answers = samples.expected(f"v3/{version}")["live"]
    compacted = answers["revisions"]["compact"]
    for run in answers["endpoint_hashkv"].values():
        if run["rc"] == 0 and asked_revision(run) != compacted:
            assert hashed(f"v3/{version}/snapshot.db.gz", asked_revision(run), "columns") == answer_of(run)


DAMAGED = {
    variant: facts["tools"][f"{ETCDUTL} hashkv"]
    for variant, facts in samples.expected("damaged/snapshots")["variants"].items()
    if samples.packed(f"damaged/snapshots/{variant}.db.gz").exists()
}
# the real one does not start on these, though the whole history can be read
READABLE = {"branch-key-bit", "freelist-flags"}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("variant", DAMAGED)
def test_a_damaged_file_gets_etcdutl_s_answer_or_an_error(variant: str, engine: Engine) -> None:
    name, run = f"damaged/snapshots/{variant}.db.gz", DAMAGED[variant]
    if run["rc"] == 0:
        assert hashed(name, 0, engine) == answer_of(run)
    elif variant.removesuffix("+sealed") in READABLE:
        assert hashed(name, 0, engine)[1:] == (1683, 1495)
    else:
        with pytest.raises(FormatError):
            hashed(name, 0, engine)


def test_every_form_is_etcdutl_s() -> None:
    path = samples.unpack("v3/3.7/snapshot.db.gz")
    assert invoke("hashkv", path).stdout == "1128763068, 1683, 1495\n"
    assert invoke("hashkv", path, "--rev", 1641, "-w", "json").stdout == (
        '{"hash":363735444,"hashRevision":1641,"compactRevision":1495}\n'
    )
    assert invoke("hashkv", path, "-w", "fields").stdout == (
        '"Hash" : 1128763068\n"Hash revision" : 1683\n"Compact revision" : 1495\n'
    )
    table = invoke("hashkv", path, "-w", "table").stdout.splitlines()
    assert [line.replace(" ", "") for line in table[1::2]] == [
        "│HASH│HASHREVISION│COMPACTREVISION│",
        "│1128763068│1683│1495│",
    ]


@pytest.mark.parametrize(("revision", "words"), [(1494, COMPACTED), (1684, FUTURE)])
def test_what_is_not_there_is_refused_in_the_server_s_words(revision: int, words: str) -> None:
    done = invoke("hashkv", samples.unpack("v3/3.7/snapshot.db.gz"), "--rev", revision)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {words}. The ")


@pytest.mark.parametrize("words", [[], ["--rev", "x"], ["--rev", str(1 << 63)], ["--rev"], ["--no-such-flag"]])
def test_words_that_are_off_end_with_1_as_etcdutl_s(words: list[str]) -> None:
    done = invoke("hashkv", *words, *([samples.unpack("v3/3.7/snapshot.db.gz")] if words else []))
    assert (done.exit_code, done.stdout) == (1, "")


def test_an_unknown_form_ends_with_4_as_etcdutl_s() -> None:
    assert invoke("hashkv", samples.unpack("v3/3.7/snapshot.db.gz"), "-w", "yaml").exit_code == 4


def test_a_negative_revision_hashes_nothing_as_upstream_has_it() -> None:
    assert (
        invoke("hashkv", samples.unpack("v3/3.7/snapshot.db.gz"), "--rev", "-3").stdout == f"{EMPTY_HASH}, -3, 1495\n"
    )
    assert invoke("hashkv", samples.unpack("k8s/3.6/snapshot.db.gz"), "--rev", "-1").stdout == f"{EMPTY_HASH}, -1, -1\n"


def test_nothing_at_all_is_no_empty_store(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    done = invoke("hashkv", tmp_path / "empty.db")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "empty" in done.stderr


def test_the_file_stays_as_it_is(tmp_path: Path) -> None:
    path = samples.fresh("v3/3.7/snapshot.db.gz", tmp_path)
    other = samples.unpack("v3/3.6/snapshot.db.gz")
    before = samples.hashes(tmp_path)
    for words in ([], ["--from", "1500", "--by-prefix", "1"], [other]):
        assert invoke("hashkv", path, *words).exit_code == 0
    assert samples.hashes(tmp_path) == before


def test_a_compressed_file_and_a_data_dir_are_read_too() -> None:
    expected = "1128763068, 1683, 1495\n"
    assert invoke("hashkv", samples.packed("v3/3.7/snapshot.db.gz")).stdout == expected
    assert invoke("hashkv", samples.unpack("v3/3.7/data.tar.gz")).stdout == expected


# a small history: key -> value, None for a deletion, "" for the mark of restore --bump-revision
HISTORY: list[tuple[int, int, bytes, bytes | None]] = [
    (2, 0, b"/a/x", b"1"),
    (3, 0, b"/a/x", b"2"),
    (4, 0, b"/a/y", b"3"),
    (5, 0, b"/b/x", b"4"),
    (6, 0, b"/a/y", None),
    (7, 0, b"/b/x", None),
    (7, 1, b"/c", b"5"),
    (8, 0, b"/a/x", b"6"),
    (9, 0, b"/c", None),
]


def pair(main: int, sub: int, key: bytes, value: bytes | None) -> tuple[bytes, bytes]:
    if value is None:
        return pack_revision(main, sub) + b"t", encode_key_value(key, 0, 0, 0, b"")
    return pack_revision(main, sub), encode_key_value(key, main, main, 1, value)


def store(path: Path, history: list[tuple[int, int, bytes, bytes | None]], **marks: int) -> Path:
    """Write a database with these entries, and marks of compaction in bucket meta."""
    names = {"finished": b"finishedCompactRev", "scheduled": b"scheduledCompactRev"}
    meta = sorted((names[name], pack_revision(revision)) for name, revision in marks.items())
    path.write_bytes(written({b"key": [pair(*change) for change in history], b"meta": meta}))
    return path


def hash_of(*changes: tuple[int, int, bytes, bytes | None]) -> int:
    checksum = crc32c(b"key", 0)
    for change in changes:
        for part in pair(*change):
            checksum = crc32c(part, checksum)
    return checksum


def found(path: Path, revision: int, engine: Engine) -> int:
    with open_database(path) as database:
        return hashkv(database, revision, engine=engine).hash


@pytest.mark.parametrize("engine", ENGINES)
def test_a_compaction_that_was_not_finished_counts_as_carried_out(tmp_path: Path, engine: Engine) -> None:
    pending = store(tmp_path / "pending.db", HISTORY, finished=2, scheduled=7)
    kept = [change for change in HISTORY if change[0] > 7 or change in {HISTORY[1], HISTORY[6]}]
    finished = store(tmp_path / "finished.db", kept, finished=7, scheduled=7)
    for revision in (7, 8, 9):
        assert found(pending, revision, engine) == found(finished, revision, engine)
    assert found(pending, 7, engine) == hash_of(HISTORY[1], HISTORY[6])
    assert found(pending, 8, engine) == hash_of(HISTORY[6], HISTORY[7])
    with pytest.raises(RevisionError, match="compacted"):
        found(pending, 6, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_tombstone_at_the_compact_revision_is_not_hashed(tmp_path: Path, engine: Engine) -> None:
    # 3.4.33 and 3.5.15 delete it, later versions keep it
    kept = store(tmp_path / "kept.db", [HISTORY[1], HISTORY[5], HISTORY[6], HISTORY[7]], finished=7, scheduled=7)
    gone = store(tmp_path / "gone.db", [HISTORY[1], HISTORY[6], HISTORY[7]], finished=7, scheduled=7)
    for revision in (7, 8):
        assert found(kept, revision, engine) == found(gone, revision, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_where_no_key_is_left_leftovers_are_hashed_as_upstream_does(tmp_path: Path, engine: Engine) -> None:
    deleted = [HISTORY[0], (3, 0, b"/a/x", None), (4, 0, b"/b", b"v"), (5, 0, b"/b", None)]
    # finished, yet there: nothing is kept, and upstream filters by nothing then, but for the tombstone at 3
    left = store(tmp_path / "left.db", deleted, finished=3, scheduled=3)
    assert found(left, 5, engine) == hash_of(deleted[0], deleted[2], deleted[3])
    pending = store(tmp_path / "pending.db", deleted, scheduled=3)
    assert found(pending, 5, engine) == hash_of(deleted[2], deleted[3])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_without_buckets_is_empty(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "none.db"
    path.write_bytes(written({b"lease": []}))
    with open_database(path) as database:
        answer = hashkv(database, engine=engine)
    assert (answer.hash, answer.hash_revision, answer.compact_revision) == (EMPTY_HASH, 1, -1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "keys",
    [
        [pack_revision(3), pack_revision(2)],
        [pack_revision(3), pack_revision(3) + b"t"],
        [b"short"],
        [pack_revision((1 << 63) - 1)],
        [b"\xff" + pack_revision(3)[1:]],
    ],
)
def test_revisions_that_no_server_loads_are_refused(keys: list[bytes], tmp_path: Path, engine: Engine) -> None:
    data = written({b"key": sorted((key, encode_key_value(b"k", 1, 1, 1, b"")) for key in keys)})
    if keys == sorted(keys, reverse=True) and len(keys) == 2:
        low, high = sorted(keys)
        data = data.replace(low, b"?" * 17).replace(high, low).replace(b"?" * 17, high)
    (tmp_path / "odd.db").write_bytes(data)
    with pytest.raises(FormatError) as caught:
        found(tmp_path / "odd.db", 0, engine)
    assert caught.value.offset is not None


@pytest.mark.parametrize("engine", ENGINES)
def test_a_range_above_the_compact_revision_does_not_depend_on_it(tmp_path: Path, engine: Engine) -> None:
    whole = store(tmp_path / "whole.db", HISTORY)
    compacted = store(tmp_path / "compacted.db", HISTORY, scheduled=6)
    for path in (whole, compacted):
        with open_database(path) as database:
            answer = hashkv_detailed(database, 8, from_revision=7, engine=engine)
            assert (answer.hash, answer.from_revision) == (hash_of(*HISTORY[5:8]), 7)
            assert hashkv_detailed(database, 8, from_revision=1, engine=engine).hash == found(path, 8, engine)
    assert invoke("hashkv", whole, "--from", 7, "--to", 8).stdout == f"{hash_of(*HISTORY[5:8])}, 8, -1, 7\n"
    done = invoke("hashkv", whole, "--from", 8, "--to", 7)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "ends at 7" in done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_groups_have_the_hashes_of_stores_that_hold_nothing_else(tmp_path: Path, engine: Engine) -> None:
    with open_database(store(tmp_path / "all.db", HISTORY)) as database:
        groups = hashkv_detailed(database, depth=1, engine=engine).groups
    assert {group.prefix: (group.hash, group.revisions, group.last_revision) for group in groups} == {
        prefix: (hash_of(*changes), len(changes), changes[-1][0])
        for prefix in (b"/", b"/a/", b"/b/")
        for changes in [[change for change in HISTORY if group_of(change[2], 1) == prefix]]
    }
    document = json.loads(invoke("hashkv", tmp_path / "all.db", "--by-prefix", 1, "-w", "json").stdout)
    assert [group["prefix"] for group in document["groups"]] == ["/", "/a/", "/b/"]


@pytest.mark.parametrize(
    ("key", "depth", "group"),
    [
        (b"/registry/pods/default/a", 2, b"/registry/pods/"),
        (b"registry/pods/default/a", 2, b"registry/pods/"),
        (b"/registry/pods/default/a", 0, b"/"),
        (b"/registry", 2, b"/"),
        (b"plain", 1, b""),
        (b"", 3, b""),
        (b"//x", 1, b"//"),
    ],
)
def test_the_group_of_a_key(key: bytes, depth: int, group: bytes) -> None:
    assert group_of(key, depth) == group


def changed(number: int, value: bytes | None) -> list[tuple[int, int, bytes, bytes | None]]:
    main, sub, key, _ = HISTORY[number]
    return [*HISTORY[:number], (main, sub, key, value), *HISTORY[number + 1 :]]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_odd_one_of_three_is_named_with_its_revision_and_key(tmp_path: Path, engine: Engine) -> None:
    odd = store(tmp_path / "odd.db", changed(4, b"no deletion"))
    paths = [odd, store(tmp_path / "n1.db", HISTORY), store(tmp_path / "n2.db", HISTORY, finished=1)]
    with open_database(paths[0]) as one, open_database(paths[1]) as two, open_database(paths[2]) as three:
        comparison = compare([one, two, three], engine=engine)
    assert (comparison.reference, comparison.from_revision, comparison.to_revision) == (1, 1, 9)
    (difference,) = comparison.differences
    assert (difference.member, difference.first_revision, difference.changes) == (0, 6, {Change.CHANGED: 1})
    assert [(change.key, change.main) for change in difference.keys] == [(b"/a/y", 6)]
    assert [(group.prefix, group.first_revision) for group in difference.groups] == [(b"/a/", 6)]
    hashes = [member.hash for member in comparison.members]
    assert hashes[0] != hashes[1] == hashes[2] == found(paths[1], 9, engine)
    done = invoke("hashkv", *paths)
    assert done.exit_code == 3
    assert "odd.db differs from" in done.stdout
    assert "from revision 6 on: 1 changed" in done.stdout


@pytest.mark.parametrize("engine", ENGINES)
def test_different_compactions_are_no_difference(tmp_path: Path, engine: Engine) -> None:
    compacted = [change for change in HISTORY if change[0] > 7 or change in {HISTORY[1], HISTORY[6]}]
    one = store(tmp_path / "one.db", HISTORY, scheduled=3, finished=3)
    two = store(tmp_path / "two.db", [*compacted, (10, 0, b"/later", b"v")], scheduled=7, finished=7)
    with open_database(one) as first, open_database(two) as second:
        comparison = compare([first, second], engine=engine)
        assert comparison.equal
        assert (comparison.compact_revision, comparison.from_revision, comparison.to_revision) == (7, 7, 9)
        assert {member.hash for member in comparison.members} == {hashkv(second, 9, engine=engine).hash}
    document = json.loads(invoke("hashkv", one, two, "-w", "json").stdout)
    assert (document["equal"], document["compactRevision"], document["differences"]) == (True, 7, [])


def test_a_revision_that_hashkv_at_the_head_does_not_see_is_a_difference(tmp_path: Path) -> None:
    # /a/x at 3 can be read at 7, and is superseded at 8: hashkv at 9 is the same for both
    one = store(tmp_path / "one.db", HISTORY, scheduled=7)
    two = store(tmp_path / "two.db", changed(1, b"other"), scheduled=7)
    assert found(one, 9, "columns") == found(two, 9, "columns")
    assert found(one, 7, "columns") != found(two, 7, "columns")
    done = invoke("hashkv", one, two, "-w", "json")
    (difference,) = json.loads(done.stdout)["differences"]
    assert (done.exit_code, difference["firstRevision"], difference["changed"]) == (3, 3, 1)
    assert invoke("hashkv", one, two, "--from", 8).exit_code == 0


def test_a_lost_revision_and_another_key_at_a_revision(tmp_path: Path) -> None:
    one = store(tmp_path / "one.db", HISTORY)
    lost = store(tmp_path / "lost.db", HISTORY[:3] + HISTORY[4:])
    other = store(tmp_path / "other.db", [*HISTORY[:3], (5, 0, b"/\xff", b"4"), *HISTORY[4:]])
    (difference,) = json.loads(invoke("hashkv", one, lost, "-w", "json").stdout)["differences"]
    assert difference["keys"] == [{"key": "/b/x", "revision": 5, "sub": 0, "change": "missing"}]
    (difference,) = json.loads(invoke("hashkv", one, other, "-w", "json").stdout)["differences"]
    assert [(key.get("key", key.get("key_b64")), key["change"]) for key in difference["keys"]] == [
        ("L/8=", "added"),
        ("/b/x", "missing"),
    ]
    lines = invoke("hashkv", one, other, "--keys", 1).stdout.splitlines()
    assert lines[-2:] == ["  5_0 added /\\xff", "  and 1 revisions more"]


@pytest.mark.parametrize("form", ["simple", "table", "fields", "json"])
def test_a_difference_is_shown_in_every_form(form: str) -> None:
    names = ["good", "overflow-bit", "sha-wrong"]
    paths = [samples.unpack(f"damaged/snapshots/{name}.db.gz") for name in names]
    done = invoke("hashkv", *paths, "-w", form)
    assert done.exit_code == 3
    assert "1618768908" in done.stdout  # what etcdutl printed of the second


def test_the_three_members_of_a_cluster_agree() -> None:
    paths = [samples.unpack(f"v3-cluster/3.6/snapshot-n{number}.db.gz") for number in range(3)]
    done = invoke("hashkv", *paths)
    assert (done.exit_code, done.stdout.splitlines()[0]) == (
        0,
        "equal from revision 1495 to 1683, as if compacted at 1495",
    )


def test_files_without_a_revision_in_common_are_refused() -> None:
    done = invoke("hashkv", samples.unpack("v3-extra/3.7/empty.db.gz"), samples.unpack("v3/3.7/snapshot.db.gz"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no revision is in both" in done.stderr


@pytest.mark.parametrize(("words", "problem"), [(["--rev", 1494], COMPACTED), (["--rev", 1684], FUTURE)])
def test_a_comparison_outside_of_history_is_refused(words: list[object], problem: str) -> None:
    path = samples.unpack("v3/3.7/snapshot.db.gz")
    done = invoke("hashkv", path, path, *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert problem in done.stderr


def test_a_damaged_file_among_several_is_named(tmp_path: Path) -> None:
    good = samples.unpack("damaged/snapshots/good.db.gz")
    bad = tmp_path / "bad.db"
    bad.write_bytes(gzip.decompress(samples.packed("damaged/snapshots/leaf-page-zeroed.db.gz").read_bytes()))
    done = invoke("hashkv", good, bad)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "bad.db" in done.stderr
