"""The smallest executor of lowered programs: real ranks over gloo, a toy model, every message checked for what it is.

A stage is ``x + tanh(x A) B`` in float64, the loss the squared distance to a target. Messages carry no tag, so they
arrive as what the program says only where both sides have them in the same order; each brings its own name along, and
the receiver looks. With `rendezvous` a send holds its rank until the receiver has posted the place for it.
"""

import torch
import torch.distributed as dist

from stretto.schedule.lower import lower
from stretto.spec.lowered import Collective, Exchange, Lowered, Receive, Send
from stretto.spec.program import State, passes_of

WIDTH, ROWS = 6, 3


def weights(stage):
    generator = torch.Generator().manual_seed(stage)
    shapes = (WIDTH, 2 * WIDTH), (2 * WIDTH, WIDTH)
    return [torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) / 2 for s in shapes]


def example(microbatch):
    generator = torch.Generator().manual_seed(1000 + microbatch)
    return torch.randn(2, ROWS, WIDTH, generator=generator, dtype=torch.float64)


def layer(parameters, x):
    first, second = parameters
    return x + torch.tanh(x @ first) @ second


def reference(program):
    """The gradients of every stage, on one rank."""
    stages = [[w.detach().requires_grad_() for w in weights(stage)] for stage in range(program.stages)]
    for microbatch in range(program.microbatches):
        x, target = example(microbatch)
        for stage in program.path(microbatch):
            x = layer(stages[stage], x)
        ((x - target) ** 2).sum().backward()
    return [[w.grad for w in stage] for stage in stages]


def execute(world, program, rendezvous):
    """The gradients of this rank's (copy, stage) pairs, and the messages that came instead of others.

    A program that is lowered already runs as it stands.
    """
    lowered = program if isinstance(program, Lowered) else lower(program)
    rank = Rank(lowered.program, world.rank, rendezvous)
    for step in lowered.ranks[world.rank]:
        rank.do(step)
    return rank.finish()


class Rank:
    def __init__(self, program, rank, rendezvous):
        self.program, self.rendezvous = program, rendezvous
        holds = program.chunks(rank)
        self.weights = {chunk: [w.detach().requires_grad_() for w in weights(chunk[1])] for chunk in holds}
        self.grads = {chunk: [torch.zeros_like(w) for w in ws] for chunk, ws in self.weights.items()}
        self.saved, self.results, self.expected = {}, {}, {}
        self.flying, self.strays = [], []
        holders = [sorted({row[stage] for row in program.placement}) for stage in range(program.stages)]
        self.groups = [dist.new_group(ranks) for ranks in holders] if program.copies > 1 else []

    def do(self, step):
        match step:
            case Send() | Receive():
                self.start(step)
            case Exchange():
                self.start(step.receive, step.send)
            case State("reduce", stage, copy):
                if self.groups:
                    grads = self.grads[copy, stage]
                    self.flying += [(dist.all_reduce(g, group=self.groups[stage], async_op=True), g) for g in grads]
            case State("gather"):
                pass  # every rank has its parameters whole
            case State() | Collective():
                raise NotImplementedError(step)
            case _:
                for part in passes_of(step):
                    getattr(self, part.kind)(part, (part.copy, part.stage))

    def start(self, *messages):
        """Start messages as one; a send is kept until it is done."""
        operations = [dist.P2POp(*self.message(m), m.peer) for m in messages]
        works = dist.batch_isend_irecv(operations)
        for work, operation, message in zip(works, operations, messages, strict=True):
            if isinstance(message, Receive):
                self.expected[name(message.what)] = (work, operation.tensor)
            elif self.rendezvous:
                work.wait()
            else:
                self.flying.append((work, operation.tensor))

    def message(self, message):
        if isinstance(message, Receive):
            return dist.irecv, torch.empty(ROWS + 1, WIDTH, dtype=torch.float64)
        key = name(message.what)
        return dist.isend, torch.cat([self.results.pop(key), torch.tensor([[*key, 0.0]], dtype=torch.float64)])

    def take(self, key):
        """A result that this rank made or waits for."""
        if key in self.results:
            return self.results.pop(key)
        work, buffer = self.expected.pop(key)
        work.wait()
        if (brought := tuple(map(int, buffer[-1, :-1]))) != key:
            self.strays.append(f"{brought} instead of {key}")
        return buffer[:-1]

    def neighbour(self, part, step):
        path = self.program.path(part.microbatch)
        place = path.index(part.stage) + step
        return part._replace(kind="F" if step < 0 else "B", stage=path[place]) if 0 <= place < len(path) else None

    def F(self, part, chunk):
        source = self.neighbour(part, -1)
        x = (self.take(name(source)) if source else example(part.microbatch)[0]).requires_grad_()
        y = layer(self.weights[chunk], x)
        self.saved[part[1:]] = (x, y)
        if self.neighbour(part, 1):
            self.results[name(part)] = y.detach()

    def I(self, part, chunk):  # noqa: E743
        x, y = self.saved[part[1:]]
        source = self.neighbour(part, 1)
        grad = self.take(name(source)) if source else 2 * (y.detach() - example(part.microbatch)[1])
        self.saved[part[1:]] = (y, grad)
        if self.neighbour(part, -1):
            (self.results[name(part)],) = torch.autograd.grad(y, [x], grad, retain_graph=True)

    def W(self, part, chunk):
        y, grad = self.saved.pop(part[1:])
        for total, more in zip(self.grads[chunk], torch.autograd.grad(y, self.weights[chunk], grad), strict=True):
            total.add_(more)

    def B(self, part, chunk):
        self.I(part, chunk)
        self.W(part, chunk)

    def finish(self):
        for work, _ in self.flying:
            work.wait()
        left = [kind for kind in ("saved", "results", "expected") if getattr(self, kind)]
        assert not left, f"left over: {left}"
        return self.grads, self.strays


def name(part):
    """What a message is: backwards have one name, whole or not."""
    return (int(part.kind == "F"), part.stage, part.microbatch, part.slice, part.copy)
