"""Warnings on the image: amber, in words; they can be made small, never sent away."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from desktop import appearance
from desktop.language import say_core
from desktop.viewer.words import say

SHOWN_AT_MOST = 3


def _style() -> str:
    amber, back = appearance.DARK.warning, appearance.IMAGE.warning_back
    return f"""
    QFrame#banner {{ background: {back}; border: 0; border-left: 3px solid {amber}; }}
    QFrame#banner QLabel {{ color: {amber}; background: transparent;
        font-size: {appearance.TEXT_PX - 1}px; }}
    QToolButton {{ color: {amber}; background: transparent; border: 1px solid transparent;
        padding: 0 6px; font-size: {appearance.TEXT_PX}px; min-height: 18px; }}
    QToolButton:hover {{ border: 1px solid {amber}; }}
    QToolButton:focus {{ border: 1px solid {amber}; }}
    QToolButton#badge {{ background: {back}; border: 1px solid {amber}; border-radius: 4px;
        padding: 1px 6px; font-weight: bold; }}
    """


class Banners(QWidget):
    """The warnings of a series, over the upper edge of its image.

    One frame of a few lines; its button turns it into a badge "⚠ 2", a click on which brings
    the words back. New words always open it. Lies over `image` and follows its size.
    """

    resized = Signal()
    """The height that it takes has changed."""

    def __init__(self, image: QWidget) -> None:
        super().__init__(image)
        self._messages: tuple[str, ...] = ()
        self._small = False
        self.setStyleSheet(_style())
        self._frame = QFrame(self, objectName="banner")
        self._words = QLabel(self._frame)
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self._words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._smaller = QToolButton(self._frame, text="–")
        self._smaller.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._smaller.clicked.connect(lambda: self.set_small(True))
        kept = self._smaller.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # a picture breaks its lines where the screen does
        self._smaller.setSizePolicy(kept)
        row = self._row = QHBoxLayout(self._frame)
        row.setContentsMargins(8, 4, 4, 4)
        row.addWidget(self._words, 1)
        row.addWidget(self._smaller, 0, Qt.AlignmentFlag.AlignTop)
        self._badge = QToolButton(self, objectName="badge")
        self._badge.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._badge.clicked.connect(lambda: self.set_small(False))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, False)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        image.installEventFilter(self)
        self.hide()

    @property
    def messages(self) -> tuple[str, ...]:
        """The warnings now shown, as sentences."""
        return self._messages

    @property
    def is_small(self) -> bool:
        """Whether only the badge is shown."""
        return self._small

    @property
    def taken(self) -> float:
        """Logical pixels at the top of the image that the words take; 0 for none or a badge."""
        return 0.0 if self._small or not self._messages else float(self.height())

    def set_messages(self, messages: tuple[str, ...]) -> None:
        """Show these warnings; nothing for none."""
        if messages == self._messages:
            return
        if set(messages) - set(self._messages):
            self._small = False
        self._messages = messages
        self._refresh()

    def set_small(self, small: bool) -> None:
        """Shrink to the badge, or bring the words back."""
        if small != self._small:
            self._small = small
            self._refresh()

    def show_button(self, shown: bool) -> None:
        """Show what makes the words small, or leave it out: a picture is not pressed."""
        self._smaller.setVisible(shown)

    def _refresh(self) -> None:
        count, said = len(self._messages), [say_core(text) for text in self._messages]
        lines = [f"⚠  {text}" for text in said[:SHOWN_AT_MOST]]
        if count > SHOWN_AT_MOST:
            lines.append(say("… and {count} more", count=count - SHOWN_AT_MOST))
        everything = "\n".join(f"⚠ {text}" for text in said)
        self._words.setText("\n".join(lines))
        self._words.setToolTip(everything if count > SHOWN_AT_MOST else "")
        self._smaller.setToolTip(say("Show as a small badge"))
        self._smaller.setAccessibleName(say("Make the warnings small"))
        self._badge.setText(f"⚠ {count}")
        self._badge.setToolTip(everything)
        self._badge.setAccessibleName(say("Show {count} warnings", count=count))
        self.setAccessibleName(say("Warnings about this series"))
        self.setAccessibleDescription(everything)
        self._frame.setVisible(not self._small)
        self._badge.setVisible(self._small)
        self.setVisible(count > 0)
        self._place()
        self.resized.emit()

    def _place(self) -> None:
        """Lie over the image: words along the upper edge, the badge at the upper middle left."""
        image = self.parentWidget()
        if image is None or not self._messages:
            return
        if self._small:
            size = self._badge.sizeHint()
            self.setGeometry(10, image.height() // 2 - 40 - size.height(), size.width(),
                             size.height())  # fmt: skip
            self._badge.setGeometry(self.rect())
        else:
            tall = self._row.heightForWidth(image.width())
            self.setGeometry(0, 0, image.width(), min(tall, max(image.height() // 2, 24)))
            self._frame.setGeometry(self.rect())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self.parentWidget():
            before = self.taken
            self._place()
            if self.taken != before:
                self.resized.emit()
        return super().eventFilter(watched, event)
