"""Help: the manual, the models' cards and the licences of others, in one window to search."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QImageReader, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.models.card import Card
from desktop import language, manual
from desktop.appearance import HEADING_PX, theme
from desktop.dialogs.models import card_html
from desktop.fitting import fit
from desktop.language import say, say_core, say_count
from desktop.licences import licence_text, packages

WIDEST_PICTURE = 760
"""Logical pixels; larger pictures are drawn smaller."""

_ROLE = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True)
class Place:
    """Something that can be read. kind: "page", "card" or "licence"; name: which one."""

    kind: str
    name: str


class Reader(QTextBrowser):
    """Shows one page; its links go to other pages, never to a network."""

    wanted = Signal(str)
    """Name of a page of the manual that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setOpenLinks(False)
        self.setOpenExternalLinks(False)
        self.anchorClicked.connect(self._clicked)

    def show_html(self, body: str, base: Path | None = None) -> None:
        """Show HTML of ours in the theme now in force. base: folder of its pictures."""
        self.document().setDefaultStyleSheet(_sheet())
        if base is not None:
            self.document().setBaseUrl(QUrl.fromLocalFile(f"{base}/"))
        self.document().setDocumentMargin(18)
        self.setHtml(body)

    def _clicked(self, url: QUrl) -> None:
        name = Path(url.path()).stem
        if url.path().endswith(".md"):
            self.wanted.emit(name)


def _sheet() -> str:
    c = theme()
    return (
        f"h1 {{ font-size: {HEADING_PX + 7}px; color: {c.text}; }}"
        f"h2 {{ font-size: {HEADING_PX + 2}px; color: {c.text}; margin-top: 18px; }}"
        f"h3 {{ font-size: {HEADING_PX}px; color: {c.text}; }}"
        "p, li { margin-top: 4px; margin-bottom: 8px; line-height: 140%; }"
        f"code {{ background-color: {c.hover}; color: {c.text}; }}"
        f"a {{ color: {c.accent}; }}"
        f"th {{ color: {c.dim}; text-align: left; }}"
        "td, th { padding: 4px 12px 4px 0; }"
        f"blockquote {{ color: {c.warning}; }}"
    )


def html_of(page: manual.Page) -> str:
    """A page of the manual as HTML, its pictures no wider than the text."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(page.text)

    def sized(match: re.Match[str]) -> str:
        size = QImageReader(str(page.folder / match[1])).size()
        width = min(size.width(), WIDEST_PICTURE) if size.isValid() else WIDEST_PICTURE
        return f'<img src="{match[1]}" width="{width}"'

    html = re.sub(r'<img src="([^"]+)"', sized, html)
    # A line's height is a multiple of what stands in it: of a picture, too, within a paragraph.
    return re.sub(r"<p>(<img [^>]*>)</p>", r'<div style="margin-bottom: 10px">\1</div>', html)


class HelpWindow(QDialog):
    """Help. Not modal: it stays beside the window while a person works.

    cards: of the models of the catalogue, and of those that came without weights.
    """

    keys_wanted = Signal()

    def __init__(self, cards: Sequence[Card], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Help"))
        fit(self, 1120, 760)
        self.setSizeGripEnabled(True)
        self._cards = {card.id: card for card in cards}
        self._history: list[Place] = []
        self._build()
        self._fill()

    def _build(self) -> None:
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(say("Search the manual"))
        self.search.setAccessibleName(say("Search the manual"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._searched)
        self.search.returnPressed.connect(self._first_hit)
        self.contents = QTreeWidget(self)
        self.contents.setHeaderHidden(True)
        self.contents.setIndentation(14)
        self.contents.setAccessibleName(say("Contents"))
        self.contents.currentItemChanged.connect(self._chosen)
        self.contents.itemActivated.connect(self._chosen)
        self.reader = Reader(self)
        self.reader.setAccessibleName(say("Page"))
        self.reader.wanted.connect(self.show_page)
        self.back = QPushButton(say("Back"), self)
        self.back.clicked.connect(self.go_back)
        self.keys = QPushButton(say("Keys and mouse"), self)
        self.keys.clicked.connect(self.keys_wanted)
        close = QPushButton(say("Close"), self)
        close.clicked.connect(self.close)
        self.found = QLabel(self)
        self.found.setProperty("role", "dim")
        for button in (self.back, self.keys, close):
            button.setAutoDefault(False)
        left = QWidget(self)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.search)
        column.addWidget(self.found)
        column.addWidget(self.contents, 1)
        halves = QSplitter(Qt.Orientation.Horizontal, self)
        halves.addWidget(left)
        halves.addWidget(self.reader)
        halves.setSizes([300, 820])
        halves.setChildrenCollapsible(False)
        row = QHBoxLayout()
        row.addWidget(self.back)
        row.addWidget(self.keys)
        row.addStretch(1)
        row.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(halves, 1)
        layout.addLayout(row)
        QShortcut(QKeySequence.StandardKey.Find, self, self.search.setFocus)
        QShortcut(QKeySequence.StandardKey.Back, self, self.go_back)

    def _fill(self) -> None:
        """The contents; all pages of the manual, then cards, then licences."""
        self.contents.blockSignals(True)
        self.contents.clear()
        wanted = self.search.text()
        hits = manual.find(wanted, language.current())
        shown = [(hit.page, hit.around) for hit in hits]
        if not wanted.strip():
            shown = [(page, "") for page in manual.pages(language.current())]
        book = self._group(say("Manual"))
        for page, around in shown:
            self._entry(book, page.title, Place("page", page.name), around)
        book.setExpanded(True)
        if not wanted.strip():
            group = self._group(say("Model cards"))
            for card in self._cards.values():
                self._entry(group, f"{say_core(card.title)} {card.version}", Place("card", card.id))
            group.setExpanded(True)
            group = self._group(say("Licences of others"))
            for name, version, licence in packages():
                self._entry(group, f"{name} {version}", Place("licence", name), licence)
        self.contents.blockSignals(False)
        count = len(hits)
        words = say_count(count, "{count} page found", "{count} pages found")
        self.found.setText(words)
        self.found.setVisible(bool(wanted.strip()))

    def _group(self, title: str) -> QTreeWidgetItem:
        item = QTreeWidgetItem([title])
        face = item.font(0)
        face.setBold(True)
        item.setFont(0, face)
        self.contents.addTopLevelItem(item)
        return item

    @staticmethod
    def _entry(group: QTreeWidgetItem, title: str, place: Place, tip: str = "") -> None:
        item = QTreeWidgetItem([title])
        item.setData(0, _ROLE, place)
        item.setToolTip(0, tip)
        group.addChild(item)

    # ---- going

    def show_page(self, name: str) -> None:
        """Show a page of the manual."""
        self.show_place(Place("page", manual.page(name, language.current()).name))

    def show_cards(self) -> None:
        """Show the first model's card."""
        if self._cards:
            self.show_place(Place("card", next(iter(self._cards))))

    def show_licences(self) -> None:
        """Show the first licence, with the list of all of them opened."""
        known = packages()
        if known:
            self.show_place(Place("licence", known[0][0]))

    def show_place(self, place: Place, *, remember: bool = True) -> None:
        """Show something, and mark it in the contents."""
        if remember and (not self._history or self._history[-1] != place):
            self._history.append(place)
        self.back.setEnabled(len(self._history) > 1)
        self._mark(place)
        if place.kind == "page":
            page = manual.page(place.name, language.current())
            self.reader.show_html(html_of(page), page.folder)
            self._mark_words()
        elif place.kind == "card":
            self.reader.show_html(card_html(self._cards[place.name]))
        else:
            self.reader.show_html(self._licence_html(place.name))

    def _licence_html(self, name: str) -> str:
        version, licence = next(((v, t) for n, v, t in packages() if n == name), ("", ""))
        text = licence_text(name) or say("This package brought no text of its licence along.")
        return (
            f"<h1>{escape(name)} {escape(version)}</h1><p>{escape(licence)}</p>"
            f"<pre style='white-space: pre-wrap'>{escape(text)}</pre>"
        )

    def _mark(self, place: Place) -> None:
        self.contents.blockSignals(True)
        for top in range(self.contents.topLevelItemCount()):
            group = self.contents.topLevelItem(top)
            for row in range(group.childCount()):
                if group.child(row).data(0, _ROLE) == place:
                    group.setExpanded(True)
                    self.contents.setCurrentItem(group.child(row))
        self.contents.blockSignals(False)

    def _mark_words(self) -> None:
        """Go to the first place of the words that are searched for."""
        words = self.search.text().split()
        if words:
            self.reader.find(words[0])

    def go_back(self) -> None:
        """The page before."""
        if len(self._history) > 1:
            self._history.pop()
            self.show_place(self._history[-1], remember=False)

    @property
    def place(self) -> Place | None:
        """What is shown."""
        return self._history[-1] if self._history else None

    def _chosen(self, item: QTreeWidgetItem | None, _before: object = None) -> None:
        place = item.data(0, _ROLE) if item is not None else None
        if isinstance(place, Place):
            self.show_place(place)

    def _searched(self, _text: str) -> None:
        self._fill()
        if self.place is not None:
            self._mark(self.place)

    def _first_hit(self) -> None:
        hits = manual.find(self.search.text(), language.current())
        if hits:
            self.show_page(hits[0].page.name)
