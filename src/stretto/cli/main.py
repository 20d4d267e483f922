"""`stretto COMMAND ...`: find the command, run it, turn what went wrong into a sentence and an exit code.

Exit codes: 0 done, 1 a failure of the run or the machine, 2 a mistake of the user's, 130 interrupted. A sentence
about an error goes to standard error; with ``--json`` standard output then holds ``{"error": sentence}`` too.
Nothing but the chosen command's module is imported; the help takes about a tenth of a second.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from stretto import __version__
from stretto.cli.parser import Parser
from stretto.cli.registry import COMMANDS
from stretto.spec.errors import StrettoError, UserError, nearest

_INTERRUPTED = 130
_READER_LEFT = 141


def entry() -> NoReturn:
    """The console script: run the command line of this process and leave with its exit code."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are told, not raised.

    Args:
        argv: the words after ``stretto``.
    """
    try:
        code = _dispatch(argv)
        sys.stdout.flush()
    except StrettoError as error:
        return _tell(argv, str(error), error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has enough (`| head`). Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_LEFT
    except KeyboardInterrupt:
        return _tell(argv, "Interrupted.", _INTERRUPTED)
    except Exception as error:
        traceback.print_exc()
        return _tell(argv, f"Unexpected {type(error).__name__}: please report it with the lines above.", 1)
    return code


def _dispatch(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("--help", "-h", "help"):
        print(_help())
        return 0
    if argv[0] == "--version":
        print(f"stretto {__version__}")
        return 0
    name = argv[0]
    if name not in COMMANDS:
        raise _unknown(name)
    return _run(name, argv[1:])


def _run(name: str, words: Sequence[str]) -> int:
    command = COMMANDS[name]
    module = importlib.import_module(command.module)
    parser = Parser(prog=f"stretto {name}", description=command.summary[0].upper() + command.summary[1:] + ".")
    module.add_arguments(parser)
    try:
        arguments = parser.parse_args(words)
    except SystemExit as done:  # --help
        return int(done.code or 0)
    arguments.json = getattr(arguments, "json", False)
    return module.run(arguments)


def _unknown(word: str) -> UserError:
    what = "a flag of stretto itself; flags follow the command" if word.startswith("-") else "a command"
    close = nearest(word, COMMANDS)
    hint = f"did you mean {close}?" if close else "commands: " + ", ".join(COMMANDS)
    return UserError(f"{word!r} is not {what} ({hint}).")


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: stretto COMMAND ...",
            "",
            "Train, post-train and serve language models over many devices.",
            "",
            "commands:",
            *lines,
            "",
            "stretto COMMAND --help says more; --json prints JSON for machines; stretto --version prints the version.",
        ]
    )


def _tell(argv: Sequence[str], sentence: str, code: int) -> int:
    from stretto.cli.show import json_text

    print(f"stretto: {sentence}" if code != _INTERRUPTED else sentence, file=sys.stderr)
    if "--json" in argv:
        print(json_text({"error": sentence}), flush=True)
    return code
