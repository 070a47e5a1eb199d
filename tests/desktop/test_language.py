"""Every visible string goes through the catalogue, and Korean has all of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QCoreApplication, QEvent, QFileInfo
from PySide6.QtGui import QFontMetrics, QRawFont
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QFileDialog,
    QFileIconProvider,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QTabWidget,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from core.errors import (
    BadTableError,
    CoreError,
    NothingToOpenError,
    UnreadableImageError,
)
from core.retraining import recipe as recipes
from core.sentences import Sentence, sentence
from core.session import AnswerState
from desktop import appearance, language
from desktop.dialogs.edit_keys import EditKeysDialog
from desktop.dialogs.export import ExportDialog
from desktop.dialogs.keys import KeysDialog
from desktop.language import Catalogue, catalogue, read_catalogue, say, say_core, say_count
from desktop.viewer.banners import Banners
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_window import opened
from tests.desktop.words import ROOT, core_words, is_words, label_words, missing, own_words

PLACEHOLDER = re.compile(r"\{(\w+)")
HANGUL = re.compile(r"[가-힣]")


@pytest.fixture(autouse=True)
def _english_afterwards() -> Iterator[None]:
    language.use("en")
    yield
    language.use("en")


# ----------------------------------------------------------------- the catalogue is whole


def test_korean_has_every_word_of_the_window() -> None:
    own, _ = missing("ko")
    assert own == {}, "fill these in: python -m tests.desktop.words ko"
    assert len(own_words()) > 500


def test_korean_has_every_sentence_and_warning_of_core() -> None:
    _, core = missing("ko")
    assert core == {}, "fill these in: python -m tests.desktop.words ko"
    assert len(core_words()) > 400


def test_label_sets_carry_their_korean_names() -> None:
    assert list(label_words()) == []


def test_recipes_are_offered_in_korean() -> None:
    language.use("ko")
    for name in recipes.available():
        found = recipes.load_recipe(name)
        for text in (found.title, " ".join(found.description.split())):
            assert HANGUL.search(say_core(text)), f"{name}: {text}"
            flags = set(re.findall(r"--[a-z-]+", text))
            assert flags <= set(re.findall(r"--[a-z-]+", say_core(text))), name


def test_a_translation_keeps_the_facts_of_its_template() -> None:
    known = catalogue("ko")
    for entries in (known.own, known.core):
        for text, said in entries.items():
            assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(said)), text
            # Numbers keep their digits: the same format in both languages.
            assert set(re.findall(r":[.,]\w+", text)) == set(re.findall(r":[.,]\w+", said)), text


def test_access_keys_of_a_korean_menu_are_written_behind_it() -> None:
    for text, said in catalogue("ko").own.items():
        if re.search(r"&\w", text) and len(text) < 60:
            assert re.search(r"&\w", said), f"{text}: {said} has no access key"


SHOWING = {
    "setText", "setToolTip", "setWindowTitle", "setPlaceholderText", "setAccessibleName",
    "setAccessibleDescription", "setStatusTip", "addTab", "QLabel", "QPushButton", "QCheckBox",
    "QRadioButton", "QAction", "addRow", "setTitle", "addAction", "Notice", "setTabText",
    "drawText", "QTableWidgetItem", "QListWidgetItem", "addMenu", "Running",
}  # fmt: skip
"""Calls by which a string comes before a person's eyes or ears."""

EXEMPT = {"desktop/bench_scroll.py", "desktop/shots.py", "desktop/launch.py"}
"""Files that speak on the command line, in English."""


def test_no_string_goes_past_the_catalogue() -> None:
    """A literal in a call that shows it, and not within say(), would stay English for ever."""
    found = []
    for file in sorted((ROOT / "desktop").rglob("*.py")):
        name = str(file.relative_to(ROOT))
        if name in EXEMPT:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called not in SHOWING:
                continue
            for argument in node.args:
                found += [f"{name}:{node.lineno}: {text}" for text in _bare(argument)]
    assert found == []


KEPT = {"Sliceloop", "SHA-256", "Ctrl"}
"""Names that are the same in every language."""


def _bare(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        letters = re.findall(r"[A-Za-z]{2,}", node.value)
        return [node.value] if [word for word in letters if word not in KEPT] else []
    if isinstance(node, ast.JoinedStr):
        return [
            text
            for part in node.values
            if isinstance(part, ast.Constant)
            for text in _bare(part)
            if " " in text.strip() or text.strip() not in KEPT
        ]
    if isinstance(node, ast.IfExp):
        return _bare(node.body) + _bare(node.orelse)
    if isinstance(node, ast.BinOp):
        return _bare(node.left) + _bare(node.right)
    return []


# ----------------------------------------------------------------- the window speaks it


def texts_of(widget: QWidget) -> Iterator[tuple[QWidget, str]]:
    """Every string that a widget or one inside it shows or tells to a screen reader."""
    for item in [widget, *widget.findChildren(QWidget)]:
        shown = [item.toolTip(), item.accessibleName(), item.windowTitle()]
        if isinstance(item, (QLabel, QAbstractButton)):
            shown.append(item.text())
        if isinstance(item, QLineEdit):
            shown.append(item.placeholderText())
        if isinstance(item, QTabWidget):
            shown += [item.tabText(k) for k in range(item.count())]
        if isinstance(item, QMenu):
            shown += [action.text() for action in item.actions()]
        if isinstance(item, QComboBox):
            shown += [item.itemText(k) for k in range(item.count())]
        yield from ((item, text) for text in shown if text)


DATA = re.compile(
    r"Head \w+|DOE JANE|Model plain|plain|CT|English|Sliceloop|Dr\. Example|images?|Langua&ge"
    r"|Ctrl|Shift|Backspace|Return|Enter|Space|Home|End|PgUp|PgDown|Esc|Del|Alt|F\d+|Up|Down"
    r"|SHA|AUROC|UTC|CSV|PNG|MP4|PDF|DICOM|NIfTI|NRRD|MHA|TIFF|JPEG|MIP|MinIP|Grad-CAM|CAM"
    r"|root|qt_\w+|mm|µm|HU|RGB|CPU|ROC|fca8fc18|sha256|TestData|test|Test data|Example"
)
"""Data of the test, keys and abbreviations, which are the same in every language."""


def is_english(text: str) -> bool:
    """Whether words are left that are neither Hangul nor the same in every language."""
    return not HANGUL.search(text) and bool(re.search(r"[A-Za-z]{3,}", DATA.sub("", text)))


def test_a_window_in_korean_has_no_english_left(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench, MemorySeries("a"), MemorySeries("b"))
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    app = bench.app
    app.operations.labels.label(reading, "hemorrhage", 3)
    qtbot.waitUntil(lambda: reading.case.label_at(3) == "hemorrhage")
    app.settings.change_looks(language="ko")
    qtbot.waitUntil(lambda: language.current() == "ko")
    qtbot.waitUntil(lambda: "파일" in app.window.menuBar().actions()[0].text())
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    dialogs = [
        EditKeysDialog({}, ("Ctrl+1",), app.window),
        ExportDialog(app.window),
        KeysDialog(app.window.actions_, [], app.window),
        app.model_commands.models_dialog(),
    ]
    left = {text for widget in (app.window, *dialogs) for _, text in texts_of(widget)}
    left = {text for text in left if is_english(text)}
    for dialog in dialogs:
        dialog.reject()
        dialog.deleteLater()
    assert left == set()


def test_languages_change_without_a_restart_and_keep_what_is_shown(
    qtbot: QtBot, bench: Bench
) -> None:
    reading = opened(qtbot, bench)
    reading.case.navigation.go(4)
    window = bench.app.window
    bench.app.settings.change_looks(language="ko")
    qtbot.waitUntil(lambda: window.tabs.tabText(0) == "소견")
    assert bench.app.window is window, "the window stays where it is"
    assert window.current is reading and reading.case.navigation.index() == 4
    assert window.findings._answer_title.text() == "슬라이스 5 / 12의 답"
    assert "출혈" in window.findings.labels.buttons["hemorrhage"].text()
    bench.app.settings.change_looks(language="en")
    qtbot.waitUntil(lambda: window.tabs.tabText(0) == "Findings")
    assert window.findings._answer_title.text() == "Answer for slice 5 of 12"


def test_keys_work_after_the_window_was_built_again(qtbot: QtBot, bench: Bench) -> None:
    from PySide6.QtCore import Qt

    reading = opened(qtbot, bench)
    bench.app.settings.change_looks(language="ko")
    qtbot.waitUntil(lambda: bench.app.window.tabs.tabText(0) == "소견")
    bench.app.window.stage.setFocus()
    qtbot.keyClick(bench.app.window.stage.view, Qt.Key.Key_Down)
    assert reading.case.navigation.index() == 7
    qtbot.keyClick(bench.app.window.stage.view, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: reading.case.label_at(7) == "hemorrhage")


# ----------------------------------------------------------------- what core says


def examples() -> Iterator[CoreError]:
    yield NothingToOpenError(Path("/nowhere"))
    yield UnreadableImageError(Path("/a.dcm"), "its header is damaged")
    yield UnreadableImageError(
        Path("/a.dcm"), "the file ends before its pixel data are complete (10 of 20 bytes)"
    )
    yield BadTableError(Path("/t.csv"), "there is no column “no”", ("a", "b"))


@pytest.mark.parametrize("error", list(examples()), ids=lambda error: type(error).__name__)
def test_an_error_is_told_in_korean_with_its_file(error: CoreError) -> None:
    english = sentence(error)
    language.use("ko")
    said = language.say_sentence(english)
    assert english.where in said
    assert not re.search(r"[A-Za-z]{4,}", said.replace(english.where, "").replace("DICOM", "")), (
        said
    )


def test_a_told_sentence_is_understood_again_as_a_whole() -> None:
    language.use("ko")
    whole = str(Sentence("There are no labels yet", "/x", "Label slices in the window first."))
    assert say_core(whole) == "아직 라벨이 없습니다 (/x). 먼저 창에서 슬라이스에 라벨을 붙이세요."


def test_clauses_and_sentences_are_understood_one_by_one() -> None:
    language.use("ko")
    told = (
        "The model Hemorrhage on head CT was not made for this input: it needs Hounsfield units "
        "or 8-bit grey levels, and this series has signal values without a scale; it was trained "
        "on CT, and this series is MR. Choose another model or another series."
    )
    assert say_core(told) == (
        "모델 머리 CT의 출혈은(는) 이 입력에 맞게 만들지 않았습니다: 하운스필드 단위 또는 8비트 "
        "회색값이(가) 필요한데 이 시리즈는 척도 없는 신호값입니다; CT(으)로 학습했는데 이 시리즈는 "
        "MR입니다. 다른 모델이나 다른 시리즈를 고르세요."
    )


def test_warnings_on_the_image_are_said_in_the_language(qtbot: QtBot) -> None:
    language.use("ko")
    image = QWidget()
    qtbot.addWidget(image)
    banners = Banners(image)
    banners.set_messages(
        (
            "The gantry was tilted (-18.5° in the header, 18.5° by the positions): slices are "
            "sheared against each other.",
        )
    )
    words = banners.accessibleDescription()
    assert "갠트리가 기울었습니다(헤더에 -18.5°, 위치로 18.5°)" in words and not is_english(words)
    assert banners.messages[0].startswith("The gantry"), "what core said is kept"


def test_what_nobody_translated_is_shown_as_it_is() -> None:
    language.use("ko")
    assert say("Nobody ever wrote this") == "Nobody ever wrote this"
    assert say_core("nor this: 12 of them") == "nor this: 12 of them"


def test_the_particular_template_wins_over_the_general() -> None:
    made = Catalogue(core={"it is {what}": "A {what}", "it is not {what} of {all}": "B {all}"})
    words = [said for pattern, _, said in made.patterns if pattern.fullmatch("it is not 3 of 4")]
    assert words[0] == "B {all}"


def test_one_and_many() -> None:
    assert say_count(1, "{count} slice", "{count} slices") == "1 slice"
    assert say_count(2, "{count} slice", "{count} slices") == "2 slices"
    language.use("ko")
    assert say_count(1, "{count} slice", "{count} slices") == "1장"


@given(st.dictionaries(st.text(min_size=1).filter(is_words), st.text(min_size=1), max_size=5))
def test_a_catalogue_is_read_as_it_was_written(entries: dict[str, str]) -> None:
    import tempfile

    def quoted(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    printable = {
        k: v for k, v in entries.items() if len(f"{k}{v}".splitlines()) == 1 and v.strip() == v
    }
    lines = [f'msgid "{quoted(k)}"\nmsgstr "{quoted(v)}"\n' for k, v in printable.items()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "xx.po"
        file.write_text("\n".join(lines), encoding="utf-8")
        assert read_catalogue(file).own == printable


def test_fuzzy_and_empty_entries_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / "xx.po"
    file.write_text(
        'msgid "one"\nmsgstr ""\n\n#, fuzzy\nmsgid "two"\nmsgstr "x"\n\nmsgid "three"\n'
        'msgstr "y "\n"z"\n\nmsgctxt "core"\nmsgid "three"\nmsgstr "w"\n',
        encoding="utf-8",
    )
    read = read_catalogue(file)
    assert read.own == {"three": "y z"} and read.core == {"three": "w"}
    file.write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1"):
        read_catalogue(file)


def test_the_industry_profile_has_no_patient_and_keeps_every_fact() -> None:
    for code, word in (("en", "patient"), ("ko", "환자")):
        language.use(code, industry=True)
        for text in own_words():
            template = language._template(text)
            assert word not in PLACEHOLDER.sub("", template).lower(), template
            assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(template))
    assert say("{count} patients", count=3) == "시료 3개"
    language.use("en", industry=True)
    assert say_core("The folder of this series holds images of 2 patients.").endswith("2 objects.")
    assert "patient1" in say_core("it is a copy of /data/patient1")


# ----------------------------------------------------------------- letters, not boxes


def test_every_letter_of_both_languages_can_be_drawn(qapp: QCoreApplication) -> None:
    appearance.register_fonts()
    families = appearance.font().families()
    fonts = [QRawFont.fromFont(_only(family)) for family in families]
    words = "".join([*catalogue("ko").own.values(), *own_words()])
    letters = {letter for letter in words if letter.isprintable() and not letter.isspace()}
    boxes = {x for x in letters if not any(face.supportsCharacter(ord(x)) for face in fonts)}
    assert boxes == set()


def _only(family: str):  # type: ignore[no-untyped-def]
    from PySide6.QtGui import QFont

    return QFont(family)


def test_korean_words_take_room_and_are_not_cut(qapp: QCoreApplication) -> None:
    language.use("ko")
    metrics = QFontMetrics(appearance.font())
    assert metrics.horizontalAdvance(say("Accept")) > 20


def test_qts_own_file_dialog_has_no_english_word_in_korean(
    qapp: QApplication, qtbot: QtBot
) -> None:
    language.use("ko")
    language.teach_qt(qapp)
    try:
        dialog = QFileDialog()
        qtbot.addWidget(dialog)
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        said = [label.text() for label in dialog.findChildren(QLabel)]
        said += [button.text() for button in dialog.findChildren(QPushButton)]
        said += [button.toolTip() for button in dialog.findChildren(QToolButton)]
        said += [QFileIconProvider().type(QFileInfo(place)) for place in ("/", str(ROOT))]
        assert len(said) > 8
        assert [words for words in said if re.search("[A-Za-z]{3}", words)] == []
        assert qapp.translate("QFileDialog", "Hello") == "Hello"
    finally:
        language.use("en")
        language.teach_qt(qapp)
    assert qapp.translate("QFileDialog", "&Look in:") == "&Look in:"
