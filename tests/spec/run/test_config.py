from pathlib import Path

import pytest

from stretto.spec.errors import UserError
from stretto.spec.run.config import RunConfig, read_run
from stretto.spec.run.optimizer import AdamW, Muon
from stretto.spec.value import digest, load

SMALL = 'folder = "runs/a"\ndata.sources = [{path = "corpus"}]\n'


@pytest.fixture
def read(tmp_path):
    def reader(text, **overrides):
        path = tmp_path / "run.toml"
        path.write_text(SMALL + text)
        return read_run(path, {name.replace("__", "."): value for name, value in overrides.items()})

    return reader


def test_defaults(read):
    config = read("")
    assert (config.optimizer.kind, config.lr_schedule.kind, config.layout.ranks) == ("adamw", "wsd", 1)


def test_a_config_goes_there_and_back_with_its_digest(read):
    config = read('[optimizer]\nkind = "muon"\n')
    again = load(RunConfig, config.model_dump(mode="json"), "config")
    assert again == config
    assert digest(again) == digest(config)


def test_a_table_without_a_kind_has_the_default_kind(read):
    assert read("[optimizer]\nlr = 0.5\n").optimizer == AdamW(lr=0.5)
    assert read("[lr_schedule]\ndecay = 0.5\n").lr_schedule.kind == "wsd"


def test_what_muon_leaves_to_adamw_keeps_its_own_defaults(read):
    found = read('[optimizer]\nkind = "muon"\nadamw.lr = 0.5\n').optimizer
    assert found.adamw.weight_decay == Muon().adamw.weight_decay == 0


def test_another_kind_by_flag_starts_from_its_defaults(read):
    assert read("[optimizer]\nlr = 0.5\n", optimizer__kind="muon").optimizer == Muon()
    assert read("[optimizer]\nlr = 0.5\n", optimizer__kind="adamw").optimizer == AdamW(lr=0.5)


def test_microbatches(read):
    config = read("layout.data = 2\ntrain.rows = 16\ntrain.microbatch_rows = 2\n")
    assert config.microbatches == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train.rows = 7\nlayout.data = 2\n", "train.rows is 7; expected a multiple of layout.data, 2."),
        ("train.microbatch_rows = 3\n", "train.microbatch_rows is 3; expected a divisor of the 16 rows"),
        ("model.heads = 3\nmodel.kv_heads = 2\n", "kv_heads is 2; expected a divisor of heads, 3."),
        ("trian.rows = 7\n", "trian is not a known field (did you mean 'train'?)"),
        ("data.tokens = true\n", "data.tokens is True; expected an integer."),
        ("train.steps = true\n", "train.steps is True; expected an integer."),
        ("optimizer.lr = true\n", "optimizer.lr is True; expected a number."),
        ('train.rows = "20"\n', "train.rows is '20'; expected an integer."),
        ("train.rows = 4.0\n", "train.rows is 4.0; expected an integer."),
        (
            'train.activation_checkpointing = "yes"\n',
            "train.activation_checkpointing is 'yes'; expected true or false.",
        ),
        ("validation.path = 3\n", "validation.path is 3; expected a path."),
        ("validation.path = 1979-05-27\n", "expected a path."),
        ("[train\n", "is not valid TOML"),
        ("train = 3\n", "train is 3; expected a table."),
        ('optimizer = "muon"\n', "optimizer"),
    ],
)
def test_a_wrong_file_is_one_sentence(read, text, says):
    with pytest.raises(UserError) as error:
        read(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_an_integer_stands_for_a_number(read):
    assert read("optimizer.lr = 1\noptimizer.betas = [0, 0.5]\n").optimizer == AdamW(lr=1.0, betas=(0.0, 0.5))


def test_the_text_of_flags_becomes_what_its_field_takes(read):
    config = read(
        "",
        train__steps="20",
        train__activation_checkpointing="true",
        train__clip_norm="none",
        optimizer__kind="muon",
        optimizer__adamw__lr="1e-3",
        optimizer__momentum="0.5",
        folder="20",
        validation__path="true",
        data__sources='[{path = "7"}]',
    )
    assert (config.train.steps, config.train.activation_checkpointing, config.train.clip_norm) == (20, True, None)
    assert (config.optimizer.adamw.lr, config.optimizer.momentum) == (1e-3, 0.5)
    assert (config.folder, config.validation.path, config.data.sources[0].path) == (Path("20"), Path("true"), Path("7"))


@pytest.mark.parametrize(
    ("flag", "text", "says"),
    [
        ("train__steps", "true", "train.steps is 'true'; expected an integer."),
        ("train__steps", "0", "train.steps is 0; expected at least 1."),
        ("optimizer__lr", "nan", "optimizer.lr is nan; expected a finite number."),
        ("train__nothing", "1", "train.nothing is not a known field"),
        ("train__activation_checkpointing", "3", "train.activation_checkpointing is '3'; expected true or false."),
    ],
)
def test_a_wrong_flag_is_one_sentence(read, flag, text, says):
    with pytest.raises(UserError) as error:
        read("", **{flag: text})
    assert says in str(error.value)


def test_a_path_may_be_text(tmp_path):
    (tmp_path / "run.toml").write_text(SMALL)
    assert read_run(str(tmp_path / "run.toml")) == read_run(tmp_path / "run.toml")


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(UserError, match="does not exist; expected a run file"):
        read_run(tmp_path / "none.toml")
    with pytest.raises(UserError, match="cannot be read as a run file"):
        read_run(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(UserError, match="cannot be read as a run file"):
        read_run(tmp_path / "bytes.toml")


def test_a_required_field(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('folder = "runs/a"\n')
    with pytest.raises(UserError, match="data is missing"):
        read_run(path)


def test_a_wrong_flag_is_named_as_one(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('folder = "x"\n[data]\nsources = [{ path = "d" }]\n[train]\nsteps = 0\n')
    with pytest.raises(UserError, match=r"^--train.rows is 0; expected at least 1\.$"):
        read_run(path, {"train.steps": "3", "train.rows": "0"})
    with pytest.raises(UserError, match=r"run.toml: train.steps is 0; expected at least 1\.$"):
        read_run(path, {"train.rows": "8"})
    with pytest.raises(UserError, match=r"^--data.sources is .*; expected at least 1 of them\.$"):
        read_run(path, {"train.steps": "3", "data.sources": "[]"})
    with pytest.raises(UserError, match=r"^--lr_schedule.final is 2.0; expected at most 1\.$"):
        read_run(path, {"train.steps": "3", "lr_schedule.final": "2"})
