"""`sliceloop bench scroll`: a step through a series against a bare pyqtgraph picture of it."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from itertools import cycle

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QApplication

from core.bench.timing import Figure
from core.case import Case
from core.imaging.geometry import Geometry, Plane
from core.imaging.intensity import CT_PRESETS, Quantity
from core.imaging.volume import SeriesSummary, Volume
from core.labels.schema import LabelClass, LabelSet
from core.models.answers import HeatMap, ModelIdentity, SeriesPrediction, SlicePrediction
from desktop import appearance, bench_steps
from desktop.viewer.planes import PlanesView
from desktop.viewer.slice_view import SliceView

SLICES, SIDE = 40, 512
VIEW = (800, 800)
WARM_UP, ROUNDS = 20, 400
"""Single steps of each kind, taken in turn: those that are left out, and those that count."""


def _case() -> Case:
    """A head-sized CT with an answer and a heat map on each slice."""
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    head = np.where(np.hypot(rows, columns) < 0.4, 35, -1000)
    noise = np.random.default_rng(0).normal(0, 12, (SLICES, SIDE, SIDE))
    voxels = (head + noise).astype(np.int16)
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    affine[2, 0], affine[1, 1], affine[0, 2] = 5.0, 0.45, 0.45
    summary = SeriesSummary(
        uid="bench",
        case_id="bench",
        modality="CT",
        description="bench",
        geometry=Geometry(voxels.shape, affine),
        quantity=Quantity.HU,
        transfer_syntax="",
        slice_ids=tuple(str(k) for k in range(SLICES)),
    )
    labels = LabelSet(
        "bench",
        {"en": "bench"},
        (
            LabelClass("yes", {"en": "finding"}, True, "#e5534b"),
            LabelClass("no", {"en": "none"}, False, "#4fa866"),
        ),
    )
    case = Case(summary, labels, CT_PRESETS[0])
    volume = Volume(summary, voxels, np.ones(SLICES), np.zeros(SLICES))
    for index in range(SLICES):
        case.slice_arrived(volume, index)
    prediction = SeriesPrediction(ModelIdentity("bench", "1", "0" * 64), "yes", 0.5)
    rng = np.random.default_rng(1)
    for index in range(SLICES):
        values = 0.2 * rng.random((8, 8)).astype(np.float32) - 0.1
        values[3:6, 1:4] += rng.random((3, 3)).astype(np.float32)  # evidence is local
        heat = HeatMap(values, (20.0, 20.0, 470.0, 470.0), "yes")
        prediction.slices[index] = SlicePrediction(index, {"yes": 0.7, "no": 0.3}, heat)
    case.expect(prediction)
    return case


def _bare(case: Case) -> tuple[pg.GraphicsView, Callable[[], None]]:
    """The least that pyqtgraph needs to show a slice."""
    view, box = pg.GraphicsView(), pg.ViewBox(lockAspect=True, invertY=True, enableMenu=False)
    view.setCentralItem(box)
    item = pg.ImageItem(axisOrder="row-major")
    box.addItem(item)
    view.resize(*VIEW)
    view.show()
    volume, levels = case.volume, CT_PRESETS[0].levels()
    indices = cycle(range(SLICES))

    def step() -> None:
        if volume is not None:
            picture = volume.voxels[next(indices)]
            item.setImage(picture, autoLevels=False, levels=levels)
            view.viewport().repaint()

    return view, step


def _scrolling(case: Case, views: list[SliceView], planes: list[Plane]) -> Callable[[], None]:
    """The same through our views: the case moves, each view draws once."""
    indices = cycle(range(SLICES))

    def step() -> None:
        index = next(indices)
        for plane in planes:
            case.navigation.go(index * case.navigation.count(plane) // SLICES, plane)
        for view in views:
            view.redraw()
            view.repaint()

    return step


def _in_turn(works: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Seconds of a step of each kind: the bare one's median, times the median of the ratios to it.

    Ratios are of steps that followed one another: what disturbs one step seldom lasts for a whole
    round, and the median leaves it out, as it leaves out the rounds in which ours was lucky.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(WARM_UP + ROUNDS):
        for name, work in works.items():
            begin = time.perf_counter()
            work()
            if number >= WARM_UP:
                taken[name].append(time.perf_counter() - begin)
    bare = taken["bare"]
    return {
        name: statistics.median(bare)
        * statistics.median(ours / theirs for ours, theirs in zip(steps, bare, strict=True))
        for name, steps in taken.items()
    }


def measure() -> dict[str, object]:
    """What `sliceloop bench scroll` gives. Needs no screen."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication([])
    appearance.apply(app)
    plain, hot, three = _case(), _case(), _case()
    hot.show(heat_map=True)
    bare_view, bare = _bare(plain)
    single, heat = SliceView(), SliceView()
    planes = PlanesView()
    for view, case in ((single, plain), (heat, hot)):
        view.resize(*VIEW)
        view.show()
        view.set_case(case)
    planes.resize(*VIEW)
    planes.show()
    planes.set_case(three)
    app.processEvents()
    works = {
        "bare": bare,
        "view": _scrolling(plain, [single], [Plane.SLICE]),
        "heat": _scrolling(hot, [heat], [Plane.SLICE]),
        "planes": _scrolling(three, list(planes.views), list(Plane)),
    }
    taken = _in_turn(works)
    base = "a bare pyqtgraph setImage of the same slice"
    figures = [
        Figure("scroll step", taken["view"], base, taken["bare"], 1.25, False),
        Figure("scroll step with heat map", taken["heat"], base, taken["bare"], 1.8, False),
        Figure("step of three planes", taken["planes"], base, taken["bare"], 3.5, False),
    ]
    for widget in (single, heat, planes):
        widget.set_case(None)
    for widget in (bare_view, single, heat, planes):
        widget.close()
        widget.deleteLater()
    app.processEvents()
    steps = bench_steps.measure()
    figures += bench_steps.figures(steps)
    return {"figures": [figure.as_dict() for figure in figures], "steps": steps}
