"""Which model answers: the active one of the task, or the one that was chosen in the window."""

from __future__ import annotations

from core.errors import CoreError
from core.models.catalogue import Catalogue, CatalogueEntry
from core.session import Session
from desktop.jobs import Failure, explain


class ModelChoice:
    """Owner of the choice, which lasts for this session; promotion is another matter.

    problem: why the catalogue could not be read at first, or None.
    """

    def __init__(self, session: Session, catalogue: Catalogue) -> None:
        self._session = session
        self._catalogue = catalogue
        self._chosen: str | None = None
        self._entries: list[CatalogueEntry] = []
        self.problem: Failure | None = None
        self.read()

    def read(self) -> None:
        """Read the catalogue again. Without a readable one there is no model."""
        try:
            self._entries = self._catalogue.list()
        except CoreError as error:
            self._entries = []
            self.problem = explain(error)

    @property
    def entries(self) -> list[CatalogueEntry]:
        """Models for the task in force."""
        task = self._session.label_set.id
        return [entry for entry in self._entries if entry.card.task == task]

    @property
    def model(self) -> CatalogueEntry | None:
        """The model that is asked: the one chosen, else the active one."""
        mine = self.entries
        for entry in mine:
            if entry.card.id == self._chosen:
                return entry
        return next((entry for entry in mine if entry.is_active), None)

    def choose(self, model: str | None) -> None:
        """Take another model by its id; the active one, or None, follows promotions from now on."""
        active = next((entry for entry in self.entries if entry.is_active), None)
        self._chosen = None if active is not None and active.card.id == model else model
