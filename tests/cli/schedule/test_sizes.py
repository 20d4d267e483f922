"""The flags of costs and choices."""

import argparse

import pytest

from stretto.cli.parser import Parser
from stretto.cli.schedule.sizes import add_choices, add_costs, add_sizes, choices_of, costs_of
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError


def _parsed(*words) -> argparse.Namespace:
    parser = Parser(prog="test")
    add_sizes(parser)
    add_choices(parser)
    add_costs(parser)
    return parser.parse_args(["--ranks", "2", "--microbatches", "4", *words])


def test_only_what_was_given():
    assert choices_of(_parsed()) == {}
    assert choices_of(_parsed("--chunks", "2", "--exact", "--memory-cap", "3")) == {
        "chunks": 2,
        "exact": True,
        "memory_cap": 3.0,
    }
    assert costs_of(_parsed()) == PassCosts()
    assert costs_of(_parsed("--transfer", "0.5")) == PassCosts(transfer=0.5)


def test_flags_and_a_file_exclude_each_other(tmp_path):
    with pytest.raises(UserError, match="--transfer and --costs both give costs"):
        costs_of(_parsed("--transfer", "0.5", "--costs", str(tmp_path / "a.toml")))
