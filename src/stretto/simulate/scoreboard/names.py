"""What the names of schedules in published tables mean here: a kind, and how it is asked for.

Tables give one schedule several names and add to them how many chunks a rank has (``v=2``) or, in parentheses, a
remark. A name that is none of these is tried as a kind of `schedule.registry`.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from stretto.schedule.registry import KINDS
from stretto.spec.errors import UserError


class Name(NamedTuple):
    """A schedule as a table names it."""

    kind: str
    """Its kind, or "search" where the table's schedule was searched for."""
    measure: Literal["makespan", "span"] = "makespan"
    """From what its bubble rate is counted: the whole makespan, or the longest span of a rank."""
    chunks: int | None = None
    vocabulary: Literal["one", "two"] | None = None
    cap: float | None = None
    """Of a searched schedule, how much a rank may store, as a multiple of p microbatches; none: the row's note says."""
    greedy: bool = False
    """Whether the published order is what a greedy scheduler arrives at, so that ours may have less of a bubble."""
    fault: str = ""
    """What is known to be wrong with published figures of this name; empty: nothing."""

    @property
    def text(self) -> str:
        """The kind and its vocabulary passes, for people."""
        barriers = {None: "", "one": ", vocabulary with one barrier", "two": ", vocabulary with two barriers"}
        return self.kind + barriers[self.vocabulary]


_NAMES: Final = MappingProxyType(
    {
        "baseline": Name("1f1b"),
        "baseline 1f1b": Name("1f1b"),
        "1f1b + layer redistribution": Name("1f1b"),
        "vocab-1": Name("1f1b", vocabulary="two"),
        "vocab-2": Name("1f1b", vocabulary="one"),
        "1f1b-i": Name(
            "interleaved-1f1b",
            fault="the published simulation leaves out the dependency of rank 0 on rank p-1 "
            "for all but the first microbatch of a group",
        ),
        "interleaved1f1b": Name("interleaved-1f1b"),
        "interleaved 1f1b": Name("interleaved-1f1b"),
        "loopedbfs": Name("breadth-first"),
        "zb-h2": Name("zb-h2", "span"),
        "zb-1p": Name("search", "span", chunks=1, cap=1),
        "zb-2p": Name("search", "span", chunks=1, cap=2),
        "zb-auto": Name("search", "span", chunks=1),
        "zb-auto heuristic": Name("search", "span", chunks=1),
        "zb-v": Name("search", "span", chunks=2, cap=1),
        "zb-v heuristic": Name("search", "span", chunks=2),
        "interleavedzerobubble": Name("interleaved-zb"),
        "zbvzerobubble": Name("zb-v"),
        "dualpipev": Name("dualpipe-v"),
        "v-half": Name("v-half", "span", greedy=True),
        "v-min": Name("v-min", "span", greedy=True),
        "v-zb": Name("v-zb", "span"),
    }
)


def named(schedule: str) -> Name:
    """What a table's name of a schedule means.

    Raises:
        UserError: there is no such kind.
    """
    plain = re.sub(r"\([^()]*\)|f&b atomic", "", schedule.lower())
    given = re.search(r"\bv=([1-9][0-9]{0,3})\b", plain)
    plain = " ".join(plain.replace(given.group(), "").split() if given else plain.split())
    name = _NAMES.get(plain) or Name(plain)
    if name.kind != "search" and name.kind not in KINDS:
        raise UserError(f"no kind called {schedule!r}")
    return name._replace(chunks=int(given.group(1))) if given and name.chunks is None else name
