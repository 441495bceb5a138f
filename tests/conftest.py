"""The suite's own switches: --full, --bench, --seed; what a skip means in CI; real data as a fixture."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from support import samples
from support.programs import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

IN_CI = os.environ.get("CI") == "true"
EXPECTED_SKIP = "expected: "  # a skip whose reason starts so is no failure in CI

hypothesis.settings.register_profile("default", max_examples=50, deadline=None, print_blob=True)
hypothesis.settings.register_profile("full", max_examples=500, deadline=None, print_blob=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the long corpora too, and 500 examples a property")
    parser.addoption("--bench", action="store_true", help="run the benchmarks against the real tools, and only them")
    parser.addoption("--seed", type=int, help="seed of hypothesis and of the rng fixture (default: random and 0)")


def pytest_configure(config: pytest.Config) -> None:
    full = config.getoption("--full")
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("full" if full else "default"))
    seed = config.getoption("--seed")
    if seed is not None:
        hypothesis.core.global_force_seed = seed


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    bench, full = config.getoption("--bench"), config.getoption("--full")
    kept, left = [], []
    for item in items:
        if "compat" in item.path.parts:
            item.add_marker(pytest.mark.compat)
        is_bench = item.get_closest_marker("bench") is not None
        wanted = is_bench == bench and (full or item.get_closest_marker("full") is None)
        (kept if wanted else left).append(item)
    items[:] = kept
    if left:
        config.hook.pytest_deselected(items=left)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    return (yield from _skipping_without_programs())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    return (yield from _skipping_without_programs())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _fail_when_skipped_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_when_skipped_in_ci(report)
    return report


@pytest.fixture(scope="session", autouse=True)
def _samples_stay_as_they_are() -> Iterator[None]:
    yield
    assert samples.changed() == [], "a test wrote into a shared sample; take samples.fresh(name, tmp_path)"


@pytest.fixture
def sample() -> Callable[[str], Path]:
    """Unpack a sample: ``sample("v2-rich/3.4/data-clean.tar.gz")`` gives the data dir."""
    return samples.unpack


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Randomness that --seed repeats."""
    return random.Random(request.config.getoption("--seed") or 0)


def _skipping_without_programs() -> Generator[None]:
    try:
        return (yield)
    except UnavailableError as error:
        pytest.skip(f"real programs can't be had: {error}")


def _fail_when_skipped_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not (IN_CI and report.skipped):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if EXPECTED_SKIP not in reason:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason}"
