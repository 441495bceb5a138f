"""What is shipped: the converters inside the package, and nothing beside it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("etcdtool", "converters", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist and, from it, the wheel, away from the working tree."""
    tree = tmp_path_factory.mktemp("tree")
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tree / "dist"), str(tree)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return tree / "dist"


def test_wheel_holds_the_package_only(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"etcdtool"}
    assert "etcdtool/converters/keys.py" in names
    assert "etcdtool/py.typed" in names
    assert "etcdtool/formats/wire/wal.proto" in names
    assert "etcdtool/cli/schemas/verify.schema.json" in names


def test_sdist_ships_the_converters_once(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = [name.split("/", 1)[1] for name in archive.getnames() if "/" in name]
    assert "etcdtool/converters/keys.py" in names
    assert not [name for name in names if name.startswith("converters")]


def test_installed_wheel_offers_no_top_level_converters(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    # -S: without this environment's site-packages and its editable install
    look = (
        "import importlib.util as u, sys; from importlib.metadata import distributions\n"
        "assert u.find_spec('converters') is None\n"
        "assert u.find_spec('etcdtool.converters.keys').origin.startswith(sys.path[0])\n"
        "names = {p.name for d in distributions() for p in d.entry_points.select(group='etcdtool.converters')}\n"
        "assert names >= {'keys', 'discovery'}, names\n"
    )
    isolated = [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{look}"]
    done = subprocess.run(isolated, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
