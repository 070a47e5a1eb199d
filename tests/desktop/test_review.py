"""The review queue, accept and reject, notes, one undo, and the list to jump from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from core import places
from core.imaging.geometry import Plane
from core.labels.agreement import pairwise, readings
from core.labels.history import History
from core.labels.queue import QueueItem, Why
from core.labels.schema import Attention, Region
from core.models.answers import ModelIdentity, SeriesPrediction, SlicePrediction
from core.reading.measurements import Kind, Measurement
from core.retraining.foretelling import Codes
from core.retraining.protocol import RunFolder, TrainingRequest
from core.session import AnswerState, Reading
from desktop import appearance, label_commands
from desktop.command_names import Command
from desktop.operations.reviewing import left_out
from desktop.panels.review import reason_words, why_words
from desktop.panels.studies import short_name
from tests.desktop.conftest import Bench
from tests.desktop.models import write_model
from tests.desktop.series import MemorySeries
from tests.desktop.test_window import CTRL, opened, press

SHIFT = Qt.KeyboardModifier.ShiftModifier


def answered(qtbot: QtBot, bench: Bench, *series: MemorySeries) -> Reading:
    reading = opened(qtbot, bench, *series)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    # The window shows answers a moment after they have come, many at once.
    qtbot.waitUntil(lambda: not bench.app.window._refresh_timer.isActive())
    return reading


def settle(qtbot: QtBot, bench: Bench) -> None:
    """Wait until labels are saved, and have the queue made of what is known then."""
    qtbot.waitUntil(lambda: bench.app.operations.labels.saved.pending == 0)
    bench.app.operations.reviewing.refresh()


# ----------------------------------------------------------------- labelling by one key


def test_enter_accepts_and_shift_enter_rejects_the_models_answer(
    qtbot: QtBot, bench: Bench
) -> None:
    reading = answered(qtbot, bench)
    reading.case.navigation.go(3)
    press(qtbot, bench, Qt.Key.Key_Return)
    settle(qtbot, bench)
    assert reading.case.label_at(3) == "hemorrhage"
    press(qtbot, bench, Qt.Key.Key_Return, SHIFT)
    settle(qtbot, bench)
    assert reading.case.label_at(3) == "no_hemorrhage"
    reading.case.navigation.go(7)
    press(qtbot, bench, Qt.Key.Key_Return, SHIFT)
    settle(qtbot, bench)
    assert reading.case.label_at(7) == "hemorrhage"


def test_hidden_answers_are_neither_accepted_nor_rejected(qtbot: QtBot, bench: Bench) -> None:
    bench.app.operations.read_first(True)
    reading = answered(qtbot, bench)
    labels = bench.app.window.findings.labels
    assert not labels.accept.isEnabled() and not labels.reject.isEnabled()
    press(qtbot, bench, Qt.Key.Key_Return)
    settle(qtbot, bench)
    assert reading.case.labels == {}
    assert {item.why for item in bench.app.operations.reviewing.view.items} == {Why.RANDOM_AUDIT}


def test_a_note_is_written_kept_and_undone(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench)
    labels = bench.app.window.findings.labels
    press(qtbot, bench, Qt.Key.Key_T, CTRL)
    assert labels.note.hasFocus()
    qtbot.keyClicks(labels.note, "calcified plexus")
    qtbot.keyClick(labels.note, Qt.Key.Key_Return)
    settle(qtbot, bench)
    slice_id = reading.summary.slice_ids[6]
    assert bench.app.operations.labels.notes(reading) == {slice_id: "calcified plexus"}
    assert "calcified plexus" in labels.jumps.item(0).text()
    reading.case.navigation.go(2)
    assert labels.note.text() == ""
    reading.case.navigation.go(6)
    assert labels.note.text() == "calcified plexus"
    press(qtbot, bench, Qt.Key.Key_Z, CTRL)
    settle(qtbot, bench)
    assert bench.app.operations.labels.notes(reading) == {}


def test_undo_takes_back_whatever_was_done_last(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench)
    book = reading.case.measurements
    line = Measurement(Kind.LENGTH, Plane.SLICE, 6, ((0.0, 0.0, 30.0), (3.0, 4.0, 30.0)))
    press(qtbot, bench, Qt.Key.Key_1, CTRL)
    settle(qtbot, bench)
    book.add(line)
    bench.app.operations.labels.mark(reading, 6, [Region((4.0, 4.0, 8.0, 8.0), Attention.NOT_HERE)])
    settle(qtbot, bench)
    assert reading.case.regions
    for left in ((1, 1, 0), (1, 0, 0), (0, 0, 0)):
        press(qtbot, bench, Qt.Key.Key_Z, CTRL)
        settle(qtbot, bench)
        assert (len(reading.case.labels), len(book), len(reading.case.regions)) == left
    for back in ((1, 0, 0), (1, 1, 0), (1, 1, 1)):
        press(qtbot, bench, Qt.Key.Key_Y, CTRL)
        settle(qtbot, bench)
        assert (len(reading.case.labels), len(book), len(reading.case.regions)) == back


def test_the_list_of_labelled_slices_says_who_and_leads_there(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench)
    bench.app.operations.labels.sign_in("Dr. Example")
    bench.app.operations.labels.label(reading, "hemorrhage", 9)
    settle(qtbot, bench)
    jumps = bench.app.window.findings.labels.jumps
    row = jumps.item(0)
    assert row.text().startswith("10   Hemorrhage")
    assert "Given by Dr. Example" in row.toolTip()
    qtbot.mouseClick(
        jumps.viewport(), Qt.MouseButton.LeftButton, pos=jumps.visualItemRect(row).center()
    ) if jumps.isVisible() else jumps.itemClicked.emit(row)
    assert reading.case.navigation.index() == 9


def test_a_whole_series_is_labelled_after_a_question_and_undone_in_one_step(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = answered(qtbot, bench)
    asked: list[str] = []

    def question(_parent: object, _title: str, words: str) -> QMessageBox.StandardButton:
        asked.append(words)
        return QMessageBox.StandardButton.Yes

    monkeypatch.setattr(QMessageBox, "question", question)
    bench.app.window.findings.labels.series_wanted.emit("no_hemorrhage")
    settle(qtbot, bench)
    assert "all 12 slices" in asked[0] and len(reading.case.labels) == 12
    press(qtbot, bench, Qt.Key.Key_Z, CTRL)
    settle(qtbot, bench)
    assert reading.case.labels == {}


# ----------------------------------------------------------------- the queue


def test_one_key_leads_through_the_queue_and_progress_is_told(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench)
    bench.app.operations.labels.label(reading, "no_hemorrhage", 3)
    settle(qtbot, bench)
    review, window = bench.app.operations.reviewing, bench.app.window
    first = review.view.items[0]
    assert (first.why, first.slice_index) == (Why.MODEL_AGAINST_LABEL, 3)
    total = review.view.total
    press(qtbot, bench, Qt.Key.Key_F2)
    assert reading.case.navigation.index() == 3
    assert (review.view.seen, review.view.total) == (1, total)
    assert window.review.bar.value() == 1 and "1 of" in window.review.progress.text()
    press(qtbot, bench, Qt.Key.Key_F2)
    assert review.view.seen == 2
    press(qtbot, bench, Qt.Key.Key_F2, SHIFT)
    assert reading.case.navigation.index() == 3
    for _ in range(total):
        press(qtbot, bench, Qt.Key.Key_F2)
    assert review.view.items == () and window.banner.notice is not None
    window.review.again.click()
    assert review.view.seen == 0 and len(review.view.items) == total


def test_one_reason_can_be_worked_through_alone(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench)
    bench.app.operations.labels.label(reading, "no_hemorrhage", 3)
    settle(qtbot, bench)
    panel = bench.app.window.review
    assert panel.list.count() == 0  # nobody has looked at it yet
    wanted = len(bench.app.operations.reviewing.view.items)
    bench.app.window.tabs.setCurrentWidget(panel)
    assert panel.list.count() == wanted
    row = panel.reasons.findData(Why.RANDOM_AUDIT)
    panel.reasons.setCurrentIndex(row)
    panel.reasons.activated.emit(row)
    items = bench.app.operations.reviewing.view.items
    assert items and {item.why for item in items} == {Why.RANDOM_AUDIT}
    assert panel.list.count() == len(items)


def test_the_queue_judges_by_the_threshold_that_the_reader_set(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench)
    reviewing = bench.app.operations.reviewing

    def thresholds() -> set[float]:
        facts = [dict(item.facts) for item in reviewing.view.items]
        return {item["threshold"] for item in facts if "threshold" in item}

    before = thresholds()
    prediction = reading.case.prediction
    assert prediction is not None and thresholds() <= {prediction.threshold}
    near = round(prediction.slices[3].probabilities[prediction.positive] + 0.001, 4)
    reading.case.show(threshold=near)  # slice 3 is undecided there
    qtbot.waitUntil(lambda: thresholds() == {near})
    reading.case.show(threshold=None)
    qtbot.waitUntil(lambda: thresholds() == before)


def test_a_second_model_that_disagrees_is_a_reason(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    reading = answered(qtbot, bench)
    other = ModelIdentity("other", "1", "b" * 64)
    chances = dict.fromkeys(range(12), 0.05) | {8: 0.95}
    prediction = SeriesPrediction(
        other,
        "hemorrhage",
        0.5,
        {k: SlicePrediction(k, {"hemorrhage": p}) for k, p in chances.items()},
    )
    mine = reading.case.prediction
    reading.case.expect(prediction)
    reading.case.prediction_finished(other, 0.9)
    reading.case.expect(mine)
    bench.app.operations.reviewing.refresh()
    found = [
        item
        for item in bench.app.operations.reviewing.view.items
        if item.why is Why.MODEL_AGAINST_MODEL
    ]
    assert {item.slice_index for item in found} == {3, 4, 8}


def test_left_out_probabilities_come_from_the_newest_run_of_the_task(
    bench: Bench, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "one"
    write_model(run / "model")
    lines = [{"key": "A", "row": 0, "fold": 0, "probabilities": [0.2, 0.8]}]
    (run / "out_of_fold.json").write_text(json.dumps(lines))

    class Run:
        path = run

    label_set = bench.app.session.label_set
    found = left_out(label_set, {"A": "slice-a"}, lambda: [Run()])  # type: ignore[list-item]
    assert list(found) == ["slice-a"] and found["slice-a"] in (0.2, 0.8)
    (run / "out_of_fold.json").write_text("damaged")
    assert left_out(label_set, {"A": "slice-a"}, lambda: [Run()]) == {}  # type: ignore[list-item]


@pytest.mark.parametrize("why", list(Why))
def test_every_reason_is_told_in_words_with_its_numbers(why: Why) -> None:
    facts = {
        Why.LABEL_ERROR: (("probability", 0.9), ("labelled as finding", 0.0)),
        Why.MODEL_AGAINST_LABEL: (("probability", 0.9), ("labelled as finding", 0.0)),
        Why.SLICE_AGAINST_SERIES: (("probability", 0.9), ("series", 0.1)),
        Why.MODEL_AGAINST_MODEL: (("probability", 0.9), ("other model", -0.5)),
        Why.NEIGHBOURS_DIFFER: (("probability", 0.9), ("slice before", 0.1), ("slice after", 0.2)),
        Why.UNCERTAIN: (("probability", 0.9), ("threshold", 0.89)),
        Why.RANDOM_AUDIT: (),
    }[why]
    words = reason_words(QueueItem("a", "s", 3, why, 0.5, facts))
    assert words and why_words(why)
    assert ("90 %" in words) == bool(facts)


# ----------------------------------------------------------------- looks


def test_themes_change_at_once(qtbot: QtBot, bench: Bench) -> None:
    opened(qtbot, bench)
    bench.app.settings.change_looks(theme="light")
    qtbot.waitUntil(lambda: appearance.theme() is appearance.LIGHT)
    window = bench.app.window
    qtbot.waitUntil(lambda: window.grab().toImage().pixelColor(40, 200).lightness() > 200)
    assert bench.app.window.actions_[Command.INVERT].isEnabled()
    bench.app.settings.change_looks(theme="dark")
    qtbot.waitUntil(lambda: appearance.theme() is appearance.DARK)


def test_the_industry_profile_names_no_patient(qtbot: QtBot, bench: Bench) -> None:
    bench.app.settings.change_looks(industry=True)
    qtbot.waitUntil(lambda: bench.app.window.stage._industry)
    reading = answered(qtbot, bench)
    window = bench.app.window
    qtbot.waitUntil(lambda: reading.window_is_chosen)
    assert reading.case.display.window.name == "Automatic"
    assert [preset.name for preset in window.stage.presets()][1] == "1–99 %"
    from tests.desktop.test_language import texts_of

    told = {text for _, text in texts_of(window)}
    told |= {window.studies.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)}
    assert [text for text in told if "patient" in text.lower() or "DOE" in text] == []
    reading.namesake = 2  # nothing else tells objects of one name apart
    assert short_name(reading) == "Head head · 2"


def test_everything_that_takes_the_focus_has_a_name(qtbot: QtBot, bench: Bench) -> None:
    """A screen reader says the accessible name, else the text; a control with neither is mute."""
    answered(qtbot, bench)
    mute = []
    for widget in bench.app.window.findChildren(QWidget):
        if widget.focusPolicy() == Qt.FocusPolicy.NoFocus or not widget.isVisible():
            continue
        text = getattr(widget, "text", lambda: "")()
        named = widget.accessibleName() or text or widget.toolTip() or widget.windowTitle()
        inside = widget.parentWidget()
        of_named = inside is not None and bool(inside.accessibleName())
        if not named and not of_named and not widget.objectName().startswith("qt_"):
            mute.append(f"{type(widget).__name__} in {type(inside).__name__}")
    assert mute == []


# ----------------------------------------------------------------- work under way


def test_answers_under_way_are_shown_with_progress_and_can_be_cancelled(
    qtbot: QtBot, bench: Bench
) -> None:
    bench.engine.answers = False
    reading = opened(qtbot, bench)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.RUNNING)
    jobs = bench.app.jobs
    shown = jobs.running()
    assert [item.title for item in shown] == ["Asking the model about 12 slices"]
    jobs.progress_outside(shown[0].id, 3, 12)
    assert (jobs.running()[0].done, jobs.running()[0].total) == (3, 12)
    jobs.cancel(shown[0].id)
    assert jobs.running() == [] and reading.answer_state is AnswerState.NONE
    qtbot.waitUntil(lambda: jobs.is_idle)


def test_answers_that_have_come_are_no_longer_work(qtbot: QtBot, bench: Bench) -> None:
    answered(qtbot, bench)
    assert bench.app.jobs.running() == []


def test_the_key_sheet_tells_the_keys_in_force(qtbot: QtBot, bench: Bench) -> None:
    from PySide6.QtWidgets import QLabel

    from desktop.dialogs.keys import KeysDialog

    bench.app.settings.change_looks(keys={"INVERT": ["F12"]})
    window = bench.app.window
    qtbot.waitUntil(lambda: window.actions_[Command.INVERT].shortcut().toString() == "F12")
    dialog = KeysDialog(window.actions_, bench.app.look_commands.label_keys())
    qtbot.addWidget(dialog)
    words = [label.text() for label in dialog.findChildren(QLabel)]
    assert words[words.index("Invert") - 1] == "F12"
    assert words[words.index("Label: Hemorrhage") - 1] == "Ctrl+1"


def test_suspects_of_an_earlier_training_are_there_at_the_start(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    """No run in this session, and the model is not asked: the labels' own record suffices."""
    bench.app.settings.values.ask_on_open = False
    series = MemorySeries()
    codes = Codes()
    run = RunFolder(places.runs() / "20260101-000000-earlier")
    run.create(TrainingRequest(recipe="quick", data=tmp_path / "set"))
    write_model(run.model, name="earlier")
    chances = [0.95 if index % 2 else 0.05 for index in range(12)]
    chances[4] = 0.97  # labelled as none below
    lines = [
        {"key": codes.slice(name), "row": index, "fold": 0, "probabilities": [1 - p, p]}
        for (index, name), p in zip(enumerate(series.summary.slice_ids), chances, strict=True)
    ]
    (run.path / "out_of_fold.json").write_text(json.dumps(lines))
    reading = opened(qtbot, bench, series)
    assert reading.answer_state is AnswerState.NONE
    labels = bench.app.operations.labels
    labels.label_slices(reading, range(1, 12, 2), "hemorrhage")
    labels.label_slices(reading, range(0, 12, 2), "no_hemorrhage")
    settle(qtbot, bench)

    def suspects() -> list[int]:
        items = bench.app.operations.reviewing.view.items
        return [item.slice_index for item in items if item.why is Why.LABEL_ERROR]

    qtbot.waitUntil(lambda: suspects() == [4])
    bench.app.window.tabs.setCurrentWidget(bench.app.window.review)
    words = [
        bench.app.window.review.list.item(row).text()
        for row in range(bench.app.window.review.list.count())
    ]
    assert words[0].startswith("Slice 5")


def test_a_second_reader_reads_blind_and_a_third_settles(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = answered(qtbot, bench)
    labels, actions = bench.app.operations.labels, bench.app.window.actions_
    labels.sign_in("first")
    labels.label(reading, "hemorrhage", 6)
    settle(qtbot, bench)
    labels.sign_in("second")
    actions[Command.BLIND].trigger()
    qtbot.waitUntil(lambda: labels.is_blind and reading.case.label_at(6) is None)
    press(qtbot, bench, Qt.Key.Key_2, CTRL)  # no hemorrhage, on slice 7
    settle(qtbot, bench)
    assert reading.case.label_at(6) == "no_hemorrhage"
    assert labels.history(reading)[0].reader == "second"
    footer = bench.app.window.footer
    assert footer.saved_words == "Blind reading · Labels: all saved"
    actions[Command.BLIND].trigger()
    qtbot.waitUntil(lambda: not labels.is_blind)
    qtbot.waitUntil(lambda: footer.saved_words == "Labels: all saved")
    task = bench.app.session.label_set.id
    (found,) = pairwise(readings(History(labels.labelling.journal.events()), task))
    assert (found.readers, found.slices, found.observed) == (("first", "second"), 1, 0.0)
    labels.sign_in("third")
    asked = []

    def choose(_window: object, _title: str, question: str, _names: object) -> str:
        asked.extend(question.splitlines()[:-1])
        return "Hemorrhage"

    monkeypatch.setattr(label_commands, "ask_choice", choose)
    monkeypatch.setattr(label_commands, "ask_text", lambda *_: "seen on the next slice")
    actions[Command.ADJUDICATE].trigger()
    settle(qtbot, bench)
    assert asked == ["first: Hemorrhage", "second: No hemorrhage"]
    assert reading.case.label_at(6) == "hemorrhage"
    labels.sign_in("second")
    labels.label(reading, "no_hemorrhage", 6)
    settle(qtbot, bench)
    assert reading.case.label_at(6) == "hemorrhage"  # what was settled stands
    notice = bench.app.window.banner.notice
    assert notice is not None and "settled" in notice.text


def test_two_labels_in_a_row_are_no_settled_slice(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench)
    for class_id in ("hemorrhage", "no_hemorrhage") * 3:
        bench.app.operations.labels.label(reading, class_id, 3)
    settle(qtbot, bench)
    assert reading.case.label_at(3) == "no_hemorrhage"
    assert bench.app.window.banner.notice is None
