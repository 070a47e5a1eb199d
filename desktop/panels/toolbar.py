"""The bar above the image: what readers reach for most, with its key, so that nothing is hidden."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap, QResizeEvent
from PySide6.QtWidgets import QComboBox, QMenu, QSlider, QToolBar, QToolButton, QWidget

from core.imaging.intensity import Window
from desktop.actions import Actions, keys_in_words, plain
from desktop.appearance import font, theme
from desktop.command_names import Command
from desktop.language import later, say, say_core
from desktop.viewer.words import level

_BUTTONS = (
    (Command.PREVIOUS_SUSPICIOUS, "◀"),
    (Command.NEXT_SUSPICIOUS, later("Suspicious ▶")),
    (Command.HEAT_MAP, later("Heat map")),
)
NARROW = 600
"""Width of the bar below which its longest words are left out, logical pixels."""

_LAYOUTS = (
    Command.THREE_PANELS, Command.PLANES, Command.GRID, Command.BESIDE, None,
    Command.CROSS_HAIR, Command.SLAB, Command.CINE, None, Command.INVERT, Command.NEUTRAL,
)  # fmt: skip
_TOOLS = (
    Command.TOOL_WINDOW, Command.TOOL_PAN, Command.TOOL_ZOOM, Command.TOOL_SCROLL,
    Command.TOOL_MAGNIFY, None,
    Command.TOOL_LENGTH, Command.TOOL_ANGLE, Command.TOOL_RECTANGLE, Command.TOOL_ELLIPSE, None,
    Command.MARK_BOX, Command.MARK_ELLIPSE, Command.MARK_POLYGON, Command.MARK_BRUSH,
    Command.MARK_NOT_HERE, Command.BRUSH_ERASES, Command.FILL_BETWEEN, None,
    Command.DELETE, Command.CLEAR_MEASUREMENTS, Command.DRAWN,
)  # fmt: skip


class ViewerBar(QToolBar):
    """Buttons of the actions, the window presets, and the heat map's opacity."""

    window_wanted = Signal(object)
    opacity_wanted = Signal(float)

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(say("Viewer"), parent)
        self.setMovable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._buttons = {
            command: self._add(actions, command, say(words)) for command, words in _BUTTONS
        }
        self._words = {command: say(words) for command, words in _BUTTONS}
        self._is_narrow = False
        self.opacity = QSlider(Qt.Orientation.Horizontal, self)
        self.opacity.setRange(10, 100)
        self.opacity.setFixedWidth(56)
        self.opacity.setAccessibleName(say("Opacity of the heat map"))
        self.opacity.setToolTip(say("Opacity of the heat map over the image"))
        self.opacity.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.opacity.valueChanged.connect(lambda value: self.opacity_wanted.emit(value / 100))
        self.addWidget(self.opacity)
        self.addSeparator()
        self.windows = QComboBox(self)
        self.windows.setFixedWidth(104)
        self.windows.setAccessibleName(say("Grey-level window"))
        self.windows.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.windows.activated.connect(self._window_chosen)
        self.addWidget(self.windows)
        self.layouts = self._add_menu(actions, say("Layout"), _LAYOUTS)
        self.tools = self._add_menu(actions, say("Tools"), _TOOLS)
        more = self.findChild(QToolButton, "qt_toolbar_ext_button")
        if more is not None:
            more.setIcon(_more_icon())  # Qt's own arrow is dark on dark
            more.setToolTip(say("More"))
            more.setAccessibleName(say("More"))

    def _add(self, actions: Actions, command: Command, words: str) -> QToolButton:
        action = actions[command]
        button = QToolButton(self)
        button.setDefaultAction(action)
        button.setText(words)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        keys = keys_in_words(action)
        words_of = plain(action.text())
        button.setToolTip(f"{words_of} ({keys})" if keys else words_of)
        # A default action renames its button whenever it changes.
        action.changed.connect(self._name_buttons)
        self.addWidget(button)
        return button

    def _name_buttons(self) -> None:
        """Words on the buttons, arrows alone where there is little room."""
        for command, button in self._buttons.items():
            words = self._words[command]
            if self._is_narrow and command is Command.NEXT_SUSPICIOUS:
                words = words[-1]
            if button.text() != words:
                button.setText(words)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._is_narrow = event.size().width() < NARROW
        self._name_buttons()

    def _add_menu(
        self, actions: Actions, words: str, commands: tuple[Command | None, ...]
    ) -> QToolButton:
        """A button that opens a menu of commands; None is a line between them."""
        button = QToolButton(self)
        button.setText(f"{words} ▾")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(words)
        menu = QMenu(button)
        for command in commands:
            if command is None:
                menu.addSeparator()
            else:
                menu.addAction(actions[command])
        button.setMenu(menu)
        self.addWidget(button)
        return button

    def show_windows(self, presets: tuple[Window, ...], current: Window | None) -> None:
        """List the presets; the current window is selected or stands first as it is."""
        self.windows.blockSignals(True)
        self.windows.clear()
        for window in presets:
            self.windows.addItem(say_core(window.name) or window_words(window), window)
        if current is not None:
            if current not in presets:
                self.windows.insertItem(0, say_core(current.name) or say("Own"), current)
            self.windows.setToolTip(
                say("Grey-level window: {window}", window=window_words(current))
            )
            row = presets.index(current) if current in presets else 0
            self.windows.setCurrentIndex(row)
        self.windows.setEnabled(current is not None)
        self.windows.blockSignals(False)

    def show_opacity(self, opacity: float) -> None:
        """Show the opacity now in force."""
        self.opacity.blockSignals(True)
        self.opacity.setValue(round(opacity * 100))
        self.opacity.blockSignals(False)

    def _window_chosen(self, row: int) -> None:
        self.window_wanted.emit(self.windows.itemData(row))


def _more_icon() -> QIcon:
    picture = QPixmap(60, 60)
    picture.setDevicePixelRatio(3.0)  # crisp up to 300 %
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setFont(font(16, bold=True))
    painter.setPen(QColor(theme().text))
    painter.drawText(QRect(0, 0, 20, 20), Qt.AlignmentFlag.AlignCenter, "»")
    painter.end()
    return QIcon(picture)


def window_words(window: Window) -> str:
    """A window for people, as on the image: its name, width and centre."""
    name = f"{say_core(window.name)}  " if window.name else ""
    levels = say(
        "W {width}  L {center}",
        width=level(window.width, window.width),
        center=level(window.center, window.width),
    )
    return f"{name}{levels}"
