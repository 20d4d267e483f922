"""Programs to transform, of every kind there is, and a check of what happens in them that knows nothing of graphs."""

from collections import Counter, deque
from functools import cache

from hypothesis import strategies as st

from stretto.schedule.registry import KINDS
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Memory, Pair, Program, State, Vocabulary, passes, passes_of
from stretto.spec.program_file import check_indices

SIZES = ((1, 1), (1, 3), (2, 1), (2, 2), (2, 4), (2, 5), (3, 4), (3, 6), (4, 4), (4, 8), (4, 9))


def in_order(ranks, microbatches, warmup=None):
    """1F1B, written out; with a warm-up of every microbatch, GPipe."""
    orders = []
    for rank in range(ranks):
        ahead = min(ranks - 1 - rank if warmup is None else warmup, microbatches)
        records = [Compute("F", rank, i) for i in range(ahead)]
        for i in range(microbatches):
            if ahead + i < microbatches:
                records.append(Compute("F", rank, ahead + i))
            records.append(Compute("B", rank, i))
        orders.append(tuple(records))
    return Program(ranks=tuple(orders), stages=ranks, microbatches=microbatches, placement=(tuple(range(ranks)),))


@cache
def all_programs():
    """One small program of every kind and size that it admits."""
    found = [in_order(*sizes) for sizes in SIZES] + [in_order(*sizes, warmup=sizes[1]) for sizes in SIZES]
    for _, kind in sorted(KINDS.items()):
        extra = {"memory_cap": 2.0} if "memory_cap" in kind.options else {}
        for sizes in SIZES:
            try:
                found.append(kind.make(*sizes, **extra))
            except UserError:
                continue
    return tuple(found)


def programs(*conditions):
    """A strategy: the programs that meet all conditions."""
    return st.deferred(lambda: st.sampled_from([p for p in all_programs() if all(meets(p) for meets in conditions)]))


def trains(program):
    return not program.forward_only


def whole(program):
    return program.slices == 1


def stateless(program):
    return not any(isinstance(record, State) for records in program.ranks for record in records)


def synchronous(program):
    return not any(getattr(part, "version", 0) for _, part in passes(program)) and not any(
        isinstance(r, State) and r.kind == "update" for records in program.ranks for r in records
    )


def has_pairs(program):
    return any(isinstance(record, Pair) for records in program.ranks for record in records)


def check(program):
    """Every pass is there once and where its stage is, and the ranks, each in its order, come to their ends."""
    check_indices(program)
    complete(program)
    happens(program)


def complete(program):
    computed = Counter((p.kind, p.copy, p.stage, p.microbatch, p.slice) for _, p in passes(program) if is_compute(p))
    assert set(computed.values()) <= {1}
    units = {key[1:] for key in computed if key[0] == "F"}
    places = {(c, s): program.placement[c][s] for c in range(program.copies) for s in range(program.stages)}
    assert all(places[p.copy, p.stage] == rank for rank, p in passes(program) if is_compute(p))
    trips = {(copy, microbatch) for copy, _, microbatch, _ in units}
    assert len(trips) == program.microbatches == len({microbatch for _, microbatch in trips})
    assert units == {
        (copy, stage, microbatch, part)
        for copy, microbatch in trips
        for stage in program.path(microbatch)
        for part in range(program.slices)
    }
    for unit in units if trains(program) else ():
        assert (("B", *unit) in computed) != (("I", *unit) in computed and ("W", *unit) in computed), unit
    shares = Counter(tuple(p) for _, p in passes(program) if isinstance(p, Vocabulary))
    assert set(shares.values()) <= {len(program.ranks)}
    for rank in range(len(program.ranks)):
        own = Counter(tuple(p) for r, p in passes(program) if r == rank and isinstance(p, Vocabulary))
        assert set(own) == set(shares)
        assert set(own.values()) <= {1}
    if program.barriers:
        assert set(shares) == {
            (kind, m, part, copy) for copy, m in trips for part in range(program.slices) for kind in "ESTG"
        }


def is_compute(part):
    return isinstance(part, Compute)


def needs(program, part):
    """What must have ended before a pass starts: (kind, ...) of passes, whole backwards counted as I."""
    path, last = program.path(part.microbatch), program.slices - 1
    if isinstance(part, Vocabulary):
        kind, m, k, c = part
        ranks = range(len(program.ranks))
        return {
            "E": [],
            "S": [("F", c, path[-1], m, k)],
            "T": [("S", c, r, m, k) for r in ranks],
            "G": [("I", c, path[0], m, k)],
        }[kind]
    kind, stage, m, k, c, _ = part
    at = path.index(stage)
    if kind == "W":
        return [("I", c, stage, m, k)]
    if kind == "F":
        found = [("F", c, path[at - 1], m, k)] if at else []
        if not at and program.barriers:
            found += [("E", c, r, m, k) for r in range(len(program.ranks))]
        return found + [("F", c, stage, m, k - 1)] * (k > 0)
    found = [("F", c, stage, m, k)] + [("I", c, stage, m, k + 1)] * (k < last)
    if at < len(path) - 1:
        return [*found, ("I", c, path[at + 1], m, k)]
    if program.barriers:
        found += [("S" if program.barriers == 1 else "T", c, r, m, k) for r in range(len(program.ranks))]
    return found


def name(rank, part):
    if isinstance(part, Vocabulary):
        return (part.kind, part.copy, rank, part.microbatch, part.slice)
    return ("I" if part.kind == "B" else part.kind, part.copy, part.stage, part.microbatch, part.slice)


def happens(program):
    done, at, waiting = set(), [0] * len(program.ranks), {}
    awake = deque(range(len(program.ranks)))
    while awake:
        rank = awake.popleft()
        while at[rank] < len(program.ranks[rank]):
            parts = passes_of(program.ranks[rank][at[rank]])
            missing = next((n for part in parts for n in needs(program, part) if n not in done), None)
            if missing:
                waiting.setdefault(missing, []).append(rank)
                break
            for part in parts:
                done.add(name(rank, part))
                awake.extend(waiting.pop(name(rank, part), ()))
            at[rank] += 1
    for rank, records in enumerate(program.ranks):
        assert at[rank] == len(records), (rank, records[at[rank]])


def activations_are_there(program):
    """A backward finds what its forward stored: recomputed if it was dropped, back if it was moved out."""
    dropped = {r[1:5] for records in program.ranks for r in records if isinstance(r, Memory) and r.kind == "recompute"}
    for records in program.ranks:
        there = set()
        for record in records:
            if isinstance(record, Memory):
                (there.discard if record.kind == "offload" else there.add)(record[1:5])
            for part in passes_of(record):
                if is_compute(part) and part.kind == "F" and part[1:5] not in dropped:
                    there.add(part[1:5])
                elif is_compute(part) and part.kind != "F":
                    assert part[1:5] in there, part
