"""Putting a run together on one rank: data, model, optimizer, log, and what a checkpoint has of them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import torch

from stretto.checkpoint.folders import complete
from stretto.checkpoint.group import together
from stretto.checkpoint.reading import StoredCheckpoint
from stretto.checkpoint.resuming import resolve_resume
from stretto.count.bytes import training_bytes
from stretto.count.flops import CONVENTION, rates
from stretto.data.loader import Loader
from stretto.data.rows import Rows
from stretto.models.precisions import PRECISIONS
from stretto.parallel.launch import Interrupted
from stretto.parallel.world import World, join_world
from stretto.probe.machine import describe_machine
from stretto.probe.matmul import measure_peak
from stretto.spec.batch import PackedBatch, join
from stretto.spec.environment import launched_ranks
from stretto.spec.errors import UserError, bad_value
from stretto.spec.manifest import Progress
from stretto.spec.parameters import parameters
from stretto.spec.run.config import RunConfig
from stretto.spec.run.data import Data, Source
from stretto.spec.shape import ModelShape
from stretto.spec.trace import Trace
from stretto.spec.value import digest, dump_json
from stretto.train.events import Ended, Started, Watch, ignore
from stretto.train.guard import Guard
from stretto.train.loop import Loop, Outcome, stage_count
from stretto.train.optimizer import StageOptimizer
from stretto.train.recorder import Recorder, merged
from stretto.train.run_folder import TRACE_FILE, MetricsLog, check_tensorboard, claim, holds_run
from stretto.train.saving import check_goes_on, restore, tokenizer_files
from stretto.train.stages import build_stages
from stretto.train.step import Step
from stretto.train.stopping import StopRequest, stop_request
from stretto.train.task import PreparedRows, Task

PROBE_S = 1.0
"""How long the matmul peak is measured."""


def run_rank(config: RunConfig, task: Task, resume: str | None, profile: bool, watch: Watch) -> Outcome:
    """Run this rank's share of a run; every rank calls this. Arguments and errors are `train.run.train`'s."""
    with ExitStack() as stack:
        stop = stack.enter_context(stop_request(process_ends=launched_ranks() is not None))
        world = stack.enter_context(join_world(config.train.device, config.train.threads))
        told = watch if world.rank == 0 else ignore
        stack.callback(told, Ended())
        loop = open_loop(config, task, resume, profile, world, told, stop, stack)
        try:
            outcome = loop.run()
        except Interrupted:
            if profile:
                _write_trace(loop)
            raise
        if profile:
            _write_trace(loop)
        return outcome


def open_loop(
    config: RunConfig,
    task: Task,
    resume: str | None,
    profile: bool,
    world: World,
    watch: Watch,
    stop: StopRequest,
    stack: ExitStack,
) -> Loop:
    """Put a run together; what must be closed after it is left on `stack`."""
    train = config.train
    rows = _rows(config.data, "data.sources")
    files = tokenizer_files(config)
    shape = config.model.shape(rows.vocabulary, config.data.tokens)
    _check_memory(config, shape, world)
    loader = Loader(
        PreparedRows(rows, task.prepare),
        rows_per_step=train.rows,
        microbatch_rows=train.microbatch_rows,
        rank=world.rank,
        ranks=world.ranks,
    )
    stack.callback(loader.close)
    validation = _validation_batches(config, task, world, rows.tokenizer)
    step = _build_step(config, shape, task, world)
    stored = _stored(config, resume, shape, world)
    saved = _saved_here(stored, config)
    if stored is not None:
        check_goes_on(stored, config, rows.tokenizer, own=saved is not None)
        restore(stored, step, world.device)
    progress = stored.manifest.progress if stored is not None else Progress(step=0)
    own = saved is not None or resume == "latest"
    log = together(world, lambda: _open_log(config, progress.step, own) if world.rank == 0 else None)
    if log is not None:
        stack.callback(log.close)
    peak = config.metrics.peak_flops or _measured_peak(config, world)
    watch(_started(config, shape, world, progress.step, peak))
    guard = Guard(train.spike, progress.recent_losses)
    return Loop(
        config=config,
        shape=shape,
        cost=rates(shape),
        task=task,
        world=world,
        step=step,
        loader=loader,
        validation=validation,
        guard=guard,
        log=log,
        watch=watch,
        stop=stop,
        peak_flops=peak,
        progress=progress,
        profile=profile,
        tokenizer_files=files,
        saved=saved,
    )


def _rows(data: Data, field: str) -> Rows:
    try:
        return Rows(data)
    except UserError as error:
        raise UserError(f"{field}: {error}") from None


def _check_memory(config: RunConfig, shape: ModelShape, world: World) -> None:
    """Refuse a model whose weights, gradients and optimizer state alone are more than the machine's memory."""
    if world.device.type == "cuda":
        has = torch.cuda.get_device_properties(world.device).total_memory
        share = 1
    else:
        has, share = describe_machine().memory_bytes, world.local_ranks
    needs = share * training_bytes(shape, config.train.precision, config.optimizer).total_bytes
    if has is not None and needs > has:
        raise UserError(
            f"the model's weights, gradients and optimizer state need {needs / 2**30:,.1f} GiB on {share} rank(s) of "
            f"this machine, which has {has / 2**30:,.1f} GiB; expected a smaller model (see stretto models)."
        )


def _stored(config: RunConfig, resume: str | None, shape: ModelShape, world: World) -> StoredCheckpoint | None:
    """The checkpoint to go on from; None for a new run, and for one that ended before its first checkpoint."""
    begun = together(world, lambda: resume == "latest" and holds_run(config.folder) and not complete(config.folder))
    return resolve_resume(config.folder, resume, shape, world) if resume and not begun else None


def _open_log(config: RunConfig, step: int, own: bool) -> MetricsLog:
    """Claim the run's folder and open its log; rank 0 does this for all."""
    if config.metrics.tensorboard:
        check_tensorboard()
    claim(config, own)
    return MetricsLog(config.folder, step, config.metrics.tensorboard)


def _validation_batches(config: RunConfig, task: Task, world: World, tokenizer: str) -> list[PackedBatch]:
    """This rank's share of the validation rows, joined into microbatches."""
    path = config.validation.path
    if path is None:
        return []
    rows = _rows(Data(sources=(Source(path=path),), tokens=config.data.tokens), "validation.path")
    if rows.tokenizer != tokenizer:
        raise bad_value("validation.path", str(path), f"a data set of the training data's tokenizer, {tokenizer}")
    count = min(config.validation.rows, rows.rows_per_epoch)
    if count < world.ranks:
        raise bad_value("validation.rows", count, f"at least one row a rank, {world.ranks} (the data set may be small)")
    mine = list(range(world.rank, count, world.ranks))
    size = config.train.microbatch_rows
    groups = [mine[i : i + size] for i in range(0, len(mine), size)]
    prepared = PreparedRows(rows, task.prepare)
    return [join([prepared.row(n) for n in group]) for group in groups]


def _build_step(config: RunConfig, shape: ModelShape, task: Task, world: World) -> Step:
    train = config.train
    stages = build_stages(shape, stage_count(config), train.precision, world.device, train.seed)
    optimizers = [StageOptimizer(config.optimizer, stage) for stage in stages]
    return Step(
        stages,
        optimizers,
        world,
        task,
        Recorder(world.rank),
        clip_norm=train.clip_norm,
        recompute=train.activation_checkpointing,
    )


def _saved_here(stored: StoredCheckpoint | None, config: RunConfig) -> tuple[int, Path] | None:
    """The step and folder of the checkpoint that the run went on from, if it is the run's own."""
    if stored is None or stored.path.resolve().parent.parent != config.folder.resolve():
        return None
    return stored.manifest.progress.step, stored.path


def _measured_peak(config: RunConfig, world: World) -> float:
    """The ranks' matmul peaks, measured at the same time and added up."""
    world.barrier()
    mine = measure_peak(PRECISIONS[config.train.precision], seconds=PROBE_S, device=world.device)
    return float(world.exchange([mine]).sum())


def _started(config: RunConfig, shape: ModelShape, world: World, step: int, peak: float) -> Started:
    return Started(
        folder=config.folder,
        shape=shape,
        parameters=sum(p.size for p in parameters(shape)),
        ranks=world.ranks,
        threads=torch.get_num_threads(),
        device=world.device.type,
        precision=config.train.precision,
        step=step,
        steps=config.train.steps,
        seconds=config.train.seconds,
        peak_flops=peak,
        peak_measured=config.metrics.peak_flops is None,
        convention=CONVENTION,
    )


def _write_trace(loop: Loop) -> None:
    """Lay the ranks' spans together in the run's trace file."""
    mine = dump_json(loop.step.recorder.trace(digest(loop.config)), indent=None)
    texts = loop.world.gather(mine)
    if texts is not None:
        trace = merged([Trace.model_validate_json(text) for text in texts])
        (loop.config.folder / TRACE_FILE).write_text(dump_json(trace, indent=None), encoding="utf-8")
