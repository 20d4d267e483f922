import json
import subprocess
import sys

import pytest

from stretto.cli import main as main_module
from stretto.cli.main import main
from stretto.cli.registry import COMMANDS, Command
from stretto.spec.errors import StrettoError, UserError


def command(monkeypatch, behave):
    """Register a command `probe` that does what `behave` does."""

    class Module:
        @staticmethod
        def add_arguments(parser):
            parser.add_argument("--size", type=int)

        @staticmethod
        def run(arguments):
            return behave(arguments)

    monkeypatch.setattr(main_module, "COMMANDS", {**COMMANDS, "probe": Command("probe_module", "probe things")})
    monkeypatch.setattr(main_module.importlib, "import_module", lambda name: Module)


def raiser(error):
    def behave(_):
        raise error

    return behave


def test_help_lists_every_command(capsys):
    assert main([]) == main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said and command.summary in said for name, command in COMMANDS.items())


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("stretto 0.")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trian"], "'trian' is not a command (did you mean train?)."),
        (["--jsn"], "is not a flag of stretto itself"),
        (["zzz"], "commands: quickstart, train"),
        (
            ["schema", "mainfest"],
            "expected one of costs, layout, manifest, program, run, sampling, shape, trace (did you mean 'manifest'",
        ),
    ],
)
def test_a_wrong_word_is_a_sentence_with_the_nearest_one(capsys, words, says):
    assert main(words) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert told.err.startswith("stretto: ")
    assert told.err.count("\n") == 1
    assert not told.out


@pytest.mark.parametrize(
    ("error", "code"),
    [(UserError("a mistake."), 2), (StrettoError("a failure."), 1), (KeyboardInterrupt(), 130)],
)
def test_errors_become_exit_codes_without_a_traceback(monkeypatch, capsys, error, code):
    command(monkeypatch, raiser(error))
    assert main(["probe"]) == code
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert told.err.count("\n") == 1


def test_with_json_an_error_is_json_too(monkeypatch, capsys):
    command(monkeypatch, raiser(UserError("a mistake.")))
    assert main(["probe", "--json"]) == 2
    told = capsys.readouterr()
    assert json.loads(told.out) == {"error": "a mistake."}
    assert told.err == "stretto: a mistake.\n"


def test_the_unexpected_keeps_its_traceback_and_asks_for_a_report(monkeypatch, capsys):
    command(monkeypatch, raiser(ZeroDivisionError("by nought")))
    assert main(["probe"]) == 1
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert told.endswith("stretto: Unexpected ZeroDivisionError: please report it with the lines above.\n")


def test_the_commands_own_code_and_json_arrive(monkeypatch):
    command(monkeypatch, lambda arguments: 7 if arguments.json else arguments.size)
    assert main(["probe", "--size", "3"]) == 3
    assert main(["probe", "--json"]) == 7


def test_help_of_a_command(monkeypatch, capsys):
    command(monkeypatch, lambda arguments: 0)
    assert main(["probe", "--help"]) == 0
    assert "Probe things." in capsys.readouterr().out


def test_a_reader_that_leaves_is_no_error():
    program = f"{sys.executable} -m stretto schema run | true"
    done = subprocess.run(
        ["bash", "-c", f"{program}; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")
