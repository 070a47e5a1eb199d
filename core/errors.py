"""What can go wrong, as facts. The sentence a person reads is written in `core.sentences`.

An error names *what* happened by its class and *which* by its fields; it never holds a
finished sentence, so that the command line, the window and another language can each say it
in their own way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(eq=False)
class CoreError(Exception):
    """Base of every error that a person can be told about.

    Anything else that escapes is a defect and is reported as one.
    """

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({facts})"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries: rebuild from the fields, not from Exception.args.
        return (type(self), tuple(getattr(self, name) for name in self.__dataclass_fields__))


# ----------------------------------------------------------------- opening images


@dataclass(eq=False)
class NothingToOpenError(CoreError):
    """The path does not exist, or holds no file that is an image."""

    path: Path
    looked_at: int = 0


@dataclass(eq=False)
class UnreadableImageError(CoreError):
    """One file cannot be read as the image that it claims to be.

    reason: a short clause, such as "the file ends before its pixel data".
    remedy: what a person can do, if it is more than asking for another copy.
    """

    path: Path
    reason: str
    remedy: str = ""


@dataclass(eq=False)
class MissingCodecError(CoreError):
    """No decoder for this transfer syntax is part of Sliceloop."""

    path: Path
    transfer_syntax: str


@dataclass(eq=False)
class NotAVolumeError(CoreError):
    """The files of a series cannot be stacked: sizes, orientations or kinds differ."""

    series_uid: str
    reason: str
    files: int


@dataclass(eq=False)
class TooLargeError(CoreError):
    """The declared size exceeds what the file can hold or what memory allows."""

    path: Path
    needs_bytes: int
    limit_bytes: int


@dataclass(eq=False)
class DecoderDiedError(CoreError):
    """The process that decoded this file crashed, hung or ran out of its memory limit."""

    path: Path
    how: str


# ----------------------------------------------------------------- models


@dataclass(eq=False)
class UnknownModelError(CoreError):
    """No model of that name is in the catalogue."""

    model: str
    known: tuple[str, ...] = ()


@dataclass(eq=False)
class DamagedModelError(CoreError):
    """Card or weights are absent, altered or do not fit each other."""

    path: Path
    reason: str


@dataclass(eq=False)
class PretrainedUnavailableError(CoreError):
    """A family's published weights are neither on this computer nor to be had from their server."""

    family: str
    reason: str


@dataclass(eq=False)
class NotEnoughMemoryError(CoreError):
    """A model cannot answer even a single slice or volume with the memory that there is."""

    model: str


@dataclass(eq=False)
class DeviceUnavailableError(CoreError):
    """A device was named that this computer does not have. there: those that it has."""

    device: str
    there: tuple[str, ...]


@dataclass(eq=False)
class UnsuitableInputError(CoreError):
    """The model's card does not allow this input, and the caller did not override it."""

    model: str
    reasons: tuple[str, ...]


@dataclass(eq=False)
class EngineDiedError(CoreError):
    """The engine process ended while a request was open."""

    how: str


# ----------------------------------------------------------------- labels


@dataclass(eq=False)
class JournalBusyError(CoreError):
    """Another running Sliceloop holds the label journal."""

    path: Path
    holder: str


@dataclass(eq=False)
class StoreUnreachableError(CoreError):
    """The database server of a shared label store does not answer or does not let us in."""

    path: Path
    reason: str


@dataclass(eq=False)
class DamagedJournalError(CoreError):
    """The journal's chain of hashes is broken, or the file is not a journal."""

    path: Path
    reason: str
    sequence: int | None = None


@dataclass(eq=False)
class NotDurableError(CoreError):
    """Something could not be written and flushed; nothing was acknowledged."""

    path: Path
    reason: str


# ----------------------------------------------------------------- this workstation


@dataclass(eq=False)
class BadSettingError(CoreError):
    """A setting cannot have this value, or there is no setting of that name."""

    setting: str
    reason: str


@dataclass(eq=False)
class BadProfileError(CoreError):
    """A file is no exported profile, or holds what an exported profile never holds."""

    path: Path
    reason: str


@dataclass(eq=False)
class DamagedSiteKeyError(CoreError):
    """The secret from which this site's pseudonyms are made is unreadable or altered."""

    path: Path
    reason: str


@dataclass(eq=False)
class DamagedMeasurementsError(CoreError):
    """What was measured in a series cannot be read; path: where the file was put aside."""

    path: Path


@dataclass(eq=False)
class MissingSystemLibraryError(CoreError):
    """Shared libraries of the operating system that the window needs cannot be loaded.

    libraries: their names, such as "libEGL.so.1". packages: the Debian packages that hold them.
    """

    libraries: tuple[str, ...]
    packages: tuple[str, ...] = ()
    reason: str = ""


@dataclass(eq=False)
class BrokenLineageError(CoreError):
    """What a model is said to be made from is here, and is not what it is said to be."""

    model: str
    link: str
    told: str


@dataclass(eq=False)
class BurnedInTextError(CoreError):
    """Pictures that are about to leave probably have text burned in, and nobody has looked."""

    path: Path
    reason: str


@dataclass(eq=False)
class NoLabelsError(CoreError):
    """There is no label journal yet, or nothing in it."""

    path: Path


@dataclass(eq=False)
class NewerJournalError(CoreError):
    """The journal was written by a newer Sliceloop than this one."""

    path: Path
    schema: int
    known: int


@dataclass(eq=False)
class BadLabelSetError(CoreError):
    """A label set is absent, or its YAML does not say what a label set must say."""

    path: Path
    reason: str
    known: tuple[str, ...] = ()


# ----------------------------------------------------------------- training


@dataclass(eq=False)
class BadTableError(CoreError):
    """A table does not have what was asked for: a column, a value, a file."""

    path: Path
    reason: str
    known: tuple[str, ...] = ()


@dataclass(eq=False)
class BadRecipeError(CoreError):
    """A recipe has an unknown key or a value out of its range."""

    recipe: str
    problems: tuple[str, ...]


@dataclass(eq=False)
class LeakError(CoreError):
    """The same patient, or the same image, stands on two sides of a split."""

    what: str
    examples: tuple[str, ...]


@dataclass(eq=False)
class ConfoundError(CoreError):
    """Something beside the content of the pictures gives their labels away."""

    what: str


@dataclass(eq=False)
class UnusableDatasetError(CoreError):
    """A training set is absent, damaged, or too small for what is asked."""

    path: Path
    reason: str
    remedy: str = ""


@dataclass(eq=False)
class RunError(CoreError):
    """A training run cannot be started, resumed or used."""

    path: Path
    reason: str
    remedy: str = ""


@dataclass(eq=False)
class PreviewError(CoreError):
    """What a retraining would change cannot be foretold now."""

    reason: str


@dataclass(eq=False)
class NotComparableError(CoreError):
    """Two results were not measured on the same cases."""

    reason: str


@dataclass(eq=False)
class CancelledError(CoreError):
    """The person, or a newer request, stopped this work."""

    what: str = field(default="work")
