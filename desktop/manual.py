"""The manual: its pages in each language, in order, found by their words and by what has focus.

Pages are Markdown in `docs/manual/<language>/`, one a task; `index.md` names them in order.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import QWidget

from core import places

FIRST = "open-a-study"
"""Page that is shown where nothing more particular fits."""

CONTEXT = {
    "EmptyPage": "open-a-study",
    "StudiesPanel": "open-a-study",
    "ViewerBar": "read-and-windows",
    "Stage": "read-and-windows",
    "PredictionStrip": "model-answer",
    "Strip": "model-answer",
    "FindingsPanel": "correct-labels",
    "ReviewPanel": "review-queue",
    "WhatIfPanel": "retrain",
    "TrainingPanel": "retrain",
    "RetrainDialog": "retrain",
    "ComparisonPage": "compare-and-promote",
    "ModelsDialog": "compare-and-promote",
    "EditKeysDialog": "keys",
    "KeysDialog": "keys",
    "SettingsDialog": "settings-and-trouble",
    "ProfileDialog": "settings-and-trouble",
    "LogDialog": "settings-and-trouble",
    "CrashReportsDialog": "settings-and-trouble",
    "SafeStartDialog": "settings-and-trouble",
}
"""Class of a widget → the page about it; the innermost widget around the focus decides."""

_LINK = re.compile(r"\[[^\]]+\]\(([\w-]+)\.md\)")
_MARKS = re.compile(r"!\[[^\]]*\]\([^)]*\)|[*_`#>|]|\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Page:
    """One page. name: its file's, the same in every language. text: Markdown."""

    name: str
    title: str
    text: str
    folder: Path

    @functools.cached_property
    def words(self) -> str:
        """What stands on it, without marks."""
        return re.sub(r"\s+", " ", _MARKS.sub(lambda match: match[1] or "", self.text)).strip()


@dataclass(frozen=True)
class Hit:
    """A page on which words were found, with what stands around the first of them."""

    page: Page
    around: str


@functools.cache
def pages(language: str) -> tuple[Page, ...]:
    """The manual in a language, in the order of its index; English where there is none."""
    folder = places.documents() / "manual" / language
    if not folder.is_dir():
        folder = places.documents() / "manual" / "en"
    index = (folder / "index.md").read_text(encoding="utf-8")
    found = []
    for name in dict.fromkeys(_LINK.findall(index)):
        text = (folder / f"{name}.md").read_text(encoding="utf-8")
        title = text.partition("\n")[0].lstrip("# ").strip()
        found.append(Page(name, title, text, folder))
    return tuple(found)


def page(name: str, language: str) -> Page:
    """One page; the first one if there is none of that name."""
    all_pages = pages(language)
    return next((item for item in all_pages if item.name == name), all_pages[0])


def find(wanted: str, language: str) -> list[Hit]:
    """Pages that hold every word, those first whose title does; none for nothing."""
    words = wanted.casefold().split()
    if not words:
        return []
    hits: list[tuple[bool, Hit]] = []
    for item in pages(language):
        text = item.words.casefold()
        if all(word in text for word in words):
            at = text.index(words[0])
            around = item.words[max(0, at - 40) : at + 80].strip()
            in_title = all(word in item.title.casefold() for word in words)
            hits.append((not in_title, Hit(item, around)))
    hits.sort(key=lambda hit: hit[0])
    return [hit for _, hit in hits]


def page_about(widget: QWidget | None) -> str:
    """Name of the page about a widget or the nearest of those around it; see `CONTEXT`."""
    while widget is not None:
        for kind in type(widget).__mro__:
            if kind.__name__ in CONTEXT:
                return CONTEXT[kind.__name__]
        widget = widget.parentWidget()
    return FIRST
