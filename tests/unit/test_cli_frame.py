"""What every command has: lazy loading, -w, exit codes, errors without tracebacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from support import samples
from support.cli import invoke

from etcdtool import errors
from etcdtool.cli import _groups, version
from etcdtool.cli.reference import iter_all_commands
from etcdtool.cli.signals import StoppedError

HEAVY = (
    "numpy",
    "google.protobuf",
    "crc32c",
    "_crc32c",
    "lmdb",
    "zstandard",
    "tqdm",
    "grpc",
    "msgspec",
    "tabulate",
    "wcwidth",
)
COMMANDS = list(iter_all_commands())


def call(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "etcdtool", *arguments], capture_output=True, text=True, check=False, **options
    )


def raising(error: BaseException) -> click.Command:
    @_groups.command("version", examples=[])
    def broken() -> None:
        raise error

    return broken


@pytest.mark.parametrize("arguments", [["--help"], ["v2", "--help"], ["snapshot", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from etcdtool.cli.root import run\n"
        f"assert run({arguments!r}) == 0\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), 'importlib.metadata' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[] False\n"


def test_help_loads_little_beside_click() -> None:
    code = (
        "import sys, click; before = set(sys.modules)\n"
        "from etcdtool.cli.root import run; assert run(['--help']) == 0\n"
        "print(len(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # a handful of ours, and what click loads to print: the start-up is that of the interpreter and click
    assert 5 < int(done.stderr) < 30


@pytest.mark.parametrize(("context", "command"), COMMANDS, ids=[context.command_path for context, _ in COMMANDS])
def test_every_help_has_examples_and_exit_status(context: click.Context, command: click.Command) -> None:
    text = command.get_help(context)
    assert "\nEXAMPLES:\n  etcdtool " in text
    assert "\nEXIT STATUS:\n  0 " in text
    assert "-w, --write-out FORM" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(("context", "command"), COMMANDS, ids=[context.command_path for context, _ in COMMANDS])
def test_every_option_is_explained(context: click.Context, command: click.Command) -> None:
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{context.command_path} {parameter.opts}"


def test_summaries_of_groups_are_those_of_their_commands() -> None:
    for context, group in COMMANDS:
        if isinstance(group, _groups.LazyGroup):
            for name, (_, summary) in group.lazy.items():
                command = group.get_command(context, name)
                assert command is not None
                assert command.short_help == summary


@pytest.mark.parametrize(
    "words",
    [["-w", "json", "version"], ["version", "-w", "json"], ["--write-out=json", "version"], ["version", "-wjson"]],
)
def test_write_out_is_taken_at_any_place(words: list[str]) -> None:
    assert json.loads(invoke(*words).stdout) == {"version": "0.1.0", "apiVersion": "3.7"}


def test_the_last_write_out_wins() -> None:
    assert invoke("-w", "table", "version", "-w", "fields").stdout == '"Version" : "0.1.0"\n"APIVersion" : "3.7"\n'


def test_unknown_form_is_a_usage_error() -> None:
    done = invoke("-w", "yaml", "converters")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: unsupported output format 'yaml'")


@pytest.mark.parametrize(
    "words",
    [
        ["--timeout", "1m30s", "snapshot", "status", "/none"],
        ["snapshot", "--timeout=.5s", "status", "/none"],
        ["snapshot", "status", "/none", "--timeout", "0"],
        ["--timeout=1h", "hashkv", "/none"],
    ],
)
def test_etcdutls_timeout_is_taken_at_any_place(words: list[str]) -> None:
    done = invoke(*words)
    assert (done.exit_code, "/none" in done.stderr) == (1, True)


def test_a_timeout_is_for_etcdutls_verbs_alone() -> None:
    done = invoke("--timeout", "5s", "converters")
    assert (done.exit_code, "no such option" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0.0), ("1m30s", 90.0), ("1.5h", 5400.0), (".5s", 0.5), ("-1s", -1.0), ("3ms2us", 0.003002)],
)
def test_a_timeout_is_read_as_go_reads_it(value: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    @_groups.command("version", examples=[], upstream=True)
    def waiting() -> None:
        seen.append(_groups.lock_timeout_seconds())

    monkeypatch.setattr(version, "version_command", waiting)
    assert invoke("--timeout", value, "version").exit_code == 0
    assert invoke("version").exit_code == 0
    assert seen == [pytest.approx(seconds), 10.0]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", 'invalid duration ""'),
        ("x", 'invalid duration "x"'),
        ("5", 'missing unit in duration "5"'),
        ("1m5", 'missing unit in duration "1m5"'),
        ("5x", 'unknown unit "x" in duration "5x"'),
    ],
)
def test_what_is_no_timeout(value: str, problem: str) -> None:
    done = invoke("version", "--timeout", value)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f'Error: invalid argument "{value}" for "--timeout" flag: time: {problem}\n'


class TestCompletion:
    def test_bash_completes_with_it(self) -> None:
        script = """
            source <(etcdtool completion bash)
            COMP_WORDS=(etcdtool snapshot re) COMP_CWORD=2
            _etcdtool_completion etcdtool 2>/dev/null
            echo "${COMPREPLY[@]}"
        """
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        words = ["bash", "-c", script]
        done = subprocess.run(words, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "restore\n"), done.stderr

    @pytest.mark.parametrize(("shell", "line"), [("zsh", "#compdef etcdtool"), ("fish", "complete --no-files")])
    def test_others_have_a_script_too(self, shell: str, line: str) -> None:
        done = invoke("completion", shell)
        assert done.exit_code == 0
        assert line in done.stdout

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ([], "accepts 1 arg(s), received 0. Give one of bash, zsh, fish, powershell"),
            (["bash", "zsh"], "accepts 1 arg(s), received 2"),
            (["csh"], 'invalid argument "csh" for "etcdtool completion"'),
        ],
    )
    def test_others_have_none(self, words: list[str], message: str) -> None:
        done = invoke("completion", *words)
        assert (done.exit_code, done.stdout) == (1, "")
        assert message in done.stderr


@pytest.mark.parametrize(("words", "exit_code"), [([], 128), (["a", "b"], 128), (["--nope"], 1), (["/none"], 1)])
def test_verbs_of_etcdutl_end_with_its_codes(words: list[str], exit_code: int) -> None:
    assert invoke("snapshot", "status", *words).exit_code == exit_code


@pytest.mark.parametrize("words", [["snapshot", "status"], ["hashkv"], ["verify"], ["list"], ["wal", "dump"]])
def test_an_empty_path_is_not_the_current_folder(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(samples.unpack("v3/3.7/restored.tar.gz"))
    assert invoke(*words, ".").exit_code == 0
    done = invoke(*words, "")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == 'Error: cannot read "": no such file or directory. Is a variable not set?\n'


@pytest.mark.parametrize("words", [["defrag"], ["migrate", "--target-version", "3.6"]])
def test_an_empty_data_dir_is_none(words: list[str]) -> None:
    done = invoke(*words, "--data-dir", "")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith('Error: required flag(s) "data-dir" not set')


def test_an_empty_output_is_refused() -> None:
    done = invoke("export", "/none", "-o", "")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "'-o' / '--output': the path is empty" in done.stderr


def test_unsupported_form_has_etcdutls_code(sample: object) -> None:
    assert invoke("-w", "yaml", "snapshot", "status", "/none").exit_code == 4


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (errors.EtcdtoolError("no luck", hint="Try again."), 1, "Error: no luck. Try again.\n"),
        (errors.AnswerIsNoError("holds no v2 keys"), 3, "Error: holds no v2 keys\n"),
        (
            errors.ChecksumError("wal record", stored=0x741F6A05, computed=0, offset=16, where="0.wal"),
            11,
            "Error: wal record at offset 0x10 in 0.wal: stored 741f6a05, computed 00000000\n",
        ),
        (errors.EtcdtoolError("key \x1b[2J\u202e"), 1, "Error: key \\x1b[2J\\u202e\n"),
        (PermissionError(13, "Permission denied", "/secret"), 1, "Error: /secret: permission denied\n"),
        (KeyboardInterrupt(), 130, ""),
        (StoppedError(signal.SIGTERM), 143, ""),
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
    ],
)
def test_errors_end_as_one_line_and_a_code(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, exit_code: int, message: str
) -> None:
    monkeypatch.setattr(version, "version_command", raising(error))
    done = invoke("version")
    assert (done.exit_code, done.stdout, done.stderr) == (exit_code, "", message)


def test_running_out_of_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "version_command", raising(MemoryError()))
    done = invoke("version")
    assert (done.exit_code, "not enough memory" in done.stderr) == (1, True)


@pytest.mark.parametrize("debug", [False, True])
def test_a_bug_says_so_and_shows_its_traceback_only_on_demand(monkeypatch: pytest.MonkeyPatch, debug: bool) -> None:
    monkeypatch.setattr(version, "version_command", raising(ZeroDivisionError("oops")))
    monkeypatch.setenv("ETCDTOOL_DEBUG", "1" if debug else "")
    done = invoke("version")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: internal error: ZeroDivisionError: oops\nThis is a bug in etcdtool 0.1.0")
    assert ("Traceback (most recent call last)" in done.stderr) == debug


def test_a_pipe_that_closes_early_is_quiet() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "etcdtool", "version"], stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "etcdtool", "verify", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as process:
        deadline = time.monotonic() + 30
        while not any(tmp_path.rglob("stdin")):  # what comes is spooled there
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130 if number == signal.SIGINT else -number, b"")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said() -> None:
    with Path("/dev/full").open("w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "etcdtool", "version"], stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "Error: cannot read or write: no space left on device\n")


def test_an_error_that_cannot_be_said_keeps_its_code() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "etcdtool", "verify", "--nonsense"], stderr=full, check=False)
    assert done.returncode == 2


def test_closed_stdin_is_said() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m etcdtool verify - <&-"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: stdin is closed. Give a file, or a pipe that something is written to.\n"


def test_closed_stdout_is_no_crash() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m etcdtool version >&-"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_output_in_a_poor_locale_is_escaped_not_a_crash() -> None:
    done = call("nöpe", env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 2
    assert done.stderr.isascii()
    assert done.stderr.startswith("Error: no such command 'n\\")


@pytest.mark.parametrize("words", [[], ["v2"], ["snapshot"]])
def test_a_group_without_a_verb_shows_its_help(words: list[str]) -> None:
    done = invoke(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == invoke(*words, "--help").stdout
