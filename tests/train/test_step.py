"""The contract of scale: one loss and one gradient, whatever the ranks, microbatches, stages and precision."""

import numpy as np
import pytest
import torch

from stretto.models.build import build, initialize
from stretto.models.context import LocalContext
from stretto.ops.cross_entropy import linear_cross_entropy
from stretto.parallel.world import World
from stretto.schedule.generators.sequential import sequential
from stretto.spec.batch import PackedBatch, join
from stretto.spec.run.model import LlamaModel
from stretto.spec.run.optimizer import AdamW, Muon
from stretto.train.optimizer import StageOptimizer
from stretto.train.recorder import Recorder
from stretto.train.stages import build_stages
from stretto.train.step import Refused, Step
from stretto.train.task import Task

ROWS, TOKENS = 8, 12
ALONE = World(0, 1, 0, 1, torch.device("cpu"))


def _shape(tied=True):
    model = LlamaModel(width=16, layers=3, heads=4, kv_heads=2, head_width=4, feed_forward=20, tied=tied)
    return model.shape(vocabulary=37, context=TOKENS)


def _rows():
    """Rows of unequal documents and unequal numbers of labels."""
    random = np.random.default_rng(5)
    rows = []
    for i in range(ROWS):
        cut = int(random.integers(1, TOKENS))
        labels = random.integers(37, size=TOKENS).astype(np.int32)
        labels[random.random(TOKENS) < i / ROWS] = -1
        positions = np.concatenate((np.arange(cut), np.arange(TOKENS - cut))).astype(np.int32)
        offsets = np.array([0, cut, TOKENS], np.int32)
        rows.append(PackedBatch(random.integers(37, size=TOKENS).astype(np.int32), positions, labels, offsets))
    return rows


def _step(world, stages, precision, tied, optimizer=None, **options):
    built = build_stages(_shape(tied), stages, precision, torch.device("cpu"), seed=3)
    optimizers = [StageOptimizer(optimizer or AdamW(lr=1e-3), stage) for stage in built]
    return Step(built, optimizers, world, Task(), Recorder(world.rank), **options)


def _run(world, stages=1, microbatches=1, precision="float64", tied=True, options=None):
    """The loss and every gradient of one step on this rank's share of the rows."""
    step = _step(world, stages, precision, tied, **(options or {}))
    mine = _rows()[world.rank :: world.ranks]
    size = len(mine) // microbatches
    batches = [join(mine[i * size : (i + 1) * size]) for i in range(microbatches)]
    result = step.run(sequential(stages, microbatches), batches, 1.0)
    return result, {n: g.clone() for stage in step.stages for n, g in stage.grads.items()}


def _reference(tied, dtype=torch.float64):
    shape = _shape(tied)
    model = build(shape, dtype=dtype)
    initialize(dict(model.named_parameters()), shape, 3)
    batch = join(_rows())
    hidden = model(torch.tensor(batch.tokens), torch.tensor(batch.positions), LocalContext(batch.offsets.tolist()))
    loss = linear_cross_entropy(hidden, model.head_weight, torch.tensor(batch.labels)) / batch.labelled_tokens
    loss.backward()
    return float(loss.detach()), {n: p.grad for n, p in model.named_parameters()}


def _same(grads, expected, bound):
    assert grads.keys() == expected.keys()
    for name, grad in grads.items():
        assert (grad - expected[name]).abs().max() <= bound * expected[name].abs().max(), name


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize(("stages", "microbatches"), [(1, 1), (1, 8), (2, 4), (3, 2)])
def test_one_rank(stages, microbatches, tied, recompute):
    result, grads = _run(ALONE, stages, microbatches, tied=tied, options={"recompute": recompute})
    loss, expected = _reference(tied)
    assert abs(result.loss - loss) <= 1e-12 * loss
    _same(grads, expected, 1e-12)


@pytest.mark.parametrize(
    ("count", "stages", "microbatches", "tied", "recompute"),
    [
        (2, 1, 1, True, False),
        (2, 2, 4, True, True),
        (2, 3, 2, False, True),
        (4, 2, 1, False, False),
        (4, 3, 2, True, False),
    ],
)
def test_several_ranks(ranks, count, stages, microbatches, tied, recompute):
    loss, expected = _reference(tied)
    for result, grads in ranks.run(count, _run, stages, microbatches, "float64", tied, {"recompute": recompute}):
        assert abs(result.loss - loss) <= 1e-12 * loss
        assert result.labelled_tokens == sum(row.labelled_tokens for row in _rows())
        _same(grads, expected, 1e-12)


@pytest.mark.parametrize("tied", [False, True])
def test_bfloat16_gradients_add_up_in_float32(tied):
    """Eight microbatches lose no more than one: what is added up in bfloat16 would."""
    _, expected = _reference(tied)

    def error(microbatches):
        _, grads = _run(ALONE, 2, microbatches, "bfloat16", tied)
        assert all(g.dtype == torch.float32 for g in grads.values())
        return max(float((g - expected[n]).abs().max() / expected[n].abs().max()) for n, g in grads.items())

    assert error(8) < 1.5 * error(1) < 0.15


def test_clipping_scales_to_the_norm():
    free, grads = _run(ALONE)
    norm = float(torch.cat([g.flatten() for g in grads.values()]).norm())
    assert free.grad_norm == pytest.approx(norm, rel=1e-12)
    clipped, short = _run(ALONE, 2, options={"clip_norm": norm / 3})
    assert clipped.grad_norm == pytest.approx(norm, rel=1e-12)
    assert float(torch.cat([g.flatten() for g in short.values()]).norm()) == pytest.approx(norm / 3, rel=1e-12)


@pytest.mark.parametrize("optimizer", [AdamW(lr=1e-2), Muon(lr=1e-2)])
def test_state_by_name_continues_bit_for_bit(optimizer):
    batches, program = [join(_rows())], sequential(2, 1)
    straight = _step(ALONE, 2, "float32", True, optimizer)
    halves = _step(ALONE, 2, "float32", True, optimizer)
    for step in (straight, halves):
        step.run(program, batches, 0.5)
    resumed = _step(ALONE, 2, "float32", True, optimizer)
    for old, new, opt_old, opt_new in zip(
        halves.stages, resumed.stages, halves.optimizers, resumed.optimizers, strict=True
    ):
        new.flat_weights.copy_(old.flat_weights)
        opt_new.load({n: t.clone() for n, t in opt_old.state().items()})
    for step in (straight, resumed):
        step.run(program, batches, 1.0)
    for a, b in zip(straight.stages, resumed.stages, strict=True):
        assert torch.equal(a.flat_weights, b.flat_weights)


def test_a_step_learns_in_every_precision():
    for precision in ("float32", "bfloat16", "float64"):
        step = _step(ALONE, 2, precision, True, Muon(lr=0.02))
        losses = [step.run(sequential(2, 1), [join(_rows())], 1.0).loss for _ in range(20)]
        assert losses[-1] < 0.7 * losses[0], precision


def test_no_number_updates_nothing():
    step = _step(ALONE, 2, "float32", True)
    step.stages[0].weights["layers.0.mixer_norm.weight"][0] = torch.nan
    before = step.stages[1].flat_weights.clone()
    with pytest.raises(Refused, match="nan"):
        step.run(sequential(2, 1), [join(_rows())], 1.0)
    assert torch.equal(step.stages[1].flat_weights, before)


def _order(world):
    step = _step(world, 3, "float32", True)
    step.recorder.on = True
    batches = [join(_rows()[world.rank :: 2])]
    step.run(sequential(3, 1), batches, 1.0)
    return step.recorder.trace("").spans


def test_reductions_start_before_the_backward_pass_ends(ranks):
    for spans in ranks.run(2, _order):
        waits = {s.what: s for s in spans if s.stream == "communication"}
        passes = {s.what: s for s in spans if s.stream == "compute"}
        assert waits.keys() == {"reduce0", "reduce1", "reduce2"}
        assert waits["reduce2"].start_s < passes["B1.0"].start_s
        assert waits["reduce1"].start_s < passes["B0.0"].start_s
        assert waits["reduce2"].end_s > passes["B0.0"].end_s
