"""From an answer to the people whose labels it goes back to, and from a label to its models."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core import places
from core.models.card import CARD_FILE
from core.models.catalogue import Catalogue
from desktop.dialogs.models import ranges
from tests.core.retraining.test_lineage import label, train
from tests.desktop.conftest import Bench
from tests.desktop.test_review import settle
from tests.desktop.test_window import opened

WAIT_MS = 60_000


def test_runs_of_numbers() -> None:
    assert ranges((3, 1, 2, 7, 9, 10)) == "1–3, 7, 9–10"
    assert ranges(tuple(range(0, 60, 2))).endswith("22 …")


def test_the_card_shows_where_its_model_comes_from(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    opened(qtbot, bench)
    dialog = bench.app.model_commands.models_dialog()
    qtbot.addWidget(dialog)
    assert "Being recomputed" in dialog.card.toPlainText()
    # The answer on the screen is of this model: it is the one that is selected.
    assert dialog._selected().card.id == "plain"
    qtbot.waitUntil(lambda: "trained elsewhere" in dialog.card.toPlainText(), timeout=WAIT_MS)
    shown = dialog.card.toPlainText()
    assert "as the card says" in shown and "not on this computer" in shown
    dialog.reject()


def test_a_model_of_this_computer_is_traced_to_its_people_and_a_broken_link_is_named(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    # The journal of a closed window: labels, a set of them, a run on it, its model published.
    bench.app.operations.labels.labelling.journal.close()
    run = train(label(tmp_path))
    card = json.loads((run / "model" / CARD_FILE).read_text())
    card["task"] = "hemorrhage"
    (run / "model" / CARD_FILE).write_text(json.dumps(card))
    bench.app.operations.labels.labelling._journal = type(
        bench.app.operations.labels.labelling.journal
    )()
    Catalogue().publish(run / "model")
    bench.app.catalogue.promote("first", "Dr. Example", "for the test")
    dialog = bench.app.model_commands.models_dialog()
    qtbot.addWidget(dialog)
    dialog.select("first")
    qtbot.waitUntil(lambda: "kim (4), lee (2)" in dialog.card.toPlainText(), timeout=WAIT_MS)
    shown = dialog.card.toPlainText()
    assert "1–6" in shown and "6 entries of the journal, whose chain holds" in shown
    assert "Dr. Example" in shown and "does not fit" not in shown
    dialog.reject()
    (places.datasets() / "set" / "slices.parquet").write_bytes(b"x")
    again = bench.app.model_commands.models_dialog()
    qtbot.addWidget(again)
    again.select("first")
    qtbot.waitUntil(lambda: "does not fit" in again.card.toPlainText(), timeout=WAIT_MS)
    again.reject()


def test_a_label_tells_which_models_learnt_from_it(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    bench.app.operations.labels.label(reading, "hemorrhage", 9)
    settle(qtbot, bench)
    labels = bench.app.window.findings.labels
    qtbot.waitUntil(lambda: "10   Hemorrhage" in labels.jumps.item(0).text())
    labels.jumps.setCurrentRow(0)
    (action,) = labels.jumps.actions()
    assert labels.jumps.contextMenuPolicy() is Qt.ContextMenuPolicy.ActionsContextMenu
    action.trigger()
    qtbot.waitUntil(lambda: bench.app.window.banner.notice is not None, timeout=WAIT_MS)
    assert "No model of this computer has learnt" in bench.app.window.banner.notice.text
