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
        ("data.tokens = true\n", "data.tokens is True; expected"),
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
