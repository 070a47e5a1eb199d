"""Pictures that were once tested on, kept by hash for ever.

A set that is built again from a longer table draws its parts anew: shares are kept, so that a
patient may be needed elsewhere. Whoever was in a drawn test part before stays there, whatever he is
called, in whatever table, by the pictures themselves. Parts that a person states are no draw: they
are neither kept nor changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from core import durable, places
from core.errors import UnusableDatasetError
from core.retraining.manifest import Split

_FILE = "tested.bin"
_BYTES = 16
"""Leading bytes of a SHA-256 that are kept: two pictures share them by no chance."""

_SHARE = 0.1
"""Of a group's pictures, as where pictures on two sides show the same thing."""


class TestedPictures:
    """Hashes of pictures, in the profile's data folder."""

    __test__ = False

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or places.data_folder() / _FILE
        self._known = self._read()

    def __contains__(self, pixel_sha256: str) -> bool:
        return bytes.fromhex(pixel_sha256)[:_BYTES] in self._known

    def parts_of(self, pictures: Iterable[tuple[str, str]]) -> dict[str, Split]:
        """Group → "test", of groups of which a tenth of the pictures were tested on.

        pictures: (group, pixel SHA-256), without pictures of one value, which all patients share.
        One slice alone may be alike by chance, as at the ends of shape masks.
        """
        every, here = Counter[str](), Counter[str]()
        for group, digest in pictures:
            every[group] += 1
            here[group] += digest in self
        return {group: "test" for group in every if here[group] >= max(1, _SHARE * every[group])}

    def add(self, pixel_digests: Iterable[str]) -> None:
        """Keep these before this returns. Raises NotDurableError."""
        grown = self._known.union(bytes.fromhex(one)[:_BYTES] for one in pixel_digests)
        if len(grown) > len(self._known):
            durable.write_bytes(self._file, b"".join(sorted(grown)))
            self._known = grown

    def _read(self) -> frozenset[bytes]:
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            raise self._unreadable() from error
        if len(content) % _BYTES:
            raise self._unreadable()
        return frozenset(content[at : at + _BYTES] for at in range(0, len(content), _BYTES))

    def _unreadable(self) -> UnusableDatasetError:
        # Not begun anew: known test patients could end up in training.
        return UnusableDatasetError(
            self._file,
            "the record of which pictures were tested on cannot be read",
            "Restore it from a backup: without it test patients could be trained on.",
        )
