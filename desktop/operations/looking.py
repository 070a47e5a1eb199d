"""What the engine must know of the reader: the slice looked at, the class explained."""

from __future__ import annotations

from collections.abc import Callable

from core.case import Display
from core.imaging.geometry import Plane
from core.models.answers import SeriesPrediction
from core.session import AnswerState, Reading
from desktop.operations.model_choice import ModelChoice


class Looking:
    """Hears what the reader does in the series now looked at.

    number_of: the request under which a series is being answered, or None. tell: takes that
    number and the slice to be answered next; may take longer than a frame. in_lane: does things
    one after the other, beside the window. ask: asks about a series anew.
    """

    def __init__(
        self,
        models: ModelChoice,
        number_of: Callable[[Reading], int | None],
        tell: Callable[[int, int], None],
        in_lane: Callable[[Callable[[], None]], None],
        ask: Callable[[Reading], None],
    ) -> None:
        self._models = models
        self._number_of = number_of
        self._tell = tell
        self._in_lane = in_lane
        self._ask = ask
        self._followed: Reading | None = None
        self._wanted: tuple[int, int] | None = None

    def follow(self, reading: Reading | None) -> None:
        """Hear of this series from now on, and of no other."""
        if self._followed is not None:
            self._followed.case.navigation.moved.disconnect(self._moved)
            self._followed.case.display_changed.disconnect(self._class_chosen)
        self._followed = reading
        if reading is not None:
            reading.case.navigation.moved.connect(self._moved)
            reading.case.display_changed.connect(self._class_chosen)

    def _moved(self, plane: Plane, index: int) -> None:
        reading = self._followed
        if plane is not Plane.SLICE or reading is None:
            return
        number, prediction = self._number_of(reading), reading.case.prediction
        if number is None or (prediction is not None and index in prediction.slices):
            return
        is_on_its_way, self._wanted = self._wanted is not None, (number, index)
        if not is_on_its_way:
            self._in_lane(self._say)

    def _say(self) -> None:
        """In the lane. Of many steps in between, the last one counts."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._tell(*wanted)

    def _class_chosen(self, display: Display) -> None:
        """Ask again where the evidence for a class is not there and cannot be told from another's.

        Between two classes the one's evidence is the other's negative, and nothing is asked.
        """
        reading, entry = self._followed, self._models.model
        prediction = reading.case.prediction if reading is not None else None
        if reading is None or entry is None or prediction is None or len(entry.card.classes) == 2:
            return
        if reading.answer_state is not AnswerState.DONE or reading.is_stale:
            return
        shown = _explained_class(prediction)
        if shown is not None and shown != (display.heat_class or prediction.positive):
            self._ask(reading)


def _explained_class(prediction: SeriesPrediction) -> str | None:
    maps = (answer.heat_map for answer in prediction.slices.values())
    return next((heat.class_id for heat in maps if heat is not None), None)
