"""``defrag``: the same content without free pages, in place or as a new snapshot, and nothing else touched."""

from __future__ import annotations

import fcntl
import gc
import json
import mmap
import os
import shutil
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from support import faults, restored, samples
from support.bbolt_files import set_meta, with_freelist, written
from support.cli import invoke

from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.check import check, pages_in_use
from etcdtool.formats.bbolt.page import Image
from etcdtool.operations.repack import Changes
from etcdtool.operations.shrink import Member, Plan, in_place

if TYPE_CHECKING:
    from pathlib import Path

DATA = "v3/3.7/data.tar.gz"
SNAPSHOT = "v3/3.7/snapshot.db.gz"
DB = restored.DB
KEPT = "member/snap/db.before-defrag-"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return samples.fresh(DATA, tmp_path / "data")


def others(folder: Path) -> dict[str, str]:
    """Give the sha256 of all files but the database and what is kept of it."""
    return {name: digest for name, digest in samples.hashes(folder).items() if not name.startswith(DB)}


def kept_in(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{KEPT}*"))


@pytest.mark.parametrize("plan", [Plan(verb="defrag"), Plan(verb="compact", changes=lambda *_: Changes())])
def test_no_lock_outlives_it(data_dir: Path, plan: Plan) -> None:
    """A program that goes on must not keep servers waiting, for its collector of garbage to come by."""
    gc.collect()
    gc.disable()
    try:
        in_place(Member(data_dir=data_dir), plan)
        for path in (data_dir / DB, *data_dir.glob(f"{DB}.before-*")):
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        gc.enable()


@pytest.mark.parametrize("name", samples.archives("v3"))
@pytest.mark.parametrize("engine", ["columns", "plain"])
def test_the_content_stays(name: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCDTOOL_ENGINE", engine)
    folder = samples.fresh(name, tmp_path)
    if not (folder / DB).exists():
        pytest.skip("expected: no v3 database in it")
    before, rest, old = restored.buckets(folder), others(folder), samples.sha256(folder / DB)
    hashes = invoke("hashkv", folder).stdout
    status = json.loads(invoke("snapshot", "status", folder, "-w", "json").stdout)
    done = invoke("defrag", "--data-dir", folder, "-w", "json")
    assert done.exit_code == 0
    (line,) = done.stderr.splitlines()
    assert line.split("\t")[1:4] == ["info", "etcdtool", "finished defragmenting directory"]
    logged = json.loads(line.split("\t")[4])
    assert restored.buckets(folder) == before
    assert others(folder) == rest
    assert invoke("hashkv", folder).stdout == hashes
    image = Image.open(memoryview((folder / DB).read_bytes()))
    assert list(check(image)) == []
    assert pages_in_use(image) == image.high_water_mark
    assert len(image.data) == image.high_water_mark * image.page_size
    after = json.loads(invoke("snapshot", "status", folder, "-w", "json").stdout)
    assert after.pop("totalSize") == len(image.data) <= status.pop("totalSize")
    assert after == status
    (kept,) = kept_in(folder)
    assert samples.sha256(kept) == old
    told = json.loads(done.stdout)
    assert told["kept"] == str(kept)
    assert (told["sizeBefore"], told["sizeAfter"]) == (kept.stat().st_size, (folder / DB).stat().st_size)
    assert told["pagesAfter"] == image.high_water_mark
    assert logged["current-db-size-bytes"] == told["sizeAfter"] == logged["current-db-size-in-use-bytes"]
    assert logged["current-db-size-bytes-diff"] == told["sizeAfter"] - told["sizeBefore"]
    assert oct(kept.stat().st_mode) == oct((folder / DB).stat().st_mode)


def test_without_a_backup_one_file_is_there(data_dir: Path) -> None:
    assert invoke("defrag", "--data-dir", data_dir, "--no-keep").exit_code == 0
    assert (data_dir / DB).stat().st_size < 1 << 20
    assert [path.name for path in (data_dir / "member/snap").iterdir() if path.name.startswith((".", "db"))] == ["db"]


@pytest.mark.parametrize("form", ["simple", "table", "fields", "json"])
def test_the_figures_are_told_in_every_form(form: str, data_dir: Path) -> None:
    done = invoke("defrag", "--data-dir", data_dir, "-w", form)
    assert done.exit_code == 0
    for figure in ("143", "115", "db.before-defrag-"):
        assert figure in done.stdout


def test_a_snapshot_becomes_a_smaller_one(tmp_path: Path) -> None:
    source, target = samples.unpack(SNAPSHOT), tmp_path / "out.db"
    before = samples.hashes(source)
    done = invoke("defrag", source, "-o", target)
    assert (done.exit_code, done.stderr) == (0, "")
    assert invoke("verify", target, "-w", "json").exit_code == 0
    assert invoke("hashkv", source, target).exit_code == 0
    assert target.stat().st_size % 512 == 32
    assert samples.hashes(source) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.db"]
    again = invoke("defrag", source, "-o", target)
    assert again.exit_code == 1
    assert "nothing that exists is overwritten" in again.stderr


@pytest.mark.parametrize("source", [SNAPSHOT, DATA])
def test_a_compressed_source_and_a_data_dir_in_an_archive_will_do(source: str, tmp_path: Path) -> None:
    assert invoke("defrag", samples.packed(source), "-o", tmp_path / "out.db").exit_code == 0
    assert invoke("verify", tmp_path / "out.db").exit_code == 0


def test_a_snapshot_that_was_changed_is_refused(tmp_path: Path) -> None:
    source = samples.fresh(SNAPSHOT, tmp_path / "in")
    faults.flip(source, source.stat().st_size - 5)
    done = invoke("defrag", source, "-o", tmp_path / "out.db")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "snapshot salvage" in done.stderr
    assert not (tmp_path / "out.db").exists()


def leaf_of_key(path: Path) -> int:
    image = Image.open(memoryview(path.read_bytes()))
    bucket = cursor.root_buckets(image)[b"key"]
    return next(page_id for page_id, _ in cursor.iter_leaves(image, bucket)) * image.page_size


def test_a_damaged_database_is_refused_by_name(data_dir: Path) -> None:
    faults.put(data_dir / DB, leaf_of_key(data_dir / DB) + 16, b"\xff" * 16)
    before = samples.hashes(data_dir)
    done = invoke("defrag", "--data-dir", data_dir)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"Failed to defragment etcd data[{data_dir}] ({data_dir / DB} is damaged" in done.stderr
    assert samples.hashes(data_dir) == before


def test_both_metas_gone_is_refused(data_dir: Path) -> None:
    for page in (0, 1):
        faults.put(data_dir / DB, page * 4096 + 16, b"\xff" * 64)
    before = samples.hashes(data_dir)
    assert invoke("defrag", "--data-dir", data_dir).exit_code == 1
    assert samples.hashes(data_dir) == before


def test_lost_pages_are_left_behind_and_named(tmp_path: Path) -> None:
    data = bytearray(with_freelist(bytes(written({b"key": [(bytes(17), b"")]}, page_size=4096))) + bytes(4096))
    set_meta(data, 4096, high_water_mark=len(data) // 4096)
    (tmp_path / "member/snap").mkdir(parents=True)
    (tmp_path / DB).write_bytes(data)
    done = invoke("defrag", "--data-dir", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert "mended    page" in done.stdout
    assert "unreachable unfreed" in done.stdout


def test_a_bucket_keeps_its_sequence(tmp_path: Path) -> None:
    data = written({b"key": [(b"k", b"v")], b"big": [(b"k", bytes(3000))]}, page_size=4096)
    image = Image.open(memoryview(bytes(data)))
    for number, bucket in enumerate(cursor.root_buckets(image).values(), start=7):
        data[bucket.offset + 8] = number
    (tmp_path / "member/snap").mkdir(parents=True)
    (tmp_path / DB).write_bytes(data)
    assert invoke("defrag", "--data-dir", tmp_path).exit_code == 0
    found = cursor.root_buckets(Image.open(memoryview((tmp_path / DB).read_bytes())))
    assert {name: bucket.sequence for name, bucket in found.items()} == {b"big": 7, b"key": 8}


@pytest.mark.parametrize("what", ["database", "log"])
def test_a_data_dir_in_use_is_refused(what: str, data_dir: Path) -> None:
    before = samples.hashes(data_dir)
    path = data_dir / DB if what == "database" else next((data_dir / "member/wal").glob("*.wal"))
    with path.open("r+b") as file:
        if what == "database":
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            from etcdtool.targets.hold import _WHOLE_FILE  # noqa: PLC0415  the lock that a server takes

            fcntl.fcntl(file, fcntl.F_OFD_SETLK, _WHOLE_FILE)
        done = invoke("--timeout", "100ms", "defrag", "--data-dir", data_dir)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "is locked by a running process" in done.stderr
    assert samples.hashes(data_dir) == before


def test_a_log_that_is_kept_apart_is_locked_too(data_dir: Path, tmp_path: Path) -> None:
    log = shutil.move(data_dir / "member/wal", tmp_path / "log")
    with next((tmp_path / "log").glob("*.wal")).open("r+b") as file:
        from etcdtool.targets.hold import _WHOLE_FILE  # noqa: PLC0415  the lock that a server takes

        fcntl.fcntl(file, fcntl.F_OFD_SETLK, _WHOLE_FILE)
        done = invoke("defrag", "--data-dir", data_dir, "--wal-dir", log, "--timeout=100ms")
        assert (done.exit_code, kept_in(data_dir)) == (1, [])
    assert invoke("defrag", "--data-dir", data_dir, "--wal-dir", log).exit_code == 0
    assert len(kept_in(data_dir)) == 1


def test_a_link_to_the_database_stays_a_link(data_dir: Path, tmp_path: Path) -> None:
    real = shutil.move(data_dir / DB, tmp_path / "elsewhere")
    (data_dir / DB).symlink_to(real)
    assert invoke("defrag", "--data-dir", data_dir).exit_code == 0
    assert (data_dir / DB).is_symlink()
    assert (tmp_path / "elsewhere").stat().st_size < 1 << 20
    assert len(list(tmp_path.glob("elsewhere.before-defrag-*"))) == 1


def test_room_is_looked_for_first(data_dir: Path) -> None:
    before = samples.hashes(data_dir)
    with mock.patch("os.statvfs", return_value=mock.Mock(f_bavail=1000, f_frsize=100)):
        done = invoke("defrag", "--data-dir", data_dir)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "bytes are needed, and 100000 are free" in done.stderr
    assert samples.hashes(data_dir) == before


def test_what_comes_back_otherwise_is_not_put_in_place(data_dir: Path) -> None:
    before = samples.hashes(data_dir)

    def spoiled(output: Any) -> memoryview:
        size = os.fstat(output.fileno()).st_size
        os.pwrite(output.fileno(), b"\xff", size // 2)
        return memoryview(mmap.mmap(output.fileno(), 0, prot=mmap.PROT_READ))

    with mock.patch("etcdtool.operations.shrink.map_output", spoiled):
        done = invoke("defrag", "--data-dir", data_dir)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "written database" in done.stderr
    assert samples.hashes(data_dir) == before


def test_a_server_that_comes_meanwhile_keeps_the_old_one(data_dir: Path) -> None:
    before = samples.hashes(data_dir)
    looks: list[Any] = []

    def come(_: object) -> Any:
        looks.append(1)
        return iter(() if len(looks) == 1 else (4711,))

    with mock.patch("etcdtool.targets.hold._others_with", come):
        done = invoke("defrag", "--data-dir", data_dir)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "is open in process 4711" in done.stderr
    assert samples.hashes(data_dir) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], 'required flag(s) "data-dir" not set'),
        (["a.db"], "give SOURCE and -o OUT together"),
        (["-o", "b.db"], "give SOURCE and -o OUT together"),
        (["a.db", "--data-dir", "d"], "give either --data-dir, or SOURCE"),
        (["a.db", "-o", "b.db", "--no-keep"], "--wal-dir and --no-keep go with --data-dir"),
        (["--data-dir", "/no/such/folder"], "(stat /no/such/folder/member/snap/db: no such file or directory)"),
        (["/no/such.db", "-o", "/tmp/x.db"], "no such file"),
        (["a.db", "-o", "-"], "this is written to a file, not to stdout"),
    ],
)
def test_wrong_calls_end_with_1(words: list[str], said: str) -> None:
    done = invoke("defrag", *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr
