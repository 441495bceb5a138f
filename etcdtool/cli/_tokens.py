"""The discovery registry as ``convert --list-tokens`` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.printers import Table
from etcdtool.cli.text import printable, printable_bytes, quoted
from etcdtool.operations.tokens import list_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from etcdtool.operations.read_v2 import V2Data
    from etcdtool.operations.tokens import MemberView, TokenView

__all__ = ["TokensView", "view_tokens"]


def view_tokens(data: V2Data, tokens: Mapping[str, str], converters: Sequence[str]) -> TokensView:
    """Read the registry at the as-of time; what has expired by then is named as such.

    Args:
        data: the v2 source.
        tokens: tokens that get another name.
        converters: as ``-c`` names them.
    """
    nodes = [node for node, _ in data.rows()]
    return TokensView(list_tokens(nodes, as_of=data.as_of, tokens=tokens, converters=converters))


@dataclass(frozen=True, slots=True)
class TokensView:
    """Tokens, their members, and what is wrong with them."""

    tokens: Sequence[TokenView]

    def simple(self) -> Iterable[str]:
        """A paragraph a token."""
        if not self.tokens:
            yield "no discovery tokens"
        for token in self.tokens:
            size = "?" if token.size is None else token.size
            renamed = f", becomes {printable_bytes(token.v3_token)}" if token.v3_token != token.token else ""
            yield f"{printable_bytes(token.token)}: {token.state}, size {size}{renamed}"
            for member in token.members:
                urls = ",".join(member.urls)
                problem = f" ({member.problem})" if member.problem else ""
                yield printable(f"  {member.name} {urls} id {_ids(member)}{problem}")
            for finding in token.problems:
                yield f"  {printable(str(finding))}"

    def table(self) -> Table:
        """One row a token."""
        rows = [
            [
                printable_bytes(token.token),
                "" if token.size is None else str(token.size),
                str(len(token.members)),
                token.state,
            ]
            for token in self.tokens
        ]
        return Table(headers=["token", "size", "members", "state"], rows=rows, left=frozenset({0, 3}))

    def fields(self) -> Iterable[tuple[str, str]]:
        """A block a token, with its members one by one."""
        for token in self.tokens:
            yield "Token", quoted(printable_bytes(token.token))
            yield "V3 token", quoted(printable_bytes(token.v3_token))
            yield "Size", "" if token.size is None else str(token.size)
            yield "State", quoted(token.state)
            for member in token.members:
                yield "Member", quoted(f"{member.name}={','.join(member.urls)} {_ids(member)}")
            yield "", ""

    def as_json(self) -> object:
        """A list of tokens."""
        return [_token_json(token) for token in self.tokens]


def _ids(member: MemberView) -> str:
    return f"{member.v2_id or '?'} -> {member.v3_id or '?'}"


def _token_json(token: TokenView) -> dict[str, Any]:
    return {
        **text_or_base64("token", token.token),
        **text_or_base64("v3_token", token.v3_token),
        "size": token.size,
        "state": token.state,
        "members": [
            {
                "name": member.name,
                "urls": list(member.urls),
                "v2_id": member.v2_id,
                "v3_id": member.v3_id,
                "createdIndex": member.created_index,
                "problem": member.problem,
            }
            for member in token.members
        ],
        "findings": [finding.as_json() for finding in token.problems],
    }
