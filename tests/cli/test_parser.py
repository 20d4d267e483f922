from pathlib import Path

import pytest

from stretto.cli.parser import Parser
from stretto.spec.errors import UserError


def parser():
    made = Parser(prog="stretto probe")
    made.add_argument("place", type=Path)
    made.add_argument("--steps", type=int)
    made.add_argument("--share", type=float)
    made.add_argument("--precision", choices=("float32", "bfloat16"))
    return made


def nested():
    made = Parser(prog="stretto probe")
    actions = made.add_subparsers(dest="action", required=True)
    for name in ("inspect", "verify"):
        actions.add_parser(name).add_argument("--tensors", action="store_true")
    return made


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "stretto probe needs place; see stretto probe --help."),
        (["x", "--stepz", "3"], "--stepz is not a flag of stretto probe (did you mean --steps?)."),
        (["x", "--stepz=3"], "--stepz is not a flag of stretto probe (did you mean --steps?)."),
        (["x", "--qqqqqqqq"], "--qqqqqqqq is not a flag of stretto probe (see stretto probe --help)."),
        (["x", "--step", "3"], "--step is not a flag of stretto probe (did you mean --steps?)."),
        (["x", "y"], "'y' is not expected by stretto probe; see stretto probe --help."),
        (["x", "--steps", "many"], "--steps is 'many'; expected an integer."),
        (["x", "--share", "half"], "--share is 'half'; expected a number."),
        (["x", "--steps"], "--steps needs a value (expected one argument); see stretto probe --help."),
        (
            ["x", "--precision", "float23"],
            "stretto probe: --precision is 'float23'; expected one of bfloat16, float32 (did you mean 'float32'?).",
        ),
    ],
)
def test_a_wrong_command_line_is_one_sentence(words, says):
    with pytest.raises(UserError) as error:
        parser().parse_args(words)
    assert str(error.value) == says


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "stretto probe needs action; see stretto probe --help."),
        (["inspct"], "expected one of inspect, verify (did you mean 'inspect'?)"),
        (["inspect", "--tensor"], "--tensor is not a flag of stretto probe inspect (did you mean --tensors?)."),
    ],
)
def test_sub_commands_answer_for_themselves(words, says):
    with pytest.raises(UserError) as error:
        nested().parse_args(words)
    assert says in str(error.value)


@pytest.mark.parametrize("words", [["--json", "inspect"], ["inspect", "--json"], ["inspect", "--tensors", "--json"]])
def test_json_may_stand_anywhere(words):
    assert nested().parse_args(words).json


def test_what_is_right_passes():
    found = parser().parse_args(["x", "--steps", "3", "--precision", "bfloat16"])
    assert (found.place, found.steps, found.precision) == (Path("x"), 3, "bfloat16")
