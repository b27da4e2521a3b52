"""Alarms of a run: built from its configuration, asked whenever figures are logged, reported once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import PluginError
from saferec_core.plugins.build import build
from saferec_core.plugins.calls import calling, named, undisturbed
from saferec_core.plugins.contracts.alarm import Alarm, LogRow
from saferec_core.plugins.offered import Plugins
from saferec_core.rl.rewards import ActiveReward
from saferec_core.runs.observer import Observer
from saferec_core.runs.stopping import ALARMED, Stop

__all__ = ["AlarmWatch", "build_alarms", "is_of_training"]


def build_alarms(
    config: TrainConfig,
    plugins: Plugins,
    note: Callable[[str], None],
    rewards: Sequence[ActiveReward] = (),
) -> dict[str, Alarm]:
    """Build every installed alarm that the run does not leave out, by name.

    Args:
        config: The run.
        plugins: What is installed.
        note: Called with a sentence for every alarm that cannot be used; the run does without it.
        rewards: Those of the run. Alarms take over their ``weights``, and the ``target`` of the first that
            wants a number of titles, where they have such an option.

    Raises:
        UnknownNameError: The run names an alarm that is not installed.
        ConfigError: An option is unknown or refused.
    """
    settings = config.alarms
    ignored = {plugins.find(plugins.alarms, name).name for name in settings.ignore_alarm}
    options = {
        plugins.find(plugins.alarms, name).name: given for name, given in settings.alarm_options.items()
    }
    inherited: dict[str, Any] = {"weights": {reward.name: reward.weight for reward in rewards}}
    if targets := [r.function.target for r in rewards if r.function.target is not None]:
        inherited["target"] = targets[0]
    alarms: dict[str, Alarm] = {}
    for name in sorted({entry.name for entry in plugins.alarms} - ignored):
        try:
            alarms[name] = build(plugins.alarms.get(name), options.get(name, {}), inherited)
        except PluginError as error:
            note(f"{error} The run continues without this alarm.")
    return alarms


def is_of_training(row: Mapping[str, Any]) -> bool:
    """Tell a row of training from those of evaluations and the closing one, which alarms do not read."""
    return "loss" in row


class AlarmWatch:
    """Asks the alarms of a run about its log; on the main process alone."""

    def __init__(self, alarms: Mapping[str, Alarm], observer: Observer, *, stop: Stop | None = None) -> None:
        """Begin with an empty log.

        Args:
            alarms: The alarms by name.
            observer: Told what they say, and which of them fail.
            stop: Asked to end the run when an alarm is raised; None: the run continues.
        """
        self._alarms = dict(alarms)
        self._observer = observer
        self._stop = stop
        self._log: list[LogRow] = []
        self._standing: set[str] = set()
        """Names of the alarms that were raised and have not cleared."""
        self._stopping: list[str] = []
        """Names of the alarms that end the run; it ends after the step in progress."""

    def continue_from(self, metrics: Path, stage: str) -> None:
        """Take over the rows that a resumed stage has logged; what stood then is not reported again."""
        self._log = _rows_of(metrics, stage)
        if self._log:
            self._standing = set(self._raised())

    def look(self, row: LogRow, *, last: bool = False) -> dict[str, str]:
        """Ask the alarms about one more row.

        Args:
            row: Its figures, ``step`` among them.
            last: Whether training ends with it, so that there is nothing left to stop.

        Returns:
            What the alarms that are raised by this row say, by name.
        """
        self._log.append(row)
        raised = self._raised()
        new = {name: sentence for name, sentence in raised.items() if name not in self._standing}
        self._standing = set(raised)
        for name, sentence in new.items():
            self._observer.alarmed(name, int(row["step"]), sentence)
        self._stopping += [name for name in new if self._alarms[name].stops and name not in self._stopping]
        if self._stop is not None and self._stopping and not last:
            self._stop.after_step(ALARMED, f"stopped by alarm: {', '.join(self._stopping)} (--stop-on-alarm)")
        return new

    def _raised(self) -> dict[str, str]:
        """Return what each alarm says of the log; one that fails is left out from here on."""
        raised = {}
        for name, alarm in list(self._alarms.items()):
            if alarm.figures and not _has_any(self._log, alarm.figures):
                continue
            try:
                sentence = _asked(name, alarm, self._log)
            except PluginError as error:
                del self._alarms[name]
                step = int(self._log[-1]["step"])
                self._observer.note(
                    f"{error}. Training continues without this alarm from step {step}; --ignore-alarm {name} "
                    "leaves it out."
                )
                continue
            if sentence is not None:
                raised[name] = sentence
        return raised


def _asked(name: str, alarm: Callable[[Sequence[LogRow]], Any], log: Sequence[LogRow]) -> str | None:
    what = named("alarm", alarm, name)
    with undisturbed(what), calling(what):
        sentence = alarm(log)
    if sentence is not None and not (isinstance(sentence, str) and sentence.strip()):
        raise PluginError(f"{what} must return a sentence or None, but returned {sentence!r:.100}")
    return sentence


def _has_any(log: Sequence[LogRow], figures: Sequence[str]) -> bool:
    return any(
        name == figure or (figure.endswith("/") and name.startswith(figure))
        for row in (log[0], log[-1])
        for name in row
        for figure in figures
    )


def _rows_of(metrics: Path, stage: str) -> list[LogRow]:
    """Read the rows of training that a stage has logged; values that are not numbers are left out."""
    if not metrics.is_file():
        return []
    rows = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    return [
        {name: float(value) for name, value in row.items() if isinstance(value, int | float)}
        for row in rows
        if row.get("stage") == stage and is_of_training(row)
    ]
