"""The language of the window: every visible string goes through here.

English is written in the code and is the key; the other languages are catalogues in gettext's
format, `resources/translations/<code>.po`, read when they are wanted. Three ways in:

- `say("Slice {number}", number=3)` for the window's own words;
- `say_count(n, "{count} slice", "{count} slices")` where one and many differ;
- `say_core(text)` for finished English that core wrote: warnings, reasons, cautions. Its entries
  are marked `msgctxt "core"` and may hold placeholders, which are matched against the text.

What Qt says in its own dialogs is in Qt's catalogues; `msgctxt "qt"` marks what these lack.

Words of a table that is made while a module is imported are marked with `later("…")` and said
when they are shown. A window follows another language by being built again: no widget keeps its
words (see `MainWindow.rebuild`).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from core import places
from core.labels.schema import LabelSet
from core.sentences import Sentence

LANGUAGES = {"en": "English", "ko": "한국어"}
"""Code → the language's own name, as menus show it in every language."""

CORE = "core"
"""The msgctxt of what core writes."""

QT = "qt"
"""The msgctxt of what Qt says in its own dialogs."""

_PLACEHOLDER = re.compile(r"\{(\w+)[^{}]*\}")


@dataclass(frozen=True)
class Catalogue:
    """The words of one language. own, core: English → translation, templates included.

    qt: what Qt's own catalogue of the language lacks, by Qt's English.
    """

    own: dict[str, str] = field(default_factory=dict)
    core: dict[str, str] = field(default_factory=dict)
    qt: dict[str, str] = field(default_factory=dict)

    @functools.cached_property
    def patterns(self) -> tuple[tuple[re.Pattern[str], tuple[str, ...], str], ...]:
        """(what a rendered text looks like, its placeholders, the translation), longest first.

        The template with the most letters of its own is tried first, so that the particular
        wins over the general.
        """
        made = []
        for template, said in self.core.items():
            names = tuple(_PLACEHOLDER.findall(template))
            if names:
                parts = _PLACEHOLDER.split(template)[::2]
                pattern = "(.+?)".join(re.escape(part) for part in parts)
                letters = sum(len(part) for part in parts)
                made.append((letters, re.compile(pattern, re.DOTALL), names, said))
        made.sort(key=lambda item: -item[0])
        return tuple(item[1:] for item in made)


_SENTENCE = re.compile(r"(.+?)( \([^()]*\))?\.(?: (.+))?", re.DOTALL)
"""What happened, perhaps where, and perhaps what to do: `core.sentences.Sentence` as text."""

_CLAUSE = re.compile(r"(; |(?<=\.) (?=[A-Z]))")
"""Between two clauses, or two sentences, of a text of core's."""

_INSPECTION = {
    "en": (
        ("Not for diagnostic use", "Not for acceptance decisions"),
        ("Studies", "Objects"),
        ("Study", "Object"),
        ("studies", "objects"),
        ("study", "object"),
        ("Patients", "Objects"),
        ("patients", "objects"),
        ("patient", "object"),
        ("radiologist", "inspector"),
    ),
    "ko": (
        ("진단용 아님", "합격 판정용 아님"),
        ("진단 기기", "판정 기기"),
        ("환자", "시료"),
    ),
}
"""What inspectors of objects say instead of readers of patients, by language, in order."""

_industry = False
_current = "en"
_catalogue = Catalogue()


def current() -> str:
    """Code of the language now spoken."""
    return _current


def system() -> str:
    """Code of the desktop's language if there is a catalogue for it, else English."""
    code = QLocale.system().name()[:2]
    return code if code in LANGUAGES else "en"


def use(code: str, *, industry: bool = False) -> None:
    """Speak a language from now on; "" is the desktop's own. What is shown must be built again.

    industry: in the words of those who inspect objects; no patient is named in them.

    Raises KeyError for a language that there is none of.
    """
    global _current, _catalogue, _industry  # noqa: PLW0603 - the application speaks one language
    code = code or system()
    if code not in LANGUAGES:
        raise KeyError(code)
    _catalogue = catalogue(code)
    _current, _industry = code, industry
    _core_words.cache_clear()
    _template.cache_clear()


@functools.cache
def catalogue(code: str) -> Catalogue:
    """The words of a language; none for English, which is in the code."""
    if code == "en":
        return Catalogue()
    return read_catalogue(places.resources() / "translations" / f"{code}.po")


class _QtWords(QTranslator):
    """Words of our catalogue for what Qt says; asked after Qt's own."""

    def isEmpty(self) -> bool:
        """Whether there are none."""
        return False

    def translate(
        self,
        context: str,
        text: str,
        disambiguation: str | None = None,
        n: int = -1,
    ) -> str | None:
        """What stands for Qt's words; None, and Qt goes on looking, if we have nothing."""
        return _catalogue.qt.get(text)


_qt_translators: list[QTranslator] = []


def teach_qt(app: QCoreApplication) -> None:
    """Have Qt's own words, such as Cancel in its file dialog, in the language now spoken.

    What was installed last is asked first: that is Qt's catalogue, as far as it goes.
    """
    while _qt_translators:
        app.removeTranslator(_qt_translators.pop())
    if _current == "en":
        return
    translator = QTranslator(app)
    folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    _qt_translators.append(_QtWords(app))
    if translator.load(f"qtbase_{_current}", folder):
        _qt_translators.append(translator)
    for one in _qt_translators:
        app.installTranslator(one)


def later(text: str) -> str:
    """Mark words of a table, to be said when they are shown. Returns them as they are."""
    return text


def say(text: str, **facts: object) -> str:
    """A sentence in the language now spoken, with its facts filled in."""
    return _filled(_template(text), facts)


def say_count(count: int, one: str, many: str, **facts: object) -> str:
    """`say` of the form that fits a count; {count} is filled in as well.

    A language without a plural, such as Korean, has the entry of `many` alone.
    """
    template = many if count != 1 or _current != "en" else one
    return say(template, count=count, **facts)


def say_core(text: str) -> str:
    """English that core wrote, in the language now spoken; as it is where nothing is known."""
    return text if _current == "en" and not _industry else _core_words(text)


def say_sentence(sentence: Sentence) -> str:
    """What a person reads of an error: what happened, where, and what to do."""
    return str(Sentence(say_core(sentence.what), sentence.where, say_core(sentence.remedy)))


def task_name(label_set: LabelSet) -> str:
    """What is read for, in the language now spoken; English where the set does not say it."""
    return label_set.names.get(_current, label_set.names["en"])


def is_industry() -> bool:
    """Whether objects are inspected instead of patients read."""
    return _industry


@functools.lru_cache(maxsize=4096)
def _template(text: str) -> str:
    return _profiled(_catalogue.own.get(text, text))


def _profiled(template: str) -> str:
    """Words of ours, before facts are filled in, in the profile's terms; placeholders stay."""
    if not _industry:
        return template
    parts = re.split(r"(\{[^{}]*\})", template)
    for place in range(0, len(parts), 2):
        for clinical, industrial in _INSPECTION[_current]:
            parts[place] = parts[place].replace(clinical, industrial)
        if place and _current == "ko" and parts[place].startswith("명"):
            parts[place] = "개" + parts[place][1:]  # the counter of persons
    return "".join(parts)


def _filled(text: str, facts: dict[str, object]) -> str:
    return text.format(**facts) if facts else text


@functools.lru_cache(maxsize=4096)
def _core_words(text: str) -> str:
    found = _catalogue.core.get(text)
    if found is not None:
        return _profiled(found)
    found = _by_template(text)
    if found is not None:
        return found
    whole = _SENTENCE.fullmatch(text)
    if whole is not None:
        rest = f" {_core_words(whole[3])}" if whole[3] else ""
        return f"{_core_words(whole[1])}{whole[2] or ''}.{rest}"
    for joint in ("; ", "\n"):
        if joint in text:
            return joint.join(_core_words(part) for part in text.split(joint))
    # English of core in industry: no path or name in quotes is touched.
    return _profiled(text) if _current == "en" and not set("/\\“") & set(text) else text


def _by_template(text: str) -> str | None:
    """What the first template that fits says; None if there is none.

    A template whose facts would swallow a further clause or sentence fits only if the text, taken
    apart there, is not understood piece by piece.
    """
    for pattern, names, said in _catalogue.patterns:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        if any(_CLAUSE.search(fact) for fact in match.groups()):
            pieces = _CLAUSE.split(text)
            if all(_is_known(piece) for piece in pieces[::2]):
                return "".join(
                    piece if place % 2 else _piece(piece) for place, piece in enumerate(pieces)
                )
        parts = (_core_words(part) for part in match.groups())
        return _profiled(said).format(**dict(zip(names, parts, strict=True)))
    return None


def _piece(text: str) -> str:
    """A clause or sentence; a full stop is no part of the last fact in it."""
    bare = text.removesuffix(".")
    if bare != text and text not in _catalogue.core and _is_known(bare):
        return f"{_core_words(bare)}."
    return _core_words(text)


def _is_known(text: str) -> bool:
    """Whether the catalogue has words for a sentence or clause of core's."""
    bare = text.removesuffix(".")
    return any(
        one in _catalogue.core or any(p.fullmatch(one) for p, _, _ in _catalogue.patterns)
        for one in (text, bare, f"{bare}.")
    )


# ----------------------------------------------------------------- gettext's format

_LINE = re.compile(r'(?:(msgctxt|msgid|msgstr)\s+)?"((?:[^"\\]|\\.)*)"\s*')
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def read_catalogue(file: Path) -> Catalogue:
    """Read a .po file: msgctxt, msgid and msgstr, each on one or several lines.

    Entries without a translation and those marked fuzzy are left out. Raises OSError if the file
    is not there, ValueError with the line's number if it is not such a file.
    """
    made = Catalogue()
    entry: dict[str, str] = {}
    fuzzy = False
    key = ""

    def finish() -> None:
        if entry.get("msgid") and entry.get("msgstr") and not fuzzy:
            into = {CORE: made.core, QT: made.qt}.get(entry.get("msgctxt", ""), made.own)
            into[entry["msgid"]] = entry["msgstr"]

    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            if entry:
                finish()
                entry, fuzzy = {}, False
            fuzzy = fuzzy or (bare.startswith("#,") and "fuzzy" in bare)
            continue
        match = _LINE.fullmatch(bare)
        if match is None or not (match[1] or key):
            raise ValueError(f"{file.name}, line {number}: {bare}")
        if match[1]:
            key = match[1]
            if key == "msgctxt" or (key == "msgid" and "msgid" in entry):
                finish()
                entry = {}
        text = re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match[2])
        entry[key] = entry.get(key, "") + text
    finish()
    return made
