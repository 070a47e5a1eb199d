"""`sliceloop --selftest`: what came along, the whole loop, and the window; a table, exit 0 or 1.

It runs in a profile of its own, which is gone afterwards, and needs neither screen nor network.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from core import places, workers
from core.labels.journal import program
from core.selftest import shipped
from core.selftest.checking import Check, Outcome, require, run_checks
from core.selftest.loop import Loop

LETTERS = "Aa0é°×–→≥한글판독"
"""Letters of both languages and signs that the window draws."""


def main() -> int:
    """Run all checks, print what was found. Returns 0 if every check passed, else 1."""
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    before = os.environ.get(places.HOME_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="sliceloop-selftest-") as folder:
        os.environ[places.HOME_VARIABLE] = str(Path(folder) / "profile")
        loop = Loop(Path(folder))
        try:
            outcomes = run_checks(checks(Path(folder), loop), _tell)
        finally:
            loop.close()
            if before is None:
                del os.environ[places.HOME_VARIABLE]
            else:
                os.environ[places.HOME_VARIABLE] = before
    _print(outcomes)
    return 0 if all(outcome.verdict == "passed" for outcome in outcomes) else 1


def checks(folder: Path, loop: Loop) -> list[Check]:
    """Everything that is tried, in its order."""
    sample, predict, label = "open the sample", "predict", "label"
    train, resume, promote = "train and stop", "resume", "promote"
    return [
        Check("shipped weights", shipped.check_weights),
        Check("recipes and label sets", shipped.check_recipes),
        Check("transfer syntaxes", shipped.check_transfer_syntaxes),
        Check("decoder processes", lambda: shipped.check_decoders(folder / "syntaxes")),
        Check("pictures", lambda: shipped.check_pictures(folder / "pictures")),
        Check("GPU and runtimes", shipped.check_device),
        Check("translations", check_translations),
        Check("fonts", check_fonts),
        Check("window", check_window),
        Check(sample, loop.open_sample),
        Check(predict, loop.predict, [sample]),
        Check("explain", loop.explain, [predict]),
        Check(label, loop.label, [sample]),
        Check(train, loop.train_and_stop, [label]),
        Check(resume, loop.resume, [train]),
        Check(promote, loop.promote, [resume]),
        Check("roll back", loop.roll_back, [promote]),
    ]


def check_translations() -> str:
    """Each language's catalogue can be read, and says the window's words in it."""
    from desktop import language

    said = []
    for code, name in language.LANGUAGES.items():
        entries = language.catalogue(code)
        if code != "en":
            require(len(entries.own) > 500, f"the catalogue of {name} has {len(entries.own)} words")
        said.append(f"{name} {len(entries.own) + len(entries.core)}")
    return ", ".join(said)


def check_fonts() -> str:
    """The fonts that came along have the letters of every language."""
    from PySide6.QtGui import QFont, QFontInfo, QRawFont

    from desktop import appearance
    from desktop.start import make_qt

    make_qt()
    families = appearance.register_fonts()
    require(bool(families), "no font came with the program")
    drawn = [QRawFont.fromFont(QFont(family)) for family in families]
    lacking = [
        letter
        for letter in LETTERS
        if not any(font.supportsCharacter(ord(letter)) for font in drawn)
    ]
    require(not lacking, f"no font that came along has {' '.join(lacking)}")
    return f"{', '.join(families)}; the window uses {QFontInfo(appearance.font()).family()}"


def check_window() -> str:
    """The window stands, shows something, and closes."""
    from PySide6.QtGui import QGuiApplication

    from desktop.app import Application
    from desktop.start import make_qt

    qt = make_qt()
    application = Application()
    try:
        application.window.show()
        qt.processEvents()
        image = application.window.grab().toImage()
        colours = {image.pixel(x, y) for x in range(0, image.width(), 7) for y in (5, 200)}
        require(len(colours) > 2, "the window is empty")
    finally:
        application.close()
        application.window.close()
        application.window.deleteLater()
        qt.processEvents()
    return f"{image.width()} × {image.height()} on {QGuiApplication.platformName()}"


def _tell(outcome: Outcome) -> None:
    """A line at once: a person who waits sees that something happens."""
    sys.stderr.write(f"{outcome.name}: {outcome.verdict} ({outcome.seconds:.1f} s)\n")
    sys.stderr.flush()


def _print(outcomes: tuple[Outcome, ...]) -> None:
    where = "installed bundle" if workers.is_bundle() else "source tree"
    table = Table(
        title=f"{program()}, {where}, {platform.system()} {platform.machine()}",
        title_justify="left",
    )
    table.add_column("Check")
    table.add_column("Result")
    table.add_column("Seconds", justify="right")
    table.add_column("Found", overflow="fold")
    for outcome in outcomes:
        table.add_row(outcome.name, outcome.verdict, f"{outcome.seconds:.1f}", outcome.told)
    # Piped into a file, a table must not be cut at 80 columns.
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    passed = sum(outcome.verdict == "passed" for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    sys.stdout.write(f"{passed} of {len(outcomes)} checks passed in {seconds:.0f} s\n")
