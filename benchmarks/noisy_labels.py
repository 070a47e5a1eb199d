"""The loop against label noise, on real head CT: flip labels, find them, correct, retrain, promote.

    python -m benchmarks.noisy_labels --data HEAD_CT_ICH --out FOLDER

Every step goes the way that a person's labels go: the journal, a training set made from it, a
cross-validated run, the review queue, corrections in the journal, a second set with the same
frozen test patients, a second run, the comparison, a promotion. Labels of test patients are
never flipped: they are what both models are measured against.

A test part of eleven patients tells little. So the same is done over again by
`benchmarks.noisy_folds`, with other labels flipped each time, and every patient scored by models
that learnt from others. Writes report.json into FOLDER; a step that is finished is not done again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

RECIPE = "head-ct-hemorrhage"

SETTINGS: dict[str, Any] = {
    "auxiliary": "none",
    "network.frozen_stages": 18,
    "network.feature_epochs": 100,
    "stopping.epochs": 1,
    "sampling.slices_per_epoch": 32,
    "optimiser.head_learning_rate": 1e-6,
}
"""The shipped recipe on a trunk that stands still: the head is fitted to kept features, with the
recipe's own weight decay, and the one epoch that a run must have changes nothing. Two processor
cores do both runs in a few minutes, and twenty repetitions of them in a quarter of an hour."""

READERS = {"first": "first reader", "careless": "careless reader", "second": "second reader"}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("--data", type=Path, required=True, help="folder of slices.csv and slices/")
    words.add_argument("--out", type=Path, required=True, help="folder for everything that is made")
    words.add_argument("--flipped", type=float, default=0.15, help="share of labels to flip")
    words.add_argument(
        "--look", type=float, default=2.0, help="slices looked at, per flipped label"
    )
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--repeat", type=int, default=10, help="choices of labels to flip")
    asked = words.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    os.environ["SLICELOOP_HOME"] = str(asked.out / "profile")
    report = loop(asked.data, asked.out, asked.flipped, asked.look, asked.seed)
    report["every_patient"] = every_patient(
        asked.out / "clean", asked.flipped, asked.look, asked.repeat
    )
    (asked.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def loop(data: Path, out: Path, share: float, look: float, seed: int) -> dict[str, Any]:
    from core.imaging.deidentify import pseudonym, site_key
    from core.labels.journal import Journal
    from core.labels.labelling import Labelling
    from core.labels.sets import load_label_set
    from core.models.catalogue import Catalogue
    from core.retraining.promotion import judge, promote

    label_set = load_label_set("hemorrhage")
    series, truth = studies(data, out / "studies")
    with Journal() as journal:
        labelling = Labelling(journal, READERS["first"], session="loop")
        give_all(labelling, series, truth, label_set)
        clean = collected(labelling, label_set, out / "clean", series)
        flipped = flip(labelling, series, truth, clean, label_set, share, seed)
        noisy = collected(labelling, label_set, out / "noisy", series)
        first = trained(noisy, out / "runs" / "noisy", "noisy-labels")
        promoted(first, READERS["first"], "Start of the loop.")

        key = site_key()
        names = {
            pseudonym(key, f"slice:{slice_id}"): (case, index)
            for case, one in series.items()
            for index, slice_id in enumerate(one.slice_ids)
        }
        suspects, queue = suspected(noisy, first, labelling, series, names, label_set)
        looked_at = suspects[: round(look * len(flipped))]
        labelling.sign_in(READERS["second"])
        corrected = 0
        for case, index in looked_at:
            found = labelling.label(
                series[case], index, truth[case][index], label_set=label_set, reason="Read again."
            )
            corrected += bool(found) and (case, index) in flipped
        repaired = collected(labelling, label_set, out / "repaired", series)
    second = trained(repaired, out / "runs" / "repaired", "repaired-labels")
    catalogue = Catalogue()
    judgement = judge(second, catalogue)
    comparison = judgement.comparison
    if comparison is None:
        raise SystemExit("there is no active model to compare with")
    promotion = promote(
        judgement, READERS["second"], "Flipped labels were found and corrected.", catalogue
    )
    before, after = comparison.champion.figures, comparison.challenger.figures
    difference = comparison.difference
    return {
        "slices": sum(len(one.slice_ids) for one in series.values()),
        "flipped": len(flipped),
        "precision_at_k": {
            "confident learning": precision(suspects, flipped),
            "review queue": precision(queue, flipped),
            "chance": round(len(flipped) / len(names_of_training(noisy)), 3),
        },
        "looked_at": len(looked_at),
        "corrected": corrected,
        "test": {"slices": comparison.slices, "patients": comparison.patients},
        "auroc_before": before.auroc,
        "auroc_before_ci95": before.auroc_ci95,
        "auroc_after": after.auroc,
        "auroc_after_ci95": after.auroc_ci95,
        "difference": None if difference is None else difference.value,
        "difference_ci95": None if difference is None else list(difference.ci95),
        "gate": comparison.gate.sentence,
        "worse": comparison.worse,
        "better": comparison.better,
        "out_of_fold_against_the_true_labels": out_of_fold(out / "clean", first, second),
        "active": promotion.model,
        "same_test_patients": test_hash(noisy) == test_hash(repaired) == test_hash(clean),
    }


def every_patient(clean: Path, flipped: float, look: float, draws: int) -> dict[str, Any]:
    """The gain on all patients, over several choices of labels; see `benchmarks.noisy_folds`."""
    from benchmarks.noisy_folds import measure
    from core.retraining.recipe import load_recipe

    recipe = load_recipe(RECIPE, SETTINGS)
    return measure(clean, recipe, flipped=flipped, look=look, draws=draws)


def studies(data: Path, out: Path) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """One folder of pictures a patient: case id → series, and the true class of each slice."""
    from core.imaging.opening import open_path

    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (data / "slices.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            rows[row["patient"]].append(row)
    series: dict[str, Any] = {}
    truth: dict[str, list[str]] = {}
    for patient, own in sorted(rows.items()):
        folder = out / patient
        folder.mkdir(parents=True, exist_ok=True)
        own.sort(key=lambda row: int(row["slice"]))
        for row in own:
            link = folder / f"{int(row['slice']):03d}.jpg"
            if not link.exists():
                link.hardlink_to((data / row["file"]).resolve()) if same_device(
                    data, out
                ) else link.write_bytes((data / row["file"]).read_bytes())
        (one,) = open_path(folder).series
        summary = one.summary
        if len(summary.slice_ids) != len(own):
            raise SystemExit(f"patient {patient} has {len(own)} rows and other pictures")
        series[summary.case_id] = summary
        truth[summary.case_id] = [
            "hemorrhage" if row["hemorrhage"] == "1" else "no_hemorrhage" for row in own
        ]
    return series, truth


def same_device(one: Path, two: Path) -> bool:
    return one.stat().st_dev == two.stat().st_dev


def give_all(labelling: Any, series: Any, truth: Any, label_set: Any) -> None:
    """Every slice as the data set labels it, by the first reader."""
    for case, summary in series.items():
        if labelling.current(case, label_set.id):
            continue
        for name in ("hemorrhage", "no_hemorrhage"):
            places = [index for index, said in enumerate(truth[case]) if said == name]
            labelling.label_slices(summary, places, name, label_set=label_set)


def flip(
    labelling: Any,
    series: Any,
    truth: Any,
    clean: Path,
    label_set: Any,
    share: float,
    seed: int,
) -> set[tuple[str, int]]:
    """Another reader says the opposite on a share of the slices that do not test."""
    from core.imaging.deidentify import pseudonym, site_key
    from core.retraining.dataset import Dataset

    dataset, key = Dataset.open(clean), site_key()
    learn = {
        name for name, split in zip(dataset.keys(), dataset.splits, strict=True) if split != "test"
    }
    places = [
        (case, index)
        for case, summary in sorted(series.items(), key=lambda item: item[1].path.name)
        for index, slice_id in enumerate(summary.slice_ids)
        if pseudonym(key, f"slice:{slice_id}") in learn
    ]
    chosen = set(random.Random(seed).sample(places, round(share * len(places))))
    labelling.sign_in(READERS["careless"])
    for case, index in sorted(chosen):
        right = truth[case][index]
        wrong = "no_hemorrhage" if right == "hemorrhage" else "hemorrhage"
        if READERS["careless"] not in {e.reader for e in labelling.history(case)} or (
            labelling.own(case, label_set.id).get(series[case].slice_ids[index]) != wrong
        ):
            labelling.label(series[case], index, wrong, label_set=label_set)
    return chosen


def collected(labelling: Any, label_set: Any, out: Path, series: Any) -> Path:
    """The training set of the labels that stand now."""
    from core.retraining.collecting import build_from_labels
    from core.retraining.sources import Sources

    if not (out / "dataset.json").is_file():
        sources = Sources()
        for summary in series.values():
            sources.remember(summary)
        build_from_labels(labelling.standing(), label_set, out)
    return out


def trained(data: Path, run: Path, model_id: str) -> Path:
    from core.retraining.protocol import RunFolder, TrainingRequest
    from core.retraining.trainer import train_in_folder

    folder = RunFolder(run)
    if folder.state == "finished":
        return run
    if folder.state == "new" and not (run / "request.json").is_file():
        folder.create(
            TrainingRequest(
                recipe=RECIPE,
                data=data.resolve(),
                settings=SETTINGS,
                model_id=model_id,
            )
        )
    if train_in_folder(run, tell) != 0:
        raise SystemExit(f"the run {run} failed")
    return run


def tell(event: dict[str, Any]) -> None:
    if event["event"] == "epoch":
        print({k: event.get(k) for k in ("fold", "epoch", "validation_auroc", "seconds")})


def promoted(run: Path, by: str, reason: str) -> None:
    """The first model answers, whatever ships."""
    from core.models.catalogue import Catalogue

    catalogue = Catalogue()
    if not catalogue.promotions():
        entry = catalogue.publish(run / "model")
        catalogue.promote(entry.card.id, by, reason)


def suspected(
    data: Path, run: Path, labelling: Any, series: Any, names: Any, label_set: Any
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Slices in the order in which confident learning, and the review queue, would show them."""
    from core.labels.queue import QueueRules, of_slice, work_queue
    from core.retraining.dataset import Dataset
    from core.retraining.scoring import find_subject, score
    from core.retraining.suspects import find_suspects

    dataset, subject = Dataset.open(data), find_subject(str(run))
    scores = score(subject, dataset, "cv")
    ranked = [names[item.key] for item in find_suspects(dataset, scores)]
    index = dataset.positive_index
    if index is None:
        raise SystemExit("the set has no finding")
    keys = dataset.keys()
    states = []
    for row, chances in zip(scores.rows, scores.probabilities, strict=True):
        case, place = names[keys[row]]
        slice_id = series[case].slice_ids[place]
        states.append(
            of_slice(
                case,
                slice_id,
                place,
                probability=float(chances[index]),
                label=dataset.manifest.classes[dataset.labels[row]],
                label_set=label_set,
            )
        )
    rules = QueueRules(threshold=subject.card.threshold, audit_share=0.0)
    queue = [(item.case_id, item.slice_index) for item in work_queue(states, rules)]
    return ranked, queue


def out_of_fold(clean: Path, first: Path, second: Path) -> dict[str, Any]:
    """Both runs on the patients that do not test, each scored by models that had not seen him.

    Measured against the labels before any was flipped: more patients than the test part has.
    """
    import numpy as np

    from core.retraining import statistics as stats
    from core.retraining.dataset import Dataset

    dataset = Dataset.open(clean)
    row_of = {key: row for row, key in enumerate(dataset.keys())}
    said = []
    for run in (first, second):
        lines = json.loads((run / "out_of_fold.json").read_bytes())
        said.append({line["key"]: line["probabilities"][dataset.positive_index] for line in lines})
    keys = sorted(set(said[0]) & set(said[1]))
    rows = np.array([row_of[key] for key in keys])
    truth, groups = dataset.labels[rows] == dataset.positive_index, dataset.groups[rows]
    old, new = (np.array([each[key] for key in keys]) for each in said)
    before, after = (stats.bootstrap_auroc(truth, values, groups) for values in (old, new))
    change = stats.bootstrap_auroc_difference(truth, old, new, groups)
    return {
        "slices": len(keys),
        "patients": len(np.unique(groups)),
        "auroc_before": [before.value, *before.ci95],
        "auroc_after": [after.value, *after.ci95],
        "difference": [change.value, *change.ci95],
    }


def precision(ranked: list[tuple[str, int]], flipped: set[tuple[str, int]]) -> dict[str, float]:
    """Share of flipped labels among the first k."""
    found = {}
    for k in (20, 50, 100, len(flipped)):
        first = ranked[:k]
        found[str(k)] = round(sum(place in flipped for place in first) / max(len(first), 1), 3)
    return found


def names_of_training(data: Path) -> list[str]:
    from core.retraining.dataset import Dataset

    dataset = Dataset.open(data)
    return [k for k, split in zip(dataset.keys(), dataset.splits, strict=True) if split != "test"]


def test_hash(data: Path) -> str:
    from core.retraining.manifest import read_manifest

    return read_manifest(data).test_hash


if __name__ == "__main__":
    main()
