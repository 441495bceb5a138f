"""``snapshot restore --level quick``: the same data dir, less looked at, and what that was is said."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import restored, samples
from support.bbolt_files import applied
from support.cli import invoke

from etcdtool.formats.bbolt.cursor import root_buckets
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.transaction import Transaction
from etcdtool.formats.digest import sha256_of
from etcdtool.model.revision import pack_revision

if TYPE_CHECKING:
    from pathlib import Path

    from support.cli import Outcome

LEFT_OUT = ("bucket key", "history of the keys", "leases of the keys")


def snapshot() -> Path:
    return samples.unpack("v3/3.7/snapshot.db.gz")


def sealed(path: Path, data: bytes) -> Path:
    digest = sha256_of(memoryview(data))
    assert digest is not None
    path.write_bytes(data + digest)
    return path


def restore(source: Path, target: Path, *words: str) -> Outcome:
    return invoke("snapshot", "restore", source, "--data-dir", target, *words)


def test_it_makes_the_same(tmp_path: Path) -> None:
    for level in ("quick", "full"):
        done = restore(snapshot(), tmp_path / level, "--level", level)
        assert done.exit_code == 0
        assert all((f'"{name}": "' in done.stderr) == (level == "quick") for name in LEFT_OUT)
        assert ("not everything was checked" in done.stderr) == (level == "quick")
        assert "sha256" not in done.stderr
    for facts in (restored.buckets, restored.log, restored.snapshot):
        assert facts(tmp_path / "quick") == facts(tmp_path / "full")


@pytest.mark.parametrize("level", ["quick", "full"])
def test_a_changed_byte_is_found(level: str, tmp_path: Path) -> None:
    data = bytearray(snapshot().read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "changed.db").write_bytes(data)
    done = restore(tmp_path / "changed.db", tmp_path / "out", "--level", level)
    assert (done.exit_code, "expected sha256" in done.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["changed.db"]


@pytest.mark.parametrize("level", ["quick", "full"])
def test_a_damaged_page_is_found(level: str, tmp_path: Path) -> None:
    data = bytearray(snapshot().read_bytes()[:-32])
    image = Image.open(memoryview(bytes(data)))
    data[root_buckets(image)[b"key"].root * image.page_size] ^= 1  # its own id
    done = restore(sealed(tmp_path / "damaged.db", bytes(data)), tmp_path / "out", "--level", level)
    assert (done.exit_code, "bbolt.page-id" in done.stderr) == (1, True)
    assert not (tmp_path / "out").exists()


def test_only_full_reads_records(tmp_path: Path) -> None:
    data = snapshot().read_bytes()[:-32]
    transaction = Transaction(Image.open(memoryview(data)))
    transaction.put(b"key", pack_revision(1 << 40, 0), b"no record")
    source = sealed(tmp_path / "damaged.db", applied(data, transaction.commit()))
    quick = restore(source, tmp_path / "quick", "--level", "quick")
    full = restore(source, tmp_path / "full")
    assert (quick.exit_code, full.exit_code) == (0, 1)
    assert "revisions." in full.stderr
    assert not (tmp_path / "full").exists()
    planned = [invoke("snapshot", "restore", source, "--dry-run", "--level", level) for level in ("quick", "full")]
    assert [one.exit_code for one in planned] == [0, 1]
    assert "not everything was checked" in planned[0].stderr


def test_changes_that_read_every_key_are_refused(tmp_path: Path) -> None:
    done = restore(snapshot(), tmp_path / "out", "--level", "quick", "--drop-lease-orphans")
    assert (done.exit_code, "--level full" in done.stderr) == (128, True)
    assert not (tmp_path / "out").exists()


def test_what_checks_the_copy_is_imported_while_it_is_made() -> None:
    code = "import sys, etcdtool.cli.snapshot_restore; print({'numpy', 'google.protobuf'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
