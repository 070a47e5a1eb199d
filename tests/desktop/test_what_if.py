"""“What would this change?”: the panel, its process, and the way to a slice and to a record."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.imaging.volume import Opened
from core.models.card import read_card
from core.retraining import foretold
from core.retraining.foretelling import Codes
from core.retraining.preview import CaseFeatures, FeatureStore, Head
from core.retraining.sources import Sources
from core.session import Reading
from desktop.actions import Command
from desktop.notices import Level
from desktop.operations.foretelling import WhatIf, WhatIfView
from desktop.panels.rows import DETAILS_ROLE, ITEM_ROLE, KIND_ROLE
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_window import CTRL, opened, press

WAIT_MS = 60_000
"""A process is started and imports numpy, on a machine that may be busy."""


def keep(bench: Bench, *readings: Reading, patient: str = "p") -> None:
    """Features by which odd slices are findings, as the trunk would have made them."""
    card = read_card(bench.app.catalogue.active("hemorrhage").folder)
    codes, store = Codes(), FeatureStore(card.weights_sha256)
    random = np.random.default_rng(0)
    for reading in readings:
        ids = reading.summary.slice_ids
        odd = np.arange(len(ids)) % 2
        features = random.normal(0, 0.1, (len(ids), 8)).astype(np.float32)
        features[:, 0] = 2.0 * odd - 1
        case = codes.case(reading.summary.case_id)
        keys = tuple(codes.slice(name) for name in ids)
        # The head now in force sees nothing of it: every slice is just below the threshold.
        store.write(CaseFeatures(case, patient, keys, features), Head(np.zeros(8), -0.5))


def settle(qtbot: QtBot, bench: Bench) -> WhatIfView:
    """Wait until labels are saved and the preview of them has come."""
    do = bench.app.operations
    qtbot.waitUntil(lambda: do.labels.saved.pending == 0, timeout=WAIT_MS)
    qtbot.waitUntil(
        lambda: not do.foretelling._timer.isActive() and not do.foretelling.view.is_busy,
        timeout=WAIT_MS,
    )
    return do.foretelling.view


def test_a_correction_shows_what_would_flip_and_a_click_leads_there(
    qtbot: QtBot, bench: Bench
) -> None:
    reading = opened(qtbot, bench)
    panel, window = bench.app.window.what_if, bench.app.window
    press(qtbot, bench, Qt.Key.Key_F3)
    assert window.tabs.currentWidget() is panel
    assert settle(qtbot, bench).state is WhatIf.NO_LABELS
    assert "Label or correct a slice" in panel.empty.text() and not panel.retrain.isVisible()

    reading.case.navigation.go(1)
    press(qtbot, bench, Qt.Key.Key_1, CTRL)  # hemorrhage
    assert settle(qtbot, bench).state is WhatIf.NO_FEATURES
    assert panel.compute.isVisible() and panel.compute.isEnabled()
    assert bench.app.operations.foretelling._client is None  # nothing to ask: no process

    keep(bench, reading)
    for index, key in ((3, Qt.Key.Key_1), (2, Qt.Key.Key_2), (4, Qt.Key.Key_2)):
        reading.case.navigation.go(index)
        press(qtbot, bench, key, CTRL)
    view = settle(qtbot, bench)
    assert view.state is WhatIf.READY and view.missing == 0
    assert view.preview is not None and view.preview.learnt == 4
    flipped = {row.index: row.is_right for row in view.flips}
    assert {1: True, 3: True}.items() <= flipped.items() and flipped[5] is None
    assert panel.headline.text() == f"{len(view.flips)} of 12 answers would change"
    assert panel.labelled.text() == "Of labelled slices 2 would become right, 0 wrong."
    assert "no patient who validates" in panel.validation.text()
    assert panel.record.text().startswith("How right previews are")
    assert not panel.compute.isVisible()

    # A real click on a row leads to its slice.
    row = next(
        r for r in range(panel.list.count()) if panel.list.item(r).data(ITEM_ROLE).index == 5
    )
    item = panel.list.item(row)
    assert item.data(KIND_ROLE) == "Not labelled" and "now," in item.data(DETAILS_ROLE)
    panel.list.scrollToItem(item)
    place = panel.list.visualItemRect(item).center()
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert reading.case.navigation.index() == 5

    # The other way round: the flips follow the labels; undo takes it back.
    for key in (Qt.Key.Key_Z,) * 4:
        press(qtbot, bench, key, CTRL)
    assert settle(qtbot, bench).state is WhatIf.NO_LABELS
    assert panel.list.count() == 0 and panel.headline.text() == ""


def test_several_labels_in_a_row_are_asked_about_once(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = opened(qtbot, bench)
    keep(bench, reading)
    client = bench.app.operations.foretelling._asked()
    asked: list[int] = []

    def ask(_model: Path, labels: dict[str, bool]) -> None:
        asked.append(len(labels))

    monkeypatch.setattr(client, "ask", ask)
    for index in range(6):
        reading.case.navigation.go(index)
        press(qtbot, bench, Qt.Key.Key_1, CTRL)
    settle(qtbot, bench)
    assert asked[-1] == 6 and len(asked) <= 2


def test_a_slice_of_a_closed_series_is_opened_and_gone_to(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench, MemorySeries("one"), MemorySeries("two"))
    other = bench.app.session.neighbour(1)
    assert other is not None
    keep(bench, reading, other)
    for index, name in ((3, "hemorrhage"), (4, "no_hemorrhage"), (5, "hemorrhage")):
        bench.app.operations.labels.label(other, name, index)
    settle(qtbot, bench)
    path = next(iter(bench.on_disk))
    bench.on_disk[path.resolve()] = Opened(bench.on_disk[path].series)
    Sources()._file.write_text(f'{{"{other.summary.case_id}": "{path}"}}')
    bench.app.operations.close_series(other)
    bench.app.operations.close_series(reading)
    view = settle(qtbot, bench)
    row = next(row for row in view.flips if row.slice_id == other.summary.slice_ids[3])
    assert row.path == path and row.is_right
    panel = bench.app.window.what_if
    listed = [panel.list.item(n).text() for n in range(panel.list.count())]
    assert f"Slice 4 · {path.name} (not open)" in listed
    panel.flip_wanted.emit(row)

    def is_there() -> bool:
        now = bench.app.session.current
        return now is not None and now.summary.case_id == other.summary.case_id

    qtbot.waitUntil(is_there)
    assert bench.app.session.current.case.navigation.index() == 3


def test_hidden_answers_are_hidden_from_the_preview(qtbot: QtBot, bench: Bench) -> None:
    bench.app.operations.read_first(True)
    reading = opened(qtbot, bench, MemorySeries("one"), MemorySeries("two"))
    other = bench.app.session.neighbour(1)
    keep(bench, reading, other)
    for index, name in ((3, "hemorrhage"), (4, "no_hemorrhage"), (5, "hemorrhage")):
        bench.app.operations.labels.label(reading, name, index)
    view = settle(qtbot, bench)
    assert view.preview is not None and {row.case_id for row in view.flips} == {"case-one"}
    assert any(flip.case == Codes().case("case-two") for flip in view.preview.flips)
    assert "not listed" in bench.app.window.what_if.more.text()


def test_a_dead_process_is_a_sentence_and_the_next_label_starts_another(
    qtbot: QtBot, bench: Bench
) -> None:
    reading = opened(qtbot, bench)
    keep(bench, reading)
    labels, client = bench.app.operations.labels, bench.app.operations.foretelling._asked()
    labels.label(reading, "hemorrhage", 3)
    assert settle(qtbot, bench).state is WhatIf.READY
    pid = client.pid
    assert pid is not None
    process = client._process
    real = process.stdin.write
    # It dies over the question: nobody sees that before it is asked.
    process.stdin.write = lambda words: (os.kill(pid, signal.SIGKILL), process.wait(), real(words))
    labels.label(reading, "no_hemorrhage", 4)
    view = settle(qtbot, bench)
    assert view.state is WhatIf.FAILED
    assert "could not be made" in bench.app.window.what_if.empty.text()
    assert not psutil.pid_exists(pid)
    labels.label(reading, "hemorrhage", 5)
    assert settle(qtbot, bench).state is WhatIf.READY


def test_the_record_of_earlier_previews_is_shown(qtbot: QtBot, bench: Bench) -> None:
    foretold.record_agreement(foretold.Foretold(slices=90, foretold=12, happened=15, both=9))
    opened(qtbot, bench)
    settle(qtbot, bench)
    words = bench.app.window.what_if.record.text()
    assert words.startswith("So far 9 of 12 foretold changes came true")
    assert "15 of 90" in words


def test_features_that_cannot_be_computed_are_told_and_not_offered_again(
    qtbot: QtBot, bench: Bench
) -> None:
    reading = opened(qtbot, bench)
    bench.app.operations.labels.label(reading, "hemorrhage", 3)
    assert settle(qtbot, bench).missing == 1
    panel = bench.app.window.what_if
    bench.app.window.actions_[Command.WHAT_IF].trigger()
    qtbot.mouseClick(panel.compute, Qt.MouseButton.LeftButton)
    assert bench.app.operations.foretelling.view.computing and not panel.compute.isEnabled()
    # The weights of this bench are a few bytes: the process says so, in one sentence.
    qtbot.waitUntil(
        lambda: not bench.app.operations.foretelling.view.computing, timeout=2 * WAIT_MS
    )
    notice = bench.app.window.banner.notice
    assert notice is not None and notice.level is Level.CAUTION
    assert "1 series is not in the preview" in notice.text
    assert "Traceback" not in notice.details and notice.details
    assert settle(qtbot, bench).missing == 0
    assert not panel.compute.isVisible()
