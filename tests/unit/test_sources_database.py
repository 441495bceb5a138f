"""What a v3 database can be read from, and what is refused with which words."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sys
import tarfile
import tempfile
from typing import TYPE_CHECKING
from unittest import mock

import pytest
import zstandard
from support import faults, samples
from support.cli import invoke
from support.processes import locked_as_by_bbolt
from support.users import public_folder, without_privileges

from etcdtool.errors import SourceError
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SNAPSHOT = "v3-extra/3.6/empty.db.gz"
DATA_DIR = "v3/3.6/data.tar.gz"
COMMANDS = ("status", "verify")


def content(path: Path) -> bytes:
    with open_database(path) as database:
        return bytes(database.data)


@pytest.fixture
def snapshot() -> Path:
    return samples.unpack(SNAPSHOT)


def pzstd(data: bytes) -> bytes:
    """Compress as pzstd does: in front of each frame a skippable one with its size."""
    frames = [zstandard.compress(data[at : at + 100_000]) for at in range(0, len(data), 100_000)]
    return b"".join(b"\x50\x2a\x4d\x18\x04\0\0\0" + len(frame).to_bytes(4, "little") + frame for frame in frames)


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, zstandard.ZstdCompressor().compress, pzstd, lambda data: gzip.compress(gzip.compress(data))],
)
def test_packed_and_through_stdin(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    packed = pack(snapshot.read_bytes())
    (tmp_path / "packed").write_bytes(packed)
    assert content(tmp_path / "packed") == content(snapshot)
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed))):
        done = invoke("snapshot", "status", "-")
    assert done.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["packed"]


def test_what_came_through_stdin_is_called_so(snapshot: Path) -> None:
    cut = gzip.compress(snapshot.read_bytes())[:-100]
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(cut))):
        done = invoke("snapshot", "status", "-")
    assert "in stdin: is cut short" in done.stderr


def test_a_data_dir_its_parts_and_its_database() -> None:
    root = samples.unpack(DATA_DIR)
    before = samples.hashes(root)
    expected = content(root / "member/snap/db")
    for path in (root, root / "member", root / "member/snap"):
        assert content(path) == expected
        with open_database(path) as database:
            assert database.trailer is None
            assert database.name.endswith("db")
    assert samples.hashes(root) == before


def tar_of(path: Path, **files: bytes) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_a_tar_of_a_snapshot_and_one_of_a_data_dir(snapshot: Path, tmp_path: Path) -> None:
    tar_of(tmp_path / "one.tar", backup=snapshot.read_bytes())
    with open_database(tmp_path / "one.tar") as database:
        assert bytes(database.data) == content(snapshot)
        assert (database.kind, database.name) == ("snapshot in a tar archive", f"{tmp_path}/one.tar:backup")
    assert content(samples.packed(DATA_DIR)) == content(samples.unpack(DATA_DIR))
    with open_database(samples.packed(DATA_DIR)) as database:
        assert database.kind == "database without a trailer in a tar archive in gzip"


def test_a_tar_of_more_than_one_thing(snapshot: Path, tmp_path: Path) -> None:
    for files, words in [({"a": snapshot.read_bytes(), "b": b""}, "holds a, b, where one")]:
        with pytest.raises(SourceError, match=words), open_database(tar_of(tmp_path / "tar", **files)):
            pass


def test_the_trailer_is_told_by_the_size(snapshot: Path, tmp_path: Path) -> None:
    with open_database(snapshot) as database:
        assert database.trailer == snapshot.read_bytes()[-32:]
        assert len(database.data) == database.size - 32
    (tmp_path / "db").write_bytes(snapshot.read_bytes()[:-32])
    with open_database(tmp_path / "db") as database:
        assert database.trailer is None


@pytest.mark.parametrize("command", COMMANDS)
class TestRefusals:
    def refused(self, path: object, command: str, words: str, exit_code: int = 1) -> None:
        done = invoke("snapshot", command, path)
        if command == "status":
            exit_code = 1  # as etcdutl has it, whatever went wrong
        assert (done.exit_code, done.stdout) == (exit_code, ""), done.stderr
        assert words in done.stderr

    def test_what_is_not_there(self, command: str, tmp_path: Path) -> None:
        self.refused(tmp_path / "missing", command, "no such file or directory")
        (tmp_path / "link").symlink_to("missing")
        self.refused(tmp_path / "link", command, "no such file or directory")

    def test_folders_without_a_database(self, command: str, tmp_path: Path) -> None:
        self.refused(tmp_path, command, "holds no v3 database")
        if command == "status":  # verify has the log to look at
            self.refused(samples.unpack("v2-only-wal/2.3/data.tar.gz"), command, "holds no v3 database")

    def test_a_named_pipe(self, command: str, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        self.refused(tmp_path / "pipe", command, "is no regular file")

    def test_other_files_of_etcd(self, command: str, tmp_path: Path) -> None:
        root = samples.unpack("damaged/dirs/good.tar.gz")
        self.refused(root / faults.WAL, command, "holds a WAL segment, no v3 database", 10)
        self.refused(root / faults.NEWEST_SNAP, command, "holds a v2 snapshot (.snap), no v3 database", 10)

    @pytest.mark.parametrize(
        ("data", "words"),
        [(b"", "an empty file"), (b'{"a":1}', "JSON text"), (b"\xfd7zXZ\0", "Unpack it with xz -d first")],
    )
    def test_other_files(self, command: str, tmp_path: Path, data: bytes, words: str) -> None:
        (tmp_path / "file").write_bytes(data)
        self.refused(tmp_path / "file", command, words, 10)

    def test_a_packed_file_that_is_cut_short(self, snapshot: Path, command: str, tmp_path: Path) -> None:
        packed = gzip.compress(snapshot.read_bytes())
        (tmp_path / "cut.gz").write_bytes(packed[: len(packed) // 2])
        self.refused(tmp_path / "cut.gz", command, "cut", 10)

    @pytest.mark.parametrize("name", ["", "member", "member/snap", "member/snap/db"])
    def test_what_may_not_be_read(self, command: str, name: str) -> None:
        with public_folder() as folder:
            copy = faults.copy_dir(samples.unpack(DATA_DIR), folder / "copy")
            for path in (copy, *copy.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            (copy / name).chmod(0)
            with without_privileges():
                self.refused(copy, command, "permission denied")
            (copy / name).chmod(0o700)

    def test_a_database_that_a_server_has_open(self, command: str, tmp_path: Path) -> None:
        shutil.copy(samples.unpack(DATA_DIR) / "member/snap/db", tmp_path / "db")
        with locked_as_by_bbolt(tmp_path / "db") as pid:
            self.refused(tmp_path / "db", command, f"db is locked by process {pid}")
        assert invoke("snapshot", "status", tmp_path / "db").exit_code == 0


def test_a_file_that_changes_while_it_is_read(snapshot: Path, tmp_path: Path) -> None:
    shutil.copy(snapshot, tmp_path / "db")
    with pytest.raises(SourceError, match="changed while it was read"), open_database(tmp_path / "db"):
        os.truncate(tmp_path / "db", 10 << 20)
