"""The glance: the visible slice of a series that is still being read is asked about at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.case import Case
from core.imaging.geometry import Plane
from core.models.ahead import near_slices
from core.models.card import Card
from core.models.messages import PredictRequest
from core.session import Reading


@dataclass(frozen=True)
class Glance:
    """What was asked about the visible slice, under the number that the whole series will have.

    is_accepted: whether the engine has said that the model takes the series.
    """

    reading: Reading
    request: PredictRequest
    is_accepted: bool = False

    def goes_on_as(self, reading: Reading, request: PredictRequest) -> bool:
        """Whether a request about the whole series asks the same, so that the answer stays."""
        mine = replace(self.request, id=request.id, first=request.first)
        return self.reading is reading and mine == request


def can_be_glanced_at(case: Case, card: Card) -> bool:
    """Whether the visible slice is there with all that a model reads beside it, and it is worth it.

    It is not for short series, which are as quickly there as a whole, and for models of volumes.
    """
    if case.volume is None:
        return False
    near = near_slices(card.preprocessing, case.navigation.index(Plane.SLICE), case.volume)
    return near is not None and all(map(case.has, range(near.start, near.stop)))
