"""``snapshot status`` against what etcdutl 3.7 said of the same files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import samples

from etcdtool.errors import FormatError
from etcdtool.operations.status import IntegrityError, status
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINES = ("columns", "plain")
DAMAGED = {
    variant: facts
    for variant, facts in samples.expected("damaged/snapshots")["variants"].items()
    if samples.packed(f"damaged/snapshots/{variant}.db.gz").exists()
}


STATUS = "etcdutl-3.7 snapshot status"


def recorded() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each good database with etcdutl 3.7's answer."""
    for name in samples.databases():
        folder, _, file = name.rpartition("/")
        if not folder.startswith("damaged"):
            yield name, answer_of(samples.expected(folder), file.removesuffix(".db.gz"))
    for version in ("3.2", "3.4", "3.5", "3.6", "3.7"):
        answers = samples.expected(f"v3/{version}")
        yield f"v3/{version}/data.tar.gz", answers["offline_member_db"][STATUS]["json"]
        for restored in ("restored", "restored_bumped"):
            if f"{restored}_dir" in answers:
                name = f"v3/{version}/{restored.replace('_', '-')}.tar.gz"
                yield name, answers[f"{restored}_dir"]["offline"][STATUS]["json"]


def answer_of(answers: dict[str, Any], stem: str) -> dict[str, Any]:
    """Find the answer; the recordings were made by several scripts, so it has several places."""
    if "snapshot_status" in answers:
        run = answers["snapshot_status"]["etcdutl-3.7"]
    elif "per_member" in answers:
        run = answers["per_member"][stem.removeprefix("snapshot-")]["offline_snapshot"][STATUS]
    elif "offline_snapshot" in answers:
        run = answers["offline_snapshot"][STATUS]
    else:
        run = (answers if "offline" in answers else answers[stem])["offline"][STATUS]
    return run["json"]


RECORDED = dict(recorded())


def as_upstream(name: str, engine: str) -> dict[str, Any]:
    with open_database(samples.unpack(name)) as database:
        found = status(database, engine=engine)
    return {
        "hash": found.hash,
        "revision": found.revision,
        "totalKey": found.total_key,
        "totalSize": found.total_size,
        "version": found.version,
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", RECORDED)
def test_status_equals_etcdutl_s(name: str, engine: str) -> None:
    assert as_upstream(name, engine) == RECORDED[name]


def test_every_kind_of_sample_is_there() -> None:
    assert {name.split("/")[0] for name in RECORDED} == {
        "v3",
        "v3-cluster",
        "v3-extra",
        "v3-edge",
        "k8s",
        "k8s-objects",
        "v2-migrated",
        "discovery-v3",
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("variant", DAMAGED)
def test_a_damaged_file_gets_etcdutl_s_answer_or_a_refusal(variant: str, engine: str) -> None:
    run = DAMAGED[variant]["tools"][STATUS]
    name = f"damaged/snapshots/{variant}.db.gz"
    if run["rc"] == 0:
        assert as_upstream(name, engine) == run["json"]
    else:
        with pytest.raises((IntegrityError, FormatError)):
            as_upstream(name, engine)
