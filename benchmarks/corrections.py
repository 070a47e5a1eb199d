"""Is a model worse after it learnt from a few corrections? Quick retraining, many times over.

    python -m benchmarks.corrections --data SET --out FOLDER

A model learns from some patients. Then others are labelled, a few slices each, as in a reading
room's first week, and the head is fitted again as the recipe `quick-retrain` does; some of the new
patients validate. Both models are asked about the patients who are left. All of it is repeated
with other patients in each part. The recipe's two short epochs of the last layers are left out: the
trunk stands still and its features are computed once. SET: every slice labelled, as
`benchmarks.noisy_labels` leaves one in FOLDER/clean. Writes report.json into FOLDER.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.noisy_folds import Heads, Slices, load
from core.retraining import statistics as stats
from core.retraining.recipe import load_recipe

Rows = NDArray[np.int64]

PARTS = {"first": (10, 10), "new": (4, 4), "validation": (3, 3)}
"""Patients with and without a finding who teach the first model, are corrected, and validate; the
others test."""

LABELS = (3, 8, 1000)
"""Slices labelled of each new patient, all of them in the last case."""

WAYS = ("weight decay alone", "held near", "held near, or kept")
"""How the head is fitted again: without the recipe's prior; with it; with it, and the first model
kept where it does better on the patients who validate, which is what the window offers."""


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("--data", type=Path, required=True, help="folder of a training set")
    words.add_argument("--out", type=Path, required=True, help="folder for everything that is made")
    words.add_argument("--repeat", type=int, default=40, help="choices of patients")
    asked = words.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    os.environ["SLICELOOP_HOME"] = str(asked.out / "profile")
    report = measure(asked.data, asked.repeat)
    (asked.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def measure(data: Path, repeat: int) -> dict[str, Any]:
    """Label count → how the models that were corrected compare with the first ones."""
    first = load_recipe("head-ct-hemorrhage", {"network.feature_epochs": 100})
    again = load_recipe("quick-retrain")
    free = load_recipe("quick-retrain", {"network.head_prior": 0})
    slices, heads = load(data, first)
    change: dict[int, dict[str, list[float]]] = {
        labels: {way: [] for way in WAYS} for labels in LABELS
    }
    areas = []
    for draw in range(repeat):
        random = np.random.default_rng(draw)
        part = parts(slices, random)
        heads.begin()
        heads.learn(slices, slices.labels, part["first"], first)
        champion = heads.state()
        before = auroc(slices, heads, part["test"])
        validated = auroc(slices, heads, part["validation"])
        areas.append(before)
        for labels in LABELS:
            rows = some(slices, part["new"], labels, random)
            for way, recipe in zip(WAYS[:2], (free, again), strict=True):
                heads.begin(champion)
                heads.learn(slices, slices.labels, rows, recipe)
                change[labels][way].append(auroc(slices, heads, part["test"]) - before)
            is_kept = auroc(slices, heads, part["validation"]) < validated
            change[labels][WAYS[2]].append(0.0 if is_kept else change[labels][WAYS[1]][-1])
    return {
        "repetitions": repeat,
        "auroc_of_the_first_models": round(float(np.mean(areas)), 4),
        "changes": {
            "all" if labels == LABELS[-1] else str(labels): {
                way: told(values) for way, values in ways.items()
            }
            for labels, ways in change.items()
        },
    }


def told(values: list[float]) -> dict[str, float]:
    """Changes of AUROC over all repetitions; one of 0.01 counts as one."""
    each = np.array(values)
    low, high = np.percentile(each, (5, 95))
    return {
        "mean": round(float(each.mean()), 4),
        "5th percentile": round(float(low), 4),
        "95th percentile": round(float(high), 4),
        "worst": round(float(each.min()), 4),
        "worse": int((each < -0.01).sum()),
        "better": int((each > 0.01).sum()),
    }


def parts(slices: Slices, random: np.random.Generator) -> dict[str, Rows]:
    """Part → rows of its patients, drawn anew."""
    ill = np.unique(slices.groups[slices.truth == 1])
    well = np.setdiff1d(np.unique(slices.groups), ill)
    kinds = [random.permutation(ill), random.permutation(well)]
    found = {}
    for name, counts in PARTS.items():
        chosen = np.concatenate([kind[:n] for kind, n in zip(kinds, counts, strict=True)])
        kinds = [kind[n:] for kind, n in zip(kinds, counts, strict=True)]
        found[name] = np.flatnonzero(np.isin(slices.groups, chosen))
    found["test"] = np.flatnonzero(np.isin(slices.groups, np.concatenate(kinds)))
    return found


def some(slices: Slices, rows: Rows, most: int, random: np.random.Generator) -> Rows:
    """At most so many slices of each patient among these rows."""
    own = [rows[slices.groups[rows] == group] for group in np.unique(slices.groups[rows])]
    return np.sort(np.concatenate([random.permutation(each)[:most] for each in own]))


def auroc(slices: Slices, heads: Heads, rows: Rows) -> float:
    return stats.auroc(slices.truth[rows], heads.logits(slices, rows))


if __name__ == "__main__":
    main()
