import importlib

import pytest

from stretto.cli.parser import Parser
from stretto.cli.registry import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_describes_its_arguments(name):
    module = importlib.import_module(COMMANDS[name].module)
    parser = Parser(prog=f"stretto {name}")
    module.add_arguments(parser)
    assert "--json" in parser.format_help()
    assert callable(module.run)


@pytest.mark.parametrize("name", COMMANDS)
def test_summaries_read_alike(name):
    summary = COMMANDS[name].summary
    assert summary[0].islower()
    assert not summary.endswith(".")
