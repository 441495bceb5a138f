"""What v2 keys can be read from, in every packing, and what is refused with which words."""

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
from support.users import public_folder, without_privileges

from etcdtool.errors import EtcdtoolError, FormatError, SourceError
from etcdtool.operations.read_v2 import ReadOptions, read_v2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Facts = list[tuple[bytes, bytes, int, int, int | None]]


def facts(*paths: Path, wal_dir: Path | None = None) -> Facts:
    with read_v2(paths, ReadOptions(wal_dir=wal_dir)) as data:
        return [(node.path, node.value, node.created_index, node.modified_index, own) for node, own in data.rows()]


def codes(*paths: Path) -> list[str]:
    with read_v2(paths, ReadOptions()) as data:
        return [finding.code for finding in data.report.findings]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data dir with .snap files and a WAL that is not preallocated."""
    return faults.variant("wal-cut-clean", tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def whole(root: Path) -> Facts:
    return facts(root)


@pytest.fixture(autouse=True)
def _no_litter(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything unpacked is gone again, and the source is what it was."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before = samples.hashes(root)
    yield
    assert list(temporary.iterdir()) == []
    assert samples.hashes(root) == before


class TestFolders:
    def test_the_member_folder(self, root: Path, whole: Facts) -> None:
        assert facts(root / "member") == whole

    def test_a_wal_kept_apart(self, root: Path, whole: Facts, tmp_path: Path) -> None:
        shutil.copytree(root / "member/snap", tmp_path / "data/member/snap")
        shutil.copytree(root / "member/wal", tmp_path / "wal")
        assert facts(tmp_path / "data", wal_dir=tmp_path / "wal") == whole
        assert codes(tmp_path / "data") == ["v2.no-log"]
        done = invoke("v2", "export", tmp_path / "data", "--wal-dir", tmp_path / "wal")
        assert (done.exit_code, len(done.stdout.splitlines())) == (0, len(whole))

    def test_only_a_wal_kept_apart(self, tmp_path: Path) -> None:
        wal_only = samples.unpack("v2-only-wal/3.4/data.tar.gz")
        (tmp_path / "data/member/snap").mkdir(parents=True)
        assert facts(tmp_path / "data", wal_dir=wal_only / "member/wal") == facts(wal_only)

    def test_the_wal_folder_alone_reaches_back_to_the_beginning(self, root: Path, whole: Facts) -> None:
        assert facts(root / "member/wal") == whole
        assert codes(root / "member/wal") == []

    def test_the_snap_folder_alone_says_what_it_lacks(self, root: Path, whole: Facts) -> None:
        found = facts(root / "member/snap")
        assert set(found) < set(whole)
        assert codes(root / "member/snap") == ["v2.no-log"]

    def test_snap_and_wal_files_in_one_heap(self, root: Path, whole: Facts, tmp_path: Path) -> None:
        for path in (*root.glob("member/*/*.snap"), *root.glob("member/*/*.wal")):
            shutil.copy(path, tmp_path)
        assert facts(tmp_path) == whole

    def test_what_is_no_segment_by_name_is_left_out_and_named(self, root: Path, whole: Facts, tmp_path: Path) -> None:
        copy = faults.copy_dir(root, tmp_path / "copy")
        (copy / "member/wal/0000000000000000-0000000000000000 (copy).wal").write_bytes(b"whatever")
        (copy / "member/wal/0.tmp").write_bytes(b"")
        assert facts(copy) == whole
        assert codes(copy) == ["v2.file-ignored"]

    def test_files_that_a_server_set_aside(self, root: Path, whole: Facts, tmp_path: Path) -> None:
        copy = faults.copy_dir(root, tmp_path / "copy")
        newest = copy / faults.NEWEST_SNAP
        newest.rename(newest.with_name(newest.name + ".broken"))
        assert facts(copy) == whole
        assert codes(copy) == ["v2.broken-files"]


class TestFiles:
    def test_a_single_snap(self, root: Path) -> None:
        snap = root / faults.NEWEST_SNAP
        assert facts(snap) == facts(root / "member/snap")
        assert codes(snap) == ["v2.no-log"]

    def test_a_single_segment(self, root: Path, whole: Facts, tmp_path: Path) -> None:
        assert facts(root / faults.WAL) == whole
        shutil.copy(root / faults.WAL, tmp_path / "saved.wal")
        assert facts(tmp_path / "saved.wal") == whole

    @pytest.mark.parametrize("name", [faults.NEWEST_SNAP, faults.WAL])
    @pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress, lambda data: data])
    def test_packed_and_through_stdin(
        self, root: Path, tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
    ) -> None:
        packed = tmp_path / "packed"
        packed.write_bytes(pack((root / name).read_bytes()))
        expected = facts(root / name)
        assert facts(packed) == expected
        stream = io.TextIOWrapper(io.BytesIO(packed.read_bytes()))
        with mock.patch.object(sys, "stdin", stream):
            done = invoke("v2", "export", "-")
        assert (done.exit_code, len(done.stdout.splitlines())) == (0, len(expected))

    def test_packed_over_and_over(self, root: Path, tmp_path: Path) -> None:
        data = (root / faults.WAL).read_bytes()
        for _ in range(3):
            data = gzip.compress(data)
        (tmp_path / "nested").write_bytes(data)
        assert facts(tmp_path / "nested") == facts(root / faults.WAL)
        for _ in range(5):
            data = gzip.compress(data)
        (tmp_path / "nested").write_bytes(data)
        with pytest.raises(FormatError, match="packed more than 4 times"):
            facts(tmp_path / "nested")


def tar_of(*members: tuple[str, Path | bytes | str], kind: bytes = tarfile.SYMTYPE) -> bytes:
    """Pack files and bytes under any names; a text makes a link of it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = kind, content
                archive.addfile(info)
            else:
                data = content if isinstance(content, bytes) else content.read_bytes()
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def data_files(root: Path, prefix: str = "") -> list[tuple[str, Path]]:
    return [(f"{prefix}{path.relative_to(root)}", path) for path in sorted(root.rglob("*")) if path.is_file()]


class TestTars:
    @pytest.mark.parametrize(
        ("name", "pack"),
        [
            ("backup.tar", lambda data: data),
            ("backup.tar.gz", gzip.compress),
            ("backup.tgz", gzip.compress),
            ("backup.tar.zst", zstandard.ZstdCompressor().compress),
            ("without-a-suffix", gzip.compress),
        ],
    )
    @pytest.mark.parametrize("prefix", ["", "./", "etcd-backup/2026/default.etcd/", "/var/lib/etcd/"])
    def test_any_packing(
        self, root: Path, whole: Facts, tmp_path: Path, name: str, pack: Callable[[bytes], bytes], prefix: str
    ) -> None:
        path = tmp_path / name
        path.write_bytes(pack(tar_of(*data_files(root, prefix))))
        assert facts(path) == whole
        with read_v2([path], ReadOptions()) as data:
            inside = prefix.strip("./")
            assert data.name == (f"{path}:{inside}" if inside else str(path))

    def test_the_members_of_a_cluster_in_one(self, tmp_path: Path) -> None:
        archives = [f"v2-cluster/3.4/data-{name}.tar.gz" for name in ("c1", "c3", "c4")]
        folders = [samples.unpack(name) for name in archives]
        packed = tmp_path / "cluster.tar.gz"
        with tarfile.open(packed, "w:gz", compresslevel=1) as archive:
            for folder in folders:
                archive.add(folder, folder.name)
        assert facts(packed) == facts(*folders)

    def test_a_name_that_stands_twice_has_its_last_content(self, root: Path, whole: Facts, tmp_path: Path) -> None:
        packed = tmp_path / "twice.tar"
        packed.write_bytes(tar_of((faults.WAL, b"older"), *data_files(root)))
        assert facts(packed) == whole

    @pytest.mark.parametrize("name", ["../outside.snap", "a/../../outside.snap", "/../outside.snap"])
    def test_a_name_that_leads_out(self, root: Path, tmp_path: Path, name: str) -> None:
        packed = tmp_path / "deep/hostile.tar"
        packed.parent.mkdir()
        packed.write_bytes(tar_of((name, b"x"), *data_files(root)))
        with pytest.raises(FormatError, match="leads elsewhere"):
            facts(packed)
        assert not list(tmp_path.rglob("outside.snap"))

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
    def test_a_link_is_refused_and_not_followed(self, root: Path, tmp_path: Path, kind: bytes) -> None:
        packed = tmp_path / "links.tar"
        packed.write_bytes(tar_of((faults.WAL, "/etc/passwd"), *data_files(root / "member/snap"), kind=kind))
        with pytest.raises(FormatError, match="is a link or a device") as caught:
            facts(packed)
        assert "--dereference" in str(caught.value)

    def test_a_link_to_write_through(self, root: Path, tmp_path: Path) -> None:
        """A link in the way of a later name must not be followed either; it is not even made."""
        packed = tmp_path / "links.tar"
        (tmp_path / "away").mkdir()
        packed.write_bytes(tar_of(("member/wal", str(tmp_path / "away")), *data_files(root)))
        assert facts(packed) == facts(root)
        assert list((tmp_path / "away").iterdir()) == []

    def test_cut_short(self, root: Path, tmp_path: Path) -> None:
        data = tar_of(*data_files(root))
        packed = tmp_path / "cut.tar"
        for size in (0x200, 0x300, 5000, len(data) // 2):
            packed.write_bytes(data[:size])
            with pytest.raises(EtcdtoolError):
                facts(packed)

    def test_a_claim_that_no_disk_could_hold(self, tmp_path: Path) -> None:
        header = bytearray(tar_of(("member/snap/x.snap", b"")))
        info = tarfile.TarInfo("member/snap/x.snap")
        info.size = 1 << 50
        header[:512] = info.tobuf(tarfile.GNU_FORMAT)[:512]
        (tmp_path / "claims.tar").write_bytes(bytes(header))
        with pytest.raises(FormatError, match="claims to hold more than"):
            facts(tmp_path / "claims.tar")

    def test_nothing_of_etcds_in_it(self, tmp_path: Path) -> None:
        (tmp_path / "x.tar").write_bytes(tar_of(("README", b"hello")))
        with pytest.raises(SourceError, match=r"a tar without \.snap, \.wal or \.json files"):
            facts(tmp_path / "x.tar")


def refusal(path: Path, *, command: str = "convert") -> tuple[int, str]:
    done = invoke("convert", path, "--dry-run") if command == "convert" else invoke("v2", command, path)
    assert done.stdout == ""
    return done.exit_code, done.stderr


class TestRefusals:
    @pytest.mark.parametrize("name", ["v3/3.6/data.tar.gz", "v3/3.4/data.tar.gz", "v3/3.7/restored.tar.gz"])
    def test_a_data_dir_with_v3_keys_only(self, name: str) -> None:
        source = samples.unpack(name)
        before = samples.hashes(source)
        exit_code, words = refusal(source)
        assert (exit_code, "holds no v2 keys" in words) == (3, True)
        assert samples.hashes(source) == before

    def test_a_database_alone(self, tmp_path: Path) -> None:
        (tmp_path / "member/snap").mkdir(parents=True)
        shutil.copy(samples.unpack("v3/3.6/data.tar.gz") / "member/snap/db", tmp_path / "member/snap/db")
        exit_code, words = refusal(tmp_path)
        assert (exit_code, "holds no v2 keys, only a v3 database" in words) == (3, True)

    def test_a_v3_snapshot(self) -> None:
        exit_code, words = refusal(samples.unpack("v3/3.6/snapshot.db.gz"))
        assert (exit_code, "holds no v2 keys" in words) == (3, True)
        exit_code, words = refusal(samples.packed("v3/3.6/snapshot.db.gz"))
        assert (exit_code, "holds no v2 keys" in words) == (3, True)

    def test_the_data_dir_of_a_proxy(self, tmp_path: Path) -> None:
        (tmp_path / "proxy").mkdir()
        (tmp_path / "proxy/cluster").write_text('{"PeerURLs":["http://127.0.0.1:2380"]}')
        exit_code, words = refusal(tmp_path)
        assert (exit_code, "the data dir of a v2 proxy, which holds no keys" in words) == (1, True)

    def test_a_folder_of_other_things(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("hello")
        exit_code, words = refusal(tmp_path)
        assert (exit_code, "holds no etcd data" in words) == (1, True)
        for parts in ("member", "member/snap", "member/wal"):
            (tmp_path / parts).mkdir()
        exit_code, words = refusal(tmp_path)
        assert (exit_code, "is an empty data dir" in words) == (1, True)

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        exit_code, words = refusal(tmp_path / "nothing")
        assert (exit_code, "no such file or directory" in words) == (1, True)
        (tmp_path / "link").symlink_to(tmp_path / "nothing")
        exit_code, words = refusal(tmp_path / "link")
        assert (exit_code, "no such file or directory" in words) == (1, True)
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        exit_code, words = refusal(tmp_path / "loop")
        assert (exit_code, "symbolic link" in words) == (1, True)
        exit_code, words = refusal(tmp_path / ("x" * 300))
        assert (exit_code, "file name too long" in words) == (1, True)
        exit_code, words = refusal(tmp_path / "tmp/../link/below")
        assert exit_code == 1

    def test_a_named_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        exit_code, words = refusal(tmp_path / "pipe")
        assert (exit_code, "is no regular file" in words) == (1, True)

    @pytest.mark.parametrize("name", [faults.WAL, faults.NEWEST_SNAP])
    def test_a_pipe_or_a_dangling_link_inside_a_data_dir(self, root: Path, tmp_path: Path, name: str) -> None:
        copy = faults.copy_dir(root, tmp_path / "copy")
        (copy / name).unlink()
        os.mkfifo(copy / name)
        exit_code, words = refusal(copy)
        assert (exit_code, "is no regular file" in words) == (1, True)
        (copy / name).unlink()
        (copy / name).symlink_to("/nowhere")
        exit_code, words = refusal(copy)
        assert (exit_code, "no such file or directory" in words) == (1, True)
        (copy / name).unlink()
        (copy / name).mkdir()
        exit_code, words = refusal(copy)
        assert (exit_code, "is a folder where a file is needed" in words) == (1, True)

    @pytest.mark.parametrize("name", ["", "member", "member/snap", "member/wal", faults.WAL, faults.NEWEST_SNAP])
    @pytest.mark.parametrize("command", ["convert", "export", "status"])
    def test_what_may_not_be_read(self, root: Path, name: str, command: str) -> None:
        with public_folder() as folder:
            copy = faults.copy_dir(root, folder / "copy")
            for path in (copy, *copy.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            (copy / name).chmod(0)
            with without_privileges(), mock.patch.object(tempfile, "tempdir", str(folder)):
                exit_code, words = refusal(copy, command=command)
            (copy / name).chmod(0o700)
        assert exit_code == 1
        assert "permission denied" in words
        assert "Run as the user that owns it" in words

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "holds an empty file"),
            (bytes(5000), "holds nothing but zero bytes"),
            (b"PK\x03\x04....", "holds a zip archive"),
            (b"SQLite format 3\x00" + bytes(100), "kine"),
            (b"hello", "holds no format that etcd uses"),
        ],
    )
    def test_a_file_of_another_kind(self, tmp_path: Path, content: bytes, words: str) -> None:
        (tmp_path / "file").write_bytes(content)
        exit_code, said = refusal(tmp_path / "file")
        assert (exit_code, words in said) == (10, True)

    def test_a_download_that_did_not_end(self, tmp_path: Path) -> None:
        (tmp_path / "snapshot.db.part").write_bytes(b"")
        assert "a download that did not end" in refusal(tmp_path / "snapshot.db.part")[1]

    def test_sources_that_do_not_go_together(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "dump.json").write_text('{"action":"get","node":{"dir":true}}')
        done = invoke("v2", "export", root, tmp_path / "dump.json")
        assert (done.exit_code, "do not go together" in done.stderr) == (2, True)
        done = invoke("v2", "export", root, samples.unpack("v2-only-wal/3.4/data.tar.gz"))
        assert (done.exit_code, "not of one cluster" in done.stderr) == (2, True)
        done = invoke("v2", "export", root, root / faults.NEWEST_SNAP)
        assert (done.exit_code, "has no log" in done.stderr) == (2, True)


def test_a_file_that_changes_while_it_is_read(root: Path, tmp_path: Path) -> None:
    copy = faults.copy_dir(root, tmp_path / "copy")
    with pytest.raises(SourceError, match="changed while it was read"), read_v2([copy], ReadOptions()):
        os.truncate(copy / faults.WAL, 20_000)
    with pytest.raises(SourceError, match="went away while it was read"), read_v2([copy], ReadOptions()):
        (copy / faults.WAL).unlink()


def test_a_temporary_disk_without_room(root: Path, tmp_path: Path) -> None:
    packed = tmp_path / "x.wal.gz"
    packed.write_bytes(gzip.compress((root / faults.WAL).read_bytes()))
    usage = shutil.disk_usage(tmp_path)._replace(free=(256 << 20) + 1000)
    with (
        mock.patch.object(shutil, "disk_usage", return_value=usage),
        pytest.raises(SourceError, match="temporary disk has no room"),
    ):
        facts(packed)
