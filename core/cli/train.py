"""`sliceloop train`: run a recipe on a training set, resumable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from core.errors import BadRecipeError, RunError
from core.retraining.protocol import Event, RunFolder, TrainingRequest
from core.retraining.recipe import load_recipe


def command(  # noqa: PLR0917 - options, given by name
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a path to a YAML file.")],
    data: Annotated[Path, typer.Option(help="Folder of the training set.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; must be empty unless --resume.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a recipe field: key=value.")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Model whose weights to start from: an id or a folder.")
    ] = None,
    model_id: Annotated[str, typer.Option(help="Id of the model to be made.")] = "",
    resume: Annotated[bool, typer.Option(help="Go on with a stopped run.")] = False,
    override_by: Annotated[
        str, typer.Option(help="Who trains although the set leaks or gives its labels away.")
    ] = "",
    override_reason: Annotated[str, typer.Option(help="Why; stays on the model's card.")] = "",
    folds: Annotated[
        int | None, typer.Option(min=2, max=20, help="Cross-validate; as --set folds=.")
    ] = None,
    ensemble: Annotated[
        bool,
        typer.Option("--ensemble", help="Publish the folds' models as one that votes softly."),
    ] = False,
    fold: Annotated[
        int | None,
        typer.Option(
            min=0, help="Train this fold alone, beside others; then finish with --resume."
        ),
    ] = None,
) -> None:
    """Train; the model lies in OUT/model when the run has succeeded."""
    changes = dict(_pair(recipe, text) for text in settings or [])
    if folds is not None:
        changes["folds"] = folds
    if ensemble:
        changes |= {"publish": "folds", "storage": "float16"}
    asked = load_recipe(recipe, changes)  # say what is wrong before anything is written
    if ensemble and not asked.folds:
        raise typer.BadParameter("an ensemble is made of folds; give --folds 5")
    if bool(override_by.strip()) != bool(override_reason.strip()):
        raise typer.BadParameter("--override-by and --override-reason go together")
    folder = RunFolder(out)
    if resume:
        if folder.state == "finished":
            raise RunError(out, "it is finished", "There is nothing to resume.")
        folder.request  # noqa: B018 - raises with a sentence if this is no run
    else:
        folder.create(
            TrainingRequest(
                recipe=recipe,
                data=data.resolve(),
                base_model=_base_folder(base),
                settings=changes,
                model_id=model_id,
                override=(override_by, override_reason) if override_by.strip() else None,
            )
        )
    from core.retraining.trainer import train_in_folder

    console = Console(stderr=True)
    code = train_in_folder(out, lambda event: _tell(console, event), fold=fold)
    if code:
        raise typer.Exit(code)
    if folder.result is not None:
        typer.echo(json.dumps(folder.result["metrics"], indent=2))


def _base_folder(model: str | None) -> Path | None:
    if model is None:
        return None
    from core.models.catalogue import Catalogue

    return Catalogue().get(model).folder.resolve()


def _pair(recipe: str, text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadRecipeError(recipe, (f"--set {text} has no “=”; write --set field=value",))
    return name.strip(), value.strip()


def _tell(console: Console, event: Event) -> None:
    kind = event["event"]
    fold = f"fold {event['fold']}, " if "fold" in event else ""
    if kind == "epoch":
        auroc = event["validation_auroc"]
        judged = "" if auroc is None else f", validation AUROC {auroc:.3f}"
        console.print(
            f"{fold}epoch {event['epoch']} of {event['of']}: loss {event['train_loss']:.3f}{judged}"
            f" ({event['seconds_left']:.0f} s left)"
        )
    elif kind == "preparing" and event["done"] % 500 == 0:
        console.print(f"preparing slices: {event['done']} of {event['of']}")
    elif kind == "failed":
        console.print(f"sliceloop: {event['sentence']}", style="bold", highlight=False)
    elif kind in ("stopped", "finished"):
        console.print(f"The run has {kind}.")
