"""The docs tell the truth: their examples run, their bytes are in the samples, their links lead somewhere."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import samples

from etcdtool.cli.reference import iter_all_commands, render

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")
BOXED_COMMAND = re.compile(r"`etcdtool ([a-z0-9 ]+?)[`\n]")
COMMANDS = [context.command_path for context, _ in iter_all_commands()][1:]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    return [(info, body) for kind, info, body in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


def with_blocks(language: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, language)]


def steps(body: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with the output printed below it."""
    for step in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, output = step.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command = f"{command[:-1].rstrip()} {more.lstrip()}"
        yield command, output


def matches(expected: str, printed: str) -> bool:
    """Compare, where ``...`` in the docs stands for anything."""
    pattern = re.escape(expected.strip()).replace(re.escape("..."), ".*?")
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


@pytest.mark.parametrize("page", with_blocks("console"), ids=name_of)
def test_examples_print_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    (tmp_path / "converters").symlink_to(ROOT / "converters")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "80", "TZ": "Asia/Kolkata"}
    for _, body in blocks(page, "console"):
        for command, expected in steps(body):
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert matches(expected, done.stdout), f"$ {command}\n{done.stdout}"


@pytest.mark.parametrize("page", with_blocks("pycon"), ids=name_of)
def test_sessions_print_what_the_page_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETCDTOOL_CACHE_DIR", str(tmp_path / "cache"))
    session = "\n".join(body for _, body in blocks(page, "pycon"))
    assert session.count(">>> ") > 1
    test = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    complaints: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=complaints.append)
    assert not complaints, "".join(complaints)


@pytest.mark.parametrize("page", with_blocks("hexdump"), ids=name_of)
def test_bytes_on_format_pages_are_those_of_the_sample(page: Path) -> None:
    for source, body in blocks(page, "hexdump"):
        sample, _, inner = source.partition(" ")
        path = samples.unpack(sample.removeprefix("samples/"))
        data = (path / inner if inner else path).read_bytes()
        for line in body.splitlines():
            offset, _, shown = line.partition("  ")
            content = bytes.fromhex(shown)
            start = int(offset, 16)
            assert data[start : start + len(content)] == content, f"{source} at {offset}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


def test_the_reference_is_up_to_date() -> None:
    page = ROOT / "docs" / "reference" / "cli.md"
    assert page.read_text(encoding="utf-8") == render(), "run make docs"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    reference = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert f"\n## {command}\n" in reference


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_the_text_exist(page: Path) -> None:
    for words in BOXED_COMMAND.findall(page.read_text(encoding="utf-8")):
        path = f"etcdtool {words.strip()}"
        assert any(path == command or path.startswith(f"{command} ") for command in COMMANDS), path


def test_every_decision_is_in_the_list() -> None:
    folder = ROOT / "docs" / "adr"
    listed = LINK.findall((folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(path.name for path in folder.glob("0*.md"))
