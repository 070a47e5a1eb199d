"""What the manual says of menus and keys is what the window has, in each language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop import language, manual
from desktop.actions import plain
from desktop.command_table import SPECS
from desktop.language import say

ROOT = Path(__file__).parents[2]
_PATH = re.compile(r"\*([^*\n→]+ → [^*\n→]+)\*\s?(?:\(`([^`]+)`)?")


@pytest.fixture(autouse=True)
def _english_afterwards() -> Iterator[None]:
    yield
    language.use("en")


def _wrong_paths(texts: dict[str, str]) -> tuple[list[str], int]:
    """Menu paths in texts that the window does not have, or on another key; how many there are."""
    keys = {f"{plain(say(s.menu.value))} → {plain(say(s.text))}": s.keys for s in SPECS}
    wrong, named = [], 0
    for name, text in texts.items():
        for path, key in _PATH.findall(text):
            named += 1
            if path not in keys:
                wrong.append(f"{name}: {path}")
            elif key and key not in keys[path]:
                wrong.append(f"{name}: {path} is not on {key}")
    return wrong, named


@pytest.mark.parametrize("code", sorted(language.LANGUAGES))
def test_menus_and_keys_of_the_manual_are_those_of_the_window(code: str) -> None:
    language.use(code)
    wrong, named = _wrong_paths({page.name: page.text for page in manual.pages(code)})
    assert wrong == []
    assert named > 60


def test_menus_in_the_other_documents_are_those_of_the_window() -> None:
    files = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    wrong, named = _wrong_paths({file.name: file.read_text("utf-8") for file in files})
    assert wrong == []
    assert named > 0


@pytest.mark.parametrize("code", sorted(language.LANGUAGES))
def test_pages_are_about_the_length_of_a_screen_and_of_the_same_shape(code: str) -> None:
    for english, page in zip(manual.pages("en"), manual.pages(code), strict=True):
        assert 300 < len(page.text) < 6000, page.name
        for mark in ("```", "![", "| "):
            assert page.text.count(mark) == english.text.count(mark), f"{page.name}: {mark}"


def test_words_are_found_wherever_they_stand() -> None:
    hits = manual.find("roll back", "en")
    assert hits[0].page.name == "compare-and-promote", "in the title first"
    assert manual.find("", "en") == [] and manual.find("zyxw", "en") == []
    assert any(hit.page.name == "review-queue" for hit in manual.find("무작위", "ko"))
