"""Lifecycle hooks observe; one that fails is reported and costs the run nothing."""

from pathlib import Path

import pytest

from saferec_core.errors import PluginError
from saferec_core.plugins.audit import audit
from saferec_core.plugins.contracts.lifecycle import CheckpointSaved, RunFinished
from saferec_core.plugins.lifecycle import Lifecycle

HOOKS = """
import saferec_core
calls = []

@saferec_core.hookimpl
def saferec_checkpoint_saved(event):
    calls.append(event.step)
    {statement}

@saferec_core.hookimpl
def saferec_run_finished():
    calls.append("finished")
"""


def calls_of(name):
    import importlib

    return importlib.import_module(name).calls


def test_a_hook_is_told_of_its_own_events_and_may_take_no_parameter(install, load):
    install("acme", HOOKS.format(statement=""))
    lifecycle = Lifecycle(load().lifecycle_hooks, print)

    lifecycle.happened(CheckpointSaved(3, Path("x")))
    lifecycle.happened(RunFinished(Path("x")))

    assert calls_of("acme") == [3, "finished"]


@pytest.mark.parametrize("statement", ["1 / 0", "raise SystemExit(0)", "raise KeyboardInterrupt"])
def test_a_hook_that_fails_is_reported_and_not_called_again(install, load, statement):
    install("acme", HOOKS.format(statement=statement))
    install("globex", HOOKS.format(statement=""))
    reports = []
    lifecycle = Lifecycle(load().lifecycle_hooks, reports.append)

    for step in (1, 2):
        lifecycle.happened(CheckpointSaved(step, Path("x")))
    lifecycle.happened(RunFinished(Path("x")))

    (report,) = reports
    assert report.startswith("hook 'saferec_checkpoint_saved' of acme 1.2.3 failed: ")
    assert report.endswith("The run continues without this hook.")
    assert calls_of("acme") == [1, "finished"]
    assert calls_of("globex") == [1, 2, "finished"]


def test_strict_makes_a_hook_that_fails_end_the_run(install, load):
    install("acme", HOOKS.format(statement="1 / 0"))
    lifecycle = Lifecycle(load().lifecycle_hooks, print, strict=True)

    with pytest.raises(PluginError, match=r"hook 'saferec_checkpoint_saved' of acme 1\.2\.3 failed"):
        lifecycle.happened(CheckpointSaved(1, Path("x")))


def test_the_audit_names_hooks_that_observe(install, load):
    install("acme", "import saferec_core\n@saferec_core.hookimpl\ndef saferec_run_finished(event): pass\n")

    (acme,) = [each for each in audit(load()) if each["distribution"] == "acme"]

    assert acme["hooks"] == ["saferec_run_finished"]
