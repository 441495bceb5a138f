"""Versions as etcd reads and orders them, and the way from one version of the storage to another."""

from __future__ import annotations

import itertools
import re

import pytest

from etcdtool.model.migration import detect_version, parse_target, plan_steps, stored_version
from etcdtool.model.semver import SemanticVersion

ASCENDING = (
    "3.5.33",
    "3.6.0-1",
    "3.6.0-2",
    "3.6.0-10",
    "3.6.0-alpha",
    "3.6.0-alpha.1",
    "3.6.0-rc.4",
    "3.6.0",
    "10.0.0",
)


@pytest.mark.parametrize(("lower", "higher"), list(itertools.combinations(ASCENDING, 2)))
def test_order(lower: str, higher: str) -> None:
    one, other = SemanticVersion.parse(lower), SemanticVersion.parse(higher)
    assert one < other
    assert other > one
    assert one != other


def test_metadata_count_for_nothing_and_stay() -> None:
    version = SemanticVersion.parse("3.6.14-rc.1+git.5")
    assert version == SemanticVersion.parse("3.6.14-rc.1")
    assert hash(version) == hash(SemanticVersion.parse("3.6.14-rc.1"))
    assert str(version) == "3.6.14-rc.1+git.5"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3.6", "3.6 is not in dotted-tri format"),
        ("3.a.0", 'strconv.ParseInt: parsing "a": invalid syntax'),
        ("3.99999999999999999999.0", 'strconv.ParseInt: parsing "99999999999999999999": value out of range'),
        ("3.6.0-a!", "failed to validate pre-release: a! is not a valid semver identifier"),
        ("3.6.0+a!", "failed to validate metadata: a! is not a valid semver identifier"),
        ("", " is not in dotted-tri format"),
    ],
)
def test_what_is_no_version(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        SemanticVersion.parse(text)


def steps(current: str, target: str) -> list[str]:
    return [str(step) for step in plan_steps(SemanticVersion.parse(current), SemanticVersion.parse(target))]


def test_plan_goes_a_minor_version_at_a_time() -> None:
    assert steps("3.5.0", "3.7.0") == ["3.6.0", "3.7.0"]
    assert steps("3.7.0", "3.5.0") == ["3.6.0", "3.5.0"]
    assert steps("3.6.3", "3.6.0") == []


@pytest.mark.parametrize(
    ("current", "target", "said"),
    [
        ("3.7.0", "3.8.0", 'version "3.8.0" is not supported'),
        ("3.8.0", "3.7.0", 'version "3.8.0" is not supported'),
        ("3.7.0", "4.0.0", "changing major storage version is not supported"),
        ("3.4.0", "3.5.0", 'version "3.5.0" is not supported'),
    ],
)
def test_no_way(current: str, target: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        steps(current, target)


def test_detection() -> None:
    index = bytes(7) + b"\x05"
    assert detect_version({}) is None
    assert detect_version({b"consistent_index": index}) is None
    assert detect_version({b"consistent_index": index, b"term": bytes(8)}) is None
    assert detect_version({b"term": index}) is None
    assert str(detect_version({b"consistent_index": index, b"term": index})) == "3.5.0"
    assert str(detect_version({b"storageVersion": b"3.7.0"})) == "3.7.0"
    assert str(detect_version({b"storageVersion": b"", b"consistent_index": index, b"term": index})) == "3.5.0"


def test_what_is_stored() -> None:
    assert stored_version(parse_target("3.5")) is None
    assert stored_version(parse_target("3.6")) == b"3.6.0"
