"""``faceuv completion``: a script that completes commands, options, figures and recipes in a shell."""

from __future__ import annotations

import argparse
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")
_TAKES_RECIPES = ("train", "test", "direction")
_BASH = """\
_faceuv() {{
    local words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case "${{COMP_WORDS[1]}}" in
{cases}
        esac
    fi
    COMPREPLY=( $(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}") )
}}
complete -o default -F _faceuv faceuv
"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "completion",
        help="print a script that completes this command in a shell",
        description='bash, zsh: eval "$(faceuv completion bash)" in ~/.bashrc; fish: faceuv completion fish | source.',
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from faceuv.cli.main import build_parser

    print(script(args.shell, build_parser()), end="")
    return 0


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for a shell, from what the parser knows."""
    commands = _subparsers(parser)
    known = {name: _words(name, command) for name, command in commands.items()}
    if shell == "fish":
        return _fish(parser, known)
    cases = "\n".join(f'            {name}) words="{" ".join(words)}" ;;' for name, words in known.items())
    bash = _BASH.format(commands=" ".join([*known, *_options(parser)]), cases=cases)
    return _ZSH + bash if shell == "zsh" else bash


def _fish(parser: argparse.ArgumentParser, known: dict[str, list[str]]) -> str:
    lines = ["complete -c faceuv -e"]
    about = {choice.dest: choice.help or "" for choice in _group(parser)._choices_actions}
    for name, words in known.items():
        lines.append(f"complete -c faceuv -n __fish_use_subcommand -f -a {name} -d {_quoted(about.get(name, ''))}")
        seen = f'-n "__fish_seen_subcommand_from {name}"'
        lines += [
            f"complete -c faceuv {seen} -l {word[2:]}"
            if word.startswith("--")
            else f"complete -c faceuv {seen} -a {word}"
            for word in words
        ]
    return "\n".join(lines) + "\n"


def _words(name: str, command: argparse.ArgumentParser) -> list[str]:
    """What can follow a command: its options, the words of its choices, recipes; of commands below it as well."""
    below = _subparsers(command)
    words = [*_options(command), *below, *(option for one in below.values() for option in _options(one))]
    for action in command._actions:
        if action.choices and not isinstance(action, argparse._SubParsersAction):
            words += map(str, action.choices)
    return list(dict.fromkeys([*words, *(recipes() if name in _TAKES_RECIPES else ())]))


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings if option.startswith("--")]


def _group(parser: argparse.ArgumentParser) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    (group,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return group


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    has = any(isinstance(action, argparse._SubParsersAction) for action in parser._actions)
    return dict(_group(parser).choices) if has else {}


def recipes() -> list[str]:
    """The names of the packaged recipes."""
    folder = Path(__file__).parents[1] / "configs"
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
