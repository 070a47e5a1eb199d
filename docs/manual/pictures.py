"""Makes the manual's pictures: the real window on the synthetic sample, in each language.

python docs/manual/pictures.py    writes docs/manual/images/<language>/*.jpg

Needs no screen. The comparison page needs a training; its picture is that of `sliceloop demo`.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))
os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PIL import Image  # noqa: E402 - after the path is set
from PySide6.QtCore import QBuffer, QEventLoop, QIODevice, QTimer  # noqa: E402
from PySide6.QtGui import QPixmap  # noqa: E402
from PySide6.QtWidgets import QWidget  # noqa: E402

from core import places  # noqa: E402
from core.imaging.geometry import Plane  # noqa: E402
from core.labels.schema import Attention, RegionShape  # noqa: E402
from core.reading import areas  # noqa: E402
from core.reading.measurements import Kind, Measurement, to_patient  # noqa: E402
from core.sample import make_sample  # noqa: E402
from core.session import AnswerState, LoadState, Reading  # noqa: E402
from desktop import language  # noqa: E402
from desktop.actions import Command  # noqa: E402
from desktop.app import Application  # noqa: E402
from desktop.dialogs.retrain import RetrainDialog  # noqa: E402
from desktop.dialogs.settings import SettingsDialog  # noqa: E402
from desktop.operations.planning import RetrainPlan  # noqa: E402
from desktop.start import make_qt  # noqa: E402
from desktop.tour import own_profile  # noqa: E402

WIDTH, QUALITY = 760, 70
"""Of a picture that is kept: small enough for a manual that travels with the program."""

PATIENTS = 3
"""Of the sample; the first is shown."""

PATIENCE_S = 600


class Photographer:
    """Brings one window into one state after the other and pictures each in every language."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Run the event loop until something holds."""
        loop, began = QEventLoop(), time.monotonic()

        def look() -> None:
            if is_done() or time.monotonic() - began > PATIENCE_S:
                loop.quit()

        timer = QTimer()
        timer.timeout.connect(look)
        timer.start(30)
        loop.exec()
        timer.stop()
        if not is_done():
            raise TimeoutError("the window did not get there")

    def _settle(self) -> None:
        loop = QEventLoop()
        QTimer.singleShot(300, loop.quit)
        loop.exec()

    def wear(self, **looks: object) -> None:
        """Change the looks and wait until the window is built again."""
        done: list[bool] = []
        self._app.looks_changed.connect(worn := lambda: done.append(True))
        self._app.settings.change_looks(**looks)
        self.wait(lambda: bool(done))
        self._app.looks_changed.disconnect(worn)

    def shoot(
        self,
        name: str,
        dialog: Callable[[], QWidget] | None = None,
        toggle: Command | None = None,
    ) -> None:
        """The window, or a dialog made for it, in each language; with a command given meanwhile."""
        # Begin with the language that is worn: each change builds the window again.
        for code in sorted(language.LANGUAGES, key=lambda code: code != language.current()):
            if code != language.current():
                self.wear(language=code)
            if toggle is not None:
                self.press(toggle)
            shown = dialog() if dialog is not None else self._app.window
            shown.show()
            self._settle()
            file = HERE / "images" / code / f"{name}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            _keep(shown.grab(), file)
            if toggle is not None:
                self.press(toggle)
            if dialog is not None:
                shown.close()
                shown.deleteLater()

    def press(self, command: Command) -> None:
        """Give a command."""
        self._app.window.actions_[command].trigger()

    @property
    def reading(self) -> Reading:
        """The series that is shown."""
        current = self._app.session.current
        if current is None:
            raise LookupError("no series is open")
        return current

    # ---- the states

    def walk(self, sample: Path, reference: dict[str, str]) -> None:
        """All pictures."""
        app = self._app
        app.operations.opening.open_paths([sample], remember=False)
        self.wait(lambda: app.session.current is not None)
        self.wait(lambda: self.reading.load_state is LoadState.LOADED)
        self.wait(lambda: self.reading.answer_state is AnswerState.DONE)
        case = self.reading.case
        case.navigation.go(4)
        self.shoot("open")
        case.navigation.go(_strongest_slice(self.reading))
        self.shoot("strip")
        case.show(heat_map=True)
        self.shoot("heat-map")
        case.show(heat_map=False)
        self.shoot("planes", toggle=Command.GRID)
        self.shoot("side-by-side", toggle=Command.BESIDE)
        self._label(reference)
        self.shoot("label")
        self._measure()
        self.shoot("measure")
        self._mark()
        self.shoot("regions")
        case.measurements.clear()
        self.press(Command.REVIEW_PANEL)
        self.shoot("review")
        app.window.tabs.setCurrentIndex(0)
        plans: list[RetrainPlan] = []
        app.operations.retraining.plan(plans.append)
        self.wait(lambda: bool(plans))
        self.shoot("retrain", lambda: RetrainDialog(plans[0], "", app.window))
        self.shoot("settings", lambda: SettingsDialog(app.settings.values, (), app.window))
        self.wear(industry=True)
        self.shoot("industry")

    def _saved(self) -> bool:
        return self._app.operations.labels.saved.pending == 0

    def _label(self, reference: dict[str, str]) -> None:
        labels = self._app.operations.labels
        self.wait(lambda: labels.saved.is_ready)
        for reading in self._app.session:
            ids = reading.summary.slice_ids
            for item in self._app.session.label_set.classes:
                wanted = [index for index, name in enumerate(ids) if reference[name] == item.id]
                if wanted:
                    labels.label_slices(reading, wanted, item.id)
        self.wait(self._saved)

    def _measure(self) -> None:
        case = self.reading.case
        index = case.navigation.index()
        _, rows, columns = case.summary.shape
        for kind, points in (
            (Kind.LENGTH, ((0.3, 0.3), (0.68, 0.36))),
            (Kind.ANGLE, ((0.3, 0.55), (0.42, 0.5), (0.5, 0.6))),
            (Kind.ELLIPSE, ((0.56, 0.48), (0.66, 0.58))),
        ):
            at = tuple(
                to_patient(case.summary.geometry, Plane.SLICE, index, x * columns, y * rows)
                for x, y in points
            )
            case.measurements.add(Measurement(kind, Plane.SLICE, index, at))

    def _mark(self) -> None:
        case = self.reading.case
        _, rows, columns = case.summary.shape
        for attention, (top, left, bottom, right) in (
            (Attention.LOOK_HERE, (0.42, 0.44, 0.52, 0.53)),
            (Attention.NOT_HERE, (0.2, 0.44, 0.26, 0.55)),
        ):
            corners = [(top * rows, left * columns), (bottom * rows, right * columns)]
            region = areas.drawn(RegionShape.ELLIPSE, corners, attention, (rows, columns))
            self._app.operations.labels.edit_regions(
                self.reading, case.navigation.index(), areas.Edit(region)
            )
        self.wait(self._saved)


def _strongest_slice(reading: Reading) -> int:
    """The slice of a series with the highest probability of a finding."""
    prediction = reading.case.prediction
    if prediction is None:
        raise LookupError("the model did not answer")
    positive = prediction.positive
    return max(prediction.slices, key=lambda k: prediction.slices[k].probabilities[positive])


def _keep(picture: QPixmap, file: Path) -> None:
    """Smaller, and as JPEG: the noise of CT makes any PNG large."""
    content = QBuffer()
    content.open(QIODevice.OpenModeFlag.WriteOnly)
    picture.save(content, "PNG")
    with Image.open(io.BytesIO(content.data().data())) as full:
        width = min(WIDTH, full.width)
        size = (width, round(full.height * width / full.width))
        small = full.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    small.save(file, "JPEG", quality=QUALITY, subsampling=0, optimize=True)


def main() -> int:
    """Make them all."""
    make_qt()
    with own_profile():
        sample = make_sample(places.cache_folder() / "sample", patients=PATIENTS)
        app = Application()
        app.window.resize(1280, 820)
        app.start()
        try:
            Photographer(app).walk(sample.images, sample.reference)
        finally:
            app.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
