"""The v2 store as read from every sample, against what the real server answered about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import samples, v2_answers

from etcdtool.model.gotext import parse_time
from etcdtool.operations.read_v2 import ReadOptions, read_v2

if TYPE_CHECKING:
    from support.v2_answers import Case


@pytest.mark.parametrize("case", v2_answers.cases(), ids=str)
def test_store_equals_what_the_server_answered(case: Case) -> None:
    with read_v2([samples.unpack(archive) for archive in case.archives], ReadOptions()) as data:
        found = {node.path.decode(): (node, own) for node, own in data.rows()}
        index = data.current_index
    if case.subtree != "/":
        found = {path: row for path, row in found.items() if (path + "/").startswith(case.subtree + "/")}
    assert sorted(found) == sorted(case.nodes), "the nodes themselves"
    for path, answer in case.nodes.items():
        node, own = found[path]
        assert v2_answers.agrees(answer, node.value), path
        assert node.is_directory == answer.is_directory, path
        assert (node.created_index, node.modified_index) == (answer.created_index, answer.modified_index), path
        assert own == (parse_time(answer.expiration) if answer.expiration else None), path
    if case.index is not None and not case.index_moved_on:
        assert index == case.index
