"""Trains, promotes and exports in child processes, kills them, and looks at what is left.

Run as `python -m tests.core.retraining.kennel WHAT FOLDER KILLS SEED`, WHAT being train, promote
or export; prints one JSON object. A process of its own, because it forks.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 120


def killed(work: Callable[[Callable[[str], None]], None], wait: float) -> list[str]:
    """Fork, work, kill `wait` seconds after the first word; what the child had said by then.

    A child that ends by itself is let go.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 0
        try:
            work(lambda word: os.write(writing, f"{word}\n".encode()))
        except BaseException as error:  # noqa: BLE001 - a forked child must not return
            os.write(writing, f"ERROR {type(error).__name__} {error}\n".encode())
            code = 1
        os._exit(code)
    os.close(writing)
    heard = b""
    select.select([reading], [], [], PATIENCE_SECONDS)
    deadline = time.monotonic() + wait
    while (left := deadline - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            more = os.read(reading, 65536)
            if not more:
                break
            heard += more
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reading, 65536):
        heard += more
    os.close(reading)
    return heard.decode().splitlines()


def train(folder: Path, kills: int, chance: random.Random) -> dict[str, Any]:
    """One run, killed and resumed until it is through; then as it is without."""
    import torch

    from core.errors import CoreError
    from core.retraining import checkpoint
    from core.retraining.protocol import RunFolder, TrainingRequest
    from core.retraining.trainer import train_in_folder
    from tests.core.retraining.making import small_dataset

    torch.set_num_threads(1)
    data = small_dataset(folder / "made").folder
    recipe = folder / "small.yaml"
    recipe.write_text(
        "title: A small one\n"
        "network: {family: plain-cnn, pretrained: false, frozen_stages: 0, frozen_norm: false}\n"
        "preprocessing: {size: 32, crop: whole}\n"
        "sampling: {slices_per_epoch: 8}\n"
        "optimiser: {batch_size: 8}\n"
        f"stopping: {{epochs: {2 * kills}}}\n"
    )
    request = TrainingRequest(recipe=str(recipe), data=data, model_id="killed")
    run = RunFolder(folder / "run")
    run.create(request)
    damaged, problems, done = 0, [], 0
    for _ in range(kills):
        if run.state == "finished":
            break
        said = killed(
            lambda tell: tell(str(train_in_folder(run.path, lambda e: tell(e["event"])))),
            chance.uniform(0, 0.25),
        )
        problems += [word for word in said if word.startswith("ERROR") or word == "failed"]
        done += 1
        try:
            checkpoint.load(run.path / "checkpoints" / "once" / "last")
        except CoreError:
            damaged += 1
        if run.model.exists() and not (run.model / "card.json").is_file():
            problems.append("half a model")
    code = train_in_folder(run.path)
    other = RunFolder(folder / "uninterrupted")
    other.create(request)
    train_in_folder(other.path)
    same = (run.model / "model.safetensors").read_bytes() == (
        other.model / "model.safetensors"
    ).read_bytes()
    left = [p.name for p in (run.path / "checkpoints" / "once").iterdir() if p.name[0] == "."]
    return {
        "kills": done,
        "damaged": damaged,
        "problems": problems,
        "finished": code == 0 and run.state == "finished",
        "same_as_uninterrupted": same,
        "left": sorted(set(left) - {".last.old", ".best.old"}),
    }


def promote(folder: Path, kills: int, chance: random.Random) -> dict[str, Any]:
    """Publish, promote and roll back for ever; the active model is exactly old or new."""
    from core.models.card import check_weights
    from core.models.catalogue import Catalogue
    from tests.core.models.making import make_model

    for number in range(3):
        make_model(folder / f"m{number}", f"m{number}", number, task="bleeding")
    root = folder / "own"
    first = Catalogue(folder / "shipped", root)
    for number in range(3):
        first.publish(folder / f"m{number}")
    first.promote("m0", "kim", "start")

    def work(tell: Callable[[str], None]) -> None:
        catalogue = Catalogue(folder / "shipped", root)
        while True:
            step = chance.randrange(4)
            if step == 3:
                entry = catalogue.publish(folder / "m1")
                tell(f"published {entry.card.id}")
                continue
            tell(f"promoting m{step}")
            catalogue.promote(f"m{step}", "kim", "better")
            tell(f"promoted m{step}")

    wrong: list[str] = []
    active, promoted = "m0", 1
    for _ in range(kills):
        chance.seed(chance.random())
        said = killed(work, chance.uniform(0, 0.12))
        wrong += [word for word in said if word.startswith("ERROR")]
        steps = [word.split() for word in said]
        done = [name for kind, name in steps if kind == "promoted"]
        begun = [name for kind, name in steps if kind == "promoting"]
        allowed = {done[-1] if done else active} | set(begun[len(done) :])
        catalogue = Catalogue(folder / "shipped", root)
        entry = catalogue.active("bleeding")
        promoted += len(done)
        if entry is None or entry.card.id not in allowed:
            wrong.append(f"{entry and entry.card.id} is active, {sorted(allowed)} may be")
            break
        for every in catalogue.list():
            check_weights(every.folder, every.card)
        if catalogue.damaged():
            wrong.append("a model is half there")
        if not promoted <= len(catalogue.promotions()) <= promoted + 1:
            wrong.append(f"{len(catalogue.promotions())} promotions, {promoted} acknowledged")
        active, promoted = entry.card.id, len(catalogue.promotions())
        for name in (name for kind, name in steps if kind == "published"):
            if not (root / name / "card.json").is_file():
                wrong.append(f"{name} was published and is gone")
    return {"kills": kills, "promotions": promoted, "wrong": wrong}


def export(folder: Path, kills: int, chance: random.Random) -> dict[str, Any]:
    """De-identified exports and converted sets: complete, or invisible."""
    import hashlib

    from core.imaging.deidentified import MANIFEST, export_series
    from core.imaging.deidentify import site_key
    from core.imaging.opening import open_path
    from core.retraining.dataset import Dataset
    from core.retraining.exporting import export_as
    from tests.core.imaging.dicom.make import write_series
    from tests.core.retraining.making import small_dataset

    write_series(folder / "in", list(range(0, 40, 2)))
    dataset = small_dataset(folder / "made").folder
    key = site_key()
    whole = half = 0
    wrong: list[str] = []
    count = export_as(Dataset.open(dataset), "csv", folder / "measured")
    expected = sum(1 for _ in (folder / "measured").rglob("*"))

    for number in range(kills):
        out, other = folder / f"out-{number}", folder / f"csv-{number}"

        def work(tell: Callable[[str], None], out: Path = out, other: Path = other) -> None:
            series = open_path(folder / "in").series
            tell("begun")
            export_series(series, out, key, form="dicom")
            export_as(Dataset.open(dataset), "csv", other)
            tell("done")

        said = killed(work, chance.uniform(0, 1.2))
        wrong += [word for word in said if word.startswith("ERROR")]
        if out.exists():
            manifest = json.loads((out / MANIFEST).read_bytes())
            for name, digest in manifest["files"].items():
                if hashlib.sha256((out / name).read_bytes()).hexdigest() != digest:
                    wrong.append(f"{name} is not what the manifest says")
            whole += len(manifest["files"]) == 20
            wrong += [] if len(manifest["files"]) == 20 else ["slices are missing"]
        if other.exists() and sum(1 for _ in other.rglob("*")) != expected:
            wrong.append("half a table")
        half += not out.exists()
    return {"kills": kills, "whole": whole, "invisible": half, "slices": count, "wrong": wrong}


def main() -> None:
    """Kill and look, again and again."""
    what, folder = sys.argv[1], Path(sys.argv[2])
    os.environ["SLICELOOP_HOME"] = str(folder / "profile")
    works = {"train": train, "promote": promote, "export": export}
    result = works[what](folder, int(sys.argv[3]), random.Random(int(sys.argv[4])))
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
