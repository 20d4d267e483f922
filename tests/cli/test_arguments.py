import pytest

from stretto.cli.arguments import add_run_arguments, flags, run_config
from stretto.cli.parser import Parser
from stretto.spec.errors import UserError
from stretto.spec.run.config import RunConfig
from stretto.spec.run.optimizer import Muon

FILE = """
folder = "runs/a"
data.sources = [{path = "corpus"}]
train.rows = 8
[lr_schedule]
warmup = 0.1
"""


def parser():
    made = Parser(prog="stretto train")
    add_run_arguments(made)
    return made


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(FILE)
    return lambda *words: run_config(parser().parse_args([str(path), *words]))


def leaves(value, prefix=""):
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from leaves(inner, f"{prefix}{name}.")
        elif name != "format":
            yield prefix + name


def test_every_field_has_a_flag():
    names = {flag.name for flag in flags(RunConfig)}
    plain = RunConfig.model_validate(
        {"folder": "x", "data": {"sources": [{"path": "y"}]}, "optimizer": {"kind": "muon"}}
    )
    assert set(leaves(plain.model_dump())) <= names
    assert {"optimizer.betas", "optimizer.momentum", "optimizer.adamw.lr", "lr_schedule.decay"} <= names


def test_every_flag_is_explained():
    unexplained = [flag.name for flag in flags(RunConfig) if flag.help.startswith("(") or ": (" in flag.help]
    assert unexplained == []


def test_help_has_defaults_bounds_and_kinds():
    said = " ".join(parser().format_help().split())
    assert "--train.steps N Optimizer steps; the run ends after the last (default 1000; at least 1)" in said
    assert "--optimizer.kind adamw|muon which kind (default adamw)" in said
    assert "--optimizer.lr X adamw: Peak learning rate (default 0.003; above 0); muon: Peak" in said
    assert "--optimizer.adamw.lr X muon: Peak learning rate (default 0.006; above 0)" in said
    assert "constant, linear, cosine, wsd: Share of the run over which the rate grows from zero" in said


def test_a_flag_wins_over_the_file_and_the_file_over_the_default(config):
    found = config("--train.steps", "7", "--train.rows", "4")
    assert (found.train.steps, found.train.rows, found.lr_schedule.warmup) == (7, 4, 0.1)
    assert found.lr_schedule.kind == "wsd"


@pytest.mark.parametrize("kind_first", [True, False])
def test_a_kind_and_its_fields_in_any_order(config, kind_first):
    kind, rate = ("--optimizer.kind", "muon"), ("--optimizer.lr", "0.5")
    found = config(*(kind + rate if kind_first else rate + kind))
    assert found.optimizer == Muon(lr=0.5)


def test_a_field_of_an_inner_table_leaves_the_others_alone(config):
    found = config("--optimizer.kind", "muon", "--optimizer.adamw.lr", "0.25")
    assert found.optimizer.adamw.lr == 0.25
    assert found.optimizer.adamw.weight_decay == Muon().adamw.weight_decay == 0.0


def test_lists_and_none(config):
    found = config("--optimizer.betas", "[0.8, 0.9]", "--train.clip_norm", "none", "--data.sources", "[{path='a'}]")
    assert found.optimizer.betas == (0.8, 0.9)
    assert found.train.clip_norm is None
    assert str(found.data.sources[0].path) == "a"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--train.steps", "-1"), "train.steps is -1; expected at least 1."),
        (("--train.steps", "many"), "train.steps is 'many'; expected an integer."),
        (("--optimizer.kind", "adam"), "optimizer.kind is 'adam'; expected one of adamw, muon."),
        (("--optimizer.momentum", "0.9"), "optimizer.momentum is not a known field"),
        (("--train.step", "3"), "--train.step is not a flag of stretto train (did you mean --train.steps?)."),
        (("--train.rows", "7"), "expected a divisor of the 7 rows"),
        (("--train.spike", "inf"), "train.spike is inf; expected a finite number."),
    ],
)
def test_a_wrong_value_is_one_sentence(config, words, says):
    with pytest.raises(UserError) as error:
        config(*words)
    assert says in str(error.value)
    assert str(error.value).count("\n") == 0


def test_two_parses_do_not_share_their_flags():
    made = parser()
    assert made.parse_args(["a", "--train.steps", "1"]).overrides == {"train.steps": "1"}
    assert made.parse_args(["a"]).overrides == {}
