"""`sliceloop dataset`: build a training set, look at its health, export the window's labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from core.errors import LeakError, NoLabelsError
from core.imaging.intensity import Window
from core.imaging.opening import open_path
from core.imaging.volume import Progress
from core.labels.history import History
from core.labels.journal import Journal
from core.labels.schema import LabelEvent
from core.labels.sets import load_label_set
from core.labels.store import default_place
from core.retraining.arrays import ArraysRequest, build_from_arrays
from core.retraining.building import TableRequest, build_from_table
from core.retraining.collecting import build_from_labels
from core.retraining.dataset import Dataset
from core.retraining.exporting import Format, export_as
from core.retraining.importing import Form as ImportForm
from core.retraining.importing import import_set
from core.retraining.leaks import Health, examine
from core.retraining.manifest import SPLITS, DatasetManifest
from core.retraining.merging import merge as merge_sets
from core.retraining.scoring import find_subject, score
from core.retraining.sources import Sources
from core.retraining.suspects import find_suspects

app = typer.Typer(no_args_is_help=True, help="Training sets: immutable, split by patient.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def build(  # noqa: PLR0917 - options, given by name
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    arrays: Annotated[
        Path | None,
        typer.Argument(help="A file of arrays, npz as MedMNIST has them, instead of a table."),
    ] = None,
    from_csv: Annotated[
        Path | None, typer.Option("--from-csv", help="The table; paths are relative to it.")
    ] = None,
    file: Annotated[
        str, typer.Option(help="Column with the image files, or folders of DICOM.")
    ] = "",
    label: Annotated[
        str,
        typer.Option(help="Column with the labels: 0/1, or text; of arrays, the name of class 1."),
    ] = "",
    group: Annotated[str, typer.Option(help="Column with the patient: never on two sides.")] = "",
    class_name: Annotated[
        list[str] | None, typer.Option(help="Of arrays: names of the classes 0, 1 …; repeatable.")
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="Label that is the finding; all others are its absence.")
    ] = None,
    negative: Annotated[
        str | None, typer.Option(help="Label that is the absence; all others are the finding.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="auto, test (everything is tested), or a column with the parts.")
    ] = "auto",
    series: Annotated[
        str | None, typer.Option(help="Column with the series; without it, the group.")
    ] = None,
    order: Annotated[
        str | None, typer.Option(help="Column with the order in a series; without it, file names.")
    ] = None,
    subgroup: Annotated[
        list[str] | None, typer.Option(help="Column by which results are told apart; repeatable.")
    ] = None,
    group_block: Annotated[
        int | None, typer.Option(min=1, help="Numbers in the group column fall into such blocks.")
    ] = None,
    extends: Annotated[
        Path | None, typer.Option(help="An earlier set: its patients keep their part.")
    ] = None,
    mask: Annotated[
        str | None, typer.Option(help="Column with mask files: not zero where the finding is.")
    ] = None,
    keep_names: Annotated[
        bool, typer.Option("--keep-names", help="Keep file names in the set (public data only).")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build a set from a table. Columns of 0 and 1 beside the label are kept as further targets.

    From a file of arrays (npz) with pictures or volumes it takes the parts that the file has.
    """
    if arrays is not None:
        if from_csv is not None:
            raise typer.BadParameter("give a file of arrays or --from-csv, not both")
        with progress_bar("Reading images") as progress:
            manifest = build_from_arrays(
                ArraysRequest(
                    arrays, out, label or "finding", tuple(class_name or ()), positive, split
                ),
                progress,
            )
        _say_built(out, manifest, as_json)
        return
    if from_csv is None or not (file and label and group):
        raise typer.BadParameter("a table needs --from-csv, --file, --label and --group")
    request = TableRequest(
        table=from_csv,
        file=file,
        label=label,
        group=group,
        out=out,
        positive=positive,
        negative=negative,
        split=split,
        series=series,
        order=order,
        mask=mask,
        subgroups=tuple(subgroup or ()),
        group_block=group_block,
        keep_names=keep_names,
        extends=extends,
    )
    with progress_bar("Reading images") as progress:
        manifest = build_from_table(request, progress)
    _say_built(out, manifest, as_json)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="A training set.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every pixel and recompute every hash, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what a set holds, what to mind, and whether it leaks; a leak is exit code 1."""
    dataset = Dataset.open(folder)
    if verify:
        dataset.verify()
    with progress_bar("Looking for leaks") as progress:
        health = examine(dataset, progress)
    if as_json:
        facts = {
            "manifest": json.loads(dataset.manifest.model_dump_json()),
            "leaks": [asdict(leak) for leak in health.leaks],
            "cautions": [asdict(caution) for caution in health.cautions],
            "duplicates": health.duplicates,
        }
        typer.echo(json.dumps(facts, indent=2))
    else:
        _print_manifest(dataset.manifest)
        _print_health(dataset, health)
    if health.leaks:
        raise LeakError(health.leaks[0].what, health.leaks[0].examples)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    task: Annotated[
        str, typer.Option(help="Label set; without it, the one whose labels there are.")
    ] = "",
    study: Annotated[
        list[Path] | None, typer.Option(help="Where labelled studies lie now; repeatable.")
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(help="Another journal file, such as a backup.", show_default=False),
    ] = None,
    looked: Annotated[
        str,
        typer.Option(help="Your name, if you have looked at every picture and none names anybody."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a set from the labels made in the window: de-identified, the split frozen."""
    standing, marks = _standing(journal)
    label_set = load_label_set(task or _only_task(out, standing))
    sources = Sources()
    for path in study or []:
        for series in open_path(path).series:
            sources.remember(series.summary)
    with progress_bar("Opening studies") as progress:
        collected = build_from_labels(
            standing,
            label_set,
            out,
            sources=sources,
            marks=marks,
            looked_at_by=looked,
            progress=progress,
        )
    for item in collected.left_out:
        labels = "1 label is" if item.labels == 1 else f"{item.labels} labels are"
        typer.echo(f"sliceloop: {labels} left out: {item.reason}", err=True)
    if as_json:
        typer.echo(collected.manifest.model_dump_json(indent=2))
        return
    typer.echo(f"Built {out}")
    _print_manifest(collected.manifest)


@app.command()
def convert(
    folder: Annotated[Path, typer.Argument(help="A training set.")],
    to: Annotated[Format, typer.Option(help="The format to write.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    window: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Centre and width for values that are no pictures.", show_default=False),
    ] = None,
) -> None:
    """Write a set as others read it: ImageFolder, CSV with pictures, COCO, or NIfTI for MONAI."""
    chosen = None if window is None else Window(*window)
    with progress_bar("Writing") as progress:
        count = export_as(Dataset.open(folder), to, out, window=chosen, progress=progress)
    typer.echo(f"Wrote {count} slices as {to} into {out}")


@app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(help="A folder of classes, a COCO file or folder, or a datalist.")
    ],
    form: Annotated[ImportForm, typer.Option("--from", help="What it is.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    positive: Annotated[str | None, typer.Option(help="The class that is the finding.")] = None,
    group_pattern: Annotated[
        str | None,
        typer.Option(help="Regular expression; its first group in a file's name is the patient."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build a set from ImageFolder, COCO, or NIfTI with a MONAI datalist; stated parts stay."""
    with progress_bar("Reading images") as progress:
        manifest = import_set(
            form,
            source,
            out,
            positive=positive,
            group_pattern=group_pattern,
            progress=progress,
        )
    if as_json:
        typer.echo(manifest.model_dump_json(indent=2))
        return
    typer.echo(f"Built {out}")
    _print_manifest(manifest)


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Training sets; the first has the say.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    as_json: JsonOption = False,
) -> None:
    """Put sets of the same classes together, so that older data is rehearsed beside new."""
    with progress_bar("Reading sets") as progress:
        manifest = merge_sets(folders, out, progress=progress)
    if as_json:
        typer.echo(manifest.model_dump_json(indent=2))
        return
    typer.echo(f"Built {out}")
    _print_manifest(manifest)


@app.command()
def suspects(
    run: Annotated[str, typer.Argument(help="A cross-validated run.")],
    data: Annotated[Path, typer.Option(help="The set that it was trained on.")],
    most: Annotated[int, typer.Option(min=1, help="How many to list.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List labels that may be wrong: models that had not seen the patient say otherwise."""
    subject = find_subject(run)
    dataset = Dataset.open(data).as_seen(subject.card.preprocessing.dimensions)
    found = find_suspects(dataset, score(subject, dataset, "cv"))
    if as_json:
        typer.echo(json.dumps([asdict(item) for item in found[:most]], indent=2))
        return
    typer.echo(f"{len(found)} labels to look at again")
    for item in found[:most]:
        slice_ = f"{item.group} slice {dataset.orders[item.row] + 1}"
        typer.echo(f"{slice_:<24}{item.key}  {item.label} → {item.suggested}  {item.margin:.2f}")


def _say_built(out: Path, manifest: DatasetManifest, as_json: bool) -> None:
    if as_json:
        typer.echo(manifest.model_dump_json(indent=2))
        return
    typer.echo(f"Built {out}")
    _print_manifest(manifest)


def _standing(place: Path | None) -> tuple[tuple[LabelEvent, ...], tuple[LabelEvent, ...]]:
    """The entries that give all current labels, and those that give all regions marked now.

    Raises NoLabelsError without a journal.
    """
    at = default_place() if place is None else place
    if isinstance(at, Path) and not at.is_file():
        raise NoLabelsError(at)
    with Journal(at, read_only=True) as journal:
        history = History(journal.events())
    return history.standing(), history.marks()


def _only_task(out: Path, standing: tuple[LabelEvent, ...]) -> str:
    tasks = sorted({event.draft.label_set for event in standing})
    if len(tasks) == 1:
        return tasks[0]
    if not tasks:
        raise NoLabelsError(out)
    raise typer.BadParameter(
        f"there are labels of several label sets: {', '.join(tasks)}", param_hint="--task"
    )


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """A callback that draws a progress bar on standard error, if a person is looking."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _print_manifest(manifest: DatasetManifest) -> None:
    typer.echo(f"Set         {manifest.id[:16]}   {manifest.created}")
    positive = f", {manifest.positive} is the finding" if manifest.positive else ""
    typer.echo(f"Classes     {', '.join(manifest.classes)}{positive}")
    if manifest.auxiliary:
        typer.echo(f"Auxiliary   {', '.join(manifest.auxiliary)}")
    typer.echo(f"Values      {manifest.quantity}")
    typer.echo(f"Split       {manifest.split_hash[:16]}   test {manifest.test_hash[:16]}")
    width = max(len(name) for name in (*manifest.classes, "slices"))
    names = "".join(f"{name:>{width + 2}}" for name in manifest.classes)
    typer.echo(f"\n{'part':<12}{'groups':>8}{'series':>8}{'slices':>8}{names}")
    for part in SPLITS:
        counts = manifest.counts[part]
        numbers = "".join(f"{counts.classes[name]:>{width + 2}}" for name in manifest.classes)
        typer.echo(f"{part:<12}{counts.groups:>8}{counts.series:>8}{counts.slices:>8}{numbers}")


def _print_health(dataset: Dataset, health: Health) -> None:
    sizes = sorted({(int(rows), int(columns)) for rows, columns in dataset.sizes})
    if len(sizes) == 1:
        typer.echo(f"\nAll pictures are {sizes[0][0]} × {sizes[0][1]}.")
    else:
        (low_rows, low_columns), (high_rows, high_columns) = (
            dataset.sizes.min(0),
            dataset.sizes.max(0),
        )
        typer.echo(
            f"\n{len(sizes)} sizes, {low_rows}–{high_rows} rows and "
            f"{low_columns}–{high_columns} columns."
        )
    if health.duplicates:
        typer.echo(f"{health.duplicates} pairs show the same thing, on the same side of the split.")
    for caution in health.cautions:
        typer.echo(f"Mind: {caution.message}")
    for leak in health.leaks:
        typer.echo(f"LEAK: {leak.what}: {', '.join(leak.examples)}")
    if not health.leaks:
        typer.echo("No leak: no group and no picture is on two sides.")
