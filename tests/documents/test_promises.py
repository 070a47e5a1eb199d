"""What documents promise is tested, and each test that they name is there."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest
import yaml

from core.models.card import read_card
from core.places import shipped_weights
from desktop import language
from tests.conftest import ROOT
from tests.documents.commands import documents

_NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_BARE = re.compile(r"`(test_\w+)`")


@functools.cache
def names_of_tests(file: Path) -> frozenset[str]:
    """Names of the test functions of a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_every_test_that_a_document_names_is_there() -> None:
    files = list((ROOT / "tests").rglob("test_*.py"))
    every = {name for file in files for name in names_of_tests(file)} | {f.stem for f in files}
    gone, named = [], 0
    for document in documents():
        text = document.read_text(encoding="utf-8")
        for path, name in _NAMED.findall(text):
            named += 1
            file = ROOT / path
            if not file.is_file() or (name and name not in names_of_tests(file)):
                gone.append(f"{document.name}: {path}::{name}")
        gone += [f"{document.name}: {name}" for name in _BARE.findall(text) if name not in every]
    assert gone == []
    assert named > 25


def test_every_promise_of_the_security_page_names_a_test() -> None:
    lines = (ROOT / "docs" / "security.md").read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|") and "shown by" not in line]
    promises = [row for row in rows if not set(row) <= set("|- ")]
    assert len(promises) > 20
    unproved = [row[:80] for row in promises if not _NAMED.search(row) and not _BARE.search(row)]
    assert unproved == []


def test_personal_folders_are_closed_to_others(profile: Path) -> None:
    from core import places

    for folder in (places.settings_folder(), places.data_folder(), places.state_folder()):
        assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("code", sorted(language.LANGUAGES))
def test_it_says_everywhere_that_it_is_not_for_diagnostic_use(code: str) -> None:
    from desktop.panels.footer import DISCLAIMER

    words = "Not for diagnostic use"
    assert DISCLAIMER.startswith(words), "the line that stands in the window at all times"
    readme = (ROOT / "README.md").read_text("utf-8")
    assert words in readme.partition("## ")[0], "before anything else"
    page = ROOT / "docs" / "manual" / code / "not-for-diagnosis.md"
    said = {"en": words, "ko": "진단용이 아닙니다"}[code]
    assert page.read_text("utf-8").startswith(f"# {said}")
    for folder in shipped_weights().iterdir():
        if folder.is_dir():
            limits = " ".join(read_card(folder).limits)
            assert "diagnostic" in limits.lower(), folder.name


# ----------------------------------------------------------------- who made it


def test_the_citation_is_as_its_format_demands() -> None:
    """Source: Citation File Format 1.2.0, schema.json."""
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(content)
    known = {
        *("abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi"),
        *("identifiers", "keywords", "license", "license-url", "message", "preferred-citation"),
        *("references", "repository", "repository-artifact", "repository-code", "title"),
        *("type", "url", "version"),
    }
    assert set(content) <= known
    assert content["cff-version"] == "1.2.0" and content["type"] in ("software", "dataset")
    for author in content["authors"]:
        assert author.get("name") or (author.get("family-names") and author.get("given-names"))
    for reference in content.get("references", []):
        assert {"authors", "title", "type"} <= set(reference)
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert content["license"] == project["license"]
    assert content["version"] == project["version"]
