"""Choosing what is looked at: the model, two of its versions, a part of the records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.app.travel import TimeTravel
from mlwatch.app.view import next_model

if TYPE_CHECKING:
    from mlwatch.app.feed import Source
    from mlwatch.choice import Choice


class Choosing(TimeTravel):
    """The part of the app that chooses model, versions and records."""

    source: Source
    _wanted_model: str | None = None

    def action_next_model(self) -> None:
        """Show the next model."""
        if self.view is None:
            return
        if len(self.view.snapshot.models) < 2:
            self.notify("There is only one model in this time range.", markup=False)
            return
        self._wanted_model = next_model(self.view.snapshot, self.view.model_name)
        # of the same moment, until the answer comes
        self.view = replace(self.view, model_name=self._wanted_model)
        choice = self._request.choice
        self.choose(replace(choice, baseline=None, candidate=None, alone=False))  # another model's names

    def action_versions(self) -> None:
        """Choose the versions to compare."""
        from mlwatch.app.screens.versions import VersionsScreen  # noqa: PLC0415 - not for the first paint

        if self.view is None or self.view.model is None:
            self.notify("There are no versions yet.", markup=False)
            return
        self.push_screen(VersionsScreen(self.view), self._take_choice)

    def action_segment(self) -> None:
        """Choose the records that everything is shown of."""
        from mlwatch.app.screens.segment import SegmentScreen  # noqa: PLC0415 - not for the first paint

        if self.source.desk is None or self.view is None:
            self.notify("There are no records yet.", markup=False)
            return
        self.push_screen(SegmentScreen(self.source.desk, self.view), self._take_choice)

    def _take_choice(self, chosen: Choice | None) -> None:
        if chosen is not None:
            self.choose(chosen)

    def choose(self, choice: Choice) -> None:
        """Show other versions or records."""
        if choice == self._request.choice:
            return
        self.status = replace(self.status, choice=choice)
        self._ask(replace(self._next(), choice=choice))
