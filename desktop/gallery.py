"""Pictures of what the tour does not walk through: layouts, tools, queue, themes, languages."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QEventLoop

from core.imaging.geometry import Plane
from core.labels.schema import Attention, RegionShape
from core.reading import areas
from core.reading.measurements import Kind, Measurement, to_patient
from core.session import Reading
from desktop import language
from desktop.app import Application
from desktop.command_names import Command

Shoot = Callable[[str], None]
"""Takes a picture of the window under a name, once it has settled."""

OTHER_LANGUAGES = [code for code in language.LANGUAGES if code != "en"]


class Gallery:
    """Shows one thing after the other in the real window and has each pictured."""

    def __init__(self, app: Application, shoot: Shoot) -> None:
        self._app = app
        self._shoot = shoot

    def walk(self) -> None:
        """All pictures, from a window that shows an answered series; its looks stay changed."""
        self._layouts()
        self._tools()
        self._review()
        self._looks()

    @property
    def _reading(self) -> Reading:
        reading = self._app.session.current
        if reading is None:
            raise LookupError("no series is open")
        return reading

    def _press(self, command: Command) -> None:
        self._app.window.actions_[command].trigger()

    def _layouts(self) -> None:
        """Planes two by two with evidence in all of them; two series in step."""
        case = self._reading.case
        _, rows, columns = case.summary.shape
        case.navigation.go(rows // 2, Plane.ROW)
        case.navigation.go(columns // 2, Plane.COLUMN)
        self._press(Command.GRID)
        case.show(heat_map=True)
        self._shoot("11-planes")
        case.show(heat_map=False)
        self._press(Command.PLANES)
        self._press(Command.SLAB)
        self._shoot("12-slab")
        self._press(Command.SLAB)
        self._press(Command.SLAB)
        self._press(Command.SLAB)
        self._press(Command.PLANES)
        self._press(Command.BESIDE)
        self._shoot("13-side-by-side")
        self._press(Command.BESIDE)

    def _tools(self) -> None:
        """Measurements, and regions for the model."""
        case, labels = self._reading.case, self._app.operations.labels
        geometry, index = case.summary.geometry, case.navigation.index()
        _, rows, columns = case.summary.shape

        def add(kind: Kind, *places: tuple[float, float]) -> None:
            points = tuple(
                to_patient(geometry, Plane.SLICE, index, x * columns, y * rows) for x, y in places
            )
            case.measurements.add(Measurement(kind, Plane.SLICE, index, points))

        add(Kind.LENGTH, (0.3, 0.3), (0.68, 0.36))
        add(Kind.ANGLE, (0.3, 0.55), (0.42, 0.5), (0.5, 0.6))
        add(Kind.ELLIPSE, (0.56, 0.48), (0.66, 0.58))
        add(Kind.RECTANGLE, (0.36, 0.68), (0.46, 0.74))
        for attention, corners in (
            (Attention.LOOK_HERE, [(0.42 * rows, 0.44 * columns), (0.52 * rows, 0.53 * columns)]),
            (Attention.NOT_HERE, [(0.2 * rows, 0.44 * columns), (0.26 * rows, 0.55 * columns)]),
        ):
            region = areas.drawn(RegionShape.ELLIPSE, corners, attention, (rows, columns))
            labels.edit_regions(self._reading, index, areas.Edit(region))
        while labels.saved.pending:
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        self._shoot("14-measurements")
        case.measurements.clear()

    def _review(self) -> None:
        self._press(Command.REVIEW_PANEL)
        self._shoot("15-review-queue")
        self._app.window.tabs.setCurrentIndex(0)

    def _wear(self, **looks: object) -> None:
        """Change the looks and wait until the window is built again: it is not, at once."""
        done: list[bool] = []

        def worn() -> None:
            done.append(True)

        self._app.looks_changed.connect(worn)
        self._app.settings.change_looks(**looks)
        while not done:
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        self._app.looks_changed.disconnect(worn)

    def _looks(self) -> None:
        """The other theme, the other languages, and the profile for objects."""
        self._wear(theme="light")
        self._shoot("16-light-theme")
        number = 17
        for code in OTHER_LANGUAGES:
            self._wear(language=code, theme="dark")
            self._shoot(f"{number}-language-{code}")
            self._reading.case.show(heat_map=True)
            self._wear(theme="light")
            self._shoot(f"{number + 1}-language-{code}-light")
            number += 2
            self._reading.case.show(heat_map=False)
        self._wear(language="en", theme="dark", industry=True)
        self._shoot(f"{number}-industry")
        self._wear(industry=False)
