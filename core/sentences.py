"""Errors as sentences: what happened, to which file, and what to do.

The one table, used by the command line and by the window (which translates its output). Each
row takes an error's facts; a new error class needs a row here, and a test checks that none is
missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core import errors as e


@dataclass(frozen=True)
class Sentence:
    """What a person reads. `where` is a file or folder name, or ""."""

    what: str
    where: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.what}{place}. {self.remedy}".strip()


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


_TABLE: dict[type[e.CoreError], Callable[[Any], Sentence]] = {
    e.NothingToOpenError: lambda x: Sentence(
        "There is no image to open here"
        if x.path.exists()
        else "This file or folder does not exist",
        str(x.path),
        f"Files looked at: {x.looked_at}; choose a folder with DICOM, NIfTI, NRRD, MHA, TIFF, "
        "PNG or JPEG images."
        if x.looked_at
        else "Check the path, or choose another folder.",
    ),
    e.UnreadableImageError: lambda x: Sentence(
        f"This file cannot be read as an image: {x.reason}",
        str(x.path),
        x.remedy or "Get another copy of the file, or export it again from its source.",
    ),
    e.MissingCodecError: lambda x: Sentence(
        f"No decoder for the transfer syntax {x.transfer_syntax} is part of Sliceloop",
        str(x.path),
        "Export the series again as uncompressed, JPEG, JPEG-LS, JPEG 2000 or RLE.",
    ),
    e.NotAVolumeError: lambda x: Sentence(
        f"The {x.files} images of this series do not form a volume: {x.reason}",
        "",
        "They can be looked at one by one; planes and measurements across slices are off.",
    ),
    e.TooLargeError: lambda x: Sentence(
        f"This file says that it holds {_megabytes(x.needs_bytes)}, more than the "
        f"{_megabytes(x.limit_bytes)} that are allowed for it",
        str(x.path),
        "The file is damaged or too large for this computer; get another copy or a smaller part.",
    ),
    e.DecoderDiedError: lambda x: Sentence(
        f"This file could not be read safely: its decoder {x.how}",
        str(x.path),
        "Nothing else was touched. Get another copy of the file.",
    ),
    e.UnknownModelError: lambda x: Sentence(
        f"There is no model named “{x.model}”",
        "",
        f"Known models: {', '.join(x.known) or 'none'}. See sliceloop models list.",
    ),
    e.DamagedModelError: lambda x: Sentence(
        f"This model is not used: {x.reason}",
        str(x.path),
        "Restore the folder from a backup, or import or train the model again.",
    ),
    e.UnsuitableInputError: lambda x: Sentence(
        f"The model {x.model} was not made for this input: {'; '.join(x.reasons)}",
        "",
        "Choose another model or another series.",
    ),
    e.PretrainedUnavailableError: lambda x: Sentence(
        f"The published weights of {x.family} are not on this computer and cannot be fetched "
        f"({x.reason})",
        "",
        "Name a file with network.pretrained_file, or set network.pretrained to false.",
    ),
    e.NotEnoughMemoryError: lambda x: Sentence(
        f"There is not enough memory for the model {x.model}, even for one input at a time",
        "",
        "Close other programs, or choose a smaller model.",
    ),
    e.DeviceUnavailableError: lambda x: Sentence(
        f"This computer has no device “{x.device}” for models",
        "",
        f"Choose one of: {', '.join(x.there)}.",
    ),
    e.EngineDiedError: lambda x: Sentence(
        f"The model process {x.how}",
        "",
        "It is started again by itself; nothing is lost. Ask once more.",
    ),
    e.JournalBusyError: lambda x: Sentence(
        f"The label journal is in use by {x.holder}",
        str(x.path),
        "Close the other Sliceloop; until then this one only reads.",
    ),
    e.StoreUnreachableError: lambda x: Sentence(
        f"The shared label store cannot be used: {x.reason}",
        str(x.path),
        "Check that the database server runs and that SLICELOOP_STORE names it.",
    ),
    e.DamagedJournalError: lambda x: Sentence(
        f"The label journal is damaged: {x.reason}"
        + (f", at entry {x.sequence}" if x.sequence is not None else ""),
        str(x.path),
        "It is left as it is. “sliceloop labels restore” brings back the newest whole backup.",
    ),
    e.NotDurableError: lambda x: Sentence(
        f"This could not be saved: {x.reason}",
        str(x.path),
        "Nothing was changed. Free some space or make the folder writable, and try again.",
    ),
    e.BadSettingError: lambda x: Sentence(
        f"The setting “{x.setting}” cannot be so: {x.reason}",
        "",
        "Choose another value; nothing was changed.",
    ),
    e.BadProfileError: lambda x: Sentence(
        f"This is no profile that can be taken over: {x.reason}",
        str(x.path),
        "Nothing was changed. Export the profile again where it came from.",
    ),
    e.DamagedSiteKeyError: lambda x: Sentence(
        f"The key from which pseudonyms are made cannot be used: {x.reason}",
        str(x.path),
        "Restore it from a backup; it is not replaced, because known patients would get new names.",
    ),
    e.DamagedMeasurementsError: lambda x: Sentence(
        "The measurements that were kept of this series cannot be read",
        str(x.path),
        "The file is kept under this name; restore it from a backup, or measure anew.",
    ),
    e.MissingSystemLibraryError: lambda x: Sentence(
        "The window needs libraries of the operating system that are missing here"
        + (f": {x.reason}" if x.reason else ""),
        ", ".join(x.libraries),
        f"Install them with: sudo apt-get install -y {' '.join(x.packages)}"
        if x.packages
        else "Install them with the package manager of this system.",
    ),
    e.BrokenLineageError: lambda x: Sentence(
        f"The chain from {x.model} back to its labels breaks at its {x.link}: {x.told}",
        "",
        "Do not rely on this model's card; train it again from labels that verify.",
    ),
    e.BurnedInTextError: lambda x: Sentence(
        f"These pictures may have a name burned into their pixels: {x.reason}",
        str(x.path),
        "Look at every one of them; if none names anybody, export again with --looked YOUR-NAME.",
    ),
    e.NoLabelsError: lambda x: Sentence(
        "There are no labels yet", str(x.path), "Label slices in the window first."
    ),
    e.NewerJournalError: lambda x: Sentence(
        f"This label journal was written by a newer Sliceloop (schema {x.schema}; this one "
        f"knows {x.known})",
        str(x.path),
        "It is left as it is. Open it with the newer version.",
    ),
    e.BadLabelSetError: lambda x: Sentence(
        f"This label set cannot be used: {x.reason}",
        str(x.path),
        f"The label sets are: {', '.join(x.known)}." if x.known else "Correct the file.",
    ),
    e.BadTableError: lambda x: Sentence(
        f"This table cannot be used: {x.reason}",
        str(x.path),
        f"Its columns are: {', '.join(x.known)}." if x.known else "Correct the table and repeat.",
    ),
    e.BadRecipeError: lambda x: Sentence(
        f"The recipe {x.recipe} is not valid: {'; '.join(x.problems)}",
        "",
        "Correct these fields; docs/recipes.md lists all of them.",
    ),
    e.LeakError: lambda x: Sentence(
        f"This training set leaks: {x.what} (for instance {', '.join(x.examples[:3])})",
        "",
        "Give each patient one group and build the set again.",
    ),
    e.ConfoundError: lambda x: Sentence(
        f"This training set gives its labels away: {x.what}",
        "",
        "Make its pictures alike in this, or train all the same with --override-by YOUR-NAME "
        "--override-reason WHY.",
    ),
    e.UnusableDatasetError: lambda x: Sentence(
        f"This training set cannot be used: {x.reason}",
        str(x.path),
        x.remedy or "Build it again with sliceloop dataset build.",
    ),
    e.PreviewError: lambda x: Sentence(
        f"The preview of a retraining could not be made: {x.reason}",
        "",
        "It is tried again with the next label; nothing is lost.",
    ),
    e.RunError: lambda x: Sentence(
        f"This run cannot be used: {x.reason}",
        str(x.path),
        x.remedy or "Start a new run into an empty folder.",
    ),
    e.NotComparableError: lambda x: Sentence(
        f"These results cannot be compared: {x.reason}",
        "",
        "Evaluate both on the same test part of the same training set.",
    ),
    e.CancelledError: lambda x: Sentence(f"The {x.what} was stopped", "", ""),
}


def sentence(error: e.CoreError) -> Sentence:
    """What to tell a person about an error."""
    return _TABLE[type(error)](error)


def explained() -> frozenset[type[e.CoreError]]:
    """The error classes that have a sentence."""
    return frozenset(_TABLE)
