"""Further ways in which packages are broken; each becomes a note, a status or an error that names it."""

import gc
import json
import logging
import signal
import socket
import sys
import warnings

import pytest

from saferec_core.config.sections import OracleChoice
from saferec_core.data.titles import Title
from saferec_core.errors import PluginError
from saferec_core.oracle_files.sources import Rejects, SourceRows, findings_of
from saferec_core.plugins.build import build, build_oracle
from saferec_core.plugins.calls import calling, undisturbed
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_core.plugins.contracts.parser import ListParser, ParsedItem, ParsedList, parse
from saferec_core.plugins.contracts.transform import Transform, transformed

HOOK = """
import saferec_core

@saferec_core.hookimpl
def {hook}(registry):
    {body}
"""


def states(plugins):
    return {state.origin.distribution: state for state in plugins.states if not state.origin.is_built_in}


@pytest.mark.parametrize(
    ("code", "what", "read"),
    [
        ("import sys; sys.setrecursionlimit(90_000)", "the recursion limit", sys.getrecursionlimit),
        ("import gc; gc.disable()", "the garbage collector", gc.isenabled),
        ("import builtins; builtins.sorted = list", "the builtins", lambda: sorted),
        ("import builtins; builtins.acme = 1", "the builtins", lambda: hasattr(__builtins__, "acme")),
        (
            "import socket; socket.setdefaulttimeout(0.001)",
            "settings of NumPy, torch or sockets",
            socket.getdefaulttimeout,
        ),
        (
            "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
            "the handlers of signals",
            lambda: signal.getsignal(signal.SIGCHLD),
        ),
        ("import sys; sys.setprofile(lambda *_: None)", "a hook of the interpreter", sys.getprofile),
    ],
    ids=["recursion", "gc", "replaced", "added", "sockets", "children", "profile"],
)
def test_what_it_changes_at_import_is_put_back_and_noted(install, load, code, what, read):
    before = read()
    install("acme", code)

    state = states(load())["acme"]

    assert any(what in note for note in state.notes), state.notes
    assert read() == before


@pytest.mark.parametrize(
    ("change", "what", "read"),
    [
        (lambda: warnings.simplefilter("ignore"), "the filters of warnings", lambda: list(warnings.filters)),
        (lambda: setattr(sys, "stdout", None), "the standard streams", lambda: sys.stdout),
        (lambda: signal.alarm(900), "the timer", lambda: signal.getitimer(signal.ITIMER_REAL)[0]),
    ],
    ids=["filters", "stdout", "alarm"],
)
def test_what_it_changes_while_it_computes_is_put_back_and_warned_of(change, what, read, caplog):
    before = read()

    with caplog.at_level(logging.WARNING, "saferec.plugins"), undisturbed(f"reward 'acme' {what}"):
        change()

    assert read() == before
    assert f"changed {what}" in caplog.text


def test_one_that_removes_what_others_offer_is_broken_and_the_others_are_there(install, load):
    # Plugins are loaded by the names of their entry points: alarms, main (this one), metrics, ...
    install("acme", HOOK.format(hook="saferec_register_alarms", body="registry._entries.clear()"))

    plugins = load()

    assert "changed the alarm components of other plugins" in states(plugins)["acme"].reason
    assert "coverage" in {entry.name for entry in plugins.alarms}


def test_one_that_replaces_what_others_offer_is_broken_too(install, load):
    body = "registry._entries[:] = [e for e in registry._entries if e.name != 'coverage']"
    install("acme", HOOK.format(hook="saferec_register_alarms", body=body))

    assert "coverage" in {entry.name for entry in load().alarms}


UNREADABLE = """
class SilentError(Exception):
    def __str__(self):
        raise RuntimeError("no words")

raise SilentError
"""


def test_an_exception_that_cannot_say_what_it_is_does_not_take_the_list_down(install, load):
    install("acme", UNREADABLE)

    assert states(load())["acme"].reason == "SilentError: (its message cannot be read)"


def test_a_message_without_end_is_cut(install, load):
    install("acme", "raise ValueError('x' * 10**6)")

    assert len(states(load())["acme"].reason) < 3000


def test_a_failure_while_computing_that_cannot_say_what_it_is_is_named():
    class SilentError(Exception):
        def __str__(self):
            raise RuntimeError

    with (
        pytest.raises(PluginError, match=r"reward 'acme' failed: SilentError: \(its message"),
        calling("reward 'acme'"),
    ):
        raise SilentError


ORACLE = """
import saferec_core
from saferec_core.plugins.contracts.oracle import Oracle

@saferec_core.hookimpl
def saferec_register_oracles(registry):
    registry.add("acme", "{module}:Acme", summary="Judges.")

class Acme(Oracle):
    {body}
    def judge(self, questions):
        return []
"""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("traits = 'gore'", "traits must be a collection of names, but is or holds 'gore'"),
        ("traits = None", "traits must be a collection of names, but is or holds None"),
        ("traits = ['gore', 3]", "traits must be a collection of names, but is or holds 3"),
        ("traits = property(lambda self: 1 / 0)", "failed to name its traits: ZeroDivisionError"),
        ("traits = ['gore']; columns = 'age'", "declares columns = 'age'"),
        ("traits = ['gore']; columns = (1,)", r"declares columns = \(1,\)"),
        ("traits = ['gore']; deterministic = 'no'", "declares deterministic = 'no'"),
    ],
    ids=["text", "none", "number", "failing", "columns-text", "columns-number", "text-for-a-bool"],
)
def test_an_oracle_that_declares_nonsense_is_refused_by_name(install, load, body, problem):
    install("acme", ORACLE.format(module="acme", body=body))

    with pytest.raises(PluginError, match=rf"oracle 'acme' of .*acme 1.2.3.*{problem}"):
        build_oracle(OracleChoice(name="acme"), year_tolerance=2, plugins=load())


METRIC = """
import saferec_core
from saferec_core.plugins.contracts.metric import Metric

@saferec_core.hookimpl
def saferec_register_metrics(registry):
    registry.add("acme", "acme:Acme", summary="Measures.")

class Acme(Metric):
    {body}
    def __call__(self, lists, k):
        return lists.lengths
"""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("at_depth = True", "must declare 'better'"),
        ("at_depth = True; better = 'more'", "declares better = 'more'"),
        ("at_depth = 'yes'; better = 'higher'", "declares at_depth = 'yes'"),
        ("at_depth = True; better = 'higher'; label = None", "declares label = None"),
    ],
    ids=["missing", "unknown", "text-for-a-bool", "none-for-text"],
)
def test_a_metric_that_declares_nonsense_is_refused_by_name(install, load, body, problem):
    install("acme", METRIC.format(body=body))
    plugins = load()

    with pytest.raises(PluginError, match=f"metric 'acme' of .*{problem}"):
        build(plugins.find(plugins.metrics, "acme"), {})


class Source(EvidenceSource):
    """Yields what a test says about each row."""

    def __init__(self, path, answer):
        self.path, self.answer = path, answer

    def __call__(self, rows, traits):
        return (self.answer for _ in rows)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Findings(Title("Saw", 2004), (Finding("gore", "high", "?"),)), "gave 'high' for 'gore'"),
        (Findings(Title("Saw", 2004), (Finding("gore", True, "?"),)), "gave True for 'gore'"),
        (Findings(Title("Saw", 2004), (Finding(["gore"], 1.0, "?"),)), r"for \['gore'\]"),
        (Findings(Title("Saw", 2004), (Finding("gore", 1.0, None),)), "in words"),
        (Findings(Title("Saw", 2004), (("gore", 1.0),)), "must give a Finding"),
        (("Saw", 2004), "must yield Findings"),
    ],
    ids=["text", "bool", "trait-list", "no-detail", "pair", "tuple"],
)
def test_evidence_of_another_form_is_refused_by_name(load, tmp_path, answer, problem):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"title": "Saw"}) + "\n")
    entry = load().evidence.get("scores")

    with Rejects(tmp_path / "rejects.jsonl") as rejects, pytest.raises(PluginError, match=problem):
        list(findings_of(SourceRows("acme", path, rejects), entry, Source(path, answer), {"gore": None}))


class Reading(ListParser):
    def __init__(self, parsed):
        self.parsed = parsed

    def __call__(self, text, *, finished=True):
        return self.parsed

    def format(self, titles):
        return ""


@pytest.mark.parametrize(
    ("parsed", "problem"),
    [
        (ParsedList(iter([ParsedItem("Saw", 2004, 0, 3, 3)])), "items must be a tuple, but is list_iterator"),
        (ParsedList((), ("duplicate",)), "events must hold ParseEvents, but holds 'duplicate'"),
        (ParsedList((ParsedItem("Saw", 2004, 0, 3, 3, further=("Up",)),)), "further must hold Titles"),
    ],
    ids=["iterator", "events", "further"],
)
def test_a_parsed_list_of_other_things_is_refused(parsed, problem):
    with pytest.raises(PluginError, match=problem):
        parse(Reading(parsed), "Saw")


class OneDictionary(Transform):
    """Fills the same dictionary for every row."""

    def __call__(self, rows):
        row = {}
        for each in rows:
            row.update(each)
            yield row


def test_rows_that_a_transform_fills_anew_each_time_stay_apart():
    rows = list(transformed(OneDictionary(), lambda: [{"id": 1}, {"id": 2}]))

    assert rows == [{"id": 1}, {"id": 2}]
