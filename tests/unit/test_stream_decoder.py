"""``wal dump --stream-decoder``: what is handed to the user's program, what is shown of it, and how it may fail."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from support import samples
from support.cli import invoke

from etcdtool.errors import EtcdtoolError
from etcdtool.operations.stream_decoder import Decoded, StreamDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

V3 = "v3/3.6/data.tar.gz"
LINES_READ = "import sys\nlines = iter(sys.stdin.buffer.readline, b'')\nout = sys.stdout.buffer\n"
ECHO = "for line in lines:\n    out.write(b'OK|' + line)\n    out.flush()\n"


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Make a decoder of a few lines of Python, that leaves its pid; gives its path."""

    def make(body: str) -> str:
        path = tmp_path / "decoder"
        note = f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        path.write_text(f"#!{sys.executable} -S\n{note}{LINES_READ}{body}")
        path.chmod(0o755)
        return str(path)

    return make


def dumped(*words: object) -> list[dict[str, Any]]:
    done = invoke("wal", "dump", samples.unpack(V3), *words, "-w", "json")
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def gone(tmp_path: Path) -> bool:
    """Tell whether the decoder's process is ended and no zombie either."""
    noted = tmp_path / "pid"
    if not noted.is_file() or not noted.read_text():
        return True  # ended before it came so far, on a busy machine
    try:
        os.kill(int(noted.read_text()), 0)
    except ProcessLookupError:
        return True
    return False


def decoded(command: str, questions: Sequence[bytes], *, seconds: float = 20) -> tuple[list[Decoded], list[bytes]]:
    """Give the answers, and what it wrote on stderr."""
    complaints: list[bytes] = []
    with StreamDecoder(command, silence_seconds=seconds, on_stderr=complaints.append) as decoder:
        found = list(decoder.decode((index, data, index) for index, data in enumerate(questions, 1)))
    assert [index for index, _ in found] == list(range(1, len(questions) + 1))
    return [one for _, one in found], complaints


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--type", "put,txn"),
        ("--from-index", "1700", "--to-index", "1720"),
        ("--term", "1"),
        ("--type", "conf", "--from-index", "1740"),  # none
    ],
)
def test_it_gets_the_chosen_entries_and_no_more(words: tuple[str, ...], script: Any, tmp_path: Path) -> None:
    log = tmp_path / "handed"
    command = script(
        f"log = open({str(log)!r}, 'wb')\nfor line in lines:\n    log.write(line)\n    out.write(b'E|\\n')\n"
    )
    found = dumped("--stream-decoder", command, *words)
    plain = dumped("--hex", *words)
    assert log.read_text().split("\n")[:-1] == [entry.pop("hex") for entry in plain]
    assert found == [entry | {"decoder": {"status": "E", "decoded": ""}} for entry in plain]
    assert bool(found) == ("conf" not in words)


def test_its_columns_come_behind_the_entry(script: Any) -> None:
    path, words = samples.unpack(V3), ("--from-index", "1755", "--stream-decoder", script(ECHO))
    plain = invoke("wal", "dump", path, *words[:2], "--hex").stdout.splitlines()
    shown = invoke("wal", "dump", path, *words).stdout.splitlines()
    both = invoke("wal", "dump", path, *words, "--hex").stdout.splitlines()
    assert plain[-4].endswith("\ttype\tdata\thex")
    assert shown[-4].endswith("\ttype\tdata\tdecoder_status\tdecoded_data")
    for with_hex, line, all_of_it in zip(plain[-3:], shown[-3:], both[-3:], strict=True):
        entry, _, data = with_hex.rpartition("\t")
        assert line == f"{entry}\tOK\t{data}"
        assert all_of_it == f"{entry}\t{data}\tOK\t{data}"


@pytest.mark.parametrize(
    ("line", "text", "document"),
    [
        (b"OK|x", "OK\tx", {"status": "OK", "decoded": "x"}),
        (b"|", "\t", {"status": "", "decoded": ""}),
        (b"", "decoder output format is not right, print output anyway\t", {"status": None, "decoded": ""}),
        (b"x y", "decoder output format is not right, print output anyway\tx y", {"status": None, "decoded": "x y"}),
        (
            b"OK|a|b|",
            "OK(*WARNING: data might contain deliminator used by etcd-dump-logs)\tab",
            {"status": "OK", "decoded": "a|b|"},
        ),
        (
            b"\x1b[2J|\xff\ta",
            "\\x1b[2J\t\\xff\\x09a",
            {"status": "\x1b[2J", "decoded_b64": base64.b64encode(b"\xff\ta").decode()},
        ),
    ],
)
def test_a_line_as_it_is_shown(line: bytes, text: str, document: dict[str, str | None], script: Any) -> None:
    command = script(f"for line in lines:\n    out.write({line!r} + b'\\n')\n")
    words = (samples.unpack(V3), "--from-index", "1757", "--stream-decoder", command)
    done = invoke("wal", "dump", *words)
    assert done.stdout.splitlines()[-1].endswith(f" >\t{text}")
    assert ("lines of the decoder that are not STATUS|DECODED: 1" in done.stderr) == (b"|" not in line)
    assert b"\x1b" not in done.raw
    assert json.loads(invoke("wal", "dump", *words, "-w", "json").stdout)["decoder"] == document


def test_words_are_split_at_spaces_and_no_shell_reads_them(script: Any, tmp_path: Path) -> None:
    command = script("for line in lines:\n    out.write(repr(sys.argv[1:]).encode() + b'|\\n')\n")
    found, _ = decoded(f"{command} a  'b $HOME;touch {tmp_path}/x", [b""])
    assert found[0].status == repr(["a", "", "'b", "$HOME;touch", f"{tmp_path}/x"]).encode()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("for line in list(lines):\n    out.write(b'OK|' + line * 3)\n", id="at the end"),
        pytest.param(
            "for number, line in enumerate(lines):\n    out.write(b'OK|' + line[:-1] * 3 + b'\\n')\n", id="as it likes"
        ),
        pytest.param(
            "sys.stderr.write('x' * 1_000_000 + '\\n')\nsys.stderr.flush()\n"
            "for line in lines:\n    out.write(b'OK|' + line[:-1] * 3 + b'\\n')\n    out.flush()\n"
            "    sys.stderr.write('y\\n' * 9000)\n",
            id="complains",
        ),
        pytest.param(
            "for line in lines:\n    out.write(b'OK|' + line[:-1] * 3 + b'\\n')\n"
            "out.flush()\nos.close(1)\nos.close(2)\nimport time\ntime.sleep(0.3)\n",
            id="ends late",
        ),
    ],
)
def test_full_pipes_stop_nothing(body: str, script: Any, tmp_path: Path) -> None:
    questions = [bytes([number]) * (300_000 if number % 7 == 0 else number) for number in range(60)]
    command = script(body.replace("line * 3)", "line[:-1] * 3 + b'\\n')"))
    found, complaints = decoded(command, questions)
    assert [one.data for one in found] == [data.hex().encode() * 3 for data in questions]
    if "sys.stderr" in body:
        assert b"".join(complaints) == b"x" * 1_000_000 + b"y" * 9000 * len(questions)
    assert gone(tmp_path)


def test_its_last_line_may_lack_the_line_feed(script: Any) -> None:
    command = script("answers = [b'OK|' + line.strip() for line in lines]\nout.write(b'\\n'.join(answers))\n")
    assert [one.line for one in decoded(command, [b"a", b"b"])[0]] == [b"OK|61", b"OK|62"]


def test_what_it_leaves_running_is_not_waited_for(script: Any) -> None:
    child = "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\nprint(child.pid, file=sys.stderr)\n"
    started = time.monotonic()
    found, complaints = decoded(script(f"{child}{ECHO}"), [b"a"], seconds=60)
    os.kill(int(complaints[0]), signal.SIGKILL)
    assert found[0].line == b"OK|61"
    assert time.monotonic() - started < 30


FAILURES = [
    ("", "gave no line for the entry of index 1750 (lines before: 0)"),
    ("out.write(b'OK|\\n' * 2)\n", "gave no line for the entry of index 1752 (lines before: 2)"),
    ("list(lines)\nout.write(b'OK|\\n' * 7)\n", "gave no line for the entry of index 1757 (lines before: 7)"),
    ("list(lines)\nout.write(b'OK|\\n' * 9)\n", "wrote more lines than it was given (8)"),
    ("while True:\n    out.write(b'OK|\\n')\n", "wrote more lines than it was given (8)"),
    (f"{ECHO}sys.exit(7)\n", "ended with exit status 7, after a line for each entry"),
    ("next(lines)\nsys.exit(7)\n", "ended with exit status 7, and gave no line for the entry of index 1750"),
    ("os.kill(os.getpid(), 9)\n", "ended by signal 9, and gave no line for the entry of index 1750"),
    ("import time\ntime.sleep(600)\n", "neither reads, writes nor ends, for 1 s now"),
    ("list(lines)\nimport time\ntime.sleep(600)\n", "neither reads, writes nor ends"),
    (f"{ECHO}os.close(1)\nos.close(2)\nimport time\ntime.sleep(600)\n", "neither reads, writes nor ends"),
    ("while True:\n    sys.stderr.write('x\\n')\n    sys.stderr.flush()\n", "neither reads, writes nor ends"),
    ("import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(600)\n", "neither reads, writes nor ends"),
    ("while True:\n    out.write(b'x' * 65536)\n", "wrote a line of more than 64 MiB"),
]


@pytest.mark.parametrize(("body", "told"), FAILURES)
def test_one_that_fails_is_told_of_and_ended(body: str, told: str, script: Any, tmp_path: Path) -> None:
    seconds = 1 if "neither" in told else 30
    words = ("--from-index", "1750", "--stream-decoder", script(body), "--decoder-timeout", seconds)
    done = invoke("wal", "dump", samples.unpack(V3), *words)
    assert done.exit_code == 1
    error = next(line for line in done.stderr.splitlines() if line.startswith("Error: "))
    assert error.startswith("Error: the decoder ")
    assert told in error
    assert gone(tmp_path)


def test_what_came_before_it_failed_is_printed(script: Any) -> None:
    words = ("--from-index", "1750", "--stream-decoder", script("out.write(b'OK|\\n' * 2)\n"))
    simple = invoke("wal", "dump", samples.unpack(V3), *words)
    as_json = invoke("wal", "dump", samples.unpack(V3), *words, "-w", "json")
    assert (simple.exit_code, as_json.exit_code) == (1, 1)
    assert [line.endswith("\tOK\t") for line in simple.stdout.splitlines()[-3:]] == [False, True, True]
    assert [json.loads(line)["index"] for line in as_json.stdout.splitlines()] == [1750, 1751]


def test_one_that_takes_part_of_the_entries() -> None:
    """It has closed its input before all was written to it, and has answered what it read."""
    questions = [bytes(1000)] * 1000
    with pytest.raises(EtcdtoolError, match=r"no line for the entry of index 3 \(lines before: 2\)"):
        decoded("sed -u 2q", questions)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("etcdtool-no-such-decoder x", "'etcdtool-no-such-decoder' cannot be started: No such file or directory"),
        ("/", "'/' cannot be started: Permission denied"),
        ("./a\0b", "cannot be started: embedded null byte"),
    ],
)
def test_one_that_does_not_start(command: str, told: str) -> None:
    done = invoke("wal", "dump", samples.unpack(V3), "--stream-decoder", command)
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in done.stderr


def test_one_that_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("words\n")
    (tmp_path / "text").chmod(0o755)
    done = invoke("wal", "dump", samples.unpack(V3), "--stream-decoder", tmp_path / "text")
    assert (done.exit_code, "cannot be started: Exec format error" in done.stderr) == (1, True)


def test_words_that_do_not_go_together() -> None:
    path = samples.unpack(V3)
    assert "--raw prints every" in invoke("wal", "dump", path, "--raw", "--stream-decoder", "cat").stderr
    for words in (("--raw", "--stream-decoder", "cat"), ("--stream-decoder", " "), ("--stream-decoder", " cat")):
        assert invoke("wal", "dump", path, *words).exit_code == 2
    assert invoke("wal", "dump", path, "--stream-decoder", "").stdout == invoke("wal", "dump", path).stdout


def test_damage_is_told_of_beside_a_decoder_that_fails(script: Any) -> None:
    path = samples.unpack("damaged/dirs/wal-flip-middle.tar.gz")
    for body, exit_code in ((ECHO, 3), ("", 1)):
        done = invoke("wal", "dump", path, "--stream-decoder", script(body))
        assert done.exit_code == exit_code
        assert "damaged: 0000000000000000-0000000000000000.wal at 0x1590" in done.stderr


@pytest.mark.parametrize("how", ["ctrl-c", "reader gone"])
def test_it_ends_with_us(how: str, script: Any, tmp_path: Path) -> None:
    forever = "import time\ntime.sleep(600)\n" if how == "ctrl-c" else f"{ECHO}import time\ntime.sleep(600)\n"
    argv = [sys.executable, "-m", "etcdtool", "wal", "dump", str(samples.unpack(V3)), "--stream-decoder"]
    with subprocess.Popen([*argv, script(forever)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ours:
        assert ours.stdout is not None
        for _ in range(600):
            if (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text():
                break
            time.sleep(0.05)
        if how == "ctrl-c":
            ours.send_signal(signal.SIGINT)
            assert ours.wait(20) == 130
        else:
            ours.stdout.close()
            assert ours.wait(20) == 141
    assert gone(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_is_started(number: int, script: Any) -> None:
    start, started = subprocess.Popen, []
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def stopped_meanwhile(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(start(*args, **options))
        signal.raise_signal(number)
        return started[0]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    decoder = StreamDecoder(script("import time\ntime.sleep(600)\n"), silence_seconds=5, on_stderr=print)
    try:
        with (
            mock.patch(f"{StreamDecoder.__module__}.subprocess.Popen", stopped_meanwhile),
            pytest.raises(KeyboardInterrupt),
        ):
            decoder.__enter__()
    finally:
        signal.signal(signal.SIGTERM, before[signal.SIGTERM])
    assert started[0].returncode == -signal.SIGTERM
    assert {each: signal.getsignal(each) for each in before} == before


ANYTHING = """
import random, subprocess, time
rng = random.Random(SEED)
acts = [
    lambda: [out.write(b"OK|" + line) for line in [sys.stdin.buffer.readline()] if line],
    lambda: [out.write(b"OK|" + line) for line in lines],
    lambda: sys.stdin.buffer.readline(),
    lambda: out.write(rng.randbytes(rng.choice([1, 100, 100_000]))),
    lambda: out.write(b"E|\\n" * rng.choice([1, 5])),
    lambda: os.write(2, rng.randbytes(rng.choice([1, 100_000]))),
    lambda: out.flush(),
    lambda: os.close(rng.choice([0, 1, 2])),
    lambda: time.sleep(0.1),
    lambda: subprocess.Popen(["sleep", "5"]),
    lambda: os._exit(rng.choice([0, 3])),
    lambda: os.kill(os.getpid(), rng.choice([9, 11, 15])),
]
for _ in range(rng.choice([3, 30])):
    rng.choices(acts, [20, 4, 2, 1, 2, 2, 4, 1, 2, 1, 1, 1])[0]()
"""


@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(number, marks=pytest.mark.full) for number in range(12, 150))]
)
def test_whatever_it_does_there_is_an_end(seed: int, script: Any, tmp_path: Path) -> None:
    command = script(ANYTHING.replace("SEED", str(seed)))
    words = ("--from-index", "1740", "--stream-decoder", command, "--decoder-timeout", "3")
    started = time.monotonic()
    done = invoke("wal", "dump", samples.unpack(V3), *words)
    assert time.monotonic() - started < 60
    assert done.exit_code in {0, 1}
    assert "internal error" not in done.stderr
    assert (done.exit_code == 1) == ("Error: the decoder " in done.stderr)
    if done.exit_code == 0:
        assert sum("\tnorm\t" in line for line in done.stdout.splitlines()) == 18
    assert gone(tmp_path)
