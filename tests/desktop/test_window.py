"""The window: opening, reading, answers, labels, and that it survives what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.errors import DamagedJournalError, NotDurableError, UnreadableImageError
from core.imaging.geometry import Plane
from core.labels.journal import Journal
from core.reading.measurements import Kind, Measurement
from core.session import AnswerState, LoadState, Reading
from desktop.command_names import Command
from desktop.notices import Level
from desktop.operations.opening import whole_folders
from desktop.panels.footer import DISCLAIMER
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries


def opened(qtbot: QtBot, bench: Bench, *series: MemorySeries) -> Reading:
    """Open series through the operations and wait until the first is answered."""
    path = bench.add(*(series or (MemorySeries(),)))
    bench.app.operations.opening.open_paths([path], remember=False)
    qtbot.waitUntil(lambda: bench.app.session.current is not None)
    reading = bench.app.session.current
    assert reading is not None
    qtbot.waitUntil(lambda: reading.load_state is LoadState.LOADED)
    return reading


def press(qtbot: QtBot, bench: Bench, key: Qt.Key, *modifiers: Qt.KeyboardModifier) -> None:
    """Press a key where a reader's focus is: on the image."""
    combined = Qt.KeyboardModifier.NoModifier
    for modifier in modifiers:
        combined |= modifier
    bench.app.window.stage.setFocus()
    qtbot.keyClick(bench.app.window.stage.view, key, combined)


CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def test_the_empty_window_says_what_to_do_and_what_it_is_not_for(bench: Bench) -> None:
    window = bench.app.window
    assert window.pages.currentWidget() is window.empty
    assert window.footer.disclaimer.text() == DISCLAIMER
    assert window.footer.disclaimer.isVisible()


def test_a_dropped_folder_is_opened(qtbot: QtBot, bench: Bench) -> None:
    path = bench.add(MemorySeries("one"), MemorySeries("two"))
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    window = bench.app.window
    place = window.rect().center()
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(place, Qt.DropAction.CopyAction, mime, left, none)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    assert window.drop_mark.isVisible() and window.drop_mark.size() == window.centralWidget().size()
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert not window.drop_mark.isVisible()
    QApplication.sendEvent(window, enter)
    drop = QDropEvent(QPointF(place), Qt.DropAction.CopyAction, mime, left, none)
    QApplication.sendEvent(window, drop)
    assert not window.drop_mark.isVisible()
    qtbot.waitUntil(lambda: len(bench.app.session) == 2)
    assert window.studies.model.rowCount() == 2
    assert window.pages.currentWidget() is not window.empty
    assert str(path) in bench.app.settings.values.recent


def test_the_middle_slice_comes_first_and_all_follow(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    assert reading.case.is_complete
    assert reading.case.volume is not None
    assert reading.case.navigation.index() == 6


def test_answers_are_named_in_words_and_follow_the_slice(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    reading.case.navigation.go(3)
    bars = bench.app.window.findings._bars
    assert bars["hemorrhage"].probability == pytest.approx(0.9)
    assert "90 %" in bars["hemorrhage"].accessibleDescription()
    assert "Flagged" in bench.app.window.findings._verdict.text()
    reading.case.navigation.go(7)
    assert bars["hemorrhage"].probability == pytest.approx(0.1)
    assert "Not flagged" in bench.app.window.findings._verdict.text()


def test_keys_move_through_the_slices(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    qtbot.waitUntil(bench.app.window.actions_[Command.NEXT_SUSPICIOUS].isEnabled)
    here = reading.case.navigation.index
    for key, modifiers, expected in (
        (Qt.Key.Key_Home, (), 0),
        (Qt.Key.Key_Down, (), 1),
        (Qt.Key.Key_Up, (), 0),
        (Qt.Key.Key_Down, (SHIFT,), 10),
        (Qt.Key.Key_End, (), 11),
        (Qt.Key.Key_N, (), 3),
    ):
        press(qtbot, bench, key, *modifiers)
        assert here() == expected, key


def test_keys_change_how_the_slice_is_shown(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    qtbot.waitUntil(bench.app.window.actions_[Command.HEAT_MAP].isEnabled)
    press(qtbot, bench, Qt.Key.Key_G)
    assert reading.case.display.heat_map
    press(qtbot, bench, Qt.Key.Key_I)
    assert reading.case.display.inverted
    press(qtbot, bench, Qt.Key.Key_4)
    assert reading.case.display.window.name == "Bone"
    press(qtbot, bench, Qt.Key.Key_T)
    assert reading.case.display.three_panels
    assert bench.app.window.actions_[Command.THREE_PANELS].isChecked()
    press(qtbot, bench, Qt.Key.Key_Escape)
    assert not reading.case.display.inverted


def test_a_label_is_ticked_only_after_the_journal_has_it(
    qtbot: QtBot, bench: Bench, profile: Path
) -> None:
    reading = opened(qtbot, bench)
    findings = bench.app.window.findings
    press(qtbot, bench, Qt.Key.Key_2, CTRL)
    assert bench.app.operations.labels.saved.pending == 1
    assert "Saving" in findings.labels._state.text()
    assert not findings.labels.buttons["no_hemorrhage"].isChecked()
    qtbot.waitUntil(lambda: bench.app.operations.labels.saved.pending == 0)
    assert reading.case.label_at(6) == "no_hemorrhage"
    assert findings.labels.buttons["no_hemorrhage"].isChecked()
    assert findings.labels._state.text().startswith("✓ Saved")
    with Journal(profile / "data" / "labels.db", read_only=True) as journal:
        events = journal.events(reading.summary.case_id)
    assert [event.draft.new for event in events] == ["no_hemorrhage"]


def test_undo_and_redo_reach_the_journal_and_the_screen(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    labels = bench.app.operations.labels

    def settled() -> None:
        qtbot.waitUntil(lambda: labels.saved.pending == 0)

    press(qtbot, bench, Qt.Key.Key_1, CTRL)
    settled()
    press(qtbot, bench, Qt.Key.Key_2, CTRL)
    settled()
    press(qtbot, bench, Qt.Key.Key_Z, CTRL)
    settled()
    assert reading.case.label_at(6) == "hemorrhage"
    press(qtbot, bench, Qt.Key.Key_Z, CTRL)
    settled()
    assert reading.case.label_at(6) is None
    press(qtbot, bench, Qt.Key.Key_Y, CTRL)
    settled()
    assert reading.case.label_at(6) == "hemorrhage"
    assert bench.app.window.findings.labels.history.count() == 5


def test_what_is_undone_on_another_slice_is_gone_to(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    labels, navigation = bench.app.operations.labels, reading.case.navigation

    def turned(key: Qt.Key) -> int:
        press(qtbot, bench, key, CTRL)
        qtbot.waitUntil(lambda: labels.saved.pending == 0)
        return navigation.index()

    navigation.go(3)
    turned(Qt.Key.Key_1)
    reading.case.measurements.add(
        Measurement(Kind.LENGTH, Plane.SLICE, 3, ((0.0, 0.0, 0.0), (5.0, 0.0, 0.0)))
    )
    navigation.go(9)
    assert turned(Qt.Key.Key_Z) == 3 and not len(reading.case.measurements)
    navigation.go(9)
    assert turned(Qt.Key.Key_Z) == 3 and reading.case.label_at(3) is None
    navigation.go(9)
    assert turned(Qt.Key.Key_Y) == 3 and reading.case.label_at(3) == "hemorrhage"
    labels.label_series(reading, "no_hemorrhage")
    navigation.go(9)
    assert turned(Qt.Key.Key_Z) == 9, "what it changed is on the slice looked at, too"


def test_a_label_that_cannot_be_written_is_not_shown(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch, profile: Path
) -> None:
    reading = opened(qtbot, bench)

    def full(*_: object, **__: object) -> None:
        raise NotDurableError(profile / "data" / "labels.db", "No space left on device")

    monkeypatch.setattr(Journal, "append_many", full)
    press(qtbot, bench, Qt.Key.Key_1, CTRL)
    qtbot.waitUntil(lambda: bench.app.operations.labels.saved.failed)
    assert reading.case.label_at(6) is None
    notice = bench.app.window.banner.notice
    assert notice is not None and "No space left" in notice.text
    assert "could not be saved" in bench.app.window.findings.labels._state.text()


def test_a_series_that_cannot_be_read_is_told_in_a_sentence(qtbot: QtBot, bench: Bench) -> None:
    failure = UnreadableImageError(Path("/images/broken.dcm"), "the file ends too early")
    path = bench.add(MemorySeries("broken", failure=failure))
    bench.app.operations.opening.open_paths([path], remember=False)
    window = bench.app.window
    qtbot.waitUntil(lambda: window.banner.notice is not None)
    assert window.banner.notice is not None
    assert window.banner.notice.level is Level.ERROR
    assert "the file ends too early" in window.banner.notice.text
    assert window.isVisible()


def test_the_engines_death_is_told_and_the_question_asked_again(qtbot: QtBot, bench: Bench) -> None:
    bench.engine.answers = False
    reading = opened(qtbot, bench)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.RUNNING)
    bench.engine.answers = True
    bench.engine.die()
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    notice = bench.app.window.banner.notice
    assert notice is not None and "signal 9" in notice.text
    assert len(bench.engine.requests) == 2
    assert bench.app.window.isVisible()


def test_the_series_looked_at_is_asked_about_first(qtbot: QtBot, bench: Bench) -> None:
    bench.engine.answers = False
    first, second = MemorySeries("first"), MemorySeries("second")
    reading = opened(qtbot, bench, first, second)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.RUNNING)
    press(qtbot, bench, Qt.Key.Key_PageDown)
    other = bench.app.session.current
    assert other is not None and other is not reading
    bench.engine.answers = True
    qtbot.waitUntil(lambda: other.answer_state is AnswerState.DONE)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    assert [request.first for request in bench.engine.requests] == [6, 6, 6]


def test_read_first_hides_the_answers_until_a_label_is_saved(qtbot: QtBot, bench: Bench) -> None:
    bench.app.operations.read_first(True)
    reading = opened(qtbot, bench)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    reading.case.navigation.go(3)
    findings = bench.app.window.findings
    assert findings._bars["hemorrhage"].probability is None
    assert "Hidden until you label" in findings._verdict.text()
    assert not bench.app.window.actions_[Command.NEXT_SUSPICIOUS].isEnabled()
    press(qtbot, bench, Qt.Key.Key_2, CTRL)
    qtbot.waitUntil(lambda: reading.case.display.answers)
    assert findings._bars["hemorrhage"].probability == pytest.approx(0.9)
    assert bench.app.window.actions_[Command.NEXT_SUSPICIOUS].isEnabled()
    bench.app.operations.read_first(False)
    assert reading.case.display.answers


def test_closing_a_series_shows_its_neighbour(qtbot: QtBot, bench: Bench) -> None:
    opened(qtbot, bench, MemorySeries("first"), MemorySeries("second"))
    bench.app.window.actions_[Command.CLOSE_SERIES].trigger()
    current = bench.app.session.current
    assert current is not None and current.summary.description == "Head second"
    bench.app.window.actions_[Command.CLOSE_SERIES].trigger()
    assert bench.app.window.pages.currentWidget() is bench.app.window.empty


def test_closing_the_window_is_no_loss(qtbot: QtBot, bench: Bench, profile: Path) -> None:
    opened(qtbot, bench)
    press(qtbot, bench, Qt.Key.Key_1, CTRL)
    bench.app.window.close()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    bench.app.close()
    with Journal(profile / "data" / "labels.db", read_only=True) as journal:
        assert len(journal.events()) == 1


def test_a_damaged_journal_is_told_and_told_again_when_labelling(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = bench.app.operations.labels
    reading = opened(qtbot, bench)
    error = DamagedJournalError(Path("labels.db"), "its chain is broken", 3)

    def broken(*_: object, **__: object) -> None:
        raise error

    assert labels.labelling is not None
    labels.labelling.journal.close()
    monkeypatch.setattr(labels, "_make_journal", broken)
    labels.start()
    banner = bench.app.window.banner
    qtbot.waitUntil(lambda: banner.notice is not None and "chain is broken" in banner.notice.text)
    banner.dismiss()
    labels.label(reading, "hemorrhage")
    assert banner.notice is not None and "chain is broken" in banner.notice.text
    assert reading.case.label_at(6) is None


def test_several_files_of_a_folder_are_opened_as_the_folder(tmp_path: Path) -> None:
    one, two, other = tmp_path / "a" / "1", tmp_path / "a" / "2", tmp_path / "b" / "3"
    for file in (one, two, other):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert whole_folders([one, other, two, tmp_path / "b"]) == [
        tmp_path / "a",
        other,
        tmp_path / "b",
    ]
