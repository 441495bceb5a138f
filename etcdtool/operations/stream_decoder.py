"""A decoder of the user's for the entries of a log: hex lines go in, a line ``STATUS|DECODED`` comes out for each.

Upstream: ``listEntriesType`` and ``parseDecoderOutput`` of ``tools/etcd-dump-logs/main.go`` @ v3.5.33, v3.6.14 and
v3.7.1 (the same in all), which writes a line and waits for its answer.  Here writing and reading go on side by side:
no full pipe can stop both, and a decoder may answer as late as it wants, at the end of its input too.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self, TypeVar

from etcdtool.errors import EtcdtoolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

__all__ = ["Decoded", "StreamDecoder"]

Shown = TypeVar("Shown")

_LINE_SIZE_MAX = 64 << 20
_TIMES_LONGER_MAX = 8
_CHUNK_SIZE = 1 << 16
_TICK_SECONDS = 1.0
_END_SECONDS = 1.0
_STOPPING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_ONE_A_LINE = "A decoder has to write one line STATUS|DECODED for each line that it reads."
_PERHAPS_WRONG = f"{_ONE_A_LINE} What is printed may stand beside the wrong entries."


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a decoder said of an entry.

    Attributes:
        line: as it was written, without the line feed.
    """

    line: bytes

    @property
    def status(self) -> bytes | None:
        """What stands before the first ``|``; None without one."""
        status, bar, _ = self.line.partition(b"|")
        return status if bar else None

    @property
    def data(self) -> bytes:
        """What stands behind the first ``|``; all of it without one."""
        _, bar, data = self.line.partition(b"|")
        return data if bar else self.line


class StreamDecoder:
    """A decoder that is running, until the end of the ``with`` block and no longer.

    Args:
        command: the executable and its arguments, with a space between them: no shell reads it.
        silence_seconds: how long it may neither read nor write; 0: for ever.
        on_stderr: gets the lines of its stderr, without line feeds.

    Raises:
        UsageError: at the beginning of the block: no executable is named.
        EtcdtoolError: likewise: it cannot be started.
    """

    def __init__(self, command: str, *, silence_seconds: float, on_stderr: Callable[[bytes], None]) -> None:
        self._words = command.split(" ")
        self._silence_seconds = silence_seconds
        self._on_stderr = on_stderr
        self._unsent = bytearray()
        self._answers, self._complaints = _Lines(), _Lines()
        self._answer_size_max = _LINE_SIZE_MAX
        self._input_is_open = True
        self._deadline = 0.0
        self._selector = selectors.PollSelector()
        self._cleanup = contextlib.ExitStack()
        self._cleanup.callback(self._selector.close)

    def __enter__(self) -> Self:
        try:
            with _signals_held():  # between the start and the note of it nothing would end the decoder
                self._process = _started(self._words)
                self._stdin, self._stdout, self._stderr = _pipes(self._process)
                for pipe in (self._stdin, self._stdout, self._stderr):
                    self._cleanup.callback(pipe.close)
                self._cleanup.callback(_end, self._process)
                os.set_blocking(self._stdin.fileno(), False)
                self._selector.register(self._stdin, selectors.EVENT_WRITE)
                self._selector.register(self._stdout, selectors.EVENT_READ)
                self._selector.register(self._stderr, selectors.EVENT_READ)
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def decode(self, questions: Iterable[tuple[int, bytes, Shown]]) -> Iterator[tuple[Shown, Decoded]]:
        """Yield what is said of each entry, as it comes.

        Args:
            questions: index, data, and what is given back beside the answer; taken as the decoder reads on.

        Raises:
            EtcdtoolError: it did not write a line for each, did not end well, or was silent for too long.
        """
        coming = iter(questions)
        unanswered: deque[tuple[int, Shown]] = deque()
        answered = 0
        self._be_patient()
        while self._selector.get_map():
            self._take_in(coming, unanswered)
            for line in self._heard():
                if not unanswered:
                    raise EtcdtoolError(
                        f"the decoder wrote more lines than it was given ({answered})", hint=_PERHAPS_WRONG
                    )
                yield unanswered.popleft()[1], Decoded(line)
                answered += 1
                self._be_patient()  # whoever takes the answers may have taken long
        missing = unanswered[0][0] if unanswered else next((index for index, *_ in coming), None)
        self._check_end(answered, missing)

    def _be_patient(self) -> None:
        self._deadline = time.monotonic() + self._silence_seconds

    def _take_in(self, coming: Iterator[tuple[int, bytes, Shown]], unanswered: deque[tuple[int, Shown]]) -> None:
        """Have something to send, or close its input."""
        while self._input_is_open and len(self._unsent) < _CHUNK_SIZE:
            question = next(coming, None)
            if question is None:
                if not self._unsent:
                    self._close_input()
                return
            index, data, shown = question
            self._unsent += data.hex().encode() + b"\n"
            self._answer_size_max = max(self._answer_size_max, _TIMES_LONGER_MAX * len(data))
            unanswered.append((index, shown))

    def _close_input(self) -> None:
        self._input_is_open = False
        self._selector.unregister(self._stdin)
        self._stdin.close()

    def _heard(self) -> Iterator[bytes]:
        """Wait until something happens, and yield the lines of its stdout."""
        for pipe in self._ready():
            if pipe is self._stdin:
                self._send()
            elif pipe is self._stdout:
                self._be_patient()
                yield from self._read(self._stdout, self._answers)
                if len(self._answers.begun) > self._answer_size_max:
                    raise EtcdtoolError(
                        f"the decoder wrote a line of more than {self._answer_size_max >> 20} MiB", hint=_ONE_A_LINE
                    )
            else:
                for line in self._read(self._stderr, self._complaints):
                    self._on_stderr(line)
                if len(self._complaints.begun) > _CHUNK_SIZE:
                    self._on_stderr(self._complaints.rest())

    def _ready(self) -> list[object]:
        """Return the pipes that something can be done with; none: look again."""
        wait_seconds = _TICK_SECONDS
        if self._silence_seconds:
            wait_seconds = max(0.0, min(self._deadline - time.monotonic(), _TICK_SECONDS))
        found: list[object] = [key.fileobj for key, _ in self._selector.select(wait_seconds)]
        if found and found != [self._stderr]:
            return found
        if not found and self._process.poll() is not None:  # something that it started holds its pipes
            for key in list(self._selector.get_map().values()):
                self._selector.unregister(key.fileobj)
            self._input_is_open = False
        elif self._silence_seconds and time.monotonic() >= self._deadline:  # complaints are no work
            raise self._silent()
        return found

    def _silent(self) -> EtcdtoolError:
        return EtcdtoolError(
            f"the decoder neither reads, writes nor ends, for {self._silence_seconds:g} s now",
            hint="--decoder-timeout says how long to wait.",
        )

    def _send(self) -> None:
        if not self._unsent:
            return
        try:
            sent = os.write(self._stdin.fileno(), bytes(self._unsent[:_CHUNK_SIZE]))
        except BlockingIOError:
            return
        except BrokenPipeError:  # it reads no more; what it has written may still be on its way
            self._close_input()
            return
        del self._unsent[:sent]
        self._be_patient()

    def _read(self, pipe: IO[bytes], lines: _Lines) -> list[bytes]:
        chunk = os.read(pipe.fileno(), _CHUNK_SIZE)
        if chunk:
            return lines.add(chunk)
        self._selector.unregister(pipe)
        return [lines.rest()] if lines.begun else []

    def _check_end(self, answered: int, missing: int | None) -> None:
        try:
            status = self._process.wait(self._silence_seconds or None)
        except subprocess.TimeoutExpired:
            raise self._silent() from None
        how = f" with exit status {status}" if status > 0 else f" by signal {-status}" if status < 0 else ""
        if missing is not None:
            raise EtcdtoolError(
                f"the decoder ended{how}, and gave no line for the entry of index {missing} (lines before: {answered})",
                hint=_PERHAPS_WRONG if answered else _ONE_A_LINE,
            )
        if how:
            raise EtcdtoolError(
                f"the decoder ended{how}, after a line for each entry",
                hint="What it wrote is printed; see what it says on stderr.",
            )


class _Lines:
    """Chunks of a stream, as lines."""

    def __init__(self) -> None:
        self.begun = bytearray()

    def add(self, chunk: bytes) -> list[bytes]:
        """Return the lines that a chunk completes."""
        end = chunk.rfind(b"\n")
        if end < 0:
            self.begun += chunk
            return []
        lines = (self.rest() + chunk[:end]).split(b"\n")
        self.begun += chunk[end + 1 :]
        return lines

    def rest(self) -> bytes:
        """Return the line that has no end yet, as if it ended here."""
        line = bytes(self.begun)
        self.begun.clear()
        return line


def _started(words: list[str]) -> subprocess.Popen[bytes]:
    if not words[0]:
        raise UsageError("--stream-decoder names no executable", hint="Its words are split at each single space.")
    pipe = subprocess.PIPE
    try:
        # in a session of its own: what it starts can be ended with it, and only by us
        return subprocess.Popen(  # noqa: S603  the user names it, and no shell reads it
            words, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise EtcdtoolError(
            f"the decoder {words[0]!r} cannot be started: {reason}",
            hint="Give an executable by path, or by name if it is in PATH; arguments follow behind single spaces, "
            "without quotes: no shell reads them.",
        ) from None


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin is not None
    assert stdout is not None
    assert stderr is not None
    return stdin, stdout, stderr


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Have signals that stop the program come after the block; only the main thread is ever stopped by one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[signal.Signals, FrameType | None]] = []
    held = {number: handler for number in _STOPPING if callable(handler := signal.getsignal(number))}
    for number in held:
        signal.signal(number, lambda came_number, frame: came.append((signal.Signals(came_number), frame)))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
    for number, frame in came:
        held[number](number, frame)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
            return
