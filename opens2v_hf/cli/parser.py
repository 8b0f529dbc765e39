"""An argument parser with short errors that name the nearest flag, and with flags from a YAML file."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from opens2v_hf._util.console import say
from opens2v_hf._util.text import one_line
from opens2v_hf.errors import ArgumentError

_MAX_CONFIG_BYTES = 1 << 20


class Parser(argparse.ArgumentParser):
    """See the module. Flags cannot be abbreviated: a new flag could change the meaning of an abbreviation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})
        self.words: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        """Print a usage line, the error and the nearest flags, and exit with code 2."""
        say(self.short_usage(), error=True)
        hints = [self._hint(word) for word in self.words if self._is_unknown(word)]
        for hint in dict.fromkeys(hints):
            if hint:
                message = f"{message}; {hint}"
        say(f"{self.prog}: {one_line(message)}", error=True)
        say(f"`{self.prog} --help` lists all arguments", error=True)
        raise SystemExit(2)

    def short_usage(self) -> str:
        """The usage in one line, with the required arguments."""
        needed = []
        for action in self._actions:
            if not action.option_strings and action.nargs != "?":
                name = str(action.metavar or action.dest).upper()
                needed.append({"+": f"{name} [{name} ...]", "*": f"[{name} ...]"}.get(str(action.nargs), name))
        for action in self._actions:
            if action.required and action.option_strings:
                needed.append(f"{action.option_strings[-1]} {action.metavar or action.dest.upper()}")
        return f"usage: {' '.join([self.prog, *needed, '[OPTIONS]'])}"

    def unknown(self, words: Sequence[str]) -> NoReturn:
        """Refuse words that belong to no argument."""
        self.error(f"unrecognized arguments: {' '.join(words)}")

    def config_words(self, path: str) -> list[str]:
        """The flags of a YAML file as words of a command line; positional arguments get defaults.

        Args:
            path: of a file with a mapping from flag without `--` to value. A list is for a flag with several values;
                true sets a switch.

        Raises:
            ArgumentError: the file is missing or malformed, or a key is no flag of this command.
        """
        flags = {name.lstrip("-"): action for name, action in self._option_string_actions.items() if name[:2] == "--"}
        flags = {name: action for name, action in flags.items() if name not in ("help", "config")}
        positional = {action.dest: action for action in self._actions if not action.option_strings}
        words: list[str] = []
        for key, value in _read_config(path).items():
            name = str(key).replace("_", "-")
            if name in flags:
                words += _words(f"--{name}", flags[name], value, path)
            elif str(key) in positional:
                _set_default(positional[str(key)], value)
            else:
                near = difflib.get_close_matches(name, [*flags, *positional], n=2)
                hint = f"did you mean {' or '.join(near)}?" if near else f"{self.prog} --help names all"
                raise ArgumentError(f"{path}: {str(key)!r} is no flag of {self.prog}; {hint}")
        return words

    def _is_unknown(self, word: str) -> bool:
        return word.startswith("--") and len(word) > 2 and word.partition("=")[0] not in self._option_string_actions

    def _hint(self, word: str) -> str:
        name = word.partition("=")[0][2:]
        known = [flag[2:] for flag in self._option_string_actions if flag[:2] == "--"]
        near = [f"--{one}" for one in difflib.get_close_matches(name, known, n=2)]  # dashes would count as alike
        return f"for --{name}, did you mean {' or '.join(near)}?" if near else ""


def _read_config(path: str) -> Mapping[Any, Any]:
    import yaml

    try:
        if Path(path).stat().st_size > _MAX_CONFIG_BYTES:
            raise ArgumentError(f"{path} has more than {_MAX_CONFIG_BYTES} bytes; a config names flags")
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ArgumentError(f"cannot read the config {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ArgumentError(f"{path} is no YAML ({one_line(' '.join(str(error).split()))[:200]})") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ArgumentError(f"{path} must be a mapping of flags to values (got {type(content).__name__})")
    return content


def _words(flag: str, action: argparse.Action, value: Any, path: str) -> list[str]:
    if value is None:
        return []
    if action.nargs == 0:  # a switch
        if not isinstance(value, bool):
            raise ArgumentError(f"{path}: {flag[2:]} must be true or false (got {value!r})")
        return [flag] if value else []
    if isinstance(value, dict):
        items = [_text(item) for item in _flat(value)]
    elif isinstance(value, list):
        items = [_text(item) for item in value]
    else:
        return [f"{flag}={_text(value)}"]
    if isinstance(action, argparse._AppendAction):
        return [f"{flag}={item}" for item in items]
    return [flag, *items] if action.nargs in ("+", "*") else [f"{flag}={','.join(items)}"]


def _flat(options: Mapping[Any, Any]) -> list[str]:
    """NAME.KEY=VALUE of a mapping of mappings, e.g. {"nexusscore": {"box_threshold": 0.5}}."""
    found = []
    for name, values in options.items():
        if not isinstance(values, dict):
            found.append(f"{name}={_text(values)}")
        else:
            found += [f"{name}.{key}={_text(value)}" for key, value in values.items()]
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        import json

        return json.dumps(value)
    return str(value)


def _set_default(action: argparse.Action, value: Any) -> None:
    several = action.nargs == "+"
    action.nargs = "*" if several else "?"
    action.required = False
    action.default = [str(item) for item in (value if isinstance(value, list) else [value])] if several else str(value)
