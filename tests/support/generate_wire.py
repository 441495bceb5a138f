"""Generate the protobuf modules of ``etcdtool/formats/wire`` from the ``.proto`` files beside them.

``python tests/support/generate_wire.py [TARGET]`` writes ``*_pb2.py`` and ``*_pb2.pyi`` into TARGET (the package's own
folder when none is given).  It needs grpcio-tools of the version pinned in ``pyproject.toml``.

protoc's modules ask at import whether the installed protobuf is at least as new as protoc and at most one major
version newer, which would narrow ``protobuf>=5.29,<8`` to what the newest protoc likes.  The descriptors themselves
load everywhere in that range, so this check is taken out; ``tests/unit/test_wire.py`` imports the result.
"""

from __future__ import annotations

import re
import sys
import tempfile
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIRE = ROOT / "etcdtool" / "formats" / "wire"

_VERSION_CHECK = re.compile(
    r"^from google\.protobuf import runtime_version as _runtime_version\n"
    r"|^_runtime_version\.ValidateProtobufRuntimeVersion\(\n(?:    .*\n)*\)\n",
    re.MULTILINE,
)
_VERSION_COMMENT = re.compile(r"^# Protobuf Python Version: .*\n", re.MULTILINE)


def generate() -> dict[str, str]:
    """Return file name -> text of every generated module."""
    from grpc_tools import protoc  # noqa: PLC0415  a tool of the dev group, needed here only

    protos = sorted(WIRE.glob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        arguments = [
            "protoc",
            f"--proto_path={ROOT}",
            f"--proto_path={resources.files('grpc_tools') / '_proto'}",
            f"--python_out={folder}",
            f"--pyi_out={folder}",
            *(str(proto.relative_to(ROOT)) for proto in protos),
        ]
        if protoc.main(arguments) != 0:
            raise SystemExit("protoc failed")
        made = Path(folder) / WIRE.relative_to(ROOT)
        return {path.name: _without_version_check(path.read_text()) for path in sorted(made.iterdir())}


def _without_version_check(text: str) -> str:
    return _VERSION_COMMENT.sub("", _VERSION_CHECK.sub("", text))


def main() -> None:
    """Write the modules."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else WIRE
    for name, text in generate().items():
        (target / name).write_text(text)


if __name__ == "__main__":
    main()
