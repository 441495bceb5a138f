"""Restored data dirs against those that the real tools made, and what is refused in which words."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from support import restored, samples
from support.bbolt_files import applied, with_freelist
from support.cli import invoke

from etcdtool.errors import EtcdtoolError
from etcdtool.findings import Finding, Report, Severity
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.transaction import Transaction
from etcdtool.operations import restore_proof
from etcdtool.operations.restore import RestoreOptions, restore, simulate
from etcdtool.sources import open_database

BUMP = ("--bump-revision", "1000000", "--mark-compacted")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def snapshot_of(version: str) -> Path:
    return samples.unpack(f"v3/{version}/snapshot.db.gz")


@pytest.mark.parametrize("version", ["3.6", "3.7"])
@pytest.mark.parametrize(("archive", "flags"), [("restored", ()), ("restored-bumped", BUMP)])
def test_what_is_made_is_what_etcdutl_made(version: str, archive: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    source, target = snapshot_of(version), tmp_path / "new.etcd"
    before = samples.hashes(source)
    done = invoke("snapshot", "restore", source, "--data-dir", target, *flags)
    assert (done.exit_code, done.stdout) == (0, ""), done.stderr
    real = samples.unpack(f"v3/{version}/{archive}.tar.gz")
    assert restored.log(target) == restored.log(real)
    assert restored.snapshot(target)[:2] == restored.snapshot(real)[:2]
    assert restored.modes(target) == restored.modes(real)
    assert restored.buckets(target) == restored.buckets(real)
    assert samples.hashes(source) == before
    key = "restored_dir" if archive == "restored" else "restored_bumped_dir"
    files = {file["path"]: file["sha256"] for file in samples.expected(f"v3/{version}")[key]["files"]}
    ours = samples.hashes(target)
    assert {path for path in files if files[path] == ours[path]} == files.keys() - {restored.DB}


@pytest.mark.parametrize("words", [["--data-dir", "."], ["--data-dir", ".", "--wal-dir", "../logs"]])
def test_the_current_folder_may_be_the_data_dir(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new.etcd"
    folder.mkdir()
    inode = folder.stat().st_ino
    monkeypatch.chdir(folder)
    done = invoke("snapshot", "restore", snapshot_of("3.7"), *words)
    assert done.exit_code == 0, done.stderr
    # a shell stands in the folder: another in its place would look empty there
    assert (names(folder), folder.stat().st_ino) == (["member"], inode)
    logs = tmp_path / "logs" if "--wal-dir" in words else folder / "member/wal"
    assert names(logs) == ["0000000000000000-0000000000000000.wal"]


def test_the_current_folder_may_be_the_wal_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    monkeypatch.chdir(tmp_path / "logs")
    done = invoke("snapshot", "restore", snapshot_of("3.7"), "--data-dir", "../new.etcd", "--wal-dir", ".")
    assert done.exit_code == 0, done.stderr
    assert names(tmp_path / "logs") == ["0000000000000000-0000000000000000.wal"]
    assert names(tmp_path / "new.etcd/member") == ["snap"]


def test_all_members_do_not_replace_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("snapshot", "restore", snapshot_of("3.7"), "--all-members", "--output", ".")
    assert (done.exit_code, names(tmp_path)) == (1, [])
    assert "not the current folder" in done.stderr


@pytest.mark.parametrize("flag", ["--data-dir", "--wal-dir"])
def test_an_empty_folder_name_is_none(flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # what a script's --wal-dir "$WAL_DIR" gives; etcdutl takes the usual place then
    monkeypatch.chdir(tmp_path)
    done = invoke("snapshot", "restore", snapshot_of("3.7"), flag, "")
    assert done.exit_code == 0, done.stderr
    assert (names(tmp_path), names(tmp_path / "default.etcd/member")) == (["default.etcd"], ["snap", "wal"])


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_the_log_has_the_lines_that_scripts_wait_for(version: str, tmp_path: Path) -> None:
    done = invoke("snapshot", "restore", snapshot_of(version), "--data-dir", tmp_path / "new.etcd", *BUMP)
    recorded = samples.expected(f"v3/{version}")["restored_bumped_dir"]["run"]["stderr"].splitlines()
    theirs = [line.split("\t")[3:] for line in recorded if "\tbbolt\t" not in line]
    ours = [line.split("\t")[3:] for line in done.stderr.splitlines() if "\twarn\t" not in line]
    assert sorted(words[0] for words in ours) == sorted(words[0] for words in theirs)
    told = {words[0]: words[1:] for words in theirs}
    for message in ("added member", "bumping latest revision", "marking revision compacted"):
        assert [words[1:] for words in ours if words[0] == message] == [told[message]]


DAMAGED = samples.expected("damaged/snapshots")["variants"]
KEPT = sorted(name for name in DAMAGED if samples.packed(f"damaged/snapshots/{name}.db.gz").exists())


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("name", KEPT)
def test_what_the_real_restore_refuses_is_refused_and_leaves_nothing(name: str, skip: bool, tmp_path: Path) -> None:
    flag = " --skip-hash-check" if skip else ""
    theirs = DAMAGED[name]["tools"][f"etcdutl-3.7 snapshot restore{flag}"]
    source = samples.unpack(f"damaged/snapshots/{name}.db.gz")
    before = samples.hashes(source)
    folder = tmp_path / "in"
    folder.mkdir()
    done = invoke("snapshot", "restore", source, "--data-dir", folder / "new.etcd", *flag.split())
    if theirs["rc"] != 0:
        assert done.exit_code == 1
    elif done.exit_code != 0:
        # what etcdutl restores without a word, a server then serves wrongly or stumbles over
        assert "is damaged, so it is not restored" in done.stderr
    last = theirs["stderr"].splitlines()[-1] if theirs["stderr"] else ""
    if last.startswith(("Error: expected sha256", "Error: snapshot missing hash")):
        assert done.stderr.splitlines()[-1].startswith(f"{last}. ")
    assert names(folder) == (["new.etcd"] if done.exit_code == 0 else [])
    assert samples.hashes(source) == before


def test_the_good_one_is_restored_and_the_hash_can_be_skipped() -> None:
    for name in ("good", "sha-wrong"):
        assert DAMAGED[name]["tools"]["etcdutl-3.7 snapshot restore --skip-hash-check"]["rc"] == 0


REFUSALS: list[tuple[tuple[str, ...], int, str]] = [
    ((), 128, "--mark-compacted required if --revision-bump > 0"),
    (("--bump-revision=x",), 1, 'invalid argument "x" for "--bump-revision" flag: strconv.ParseUint: parsing "x": inv'),
    (("--bump-revision=18446744073709551616",), 1, "value out of range"),
    (("--bump-revision=1__0",), 1, 'strconv.ParseUint: parsing "1__0": invalid syntax'),
    (("--bump-revision=9_223_372_036_854_775_807", "--mark-compacted"), 1, "beyond the largest there is"),
    (("--mark-compacted=maybe",), 1, 'strconv.ParseBool: parsing "maybe": invalid syntax'),
    (("--name", "n2"), 1, 'couldn\'t find local name "n2" in the initial cluster configuration'),
    (("--initial-advertise-peer-urls", ""), 1, "URL scheme must be http, https, unix, or unixs: "),
    (("--initial-advertise-peer-urls", "10.0.0.1:2380"), 1, "first path segment in URL cannot contain colon"),
    (("--initial-advertise-peer-urls", "http://a:1/x"), 1, "URL must not contain a path: http://a:1/x"),
    (("--initial-cluster", "default=http://a"), 1, 'URL address does not have the form "host:port": http://a'),
    (
        ("--initial-cluster", "default=http://10.0.0.1:2380"),
        1,
        "missing from --initial-advertise-peer-urls=http://localhost:2380 (resolved urls: ",
    ),
    (
        ("--initial-advertise-peer-urls", "http://localhost:2380,http://localhost:2381"),
        1,
        "has http://localhost:2381 but missing from --initial-cluster=default=http://localhost:2380,default=http://loc",
    ),
    (
        ("--initial-cluster", "default=http://localhost:2380,b=http://localhost:2380"),
        1,
        "initial cluster b=http://localhost:2380,default=http://localhost:2380 has duplicate url",
    ),
    (("--bump-revision=9223372036854775807", "--mark-compacted"), 1, "beyond the largest there is"),
    (
        ("--initial-cluster", "default=http://localhost:2380,\udcff=http://a:1"),
        1,
        "is not in UTF-8, as names of members",
    ),
    (("--no-such-flag",), 1, "unknown flag: --no-such-flag"),
]


@pytest.mark.parametrize(("flags", "exit_code", "message"), REFUSALS, ids=lambda value: str(value)[:40])
def test_words_that_contradict_each_other(
    flags: tuple[str, ...], exit_code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("snapshot", "restore", snapshot_of("3.6"), *(flags or ("--mark-compacted",)))
    assert (done.exit_code, done.stdout, names(tmp_path)) == (exit_code, "", [])
    assert message in done.stderr


@pytest.mark.parametrize("count", [0, 2])
def test_one_file_it_is(count: int) -> None:
    done = invoke("snapshot", "restore", *["a.db"] * count)
    assert done.exit_code == 128
    assert "snapshot restore requires exactly one argument" in done.stderr


def test_go_takes_values_for_switches(tmp_path: Path) -> None:
    image = tmp_path / "db"
    image.write_bytes(snapshot_of("3.6").read_bytes()[:-32])
    words = ("snapshot", "restore", "--data-dir", tmp_path / "new.etcd")
    done = invoke(*words, "--skip-hash-check=false", image)
    assert (done.exit_code, "snapshot missing hash but --skip-hash-check=false" in done.stderr) == (1, True)
    assert invoke(*words, "--skip-hash-check=true", "--initial-memory-map-size=0x400", image).exit_code == 0


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "etcdtool", "snapshot", "restore", snapshot_of("3.6")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*command, "--data-dir", tmp_path / "new"], stderr=full, check=False)
    assert (done.returncode, names(tmp_path)) == (0, ["new"])


class TestTargets:
    def test_names_as_long_as_the_disk_has_them(self, tmp_path: Path) -> None:
        data_dir, wal_dir = tmp_path / ("d" * 255), tmp_path / ("w" * 255)
        words = ("--data-dir", data_dir, "--wal-dir", wal_dir)
        assert invoke("snapshot", "restore", snapshot_of("3.6"), *words).exit_code == 0
        assert names(tmp_path) == [data_dir.name, wal_dir.name]

    def test_a_path_through_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        words = ("--data-dir", tmp_path / "a/../new.etcd", "--wal-dir", tmp_path / "new.etcd/../wal")
        assert invoke("snapshot", "restore", snapshot_of("3.6"), *words).exit_code == 0
        assert names(tmp_path) == ["new.etcd", "wal"]

    def test_the_folder_is_named_after_the_member(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        words = ("--name=n1", "--initial-cluster=n1=http://localhost:2380")
        assert invoke("snapshot", "restore", snapshot_of("3.6"), *words).exit_code == 0
        assert names(tmp_path) == ["n1.etcd"]
        assert names(tmp_path / "n1.etcd/member") == ["snap", "wal"]

    def test_what_exists_stays(self, tmp_path: Path) -> None:
        target = tmp_path / "new.etcd"
        target.mkdir()
        (target / "precious").write_bytes(b"x")
        for what in (target, target / "precious"):
            done = invoke("snapshot", "restore", snapshot_of("3.6"), "--data-dir", what)
            assert done.exit_code == 1
            assert f'data-dir "{what}" not empty or could not be read' in done.stderr
        done = invoke("snapshot", "restore", snapshot_of("3.6"), "--data-dir", tmp_path / "a", "--wal-dir", target)
        assert (done.exit_code, f'wal-dir "{target}" exists' in done.stderr) == (1, True)
        assert (names(tmp_path), names(target)) == (["new.etcd"], ["precious"])

    @pytest.mark.parametrize("lost_and_found", [False, True])
    def test_an_empty_folder_may_be_a_mount_point(self, lost_and_found: bool, tmp_path: Path) -> None:
        target = tmp_path / "volume"
        target.mkdir(mode=0o750)
        if lost_and_found:
            (target / "lost+found").mkdir()
        inode = target.stat().st_ino
        done = invoke("snapshot", "restore", snapshot_of("3.6"), "--data-dir", target)
        assert done.exit_code == 0, done.stderr
        assert names(target) == (["lost+found"] if lost_and_found else []) + ["member"]
        assert (target.stat().st_ino, target.stat().st_mode & 0o777) == (inode, 0o750)

    def test_the_log_may_go_elsewhere(self, tmp_path: Path) -> None:
        words = ("--data-dir", tmp_path / "a/b/new.etcd", "--wal-dir", tmp_path / "c/wal")
        assert invoke("snapshot", "restore", snapshot_of("3.6"), *words).exit_code == 0
        assert names(tmp_path / "a/b/new.etcd/member") == ["snap"]
        assert (names(tmp_path / "a/b"), names(tmp_path / "c")) == (["new.etcd"], ["wal"])
        real = samples.unpack("v3/3.6/restored.tar.gz")
        (path,) = (tmp_path / "c/wal").iterdir()
        assert samples.sha256(path) == samples.sha256(real / "member/wal" / path.name)

    def test_the_log_is_taken_back_when_the_database_gets_no_name(self, tmp_path: Path) -> None:
        target = tmp_path / "new.etcd"
        real = restore_proof.prove

        def meanwhile(*args: Any, **named: Any) -> None:
            real(*args, **named)
            target.mkdir()
            (target / "precious").write_bytes(b"x")

        options = RestoreOptions(data_dir=target, wal_dir=tmp_path / "wal")
        with (
            mock.patch.object(restore_proof, "prove", meanwhile),
            pytest.raises(EtcdtoolError, match="was made by another process meanwhile"),
        ):
            restore(snapshot_of("3.6"), options)
        assert (names(tmp_path), names(target)) == (["new.etcd"], ["precious"])

    @pytest.mark.parametrize("name", ["fsync", "fdatasync", "posix_fallocate", "ftruncate", "pwrite"])
    @pytest.mark.parametrize("exists", [False, True])
    def test_a_disk_that_fails_leaves_nothing(self, name: str, exists: bool, tmp_path: Path) -> None:
        target = tmp_path / "deep/new.etcd"
        if exists:
            target.mkdir(parents=True)

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with (
            mock.patch.object(os, name, full),
            pytest.raises(EtcdtoolError, match="no space left on device"),
        ):
            restore(snapshot_of("3.6"), RestoreOptions(data_dir=target))
        assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == (
            ["deep", "deep/new.etcd"] if exists else []
        )

    def test_a_source_that_changes_meanwhile_leaves_nothing(self, tmp_path: Path) -> None:
        source = Path(shutil.copy(snapshot_of("3.6"), tmp_path / "s.db"))
        real = restore_proof.prove

        def prove(*words: Any, **named: Any) -> None:
            real(*words, **named)
            os.utime(source)

        with (
            mock.patch.object(restore_proof, "prove", prove),
            pytest.raises(EtcdtoolError, match="changed while it was read"),
        ):
            restore(source, RestoreOptions(data_dir=tmp_path / "new.etcd"))
        assert names(tmp_path) == ["s.db"]

    def test_who_is_told_may_take_the_source_away(self, tmp_path: Path) -> None:
        source = Path(shutil.copy(snapshot_of("3.6"), tmp_path / "s.db"))

        def tell(message: str, *_: object, **__: object) -> None:
            if message == "added member":
                source.unlink()

        restore(source, RestoreOptions(data_dir=tmp_path / "new.etcd"), events=mock.Mock(tell=tell))
        assert names(tmp_path) == ["new.etcd"]

    def test_room_is_asked_for_first(self, tmp_path: Path) -> None:
        with (
            mock.patch("os.statvfs", return_value=mock.Mock(f_bavail=10, f_frsize=100)),
            pytest.raises(EtcdtoolError, match="bytes are needed, and 1000 are free"),
        ):
            restore(snapshot_of("3.6"), RestoreOptions(data_dir=tmp_path / "new.etcd"))
        assert names(tmp_path) == []


class TestSources:
    def restored(self, source: Path, tmp_path: Path, *flags: str) -> dict[str, dict[bytes, bytes]]:
        target = tmp_path / "new.etcd"
        done = invoke("snapshot", "restore", source, "--data-dir", target, *flags)
        assert done.exit_code == 0, done.stderr
        return restored.buckets(target)

    def expected(self) -> dict[str, dict[bytes, bytes]]:
        return restored.buckets(samples.unpack("v3/3.6/restored.tar.gz"))

    def test_a_compressed_snapshot(self, tmp_path: Path) -> None:
        assert self.restored(samples.packed("v3/3.6/snapshot.db.gz"), tmp_path) == self.expected()

    def test_a_preallocated_database(self, tmp_path: Path) -> None:
        data = snapshot_of("3.6").read_bytes()[:-32]
        source = tmp_path / "db"
        source.write_bytes(data + bytes(1 << 20))
        assert self.restored(source, tmp_path, "--skip-hash-check") == self.expected()
        assert (tmp_path / "new.etcd" / restored.DB).stat().st_size == len(data) + (1 << 20)

    def test_a_database_with_a_persisted_freelist(self, tmp_path: Path) -> None:
        source = tmp_path / "db"
        source.write_bytes(with_freelist(snapshot_of("3.6").read_bytes()[:-32]))
        assert self.restored(source, tmp_path, "--skip-hash-check") == self.expected()

    def test_a_data_dir_needs_the_flag(self, tmp_path: Path) -> None:
        source = samples.unpack("v3/3.6/data.tar.gz")
        done = invoke("snapshot", "restore", source, "--data-dir", tmp_path / "new.etcd")
        assert (done.exit_code, "snapshot missing hash" in done.stderr) == (1, True)
        assert self.restored(source, tmp_path, "--skip-hash-check")["members"] == self.expected()["members"]

    @pytest.mark.parametrize(("content", "words"), [(b"", "an empty file"), (b"{}", "JSON text")])
    def test_no_database(self, content: bytes, words: str, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(content)
        done = invoke("snapshot", "restore", tmp_path / "file", "--data-dir", tmp_path / "new.etcd")
        assert (done.exit_code, words in done.stderr, names(tmp_path)) == (1, True, ["file"])


class TestVersions:
    def meta(self, version: str, tmp_path: Path, source: str = "3.7") -> dict[str, dict[bytes, bytes]]:
        target = tmp_path / version
        words = ("--data-dir", target, "--for-version", version)
        done = invoke("snapshot", "restore", snapshot_of(source), *words)
        assert done.exit_code == 0, done.stderr
        return restored.buckets(target)

    @pytest.mark.parametrize(
        ("version", "storage", "has_term"),
        [("3.4", None, False), ("3.5", None, True), ("3.6", b"3.6.0", True), ("3.7", b"3.7.0", True)],
    )
    def test_later_data_are_brought_down(
        self, version: str, storage: bytes | None, has_term: bool, tmp_path: Path
    ) -> None:
        found, real = self.meta(version, tmp_path), restored.buckets(samples.unpack("v3/3.7/restored.tar.gz"))
        assert found["meta"].get(b"storageVersion") == storage
        assert (b"term" in found["meta"], b"confState" in found["meta"]) == (has_term, has_term)
        assert found["cluster"] == {b"clusterVersion": f"{version}.0".encode()}
        unchanged = found.keys() - {"meta", "cluster"}
        assert {name: found[name] for name in unchanged} == {name: real[name] for name in unchanged}

    def test_earlier_data_are_left_to_the_server(self, tmp_path: Path) -> None:
        assert self.meta("3.7", tmp_path, source="3.5") == self.meta("3.5", tmp_path, source="3.5")

    def test_a_version_that_nobody_knows(self, tmp_path: Path) -> None:
        data = snapshot_of("3.7").read_bytes()[:-32]
        transaction = Transaction(Image.open(memoryview(data)))
        transaction.put(b"meta", b"storageVersion", b"3.8.0")
        (tmp_path / "db").write_bytes(applied(data, transaction.commit()))
        words = ("--skip-hash-check", "--for-version", "3.7", "--data-dir", tmp_path / "new.etcd")
        done = invoke("snapshot", "restore", tmp_path / "db", *words)
        assert (done.exit_code, names(tmp_path)) == (1, ["db"])
        assert "storage version 3.8.0 is not known" in done.stderr


class TestSimulate:
    @pytest.mark.parametrize("name", ["v3/3.4/snapshot.db.gz", "v3/3.7/snapshot.db.gz", "v3-extra/3.6/empty.db.gz"])
    def test_a_good_one(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = samples.unpack(name)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        plain = invoke("verify", source, "-w", "json")
        done = invoke("verify", source, "--simulate-restore", "-w", "json")
        assert (done.exit_code, names(tmp_path)) == (0, [])
        assert done.stdout == plain.stdout

    def test_a_damaged_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = samples.unpack("damaged/snapshots/leaf-page-zeroed+sealed.db.gz")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        done = invoke("snapshot", "verify", source, "--simulate-restore")
        assert (done.exit_code, names(tmp_path)) == (3, [])
        assert "restore.refused" in done.stdout

    def test_what_is_wrong_with_the_restored_one_is_told(self, tmp_path: Path) -> None:
        def check(folder: Path) -> Report:
            assert names(folder / "member") == ["snap", "wal"]
            where = str(folder / "member/snap/db")
            return Report([Finding(code="a.b", severity=kind, where=where, detail="x") for kind in Severity])

        with open_database(snapshot_of("3.7")) as database:
            found = simulate(database, check=check).findings
        assert [finding.severity for finding in found] == [Severity.ERROR, Severity.WARNING]
        assert {finding.where for finding in found} == {f"{database.name}, restored/member/snap/db"}

    def test_a_raw_database_needs_no_flag(self, tmp_path: Path) -> None:
        source = tmp_path / "db"
        source.write_bytes(snapshot_of("3.7").read_bytes()[:-32])
        assert invoke("verify", source, "--simulate-restore").exit_code == 0
