"""Damages real files through the front door, one fault after the other: ``byte_faults.py SEED COUNT``.

A script, so that a limit to memory and an alarm clock can be set on it.  Each fault is in a private copy of a sample,
and taken back afterwards.  A fault may be refused by one of our errors; what is read in spite of it must be what is
read from the undamaged sample, or there must be a finding.  Prints one JSON object: how the faults ended.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import faults, samples
from support.mutations import mutated

from etcdtool.errors import EtcdtoolError
from etcdtool.findings import Severity
from etcdtool.operations.read_v2 import ReadOptions, TailPolicy, read_v2
from etcdtool.operations.status import status
from etcdtool.operations.verify import verify
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_MAX = 4 << 30
SECONDS_MAX = 20
_TAIL_SPARED = 4 << 20
_WEIGHTS = {".wal": 6, ".snap": 3, ".db": 1, "": 1}


class Subject:
    """A sample to damage: a data dir or a snapshot file, and what is read from it undamaged."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.is_dir = name.endswith(".tar.gz")
        source = samples.unpack(name)
        self.path = folder / name.replace("/", "@").removesuffix(".gz")
        faults.copy_dir(source, self.path) if self.is_dir else faults.copy_sparse(source, self.path)
        self.files = [path for path in self._all_files() if path.stat().st_size and path.suffix in _WEIGHTS]
        self.read: Callable[[], Any] = self._read_v2 if self.is_dir and self._holds_v2() else self._read_v3
        self.good, _ = self.read()

    def _all_files(self) -> list[Path]:
        return [path for path in sorted(self.path.rglob("*")) if path.is_file()] if self.is_dir else [self.path]

    def _holds_v2(self) -> bool:
        try:
            return bool(self._read_v2()[0])
        except EtcdtoolError:
            return False

    def _read_v2(self) -> tuple[Any, bool]:
        with read_v2([self.path], ReadOptions(tail=TailPolicy.APPLY)) as data:
            rows = [(n.path, n.value, n.created_index, n.modified_index, own) for n, own in data.rows()]
            return rows, any(finding.severity is not Severity.NOTE for finding in data.report.findings)

    def _read_v3(self) -> tuple[Any, bool]:
        with open_database(self.path) as database:
            report = verify(database)
            found = status(database)
            return (found.hash, found.revision, found.total_key), bool(report.findings)


def damage_once(subject: Subject, rng: random.Random) -> str:
    """Damage one file of a sample, read it, and put the file back; gives how it ended."""
    weights = [_WEIGHTS[path.suffix] for path in subject.files]
    (path,) = rng.choices(subject.files, weights)
    if subject.is_dir and subject.read == subject._read_v3:
        path = next((file for file in subject.files if file.name == "db"), path)
    size, data = path.stat().st_size, _content(path)
    kept = rng.random() < 0.9  # mostly the file keeps its size, as damage on a disk does
    changed = _same_size(data, rng) if kept else mutated(data, rng)
    path.write_bytes(changed)
    if kept and len(changed) <= size:
        with path.open("r+b") as file:
            file.truncate(size)
    place = next((at for at, (old, new) in enumerate(zip(data, changed, strict=False)) if old != new), len(changed))
    signal.alarm(SECONDS_MAX)
    try:
        found, is_told = subject.read()
    except EtcdtoolError:
        return "refused"
    except BaseException as error:
        raise AssertionError(f"{subject.name}: {path.name} damaged at {place}: {error!r}") from error
    finally:
        signal.alarm(0)
        path.write_bytes(data)
        with path.open("r+b") as file:
            file.truncate(size)
    if found == subject.good:
        return "the same, told" if is_told else "the same"
    if is_told:
        return "another result, told"
    if not kept:
        return "cut clean"  # bytes that went away without a trace: nothing can tell
    raise AssertionError(f"{subject.name}: {path.name} damaged at {place}: another result and not a word of it")


def _content(path: Path) -> bytes:
    """Read a file without the zeros at its end."""
    with path.open("rb") as file:
        return file.read(_TAIL_SPARED).rstrip(b"\0") if path.suffix == ".wal" else file.read()


def _same_size(data: bytes, rng: random.Random) -> bytes:
    image = bytearray(data)
    at = rng.randrange(len(image))
    match rng.randrange(5):
        case 0 | 1:
            image[at] ^= 1 << rng.randrange(8)
        case 2:
            image[at] = rng.randrange(256)
        case 3:
            image[at : at + 8] = rng.randbytes(8)
        case 4:
            at -= at % 512
            image[at : at + 512] = bytes(512)
    return bytes(image[: len(data)])


def _late(*_: object) -> None:
    raise TimeoutError


def names() -> list[str]:
    """Give every sample that is worth damaging: large ones cost time and have nothing that small ones have not."""
    dirs = [name for name in samples.archives() if not name.startswith(("damaged/", "v2-multiwal", "v2-rich/3.2"))]
    return [*dirs, *(name for name in samples.databases() if not name.startswith(("damaged/", "k8s")))]


def main(seed: int, count: int) -> None:
    """Spread the faults over all samples."""
    signal.signal(signal.SIGALRM, _late)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    rng = random.Random(seed)
    ends: Counter[str] = Counter()
    chosen = names()
    rng.shuffle(chosen)
    with tempfile.TemporaryDirectory(prefix="etcdtool-faults-") as folder:
        for number, name in enumerate(chosen):
            share = count * (number + 1) // len(chosen) - count * number // len(chosen)
            if share:
                subject = Subject(name, Path(folder))
                ends.update(damage_once(subject, rng) for _ in range(share))
    print(json.dumps(ends))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
