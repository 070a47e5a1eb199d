"""Everything that is written, on a small file system of its own while it fills up.

`python -m tests.core.retraining.filling FOLDER LEVELS`, inside `unshare -m`: mounts a tmpfs on
FOLDER and, for each level of free space, tries every kind of write; prints one JSON object.
What was there before must be there afterwards, and what failed must say so in a sentence.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

BLOCK = 4096
SIZE_MB = 4


def fill(folder: Path, leave: int) -> None:
    """Write a file that leaves `leave` blocks of the file system free."""
    free = os.statvfs(folder).f_bavail
    with (folder / "filler").open("ab") as stream:
        stream.write(b"\0" * BLOCK * max(free - leave, 0))


def works(folder: Path, made: Path) -> dict[str, Callable[[int], object]]:
    """Name → what is written at a level."""
    import torch

    from core.imaging.deidentified import export_series
    from core.imaging.deidentify import site_key
    from core.imaging.opening import open_path
    from core.models.catalogue import Catalogue
    from core.retraining import checkpoint, foretold
    from core.retraining.building import build_from_table
    from core.retraining.dataset import Dataset
    from core.retraining.exporting import export_as
    from core.retraining.protocol import RunFolder, TrainingRequest
    from core.settings import SettingsStore
    from tests.core.imaging.dicom.make import write_series
    from tests.core.models.making import make_model
    from tests.core.retraining.making import request, small_dataset, table_of_patients

    write_series(made / "in", [0, 2])
    series, key = open_path(made / "in").series, site_key()
    series[0].load()
    table, _ = table_of_patients(made / "source", 4, 2)
    dataset = Dataset.open(small_dataset(made / "small").folder)
    catalogue = Catalogue(shipped=made / "none")
    for number, name in enumerate(("one", "two")):
        make_model(made / name, name, number, task="bleeding")
        catalogue.publish(made / name)
        catalogue.promote(name, "kim", "start")
    state = {"model": {"weight": torch.zeros(2000)}}
    last = folder / "run" / "last"
    checkpoint.save(last, state, {"epoch": -1})
    run = RunFolder(folder / "other")
    run.create(TrainingRequest(recipe="quick", data=dataset.folder))

    def settings(level: int) -> None:
        from core import durable

        store = SettingsStore()
        store.values.reader = f"reader {level}"
        # `save` itself must not end a session: it logs. The write beneath it must tell.
        durable.write_json(store.file, store.values.model_dump())

    many = [f"key-{number}" for number in range(99)]
    return {
        "export": lambda n: export_series(series, folder / f"export-{n}", key, form="dicom"),
        "set": lambda n: build_from_table(request(table, folder / f"set-{n}")),
        "convert": lambda n: export_as(dataset, "csv", folder / f"convert-{n}"),
        "checkpoint": lambda n: checkpoint.save(last, state, {"epoch": n}),
        "publish": lambda _n: catalogue.publish(made / "one"),
        "promote": lambda n: catalogue.promote(("one", "two")[n % 2], "kim", f"level {n}"),
        "event": lambda n: run.append("step", step=n),
        "foretold": lambda n: foretold.remember("a" * 64, dict.fromkeys(many, (n > 0, False))),
        "settings": settings,
    }  # fmt: skip


def look(folder: Path, made: Path) -> list[str]:
    """What is half there or gone."""
    from core.models.card import check_weights
    from core.models.catalogue import Catalogue
    from core.retraining import checkpoint
    from core.retraining.protocol import RunFolder
    from core.settings import SettingsStore

    wrong = []
    catalogue = Catalogue(shipped=made / "none")
    for entry in catalogue.list():
        check_weights(entry.folder, entry.card)
    if catalogue.active("bleeding") is None or catalogue.damaged():
        wrong.append("the catalogue is not whole")
    if checkpoint.load(folder / "run" / "last") is None:
        wrong.append("no checkpoint")
    if SettingsStore().damaged:
        wrong.append("the settings are damaged")
    try:
        RunFolder(folder / "other").events()
    except ValueError:
        wrong.append("the run's events cannot be read")
    wrong += [f"{path} was left" for path in folder.rglob(".*.part") if path.exists()]
    return wrong


def main() -> None:
    """Fill to each level, write, make room, look."""
    folder, levels = Path(sys.argv[1]), int(sys.argv[2])
    disk, made = folder / "disk", folder / "made"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "none", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        sys.stdout.write(json.dumps({"skip": "mounts are not allowed here"}))
        return
    os.environ["SLICELOOP_HOME"] = str(disk / "profile")
    from core.errors import CoreError
    from core.sentences import sentence

    todo = works(disk, made)
    refused, told, wrong = dict.fromkeys(todo, 0), set(), []
    for level in range(levels):
        for name, work in todo.items():
            before = set(disk.iterdir())
            fill(disk, leave=level)
            try:
                work(level)
            except CoreError as error:
                refused[name] += 1
                told.add(type(error).__name__)
                if "\n" in str(sentence(error)):
                    wrong.append(f"{name}: no single sentence")
                left = set(disk.iterdir()) - before - {disk / "filler"}
                wrong += [f"{name} {level}: {path.name} is half there" for path in left]
            except BaseException as error:  # noqa: BLE001 - anything else is what is looked for
                wrong.append(f"{name} {level}: {type(error).__name__} {error}")
            (disk / "filler").unlink()
            clear(disk)
        wrong += look(disk, made)
    for work in todo.values():
        work(levels)  # works again once there is room
    clear(disk)
    before = sorted(disk.rglob("*"))
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True, capture_output=True)
    read_only = 0
    for name, work in todo.items():
        try:
            work(levels + 1)
            wrong.append(f"{name} was written on a read-only disk")
        except CoreError as error:
            read_only += 1
            told.add(type(error).__name__)
            if "read-only" not in str(sentence(error)).lower():
                wrong.append(f"{name}: {sentence(error)}")
        except BaseException as error:  # noqa: BLE001 - anything else is what is looked for
            wrong.append(f"{name} read-only: {type(error).__name__} {error}")
    wrong += look(disk, made)
    wrong += [] if sorted(disk.rglob("*")) == before else ["a read-only disk changed"]
    result: dict[str, Any] = {"refused": refused, "read_only": read_only, "told": sorted(told)}
    result["wrong"] = wrong[:20]
    sys.stdout.write(json.dumps(result))


def clear(disk: Path) -> None:
    """Make room: what succeeded is not needed any more."""
    import shutil

    from core import places

    for path in disk.iterdir():
        if path.name.split("-")[0] in ("export", "set", "convert"):
            shutil.rmtree(path)
    for path in places.user_models().glob("one-*"):
        shutil.rmtree(path)


if __name__ == "__main__":
    main()
