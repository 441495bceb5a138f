"""What an error is called on the command line, and what it makes a call end with."""

from __future__ import annotations

import os

import click

from etcdtool import __version__
from etcdtool.errors import EtcdtoolError

__all__ = ["message_of"]

_BUG = """\
internal error: {kind}: {error}
This is a bug in etcdtool {version}, no fault of yours; no input was changed.
Please report it on the project's issue tracker, with the command line and what it prints under ETCDTOOL_DEBUG=1."""


def message_of(error: Exception) -> tuple[str, int]:
    """Return what a person is told about an error, and its exit code."""
    match error:
        case EtcdtoolError():
            return str(error), error.exit_code
        case click.ClickException():
            return _usage_message(error), error.exit_code
        case OSError(filename=str(name)) | OSError(filename=os.PathLike() as name):
            return f"{os.fspath(name)}: {(error.strerror or str(error)).lower()}", 1
        case OSError():
            return f"cannot read or write: {(error.strerror or str(error)).lower()}", 1
        case MemoryError():
            return "not enough memory. Give it a machine with more, or fewer sources at once.", 1
    return _BUG.format(kind=type(error).__name__, error=error, version=__version__), 1


def _usage_message(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    message = error.format_message()
    if getattr(getattr(context, "command", None), "upstream", False):
        message = _as_upstream(error) or message
    message = message[:1].lower() + message[1:].rstrip(".")
    return f"{message}. See '{context.command_path} --help'." if context is not None else message


def _as_upstream(error: click.ClickException) -> str | None:
    """Return cobra's words for an error in flags, which scripts may look for."""
    match error:
        case click.NoSuchOption(option_name=name):
            return (
                f"unknown flag: {name}" if name.startswith("--") else f"unknown shorthand flag: {name[1:2]!r} in {name}"
            )
        case click.BadOptionUsage(option_name=name):
            return f"flag needs an argument: {name}"
    return None
