"""verify, which looks at everything, beside etcdutl 3.7's status, which looks at little, and a plain sha256."""

from __future__ import annotations

import json
import shutil
from functools import partial

import pytest
from bench.make_v3_data import snapshot
from bench.side_by_side import LEASES_MAX, etcdtool, in_turn, leases_line, line, machine, without_page_cache
from support import cli, real
from support.measure import Measured, measure

TITLE = "verify / etcdutl snapshot status"
TARGETS = {"small": 0.6, "leases": 0.6 * LEASES_MAX}  # wall time of ours to that of their status
COLD_TARGET = 0.25
SHA256_TIMES_MAX, SHA256_SECONDS_MORE = 1.3, 0.15


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TARGETS)
def test_verify_against_their_status(name: str) -> None:
    path = snapshot(name)
    assert_found_good(name)
    ours, theirs = in_turn(partial(etcdtool, "verify", path), partial(measure, status_of(name)))
    print(f"\n{TITLE}, {machine('3.7')}\n{line(name, ours, theirs, wall_max=TARGETS[name], path=path)}")


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_verify_against_their_status_on_a_cold_page_cache() -> None:
    path = snapshot("small")
    runs: list[partial[Measured]] = [partial(etcdtool, "verify", path), partial(measure, status_of("small"))]
    ours, theirs = in_turn(*(without_page_cache(path, run) for run in runs))
    print(f"\n{TITLE}, {machine('3.7')}\n{line('small, cold', ours, theirs, wall_max=COLD_TARGET, path=path)}")


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_verify_against_sha256_of_large_values() -> None:
    path = snapshot("values")
    openssl = shutil.which("openssl")
    assert openssl is not None, "install openssl to measure against it"
    assert_found_good("values")
    ours, theirs = in_turn(partial(etcdtool, "verify", path), partial(measure, [openssl, "dgst", "-sha256", path]))
    most = SHA256_TIMES_MAX + SHA256_SECONDS_MORE / theirs.seconds
    version = real.run(openssl, "version", check=True).stdout.strip()
    print(
        f"\nverify / openssl dgst -sha256 ({version}), {machine()}\n"
        f"{line('values', ours, theirs, wall_max=most, path=path)}"
    )


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_what_leases_cost_verify() -> None:
    leases, plain = in_turn(*(partial(etcdtool, "verify", snapshot(name)) for name in ("leases", "small")))
    print(f"\n{leases_line('verify', leases, plain)}")


def status_of(name: str) -> list[str]:
    """Give the real command that looks at a snapshot."""
    return [str(real.program("etcdutl", "3.7")), "snapshot", "status", str(snapshot(name))]


def assert_found_good(name: str) -> None:
    """Hold that what is measured is the way of a good file, which is the longest."""
    said = json.loads(cli.invoke("verify", snapshot(name), "-w", "json").stdout)
    assert said["good"], said
