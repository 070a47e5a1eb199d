"""What would this correction change? The head fitted anew on features that are there already.

A network's last layer is linear in its features, and features do not change while the trunk
stays. So the answers after a retraining can be foretold in a fraction of a second: the last layer
is fitted on all labelled slices whose features are known, held near the present one by a prior.
It is a preview: how far the real retraining agreed is measured afterwards, and told with the next.

The prior says that a retraining moves logits by about `PRIOR_LOGITS`, as does that of the recipe
which the window offers first; the fit moves the layer in the directions in which features vary
most (`DIRECTIONS`), by Newton's method. Nothing here imports torch. Patients who test are never
used; those who validate are only measured on.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import durable, places
from core.models.card import Calibration, Card
from core.retraining import statistics as stats

DIRECTIONS = 128
PRIOR_LOGITS = 0.5
_STEPS = 25
_RESAMPLES = 300

Floats = NDArray[np.float64]
Features = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Head:
    """The last layer's row for the finding: logit = features · weight + bias."""

    weight: Floats
    bias: float

    def logits(self, features: Features) -> Floats:
        """Logits (n,) of features (n, d)."""
        found: Floats = (features @ self.weight.astype(np.float32)).astype(np.float64) + self.bias
        return found


@dataclass(frozen=True)
class Decides:
    """How a model's logit becomes an answer: its card's threshold and calibration."""

    threshold: float
    calibration: Calibration = field(default_factory=Calibration)

    @classmethod
    def of(cls, card: Card) -> Decides:
        """As a card says."""
        return cls(card.threshold, card.calibration)


@dataclass(frozen=True, eq=False)
class CaseFeatures:
    """What a model's trunk makes of one series. No field names a person or a file.

    case, group: codes of series and patient. keys: code of each slice. features: (n, d), averaged
    with the neighbours as the card averages logits.
    """

    case: str
    group: str
    keys: tuple[str, ...]
    features: Features


class FeatureStore:
    """Features of series on disk, by the weights that made them; made again where lost."""

    def __init__(self, weights_sha256: str, folder: Path | None = None) -> None:
        self._folder = (folder or places.cache_folder() / "features") / weights_sha256[:24]

    def path(self, case: str) -> Path:
        """Where the features of a series lie."""
        return self._folder / f"{case}.npz"

    def write(self, found: CaseFeatures, head: Head) -> None:
        """Keep a series' features, and the head beside them. Raises NotDurableError."""
        for path, content in (
            (
                self.path(found.case),
                {
                    "group": np.array(found.group),
                    "keys": np.array(found.keys),
                    "features": found.features.astype(np.float32),
                },
            ),
            (self._folder / "head.npz", {"weight": head.weight, "bias": np.array(head.bias)}),
        ):
            stream = io.BytesIO()
            np.savez(stream, **content)  # type: ignore[arg-type]
            durable.write_bytes(path, stream.getvalue())

    def has(self, case: str) -> bool:
        """Whether a series' features are there."""
        return self.path(case).is_file()

    def cases(self) -> list[CaseFeatures]:
        """All series whose features can be read, in the order of their codes."""
        found = []
        for path in sorted(self._folder.glob("*.npz")):
            if path.name == "head.npz":
                continue
            try:
                with np.load(path, allow_pickle=False) as content:
                    found.append(
                        CaseFeatures(
                            path.stem,
                            str(content["group"]),
                            tuple(str(key) for key in content["keys"]),
                            np.asarray(content["features"], np.float32),
                        )
                    )
            except (OSError, ValueError, KeyError, EOFError):
                continue  # a cache: what is damaged is made again
        return found

    def head(self) -> Head | None:
        """The present last layer; None if nothing is kept."""
        try:
            with np.load(self._folder / "head.npz", allow_pickle=False) as content:
                return Head(np.asarray(content["weight"], np.float64), float(content["bias"]))
        except (OSError, ValueError, KeyError, EOFError):
            return None


@dataclass(frozen=True)
class Flip:
    """A slice whose answer would change.

    key: its code. is_right: whether the new answer would be as it is labelled; None without a
    label.
    """

    key: str
    case: str
    before: float
    after: float
    is_right: bool | None


@dataclass(frozen=True)
class Preview:
    """What a retraining on the labels that stand now would probably change.

    learnt: labelled slices that the fit used. flips: slices whose answer would change, labelled
    ones that would become wrong first. looked_at: slices that were asked. validation_before,
    validation_after: AUROC on patients who validate; None where there are none of both kinds.
    change: its paired difference; the interval is (nan, nan) where a single patient validates.
    seconds: that the fit took.
    """

    learnt: int
    looked_at: int
    flips: tuple[Flip, ...]
    validation_slices: int
    validation_before: float | None
    validation_after: float | None
    change: stats.Estimate | None
    seconds: float


class Previewer:
    """Ready to answer again and again for one model and the series whose features are known.

    parts: group code → "train", "validation" or "test"; a group that has none trains.
    """

    def __init__(
        self,
        decides: Decides,
        head: Head,
        cases: Sequence[CaseFeatures],
        parts: Mapping[str, str] | None = None,
    ) -> None:
        from threadpoolctl import ThreadpoolController

        self._decides, self._head = decides, head
        self._threads = ThreadpoolController()
        self._keys = [key for case in cases for key in case.keys]
        self._cases = [case.case for case in cases for _ in case.keys]
        self._groups = np.unique(
            [case.group for case in cases for _ in case.keys], return_inverse=True
        )[1]
        said = parts or {}
        self._parts = np.array([said.get(c.group, "train") for c in cases for _ in c.keys])
        width = len(head.weight)
        self._features: Features = (
            np.concatenate([case.features for case in cases])
            if cases
            else np.zeros((0, width), np.float32)
        )
        self._logits = head.logits(self._features)
        self._centre, self._basis = _directions(self._features[self._parts != "test"])
        self._last: tuple[bytes, Floats] | None = None
        self._reduced: Features = ((self._features - self._centre) @ self._basis).astype(np.float32)

    def __len__(self) -> int:
        return len(self._keys)

    def preview(self, labels: Mapping[str, bool]) -> Preview:
        """Fit the head on labels and tell what would change.

        labels: slice code → whether it shows the finding.
        """
        # One thread: these matrices are small, and the threads of a busy computer wait for another.
        with self._threads.limit(limits=1):
            return self._preview(labels)

    def _preview(self, labels: Mapping[str, bool]) -> Preview:
        started = time.perf_counter()
        truth = np.array([labels.get(key, -1) for key in self._keys], np.int64)
        learn = (truth >= 0) & (self._parts == "train")
        after = self._refitted(learn, truth)
        old, new = self._chances(self._logits), self._chances(after)
        asked = self._parts != "test"
        return Preview(
            learnt=int(learn.sum()),
            looked_at=int(asked.sum()),
            flips=self._flips(old, new, truth, asked),
            **self._validation(old, new, truth),
            seconds=time.perf_counter() - started,
        )

    def _refitted(self, learn: NDArray[np.bool_], truth: NDArray[np.int64]) -> Floats:
        """Logits after the fit; asked twice of the same labels, it is made once."""
        known = truth.tobytes()
        if self._last is None or self._last[0] != known:
            moved = self._moved(learn, truth) if learn.any() else 0.0
            self._last = known, self._logits + moved
        return self._last[1]

    def _moved(self, learn: NDArray[np.bool_], truth: NDArray[np.int64]) -> Floats:
        """By how much the fitted head moves each logit. Newton's method on a convex loss."""
        known = np.concatenate(
            [self._reduced[learn], np.ones((int(learn.sum()), 1), np.float32)], axis=1
        )
        target, start = truth[learn].astype(np.float64), self._logits[learn]
        slope, intercept = self._decides.calibration.slope, self._decides.calibration.intercept
        # Unit prior variance of a logit, spread over the directions as the features are.
        seen = self._reduced[self._parts != "test"]
        scale = max(float(np.mean(np.square(seen).sum(axis=1))), 1e-9)
        stiff = np.full(known.shape[1], scale / (PRIOR_LOGITS / slope) ** 2)
        stiff[-1] = 1.0 / (PRIOR_LOGITS / slope) ** 2
        moved = np.zeros(known.shape[1])
        for _ in range(_STEPS):
            chance = _sigmoid(slope * (start + known @ moved) + intercept)
            gradient = slope * (known.T @ (chance - target)) + stiff * moved
            weight = (slope**2 * chance * (1 - chance)).astype(np.float32)
            curve = (known * weight[:, None]).T @ known + np.diag(stiff)
            step = np.linalg.solve(curve.astype(np.float64), gradient)
            length = float(np.abs(step).max())
            moved -= step * min(1.0, 5.0 / max(length * float(np.sqrt(scale)), 1e-9))
            if length * np.sqrt(scale) < 1e-3:
                break
        found: Floats = (self._reduced @ moved[:-1].astype(np.float32)).astype(np.float64)
        found += float(moved[-1])
        return found

    def _chances(self, logits: Floats) -> Floats:
        calibration = self._decides.calibration
        return _sigmoid(calibration.slope * logits + calibration.intercept)

    def _flips(
        self, old: Floats, new: Floats, truth: NDArray[np.int64], asked: NDArray[np.bool_]
    ) -> tuple[Flip, ...]:
        threshold = self._decides.threshold
        rows = np.flatnonzero(((old >= threshold) != (new >= threshold)) & asked)
        found = [
            Flip(
                self._keys[row],
                self._cases[row],
                float(old[row]),
                float(new[row]),
                None if truth[row] < 0 else bool((new[row] >= threshold) == (truth[row] == 1)),
            )
            for row in rows
        ]
        order = {False: 0, None: 1, True: 2}
        return tuple(sorted(found, key=lambda f: (order[f.is_right], -abs(f.after - f.before))))

    def _validation(self, old: Floats, new: Floats, truth: NDArray[np.int64]) -> dict[str, Any]:
        rows = (truth >= 0) & (self._parts == "validation")
        told: dict[str, Any] = {
            "validation_slices": int(rows.sum()),
            "validation_before": None,
            "validation_after": None,
            "change": None,
        }
        if len(np.unique(truth[rows])) == 2:
            told["validation_before"] = stats.auroc(truth[rows], old[rows])
            told["validation_after"] = stats.auroc(truth[rows], new[rows])
            change = stats.bootstrap_auroc_difference(
                truth[rows], old[rows], new[rows], self._groups[rows], _RESAMPLES
            )
            # Drawn from one patient, every resample is that patient: no interval can be told.
            alone = len(np.unique(self._groups[rows])) < 2
            unknown = stats.Interval(float("nan"), float("nan"))
            told["change"] = stats.Estimate(change.value, unknown) if alone else change
        return told

    def decisions(self, labels: Mapping[str, bool]) -> dict[str, tuple[bool, bool]]:
        """Slice code → (decision now, decision foretold), of all slices that do not test."""
        truth = np.array([labels.get(key, -1) for key in self._keys], np.int64)
        learn = (truth >= 0) & (self._parts == "train")
        with self._threads.limit(limits=1):
            after = self._refitted(learn, truth)
        threshold = self._decides.threshold
        old, new = self._chances(self._logits) >= threshold, self._chances(after) >= threshold
        return {
            key: (bool(old[row]), bool(new[row]))
            for row, key in enumerate(self._keys)
            if self._parts[row] != "test"
        }


def _directions(features: Features) -> tuple[Features, Features]:
    """(mean, (d, k) directions in which features vary most)."""
    if len(features) == 0:
        return np.zeros(features.shape[1], np.float32), np.zeros((features.shape[1], 0), np.float32)
    centre: Features = features.mean(axis=0)
    shifted = features - centre
    keep = min(DIRECTIONS, *features.shape)
    if len(features) < features.shape[1]:
        values, vectors = np.linalg.eigh((shifted @ shifted.T).astype(np.float64))
        chosen = vectors[:, -keep:] / np.sqrt(np.maximum(values[-keep:], 1e-12))
        basis = shifted.T @ chosen.astype(np.float32)
        return centre, basis[:, np.linalg.norm(basis, axis=0) > 0.5].astype(np.float32)
    _, vectors = np.linalg.eigh((shifted.T @ shifted).astype(np.float64))
    return centre, vectors[:, -keep:].astype(np.float32)


def _sigmoid(values: Floats) -> Floats:
    found: Floats = np.exp(-np.logaddexp(0.0, -values))
    return found
