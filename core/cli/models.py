"""`sliceloop models`: what there is, whether it is whole, and which one answers."""

from __future__ import annotations

import getpass
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from core.cli.text import printable
from core.errors import BrokenLineageError
from core.labels.journal import existing_events
from core.labels.schema import LabelEvent
from core.models.card import Preprocessing
from core.models.catalogue import Catalogue, CatalogueEntry
from core.retraining.lineage import trace
from core.sentences import sentence

app = typer.Typer(help="The catalogue of models.", no_args_is_help=True)


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Models at hand, with their first figure; the active one of each task is marked."""
    catalogue = Catalogue()
    entries = catalogue.list()
    if as_json:
        typer.echo(json.dumps([_facts(entry) for entry in entries], indent=2))
        return
    table = Table("", "model", "version", "task", "origin", "figure", "weights")
    for entry in entries:
        card = entry.card
        first = card.metrics[0] if card.metrics else None
        figure = (
            f"{first.name} {first.value:.3f} [{first.ci95[0]:.3f}, {first.ci95[1]:.3f}]"
            if first
            else "—"
        )
        table.add_row(
            "●" if entry.is_active else "",
            card.id,
            card.version,
            card.task,
            entry.origin,
            figure,
            card.weights_sha256[:10],
        )
    Console().print(table)
    for error in catalogue.damaged().values():
        typer.echo(f"sliceloop: {sentence(error)}", err=True)


@app.command()
def verify(
    model: Annotated[str | None, typer.Argument(help="Id or folder; all if left out.")] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every pixel of the training sets, too.")
    ] = False,
) -> None:
    """Check hashes, load the weights, compare with the recorded answer, recompute the lineage."""
    from core.models.verification import verify_model

    catalogue = Catalogue()
    damaged = catalogue.damaged()
    if model is None and damaged:
        raise next(iter(damaged.values()))
    for entry in [catalogue.get(model)] if model else catalogue.list():
        verify_model(entry.folder)
        typer.echo(f"{entry.card.id}: whole, and answers as recorded")
        found = trace(entry.folder, _journal_events(), deep=deep)
        if found.broken:
            first = found.broken[0]
            raise BrokenLineageError(entry.card.id, first.name, first.told)
        for link in found.links:
            if link.state == "holds":
                typer.echo(printable(f"  {link.name:<14}{link.told}"))


@app.command()
def lineage(
    model: Annotated[str, typer.Argument(help="Id or folder of a model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """From a model's weights back to run, recipe, training set, label events and people."""
    catalogue = Catalogue()
    entry = catalogue.get(model)
    found = trace(entry.folder, _journal_events())
    promotions = [p for p in catalogue.promotions() if p.model == entry.card.id]
    if as_json:
        facts = {
            "model": found.model,
            "links": [vars(link) for link in found.links],
            "events": list(found.events),
            "promotions": [p.model_dump() for p in promotions],
        }
        typer.echo(json.dumps(facts, indent=2))
        return
    for link in found.links:
        typer.echo(printable(f"{link.name:<14}{link.state:<11}{link.told}"))
    for promotion in promotions:
        told = f"{promotion.action} by {promotion.by}, {promotion.at}: {promotion.reason}"
        typer.echo(printable(f"{'promotions':<14}{told}"))


def _journal_events() -> dict[int, LabelEvent] | None:
    """The entries of this computer's journal by number, its chain recomputed; None without one."""
    events = existing_events()
    return None if events is None else {event.sequence: event for event in events}


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="A model folder, or a run folder.")],
) -> None:
    """Copy a trained model into the catalogue; it does not answer yet."""
    catalogue = Catalogue()
    entry = catalogue.publish(catalogue.get(str(folder)).folder)
    typer.echo(f"published as {entry.card.id}")


@app.command("import")
def import_model(  # noqa: PLR0917 - options of the command line
    path: Annotated[
        Path,
        typer.Argument(help="Folder with card.json, or a .safetensors, .pth or .pt weight file."),
    ],
    family: Annotated[
        str, typer.Option(help="Of a weight file: its network, such as resnet18 or timm:NAME.")
    ] = "",
    classes: Annotated[
        str, typer.Option(help="Of a weight file: classes in the order of its logits, a,b,c.")
    ] = "",
    positive: Annotated[str, typer.Option(help="The class that stands for a finding.")] = "",
    task: Annotated[str, typer.Option(help="Label set of the classes.")] = "",
    name: Annotated[str, typer.Option(help="Id of the model; the file's name if left out.")] = "",
    like: Annotated[
        str, typer.Option(help="Model whose preprocessing is taken; else --size and --options.")
    ] = "",
    size: Annotated[int, typer.Option(help="Rows and columns of the input.")] = 224,
    options: Annotated[
        str, typer.Option(help="Of the network and its input, as YAML: {image_size: 224}.")
    ] = "{}",
    preprocessing: Annotated[
        str, typer.Option(help="Of the input, as YAML: {mean: 0.5, crop: whole, dimensions: 3}.")
    ] = "{}",
    labelling: Annotated[
        Literal["one-of", "any-of"], typer.Option(help="Whether classes exclude each other.")
    ] = "one-of",
    threshold: Annotated[float, typer.Option(help="Operating threshold.")] = 0.5,
) -> None:
    """Check a model or a weight file from elsewhere and copy it into the catalogue.

    No code of it is run: a pickle that holds more than tensors is refused.
    """
    catalogue = Catalogue()
    if path.is_dir():
        from core.models.verification import verify_model

        verify_model(path)
        typer.echo(f"imported as {catalogue.publish(path).card.id}")
        return
    missing = [
        f"--{word}"
        for word, value in (
            ("family", family), ("classes", classes), ("positive", positive), ("task", task)
        )
        if not value
    ]  # fmt: skip
    if missing:
        raise typer.BadParameter(f"a weight file also needs {', '.join(missing)}")
    from core.models.importing import ImportRequest, import_weights

    spec = (
        catalogue.get(like).card.preprocessing
        if like
        else _preprocessing({"size": size, **_mapping(preprocessing, "--preprocessing")})
    )
    entry = import_weights(
        ImportRequest(
            file=path,
            model_id=name or re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-._"),
            family=family,
            classes=tuple(item.strip() for item in classes.split(",")),
            positive=positive,
            task=task,
            preprocessing=spec,
            options=_mapping(options, "--options"),
            labelling=labelling,
            threshold=threshold,
        ),
        catalogue,
    )
    typer.echo(f"imported as {entry.card.id}: {entry.card.architecture.parameters:,} parameters")


def _mapping(text: str, option: str) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        content = None
    if not isinstance(content, dict):
        raise typer.BadParameter("it is no YAML mapping such as {a: 1}", param_hint=option)
    return content


def _preprocessing(fields: dict[str, Any]) -> Preprocessing:
    try:
        return Preprocessing.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise typer.BadParameter(f"{place}: {first['msg']}", param_hint="--preprocessing") from None


@app.command()
def ensemble(
    models: Annotated[list[str], typer.Argument(help="Ids or folders of two models or more.")],
    name: Annotated[str, typer.Option(help="Id of the ensemble.")],
    storage: Annotated[
        Literal["float32", "float16"],
        typer.Option(help="float16 halves the files, if answers stay within 0.001."),
    ] = "float32",
) -> None:
    """Join models of one kind to one that votes softly; it does not answer yet."""
    from core.models.ensemble import join

    if len(models) < 2:
        raise typer.BadParameter("an ensemble needs two models or more")
    catalogue = Catalogue()
    entry = join([catalogue.get(model) for model in models], name, catalogue, storage)
    size = sum(file.stat().st_size for file in entry.folder.iterdir()) / 1e6
    typer.echo(
        f"published as {entry.card.id}: {len(entry.card.members) + 1} members, {size:.1f} MB. "
        "Evaluate it before you promote it."
    )


@app.command()
def precision(
    model: Annotated[str, typer.Argument(help="Id of a model of your own.")],
    data: Annotated[Path, typer.Option(help="Training set with its validation cases.")],
    split: Annotated[
        Literal["test", "validation", "train", "all"], typer.Option(help="Part of the set.")
    ] = "validation",
) -> None:
    """Check whether bfloat16 answers as float32 does, and write that into the model's card."""
    from core.cli.dataset import progress_bar
    from core.retraining.dataset import Dataset
    from core.retraining.precision import check_precision

    entry = Catalogue().get(model)
    with progress_bar("Asking in both formats") as progress:
        found = check_precision(entry, Dataset.open(data), split=split, progress=progress)
    verdict = "may be used" if found.passes else "is not used"
    typer.echo(
        f"bf16 {verdict}: {found.decisions_changed} of {found.cases} decisions changed, the "
        f"largest difference of a probability is {found.largest_difference:.4f}"
    )


@app.command("series-rule")
def series_rule(
    model: Annotated[str, typer.Argument(help="Id of a model of your own.")],
    data: Annotated[Path, typer.Option(help="Training set with its validation cases.")],
    split: Annotated[
        Literal["test", "validation", "train", "all"], typer.Option(help="Part of the set.")
    ] = "validation",
) -> None:
    """Choose how slices become an answer of their series, and write that into the model's card.

    The highest slice, the mean of the highest, or a fitted rule: whichever ranks series better.
    """
    from core.cli.dataset import progress_bar
    from core.retraining.dataset import Dataset
    from core.retraining.series_rule import fit_series_rule

    entry = Catalogue().get(model)
    with progress_bar("Asking about the series") as progress:
        found = fit_series_rule(entry, Dataset.open(data), split, progress)
    typer.echo(
        f"{found.rule.how}: AUROC {found.auroc:.3f} of {found.series} series of {found.patients} "
        f"patients; of the highest slice {found.auroc_of_highest:.3f}"
    )


@app.command()
def promote(
    model: Annotated[str, typer.Argument(help="Id of the model that is to answer.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    by: Annotated[str, typer.Option(help="Who; the user of this computer if left out.")] = "",
) -> None:
    """Make a model the active one of its task."""
    done = Catalogue().promote(model, by or getpass.getuser(), reason)
    typer.echo(f"{done.model} answers for {done.task} now, instead of {done.previous or 'none'}")


@app.command()
def rollback(
    task: Annotated[str, typer.Argument(help="Task, such as hemorrhage.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    by: Annotated[str, typer.Option(help="Who; the user of this computer if left out.")] = "",
) -> None:
    """Make the model active that was so before."""
    done = Catalogue().rollback(task, by or getpass.getuser(), reason)
    typer.echo(f"{done.model} answers for {done.task} again, instead of {done.previous}")


def _facts(entry: CatalogueEntry) -> dict[str, object]:
    card = entry.card
    return {
        "id": card.id,
        "version": card.version,
        "title": card.title,
        "task": card.task,
        "origin": entry.origin,
        "active": entry.is_active,
        "folder": str(entry.folder),
        "weights_sha256": card.weights_sha256,
        "metrics": [metric.model_dump() for metric in card.metrics],
    }
