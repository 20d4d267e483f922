import json

import pytest

from stretto.report.metrics import read_losses
from stretto.spec.errors import UserError


def write(path, *lines):
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def line(step, **more):
    return {"step": step, "tokens": 10 * step, "elapsed_s": 0.5 * step, **more}


def test_steps_in_order_and_the_later_line_of_a_step(tmp_path):
    path = write(tmp_path / "m", line(1, loss=3), line(2, loss=2.5), line(2, validation_loss=2.6), line(1, loss=2.9))
    losses = read_losses(path)
    assert [(p.step, p.loss) for p in losses.training] == [(1, 2.9), (2, 2.5)]
    assert [(p.tokens, p.elapsed_s) for p in losses.validation] == [(20, 1.0)]


def test_a_half_written_last_line_and_losses_that_are_none_are_left_out(tmp_path):
    path = write(tmp_path / "m", line(1, loss=3), line(2, loss=None), line(3, loss=float("nan")), '{"step": 4, "lo')
    assert [p.step for p in read_losses(path).training] == [1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds no training step"),
        ("nonsense\n", "damaged at line 1"),
        ("[1]\n", "damaged at line 1"),
        ('{"step": 1, "loss": 2}\n', "damaged at step 1"),
        ('{"step": 1, "loss": "x", "tokens": 1, "elapsed_s": 1}\n', "damaged at step 1"),
    ],
)
def test_what_is_no_metrics_file_gets_one_sentence(tmp_path, content, says):
    path = write(tmp_path / "m", content)
    with pytest.raises(UserError, match=says):
        read_losses(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_losses(tmp_path / "m")
