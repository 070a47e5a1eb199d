"""Which models there are, and which one answers. Nothing here imports torch.

Models that came with the program are read-only; the person's own lie in a second root. Which
model is active for a task is the last entry of an append-only list of promotions, so that who
changed it, when and why is never lost, and going back is another entry.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from core import durable, places
from core.errors import DamagedModelError, NotDurableError, UnknownModelError
from core.events import Signal
from core.models.card import CARD_FILE, Card, check_weights, read_card, write_card

_PROMOTIONS = "promotions.json"

Origin = Literal["shipped", "own"]
_Folders = list[tuple[Path, Origin]]
_Found = list[tuple[Path, Card, Origin]]


class Promotion(BaseModel):
    """One change of the active model of a task: who, when, why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    model: str
    weights_sha256: str
    previous: str | None
    by: str
    reason: str
    at: str
    action: Literal["promote", "rollback"]
    digest: str = ""
    """SHA-256 of this entry and the one before; "" in entries older than this field."""


@dataclass(frozen=True)
class CatalogueEntry:
    """A model at hand. origin: "shipped" or "own"."""

    folder: Path
    card: Card
    origin: Origin
    is_active: bool

    def check_own(self) -> None:
        """Raises DamagedModelError for a model that shipped: nothing is written into its card."""
        if self.origin == "shipped":
            reason = "it shipped with the program, and its card is read-only"
            raise DamagedModelError(self.folder, reason)


_Entries = list[CatalogueEntry]


class Catalogue:
    """The models of this workstation. Owner of the fact which one is active."""

    changed = Signal()

    def __init__(
        self,
        shipped: Path | None = None,
        user: Path | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._shipped = shipped or places.shipped_weights()
        self._user = user or places.user_models()
        self._now = now

    def list(self) -> _Entries:
        """All models with a readable card, by task and date; damaged ones are left out."""
        entries = []
        for folder, origin in self._folders():
            try:
                card = read_card(folder)
            except DamagedModelError:
                continue
            entries.append((folder, card, origin))
        active = {task: self._active_id(task, entries) for task in {c.task for _, c, _ in entries}}
        found = [
            CatalogueEntry(folder, card, origin, active[card.task] == card.id)
            for folder, card, origin in entries
        ]
        return sorted(found, key=lambda entry: (entry.card.task, entry.card.created, entry.card.id))

    def damaged(self) -> dict[Path, DamagedModelError]:
        """Model folders whose card cannot be read, and why."""
        found = {}
        for folder, _ in self._folders():
            try:
                read_card(folder)
            except DamagedModelError as error:
                found[folder] = error
        return found

    def get(self, model: str) -> CatalogueEntry:
        """A model by id, or by the path of its folder. Raises UnknownModelError."""
        entries = self.list()
        for entry in entries:
            if entry.card.id == model:
                return entry
        folder = Path(model)
        if (folder / CARD_FILE).is_file():
            return CatalogueEntry(folder, read_card(folder), "own", is_active=False)
        if (folder / "model" / CARD_FILE).is_file():  # a run folder
            return self.get(str(folder / "model"))
        raise UnknownModelError(model, tuple(entry.card.id for entry in entries))

    def active(self, task: str) -> CatalogueEntry | None:
        """The model that answers for a task, or None if there is none."""
        return next((e for e in self.list() if e.card.task == task and e.is_active), None)

    def tasks(self) -> tuple[str, ...]:
        """Tasks for which there is a model."""
        return tuple(sorted({entry.card.task for entry in self.list()}))

    # ---- changes

    def publish(self, folder: Path, parent: str | None = None) -> CatalogueEntry:
        """Copy a trained model into the person's root, complete or not at all. Not yet active.

        Raises DamagedModelError if card and weights do not match, NotDurableError.
        """
        card = read_card(folder)
        check_weights(folder, card)
        taken = {entry.card.id for entry in self.list()}
        own_id = card.id
        number = 2
        while own_id in taken or (self._user / own_id).exists():
            own_id = f"{card.id}-{number}"
            number += 1
        card = card.model_copy(update={"id": own_id, "parent": parent or card.parent})
        try:
            durable.make_folder(self._user)
            temporary = Path(tempfile.mkdtemp(prefix=".publishing-", dir=self._user))
        except OSError as error:
            raise NotDurableError(self._user, error.strerror or str(error)) from error
        try:
            for name, _ in card.weight_files:
                shutil.copyfile(folder / name, temporary / name)
            write_card(temporary, card)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            reason = error.strerror or str(error)
            raise NotDurableError(self._user / own_id, reason) from error
        except NotDurableError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        durable.publish_folder(temporary, self._user / own_id)
        self.changed.emit()
        return self.get(own_id)

    def promote(self, model: str, by: str, reason: str) -> Promotion:
        """Make a model the active one of its task."""
        entry = self.get(model)
        check_weights(entry.folder, entry.card)
        return self._record(entry, by, reason, "promote")

    def rollback(self, task: str, by: str, reason: str) -> Promotion:
        """Make the model active that was so before the last change of a task.

        Raises UnknownModelError if there is nothing to go back to.
        """
        past = [p for p in self.promotions() if p.task == task]
        previous = past[-1].previous if past else None
        if previous is None:
            raise UnknownModelError(f"the one before the active model of {task}")
        return self._record(self.get(previous), by, reason, "rollback")

    def promotions(self) -> tuple[Promotion, ...]:
        """Every change of an active model, in order."""
        path = self._user / _PROMOTIONS
        try:
            content = json.loads(path.read_bytes())
            found = tuple(Promotion.model_validate(item) for item in content)
            _check_chain(found)
            return found
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, ValidationError) as error:
            raise DamagedModelError(path, "the list of promotions cannot be read") from error

    # ---- inside

    def _folders(self) -> _Folders:
        roots: _Folders = [(self._shipped, "shipped"), (self._user, "own")]
        return [
            (folder, origin)
            for root, origin in roots
            if root.is_dir()
            for folder in sorted(root.iterdir())
            if folder.is_dir() and not folder.name.startswith(".")
        ]

    def _active_id(self, task: str, entries: _Found) -> str | None:
        mine = [(card.id, origin) for _, card, origin in entries if card.task == task]
        there = {name for name, _ in mine}
        for promotion in reversed(self.promotions()):
            if promotion.task == task and promotion.model in there:
                return promotion.model
        shipped = [name for name, origin in mine if origin == "shipped"]
        # A task that ships no model has none active until a person promotes one.
        return shipped[0] if shipped else None

    def _record(
        self, entry: CatalogueEntry, by: str, reason: str, action: Literal["promote", "rollback"]
    ) -> Promotion:
        before = self.active(entry.card.task)
        promotion = Promotion(
            task=entry.card.task,
            model=entry.card.id,
            weights_sha256=entry.card.weights_sha256,
            previous=before.card.id if before else None,
            by=by,
            reason=reason,
            at=self._now().isoformat(timespec="seconds"),
            action=action,
        )
        past = self.promotions()
        promotion = promotion.model_copy(update={"digest": _digest(promotion, past)})
        content = [item.model_dump() for item in (*past, promotion)]
        durable.write_json(self._user / _PROMOTIONS, content)
        self.changed.emit()
        return promotion


def _digest(promotion: Promotion, past: Sequence[Promotion]) -> str:
    facts = promotion.model_dump(exclude={"digest"})
    before = [past[-1].model_dump()] if past else []
    text = json.dumps([facts, *before], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _check_chain(promotions: Sequence[Promotion]) -> None:
    """Raise ValueError if an entry was changed, or one is missing between two."""
    for place, promotion in enumerate(promotions):
        past = promotions[:place]
        was_chained = bool(past) and bool(past[-1].digest)
        if (promotion.digest or was_chained) and promotion.digest != _digest(promotion, past):
            raise ValueError(f"entry {place + 1} is not as it was written")
