"""Previews: the head fitted anew on 5,000 slices, against scikit-learn's logistic regression."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from core.bench.timing import Figure, side_by_side
from core.retraining.preview import CaseFeatures, Decides, Head, Previewer

SLICES, FEATURES, PATIENTS = 5_000, 1_280, 50
LIMIT_SECONDS = 0.3
ROUNDS = 5


def made(
    slices: int = SLICES, seed: int = 0
) -> tuple[Previewer, list[CaseFeatures], dict[str, bool]]:
    """A previewer on made-up features of this many slices, these features, and their labels."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(40, FEATURES)).astype(np.float32) / 6
    direction = random.normal(size=40)
    cases: list[CaseFeatures] = []
    labels: dict[str, bool] = {}
    each = slices // PATIENTS
    for patient in range(PATIENTS):
        inner = random.normal(size=(each, 40)) + 0.5 * random.normal(size=40)
        noise = 0.3 * random.normal(size=(each, FEATURES))
        features = np.maximum(inner.astype(np.float32) @ mixing + noise, 0).astype(np.float32)
        keys = tuple(f"{patient}-{index}" for index in range(each))
        shows = inner @ direction + random.normal(size=each) > 3
        labels |= dict(zip(keys, (bool(value) for value in shows), strict=True))
        cases.append(CaseFeatures(f"case-{patient}", f"patient-{patient}", keys, features))
    head = Head(0.02 * random.normal(size=FEATURES), -1.0)
    parts = {f"patient-{patient}": "validation" for patient in range(0, PATIENTS, 5)}
    return Previewer(Decides(0.5), head, cases, parts), cases, labels


def measure() -> dict[str, Any]:
    """One ratio, and whether a preview keeps within its limit, by the clock or by the processor.

    A preview takes one thread: its processor time is what it takes on an idle core.
    """
    from sklearn.linear_model import LogisticRegression

    previewer, cases, labels = made()
    features = np.concatenate([case.features for case in cases])
    truth = np.array([labels[key] for case in cases for key in case.keys])
    fitted = LogisticRegression(C=0.01, max_iter=200)
    seconds = side_by_side(
        {
            "preview": lambda: previewer.preview(labels),
            "logistic regression": lambda: fitted.fit(features, truth),
        },
        ROUNDS,
    )
    figure = Figure(
        f"what a correction changes, {SLICES} slices",
        seconds["preview"],
        "scikit-learn's logistic regression on all features",
        seconds["logistic regression"],
        1.0,
        True,
    )
    before = time.process_time()
    previewer.preview(labels)
    processor = time.process_time() - before
    return {
        "figures": [figure.as_dict()],
        "processor_seconds": round(processor, 4),
        "limit_seconds": LIMIT_SECONDS,
        "seconds": round(seconds["preview"], 4),
        "met": min(seconds["preview"], processor) <= LIMIT_SECONDS,
    }
