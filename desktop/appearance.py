"""How Sliceloop looks: two themes of a few named colours, one style sheet, fonts for every script.

A widget that draws by itself takes its colours from `theme()`. The image area is black in both
themes: a bright frame around a dark image costs the eye its adaptation.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication, QWidget


@dataclass(frozen=True)
class Theme:
    """The colours of one theme, "#rrggbb", by what they are for.

    window: behind everything; panel: lists and cards; raised: buttons and fields.
    line: borders; text, dim: words and less important words; accent: selection and focus.
    positive, negative: a finding and its absence; neutral lies between them.
    warning: what must be read before trusting the image.
    """

    name: str
    window: str
    panel: str
    raised: str
    hover: str
    line: str
    text: str
    dim: str
    accent: str
    on_accent: str
    positive: str
    negative: str
    neutral: str
    warning: str


DARK = Theme(
    name="dark",
    window="#16181b",
    panel="#1d2024",
    raised="#2a2e34",
    hover="#353a42",
    line="#34393f",
    text="#e4e7ea",
    dim="#9aa3ad",
    accent="#4c9be8",
    on_accent="#0b1116",
    positive="#e5534b",
    negative="#4fa866",
    neutral="#7d848c",
    warning="#f2b134",
)
LIGHT = Theme(
    name="light",
    window="#f2f3f5",
    panel="#ffffff",
    raised="#e9ebee",
    hover="#dde1e6",
    line="#c9ced4",
    text="#1b1f24",
    dim="#59626c",
    accent="#1f6fbf",
    on_accent="#ffffff",
    positive="#c5362e",
    negative="#2c7d45",
    neutral="#7d848c",
    warning="#9a6200",
)
THEMES = {theme.name: theme for theme in (DARK, LIGHT)}

GAP = 8
"""Logical pixels between neighbours; halves and doubles of it elsewhere."""

TEXT_PX, SMALL_PX, HEADING_PX = 13, 11, 15
FILE_BUTTON = "#cfd4dc"
"""Under the icons of Qt's own file dialog, which are black in every theme."""

_current = DARK


def theme() -> Theme:
    """The theme now in force."""
    return _current


@dataclass(frozen=True)
class ImageArea:
    """Colours of what is drawn over the image, the same in both themes."""

    background: str = "#000000"
    text: str = "#d9dde1"
    dim: str = "#a2abb4"
    letters: str = "#e8c07a"
    shadow: str = "#000000"
    cross_hair: str = "#5ec8e5"
    measure: str = "#ffd95a"
    drawn: str = "#7fe3c0"
    warning_back: str = "#3a2c08"


IMAGE = ImageArea()


def _package_folder(package: str, *inside: str) -> Path | None:
    """A folder of an installed package, found without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent.joinpath(*inside)
    return folder if folder.is_dir() else None


@functools.cache
def register_fonts() -> tuple[str, ...]:
    """Register the fonts that came along; return their families, Latin before Hangul.

    A fresh machine or container may have no font at all, and boxes instead of letters would be
    the first thing that a person sees. Needs a QGuiApplication.
    """
    files: list[Path] = []
    if (folder := _package_folder("matplotlib", "mpl-data", "fonts", "ttf")) is not None:
        files += [folder / "DejaVuSans.ttf", folder / "DejaVuSans-Bold.ttf"]
    if (folder := _package_folder("koreanize_matplotlib", "fonts")) is not None:
        files += [folder / "NanumGothic.ttf", folder / "NanumGothicBold.ttf"]
    families: dict[str, None] = {}
    for file in files:
        number = QFontDatabase.addApplicationFont(str(file)) if file.is_file() else -1
        for family in QFontDatabase.applicationFontFamilies(number) if number >= 0 else ():
            families[family] = None
    return tuple(families)


PREFERRED_FAMILIES = ("Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "DejaVu Sans")
HANGUL_FAMILIES = ("Noto Sans CJK KR", "Malgun Gothic", "Apple SD Gothic Neo", "NanumGothic")


def font(pixels: int = TEXT_PX, *, bold: bool = False) -> QFont:
    """The user interface's font at a size in logical pixels, with a fallback for Hangul."""
    bundled = register_fonts()
    known = set(QFontDatabase.families())
    wanted = (*PREFERRED_FAMILIES, *bundled, *HANGUL_FAMILIES)
    made = QFont([family for family in dict.fromkeys(wanted) if family in known] or [""])
    made.setPixelSize(pixels)
    made.setBold(bold)
    made.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return made


def _palette(colours: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for which, value in (
        (role.Window, colours.window),
        (role.WindowText, colours.text),
        (role.Base, colours.panel),
        (role.AlternateBase, colours.raised),
        (role.Text, colours.text),
        (role.PlaceholderText, colours.dim),
        (role.Button, colours.raised),
        (role.ButtonText, colours.text),
        (role.BrightText, colours.warning),
        (role.ToolTipBase, colours.raised),
        (role.ToolTipText, colours.text),
        (role.Highlight, colours.accent),
        (role.HighlightedText, colours.on_accent),
        (role.Link, colours.accent),
        (role.Light, colours.hover),
        (role.Mid, colours.line),
        (role.Midlight, colours.hover),
        (role.Shadow, colours.line),  # else black edges around the arrows of lists
        (role.Dark, colours.line),
    ):
        palette.setColor(which, QColor(value))
    for which in (role.Text, role.WindowText, role.ButtonText):
        faded = QColor(colours.dim)
        faded.setAlpha(130)
        palette.setColor(QPalette.ColorGroup.Disabled, which, faded)
    return palette


def _style_sheet(c: Theme) -> str:
    """The one style sheet. Widgets choose a look by the dynamic property `role`.

    What only the main window's own parts need stands at its end: a second sheet, on the window,
    would style all that it holds once more.
    """
    return f"""
QWidget {{ font-size: {TEXT_PX}px; }}
QMainWindow, QDialog {{ background: {c.window}; }}
QToolTip {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.line}; padding: 4px; }}
QLabel[role="heading"] {{ font-size: {HEADING_PX}px; font-weight: bold; color: {c.text}; }}
QLabel[role="section"] {{ font-size: {SMALL_PX}px; font-weight: bold; color: {c.dim}; }}
QLabel[role="dim"] {{ color: {c.dim}; }}
QLabel[role="small"] {{ color: {c.dim}; font-size: {SMALL_PX}px; }}
QLabel[role="warning"] {{ color: {c.warning}; }}
QLabel[role="positive"] {{ color: {c.positive}; font-weight: bold; }}
QLabel[role="negative"] {{ color: {c.negative}; font-weight: bold; }}
QFrame[role="card"] {{ background: {c.panel}; border: 1px solid {c.line}; border-radius: 6px; }}
QFrame[role="panel"], QWidget[role="panel"] {{ background: {c.panel}; }}
QPushButton, QToolButton {{
    background: {c.raised}; color: {c.text}; border: 1px solid {c.line};
    border-radius: 4px; padding: 4px 10px; min-height: 18px; }}
QToolButton {{ padding: 4px 6px; }}
QToolBar QToolButton {{ background: transparent; border: 1px solid transparent; }}
QPushButton:hover, QToolButton:hover, QToolBar QToolButton:hover {{ background: {c.hover}; }}
QPushButton:focus, QToolButton:focus {{ border: 1px solid {c.accent}; }}
QPushButton:checked, QToolButton:checked, QToolBar QToolButton:checked {{
    background: {c.hover}; border: 1px solid {c.accent}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {c.neutral}; background: {c.panel}; }}
QFileDialog QToolButton {{ background: {FILE_BUTTON}; padding: 3px 4px; }}
QFileDialog QToolButton:disabled {{ background: {c.dim}; }}
QLabel:disabled {{ color: {c.neutral}; }}
QPushButton[role="primary"] {{
    background: {c.accent}; color: {c.on_accent}; border: 1px solid {c.accent};
    font-weight: bold; }}
QPushButton[role="primary"]:disabled {{
    background: {c.raised}; color: {c.neutral}; border: 1px solid {c.line}; }}
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {{
    background: {c.raised}; color: {c.text}; border: 1px solid {c.line}; border-radius: 4px;
    padding: 3px 6px; selection-background-color: {c.accent};
    selection-color: {c.on_accent}; }}
QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {{
    color: {c.neutral}; background: {c.panel}; }}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus,
QComboBox:focus {{ border: 1px solid {c.accent}; }}
QComboBox QAbstractItemView {{ background: {c.raised}; border: 1px solid {c.line}; }}
QListView, QTreeView, QTableView {{
    background: {c.panel}; border: 1px solid {c.line}; border-radius: 4px;
    alternate-background-color: {c.raised}; outline: 0; gridline-color: {c.line}; }}
QListView::item, QTreeView::item {{ padding: 3px; }}
QListView::item:hover, QTreeView::item:hover {{ background: {c.raised}; }}
QListView::item:selected, QTreeView::item:selected, QTableView::item:selected {{
    background: {c.hover}; color: {c.text}; border-left: 2px solid {c.accent}; }}
QHeaderView::section {{
    background: {c.raised}; color: {c.dim}; border: 0; border-right: 1px solid {c.line};
    padding: 4px 6px; }}
QMenuBar {{ background: {c.window}; color: {c.text}; }}
QMenuBar::item {{ padding: 4px 10px; background: transparent; }}
QMenuBar::item:selected {{ background: {c.hover}; }}
QMenu {{ background: {c.panel}; color: {c.text}; border: 1px solid {c.line}; padding: 4px 0; }}
QMenu::item {{ padding: 5px 24px 5px 20px; }}
QMenu::item:selected {{ background: {c.hover}; }}
QMenu::item:disabled {{ color: {c.neutral}; }}
QMenu::separator {{ height: 1px; background: {c.line}; margin: 4px 8px; }}
QToolBar {{ background: {c.window}; border: 0; spacing: 4px; padding: 4px; }}
QStatusBar {{ background: {c.window}; color: {c.dim}; }}
QStatusBar::item {{ border: 0; }}
QDockWidget::title {{ background: {c.window}; padding: 6px; }}
QTabWidget::pane {{ border: 1px solid {c.line}; border-radius: 4px; }}
QTabBar::tab {{
    background: transparent; color: {c.dim}; padding: 6px 12px;
    border-bottom: 2px solid transparent; }}
QTabBar::tab:selected {{ color: {c.text}; border-bottom: 2px solid {c.accent}; }}
QTabBar::tab:hover {{ color: {c.text}; }}
QSplitter::handle {{ background: {c.line}; }}
QSplitter::handle:horizontal {{ width: 1px; }}
QSplitter::handle:vertical {{ height: 1px; }}
QProgressBar {{
    background: {c.raised}; border: 0; border-radius: 3px; height: 6px; text-align: center; }}
QProgressBar::chunk {{ background: {c.accent}; border-radius: 3px; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle {{ background: {c.line}; border-radius: 4px; min-height: 24px;
    min-width: 24px; margin: 1px; }}
QScrollBar::handle:hover {{ background: {c.neutral}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ width: 0; border: 0; }}
QRadioButton::indicator, QCheckBox::indicator, QListView::indicator {{
    width: 12px; height: 12px; background: {c.raised}; border: 1px solid {c.neutral}; }}
QRadioButton::indicator {{ border-radius: 7px; }}
QCheckBox::indicator, QListView::indicator {{ border-radius: 3px; }}
QRadioButton::indicator:checked {{
    width: 6px; height: 6px; background: {c.on_accent}; border: 4px solid {c.accent}; }}
QCheckBox::indicator:checked {{
    width: 6px; height: 6px; background: {c.on_accent}; border: 4px solid {c.accent}; }}
QRadioButton::indicator:focus, QCheckBox::indicator:focus {{ border-color: {c.accent}; }}
QRadioButton::indicator:disabled, QCheckBox::indicator:disabled {{ background: {c.panel}; }}
QGroupBox {{ border: 1px solid {c.line}; border-radius: 6px; margin-top: 16px; padding: 8px; }}
QGroupBox::title {{ subcontrol-origin: margin; left: 8px; color: {c.dim}; }}
QSlider::groove:horizontal {{ height: 4px; background: {c.raised}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {c.accent}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    background: {c.text}; width: 12px; height: 12px; margin: -4px 0; border-radius: 6px; }}
QSlider::handle:horizontal:focus {{ background: {c.accent}; }}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QFrame#banner {{ background: {c.raised}; border: 0; border-left: 4px solid {c.accent}; }}
QFrame#banner[level="done"] {{ border-left-color: {c.negative}; }}
QFrame#banner[level="caution"] {{ border-left-color: {c.warning}; }}
QFrame#banner[level="error"] {{ border-left-color: {c.positive}; }}
QFrame#banner QToolButton {{ background: transparent; border: 0; padding: 2px 6px; }}
QFrame#guide {{ background: {c.raised}; border: 0; border-left: 4px solid {c.accent}; }}
QFrame#footer {{ background: {c.window}; border-top: 1px solid {c.line}; }}
QFrame#footer QLabel {{ font-size: {SMALL_PX}px; }}
QFrame#footer QToolButton {{ font-size: {SMALL_PX}px; padding: 0 6px; min-height: 14px; }}
QLabel#disclaimer {{ color: {c.warning}; font-weight: bold; }}
QListView[role="plain"] {{ border: 0; background: transparent; }}
QMainWindow QTableView::item {{ padding: 0 4px; }}
QMainWindow QTableView::item:selected {{ border: 0; }}
QMainWindow QTabWidget::pane {{ border: 0; }}
QMainWindow QToolBar QToolButton {{ padding: 3px 6px; }}
QMainWindow QToolBar QToolButton#qt_toolbar_ext_button {{ padding: 0; }}
QMainWindow QToolBar QToolButton::menu-indicator {{ image: none; }}
QLabel[role="key"] {{ color: {c.accent}; }}
QLabel[role="verdict"] {{ color: {c.text}; }}
QLabel[role="saved"] {{ color: {c.dim}; }}
QLabel[role="saved"][state="pending"] {{ color: {c.warning}; }}
QLabel[role="saved"][state="failed"] {{ color: {c.positive}; font-weight: bold; }}
QPushButton[role="small"] {{ font-size: {SMALL_PX}px; padding: 2px 8px; min-height: 16px; }}
QPushButton[role="link"] {{
    background: transparent; border: 0; color: {c.accent}; text-align: left; padding: 2px 4px; }}
QPushButton[role="link"]:hover {{ text-decoration: underline; }}
QPushButton[role="positiveLabel"], QPushButton[role="negativeLabel"] {{
    text-align: left; padding: 5px 10px; }}
QPushButton[role="positiveLabel"] {{ border-left: 4px solid {c.positive}; }}
QPushButton[role="negativeLabel"] {{ border-left: 4px solid {c.negative}; }}
QPushButton[role="positiveLabel"]:checked {{
    background: {c.positive}; color: #ffffff; border: 1px solid {c.positive};
    border-left: 4px solid {c.positive}; font-weight: bold; }}
QPushButton[role="negativeLabel"]:checked {{
    background: {c.negative}; color: #ffffff; border: 1px solid {c.negative};
    border-left: 4px solid {c.negative}; font-weight: bold; }}
QLabel[role="hint"] {{ font-size: 22px; color: {c.text}; }}
QLabel[role="metric"] {{ font-size: 20px; font-weight: bold; color: {c.text}; }}
"""


def emphasise(button: QWidget) -> None:
    """Mark a button as the one that most people want, though its style is set already."""
    button.setProperty("role", "primary")
    button.style().unpolish(button)
    button.style().polish(button)


@contextmanager
def styled_at_the_end() -> Iterator[None]:
    """Put a window together without any style sheet; then it is styled once.

    Under a sheet each move of a widget from one parent to another, as layouts and splitters do,
    styles all that it holds anew, which takes longer than all else that making a window takes.
    """
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        raise TypeError("there is no application to be styled")
    sheet = app.styleSheet()
    app.setStyleSheet("")
    try:
        yield
    finally:
        app.setStyleSheet(sheet)


def apply(app: QApplication, name: str = "dark") -> Theme:
    """Give the application a theme; "dark", "light", or "" for the desktop's. Returns its colours.

    May be called again while the window is open. Raises KeyError for an unknown name.
    """
    global _current  # noqa: PLW0603 - the application has exactly one look
    if not name:
        bright = app.styleHints().colorScheme() is Qt.ColorScheme.Light
        name = LIGHT.name if bright else DARK.name
    _current = THEMES[name]
    app.setStyle("Fusion")
    app.setFont(font())
    app.setPalette(_palette(_current))
    app.setStyleSheet(_style_sheet(_current))
    return _current
