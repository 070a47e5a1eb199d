"""The looks that only the main window's own parts need, on top of the application's sheet."""

from __future__ import annotations

from desktop.appearance import SMALL_PX, Theme


def window_style(c: Theme) -> str:
    """Style sheet of the main window in a theme."""
    return f"""
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
QTableView::item {{ padding: 0 4px; }}
QTableView::item:selected {{ border: 0; }}
QTabWidget::pane {{ border: 0; }}
QToolBar QToolButton {{ padding: 3px 6px; }}
QToolBar QToolButton#qt_toolbar_ext_button {{ padding: 0; }}
QToolBar QToolButton::menu-indicator {{ image: none; }}
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
