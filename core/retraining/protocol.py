"""The run folder: how the trainer and whoever watches it talk, by files alone.

    request.json    what to train; written once, before the child starts
    events.jsonl    one JSON object a line, appended by the trainer
    stop            its existence asks the trainer to stop after the step at hand
    checkpoints/    resumable states
    model/          card.json + model.safetensors, there when the run has succeeded
    result.json     there when the run has succeeded, never before
    trainer.json    process id and start time of the trainer that is at work
    logs/           TensorBoard's files, for people who look with it

A watcher may come and go, and so may the trainer: a restarted window finds the run again, and
a killed trainer resumes from its last checkpoint.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core import durable
from core.errors import RunError
from core.workers import worker_command

State = Literal["new", "running", "stopped", "failed", "finished"]
Event = dict[str, Any]


class TrainingRequest(BaseModel):
    """What to train, frozen when the run begins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    """Name of a recipe in resources/recipes, or a path to a YAML file."""
    data: Path
    """Folder of a training set."""
    base_model: Path | None = None
    """Folder of the model whose weights to start from; None starts as the recipe says."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Recipe fields to change, dotted names."""
    model_id: str = ""
    """Id of the model to be made; "" makes one from recipe and time."""
    override: tuple[str, str] | None = None
    """Who trains although the set's check says no, and why; both go onto the card."""


class RunFolder:
    """One training run on disk. Cheap to make; reads the files anew at each question.

    fold: the part of the run that this process trains alone; processes at different folds may
    share the folder.
    """

    def __init__(self, path: Path, fold: int | None = None) -> None:
        self.path = path
        self._note = path / ("trainer.json" if fold is None else f"trainer-{fold}.json")

    # ---- the watcher's side

    @property
    def request(self) -> TrainingRequest:
        """What was asked. Raises RunError if this is not a run folder."""
        file = self.path / "request.json"
        try:
            return TrainingRequest.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            raise RunError(self.path, "it holds no request.json") from None
        except (OSError, ValidationError) as error:
            raise RunError(file, "its request cannot be read") from error

    def events(self, after: int = 0) -> list[Event]:
        """Events from number `after` on (0 is the first). A line still being written is left."""
        try:
            text = (self.path / "events.jsonl").read_text("utf-8")
        except FileNotFoundError:
            return []
        lines = text.split("\n")[:-1]
        return [event for line in lines[after:] if (event := _event(line)) is not None]

    @property
    def is_running(self) -> bool:
        """Whether a trainer process is at work in this folder."""
        import psutil  # not at the start of the window, which imports this module

        try:
            note = json.loads(self._note.read_bytes())
            started = psutil.Process(int(note["pid"])).create_time()
        except (OSError, ValueError, KeyError, psutil.Error):
            return False
        return abs(started - float(note["started"])) < 1.0

    @property
    def state(self) -> State:
        """Where the run stands, told from files and processes, never from memory."""
        if (self.path / "result.json").is_file():
            return "finished"
        if self.is_running:
            return "running"
        events = self.events()
        if not events:
            return "new"
        return "failed" if events[-1]["event"] == "failed" else "stopped"

    @property
    def result(self) -> dict[str, Any] | None:
        """The run's outcome, or None as long as it has not succeeded."""
        try:
            found: dict[str, Any] = json.loads((self.path / "result.json").read_bytes())
        except FileNotFoundError:
            return None
        return found

    @property
    def model(self) -> Path:
        """Folder of the trained model; complete when `state` is finished."""
        return self.path / "model"

    @property
    def logs(self) -> Path:
        """Folder of TensorBoard's files."""
        return self.path / "logs"

    def ask_stop(self) -> None:
        """Ask the trainer to stop; it keeps its last checkpoint."""
        durable.write_bytes(self.path / "stop", b"")

    # ---- the trainer's side

    def create(self, request: TrainingRequest) -> None:
        """Write the request. Raises RunError if the folder holds another run."""
        if self.path.exists() and any(self.path.iterdir()):
            raise RunError(
                self.path,
                "the folder is not empty",
                "Choose another folder for --out, or resume this run with --resume.",
            )
        durable.write_json(self.path / "request.json", json.loads(request.model_dump_json()))

    def take(self) -> None:
        """Note that this process trains here. Raises RunError if another one does."""
        import psutil

        if self.is_running:
            raise RunError(self.path, "another trainer is at work in it", "Wait, or stop it first.")
        (self.path / "stop").unlink(missing_ok=True)
        own = {"pid": os.getpid(), "started": psutil.Process().create_time()}
        durable.write_json(self._note, own)

    def leave(self) -> None:
        """This process no longer trains here."""
        self._note.unlink(missing_ok=True)

    def append(self, event: str, **facts: Any) -> Event:
        """Append an event, flushed to the disk before it returns. Raises NotDurableError."""
        line: Event = {"event": event, "at": time.time(), **facts}
        durable.append_line(self.path / "events.jsonl", json.dumps(line))
        return line

    @property
    def stop_asked(self) -> bool:
        """Whether somebody asked the trainer to stop."""
        return (self.path / "stop").exists()

    def finish(self, result: dict[str, Any]) -> None:
        """Write the outcome: from now on the run counts as a success."""
        durable.write_json(self.path / "result.json", result)


def _event(line: str) -> Event | None:
    """A line as an event; None for one that a killed trainer left half there."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def start_training(
    request: TrainingRequest,
    run: Path,
    *,
    resume: bool = False,
    launch: Callable[[list[str], Path], int] | None = None,
) -> int:
    """Start a child process that trains into `run`, and outlives this one. Returns its pid.

    launch: starts a command with a log file and returns the pid; the default detaches it.
    Raises RunError if the folder cannot be used.
    """
    folder = RunFolder(run)
    if resume:
        if folder.state not in ("stopped", "failed", "new"):
            raise RunError(run, f"it is {folder.state}", "There is nothing to resume.")
    else:
        folder.create(request)
    return (launch or _detach)(worker_command("train", str(run)), run / "trainer.log")


def _detach(command: list[str], log: Path) -> int:
    with log.open("ab") as stream:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=os.name != "nt",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    _children.append(child)
    return child.pid


_children: list[subprocess.Popen[bytes]] = []
"""Kept so that a finished child is reaped and its Popen is not finalised while it runs."""


def reap() -> None:
    """Collect children that have ended, so that none stays behind as a zombie."""
    _children[:] = [child for child in _children if child.poll() is None]
