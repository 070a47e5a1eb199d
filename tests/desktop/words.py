"""The words that a person can come to see, read out of the source: what catalogues must hold.

python -m tests.desktop.words [CODE]    prints what the catalogue (default: ko) lacks, as .po

Own words: the literals of `say`, `say_count` and `later`, and the texts and tips of `Spec`.
Core's words: everything from which core makes sentences: the table of `core.sentences`, the
arguments of errors, warnings, reasons and cautions. An f-string becomes a template whose
placeholders are named after what stands in them.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

from core import errors
from core.labels.sets import available_label_sets, load_label_set
from desktop.language import CORE, catalogue

ROOT = Path(__file__).resolve().parent.parent.parent

SAYING = {"say": (0,), "say_count": (1, 2), "later": (0,), "Spec": (2, 4), "_look": (0,)}
"""Functions of the window → the places of their arguments that are words."""

CORE_MAKERS = {"Skipped", "ImageWarning", "Sentence", "Check", "Window", "Link"} | {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.CoreError)
}
"""Classes of core whose text arguments are read by people."""

SAYERS = {"warn", "_warn", "refuse", "Reject", "_by", "_piece"}
"""Functions of core that make such sentences of their arguments."""

NAMES = {"reason", "sentence", "message", "words", "told", "better", "remedy"}
"""Variables of core in which such a text is put together first."""


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _name(expression: ast.expr, taken: set[str]) -> str:
    """A short name for what stands in a placeholder."""
    found = "value"
    for part in ast.walk(expression):
        if isinstance(part, ast.Attribute) and not (
            isinstance(expression, ast.Call) and part is expression.func
        ):
            found = part.attr
            break
        if isinstance(part, ast.Name) and not (
            isinstance(expression, ast.Call) and part is expression.func
        ):
            found = part.id
            break
    found = found.strip("_").lower() or "value"
    name, number = found, 2
    while name in taken:
        name, number = f"{found}{number}", number + 1
    taken.add(name)
    return name


def texts(node: ast.expr | None, taken: set[str] | None = None) -> list[str]:
    """All texts that an expression can give, as templates; none for what is no text."""
    taken = set() if taken is None else taken
    found: list[str] = []
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        found = [node.value]
    elif isinstance(node, ast.JoinedStr):
        parts = [_part(value, taken) for value in node.values]
        found = ["".join(choice) for choice in product(*parts)]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = texts(node.left, taken), texts(node.right, taken)
        found = [a + b for a in left for b in right]
    elif isinstance(node, ast.IfExp):
        found = texts(node.body) + texts(node.orelse)
    elif isinstance(node, ast.BoolOp):
        found = [text for value in node.values for text in texts(value)]
    elif isinstance(node, (ast.Tuple, ast.List)):
        found = [text for item in node.elts for text in texts(item)]
    elif isinstance(node, ast.Name) and node.id in constants():
        found = texts(constants()[node.id])
    return found


@functools.cache
def constants() -> dict[str, ast.expr]:
    """The constants of core's modules that are texts, by name."""
    found: dict[str, ast.expr] = {}
    for _, tree in _trees("core"):
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, value = node.targets[0].id, node.value
                if name.isupper() and isinstance(value, (ast.Constant, ast.JoinedStr)):
                    found[name] = value
    return found


def _part(value: ast.expr, taken: set[str]) -> list[str]:
    """What one part of an f-string can be."""
    if isinstance(value, ast.Constant):
        return [str(value.value)]
    assert isinstance(value, ast.FormattedValue)
    inner = value.value
    if isinstance(inner, ast.IfExp) and texts(inner):
        return texts(inner, taken)
    return ["{" + _name(inner, taken) + "}"]


def is_words(text: str) -> bool:
    """Whether there is anything to translate: two letters in a row outside placeholders."""
    return bool(re.search(r"[A-Za-z]{2}", re.sub(r"\{[^{}]*\}", "", text)))


def _trees(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield file.relative_to(ROOT), ast.parse(file.read_text(encoding="utf-8"))


def own_words() -> dict[str, str]:
    """Text → where the window says it."""
    found: dict[str, str] = {}
    for file, tree in _trees("desktop"):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or _called(node) not in SAYING:
                continue
            arguments = [node.args[k] for k in SAYING[_called(node)] if k < len(node.args)]
            arguments += [word.value for word in node.keywords if word.arg in ("tip", "text")]
            if _called(node) == "say_count":
                arguments = arguments[-1:]
            for argument in arguments:
                for text in texts(argument):
                    if is_words(text):
                        found.setdefault(text, f"{file}:{node.lineno}")
    return found


REASONS = {"reasons", "warnings", "cautions", "problems", "remarks", "lines", "why", "found"}
"""Lists of core to which sentences for people are appended."""


def core_words() -> dict[str, str]:
    """Template → where core makes it."""
    found: dict[str, str] = {}

    def take(node: ast.expr | None, file: Path, line: int) -> None:
        for text in texts(node):
            if is_words(text) and (" " in text or text[:1].isupper()):
                found.setdefault(text, f"{file}:{line}")

    for file, tree in _trees("core"):
        if file.parts[1] in ("cli", "bench"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Assign, ast.AugAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(name, ast.Name) and name.id in NAMES for name in targets):
                    take(node.value, file, node.lineno)
            if isinstance(node, ast.Call):
                name = _called(node)
                makes = name in CORE_MAKERS or name in SAYERS
                adds = name in ("append", "extend") and (
                    getattr(getattr(node.func, "value", None), "id", "") in REASONS
                )
                if makes or adds:
                    for argument in [*node.args, *(word.value for word in node.keywords)]:
                        take(argument, file, node.lineno)
    return found


def label_words() -> Iterable[str]:
    """Label sets that lack a Korean name, which they carry themselves."""
    for task in available_label_sets():
        label_set = load_label_set(task)
        if "ko" not in label_set.names:
            yield task
        yield from (f"{task}/{item.id}" for item in label_set.classes if "ko" not in item.names)


def missing(code: str = "ko") -> tuple[dict[str, str], dict[str, str]]:
    """(own words, core's words) that a language's catalogue lacks, each → where it is said."""
    known = catalogue(code)
    own = {text: at for text, at in own_words().items() if text not in known.own}
    core = {text: at for text, at in core_words().items() if text not in known.core}
    return own, core


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def main(words: list[str]) -> int:
    """Print what is missing."""
    own, core = missing(words[0] if words else "ko")
    for context, entries in (("", own), (CORE, core)):
        for text, at in entries.items():
            mark = f'msgctxt "{context}"\n' if context else ""
            sys.stdout.write(f'\n#: {at}\n{mark}msgid {_quoted(text)}\nmsgstr ""\n')
    return 1 if own or core else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
