"""The open series: thumbnail, what it is, its warnings, where the model stands, its labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QLabel,
    QListView,
    QMenu,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from core.session import AnswerState, LoadState, Reading, Session
from desktop.appearance import theme
from desktop.language import is_industry, say, say_core, say_count
from desktop.viewer.words import size_words

READING_ROLE = Qt.ItemDataRole.UserRole + 1
THUMBNAIL_ROLE = Qt.ItemDataRole.UserRole + 2

ROW_HEIGHT = 92
THUMBNAIL_SIZE = 64

Index = QModelIndex | QPersistentModelIndex


def answer_words(reading: Reading) -> tuple[str, str]:
    """Where the model's answer stands, and the colour in which to say it."""
    if reading.load_state is LoadState.FAILED:
        return say("cannot be read"), theme().positive
    if not reading.case.display.answers:
        return say("answers hidden"), theme().dim
    words = {
        AnswerState.NONE: (say("not asked yet"), theme().dim),
        AnswerState.QUEUED: (say("in the queue"), theme().dim),
        AnswerState.RUNNING: (say("being answered…"), theme().accent),
        AnswerState.REFUSED: (say("model not suited"), theme().warning),
        AnswerState.FAILED: (say("model failed"), theme().warning),
    }
    return words.get(reading.answer_state) or _flagged(reading)


def _flagged(reading: Reading) -> tuple[str, str]:
    """How many slices the answer flags; grey where it is of a model that is no longer active."""
    prediction = reading.case.prediction
    if prediction is None:
        return "", theme().dim
    flagged = sum(reading.case.is_suspicious(index) for index in prediction.slices)
    if reading.is_stale:
        return say("stale: {count} flagged", count=flagged), theme().dim
    if not flagged:
        return say("no slice flagged"), theme().negative
    return say_count(flagged, "{count} slice flagged", "{count} slices flagged"), theme().positive


def series_title(reading: Reading) -> str:
    """What a series is called in lists.

    Objects of one name are numbered: no patient's name tells them apart.
    """
    name = reading.name or say("Series")
    return f"{name} · {reading.namesake}" if is_industry() and reading.namesake > 1 else name


def _facts(reading: Reading, *, short: bool = False) -> str:
    """Kind and number of slices. short: the number alone, where there is little room."""
    count = reading.summary.shape[0]
    slices = str(count) if short else say_count(count, "{count} slice", "{count} slices")
    return f"{reading.summary.modality or say('Image')} · {slices}"


def _patient(reading: Reading) -> str:
    if is_industry():
        return ""  # an object has a name of its own: the series' description
    summary = reading.summary
    return summary.patient_name.replace("^", " ").strip() or summary.patient_id


def short_name(reading: Reading) -> str:
    """What tells a series from others where there is room for one name: the patient's, first."""
    return _patient(reading) or series_title(reading)


def two_lines(patient: str, title: str, fits: Callable[[str], bool]) -> tuple[str, str]:
    """What names a series: whose it is and what it is; or its title, over two lines if need be."""
    if patient:
        return patient, title
    if fits(title):
        return title, ""
    words = title.split(" ")
    most = next((n for n in range(len(words) - 1, 0, -1) if fits(" ".join(words[:n]))), len(words))
    return " ".join(words[:most]), " ".join(words[most:])


def _fits(words: str, face: QFont, width: int) -> bool:
    return QFontMetrics(face).horizontalAdvance(words) <= width


class StudiesModel(QAbstractListModel):
    """The session as Qt sees it; holds thumbnails and nothing else of its own."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._rows: list[Reading] = list(session)
        self.thumbnails: dict[str, QPixmap] = {}
        session.added.connect(self._added)
        session.removed.connect(self._removed)
        session.state_changed.connect(self.refresh)

    def disconnect_session(self) -> None:
        """Stop listening; called when the window goes."""
        self._session.added.disconnect(self._added)
        self._session.removed.disconnect(self._removed)
        self._session.state_changed.disconnect(self.refresh)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        reading = self._rows[index.row()]
        if role == READING_ROLE:
            return reading
        if role == THUMBNAIL_ROLE:
            return self.thumbnails.get(reading.key)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            words, _ = answer_words(reading)
            labels = say("{labelled} labelled", labelled=reading.labelled)
            return ", ".join(
                (
                    *filter(None, (_patient(reading), series_title(reading))),
                    _facts(reading),
                    words,
                    labels,
                )
            )
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tool_tip(reading)
        return None

    def row_of(self, reading: Reading | None) -> QModelIndex:
        """Index of a reading; invalid if it is not listed."""
        return self.index(self._rows.index(reading)) if reading in self._rows else QModelIndex()

    def set_thumbnail(self, key: str, picture: NDArray[np.uint8]) -> None:
        """Take a thumbnail, (rows, columns, 3) uint8."""
        rows, columns = picture.shape[:2]
        image = QImage(picture.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
        self.thumbnails[key] = QPixmap.fromImage(image.copy())
        for reading in self._rows:
            if reading.key == key:
                self.refresh(reading)

    def refresh(self, reading: Reading) -> None:
        """Draw a row again."""
        index = self.row_of(reading)
        if index.isValid():
            self.dataChanged.emit(index, index)

    def _added(self, reading: Reading) -> None:
        self.beginInsertRows(QModelIndex(), len(self._rows), len(self._rows))
        self._rows.append(reading)
        self.endInsertRows()

    def _removed(self, reading: Reading) -> None:
        row = self._rows.index(reading)
        self.beginRemoveRows(QModelIndex(), row, row)
        self._rows.remove(reading)
        self.thumbnails.pop(reading.key, None)
        self.endRemoveRows()

    @staticmethod
    def _tool_tip(reading: Reading) -> str:
        summary = reading.summary
        place = size_words(summary)
        if not summary.geometry.has_spacing:
            place = say("{size} · no spacing stated", size=place)
        lines = [
            series_title(reading),
            place,
            say(
                "{labelled} of {slices} slices have a label",
                labelled=reading.labelled,
                slices=summary.shape[0],
            ),
            *(f"⚠ {say_core(warning.message)}" for warning in summary.warnings),
            *([say_core(reading.note)] if reading.note else []),
        ]
        return "\n".join(lines)


class _StudyDelegate(QStyledItemDelegate):
    """Draws a row: thumbnail at the left, four lines at the right."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(200, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        reading: Reading = index.data(READING_ROLE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row = option.rect.adjusted(4, 2, -4, -2)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if selected or hovered:
            painter.setPen(QPen(QColor(theme().accent), 1) if selected else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme().raised if selected else theme().hover))
            painter.drawRoundedRect(row, 6, 6)
        picture = QRect(row.left() + 8, row.top() + 12, THUMBNAIL_SIZE, THUMBNAIL_SIZE)
        self._draw_thumbnail(painter, picture, index.data(THUMBNAIL_ROLE))
        text = QRect(picture.right() + 10, row.top() + 8, 0, 0)
        text.setRight(row.right() - 8)
        text.setBottom(row.bottom() - 6)
        self._draw_text(painter, text, reading, option.font)
        painter.restore()

    @staticmethod
    def _draw_thumbnail(painter: QPainter, place: QRect, pixmap: QPixmap | None) -> None:
        painter.fillRect(place, QColor("#000000"))
        if pixmap is not None:
            size = pixmap.size().scaled(place.size(), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRect(0, 0, size.width(), size.height())
            target.moveCenter(place.center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(target, pixmap)
        painter.setPen(QColor(theme().line))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(place.adjusted(0, 0, -1, -1))

    @staticmethod
    def _draw_text(painter: QPainter, place: QRect, reading: Reading, font: QFont) -> None:
        bold = QFont(font)
        bold.setWeight(QFont.Weight.DemiBold)
        line = place.height() // 4
        warnings = len(reading.summary.warnings)

        def draw(number: int, words: str, colour: str, face: QFont, right: int = 0) -> None:
            painter.setFont(face)
            painter.setPen(QColor(colour))
            box = QRect(place.left(), place.top() + number * line, place.width() - right, line)
            # Series of one study differ at the end of their names.
            cut = Qt.TextElideMode.ElideMiddle if number < 2 else Qt.TextElideMode.ElideRight
            short = QFontMetrics(face).elidedText(words, cut, box.width())
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, short)

        def draw_right(number: int, words: str, colour: str) -> int:
            painter.setFont(font)
            painter.setPen(QColor(colour))
            width = QFontMetrics(font).horizontalAdvance(words) + 2
            box = QRect(place.right() - width, place.top() + number * line, width, line)
            painter.drawText(
                box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, words
            )
            return width + 6

        taken = draw_right(0, f"⚠ {warnings}", theme().warning) if warnings else 0
        width = place.width() - taken
        first, second = two_lines(
            _patient(reading), series_title(reading), lambda words: _fits(words, bold, width)
        )
        draw(0, first, theme().text, bold, taken)
        if second:
            draw(1, second, theme().dim, font)
        else:  # three lines stand in the middle, without a hole
            place.translate(0, -line)
        taken = 0
        if reading.labelled:
            taken = draw_right(2, f"✓ {reading.labelled}", theme().text)
        facts = _facts(reading)
        if QFontMetrics(font).horizontalAdvance(facts) > place.width() - taken:
            facts = _facts(reading, short=True)
        draw(2, facts, theme().dim, font, taken)
        words, colour = answer_words(reading)
        draw(3, words, colour, font)


class StudiesPanel(QFrame):
    """The list at the left."""

    chosen = Signal(object)
    """A Reading that the person wants to see."""
    close_wanted = Signal(object)
    """A Reading that the person wants to close."""
    open_wanted = Signal()
    recent_wanted = Signal(object)
    """A Path of the recent list."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._session = session
        self.model = StudiesModel(session, self)
        self.view = QListView(self)
        self.view.setModel(self.model)
        self.view.setItemDelegate(_StudyDelegate(self.view))
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setProperty("role", "plain")
        self.view.setMouseTracking(True)
        self.view.setAccessibleName(say("Open series"))
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._menu)
        self._title = QLabel(say("Studies"), self)
        self._title.setProperty("role", "heading")
        self.open = QPushButton(say("Open…"), self)
        self.open.setToolTip(say("Open a folder with images"))
        self.open.clicked.connect(self.open_wanted)
        self._recent_title = QLabel(say("Recent"), self)
        self._recent_title.setProperty("role", "dim")
        self._recent = QVBoxLayout()
        self._recent.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 10, 8, 10)
        layout.setSpacing(8)
        layout.addWidget(self._title)
        layout.addWidget(self.view, 1)
        layout.addWidget(self._recent_title)
        layout.addLayout(self._recent)
        layout.addWidget(self.open)
        selection = self.view.selectionModel()
        selection.currentChanged.connect(self._current_changed)
        self.view.clicked.connect(self._chosen_again)
        self.view.activated.connect(self._chosen_again)
        session.current_changed.connect(self.follow)
        session.added.connect(self._count)
        session.removed.connect(self._count)
        self._count(None)

    def disconnect_session(self) -> None:
        """Stop listening; called when the window goes."""
        self._session.current_changed.disconnect(self.follow)
        self._session.added.disconnect(self._count)
        self._session.removed.disconnect(self._count)
        self.model.disconnect_session()

    def show_recent(self, paths: list[Path]) -> None:
        """List what was opened last, at most four, while there is room."""
        while self._recent.count():
            widget = self._recent.takeAt(0).widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for path in paths[:4]:
            button = QPushButton(path.name or str(path), self)
            button.setProperty("role", "link")
            button.setToolTip(str(path))
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.clicked.connect(lambda _=False, p=path: self.recent_wanted.emit(p))
            self._recent.addWidget(button)
        self._recent_title.setVisible(bool(paths))

    def _count(self, _reading: object) -> None:
        count = len(self._session)
        self._title.setText(
            say("Studies ({count} series)", count=count) if count else say("Studies")
        )

    def follow(self, reading: Reading | None) -> None:
        """Select the series that is looked at."""
        self.view.setCurrentIndex(self.model.row_of(reading))

    def _current_changed(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid():
            self.chosen.emit(index.data(READING_ROLE))

    def _chosen_again(self, index: QModelIndex) -> None:
        """The series that is selected already: wanted again where it is not read."""
        reading = index.data(READING_ROLE)
        if reading.load_state in (LoadState.HEADERS, LoadState.FAILED):
            self.chosen.emit(reading)

    def _menu(self, place: Any) -> None:
        index = self.view.indexAt(place)
        if not index.isValid():
            return
        menu = QMenu(self)
        menu.addAction(say("Close this series")).triggered.connect(
            lambda: self.close_wanted.emit(index.data(READING_ROLE))
        )
        menu.exec(self.view.viewport().mapToGlobal(place))
        menu.deleteLater()
