"""`stretto generate`: continue prompts given as flags, on the screen, or a file of prompts, into a file of results."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stretto.cli.generating import add_engine_arguments, add_sampling_arguments, load_engine, sampling_of, say
from stretto.cli.show import emit, progress
from stretto.spec.errors import UserError

if TYPE_CHECKING:
    from stretto.engine.engine import Engine
    from stretto.engine.files import NumberedLine
    from stretto.spec.request import Completion, Request, Sampling


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Checkpoint, prompts or files, engine, sampling."""
    add_engine_arguments(parser)
    parser.add_argument("--prompt", metavar="TEXT", action="append", help="a text to continue (may be repeated)")
    parser.add_argument(
        "--input",
        metavar="FILE",
        type=Path,
        help="prompts, one JSON object a line: prompt or messages, and if wanted id and any sampling field",
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="results of --input, one JSON object a line")
    parser.add_argument("--resume", action="store_true", help="go on with an --output that has some results already")
    parser.add_argument("--logprobs", action="store_true", help="put every token's log-probability into the results")
    parser.add_argument("--max-batch", metavar="N", type=int, default=8, help="the most prompts at a time (default 8)")
    add_sampling_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Generate."""
    sampling = sampling_of(arguments)
    _check_sources(arguments)
    if arguments.input is not None:
        return _file(arguments, sampling)
    engine = load_engine(arguments, arguments.max_batch)
    requests = [engine.request(str(n), text, sampling) for n, text in enumerate(arguments.prompt, 1)]
    if arguments.json or arguments.logprobs:
        return _records(arguments, engine, requests)
    _stream(engine, requests, arguments.prompt)
    return 0


def _check_sources(arguments: argparse.Namespace) -> None:
    if (arguments.prompt is None) == (arguments.input is None):
        raise UserError("stretto generate needs either --prompt or --input; see stretto generate --help.")
    if (arguments.input is None) != (arguments.output is None):
        raise UserError("--input and --output go together; see stretto generate --help.")
    if arguments.resume and arguments.output is None:
        raise UserError("--resume goes on with an --output, and there is none; see stretto generate --help.")


def _records(arguments: argparse.Namespace, engine: Engine, requests: Sequence[Request]) -> int:
    """Everything about every result, in the order of the prompts."""
    from stretto.engine.files import record

    done = {completion.id: completion for completion in engine.completions(requests)}
    results = [record(done[request.id], request, logprobs=arguments.logprobs) for request in requests]
    emit(arguments, {"results": results}, lambda _: _show_tokens(engine, [done[r.id] for r in requests]))
    return 0


def _show_tokens(engine: Engine, completions: Sequence[Completion]) -> None:
    from stretto.cli.show import console, table

    for completion in completions:
        pairs = zip(completion.tokens, completion.logprobs, strict=True)
        rows = [(repr(engine.tokenizer.decode([t], skip_special=False)), t, f"{logprob:.4f}") for t, logprob in pairs]
        table(console(), ("text", "token", "log-probability"), rows, completion.id, ("token", "log-probability"))


def _stream(engine: Engine, requests: Sequence[Request], prompts: Sequence[str]) -> None:
    """Show texts as they come, one after the other: what comes for a later prompt waits until its turn."""
    heads = [f"[{n}] {text}" if len(prompts) > 1 else text for n, text in enumerate(prompts, 1)]
    waiting = {request.id: [head] for request, head in zip(requests, heads, strict=True)}
    ended: set[str] = set()
    turn = iter(waiting)
    now = next(turn, None)
    for delta in engine.generate(requests):
        waiting[delta.id].append(delta.text)
        if delta.finish is not None:
            ended.add(delta.id)
        while now is not None:
            say("".join(waiting[now]))
            waiting[now].clear()
            if now not in ended:
                break
            say("\n")
            now = next(turn, None)


def _file(arguments: argparse.Namespace, sampling: Sampling) -> int:
    from stretto.engine import files

    lines = files.read_prompts(arguments.input)
    done = _results_so_far(arguments)
    engine = load_engine(arguments, arguments.max_batch)
    requests = [_request(engine, line, sampling) for line in lines]
    left = files.left_to_do(requests, done, arguments.output)
    start_s = time.monotonic()
    try:
        tokens = _write_results(arguments, engine, left)
    except KeyboardInterrupt:
        print(f"Complete results are in {arguments.output}; the same command with --resume goes on.", file=sys.stderr)
        raise
    rate = tokens / (time.monotonic() - start_s)
    counts = {"output": arguments.output, "written": len(left), "kept": len(done)}
    kept = f" ({len(done)} were there)" if done else ""
    text = f"{len(left)} results in {arguments.output}{kept}: {tokens:,} tokens, {rate:,.0f} a second"
    emit(arguments, counts | {"tokens": tokens, "tokens_per_s": rate}, lambda out: out.print(text, markup=False))
    return 0


def _write_results(arguments: argparse.Namespace, engine: Engine, requests: Sequence[Request]) -> int:
    """Append each result when it is complete; returns the tokens generated."""
    from stretto.engine import files

    by_id = {request.id: request for request in requests}
    start_s, tokens = time.monotonic(), 0
    with files.appending(arguments.output) as output, progress("generating", len(requests)) as advance:
        for completion in engine.completions(requests):
            files.append(output, files.record(completion, by_id[completion.id], logprobs=arguments.logprobs))
            tokens += len(completion.tokens)
            advance(1, f"{tokens / (time.monotonic() - start_s):,.0f} tokens/s")
    return tokens


def _request(engine: Engine, line: NumberedLine, sampling: Sampling) -> Request:
    said = line.line
    prompt = said.prompt if said.prompt is not None else [m.model_dump() for m in said.messages or ()]
    try:
        return engine.request(line.id, prompt, said.sampling(sampling))
    except UserError as error:
        raise UserError(f"{line.where}: {error}") from None


def _results_so_far(arguments: argparse.Namespace) -> dict[str, str]:
    from stretto.engine import files

    if not arguments.resume and arguments.output.exists() and arguments.output.stat().st_size:
        raise UserError(
            f"{arguments.output} exists and is not overwritten; give another --output, or --resume to go on with it."
        )
    return files.finished(arguments.output) if arguments.output.exists() else {}
