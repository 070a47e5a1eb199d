"""Opening: look for series under a path, show one at once, let the rest stream in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from core.errors import NothingToOpenError
from core.events import Signal
from core.imaging.geometry import Plane
from core.imaging.intensity import Quantity, automatic_window
from core.imaging.volume import Opened, Series, Skipped, Volume, measured_values
from core.session import LoadState, Reading, Session, series_key
from core.settings import OpenSeries, SettingsStore
from desktop.jobs import Failure, Job, Jobs, Task
from desktop.language import is_industry, say, say_core, say_count
from desktop.notices import Level, Notice, Tell
from desktop.operations.thumbnails import Thumbnails

_LOOKING = "open:"
_LISTED = 40
"""Skipped files that are named in the details."""


def open_path(
    path: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Opened:
    """What `core.imaging.opening.open_path` reads; the readers are imported when they are used."""
    from core.imaging import opening

    return opening.open_path(path, progress=progress, cancelled=cancelled)


class Opening:
    """What *open*, *drop* and *show this series* do."""

    loaded = Signal(object)
    """A Reading whose last slice has arrived."""
    slice_arrived = Signal(object)
    """A Reading of which another slice has arrived."""
    recent_changed = Signal()

    def __init__(self, session: Session, jobs: Jobs, settings: SettingsStore, tell: Tell) -> None:
        self._session = session
        self._jobs = jobs
        self._settings = settings
        self._tell = tell
        self._origins: dict[str, Path] = {}
        self._wanted: dict[str, OpenSeries] = {}
        self.thumbnails = Thumbnails(session, jobs)

    # ---- the session before

    def session_now(self) -> list[OpenSeries]:
        """What is open, so that it can be opened again at the next start."""
        return [
            OpenSeries(
                path=str(self._origins[reading.key]),
                key=reading.key,
                index=reading.case.navigation.index(Plane.SLICE),
                is_current=reading is self._session.current,
            )
            for reading in self._session
            if reading.key in self._origins
        ]

    def restore(self, session: list[OpenSeries]) -> None:
        """Open what was open: the same series at the same slices, the same one in front."""
        self._wanted = {item.key: item for item in session}
        there = dict.fromkeys(Path(item.path) for item in session)
        gone = [path for path in there if not path.exists()]
        if gone:
            self._tell(
                Notice(
                    Level.INFO,
                    say_count(
                        len(gone),
                        "What was open last is no longer there: {path}",
                        "{count} places that were open last are no longer there, such as {path}",
                        path=gone[0],
                    ),
                )
            )
        self._restore_next([path for path in there if path not in gone])

    def _restore_next(self, paths: Sequence[Path]) -> None:
        """One after the other, so that series stand in the order in which they stood."""
        if paths:
            self._open(paths[0], remember=False, then=lambda: self._restore_next(paths[1:]))

    # ---- finding series

    def get_ready(self) -> None:
        """Import the readers and start a decoder, before the first series asks for them."""

        def prepare(_task: Task) -> None:
            from core.imaging import decoding, opening  # noqa: F401 - imported ahead

            decoding.warm_up()

        self._jobs.submit(Job("readers", "", prepare))

    def open_paths(self, paths: Iterable[Path], *, remember: bool = True) -> None:
        """Look for images under each path; the first new series is shown.

        Several files of one folder are taken as what they are part of: the folder is opened.
        """
        for absolute in whole_folders(path.expanduser().resolve() for path in paths):
            self._open(absolute, remember=remember)

    @property
    def is_looking(self) -> bool:
        """Whether a path is being looked through."""
        return self._jobs.has_wanted(_LOOKING)

    def _open(self, path: Path, *, remember: bool, then: Callable[[], None] = lambda: None) -> None:
        def look(task: Task) -> Opened:
            return open_path(path, progress=task.progress, cancelled=task.cancelled)

        def failed(failure: Failure) -> None:
            if isinstance(failure.error, NothingToOpenError) and not path.exists():
                self._settings.forget(path)
                self.recent_changed.emit()
            self._tell(Notice.of(failure))
            then()

        def found(opened: Opened) -> None:
            self._found(path, opened, remember)
            then()

        self._jobs.submit(
            Job(f"{_LOOKING}{path}", say("Looking for images"), look),
            on_done=found,
            on_failed=failed,
        )

    def _found(self, path: Path, opened: Opened, remember: bool) -> None:
        if not opened.series:
            self._tell(Notice.of(_nothing(path, opened)))
            return
        wanted = self._wanted
        is_restored = any(item.path == str(path) for item in wanted.values())
        readings = [
            self._session.add(series)
            for series in opened.series
            if not is_restored or series_key(series) in wanted
        ]
        for reading in readings:
            if is_industry() and reading.series.summary.quantity is not Quantity.COLOUR:
                reading.window_is_chosen = False  # by percentiles, once there are values
            self._origins[reading.key] = path
            if reading.key in wanted:
                reading.case.navigation.go(wanted[reading.key].index)
        if remember:
            self._settings.remember(path)
            self.recent_changed.emit()
        if is_restored:
            self._show_restored(path, readings)
        elif readings:
            self.show(readings[0])
        self.thumbnails.want(readings)
        if opened.skipped and not is_restored:
            self._tell(_left_out(opened))

    def _show_restored(self, path: Path, readings: list[Reading]) -> None:
        """Show the series that was in front; the first one until it is found."""
        for reading in readings:
            if self._wanted[reading.key].is_current or self._session.current is None:
                self.show(reading)
        self._wanted = {k: item for k, item in self._wanted.items() if item.path != str(path)}

    # ---- showing one

    def show(self, reading: Reading | None) -> None:
        """Look at a series; its voxels are read if they are not there."""
        before = self._session.current
        if before is not None and before is not reading and before.load_state is LoadState.LOADING:
            # The newer load replaces the older one, which will not be heard of again.
            before.case.release()
            self._session.mark(before, load=LoadState.HEADERS)
        self._session.show(reading)
        if reading is not None and reading.load_state in (LoadState.HEADERS, LoadState.FAILED):
            self._load(reading)
        self.thumbnails.go_on()

    def show_another(self, series: Series) -> None:
        """Look at a series that was made from an open one; it stands beside it in the list."""
        reading = self._session.add(series)
        self.show(reading)
        self.thumbnails.want([reading])

    def load_beside(self, reading: Reading) -> None:
        """Read the voxels of a series that is to stand beside the current one."""
        if reading.load_state in (LoadState.HEADERS, LoadState.FAILED):
            self._load(reading, "load-beside")

    def _load(self, reading: Reading, key: str = "load") -> None:
        series = reading.series
        first = reading.case.navigation.index(Plane.SLICE)

        def load(task: Task) -> Volume:
            total = series.summary.shape[0]
            done = 0

            def arrived(volume: Volume, index: int) -> None:
                nonlocal done
                done += 1
                task.post((volume, index))
                task.progress(done, total)

            return series.load(first=first, on_slice=arrived, cancelled=task.cancelled, looks=looks)

        def looks() -> int:
            return reading.case.navigation.index(Plane.SLICE)

        self._session.mark(reading, load=LoadState.LOADING, note="")
        self._jobs.submit(
            Job(key, say("Reading {count} slices", count=series.summary.shape[0]), load),
            on_partial=lambda part: self._slice_arrived(reading, *part),
            on_done=lambda volume: self._load_done(reading, volume),
            on_failed=lambda failure: self._load_failed(reading, failure),
            on_cancelled=lambda: self._load_stopped(reading),
        )

    def _slice_arrived(self, reading: Reading, volume: Volume, index: int) -> None:
        if not reading.window_is_chosen:
            reading.window_is_chosen = True
            window = automatic_window(measured_values(volume, index))
            reading.case.show(window=window)
        reading.case.slice_arrived(volume, index)
        self.slice_arrived.emit(reading)
        self.thumbnails.go_on()

    def _load_done(self, reading: Reading, volume: Volume) -> None:
        for index in range(volume.slices):
            if not reading.case.has(index):
                self._slice_arrived(reading, volume, index)
        self._session.mark(reading, load=LoadState.LOADED)
        self._session.trim(self._settings.values.voxel_budget)
        self._read_drawings(reading)
        self.loaded.emit(reading)

    def _read_drawings(self, reading: Reading) -> None:
        """Read what the files draw over their slices, once the slices are there."""
        drawn = {k for item in reading.summary.warnings if item.code == "overlays"
                 for k in item.slices}  # fmt: skip
        overlays = getattr(reading.series, "overlays", None)  # of DICOM series alone
        if not drawn or overlays is None or reading.case.has_drawings:
            return
        here = reading.case.navigation.index()
        nearest = sorted(drawn, key=lambda k: abs(k - here))

        def read(task: Task) -> None:
            from core.reading.drawings import Drawing

            for index in nearest:
                task.check()
                made = Drawing.of([item.mask for item in overlays(index)])
                if made is not None:
                    task.post((index, made))

        self._jobs.submit(
            Job(f"drawings:{reading.key}", "", read),
            on_partial=lambda part: reading.case.drawing_arrived(*part),
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )

    def _load_failed(self, reading: Reading, failure: Failure) -> None:
        self._session.mark(reading, load=LoadState.FAILED, note=str(failure.sentence))
        self._tell(Notice.of(failure))
        self.thumbnails.go_on()

    def _load_stopped(self, reading: Reading) -> None:
        """The person stopped it: what has come stays, and another look reads it again."""
        if reading.load_state is not LoadState.LOADING:
            return  # another series took its place
        self._session.mark(reading, load=LoadState.HEADERS)
        words = say("Reading was stopped. Choose the series again in the list to read all of it.")
        self._tell(Notice(Level.INFO, words))
        self.thumbnails.go_on()

    def step_series(self, step: int) -> None:
        """Look at the series before or after the current one."""
        neighbour = self._session.neighbour(step)
        if neighbour is not None:
            self.show(neighbour)

    def close_series(self, reading: Reading) -> None:
        """Close a series; another one is shown."""
        if reading.load_state is LoadState.LOADING:
            self._session.mark(reading, load=LoadState.HEADERS)
            self._jobs.cancel_key("load")
        self._session.close(reading)
        self.show(self._session.current)


def whole_folders(paths: Iterable[Path]) -> list[Path]:
    """Each path once; two or more files of one folder are replaced by the folder."""
    given = list(dict.fromkeys(paths))
    files = Counter(path.parent for path in given if path.is_file())
    return list(
        dict.fromkeys(
            path.parent if path.is_file() and files[path.parent] > 1 else path for path in given
        )
    )


def _nothing(path: Path, opened: Opened) -> Failure:
    from core.sentences import sentence

    error = NothingToOpenError(path, len(opened.skipped))
    return Failure(sentence(error), _list_of(opened.skipped), error)


def _left_out(opened: Opened) -> Notice:
    first = opened.skipped[0]
    words = say_count(
        len(opened.skipped),
        "{series} series opened. {count} file was left out: {file}: {reason}",
        "{series} series opened. {count} files were left out, the first: {file}: {reason}",
        series=len(opened.series),
        file=first.file.name,
        reason=say_core(first.reason),
    )
    return Notice(Level.INFO, words, _list_of(opened.skipped))


def _list_of(skipped: tuple[Skipped, ...]) -> str:
    lines = [f"{item.file.name}: {say_core(item.reason)}" for item in skipped[:_LISTED]]
    if len(skipped) > _LISTED:
        lines.append(say("… and {count} more", count=len(skipped) - _LISTED))
    return "\n".join(lines)
