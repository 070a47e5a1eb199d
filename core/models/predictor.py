"""A model's answers for slices, series, volumes and sets, whatever computes its networks.

Nothing here knows torch: a model answers through a kept graph as well (`core.models.kept`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.imaging.volume import Cancelled, Volume
from core.models import context
from core.models.answers import HeatMap, SlicePrediction
from core.models.calibration import Probabilities, calibrated
from core.models.card import Card
from core.models.familiarity import looked_at, strangeness
from core.models.member import BATCH, Look, Member
from core.models.preprocessing import Box, Prepared, prepare_slices
from core.models.rows import SliceSet, row_pixels
from core.models.turns import Turns, outwards
from core.models.volumes import PreparedVolume, prepare_volume, slice_maps


class Predictor:
    """A model that is ready to answer, made by `load_predictor` or `kept_predictor`.

    members: its networks at work; one, or those of an ensemble.
    """

    def __init__(self, card: Card, members: Sequence[Member]) -> None:
        self.card = card
        self.members = members

    @property
    def runtime(self) -> str:
        """What computes, for people, such as "OpenVINO f32 on CPU"."""
        return self.members[0].runtime.name

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done because memory ran out; empty if nothing was."""
        return tuple(note for member in self.members for note in member.notes)

    def heat_map(self, prepared: Prepared, class_id: str | None = None) -> HeatMap:
        """What speaks for a class (the positive one if None) on one slice, taken alone."""
        looks = self._ask(prepared.pixels[None], class_id or self.card.positive)
        return self._heat(looks, [prepared.box], class_id)[0]

    def volume_maps(self, prepared: PreparedVolume, slices: int) -> list[HeatMap | None]:
        """What speaks for the positive class in a volume, one map a slice of the file."""
        shown = self.card.positive
        values = self.evidence_of(self._ask(prepared.pixels[None], shown), shown)
        return slice_maps(values[0], prepared, shown, slices)

    def _ask(self, pixels: NDArray[np.uint8], class_id: str | None) -> list[Look]:
        """What each member says; with evidence for a class, if one is given."""
        output = None if class_id is None else self.card.output_of(class_id)[0]
        return [member.look(pixels, output) for member in self.members]

    def evidence_of(self, looks: Sequence[Look], class_id: str) -> NDArray[np.float32]:
        """Mean evidence of the members, in the units of the calibrated logit."""
        scale = self.card.output_of(class_id)[1] * self.card.calibration.slope
        found = [look.evidence for look in looks if look.evidence is not None]
        mean = np.stack(found).mean(axis=0) * np.float32(scale)
        return np.asarray(mean, np.float32)

    def _heat(
        self, looks: Sequence[Look], boxes: Iterable[Box], class_id: str | None
    ) -> list[HeatMap]:
        shown = class_id or self.card.positive
        values = self.evidence_of(looks, shown)
        return [HeatMap(values[k], box, shown) for k, box in enumerate(boxes)]

    def predict_volume(
        self,
        volume: Volume,
        *,
        first: int | None = None,
        looks: Callable[[], int] | None = None,
        explain: bool = True,
        class_id: str | None = None,
        provisional: bool = False,
        known: Collection[int] = (),
        cancelled: Cancelled = lambda: False,
    ) -> Iterator[SlicePrediction]:
        """Answers for every slice, slice `first` before all others, then outwards from it.

        A slice is answered as soon as its context is computed. looks: the slice that a reader
        looks at, asked before each turn instead of `first`: it comes next. class_id: what heat
        maps speak for; the positive class if None. provisional: also answer the slice looked at
        alone, after one pass, where its context takes more. known: slices that need no answer
        any more.
        """
        middle = volume.slices // 2 if first is None else first
        shown = (class_id or self.card.positive) if explain else None
        if self.card.preprocessing.dimensions == 3:
            yield from self._predict_cube(volume, middle, shown, cancelled)
            return
        spec, reach = self.card.preprocessing, len(self.card.context) // 2
        logits: dict[int, Probabilities] = {}
        heat: dict[int, HeatMap] = {}
        strange: dict[int, float] = {}
        judged = looked_at(volume.slices)
        turns = Turns(volume.slices, reach, known, BATCH, middle, looks)
        while turns and not cancelled():
            begin, batch = time.perf_counter(), turns.next()
            prepared = prepare_slices(volume, batch, spec)
            pixels = np.stack([item.pixels for item in prepared])
            looks_of = self._ask(pixels, shown)
            # (slices, members, outputs)
            said = np.stack([look.logits for look in looks_of], axis=1)
            logits |= dict(zip(batch, said, strict=True))
            if shown is not None:
                boxes = [item.box for item in prepared]
                heat |= dict(zip(batch, self._heat(looks_of, boxes, shown), strict=True))
            if provisional and turns.is_first(batch):
                alone = self._answer(batch[0], said[:1], heat.get(batch[0]), (1.0,))
                yield replace(alone, provisional=True)
            asked = [place for place, index in enumerate(batch) if index in judged]
            if self.card.accepts.pictures is not None and asked:
                far = strangeness(self.card.accepts.pictures, pixels[asked]).tolist()
                strange |= dict(zip((batch[place] for place in asked), far, strict=True))
            for index in turns.took(batch, time.perf_counter() - begin):
                near = context.around(index, volume.slices, reach)
                told = np.stack([logits[other] for other in near])
                answer = self._answer(index, told, heat.get(index), self.card.context)
                yield replace(answer, strangeness=strange.get(index))

    def _predict_cube(
        self, volume: Volume, first: int, shown: str | None, cancelled: Cancelled
    ) -> Iterator[SlicePrediction]:
        """One answer for the whole volume, told with each slice and its part of the heat map."""
        if cancelled():
            return
        prepared = prepare_volume(volume, self.card.preprocessing)
        looks = self._ask(prepared.pixels[None], shown)
        said = np.stack([look.logits for look in looks], axis=1)
        maps: list[HeatMap | None] = [None] * volume.slices
        if shown is not None:
            maps = slice_maps(self.evidence_of(looks, shown)[0], prepared, shown, volume.slices)
        for index in outwards(range(volume.slices), first):
            answer = self._answer(index, said, maps[index], (1.0,))
            yield replace(answer, of_volume=True)

    def _answer(
        self,
        index: int,
        logits: Probabilities,
        heat: HeatMap | None,
        weights: Sequence[float],
    ) -> SlicePrediction:
        """logits: (slices around, members, outputs)."""
        mean = context.average(logits.transpose(1, 0, 2), weights)
        each = calibrated(self.card, mean)
        shares = each.mean(axis=0)
        named = dict(zip(self.card.classes, (float(share) for share in shares), strict=True))
        spread = None
        if len(each) > 1:
            own = each[:, self.card.classes.index(self.card.positive)]
            spread = float(own.min()), float(own.max())
        return SlicePrediction(index, named, heat, spread)

    def predict_dataset(
        self,
        dataset: SliceSet,
        rows: NDArray[np.int64],
        progress: Callable[[int, int], None] | None = None,
    ) -> Probabilities:
        """Probabilities (n, classes) for rows of a training set; members vote softly."""
        shares: Probabilities = self.votes(dataset, rows, progress).mean(axis=0)
        return shares

    def votes(
        self,
        dataset: SliceSet,
        rows: NDArray[np.int64],
        progress: Callable[[int, int], None] | None = None,
    ) -> Probabilities:
        """What each member says of rows of a training set, (members, n, classes)."""
        said = self._logits_of_members(dataset, rows, progress)
        each = [calibrated(self.card, said[:, member]) for member in range(said.shape[1])]
        return np.stack(each)

    def logits_of(
        self,
        dataset: SliceSet,
        rows: NDArray[np.int64],
        progress: Callable[[int, int], None] | None = None,
    ) -> Probabilities:
        """Uncalibrated logits (n, outputs), float64, for rows of a training set, in context.

        Of an ensemble: the mean of its members'.
        """
        mean: Probabilities = self._logits_of_members(dataset, rows, progress).mean(axis=1)
        return mean

    def _logits_of_members(
        self,
        dataset: SliceSet,
        rows: NDArray[np.int64],
        progress: Callable[[int, int], None] | None,
    ) -> Probabilities:
        """(n, members, outputs), in context."""
        members, outputs = len(self.members), self.card.architecture.outputs

        def score(needed: NDArray[np.int64]) -> Probabilities:
            spec = self.card.preprocessing
            found = np.zeros((len(needed), members * outputs))
            for start in range(0, len(needed), BATCH):
                batch = needed[start : start + BATCH]
                pixels = np.stack([row_pixels(dataset, int(row), spec) for row in batch])
                said = np.stack([look.logits for look in self._ask(pixels, None)], axis=1)
                found[start : start + len(batch)] = said.reshape(len(batch), -1)
                if progress:
                    progress(start + len(batch), len(needed))
            return found

        flat = context.score_in_context(rows, dataset.neighbours, self.card.context, score)
        return flat.reshape(len(flat), members, outputs)
