"""`sliceloop predict`: a model's answers for everything under a path, as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from core import durable
from core.errors import UnsuitableInputError
from core.imaging.opening import open_path
from core.imaging.volume import Series, Volume
from core.models import guard
from core.models.aggregation import conflict, series_probability
from core.models.answers import SlicePrediction
from core.models.card import Card
from core.models.catalogue import Catalogue
from core.models.familiarity import unlike


def command(  # noqa: PLR0917 - options of the command line
    path: Annotated[Path, typer.Argument(help="File or folder with images.")],
    out: Annotated[Path, typer.Option(help="Folder for predictions.json, slices.csv, overlays.")],
    model: Annotated[str, typer.Option(help="Id of a model, or its folder.")] = "",
    explain: Annotated[bool, typer.Option(help="Also write heat-map overlays.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    tta: Annotated[
        bool, typer.Option("--tta", help="Also ask each slice's mirror image, and average.")
    ] = False,
    runtime: Annotated[
        str, typer.Option(help="auto (the faster one), torch or openvino.")
    ] = "auto",
    precision: Annotated[str, typer.Option(help="f32; bf16 if the card says it agrees.")] = "f32",
    explain_class: Annotated[
        str, typer.Option(help="Class of the heat maps, if not the finding.")
    ] = "",
) -> None:
    """Write `predictions.json` and `slices.csv`; with --explain overlays as PNG, too.

    A model of volumes gives one answer a volume, and its heat map on the voxels as NIfTI.
    Series that the model was not made for are left out, with the reason; if that is all of
    them, the command fails.
    """
    entry = Catalogue().get(model or _only_task())
    opened = open_path(path)
    from core.models.loading import load_predictor

    predictor = load_predictor(
        entry.folder,
        device,
        runtime=_one_of(runtime, ("auto", "torch", "openvino"), "--runtime"),
        precision=_one_of(precision, ("f32", "bf16"), "--precision"),
        flip_averaging=True if tta else None,
    )
    card = predictor.card
    if explain_class:
        _one_of(explain_class, card.classes, "--explain-class")
    answered: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        total = sum(series.summary.shape[0] for series in opened.series)
        bar = progress.add_task("predicting", total=total)
        for series in opened.series:
            reasons = guard.refusals(card, series.summary)
            if reasons:
                refused.append({"uid": series.summary.uid, "reasons": list(reasons)})
                continue
            volume = series.load()
            answers = {}
            for answer in predictor.predict_volume(
                volume, explain=explain, class_id=explain_class or None
            ):
                answers[answer.index] = answer
                progress.advance(bar)
            ordered = [answers[index] for index in sorted(answers)]
            facts = _series_facts(series, card, ordered, explain_class or card.positive)
            answered.append(facts)
            rows += _rows(series, card, ordered)
            if explain:
                written = _write_maps(out, f"{len(answered):03d}", volume, ordered, card)
                facts["heat_maps"] = {"class": explain_class or card.positive, **written}
    if not answered:
        first = refused[0]["reasons"] if refused else ["there is no series"]
        raise UnsuitableInputError(card.id, tuple(first))
    content = {
        "model": {"id": card.id, "version": card.version, "weights_sha256": card.weights_sha256},
        "positive": card.positive,
        "threshold": card.threshold,
        "device": str(predictor.device),
        "runtime": predictor.runtime,
        "mirror_averaging": card.flip_averaging,
        "notes": list(predictor.notes),
        "series": answered,
        "refused": refused,
        "skipped": [{"file": str(s.file), "reason": s.reason} for s in opened.skipped],
    }
    durable.write_json(out / "predictions.json", content)
    durable.write_bytes(out / "slices.csv", _table(card, rows).encode())
    for item in refused:
        typer.echo(f"left out: {'; '.join(item['reasons'])}", err=True)
    typer.echo(_summary(card, answered))


def _write_maps(
    out: Path, name: str, volume: Volume, answers: list[SlicePrediction], card: Card
) -> dict[str, Any]:
    """Overlays of a series as pictures; of a model of volumes the map itself, too."""
    from core.models.overlays import CUT, UNIT, write_overlays

    top = write_overlays(out / "overlays" / name, volume, answers, card)
    facts: dict[str, Any] = {"top": top, "cut": CUT, "unit": UNIT}
    if answers[0].of_volume:
        from core.models.heat_files import evidence_volume, write_evidence

        facts["volume"] = f"heat-maps/{name}.nii.gz"
        evidence = evidence_volume(answers, volume.summary.shape)
        write_evidence(out / facts["volume"], evidence, volume.geometry)
    return facts


def _summary(card: Card, answered: list[dict[str, Any]]) -> str:
    if card.preprocessing.dimensions == 3:
        counted = f"{len(answered)} {'volume' if len(answered) == 1 else 'volumes'} answered"
        called = sum(item["called"] for item in answered)
    else:
        count = sum(len(item["slices"]) for item in answered)
        counted = f"{count} slices of {len(answered)} series answered"
        called = sum(item["slices_called"] for item in answered)
    return (
        f"{counted} by {card.id}; {called} at or above the operating threshold "
        f"{card.threshold:.3f}. Not for diagnostic use."
    )


def _one_of(value: str, allowed: Sequence[str], option: str) -> Any:
    """The value, if it is allowed; else the command is used wrongly."""
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}", param_hint=option)
    return value


def _only_task() -> str:
    """The active model where there is exactly one task; else the person has to name it."""
    active = [entry.card.id for entry in Catalogue().list() if entry.is_active]
    if len(active) == 1:
        return active[0]
    raise typer.BadParameter(f"name one of {', '.join(active) or 'none'}", param_hint="--model")


def _series_facts(
    series: Series, card: Card, answers: list[SlicePrediction], explained: str
) -> dict[str, Any]:
    shares = [answer.probabilities[card.positive] for answer in answers]
    whole = series_probability(card, answers)
    first = answers[0]
    facts: dict[str, Any] = {
        "uid": series.summary.uid,
        "case_id": series.summary.case_id,
        "modality": series.summary.modality,
        "shape": list(series.summary.shape),
        "warnings": [
            {"code": warning.code, "message": warning.message}
            for warning in series.summary.warnings
        ],
        "cautions": [
            *guard.cautions(card, series.summary),
            *filter(None, [unlike(card, answers)]),
        ],
        "series_probability": whole,
        "called": whole >= (card.series_threshold or card.threshold),
        "conflict": conflict(card, answers),
    }
    if first.of_volume:
        return {
            **facts,
            "probabilities": first.probabilities,
            "explained_class_is_predicted": first.predicts(
                explained, card.positive, card.threshold, card.labelling
            ),
            **({"spread": list(first.spread)} if first.spread else {}),
            "slices": [],
        }
    return {
        **facts,
        "series_rule": card.series_rule.how,
        "slices_called": sum(share >= card.threshold for share in shares),
        "slices": [
            {
                "index": answer.index,
                "slice_id": series.summary.slice_ids[answer.index],
                "probabilities": answer.probabilities,
                # A heat map of a class that is not predicted shows what speaks for it all the same.
                "explained_class_is_predicted": answer.predicts(
                    explained, card.positive, card.threshold, card.labelling
                ),
                **({"spread": list(answer.spread)} if answer.spread else {}),
            }
            for answer in answers
        ],
    }


def _rows(series: Series, card: Card, answers: list[SlicePrediction]) -> list[list[Any]]:
    """A row a slice; of a volume one, whose slice is empty."""
    if answers[0].of_volume:
        answer = answers[0]
        shares = [f"{answer.probabilities[name]:.6f}" for name in card.classes]
        called = int(answer.probabilities[card.positive] >= card.threshold)
        return [[series.summary.uid, "", "", *shares, called]]
    return [
        [
            series.summary.uid,
            answer.index + 1,
            series.summary.slice_ids[answer.index],
            *(f"{answer.probabilities[name]:.6f}" for name in card.classes),
            int(answer.probabilities[card.positive] >= card.threshold),
        ]
        for answer in answers
    ]


def _table(card: Card, rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    classes = [f"p_{name}" for name in card.classes]
    writer.writerow(["series", "slice", "slice_id", *classes, f"called_{card.positive}"])
    writer.writerows(rows)
    return text.getvalue()
