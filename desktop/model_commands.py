"""What the Model menu does: retrain, follow runs, compare, promote, roll back."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QWidget

from core.errors import CoreError
from core.models.catalogue import CatalogueEntry
from core.workers import program_command
from desktop.command_names import Command
from desktop.dialogs.asking import ask_text
from desktop.jobs import explain
from desktop.language import say, task_name
from desktop.main_window import MainWindow
from desktop.notices import Level, Notice
from desktop.operations import Operations
from desktop.operations.foretelling import FlipRow
from desktop.run_watcher import RunView

if TYPE_CHECKING:
    # Dialogs and what fills them are imported when they are first wanted.
    from desktop.dialogs.models import ModelsDialog
    from desktop.operations.comparing import ComparisonView
    from desktop.operations.planning import RetrainPlan
    from desktop.operations.tracing import Traced


class ModelCommands:
    """Binds the Model menu, the training panel and the comparison page to the operations."""

    def __init__(self, window: MainWindow, operations: Operations) -> None:
        self._window = window
        self._do = operations.retraining
        self._operations = operations
        self._dialog: ModelsDialog | None = None
        actions, training, page = window.actions_, window.training, window.comparison
        actions.bind(Command.RETRAIN, self.ask_retrain)
        actions.bind(Command.TRAINING, self.show_training)
        actions.bind(Command.WHAT_IF, self.show_what_if)
        actions.bind(Command.MODELS, self.show_models)
        actions.bind(Command.ROLL_BACK, self.ask_rollback)
        actions.bind(Command.TOUR, self.start_tour)
        window.findings.models_wanted.connect(self.show_models)
        training.retrain_wanted.connect(self.ask_retrain)
        training.stop_wanted.connect(self._do.stop)
        training.resume_wanted.connect(self._do.resume)
        training.result_wanted.connect(self._do.compare)
        training.run_wanted.connect(self._do.watch)
        window.findings.labels.learnt_wanted.connect(self._ask_learnt)
        what_if, foretelling = window.what_if, operations.foretelling
        what_if.compute_wanted.connect(foretelling.compute)
        what_if.flip_wanted.connect(self._go_to_flip)
        what_if.retrain_wanted.connect(self.ask_retrain)
        what_if.shown.connect(foretelling.refresh)
        page.promote_wanted.connect(self._do.promote)
        page.keep_wanted.connect(self._keep)
        page.back_wanted.connect(window.show_reading_page)
        page.case_wanted.connect(window.go_to)
        self._heard = (
            (self._do.run_changed, self._run_changed),
            (self._do.runs_changed, self._runs_changed),
            (self._do.preparing_changed, self._show_run),
            (self._do.judged, self._judged),
            (self._do.decided, self._decided),
        )
        for signal, slot in self._heard:
            signal.connect(slot)

    def close(self) -> None:
        """Stop listening."""
        for signal, slot in self._heard:
            signal.disconnect(slot)

    def show_state(self) -> None:
        """Show the run that is watched in a window that was built again."""
        self._show_run()
        self._runs_changed()

    def _show_run(self) -> None:
        self._window.training.show_run(self._do.watcher.view, is_preparing=self._do.is_preparing)

    # ---- training

    def ask_retrain(self) -> None:
        """Say what is new and let the person start a training."""
        self._do.plan(self._show_plan)

    def _show_plan(self, plan: RetrainPlan) -> None:
        from desktop.dialogs.retrain import RetrainDialog

        settings = self._operations.settings
        dialog = RetrainDialog(plan, settings.values.recipe, self._window)
        if dialog.exec() == RetrainDialog.DialogCode.Accepted:
            settings.values.recipe = dialog.recipe
            settings.save()
            self.begin(dialog.recipe)
        dialog.deleteLater()

    def begin(self, recipe: str, settings: dict[str, Any] | None = None) -> None:
        """Start a training and bring its panel to the front."""
        self._do.begin(recipe, settings)
        self.show_training()

    def show_training(self) -> None:
        """Bring the training panel to the front."""
        self._bring(self._window.training)

    def show_what_if(self) -> None:
        """Bring the preview of a retraining to the front."""
        self._bring(self._window.what_if)

    def _bring(self, panel: QWidget) -> None:
        self._window.tabs.setVisible(True)
        self._window.actions_.show_checked(Command.FINDINGS_PANEL, True)
        self._window.tabs.setCurrentWidget(panel)

    def _go_to_flip(self, row: FlipRow) -> None:
        path = self._operations.foretelling.go(row)
        if path is not None:
            self._operations.opening.open_paths([path], remember=False)

    def _run_changed(self, _view: RunView) -> None:
        self._show_run()

    def _runs_changed(self) -> None:
        self._window.training.show_runs(self._do.runs(), self._do.watcher.view)

    # ---- comparison and decision

    def _judged(self, view: ComparisonView) -> None:
        self._window.comparison.show_comparison(view)
        self._window.show_comparison_page()

    def _keep(self) -> None:
        self._window.show_reading_page()
        self._window.tell(
            Notice(
                Level.INFO, say("The champion stays active. The new model is kept with its run.")
            )
        )

    def _decided(self, _promotion: object) -> None:
        self._window.show_reading_page()
        self._window.tabs.setCurrentWidget(self._window.findings)
        if self._dialog is not None:
            self._fill(self._dialog)

    # ---- models

    def models_dialog(self) -> ModelsDialog:
        """The dialog over all models of the task in force, filled and bound."""
        from desktop.dialogs.models import ModelsDialog

        dialog = ModelsDialog(task_name(self._operations.session.label_set), self._window)
        dialog.promote_wanted.connect(self._do.promote_known)
        dialog.rollback_wanted.connect(self._do.roll_back)
        dialog.lineage_wanted.connect(self._trace)
        self._dialog = dialog
        self._fill(dialog)
        current = self._operations.session.current
        prediction = current.case.prediction if current is not None else None
        if prediction is not None:  # from an answer to what gave it
            dialog.select(prediction.model.id)
        dialog.finished.connect(self._forget_dialog)
        return dialog

    def show_models(self) -> None:
        """All models: cards, promote, roll back."""
        dialog = self.models_dialog()
        dialog.exec()
        dialog.deleteLater()

    def _ask_learnt(self, slice_id: str) -> None:
        found = self._operations.session.find_slice(slice_id)
        if found is not None:
            self._operations.tracing.learnt(found[0], slice_id)

    def _trace(self, entry: CatalogueEntry) -> None:
        def ready(traced: Traced) -> None:
            if self._dialog is not None:
                self._dialog.show_lineage(traced)

        self._operations.tracing.trace(entry, ready)

    def _forget_dialog(self, _result: int) -> None:
        self._dialog = None

    def _fill(self, dialog: ModelsDialog) -> None:
        try:
            dialog.show_models(self._operations.asking.models.entries, self._do.promotions())
        except CoreError as error:
            self._window.tell(Notice.of(explain(error)))

    def ask_rollback(self) -> None:
        """Ask why, and go back to the model that was active before, if there was one."""
        changes = self._do.promotions()
        if not changes or changes[-1].previous is None:
            words = say("No other model was active before; there is nothing to go back to.")
            self._window.tell(Notice(Level.INFO, words))
            return
        reason = ask_text(
            self._window,
            say("Roll back"),
            say("The model that was active before will answer again. Why?"),
        )
        if reason is not None:
            self._do.roll_back(reason)

    # ---- help

    def start_tour(self) -> None:
        """The guided tour runs as a program of its own, in a profile of its own."""
        try:
            child = subprocess.Popen(program_command("demo"), stdin=subprocess.DEVNULL)
        except OSError as error:
            self._window.tell(
                Notice(
                    Level.ERROR,
                    say("The tour could not be started: {reason}.", reason=error.strerror),
                )
            )
            return
        _tours.append(child)
        self._window.tell(
            Notice(
                Level.INFO, say("The tour opens in a window of its own. Nothing of yours is used.")
            )
        )


_tours: list[subprocess.Popen[bytes]] = []
"""Kept so that a tour is not finalised while it runs."""
