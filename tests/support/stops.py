"""Commands stopped at each system call by which they change files, and on disks that fill up: what is there afterwards.

A `Scenario` says how to make fresh inputs, what the command is, and how to judge what a stop left.  `sweep` stops the
command at every n-th point and has each state judged that is not the untouched old one: every state once, since many
stops leave the same.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from support.faults import copy_dir
from support.system_calls import NAMES, SIZES, SYNCS, TAKES_SPACE, WRITES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.system_calls import Call
    from support.zygote import Zygote

KILLED = -9
FAILED = 1
FULL_DISKS = 20
_HIDDEN = re.compile(r"\..*\.(etcdtool-)?partial")
_RANDOM = re.compile(r"\.[0-9a-f]{8}\.(?=(etcdtool-)?partial)")
_TIME = re.compile(r"\.before-([a-z-]+)-\d{8}T\d{6}Z(-\d+)?")
_CHUNK_SIZE = 1 << 16

State = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A command, and what stops of it are judged by.

    Attributes:
        inputs: puts fresh inputs into an empty folder, the same every time.
        command: gives the command line for such a folder.
        targets: what the command makes or changes, names in that folder; all else in there stays as it was.
        judge: is given a copy of a folder whose state is not the untouched old one, and raises if that is not good.
        close: gives back what the scenario holds.
        rests_are_judged: whether the old one with a hidden rest beside it is judged, too.
    """

    inputs: Callable[[Path], object]
    command: Callable[[Path], list[object]]
    targets: tuple[str, ...]
    judge: Callable[[Path], object]
    close: Callable[[], object] = lambda: None
    rests_are_judged: bool = False


@dataclass(slots=True)
class Coverage:
    """What a sweep went through; `points` lie between the first byte written and the last name given."""

    points: int = 0
    stopped: set[int] = field(default_factory=set)
    beyond: int = 0
    halves: int = 0
    full: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        return len(self.stopped) / self.points

    @property
    def kills(self) -> int:
        return len(self.stopped) + self.beyond + self.halves

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} at {kind}" for kind, count in sorted(self.kinds.items()))
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        return (
            f"{len(self.stopped)} of {self.points} points between first byte and last name ({self.share:.0%}), "
            f"{self.beyond} outside, {self.halves} in the middle of a write: {self.kills} kills ({kinds}), "
            f"{self.full} full disks; left: {states}"
        )


def sweep(
    scenario: Scenario, zygote: Zygote, folder: Path, *, every: int = 1, full_disks: int = FULL_DISKS
) -> Coverage:
    """Stop a command at every n-th system call, and fill the disk at so many points.

    Args:
        scenario: the command.
        zygote: that runs it.
        folder: an empty one.
        every: n.
        full_disks: how many points, spread over all calls that need space.
    """
    try:
        return _Sweep(scenario, zygote, folder, every).run(full_disks)
    finally:
        scenario.close()


class _Sweep:
    def __init__(self, scenario: Scenario, zygote: Zygote, folder: Path, every: int) -> None:
        self._scenario, self._zygote, self._folder, self._every = scenario, zygote, folder, every
        self.coverage = Coverage()
        self._judged: set[str] = set()
        self._old: State = {}
        self._new: State = {}

    def run(self, full_disks: int) -> Coverage:
        calls = self._whole()
        first = next(number for number, call in enumerate(calls, 1) if call.name in WRITES)
        last = max(number for number, call in enumerate(calls, 1) if call.name in NAMES)
        self.coverage.points = last - first + 1
        for number in range(1, len(calls) + 1, self._every):
            call = calls[number - 1]
            self._stop(number, "kill", call)
            if first <= number <= last:
                self.coverage.stopped.add(number)
            else:
                self.coverage.beyond += 1
            if call.name in WRITES and call.size > 1:
                self._stop(number, "half", call)
                self.coverage.halves += 1
        wanting = [number for number, call in enumerate(calls, 1) if call.name in TAKES_SPACE | SYNCS]
        chosen = {wanting[at * len(wanting) // full_disks] for at in range(full_disks)} if full_disks else set()
        for number in sorted(chosen):
            self._stop(number, "full", calls[number - 1])
        return self.coverage

    def _whole(self) -> list[Call]:
        """Run it to its end; gives its calls."""
        folder, line = self._fresh("whole")
        self._old = _contents(folder)
        watched, said = self._zygote.watch(line, under=folder)
        assert watched.code == 0, said
        self._new = _contents(folder)
        assert _visible(self._new) == self._new, "it left a hidden rest"
        assert self._new != self._old, "it changed nothing"
        self._check_inputs(self._new)
        self._judge(folder)
        shutil.rmtree(folder)
        return watched.calls

    def _stop(self, number: int, how: str, call: Call) -> None:
        folder, line = self._fresh(f"{how} {number} {call.name}")
        watched, said = self._zygote.watch(line, under=folder, stop=number, how=how)
        try:
            if how == "full":
                self._check_full(folder, watched.code, said, call)
            else:
                # the work of threads has not always the same number of calls
                assert watched.code == (KILLED if len(watched.calls) >= number else 0)
                self.coverage.kinds[_kind(call.name)] += 1
                self._check_killed(folder)
        except BaseException as error:
            error.add_note(f"{how} at call {number}, {call}; {said[-2000:]}")
            raise
        shutil.rmtree(folder)

    def _check_full(self, folder: Path, code: int, said: str, call: Call) -> None:
        state = _contents(folder)
        if code == 0:  # a sync ahead of time may fail, and writing ahead of need
            assert call.name in SYNCS
            assert state == self._new
        else:
            assert code == FAILED
            assert "no space left on device" in said
            assert state == self._old, "a failure leaves everything as it was, and nothing behind"
        self.coverage.full += 1

    def _check_killed(self, folder: Path) -> None:
        state = _contents(folder)
        visible = _visible(state)
        is_old, has_rest = visible == self._old, len(visible) != len(state)
        self._check_inputs(state)
        name = "old" if is_old else "new" if visible == self._new else "between"
        self.coverage.states[name + (" with a hidden rest" if has_rest else "")] += 1
        # what is in a hidden rest matters to nobody, only that it is there
        key = _digest(visible | dict.fromkeys(state.keys() - visible.keys(), ""))
        if key in self._judged:
            return
        self._judged.add(key)
        if not is_old or (has_rest and self._scenario.rests_are_judged):
            self._judge(folder)
        if name != "new":
            self._complete(folder, is_old=is_old)

    def _judge(self, folder: Path) -> None:
        copy = copy_dir(folder, self._folder / "judged")
        try:
            self._scenario.judge(copy)
        finally:
            shutil.rmtree(copy)

    def _complete(self, folder: Path, *, is_old: bool) -> None:
        """The next run takes away what the stopped one left, and does all of it."""
        watched, said = self._zygote.watch(self._scenario.command(folder), under=folder)
        assert watched.code == 0, said
        state = _contents(folder)
        assert state == _visible(state), "the next run left a hidden rest"
        if is_old:
            assert state == self._new
        elif state != self._new:
            self._judge(folder)

    def _check_inputs(self, state: State) -> None:
        """What is beside the targets is as it was, byte for byte."""
        assert self._beside(_visible(state)) == self._beside(self._old)

    def _beside(self, state: State) -> State:
        return {name: state[name] for name in state if name.partition("/")[0] not in self._scenario.targets}

    def _fresh(self, name: str) -> tuple[Path, list[object]]:
        folder = self._folder / name
        folder.mkdir()
        self._scenario.inputs(folder)
        return folder, self._scenario.command(folder)


def _contents(folder: Path) -> State:
    """Give what is in a folder: modes and hashes by name, without what is random or a time in names."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = _TIME.sub(r".before-\1-TIME", _RANDOM.sub(".RANDOM.", str(path.relative_to(folder))))
        found[name] = f"{path.lstat().st_mode:o} {_hash(path) if path.is_file() else ''}"
    return found


def _visible(state: State) -> State:
    return {name: state[name] for name in state if not any(_HIDDEN.fullmatch(one) for one in name.split("/"))}


def _hash(path: Path) -> str:
    """Hash a file by its size and what is not zero in it: a WAL of 64 MB is mostly a hole."""
    digest = hashlib.sha256(str(path.stat().st_size).encode())
    with path.open("rb") as file:
        end = path.stat().st_size
        at = 0
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                break
            at -= at % _CHUNK_SIZE
            chunk = os.pread(file.fileno(), _CHUNK_SIZE, at)
            if chunk.strip(b"\0"):
                digest.update(b"%d " % at + chunk)
            at += _CHUNK_SIZE
    return digest.hexdigest()


def _digest(state: State) -> str:
    return hashlib.sha256(repr(sorted(state.items())).encode()).hexdigest()


def _kind(name: str) -> str:
    for kind, names in (("writes", WRITES), ("syncs", SYNCS), ("names", NAMES), ("sizes", SIZES)):
        if name in names:
            return kind
    return "others"
