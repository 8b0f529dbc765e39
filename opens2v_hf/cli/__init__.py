"""The command line: `opens2v COMMAND ...`, a module for each command."""

from __future__ import annotations

import difflib
import importlib
import re
import sys
from collections.abc import Sequence

from opens2v_hf._util.console import drop_output, flush_output, hide_bars, prepare_streams, say, set_quiet
from opens2v_hf._version import __version__
from opens2v_hf.cli.parser import Parser
from opens2v_hf.cli.wording import in_flags, plain_warnings
from opens2v_hf.errors import ArgumentError, OpenS2VError

COMMANDS = {
    "demo": "make a sample, score simulated models on it, write a table, plots and a report",
    "score": "score the videos of a model",
    "generate": "make the videos of a model for a split of the benchmark",
    "reproduce": "score a published row of the leaderboard again and compare the numbers",
    "models": "list the models that can be scored by their name, or check one",
    "explain": "show how the NexusScore of a video is computed, as a page",
    "compare": "test which differences between two results are real",
    "report": "write an HTML page about one or several results",
    "calibrate": "score golden inputs and compare the numbers with those of other machines",
    "bridge": "measure whether one judge, or one edition, can replace another, on the same videos",
    "editions": "show the models and settings of each edition of the leaderboard, or the edition of a result",
    "rejudge": "parse the stored answers of a judge again, without new requests",
    "agreement": "compare a metric or a judge with human ratings, and the raters with each other",
    "rate": "compare the videos of models by eye, two at a time and blind, on a page that stores every answer",
    "faults": "show which column sees which fault, on synthetic scenes with known faults",
    "push": "put a result into a model's repo on the Hub, or submit it to the leaderboard",
    "validate": "check submissions to the leaderboard: files, a clone of its data, a pull request",
    "build": "make a dataset like OpenS2V-5M from a folder of videos",
    "export": "write the clips of a dataset as tars for WebDataset",
    "convert": "turn OpenS2V-5M into Parquet shards, or index its split tars",
    "show": "write a page about a sample of OpenS2V-5M: frames, masks, subjects, pairs, views",
    "publish": "create or update the project's repos on the Hub: datasets, metrics, Spaces",
    "job": "manage commands that run as Hugging Face Jobs: status, logs, cancel, fetch",
    "doctor": "check the installation: versions, devices, models, and what is missing",
}
"""Command to its description; the module opens2v_hf.cli.<command> has `add_arguments` and `run`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `opens2v`; those of the process by default.

    Returns:
        The exit code: 0 success; 1 success except for what the output lists; 2 wrong use, or an error that the message
        explains; 130 interrupted.
    """
    prepare_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    if empty := [word for word in words if not word or re.fullmatch(r"--[\w-]+=", word)]:
        after = words[words.index(empty[0]) - 1] if words.index(empty[0]) else "opens2v"
        say(f"opens2v: an argument is empty (after {after!r}); is a variable of the shell not set?", error=True)
        return 2
    name, rest = _command_of(words)
    command = command_parser(name)
    command.words = rest
    try:
        arguments, unknown = command.parse_known_args(_with_config(command, rest))
        if unknown:
            command.unknown(unknown)
        values = [value if isinstance(value, list) else [value] for value in vars(arguments).values()]
        if any("\0" in str(one) for several in values for one in several):  # from a config; no path can have it
            raise ArgumentError("an argument has a NUL character; remove it")
        if arguments.quiet:
            set_quiet(True)
            hide_bars()
        as_job = getattr(arguments, "job", None) is not None
        module = importlib.import_module(f"opens2v_hf.cli.{'as_job' if as_job else name}")
        with plain_warnings(command):
            code = module.run(arguments)
        flush_output()
        return code
    except OpenS2VError as error:
        # a line break may be part of a foreign file name, so the rest is indented
        message = in_flags(str(error), command).replace("\n", "\n  ")
        say(f"opens2v {name}: {message}", error=True)
        return 2
    except BrokenPipeError:  # the reader of the output has ended, e.g. `head`; nothing more can be printed
        drop_output()
        return 1
    except KeyboardInterrupt:
        say(f"opens2v {name}: interrupted", error=True)
        return 130
    finally:
        set_quiet(False)


def command_parser(name: str) -> Parser:
    """The parser of one command. Only its module is imported, so that `--help` is quick."""
    from opens2v_hf.cli.options import COMMON, add

    help_line = COMMANDS[name]
    parser = Parser(prog=f"opens2v {name}", description=f"{help_line[0].upper()}{help_line[1:]}.")
    importlib.import_module(f"opens2v_hf.cli.{name}").add_arguments(parser)
    add(parser, *COMMON)
    parser.set_defaults(parser=parser)  # for messages that name its flags
    return parser


def _command_of(words: list[str]) -> tuple[str, list[str]]:
    """The command's name and the words after it; exits with a usage line if there is none."""
    parser = Parser(prog="opens2v", description="OpenS2V-Nexus for the Hugging Face ecosystem")
    parser.add_argument("--version", action="version", version=f"opens2v-hf {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_line in COMMANDS.items():
        commands.add_parser(name, help=help_line, add_help=False)
    position = next((index for index, word in enumerate(words) if not word.startswith("-")), len(words))
    parser.parse_args(words[:position] + [next(iter(COMMANDS))] * (position < len(words)))
    if position == len(words):
        parser.error("name a command")
    name = words[position]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=2)
        parser.error(f"there is no command {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else ""))
    return name, words[position + 1 :]


def _with_config(command: Parser, words: list[str]) -> list[str]:
    """The words of `--config` before those of the command line, which override them."""
    finder = Parser(add_help=False, prog=command.prog)
    finder.add_argument("--config")
    finder.error = command.error  # type: ignore[method-assign]
    path = finder.parse_known_args(words)[0].config
    return words if path is None else [*command.config_words(path), *words]
