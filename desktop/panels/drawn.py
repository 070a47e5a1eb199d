"""Everything drawn on a series, one row each: go there, or take it away."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QAction, QColor, QKeyEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from core.case import Case
from core.events import SignalInstance
from core.imaging.geometry import Plane
from core.labels.schema import Attention, Region, RegionShape
from core.reading.areas import Edit
from core.reading.measurements import Kind, Measurement
from desktop import appearance
from desktop.language import is_industry, later, say
from desktop.viewer import captions, units

SHAPE_WORDS = {
    RegionShape.BOX: later("box"),
    RegionShape.ELLIPSE: later("ellipse"),
    RegionShape.POLYGON: later("polygon"),
    RegionShape.BRUSH: later("brush"),
}
KIND_WORDS = {
    Kind.LENGTH: later("length"),
    Kind.ANGLE: later("angle"),
    Kind.RECTANGLE: later("rectangle"),
    Kind.ELLIPSE: later("ellipse"),
}


@dataclass(frozen=True)
class Row:
    """One thing that was drawn: a measurement, or a region by its place on the slice."""

    plane: Plane
    index: int
    measurement: Measurement | None = None
    region: Region | None = None
    place: int = 0


def rows_of(case: Case) -> list[Row]:
    """Regions and measurements of a series: by plane, then slice, then as they were made."""
    rows = [
        Row(Plane.SLICE, index, region=region, place=place)
        for index in range(case.summary.shape[0])
        for place, region in enumerate(case.regions_at(index))
    ]
    rows += [Row(item.plane, item.index, measurement=item) for item in case.measurements]
    return sorted(rows, key=lambda row: (row.plane.value, row.index))


def row_words(case: Case, row: Row) -> str:
    """A row in one line: where, and what it is."""
    where = f"{say(captions.PLANE_WORDS[row.plane])} {row.index + 1}"
    if row.region is not None:
        look = row.region.attention is Attention.LOOK_HERE
        sense = say("look here") if look else say("not here")
        return f"{where} · {sense} · {say(SHAPE_WORDS[row.region.shape])}"
    item = row.measurement
    if item is None:
        return where
    words = units.describe(case, item, None, fine=is_industry())
    return f"{where} · {say(KIND_WORDS[item.kind])} · {words[0]}"


class DrawnList(QListWidget):
    """Follows a case. A click shows the slice and takes hold; Delete takes the chosen row away."""

    chosen = Signal(object)
    """The Row that was clicked."""
    region_taken = Signal(int, object)
    """(slice index, Edit): a region that shall go; to be written."""
    counted = Signal(int)
    """How many rows there are now."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._case: Case | None = None
        self._rows: list[Row] = []
        self._connected: list[tuple[SignalInstance, Callable[..., object]]] = []
        self.setProperty("role", "plain")
        self.setAccessibleName(say("Regions and measurements of this series"))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.itemClicked.connect(self._clicked)
        self.itemActivated.connect(self._clicked)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        delete = QAction(say("Delete"), self)
        delete.triggered.connect(lambda _checked=False: self.delete_current())
        self.addAction(delete)

    def show_case(self, case: Case | None) -> None:
        """Show what is drawn on a series; None for none."""
        for signal, slot in self._connected:
            with contextlib.suppress(ValueError):
                signal.disconnect(slot)
        self._connected = []
        self._case = case
        if case is not None:
            self._connected = [
                (case.regions_changed, self._fill),
                (case.measurements.changed, self._fill),
            ]
            for signal, slot in self._connected:
                signal.connect(slot)
        self._fill()

    def delete_current(self) -> None:
        """Take the row away that is chosen."""
        case, row = self._case, self._row(self.currentItem())
        if case is None or row is None:
            return
        if row.measurement is not None:
            case.measurements.remove(row.measurement.number)
        elif row.region is not None:
            self.region_taken.emit(row.index, Edit(taken=row.region))

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and _is_delete(event):
            event.accept()  # while the list has the focus, the key is the list's
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if _is_delete(event):
            self.delete_current()
        else:
            super().keyPressEvent(event)

    def _row(self, item: QListWidgetItem | None) -> Row | None:
        place = self.row(item) if item is not None else -1
        return self._rows[place] if 0 <= place < len(self._rows) else None

    def _clicked(self, item: QListWidgetItem) -> None:
        row = self._row(item)
        if row is not None:
            self.chosen.emit(row)

    def _fill(self) -> None:
        here = self.currentRow()
        self.clear()
        case = self._case
        self._rows = rows_of(case) if case is not None else []
        for row in self._rows:
            item = QListWidgetItem(row_words(case, row) if case is not None else "")
            if row.region is not None:
                look = row.region.attention is Attention.LOOK_HERE
                theme = appearance.theme()
                item.setForeground(QColor(theme.negative if look else theme.positive))
            self.addItem(item)
        if not self._rows:
            hint = QListWidgetItem(say("Nothing is drawn yet. Tools: D, E, U, K."))
            hint.setFlags(Qt.ItemFlag.NoItemFlags)
            self.addItem(hint)
        elif here >= 0:
            self.setCurrentRow(min(here, len(self._rows) - 1))
        self.counted.emit(len(self._rows))


def _is_delete(event: QEvent) -> bool:
    return isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Delete
