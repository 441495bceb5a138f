"""Drawn damage: nothing that a real tool finds escapes us, no traceback, no hang, no memory without end.

The whole corpus, a hundred faults a field, is judged by ``make damage-table``, which takes hours and fails
where something is missed.  What the real tools said is kept in the repository: the long suite judges the same faults
again, and asks the tools anew about some of them, taken by chance.  ``--seed`` draws other faults, fewer, and asks them
about each; what they say is kept in the cache folder.
"""

from __future__ import annotations

import json
import random
import resource
from functools import partial
from typing import TYPE_CHECKING

import pytest
from support import damage_corpus, kept_faults
from support.damage import CATALOGUE, draw, fields
from support.damage_corpus import (
    KEPT_SEED,
    OURS_SECONDS_MAX,
    SEALED_EACH,
    SUMMARY,
    UNSEALED_EACH,
    corpus,
    faults_of,
    judged,
    judged_log,
    missed,
    render,
)
from support.damage_logs import LOG_FIELDS, WITHOUT_A_SIGN, draw_log
from support.log_verdicts import LOG_TOOLS, log_asked_anew, log_program_of
from support.verdicts import TOOLS, asked_anew, program_of

from etcdtool.checks import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from support.damage import Fault
    from support.verdicts import Verdict

MEMORY_GROWTH_MAX = 256 << 20
SEALED_ASKED, UNSEALED_ASKED, LOGS_ASKED = 10, 2, 8
"""Faults of a field in the long suite where the tools have to be asked about each."""
ASKED_AT_MOST = 12
LOGS_ASKED_ANEW = 4
"""Most of these end with a server that starts."""


def sizes(seed: int) -> tuple[int, int, int]:
    """Give how many sealed faults, unsealed ones, and faults of a log's field the long suite judges."""
    kept = seed == KEPT_SEED and all(kept_faults.verdicts_of(program_of(tool)) for tool in TOOLS)
    return (SEALED_EACH, UNSEALED_EACH, SEALED_EACH) if kept else (SEALED_ASKED, UNSEALED_ASKED, LOGS_ASKED)


def hold(faults: Iterable[Fault]) -> int:
    """Check the laws on each fault; give how many there were."""
    number = 0
    for fault in faults:
        number += 1
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result = judged(fault)
        assert not missed(result), result.as_json()
        if not fault.sealed and fault.field != "lost":
            assert result.ours.word == "error", result.as_json()
        assert result.ours.seconds < OURS_SECONDS_MAX, fault
        growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
        assert growth < MEMORY_GROWTH_MAX, result.as_json()
    return number


@pytest.mark.parametrize("page_type", CATALOGUE)
def test_nothing_found_by_others_is_missed(page_type: str, request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--seed") or KEPT_SEED
    assert hold(corpus(seed, page_type, sealed=1, unsealed=1)) >= len(CATALOGUE[page_type])


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("page_type", "name"), list(fields()), ids=["/".join(names) for names in fields()])
def test_nothing_found_by_others_is_missed_in_more_faults(
    page_type: str, name: str, request: pytest.FixtureRequest
) -> None:
    seed = request.config.getoption("--seed") or KEPT_SEED
    sealed, unsealed, _ = sizes(seed)
    assert hold(faults_of(seed, page_type, name, sealed=sealed, unsealed=unsealed)) >= sealed


def hold_to_be_said(kept: dict[str, str], ask: Callable[[], dict[str, Verdict]], fault: str) -> None:
    """Check that each tool says what is kept of it; one that reads what lies behind the file says it now and then.

    A hang is no answer within some seconds: on a faster machine there may be one, on a slower one none.
    """
    unsaid = dict(kept)
    for _ in range(ASKED_AT_MOST):
        said = ask()
        answers = {tool: {word, said[tool].word} for tool, word in unsaid.items()}
        unsaid = {tool: unsaid[tool] for tool, words in answers.items() if len(words) > 1 and "hang" not in words}
        if not unsaid:
            return
    pytest.fail(f"{fault}: never said: {unsaid}")


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page_type", CATALOGUE)
def test_what_is_kept_is_what_the_tools_say(page_type: str) -> None:
    for name in CATALOGUE[page_type]:
        number = random.randrange(SEALED_EACH)
        fault = draw(KEPT_SEED, page_type, name, number, sealed=page_type != "trailer")
        kept = {tool: kept_faults.verdicts_of(program_of(tool))[fault.sha256][0] for tool in TOOLS}
        hold_to_be_said(kept, partial(asked_anew, fault), f"{name} {number}")


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_what_is_kept_of_logs_is_what_the_tools_say() -> None:
    for kind, name in random.sample(LOG_FIELDS, LOGS_ASKED_ANEW):
        number = random.randrange(SEALED_EACH)
        fault = draw_log(KEPT_SEED, kind, name, number)
        tools = [tool for tool in LOG_TOOLS if tool != "migrate" or fault.version != "3.4"]
        kept = {tool: kept_faults.verdicts_of(log_program_of(tool, fault))[fault.sha256][0] for tool in tools}
        hold_to_be_said(kept, partial(log_asked_anew, fault), f"{kind} {name} {number}")


def hold_logs(seed: int, kind: str, name: str, count: int) -> None:
    """Check the laws on faults of a data dir's log or ``.snap`` files."""
    for number in range(count):
        result = judged_log(draw_log(seed, kind, name, number))
        assert not missed(result), result.as_json()
        if (kind, name) not in WITHOUT_A_SIGN:
            assert result.ours.word != "good", result.as_json()
        assert result.ours.seconds < OURS_SECONDS_MAX, result.as_json()


@pytest.mark.parametrize("kind", ["WAL", ".snap"])
def test_nothing_found_by_others_is_missed_in_data_dirs(kind: str, request: pytest.FixtureRequest) -> None:
    for one, name in LOG_FIELDS:
        if one == kind:
            hold_logs(request.config.getoption("--seed") or KEPT_SEED, kind, name, 1)


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("kind", "name"), LOG_FIELDS, ids=["/".join(names) for names in LOG_FIELDS])
def test_nothing_found_by_others_is_missed_in_many_data_dirs(
    kind: str, name: str, request: pytest.FixtureRequest
) -> None:
    seed = request.config.getoption("--seed") or KEPT_SEED
    hold_logs(seed, kind, name, sizes(seed)[2])


def test_a_seed_draws_the_same_faults_again() -> None:
    page_type, name = "key leaf", "pos"
    first = [draw(7, page_type, name, number, sealed=True) for number in range(5)]
    assert first == [draw(7, page_type, name, number, sealed=True) for number in range(5)]
    assert len({fault.sha256 for fault in first}) == 5
    assert draw(8, page_type, name, 0, sealed=True) != first[0]


def test_the_kept_summary_is_of_a_whole_corpus_and_misses_nothing() -> None:
    summary = json.loads(SUMMARY.read_text(encoding="utf-8"))
    assert summary["faults"] >= 2000
    assert set(summary["fields"]) == {f"{page_type} / {name}" for page_type, name in fields()}
    for name, row in summary["fields"].items():
        assert sum(cell["faults"] for cell in row.values()) >= 100, name
        if "sealed" in row:
            assert row["sealed"]["errors"] >= row["sealed"]["any"], name
        assert row.get("unsealed", {}).get("ours") == row.get("unsealed", {}).get("faults"), name
    assert summary["logs"].keys() == {f"{kind} / {name}" for kind, name in LOG_FIELDS}
    for name, cell in summary["logs"].items():
        assert cell["faults"] >= 100, name
        assert cell["errors"] >= cell["any"], name
        assert cell["ours"] == cell["faults"] or tuple(name.split(" / ")) in WITHOUT_A_SIGN, name


def test_the_kept_faults_are_those_of_the_kept_summary() -> None:
    summary, lines = json.loads(SUMMARY.read_text(encoding="utf-8")), kept_faults.read()
    assert len(lines) == summary["faults"]
    assert len({line["sha256"] for line in lines}) > 0.85 * len(lines)  # some fields have few places
    for line in lines:
        words = {tool: line[tool][0] for tool in ("verify", *line[kept_faults.PROGRAMS])}
        found = any(word != "good" for tool, word in words.items() if tool != "verify")
        assert not (found and line.get("sealed", True)) or words["verify"] == "error", line


def test_what_was_said_of_each_fault_is_told() -> None:
    line = judged(draw(0, "freelist", "count", 0, sealed=True)).as_json()
    assert {name: type(said[1]) for name, said in line.items() if isinstance(said, list)} == dict.fromkeys(
        ("verify", *TOOLS), str
    )
    assert (line["verify"][0], line["check"][0]) == ("error", "bad")
    assert line["verify"][1].startswith("error: bbolt.")


def test_the_table_is_made_of_the_kept_summary() -> None:
    page = SUMMARY.with_suffix(".md")
    assert page.read_text(encoding="utf-8") == render(json.loads(SUMMARY.read_text(encoding="utf-8")))


def test_what_nobody_can_find_is_named() -> None:
    fields_ = json.loads(SUMMARY.read_text(encoding="utf-8"))["fields"]
    partly = {
        name for name, row in fields_.items() if "sealed" in row and row["sealed"]["ours"] < row["sealed"]["faults"]
    }
    assert partly <= damage_corpus.UNDETECTABLE.keys()


def test_codes_of_findings_are_explained() -> None:
    faults = [draw(9, page_type, name, 0, sealed=True) for page_type, name in fields() if page_type != "trailer"]
    found = {code for fault in faults for code in damage_corpus.ours_of(fault).codes}
    assert {code for code in found if "." in code} <= registry.BY_CODE.keys()
