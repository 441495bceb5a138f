"""What a skip means: a person sees the reason, CI fails; and the long tests run only when asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS_DIR = Path(__file__).resolve().parents[1]
SUITE = """
import pytest
from support.programs import UnavailableError

def test_passes(): pass

@pytest.mark.skip(reason="for no good reason")
def test_skips(): pass

@pytest.mark.skip(reason="expected: root reads every file")
def test_skips_as_expected(): pass

@pytest.mark.compat
def test_has_no_program(): raise UnavailableError("no go on the PATH")

@pytest.mark.xfail(strict=True)
def test_is_known_to_fail(): assert False

@pytest.mark.full
def test_is_long(): pass

@pytest.mark.bench
def test_is_a_benchmark(): pass
"""


@pytest.mark.parametrize(
    ("words", "ci", "outcome"),
    [
        ([], "", "1 passed, 3 skipped, 2 deselected, 1 xfailed"),
        (["--full"], "", "2 passed, 3 skipped, 1 deselected, 1 xfailed"),
        (["--bench"], "", "1 passed, 6 deselected"),
        ([], "true", "1 failed, 1 passed, 1 skipped, 2 deselected, 1 xfailed, 1 error"),
    ],
)
def test_switches(words: list[str], ci: str, outcome: str, tmp_path: Path) -> None:
    done = _pytest(tmp_path, SUITE, words, ci)
    assert outcome in done.stdout, done.stdout
    assert done.returncode == (1 if ci else 0)
    if "--bench" not in words:
        assert "no go on the PATH" in done.stdout


def test_a_module_that_skips_itself_fails_in_ci(tmp_path: Path) -> None:
    module = "import pytest\npytest.importorskip('no_such_module')\n"
    assert _pytest(tmp_path, module, [], "").returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    done = _pytest(tmp_path, module, [], "true")
    assert done.returncode != pytest.ExitCode.NO_TESTS_COLLECTED
    assert "skipped in CI" in done.stdout


def _pytest(folder: Path, module: str, words: list[str], ci: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(TESTS_DIR / "conftest.py", folder)
    (folder / "test_it.py").write_text(module)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  compat: c\n  full: f\n  bench: b\n")
    environ = os.environ | {"CI": ci, "PYTHONPATH": str(TESTS_DIR)}
    environ = {name: value for name, value in environ.items() if not name.startswith("PYTEST_")}
    argv = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", f"--rootdir={folder}", *words, str(folder)]
    return subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, check=False)
