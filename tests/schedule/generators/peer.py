"""The order that PyTorch's own schedules have, as our records."""

from stretto.spec.program import Compute

KINDS = {"FORWARD": "F", "FULL_BACKWARD": "B", "BACKWARD_INPUT": "I", "BACKWARD_WEIGHT": "W"}


def torch_order(schedule, ranks, microbatches, chunks):
    """Per rank the passes of torch.distributed.pipelining's `schedule`, idle slots left out."""
    from torch.distributed.pipelining._schedule_visualizer import get_schedule_ops

    return [
        tuple(
            Compute(KINDS[action.computation_type.name], action.stage_index, action.microbatch_index)
            for action in actions
            if action is not None
        )
        for actions in get_schedule_ops(schedule, ranks, microbatches, chunks)
    ]
