"""The orders that torch.distributed.pipelining generates, as the texts of our records."""

import pytest


def torch_orders(schedule, ranks, microbatches):
    """Per rank the texts of the records of one of torch's schedules, idle steps left out."""
    visualizer = pytest.importorskip("torch.distributed.pipelining._schedule_visualizer")
    actions = visualizer.get_schedule_ops(schedule, ranks, microbatches)
    return [[_text(action) for action in rank if action is not None] for rank in actions]


def _text(action):
    if action.sub_actions:
        return "+".join(_text(part) for part in action.sub_actions)
    name = action.computation_type.name
    letter = {"FORWARD": "F", "BACKWARD_INPUT": "I", "BACKWARD_WEIGHT": "W", "FULL_BACKWARD": "B"}[name]
    return f"{letter}{action.stage_index}.{action.microbatch_index}"
