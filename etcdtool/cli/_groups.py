"""What every command and group of ours has: ``-w`` at any place, examples and exit codes in its help, lazy loading.

What etcdutl has too also takes etcdutl's ``--timeout`` at any place, and ends with etcdutl's exit codes.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import click

from etcdtool.errors import EtcdtoolError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from etcdtool.cli.printers import WriteOut

__all__ = [
    "EXIT_STATUS",
    "UPSTREAM_EXIT_STATUS",
    "BadFeatureError",
    "Command",
    "LazyGroup",
    "command",
    "exit_status",
    "lock_timeout_seconds",
    "running_command",
    "write_out",
]

_WRITE_OUT_KEY = "etcdtool.write_out"
_COMMAND_KEY = "etcdtool.command"
_WRITE_OUT_FORMS = ("simple", "table", "json", "fields")
_TIMEOUT_KEY = "etcdtool.timeout_seconds"
_TIMEOUT_SECONDS = 10.0
_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"[-+]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[^0-9.]+))+)")
_DURATION_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]+)")
_BAD_FEATURE, _BAD_ARGUMENTS = 4, 128
_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
_FALSE = {"0", "f", "F", "false", "FALSE", "False"}

EXIT_STATUS: Mapping[int, str] = {
    0: "it worked",
    1: "it failed: an input that cannot be opened, a full disk",
    2: "the call's words are off",
    10: "bytes that do not follow their format",
    11: "a stored checksum and the computed one differ",
    13: "data of a version that this program does not know",
}
"""What any verb of ours can end with; each command adds its own."""

UPSTREAM_EXIT_STATUS: Mapping[int, str] = {
    0: "it worked",
    1: "it failed",
    4: "-w got a form that does not exist",
    128: "too few or too many arguments",
}
"""What a verb that etcdutl has too ends with, so that scripts can swap one for the other."""


def exit_status(own: Mapping[int, str]) -> dict[int, str]:
    """Return `EXIT_STATUS` with a command's own meanings added, in order."""
    return dict(sorted({**EXIT_STATUS, **own}.items()))


def _remember_write_out(context: click.Context, _: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        context.meta[_WRITE_OUT_KEY] = value  # meta is shared by all contexts of a call: the last one given wins
    return value


def _write_out_option() -> click.Option:
    return click.Option(
        ["-w", "--write-out"],
        metavar="FORM",
        expose_value=False,
        callback=_remember_write_out,
        help="Form of the output: simple, table, json or fields; accepted before, between and after subcommands.",
    )


class _Duration(click.ParamType[float]):
    """A time the way Go writes it: ``1m30s``, ``500ms``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ARG002
        if isinstance(value, float):
            return value
        text = str(value)
        parts = _DURATION_PART.findall(text)
        if _DURATION.fullmatch(text) is None:
            unfinished = re.fullmatch(r"[-+]?(?:[0-9.]+[^0-9.]+)*[0-9]+\.?[0-9]*", text)
            problem = "missing unit in duration" if unfinished else "invalid duration"
        elif unknown := [unit for _, unit in parts if unit not in _UNIT_SECONDS]:
            problem = f'unknown unit "{unknown[0]}" in duration'
        else:
            seconds = sum((float(number) * _UNIT_SECONDS[unit] for number, unit in parts), start=0.0)
            return -seconds if text.startswith("-") else seconds
        # as of other values that cannot be read, exit code 1 instead of that of a usage error
        raise EtcdtoolError(f'invalid argument "{text}" for "--timeout" flag: time: {problem} "{text}"')


def _remember_timeout(context: click.Context, _: click.Parameter, value: float | None) -> float | None:
    if value is not None:
        context.meta[_TIMEOUT_KEY] = value
    return value


def _timeout_option() -> click.Option:
    return click.Option(
        ["--timeout"],
        type=_Duration(),
        metavar="DURATION",
        expose_value=False,
        callback=_remember_timeout,
        help="How long to wait for the lock of a database that is written to, 0 for ever; 10s by default.",
    )


def lock_timeout_seconds() -> float:
    """Return the ``--timeout`` of the running command: how long to wait for a lock, 0 for ever."""
    seconds = click.get_current_context().meta.get(_TIMEOUT_KEY, _TIMEOUT_SECONDS)
    assert isinstance(seconds, float)
    return seconds


def running_command(context: click.Context) -> Command | None:
    """Return the command that a call came to, None when it did not come so far."""
    found = context.meta.get(_COMMAND_KEY)
    return found if isinstance(found, Command) else None


def write_out() -> WriteOut:
    """Return the form chosen for the running command, `WriteOut.SIMPLE` by default."""
    from etcdtool.cli.printers import WriteOut  # noqa: PLC0415  etcdtool --help goes without printers

    return WriteOut(click.get_current_context().meta.get(_WRITE_OUT_KEY, "simple"))


class BadFeatureError(click.UsageError):
    """Something was asked for that there is not: what etcdutl and etcdctl exit with 4 for."""


class UnsupportedFormError(BadFeatureError):
    """``-w`` got a form that does not exist."""


class _GivenPath(click.Path):
    """A path that somebody gave: an empty one, of a variable that is not set, would be that of the current folder."""

    empty_is_none = False

    @classmethod
    def like(cls, kind: click.Path, *, empty_is_none: bool) -> _GivenPath:
        """Return a type that takes what another takes, but no empty path."""
        given = cls(
            exists=kind.exists,
            file_okay=kind.file_okay,
            dir_okay=kind.dir_okay,
            writable=kind.writable,
            readable=kind.readable,
            resolve_path=kind.resolve_path,
            allow_dash=kind.allow_dash,
            path_type=kind.type,
            executable=kind.executable,
        )
        given.empty_is_none = empty_is_none
        return given

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value != "":
            return super().convert(value, param, ctx)
        if not isinstance(param, click.Option):
            raise SourceError('cannot read "": no such file or directory', hint="Is a variable not set?")
        if not self.empty_is_none:
            self.fail("the path is empty", param, ctx)
        return None


class _Documented(click.Command):
    """A command with ``-w``, and EXAMPLES and EXIT STATUS at the end of its help."""

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        exit_codes: Mapping[int, str] = EXIT_STATUS,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 100})
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.exit_codes = exit_codes
        self.params.append(_write_out_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, taking ``-w=json`` for ``-w json`` as Go's flags do."""
        end = args.index("--") if "--" in args else len(args)
        words = [f"--write-out{word[2:]}" if word.startswith("-w=") else word for word in args[:end]]
        return super().parse_args(ctx, words + args[end:])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the two sections that every help ends with."""
        if self.examples:
            with formatter.section("EXAMPLES"):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
        with formatter.section("EXIT STATUS"):
            formatter.write_dl([(str(code), meaning) for code, meaning in self.exit_codes.items()])
        super().format_epilog(ctx, formatter)


class Command(_Documented):
    """A verb.

    Attributes:
        upstream: whether etcdutl has the verb too: its exit codes are used then.
        forms: what ``-w`` takes.
    """

    def __init__(self, *args: Any, upstream: bool = False, other_forms: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.upstream = upstream
        self.forms = (*_WRITE_OUT_FORMS, *other_forms)
        for param in self.params:
            if isinstance(param.type, click.Path):
                # Go's flags do not tell an empty value from none
                param.type = _GivenPath.like(param.type, empty_is_none=upstream)
        if upstream:
            self.params.append(_timeout_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, having said whose call this is: its exit codes hold from here on."""
        ctx.meta[_COMMAND_KEY] = self
        if _TIMEOUT_KEY in ctx.meta and not self.upstream:
            raise click.NoSuchOption("--timeout", ctx=ctx)
        try:
            return super().parse_args(ctx, list(self._with_plain_switches(args)) if self.upstream else args)
        except click.BadOptionUsage as error:
            error.ctx = error.ctx or ctx  # click does not say whose flag lacks its value
            raise

    def _with_plain_switches(self, args: list[str]) -> Iterator[str]:
        """Take ``--switch=true`` and ``--switch=false``, as Go's flags do: scripts for etcdutl have them."""
        switches = {
            name for param in self.params if isinstance(param, click.Option) and param.is_flag for name in param.opts
        }
        for place, word in enumerate(args):
            if word == "--":
                yield from args[place:]
                return
            name, equals, value = word.partition("=")
            if not equals or name not in switches:
                yield word
            elif value in _TRUE:
                yield name
            elif value not in _FALSE:
                reason = f'strconv.ParseBool: parsing "{value}": invalid syntax'
                raise EtcdtoolError(f'invalid argument "{value}" for "{name}" flag: {reason}')

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, if ``-w`` got a form that exists; the command a form belongs to is known only here."""
        form = ctx.meta.get(_WRITE_OUT_KEY, self.forms[0])
        if form not in self.forms:
            known = ", ".join(self.forms)
            raise UnsupportedFormError(f"unsupported output format {form!r}, there are {known}", ctx)
        return super().invoke(ctx)

    def exit_code_of(self, error: Exception, exit_code: int) -> int:
        """Return what to exit with for an error whose class says ``exit_code``."""
        if not self.upstream:
            return exit_code
        if isinstance(error, BadFeatureError):
            return _BAD_FEATURE
        if isinstance(error, click.UsageError) and not _is_about_a_flag(error):
            return _BAD_ARGUMENTS if _BAD_ARGUMENTS in self.exit_codes else 1  # cobra's own checks of arguments give 1
        return 1


def _is_about_a_flag(error: click.UsageError) -> bool:
    """Tell errors in flags, which cobra finds, from those in arguments and in what goes together."""
    if isinstance(error, click.MissingParameter):
        return False
    return isinstance(error, (click.NoSuchOption, click.BadOptionUsage, click.BadParameter))


class LazyGroup(_Documented, click.Group):
    """A group that imports a subcommand only when it is called or asked for its own help.

    Attributes:
        lazy: name to (``module:attribute``, summary); the summary is what the group's help shows.
        upstream: whether etcdutl has the group too: ``--timeout`` is taken then, for those of its verbs that have it.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], upstream: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy
        if upstream:
            self.params.append(_timeout_option())

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names in the order of the table, not of the alphabet."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  likewise
        """Import and return a subcommand."""
        if cmd_name not in self.lazy:
            return None
        module_name, _, attribute = self.lazy[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(module_name), attribute)
        if not isinstance(found, click.Command):
            raise TypeError(f"{module_name}:{attribute} is no command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  likewise
        """Write the table as it is given, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.lazy.items()])


def command(
    name: str,
    *,
    examples: Sequence[str],
    exit_codes: Mapping[int, str] = EXIT_STATUS,
    upstream: bool = False,
    other_forms: Sequence[str] = (),
    short_help: str | None = None,
) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a `Command`; its docstring is the help, and ``-w`` takes ``other_forms`` beside the four."""

    def decorate(function: Callable[..., Any]) -> Command:
        return click.command(
            name,
            cls=Command,
            examples=examples,
            exit_codes=exit_codes,
            upstream=upstream,
            other_forms=other_forms,
            short_help=short_help,
        )(function)

    return decorate
