"""Records as text: ``F3.12`` is the forward of stage 3 on microbatch 12.

    record      = compute | pair | vocabulary | memory | state
    compute     = ("F" | "B" | "I" | "W") stage "." microbatch ["/" slice] ["@" copy] ["^" version]
    pair        = compute "+" compute            both passes' results leave at the end
                | compute "+>" compute           the forward's leaves early
    vocabulary  = ("E" | "S" | "T" | "G") microbatch ["/" slice] ["@" copy]
    memory      = ("recompute" | "offload" | "reload") stage "." microbatch ["/" slice] ["@" copy]
    state       = ("gather" | "reduce" | "update" | "validate" | "rollback") stage ["@" copy] ["^" version]

What is 0 is left out. Program files, traces, pictures and error messages all write records this way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, cast

from stretto.spec.errors import UserError, bad_value
from stretto.spec.program import Compute, Memory, Pair, Record, State, Vocabulary

_N: Final = "[0-9]{1,9}"
_TAIL: Final = rf"(?:/(?P<slice>{_N}))?(?:@(?P<copy>{_N}))?"
_VERSION: Final = rf"(?:\^(?P<version>{_N}))?"
_PLACE: Final = rf"(?P<stage>{_N})\.(?P<microbatch>{_N}){_TAIL}"
_COMPUTE: Final = re.compile(rf"(?P<kind>[FBIW]){_PLACE}{_VERSION}")
_VOCABULARY: Final = re.compile(rf"(?P<kind>[ESTG])(?P<microbatch>{_N}){_TAIL}")
_MEMORY: Final = re.compile(rf"(?P<kind>recompute|offload|reload){_PLACE}")
_STATE: Final = re.compile(
    rf"(?P<kind>gather|reduce|update|validate|rollback)(?P<stage>{_N})(?:@(?P<copy>{_N}))?{_VERSION}"
)
_KINDS: Final[tuple[tuple[re.Pattern[str], object], ...]] = (
    (_COMPUTE, Compute),
    (_VOCABULARY, Vocabulary),
    (_MEMORY, Memory),
    (_STATE, State),
)


def write_record(record: Record) -> str:
    """The text of a record."""
    if isinstance(record, Pair):
        joint = "+>" if record.early_output else "+"
        return f"{write_record(record.forward)}{joint}{write_record(record.backward)}"
    text = record.kind
    if isinstance(record, Vocabulary):
        text += str(record.microbatch)
    elif isinstance(record, State):
        text += str(record.stage)
    else:
        text += f"{record.stage}.{record.microbatch}"
    if not isinstance(record, State) and record.slice:
        text += f"/{record.slice}"
    if record.copy:
        text += f"@{record.copy}"
    if isinstance(record, Compute | State) and record.version:
        text += f"^{record.version}"
    return text


def read_record(text: str) -> Record:
    """The record that a text means.

    Raises:
        UserError: it means none.
    """
    forward, plus, backward = text.partition("+")
    if plus:
        early = backward.startswith(">")
        if "+" in backward:
            raise unreadable(text)
        first, second = read_record(forward), read_record(backward.removeprefix(">"))
        if not isinstance(first, Compute) or not isinstance(second, Compute):
            raise bad_value("record", text, "a pair of two passes, such as F3.12+B4.7")
        if first.kind != "F" or second.kind not in "BI":
            raise bad_value("record", text, "a pair of a forward and a backward, such as F3.12+B4.7")
        return Pair(first, second, early)
    for pattern, kind in _KINDS:
        if found := pattern.fullmatch(text):
            fields = {name: value for name, value in found.groupdict().items() if value is not None}
            make = cast("Callable[..., Record]", kind)
            return make(**{name: value if name == "kind" else int(value) for name, value in fields.items()})
    raise unreadable(text)


def unreadable(text: str) -> UserError:
    """The sentence for a text that is no record."""
    return bad_value("record", text, "a record such as F3.12, I3.12/1@1, S12 or update3")
