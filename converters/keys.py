"""Plain keys: ``/foo/bar`` of v2 becomes the v3 key ``/foo/bar``, hidden keys included.

`migrate` of etcdctl (``etcdctl/ctlv3/command/migrate_command.go`` @ v3.4.45) does the same for what it sees, which is
not everything: it walks a listing, and v2 listings leave out nodes whose name starts with ``_``.

Directories do not exist in v3.  They are skipped, or (``--directories marker``) become the key ``/dir/`` with an empty
value; no v2 file can be named like that, because v2 cleans every path of its trailing slash.
``--strip-prefix`` takes a prefix off that ends where a path component ends, so ``/foo`` is no prefix of ``/foobar``;
a key outside it is an error, never left as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.errors import UsageError
from etcdtool.model.conversion import Directories, Put, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etcdtool.model.conversion import ConversionContext, Node, Outcome

__all__ = ["KeysConverter"]


class KeysConverter:
    """One put for each key, under its own name; claims everything."""

    name = "keys"
    summary = "every key keeps its name; directories are skipped or become markers"

    def claims(self, node: Node) -> bool:  # noqa: ARG002  the protocol's signature
        """Claim any node: this converter is the last of the chain."""
        return True

    def convert(self, nodes: Sequence[Node], context: ConversionContext) -> Iterator[Outcome]:
        """Yield one `Put` a key, one `Skipped` or `Put` a directory, in the order of the nodes.

        Raises:
            UsageError: a key lies outside ``--strip-prefix``, or nothing would be left of its name.
        """
        with_markers = context.directories is Directories.MARKER
        if context.strip_prefix:
            _refuse_outside(nodes, context.strip_prefix, with_markers=with_markers)
        for node in nodes:
            if node.is_directory:
                yield _directory(node, context) if with_markers else _skipped(node)
            else:
                yield _put(node, _renamed(node.path, context))


def _put(node: Node, key: bytes) -> Put:
    if not key:
        raise UsageError(
            f"nothing is left of the key {_shown(node.path)} without --strip-prefix, and v3 has no empty keys",
            hint="Strip less, or give --add-prefix.",
        )
    return Put(
        node=node,
        key=key,
        value=node.value,
        created_index=node.created_index,
        modified_index=node.modified_index,
        expires=node.expires,
    )


def _skipped(node: Node) -> Skipped:
    return Skipped(node=node, reason="directory" if node.child_count else "empty directory")


def _directory(node: Node, context: ConversionContext) -> Outcome:
    marker = _marker(node)
    if not _is_under(marker, context.strip_prefix):
        return Skipped(node=node, reason="directory above --strip-prefix")
    key = _renamed(marker, context)
    return _put(node, key) if key else Skipped(node=node, reason="directory that is --strip-prefix itself")


def _marker(node: Node) -> bytes:
    return node.path if node.path.endswith(b"/") else node.path + b"/"


def _renamed(path: bytes, context: ConversionContext) -> bytes:
    return context.add_prefix + path[len(context.strip_prefix) :]


def _is_under(path: bytes, prefix: bytes) -> bool:
    if not path.startswith(prefix):
        return False
    return not prefix or prefix.endswith(b"/") or path[len(prefix) :][:1] in {b"", b"/"}


def _refuse_outside(nodes: Sequence[Node], prefix: bytes, *, with_markers: bool) -> None:
    outside = [node for node in nodes if _is_outside(node, prefix, with_markers=with_markers)]
    if outside:
        more = f" and {len(outside) - 1} more lie" if len(outside) > 1 else " lies"
        raise UsageError(
            f"{_shown(outside[0].path)}{more} outside --strip-prefix {_shown(prefix)}",
            hint="Give the same path as --prefix to convert only what lies under it.",
        )


def _is_outside(node: Node, prefix: bytes, *, with_markers: bool) -> bool:
    if not node.is_directory:
        return not _is_under(node.path, prefix)
    marker = _marker(node)
    # a directory on the way to the prefix has to be in the source, and is no reason to refuse
    return with_markers and not _is_under(marker, prefix) and not prefix.startswith(marker)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
