"""What layouts, tools, slabs, regions and the model's view on the image do when they are asked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from core.case import Case
from core.events import SignalInstance
from core.imaging.geometry import Plane
from core.labels.schema import Attention
from core.models.answers import SeriesPrediction
from core.models.heat import COLOUR_MAPS
from core.reading.areas import Edit
from core.reading.layout import Layout, Tool
from core.session import LoadState, Reading
from desktop.command_names import Command, Menu
from desktop.language import say
from desktop.main_window import MainWindow
from desktop.notices import Level, Notice
from desktop.operations import Operations
from desktop.panels.drawn import Row
from desktop.panels.studies import series_title, short_name
from desktop.viewer.holding import Chosen

TOOLS = {
    Command.TOOL_WINDOW: Tool.WINDOW,
    Command.TOOL_PAN: Tool.PAN,
    Command.TOOL_ZOOM: Tool.ZOOM,
    Command.TOOL_SCROLL: Tool.SCROLL,
    Command.TOOL_MAGNIFY: Tool.MAGNIFY,
    Command.TOOL_LENGTH: Tool.LENGTH,
    Command.TOOL_ANGLE: Tool.ANGLE,
    Command.TOOL_RECTANGLE: Tool.RECTANGLE,
    Command.TOOL_ELLIPSE: Tool.ELLIPSE,
    Command.MARK_BOX: Tool.MARK_BOX,
    Command.MARK_ELLIPSE: Tool.MARK_ELLIPSE,
    Command.MARK_POLYGON: Tool.MARK_POLYGON,
    Command.MARK_BRUSH: Tool.MARK_BRUSH,
}

BRUSH_STEP = 1.25
CUT_STEP, THRESHOLD_STEP = 0.05, 0.01


class ReadingCommands:
    """Binds the Tools menu and what of the View menu lies on the image."""

    def __init__(self, window: MainWindow, operations: Operations) -> None:
        self._window = window
        self._do = operations
        self._actions = window.actions_
        self._stage = window.stage
        self._partner: Reading | None = None
        self._threshold_shown: float | None = None
        self._heard: list[tuple[SignalInstance, Callable[..., object]]] = []
        self._heard_case: tuple[Case, Callable[..., object]] | None = None
        self._bind()
        self.beside_menu = self._actions.submenu(
            window.menus[Menu.VIEW], Command.BESIDE, say("S&ide by side with")
        )
        self.beside_menu.aboutToShow.connect(self._fill_beside)
        self._stage.regions_drawn.connect(self._regions_drawn)
        window.drawn.region_taken.connect(self._regions_drawn)
        window.drawn.chosen.connect(self._go_to_drawn)
        self._stage.tool_changed.connect(self._tool_changed)
        window.findings.threshold_wanted.connect(self._stage.strip.move_threshold)
        self._stage.set_industry(operations.settings.values.industry)
        self._hear(operations.session.current_changed, self._follow)
        self._hear(operations.session.state_changed, self._state_changed)
        self._hear(operations.asking.models_changed, self._models_changed)
        self._follow(operations.session.current)
        for reading in operations.session:  # of a window's inside that was made anew
            if reading.case is self._stage.companion:
                self._partner = reading
        self._models_changed()
        self._tool_changed(self._stage.tool)

    def close(self) -> None:
        """Stop listening."""
        for signal, slot in self._heard:
            with contextlib.suppress(ValueError):
                signal.disconnect(slot)
        self._heard = []
        self._forget_case()

    def _hear(self, signal: SignalInstance, slot: Callable[..., object]) -> None:
        signal.connect(slot)
        self._heard.append((signal, slot))

    def _bind(self) -> None:
        stage = self._stage
        for command, act in {
            Command.GRID: partial(self._planes, Layout.GRID),
            Command.BESIDE: self._beside_next,
            Command.CROSS_HAIR: stage.toggle_cross_hair,
            Command.SLAB: stage.cycle_slab,
            Command.SLAB_THICKER: partial(stage.change_slab, 1.25),
            Command.SLAB_THINNER: partial(stage.change_slab, 0.8),
            Command.HEAT_CLASS: self._next_class,
            Command.HEAT_COLOURS: self._next_colours,
            Command.HEAT_CUT_UP: partial(self._cut, CUT_STEP),
            Command.HEAT_CUT_DOWN: partial(self._cut, -CUT_STEP),
            Command.THRESHOLD_UP: partial(self._threshold, THRESHOLD_STEP),
            Command.THRESHOLD_DOWN: partial(self._threshold, -THRESHOLD_STEP),
            Command.THRESHOLD_OWN: partial(stage.strip.move_threshold, None),
            Command.ROTATE_BACK: partial(stage.rotate, -1),
            Command.ZOOM_IN: partial(stage.zoom, 1.25),
            Command.ZOOM_OUT: partial(stage.zoom, 0.8),
            Command.FIT: stage.fit,
            Command.ACTUAL_PIXELS: stage.actual_pixels,
            Command.MARK_NOT_HERE: self._not_here,
            Command.BRUSH_ERASES: self._erase,
            Command.BRUSH_LARGER: partial(self._resize_brush, BRUSH_STEP),
            Command.BRUSH_SMALLER: partial(self._resize_brush, 1 / BRUSH_STEP),
            Command.FILL_BETWEEN: self._fill_between,
            Command.DELETE: self._delete,
            Command.CLEAR_MEASUREMENTS: self._clear_measurements,
            Command.DRAWN: stage.toggle_measurements,
            Command.OVERLAYS: self._drawings,
        }.items():
            self._actions.bind(command, act)
        for command, tool in TOOLS.items():
            self._actions.bind(command, partial(self._take_tool, tool))

    # ---- what is shown

    @property
    def _case(self) -> Case | None:
        return self._stage.case

    def _follow(self, reading: Reading | None) -> None:
        self._forget_case()
        self._partner = None
        self.beside_menu.setEnabled(reading is not None)
        if reading is not None:
            self._heard_case = (reading.case, self._display_changed)
            reading.case.display_changed.connect(self._display_changed)
            self._state_changed(reading)
        self._display_changed()

    def _forget_case(self) -> None:
        if self._heard_case is not None:
            case, slot = self._heard_case
            with contextlib.suppress(ValueError):
                case.display_changed.disconnect(slot)
            self._heard_case = None

    def _display_changed(self, _display: object = None) -> None:
        display = self._case.display if self._case is not None else None
        layout = display.layout if display is not None else Layout.SINGLE
        for command, shown in (
            (Command.PLANES, layout is Layout.PLANES),
            (Command.GRID, layout is Layout.GRID),
            (Command.BESIDE, layout is Layout.BESIDE),
            (Command.CROSS_HAIR, display is not None and display.cross_hair),
            (Command.DRAWN, display is not None and display.measurements),
            (Command.OVERLAYS, display is not None and display.drawings),
        ):
            self._actions.show_checked(command, shown)
        threshold = display.threshold if display is not None else None
        if threshold != self._threshold_shown:
            self._threshold_shown = threshold
            self._window.findings.refresh_answer()

    def _state_changed(self, reading: Reading) -> None:
        if reading is self._do.session.current:
            self._stage.set_stale(reading.is_stale)
        if reading is self._partner and reading.load_state is LoadState.LOADED:
            self._stage.beside.refresh()

    def _models_changed(self) -> None:
        asking = self._do.asking
        self._stage.set_card(asking.models.model.card if asking.models.model is not None else None)
        self._stage.set_dates({e.card.identity: e.card.created[:10] for e in asking.models.entries})

    # ---- layouts

    def _planes(self, layout: Layout) -> None:
        if not self._stage.toggle_planes(layout):
            self._tell(say("These images do not form a volume; there are no other planes."))
        self._display_changed()

    def _beside_next(self) -> None:
        """The next open series at the right; the answers of another model if there is only one."""
        case = self._case
        if case is not None and case.display.layout is Layout.BESIDE:
            self._stage.leave_beside()
            return
        partner = self._do.session.neighbour(1) or self._do.session.neighbour(-1)
        others = self._other_answers()
        if partner is not None:
            self._show_beside(partner)
        elif others:
            self._stage.show_model_beside(others[-1])
        else:
            self._tell(say("Only one series is open, and one model has been asked about it."))
        self._display_changed()

    def _show_beside(self, partner: Reading) -> None:
        self._partner = partner
        self._do.opening.load_beside(partner)
        self._stage.show_beside(partner.case)

    def _other_answers(self) -> list[SeriesPrediction]:
        case = self._case
        if case is None or case.prediction is None:
            return []
        return [item for item in case.kept if item.model != case.prediction.model]

    def _fill_beside(self) -> None:
        menu: QMenu = self.beside_menu
        menu.clear()
        for reading in self._do.session:
            if reading is not self._do.session.current:
                names = dict.fromkeys((short_name(reading), series_title(reading)))
                action = menu.addAction(" · ".join(names))
                action.triggered.connect(partial(self._chosen_series, reading))
        answers = self._other_answers()
        if answers:
            menu.addSeparator()
        for prediction in answers:
            identity = prediction.model
            words = say("Answers of {model} {version}", model=identity.id, version=identity.version)
            action: QAction = menu.addAction(words)
            action.triggered.connect(partial(self._chosen_model, prediction))
        if menu.isEmpty():
            none = menu.addAction(say("Open another series, or ask another model, first"))
            none.setEnabled(False)

    def _chosen_series(self, reading: Reading, _checked: bool = False) -> None:
        self._show_beside(reading)

    def _chosen_model(self, prediction: SeriesPrediction, _checked: bool = False) -> None:
        self._stage.show_model_beside(prediction)

    # ---- the model's view

    def _next_class(self) -> None:
        case = self._case
        if case is None or case.prediction is None:
            return
        answer = next(iter(case.prediction.slices.values()), None)
        positive = case.prediction.positive
        classes = [positive]
        classes += [k for k in (answer.probabilities if answer else ()) if k != positive]
        now = case.display.heat_class or positive
        following = classes[(classes.index(now) + 1) % len(classes)] if now in classes else positive
        case.show(heat_class="" if following == positive else following)

    def _next_colours(self) -> None:
        case = self._case
        if case is not None:
            place = COLOUR_MAPS.index(case.display.colour_map)
            case.show(colour_map=COLOUR_MAPS[(place + 1) % len(COLOUR_MAPS)])

    def _cut(self, by: float) -> None:
        case = self._case
        if case is not None:
            case.show(heat_cut=round(min(max(case.display.heat_cut + by, 0.0), 0.95), 3))

    def _threshold(self, by: float) -> None:
        case, strip = self._case, self._stage.strip
        if case is not None and case.prediction is not None:
            strip.move_threshold(case.threshold + by)
            self._tell(strip.threshold_words().replace("\n", ". "))

    # ---- tools

    def _take_tool(self, tool: Tool) -> None:
        self._stage.tool = tool
        self._stage.setFocus()

    def _tool_changed(self, tool: Tool) -> None:
        for command, each in TOOLS.items():
            self._actions.show_checked(command, each is tool)
        self._hint()

    def _hint(self) -> None:
        """Say on the image what a drawing tool does now."""
        pen, tool = self._stage.pen, self._stage.tool
        self._actions.show_checked(Command.MARK_NOT_HERE, pen.attention is Attention.NOT_HERE)
        self._actions.show_checked(Command.BRUSH_ERASES, pen.erases)
        words = ""
        if tool.marks:
            look = pen.attention is Attention.LOOK_HERE
            words = (
                say("Region: the model should look here")
                if look
                else say("Region: the model should not look here")
            )
            if tool is Tool.MARK_BRUSH:
                doing = say("erases, ") if pen.erases else ""
                words += f"  ({doing}{pen.radius:.1f} mm)"
            elif tool is Tool.MARK_POLYGON:
                words += say("  (a double click or Enter closes it)")
        self._stage.set_hint(words)

    def _not_here(self) -> None:
        pen = self._stage.pen
        look = pen.attention is Attention.LOOK_HERE
        pen.attention = Attention.NOT_HERE if look else Attention.LOOK_HERE
        self._hint()

    def _erase(self) -> None:
        self._stage.pen.erases = not self._stage.pen.erases
        self._hint()

    def _resize_brush(self, factor: float) -> None:
        pen = self._stage.pen
        pen.radius = min(max(pen.radius * factor, 0.2), 60.0)
        self._hint()

    def _go_to_drawn(self, row: Row) -> None:
        """Show where something was drawn, and take hold of it."""
        case, stage = self._case, self._stage
        if case is None:
            return
        if row.plane is not Plane.SLICE and case.display.layout not in (Layout.PLANES, Layout.GRID):
            self._planes(Layout.PLANES)
        case.navigation.go(row.index, row.plane)
        for view in stage.views:
            if view.plane is row.plane and view.isVisible():
                number = row.measurement.number if row.measurement is not None else row.place
                view.choose(Chosen(number, row.measurement is not None))

    def _drawings(self) -> None:
        if not self._stage.toggle_drawings():
            self._tell(say("The files of this series bring no drawings along."))

    def _delete(self) -> None:
        if not self._stage.delete_chosen():
            self._tell(say("Click a measurement or a region first, then delete it."))

    def _clear_measurements(self) -> None:
        if self._case is None:
            return
        if len(self._case.measurements):
            self._case.measurements.clear()
        else:
            self._tell(say("There is no measurement in this series yet."))

    def _regions_drawn(self, index: int, edit: Edit) -> None:
        reading = self._do.session.current
        if reading is not None:
            self._do.labels.edit_regions(reading, index, edit)

    def _fill_between(self) -> None:
        filled = self._stage.fill_between()
        if not filled:
            self._tell(say("Draw a region on two slices with slices between them first."))
            return
        reading = self._do.session.current
        if reading is not None:
            self._do.labels.mark_slices(reading, filled)
        self._tell(say("{count} slices were filled between the drawn ones.", count=len(filled)))

    def _tell(self, words: str) -> None:
        self._window.tell(Notice(Level.INFO, words))
