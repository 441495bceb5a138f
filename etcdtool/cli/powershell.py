"""Completion in PowerShell, for which click has no class of its own.

PowerShell hands a completer the line as it has parsed it.  The words before the cursor go to the program a line each,
so that neither blanks nor quotes in them need a second reading; what it answers is a line for each word that can
follow: kind, word and help with tabs between.  Where files or folders can follow the script gives nothing, and
PowerShell offers its own.
"""

from __future__ import annotations

import os
from typing import ClassVar

from click.shell_completion import CompletionItem, ShellComplete

__all__ = ["PowerShellComplete"]

_SOURCE = """\
Register-ArgumentCompleter -Native -CommandName '%(prog_name)s' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $program = $commandAst.GetCommandName()
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object {
            if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value }
            else { $_.Extent.Text }
        })
    try {
        $env:COMP_WORDS = $words -join "`n"
        $env:COMP_CWORD = $wordToComplete
        $env:%(complete_var)s = 'powershell_complete'
        $answer = @(& $program 2>$null)
    }
    finally {
        'COMP_WORDS', 'COMP_CWORD', '%(complete_var)s' |
            ForEach-Object { Remove-Item -Path "Env:$_" -ErrorAction SilentlyContinue }
    }
    $answer | ForEach-Object {
        $kind, $word, $help = $_ -split "`t", 3
        if ($kind -eq 'plain') {
            [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $help)
        }
    }
}
"""


class PowerShellComplete(ShellComplete):
    """Completion for PowerShell 5.1 and later."""

    name: ClassVar[str] = "powershell"
    source_template: ClassVar[str] = _SOURCE

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words between the program and the one being typed, and that one."""
        words = os.environ.get("COMP_WORDS", "").split("\n")
        return words[1:], os.environ.get("COMP_CWORD", "").strip("'\"")  # PowerShell drops a variable that is empty

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """Return what can follow; behind ``--flag=`` with the flag before it, since the whole word is replaced."""
        items = super().get_completions(args, incomplete)
        flag, equals, _ = incomplete.partition("=")
        if not equals or not flag.startswith("-"):
            return items
        return [CompletionItem(f"{flag}={item.value}", type=item.type, help=item.help) for item in items]

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return the line for one word; PowerShell takes no help that is empty."""
        return f"{item.type}\t{item.value}\t{' '.join((item.help or item.value).split())}"
