"""Alarms that stand: a server that is started on the data begins with them.

Format: docs/formats/mvcc.md, "Buckets"; upstream: ``server/etcdserver/api/v3alarm/alarms.go`` @ v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.checks.codes import Code
from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.model.backend import Alarm, AlarmType
from etcdtool.model.membership import member_id_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.cursor import Item

__all__ = ["CODES", "check_alarms"]

UNREADABLE = Code(
    code="alarms.unreadable",
    severity=Severity.ERROR,
    meaning="An entry of bucket alarm is no alarm.",
    remedy="Use another copy.",
)
CORRUPT = Code(
    code="alarms.corrupt",
    severity=Severity.ERROR,
    meaning="The alarm CORRUPT stands: the cluster has found that members' data differ, and these may be the wrong "
    "ones.",
    remedy="Compare hashkv of all members, and use the data of one that agrees with the majority.",
)
NOSPACE = Code(
    code="alarms.nospace",
    severity=Severity.NOTE,
    meaning="The alarm NOSPACE stands: the database had reached its quota. A server that starts on the data refuses "
    "writes until etcdctl alarm disarm.",
    remedy="Compact, defragment or raise the quota, then disarm.",
)
UNKNOWN = Code(
    code="alarms.unknown",
    severity=Severity.WARNING,
    meaning="An alarm of a type that no version knows.",
    remedy="Compare with another copy.",
)
CODES = (UNREADABLE, CORRUPT, NOSPACE, UNKNOWN)

_BY_TYPE = {AlarmType.NOSPACE: NOSPACE, AlarmType.CORRUPT: CORRUPT}


def check_alarms(items: Iterable[Item]) -> Iterator[Finding]:
    """Yield a finding for each pair of bucket ``alarm``."""
    for item in items:
        try:
            alarm = Alarm.parse(item.key, item.value)
        except FormatError as error:
            yield UNREADABLE.finding("bucket alarm", error.problem, offset=item.offset)
            continue
        code = next((code for kind, code in _BY_TYPE.items() if kind == alarm.type), UNKNOWN)
        where = f"member {member_id_text(alarm.member_id)}"
        yield code.finding(where, f"the alarm {alarm.name} stands", offset=item.offset)
