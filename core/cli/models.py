"""`sliceloop models`: what there is, whether it is whole, and which one answers."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.models.catalogue import Catalogue, CatalogueEntry
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
) -> None:
    """Check hashes, load the weights, and compare with the recorded answer."""
    from core.models.verification import verify_model

    catalogue = Catalogue()
    damaged = catalogue.damaged()
    if model is None and damaged:
        raise next(iter(damaged.values()))
    for entry in [catalogue.get(model)] if model else catalogue.list():
        verify_model(entry.folder)
        typer.echo(f"{entry.card.id}: whole, and answers as recorded")


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="A model folder, or a run folder.")],
) -> None:
    """Copy a trained model into the catalogue; it does not answer yet."""
    catalogue = Catalogue()
    entry = catalogue.publish(catalogue.get(str(folder)).folder)
    typer.echo(f"published as {entry.card.id}")


@app.command("import")
def import_model(
    folder: Annotated[Path, typer.Argument(help="Folder with card.json and model.safetensors.")],
) -> None:
    """Check a model folder from elsewhere and copy it into the catalogue; runs no code of it."""
    from core.models.verification import verify_model

    verify_model(folder)
    entry = Catalogue().publish(folder)
    typer.echo(f"imported as {entry.card.id}")


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
