"""All models of a task: which one answers, their cards, promote and roll back."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from core.models.card import Card
from core.models.catalogue import CatalogueEntry, Promotion
from desktop.appearance import theme
from desktop.fitting import fit
from desktop.language import later, say, say_core
from desktop.operations.tracing import Traced
from desktop.panels.bars import percent

_HEADINGS = (
    "",
    later("Model"),
    later("Version"),
    later("Created"),
    later("Figure with 95 % interval"),
    later("Origin"),
    later("Hash"),
)


MOST_RUNS = 12
"""Runs of label events that are named; `models lineage` names all."""


class ModelsDialog(QDialog):
    """Shows the catalogue as it is told; asks by signals."""

    promote_wanted = Signal(str, str)
    """(model id, reason)"""
    rollback_wanted = Signal(str)
    """The reason."""
    lineage_wanted = Signal(object)
    """A CatalogueEntry whose chain is to be recomputed; answered by `show_lineage`."""

    def __init__(self, task_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Models"))
        fit(self, 940, 600)
        self._entries: list[CatalogueEntry] = []
        self._traced: dict[str, Traced] = {}
        heading = QLabel(say("Models for: {task}", task=task_name), self)
        heading.setProperty("role", "heading")
        self.table = QTableWidget(0, len(_HEADINGS), self)
        self.table.setAccessibleName(say("Models"))
        self.table.setHorizontalHeaderLabels([say(word) for word in _HEADINGS])
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._size_columns()
        self.table.itemSelectionChanged.connect(self._show_card)
        self.card = QTextBrowser(self)
        self.card.setAccessibleName(say("Card of the selected model"))
        self._changes = QLabel(self)
        self._changes.setProperty("role", "dim")
        self._changes.setWordWrap(True)
        self.reason = QLineEdit(self)
        self.reason.setPlaceholderText(say("Why? The reason is kept with the decision."))
        self.reason.setAccessibleName(say("Reason"))
        self.reason.textChanged.connect(self._enable)
        self.promote = QPushButton(say("Promote the selected model"), self)
        self.promote.clicked.connect(self._promote)
        self.rollback = QPushButton(say("Roll back"), self)
        self.rollback.setToolTip(say("Make the model active that was so before the last change"))
        self.rollback.clicked.connect(lambda: self.rollback_wanted.emit(self._why()))
        close = QPushButton(say("Close"), self)
        close.clicked.connect(self.accept)
        for button in (self.promote, self.rollback, close):
            button.setAutoDefault(False)
        decide = QHBoxLayout()
        decide.addWidget(self.reason, 1)
        decide.addWidget(self.promote)
        decide.addWidget(self.rollback)
        decide.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(heading)
        layout.addWidget(self.table, 2)
        layout.addWidget(self.card, 3)
        layout.addWidget(self._changes)
        layout.addLayout(decide)
        self._can_roll_back = False

    def _size_columns(self) -> None:
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(0, 84)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)

    def show_models(self, entries: list[CatalogueEntry], changes: tuple[Promotion, ...]) -> None:
        """Show the models of the task and who changed the active one, newest last."""
        selected = self._selected()
        self._entries = entries
        self.table.setRowCount(len(entries))
        for row, entry in enumerate(entries):
            card = entry.card
            figure = card.metrics[0] if card.metrics else None
            words = (
                say("● active") if entry.is_active else "",
                say_core(card.title),
                card.version,
                card.created[:10],
                f"{say_core(figure.name)} {figure.value:.3f} "
                f"({figure.ci95[0]:.3f} – {figure.ci95[1]:.3f})"
                if figure
                else "–",
                say("shipped") if entry.origin == "shipped" else say("own"),
                card.weights_sha256[:8],
            )
            for column, value in enumerate(words):
                item = QTableWidgetItem(value)
                item.setToolTip(card.id)
                if column == 0:
                    item.setForeground(QColor(theme().negative))
                self.table.setItem(row, column, item)
        ids = [entry.card.id for entry in entries]
        active = next((n for n, entry in enumerate(entries) if entry.is_active), 0)
        if entries:
            self.table.selectRow(
                ids.index(selected.card.id)
                if selected is not None and selected.card.id in ids
                else active
            )
        lines = [_change_words(change) for change in changes[-3:]]
        self._changes.setText("\n".join(lines) or say("The active model has never been changed."))
        self._can_roll_back = bool(changes) and changes[-1].previous is not None
        self.reason.clear()
        self._show_card()

    def select(self, model: str) -> None:
        """Select a model by its id, if it is there: the one that gave an answer."""
        for row, entry in enumerate(self._entries):
            if entry.card.id == model:
                self.table.selectRow(row)

    def show_lineage(self, traced: Traced) -> None:
        """Show where a model comes from, once its chain was recomputed."""
        self._traced[traced.lineage.model] = traced
        entry = self._selected()
        if entry is not None and entry.card.id == traced.lineage.model:
            bar = self.card.verticalScrollBar()
            place = bar.value()
            self.card.setHtml(card_html(entry.card) + lineage_html(traced))
            bar.setValue(place)

    def _why(self) -> str:
        return self.reason.text().strip()

    def _selected(self) -> CatalogueEntry | None:
        rows = self.table.selectionModel().selectedRows()
        return self._entries[rows[0].row()] if rows and self._entries else None

    def _show_card(self) -> None:
        entry = self._selected()
        if entry is not None:
            self.card.setHtml(card_html(entry.card) + lineage_html(self._traced.get(entry.card.id)))
            if entry.card.id not in self._traced:
                self.lineage_wanted.emit(entry)
        else:
            self.card.clear()
        self._enable()

    def _enable(self) -> None:
        entry = self._selected()
        has_reason = bool(self._why())
        self.promote.setEnabled(entry is not None and not entry.is_active and has_reason)
        self.rollback.setEnabled(self._can_roll_back and has_reason)
        hint = "" if has_reason else say("Say why first; it is kept.")
        self.promote.setToolTip(hint)

    def _promote(self) -> None:
        entry = self._selected()
        if entry is not None:
            self.promote_wanted.emit(entry.card.id, self._why())

    def keyPressEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        # Enter in the reason must not close the dialog.
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
            return
        super().keyPressEvent(event)


def _change_words(change: Promotion) -> str:
    words = (
        say("{at} UTC  {by}: promoted {model}  ({reason})")
        if change.action == "promote"
        else say("{at} UTC  {by}: rolled back to {model}  ({reason})")
    )
    at = change.at[:16].replace("T", " ")
    return words.format(at=at, by=change.by, model=change.model, reason=change.reason)


_STATE_WORDS = {
    "holds": later("✓ holds"),
    "elsewhere": later("– not on this computer"),
    "broken": later("✗ does not fit"),
}


def lineage_html(traced: Traced | None) -> str:
    """Where a model comes from, link by link, and who made it answer; None while it is traced."""
    heading = f"<h4>{say('Where it comes from')}</h4>"
    if traced is None:
        return f"{heading}<p>{say('Being recomputed…')}</p>"
    colours = {"holds": theme().negative, "elsewhere": theme().dim, "broken": theme().positive}
    rows = [
        f"<tr><td style='color:{theme().dim}; padding-right:14px'>{escape(say_core(link.name))}"
        f"</td><td style='color:{colours[link.state]}; padding-right:14px'>"
        f"{escape(say(_STATE_WORDS[link.state]))}</td><td>{escape(say_core(link.told))}</td></tr>"
        for link in traced.lineage.links
    ]
    if traced.lineage.events:
        numbers = escape(ranges(traced.lineage.events))
        rows.append(
            f"<tr><td style='color:{theme().dim}; padding-right:14px'>{say('label events')}</td>"
            f"<td></td><td>{numbers}</td></tr>"
        )
    changes = "".join(f"<li>{escape(_change_words(one))}</li>" for one in traced.promotions)
    decided = f"<p>{say('Who made it answer')}</p><ul>{changes}</ul>" if changes else ""
    return f"{heading}<table>{''.join(rows)}</table>{decided}"


def ranges(numbers: tuple[int, ...]) -> str:
    """Numbers as runs, such as “1–6, 9”; at most a few runs are named."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    told = [f"{low}–{high}" if high > low else f"{low}" for low, high in runs[:MOST_RUNS]]
    return ", ".join(told) + (" …" if len(runs) > MOST_RUNS else "")


def card_html(card: Card) -> str:
    """A model card for people."""

    def rows(pairs: list[tuple[str, str]]) -> str:
        return "".join(
            f"<tr><td style='color:{theme().dim}; padding-right:14px'>{escape(name)}</td>"
            f"<td>{escape(value)}</td></tr>"
            for name, value in pairs
            if value
        )

    point = card.operating_point
    facts = [
        (say("Id"), card.id),
        (say("Made from"), card.parent or ""),
        (say("Threshold"), percent(card.threshold)),
        (
            say("At the threshold"),
            say(
                "sensitivity {sensitivity}, specificity {specificity}, {how}",
                sensitivity=percent(point.sensitivity),
                specificity=percent(point.specificity),
                how=say_core(point.how),
            )
            if point
            else "",
        ),
        (
            say("Trained on"),
            say(
                "{name}: {slices} slices of {patients} patients, {positives} with a finding",
                name=card.data.name,
                slices=card.data.slices,
                patients=card.data.patients,
                positives=card.data.positives,
            ).removeprefix(": "),  # a set made of labels has no name
        ),
        (say("Licence of the data"), card.data.licence),
        (
            say("Network"),
            say(
                "{family}, {parameters:,} parameters",
                family=card.architecture.family,
                parameters=card.architecture.parameters,
            ),
        ),
        ("SHA-256", card.weights_sha256),
    ]
    metrics = [
        (
            say_core(metric.name),
            say(
                "{value:.3f} ({low:.3f} – {high:.3f}), {n} slices of {groups} patients, {how}",
                value=metric.value,
                low=metric.ci95[0],
                high=metric.ci95[1],
                n=metric.n,
                groups=metric.groups,
                how=say_core(metric.how),
            ),
        )
        for metric in card.metrics
    ]
    nothing = f"<tr><td>{say('nothing yet')}</td></tr>"
    limits = "".join(f"<li>{escape(say_core(limit))}</li>" for limit in card.limits)
    return (
        f"<h3>{escape(say_core(card.title))} {escape(card.version)}</h3>"
        f"<table>{rows(facts)}</table>"
        f"<h4>{say('Measured')}</h4><table>{rows(metrics) or nothing}</table>"
        + (f"<h4>{say('Limits')}</h4><ul>{limits}</ul>" if limits else "")
    )
