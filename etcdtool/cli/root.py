"""The root of the command line, and the one place that turns errors into messages and exit codes."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from typing import TYPE_CHECKING

import click

from etcdtool import __version__
from etcdtool.cli._failures import message_of
from etcdtool.cli._groups import Command, LazyGroup, running_command
from etcdtool.cli.signals import StoppedError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMPLETION_VARIABLE", "root", "run"]

COMPLETION_VARIABLE = "_ETCDTOOL_COMPLETE"
"""Is set when a shell asks for completions."""

_INTERRUPTED = 130
_BROKEN_PIPE = 141

_COMMANDS = {
    "convert": ("etcdtool.cli.convert:convert_command", "Turn v2 keys and discovery records into a v3 snapshot."),
    "converters": ("etcdtool.cli.converters:converters_command", "List the converters that convert can use."),
    "v2": ("etcdtool.cli.v2:v2_group", "Look at v2 data: status, list, get, export, check, members, drop."),
    "snapshot": ("etcdtool.cli.snapshot:snapshot_group", "Look at and check v3 snapshot files."),
    "verify": (
        "etcdtool.cli.snapshot_verify:verify_command",
        "Check snapshots and data dirs: trailer, pages, revisions, log.",
    ),
    "export": ("etcdtool.cli.export:export_command", "Write keys and all else to JSON lines, CSV, Parquet or SQLite."),
    "import": ("etcdtool.cli.import_:import_command", "Make a snapshot of the JSON lines that export wrote."),
    "get": ("etcdtool.cli.get:get_command", "Print keys and values as etcdctl get does, from a file."),
    "list": ("etcdtool.cli.list_keys:list_command", "List keys level by level, with their number and sizes."),
    "history": ("etcdtool.cli.history:history_command", "Tell every revision of a key that is still there."),
    "changes": ("etcdtool.cli.changes:changes_command", "Tell what happened between two revisions, in order."),
    "deleted": ("etcdtool.cli.deleted:deleted_command", "Tell which keys are gone since a revision."),
    "migrate": ("etcdtool.cli.migrate:migrate_command", "Bring a data dir's storage to another version of etcd."),
    "check": ("etcdtool.cli.check:check_group", "Check for custom v2 content with the words of etcdutl 3.5."),
    "top": (
        "etcdtool.cli.top:top_command",
        "Say what fills a database, by prefix, key, kind, namespace, lease or size.",
    ),
    "lease": ("etcdtool.cli.lease:lease_group", "Look at leases: list."),
    "member": ("etcdtool.cli.member:member_group", "Look at members: list."),
    "auth": ("etcdtool.cli.auth:auth_command", "Show whether authentication is on, users and roles."),
    "buckets": ("etcdtool.cli.buckets:buckets_command", "List the buckets of a database, or what stands in one."),
    "page": ("etcdtool.cli.page:page_command", "List the pages of a database, or show some of them."),
    "wal": ("etcdtool.cli.wal:wal_group", "Look at the raft log: dump, verify."),
    "hashkv": ("etcdtool.cli.hashkv:hashkv_command", "Print the hash of a file's history, or say where members part."),
    "defrag": (
        "etcdtool.cli.defrag:defrag_command",
        "Write the database of a stopped member, or a snapshot, without its free pages.",
    ),
    "compact": (
        "etcdtool.cli.compact:compact_command",
        "Cut off the history before a revision, in a stopped member or a snapshot.",
    ),
    "compaction": (
        "etcdtool.cli.compact:compact_command",
        "Cut off the history before a revision, in a stopped member or a snapshot.",
    ),
    "index": ("etcdtool.cli.index:index_group", "Make, list and drop the side index of big files."),
    "k8s": ("etcdtool.cli.k8s:k8s_group", "Objects of Kubernetes: list them, and get one back as a manifest."),
    "completion": (
        "etcdtool.cli.completion:completion_command",
        "Print a script that completes commands in a shell.",
    ),
    "version": ("etcdtool.cli.version:version_command", "Print the version of etcdtool."),
}

root = LazyGroup(
    "etcdtool",
    lazy=_COMMANDS,
    upstream=True,
    help="Read, verify and convert etcd's data at rest, without a server. What is read is never changed; commands that "
    "replace a file of a stopped member keep the old one.",
    exit_codes={
        0: "it worked",
        1: "it failed",
        2: "the call's words are off",
        130: "interrupted; what else a command can end with stands in its own help",
    },
    examples=[
        "etcdtool v2 status /var/lib/etcd",
        "etcdtool convert /var/lib/etcd -o snapshot.db",
        "etcdtool snapshot verify snapshot.db",
    ],
)
root.params.append(
    click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        help="Print the version and exit.",
        callback=lambda context, _, given: _print_version(context) if given and not context.resilient_parsing else None,
    )
)


def _print_version(context: click.Context) -> None:
    click.echo(f"etcdtool version: {__version__}")
    context.exit()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every error ends here.

    Args:
        arguments: the words after the program's name; None: those of the process.
    """
    _prepare_streams()
    if COMPLETION_VARIABLE in os.environ:
        from etcdtool.cli.completion import complete  # noqa: PLC0415  only a shell that completes needs it

        return complete(root, os.environ[COMPLETION_VARIABLE])
    return _run(list(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: list[str]) -> int:
    context: click.Context | None = None
    try:
        with root.make_context("etcdtool", arguments) as context:
            root.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as leave:
        return _flushed(leave.exit_code)
    except (KeyboardInterrupt, click.Abort) as stopped:
        return stopped.exit_code if isinstance(stopped, StoppedError) else _INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return _BROKEN_PIPE
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  the last line of defence: nobody should meet a traceback
        return _explain(error, running_command(context) if context else None)
    return 0


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller (>&-)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  lives as long as we do
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _flushed(exit_code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return _BROKEN_PIPE
    except OSError as error:
        return _explain(error)
    return exit_code


def _silence_stdout() -> None:
    # the interpreter flushes stdout once more at its end, and would complain
    null = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # no file of the system's: nothing is flushed to it either
        os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _explain(error: Exception, command: Command | None = None) -> int:
    """Say on stderr what went wrong, and return the exit code."""
    from etcdtool.cli.text import printable  # noqa: PLC0415  needed for errors only

    message, exit_code = message_of(error)
    with contextlib.suppress(OSError, ValueError):  # what was printed comes first, where both go to one place
        sys.stdout.flush()
    with contextlib.suppress(OSError):  # the exit code is told even where the message cannot be
        print(printable(f"Error: {message}", newlines=True), file=sys.stderr, flush=True)
    if isinstance(error, OSError):
        _silence_stdout()
    if os.environ.get("ETCDTOOL_DEBUG") == "1":
        traceback.print_exception(error)
    return command.exit_code_of(error, exit_code) if command else exit_code
