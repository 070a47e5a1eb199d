"""At home: the log, reports of crashes, a safe start, the profile, and the manual on F1."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from core import crash_reports
from core.models.catalogue import Catalogue
from core.profile_archive import Choice
from core.settings import SettingsStore
from desktop import language, logs, manual
from desktop.actions import Command
from desktop.dialogs.crash_reports import CrashReportsDialog
from desktop.dialogs.log import LogDialog
from desktop.dialogs.manual import HelpWindow, Place
from desktop.dialogs.profile import ProfileDialog
from desktop.dialogs.safe_start import SafeStartDialog
from desktop.jobs import Job
from desktop.licences import licence_text, packages
from tests.conftest import ROOT, AllowLogs
from tests.desktop.conftest import Bench
from tests.desktop.test_window import opened


@pytest.fixture(autouse=True)
def _english_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(crash_reports, "trail", crash_reports.Trail())
    language.use("en")
    yield
    language.use("en")


# ----------------------------------------------------------------- the log


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The product's log of this profile; given back afterwards."""
    ours = [logging.getLogger(name) for name in ("core", "desktop")]
    before = [(item.propagate, list(item.handlers), item.level) for item in ours]
    logs.start_logging()
    yield logging.getLogger("core.test")
    for item, (propagate, handlers, level) in zip(ours, before, strict=True):
        item.propagate, item.handlers, item.level = propagate, handlers, level
    if logs._handler is not None:
        logs._handler.close()
    monkeypatch.setattr(logs, "_handler", None)


def test_the_log_is_filtered_by_level_and_words_copied_and_deleted(
    qtbot: QtBot, log: logging.Logger
) -> None:
    logs.keep_from("INFO")
    log.info("A series was opened")
    log.warning("Settings could not be saved: No space left on device")
    log.error("Unforeseen error: ValueError\n  core/session.py:12 trim")
    log.debug("left out")
    dialog = LogDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.table.rowCount() == 3
    assert dialog.table.item(0, 3).text() == "Unforeseen error: ValueError", "the newest first"
    assert "core/session.py:12" in dialog.details.toPlainText()
    dialog.level.setFocus()
    qtbot.keyClick(dialog.level, Qt.Key.Key_End)
    assert dialog.table.rowCount() == 1
    qtbot.keyClick(dialog.level, Qt.Key.Key_Home)
    qtbot.keyClicks(dialog.search, "no SPACE")
    assert dialog.table.rowCount() == 1 and "1 record" in dialog.count.text()
    qtbot.mouseClick(dialog.copy, Qt.MouseButton.LeftButton)
    assert "No space left" in QGuiApplication.clipboard().text()
    qtbot.mouseClick(dialog.delete, Qt.MouseButton.LeftButton)
    assert dialog.table.rowCount() == 0
    log.error("after")
    dialog.search.clear()
    dialog.reload()
    assert dialog.table.rowCount() == 1, "the window goes on writing"


# ----------------------------------------------------------------- reports of crashes


def test_reports_are_read_copied_saved_and_deleted(qtbot: QtBot, tmp_path: Path) -> None:
    crash_reports.note_death("engine", -11)
    crash_reports.note_death("trainer", 1)
    dialog = CrashReportsDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.list.count() == 2 and "trainer" in dialog.text.toPlainText()
    assert [report.is_new for report in crash_reports.reports()] == [False, True]
    qtbot.mouseClick(dialog.copy, Qt.MouseButton.LeftButton)
    assert "trainer" in QGuiApplication.clipboard().text()
    dialog.save_as(tmp_path / "report.txt")
    assert "trainer" in (tmp_path / "report.txt").read_text("utf-8")
    dialog.save_as(tmp_path)
    assert dialog.problem.isVisible(), "a folder is no file"
    qtbot.mouseClick(dialog.delete, Qt.MouseButton.LeftButton)
    assert dialog.list.count() == 1 and "engine" in dialog.text.toPlainText()
    qtbot.mouseClick(dialog.delete_all, Qt.MouseButton.LeftButton)
    assert crash_reports.reports() == [] and not dialog.delete.isEnabled()


def test_a_defect_of_a_job_leaves_a_report(
    qtbot: QtBot, bench: Bench, allow_logs: AllowLogs
) -> None:
    """And the next start tells of it, and offers what to do."""

    def fails(_task: object) -> None:
        raise RuntimeError("DOE^JANE /images/Jane")

    opened(qtbot, bench)
    window = bench.app.window
    window.actions_[Command.INVERT].trigger()
    assert crash_reports.trail.commands[-1] == "INVERT", "commands leave their names"
    allow_logs("Unforeseen error")
    told: list[object] = []
    bench.app.jobs.submit(Job("x", "", fails), on_failed=told.append)
    qtbot.waitUntil(lambda: bool(told))
    (report,) = crash_reports.reports()
    assert report.headline.startswith("RuntimeError") and "JANE" not in report.text
    assert "jobs.py" in report.text and "INVERT" in report.text

    bench.app.home_commands.tell_of_crashes()
    notice = window.banner.notice
    assert notice is not None and "unexpectedly" in notice.text
    assert list(notice.offers) == ["Show the report…", "Save…", "Delete"]
    notice.offers["Delete"]()
    assert crash_reports.reports() == []


# ----------------------------------------------------------------- a safe start


def test_a_safe_start_offers_three_ways(qtbot: QtBot) -> None:
    dialog = SafeStartDialog(crashed=True)
    qtbot.addWidget(dialog)
    dialog.show()
    start = dialog.start
    assert (start.session, start.own_settings, start.software) == (False, True, False)
    qtbot.mouseClick(dialog.with_defaults, Qt.MouseButton.LeftButton)
    assert not dialog.start.own_settings and not dialog.start.session
    dialog.as_usual.setFocus()
    qtbot.keyClick(dialog.as_usual, Qt.Key.Key_Space)
    assert dialog.start.session and dialog.start.own_settings
    dialog.software.setFocus()
    qtbot.keyClick(dialog.software, Qt.Key.Key_Space)
    assert dialog.start.software


WINDOW = """
import os, signal, sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from desktop import start, start_guard
from desktop.dialogs.safe_start import SafeStartDialog
from desktop.jobs import Job
from desktop.licences import licence_text, packages
from core.models import client

client.EngineClient.start = lambda self: None
start_guard.SETTLED_MS = 20
how = sys.argv[1]
asked = []

def choose(dialog):
    asked.append(os.environ.get("QT_OPENGL", ""))
    dialog.with_defaults.setChecked(True)
    dialog.software.setChecked(True)
    dialog.accept()
    return dialog.result()

SafeStartDialog.exec = choose

def act():
    if how == "crash":
        import ctypes; ctypes.string_at(0)
    if how == "term":
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    if how == "quit":
        QApplication.closeAllWindows()

QTimer.singleShot(0, lambda: None)
real = start.make_qt
def make_qt():
    qt = real()
    QTimer.singleShot(300, act)
    return qt
start.make_qt = make_qt
code = start.open_window([], safe="--safe" in sys.argv)
print("ASKED", asked, "CODE", code, flush=True)
"""


def run_window(how: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A real window in a process of its own that ends in some way."""
    return subprocess.run(
        [sys.executable, "-c", WINDOW, how, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )


def test_a_start_that_crashed_is_asked_about_and_a_good_end_is_not(profile: Path) -> None:
    store = SettingsStore()
    store.change(store.values.changed({"theme": "light"}))
    assert run_window("crash").returncode == -signal.SIGSEGV
    second = run_window("term")
    assert "ASKED ['software'] CODE 0" in second.stdout, second.stderr
    headlines = [report.headline for report in crash_reports.reports()]
    assert headlines == ["SIGSEGV in the window"]
    values = SettingsStore().values
    assert values.theme == "dark" and values.software_rendering
    assert (profile / "config" / "settings.before.json").is_file()
    # An engine that the window took along is swept up at the next start, without a report.
    assert list((crash_reports.folder() / "raw").glob("window-*")) == [], "SIGTERM is no crash"
    assert "ASKED [] CODE 0" in run_window("quit").stdout


# ----------------------------------------------------------------- the profile


def test_a_profile_goes_out_and_comes_back_through_the_window(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    entries = Catalogue().list()
    dialog = ProfileDialog(entries)
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.choice == Choice(), "no patient, and no shipped model, unless it is asked for"
    dialog.labels.setFocus()
    qtbot.keyClick(dialog.labels, Qt.Key.Key_Space)
    assert dialog.choice.labels
    home, store = bench.app.home_commands, bench.app.settings
    store.change(store.values.changed({"memory_gb": 2.0}))
    file = tmp_path / "profile.zip"
    home.export_to(file, Choice())
    qtbot.waitUntil(lambda: bench.app.window.banner.notice is not None)
    notice = bench.app.window.banner.notice
    assert notice is not None and "profile.zip" in notice.text
    store.change(store.values.changed({"memory_gb": 5.0, "theme": "light"}))
    qtbot.wait(50)
    bench.app.home_commands.import_from(file)
    qtbot.wait(50)  # the window is built again, in the theme that came along
    assert (store.values.memory_gb, store.values.theme) == (2.0, "dark")
    notice = bench.app.window.banner.notice
    assert notice is not None and "taken over" in notice.text
    home = bench.app.home_commands
    home.import_from(tmp_path / "gone.zip")
    notice = bench.app.window.banner.notice
    assert notice is not None and "no profile" in notice.text


# ----------------------------------------------------------------- help


def test_f1_opens_the_page_about_what_has_the_focus_in_the_windows_language(
    qtbot: QtBot, bench: Bench
) -> None:
    opened(qtbot, bench)
    window, home = bench.app.window, bench.app.home_commands
    window.stage.setFocus()
    qtbot.keyClick(window.stage.view, Qt.Key.Key_F1)
    assert home.help is not None and home.help.isVisible()
    assert home.help.place == Place("page", "read-and-windows")
    for widget, name in (
        (window.stage.strip, "model-answer"),
        (window.findings.labels, "correct-labels"),
        (window.review, "review-queue"),
        (window.training, "retrain"),
        (window.studies, "open-a-study"),
        (None, manual.FIRST),
    ):
        assert manual.page_about(widget) == name
    home.show_page("keys")
    assert home.help is not None and "Keys" in home.help.reader.toPlainText()
    bench.app.settings.change_looks(language="ko")
    qtbot.waitUntil(lambda: language.current() == "ko")
    bench.app.home_commands.show_page("keys")
    assert bench.app.home_commands.help is not None
    assert "키" in bench.app.home_commands.help.reader.toPlainText()
    bench.app.home_commands.close()


@pytest.fixture
def window(qtbot: QtBot) -> HelpWindow:
    made = HelpWindow([entry.card for entry in Catalogue().list()])
    qtbot.addWidget(made)
    made.show()
    return made


def test_the_manual_is_searched_followed_and_gone_back(window: HelpWindow, qtbot: QtBot) -> None:
    window.show_page("open-a-study")
    qtbot.keyClicks(window.search, "gantry tilt")
    assert not window.found.isHidden()
    qtbot.keyClick(window.search, Qt.Key.Key_Return)
    assert window.place == Place("page", "open-a-study")
    window.search.clear()
    window.reader.wanted.emit("retrain")
    assert window.place == Place("page", "retrain") and window.back.isEnabled()
    qtbot.mouseClick(window.back, Qt.MouseButton.LeftButton)
    assert window.place == Place("page", "open-a-study")
    qtbot.keyClicks(window.search, "no such word anywhere")
    assert window.contents.topLevelItem(0).childCount() == 0
    assert "0 pages" in window.found.text()


def test_cards_and_licences_can_be_read(window: HelpWindow) -> None:
    window.show_cards()
    text = window.reader.toPlainText()
    assert "head-ct-hemorrhage" in text and "AUROC" in text
    window.show_licences()
    assert window.place is not None and window.place.kind == "licence"
    assert len(packages()) > 50
    assert "Permission is hereby granted" in licence_text("typer")


def test_a_bundle_tells_the_licences_that_it_carries(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "licences"
    (folder / "a-b").mkdir(parents=True)
    (folder / "a-b" / "LICENSE").write_text("Text of a b")
    (folder / "LGPL-3.0.txt").write_text("Lesser")
    (folder / "LIST.txt").write_text("list")
    (folder / "list.json").write_text('{"a b": ["1.0", "MIT"]}')
    monkeypatch.setattr("core.places.shipped", lambda: tmp_path)
    assert packages() == [("LGPL-3.0", "", ""), ("a b", "1.0", "MIT")]
    assert licence_text("a b") == "Text of a b" and licence_text("LGPL-3.0") == "Lesser"


@pytest.mark.parametrize("code", sorted(language.LANGUAGES))
def test_each_page_is_there_in_each_language_with_its_links_and_pictures(code: str) -> None:
    english = [page.name for page in manual.pages("en")]
    found = manual.pages(code)
    assert [page.name for page in found] == english and len(english) >= 16
    assert {path.stem for path in found[0].folder.glob("*.md")} == {*english, "index"}
    assert set(manual.CONTEXT.values()) <= set(english)
    import re

    for page in found:
        assert page.text.startswith("# ")
        for target in re.findall(r"\]\(([^)#]+)", page.text):
            assert (page.folder / target).is_file(), f"{page.name}: {target}"
