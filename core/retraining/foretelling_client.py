"""The window's side of previews: a process that has read the features, asked again and again.

One JSON object a line goes in (`Request`) and comes out (`Reply`). The process ends with its
standard input, so that none stays behind whatever happens to the window. It imports no torch.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.errors import PreviewError
from core.retraining.preview import Preview
from core.workers import worker_command


class Request(BaseModel):
    """What is asked. labels: slice code → finding. reload: features were added: read them."""

    model_config = ConfigDict(frozen=True)

    labels: dict[str, bool]
    reload: bool = False


class Reply(BaseModel):
    """What comes back: a preview, None where no features are kept, or why there is none."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    preview: Preview | None = None
    problem: str = ""


class ForetellingClient:
    """Owner of the process. `ask` waits for the answer: call it on a thread of its own."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._model: Path | None = None
        self._reload = False
        self._is_closed = False

    def ask(self, model: Path, labels: Mapping[str, bool]) -> Preview | None:
        """What a retraining of a model (its folder) on labels would change.

        None where no features are kept. Raises PreviewError if the process ended or refused; the
        next question starts another one.
        """
        with self._turn:
            process = self._running(model)
            request = Request(labels=dict(labels), reload=self._reload)
            self._reload = False
            assert process.stdin is not None and process.stdout is not None  # noqa: S101 - pipes
            line = ""
            with suppress(OSError, ValueError):  # told below, as any other end
                process.stdin.write(f"{request.model_dump_json()}\n")
                process.stdin.flush()
                line = process.stdout.readline()
            if not line:
                self._end()
                raise PreviewError(f"its process {_how(process.returncode)}")
            reply = Reply.model_validate_json(line)
        if reply.problem:
            raise PreviewError(reply.problem)
        return reply.preview

    def features_changed(self) -> None:
        """Read the features anew before the next answer."""
        self._reload = True

    def close(self) -> None:
        """End the process; a question under way fails."""
        self._is_closed = True
        process = self._process
        if process is not None:
            process.kill()
        with self._turn:
            self._end()

    @property
    def pid(self) -> int | None:
        """Process id, if there is a process."""
        return self._process.pid if self._process is not None else None

    def _running(self, model: Path) -> subprocess.Popen[str]:
        if self._is_closed:
            raise PreviewError("the window is closing")
        if self._process is not None and (self._model != model or self._process.poll() is not None):
            self._end()
        if self._process is None:
            self._process = subprocess.Popen(
                worker_command("foretell", str(model)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            )
            self._model = model
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        process.kill()
        process.wait()


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by signal {-code}"
    return f"ended with exit code {code}"
