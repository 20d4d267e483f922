"""Whether a generated program is one: every pass once, where its stage is, after everything that it reads."""

from hypothesis import strategies as st

from stretto.schedule.graph import build
from stretto.schedule.memory import peaks
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.program import passes
from stretto.spec.program_file import check_indices

RANKS = st.integers(1, 7)
MICROBATCHES = st.integers(1, 20)
CHUNKS = st.integers(1, 4)
SLICES = st.integers(1, 4)
EQUAL = PassCosts(forward=1.0, input_grad=1.0, weight_grad=1.0)


@st.composite
def times(draw, shortest_last=False, transfer=False):
    """Costs of the passes; with `shortest_last` no pass is shorter than W."""
    w = draw(st.integers(1, 9))
    f, i = (draw(st.integers(w if shortest_last else 1, 12)) for _ in range(2))
    hop = draw(st.sampled_from([0.0, 0.25, 1.0])) if transfer else 0.0
    return PassCosts(forward=f, input_grad=i, weight_grad=w, transfer=hop, weight_activation=0.25)


def assert_sound(program, kinds="FB"):
    """Check the whole program, in an order in which its passes can happen."""
    check_indices(program)
    sizes = program.stages, program.microbatches, program.slices
    wanted = {(k, s, i, q) for k in kinds for s in range(sizes[0]) for i in range(sizes[1]) for q in range(sizes[2])}
    computed = [(p.kind, p.stage, p.microbatch, p.slice) for _, p in passes(program)]
    assert len(computed) == len(wanted)
    assert set(computed) == wanted
    assert all(program.placement[0][p.stage] == rank for rank, p in passes(program))
    graph = build(program)
    assert graph.acyclic
    done = set()
    for node in graph.order:
        record = graph.records[node]
        if record.kind in kinds:
            needs = set(reads(*record[:4]))
            assert needs & wanted <= done, record
            done.add(record[:4])
    assert done == wanted


def reads(kind, stage, microbatch, part):
    """What a pass needs, among it what is no pass of the program."""
    if kind == "F":
        return ("F", stage - 1, microbatch, part), ("F", stage, microbatch, part - 1)
    if kind == "W":
        return (("I", stage, microbatch, part),)
    after = (kind, stage + 1, microbatch, part), (kind, stage, microbatch, part + 1)
    return ("F", stage, microbatch, part), *after


def work(program, costs):
    """What one microbatch costs a rank."""
    return costs.forward + (0 if program.forward_only else costs.input_grad + costs.weight_grad)


def bubble(program, costs):
    """The makespan, less what a rank's passes take."""
    return timing(program, costs).makespan - program.microbatches * work(program, costs)


def span_bubble(program, costs):
    """The longest span of a rank, less what its passes take."""
    return max(timing(program, costs).spans) - program.microbatches * work(program, costs)


def stored(program, weight_activation=0.0):
    """The peaks of the ranks."""
    return list(peaks(program, PassCosts(weight_activation=weight_activation)))
