"""The real data in samples/: unpacked once a session, with what real servers and tools answered about them."""

from __future__ import annotations

import atexit
import gzip
import hashlib
import json
import shutil
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import IO, Any

SAMPLES_DIR = Path(__file__).resolve().parents[2] / "samples"
_CHUNK_SIZE = 1 << 16
_ZEROS = bytes(_CHUNK_SIZE)
_as_unpacked: dict[Path, tuple[int, int]] = {}


def packed(name: str) -> Path:
    """Give a sample as it lies in the repository: ``packed("v3/3.6/snapshot.db.gz")``."""
    return SAMPLES_DIR / name


@cache
def unpack(name: str) -> Path:
    """Unpack a sample and give the data dir (of a .tar.gz) or the file (of a .gz); made once, so leave it unchanged.

    Holes of preallocated WAL files stay holes. What writes into its input gets `fresh` instead.
    """
    path = _unpack(name, _session_dir() / name.replace("/", "@"))
    _as_unpacked.update(_states(path))
    return path


def fresh(name: str, folder: Path) -> Path:
    """Unpack a sample into a folder of the test's own, for programs that write into what they read."""
    return _unpack(name, folder)


@cache
def expected(folder: str) -> dict[str, Any]:
    """Give what real programs answered: ``expected("v2-rich/3.4")``; treat it as read-only."""
    return dict(json.loads((SAMPLES_DIR / folder / "expected.json").read_text(encoding="utf-8")))


@cache
def load(name: str) -> Any:
    """Give a recorded ``.json`` or ``.json.gz``, parsed; treat it as read-only."""
    data = packed(name).read_bytes()
    return json.loads(gzip.decompress(data) if name.endswith(".gz") else data)


def hashes(path: Path) -> dict[str, str]:
    """Give relative path -> sha256 of every file in a folder (or of one file), to prove that nothing changed."""
    if path.is_file():
        return {path.name: sha256(path)}
    return {str(file.relative_to(path)): sha256(file) for file in sorted(path.rglob("*")) if file.is_file()}


def sha256(path: Path) -> str:
    """Give the sha256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_SIZE):
            digest.update(chunk)
    return digest.hexdigest()


def changed() -> list[str]:
    """Give the files of shared samples that a test has changed, which spoils every test after it."""
    return [str(path) for path, state in _as_unpacked.items() if not path.exists() or _state(path) != state]


def archives(folder: str = "") -> list[str]:
    """Give the names of every data dir in samples/ (or in a folder of it), sorted."""
    return sorted(str(path.relative_to(SAMPLES_DIR)) for path in (SAMPLES_DIR / folder).rglob("*.tar.gz"))


def databases(folder: str = "") -> list[str]:
    """Give the names of every snapshot file in samples/ (or in a folder of it), sorted."""
    return sorted(str(path.relative_to(SAMPLES_DIR)) for path in (SAMPLES_DIR / folder).rglob("*.db.gz"))


def _unpack(name: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    source = packed(name)
    if name.endswith(".tar.gz"):
        return _unpack_archive(source, folder)
    target = folder / source.name.removesuffix(".gz")
    with gzip.open(source) as stream:
        _write_sparse(stream, target)
    return target


def _unpack_archive(source: Path, folder: Path) -> Path:
    with tarfile.open(source) as archive:
        members = archive.getmembers()
        for member in members:
            path = folder / member.name
            if member.isdir():
                path.mkdir()
            else:
                stream = archive.extractfile(member)
                assert stream is not None, f"{member.name} is no file"
                with stream:
                    _write_sparse(stream, path)
            path.chmod(member.mode)
        return folder / members[0].name.split("/", 1)[0]


def _write_sparse(stream: IO[bytes], path: Path) -> None:
    """Write a stream, leaving out blocks of zeros: a WAL of 64 MB is mostly that."""
    size = 0
    with path.open("xb") as file:
        while chunk := stream.read(_CHUNK_SIZE):
            size += len(chunk)
            if chunk == _ZEROS[: len(chunk)]:
                file.seek(size)
            else:
                file.write(chunk)
        file.truncate(size)


def _states(path: Path) -> dict[Path, tuple[int, int]]:
    return {file: _state(file) for file in (path, *path.rglob("*"))}


def _state(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


@cache
def _session_dir() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="etcdtool-samples-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
