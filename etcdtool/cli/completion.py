"""``etcdtool completion``: scripts for four shells, under the name that etcdutl 3.7 has for them."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, add_completion_class, get_completion_class, shell_complete

from etcdtool.cli._groups import UPSTREAM_EXIT_STATUS, command
from etcdtool.cli.powershell import PowerShellComplete
from etcdtool.cli.root import COMPLETION_VARIABLE
from etcdtool.errors import EtcdtoolError

__all__ = ["complete", "completion_command"]

_PROGRAM = "etcdtool"
_SHELLS = ("bash", "zsh", "fish", "powershell")

add_completion_class(PowerShellComplete)


def complete(root: click.Command, instruction: str) -> int:
    """Answer a shell that runs the program to know what can follow; return the exit code.

    Args:
        root: the command line.
        instruction: ``bash_complete``, from the environment, where the words typed so far stand too.
    """
    return shell_complete(root, {}, _PROGRAM, COMPLETION_VARIABLE, instruction)


@command(
    "completion",
    short_help="Print a script that completes commands in a shell.",
    examples=[
        "etcdtool completion bash > /etc/bash_completion.d/etcdtool",
        "etcdtool completion zsh > ~/.zfunc/_etcdtool",
        "etcdtool completion fish > ~/.config/fish/completions/etcdtool.fish",
        "etcdtool completion powershell | Out-String | Invoke-Expression",
    ],
    exit_codes={code: UPSTREAM_EXIT_STATUS[code] for code in (0, 1, 4)},
    upstream=True,
)
@click.argument("shells", metavar="[bash|zsh|fish|powershell]", nargs=-1)
def completion_command(shells: tuple[str, ...]) -> None:
    """Print a script that completes commands and flags.

    It is for bash (4.4 and later), zsh, fish or PowerShell (5.1 and later).
    """
    if len(shells) != 1:
        raise EtcdtoolError(f"accepts 1 arg(s), received {len(shells)}", hint=f"Give one of {', '.join(_SHELLS)}.")
    (shell,) = shells
    found = get_completion_class(shell) if shell in _SHELLS else None
    if found is None:
        raise EtcdtoolError(
            f'invalid argument "{shell}" for "etcdtool completion"', hint=f"Give one of {', '.join(_SHELLS)}."
        )
    # not the method of bash's own class, which starts a bash to look at its version
    script = ShellComplete.source(found(click.Command(_PROGRAM), {}, _PROGRAM, COMPLETION_VARIABLE))
    click.echo(script, nl=False)
