"""Further ways in which packages are broken; each becomes a note, a status or an error that names it."""

import builtins
import decimal
import gc
import json
import logging
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import warnings
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from saferec_core import errors
from saferec_core.config.choices import OracleChoice
from saferec_core.data.titles import Title
from saferec_core.errors import PluginError
from saferec_core.evaluation.measure import ActiveMetric, measure
from saferec_core.oracle_files.sources import Rejects, SourceRows, findings_of
from saferec_core.pipeline.step import Step, run_step
from saferec_core.plugins import calls, endings, process_parts
from saferec_core.plugins.audit import audit
from saferec_core.plugins.build import build, build_oracle
from saferec_core.plugins.calls import calling, overseen, undisturbed
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_core.plugins.contracts.metric import Metric
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict, ask
from saferec_core.plugins.contracts.parser import (
    EventKind,
    ListParser,
    ParsedItem,
    ParsedList,
    ParseEvent,
    parse,
)
from saferec_core.plugins.contracts.run_context import RunContext
from saferec_core.plugins.contracts.transform import Counted, Removed, Transform, transformed
from saferec_core.plugins.registry import Origin, Registry
from saferec_core.plugins.selection import Selection
from saferec_core.rl.rewards import ActiveReward, score
from saferec_core.testing import TITLES, judged_lists

HOOK = """
import saferec_core

@saferec_core.hookimpl
def {hook}(registry):
    {body}
"""


REWARD = HOOK.format(hook="saferec_register_rewards", body="registry.add('mood', 'acme:Mood', summary='')")


KEPT = []
"""What a plugin holds on to."""


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
            "settings of NumPy, torch or the standard library",
            socket.getdefaulttimeout,
        ),
        (
            "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
            "the handlers of signals",
            lambda: signal.getsignal(signal.SIGCHLD),
        ),
        ("import sys; sys.setprofile(lambda *_: None)", "a hook of the interpreter", sys.getprofile),
        ("import sys; sys.unraisablehook = print", "a hook of the interpreter", lambda: sys.unraisablehook),
        ("import threading; threading.excepthook = print", "a hook", lambda: threading.excepthook),
        ("import sys; sys.setswitchinterval(9)", "settings of the interpreter", sys.getswitchinterval),
        ("import os; os.umask(0)", "the umask", process_parts._umask),
        ("import os; os.environ = {}", "the environment", lambda: os.environ["PATH"]),
        (
            "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (64, r.getrlimit(r.RLIMIT_NOFILE)[1]))",
            "the limits of the process: NOFILE",
            lambda: resource.getrlimit(resource.RLIMIT_NOFILE),
        ),
        (
            "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])",
            "the handlers of signals",
            lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        ),
        (
            "import signal; signal.setitimer(signal.ITIMER_VIRTUAL, 900)",
            "the timer",
            lambda: signal.getitimer(signal.ITIMER_VIRTUAL)[0],
        ),
        (
            "import logging; logging.getLogger('saferec.plugins').propagate ^= True",
            "the logging",
            lambda: logging.getLogger("saferec.plugins").propagate,
        ),
        ("import logging; logging.raiseExceptions = 2", "the logging", lambda: logging.raiseExceptions),
        (
            "import decimal; decimal.getcontext().prec = 1",
            "settings of NumPy, torch or the standard library",
            lambda: decimal.getcontext().prec,
        ),
        ("import json; json.dumps = None", "replaced json.dumps", lambda: json.dumps),
        (
            "import pathlib; pathlib.Path.read_text = None",
            "replaced pathlib.Path.read_text",
            lambda: Path.read_text,
        ),
        (
            "import saferec_core.errors as e; e.PluginError = e.SaferecError",
            "replaced saferec_core.errors.PluginError",
            lambda: errors.PluginError,
        ),
        (
            "from saferec_core.plugins.registry import Registry; Registry.get = None",
            "replaced saferec_core.plugins.registry.Registry.get",
            lambda: Registry.get,
        ),
        ("import sys; del sys.modules['json']", "removed the module json", lambda: sys.modules["json"]),
    ],
    ids=[
        *("recursion", "gc", "replaced", "added", "sockets", "children", "profile", "unraisable", "threads"),
        *("switches", "umask", "environment", "limits", "mask", "timer", "logger", "logging", "decimals"),
        *("json", "paths", "errors", "registry", "module"),
    ],
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
        (
            lambda: KEPT.append(torch.inference_mode()) or KEPT[-1].__enter__(),
            "settings of NumPy, torch",
            torch.is_inference_mode_enabled,
        ),
        (lambda: sys.meta_path.insert(0, object()), "how modules are found", lambda: len(sys.meta_path)),
        (lambda: gc.callbacks.append(print), "the garbage collector", lambda: list(gc.callbacks)),
        (lambda: os.close(1), "the files of standard input, output and error", lambda: os.fstat(1).st_ino),
        (
            lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2),
            "the files of standard input",
            lambda: os.fstat(2).st_ino,
        ),
    ],
    ids=[
        *("filters", "stdout", "alarm", "inference", "finder", "collection"),
        *("closed", "replaced"),
    ],
)
def test_what_it_changes_while_it_computes_is_put_back_and_warned_of(change, what, read, caplog):
    before = read()

    with caplog.at_level(logging.WARNING, "saferec.plugins"), undisturbed(f"reward 'acme' {what}"):
        change()

    assert read() == before
    assert f"changed {what}" in caplog.text


CLOSES = """
import sys
from saferec_core.plugins.calls import undisturbed
with undisturbed("reward 'acme'"):
    sys.stdout.close()
print("goes on")
"""


def test_a_stream_that_it_closes_is_opened_again():
    done = subprocess.run([sys.executable, "-c", CLOSES], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "goes on\n"), done.stderr
    assert "reward 'acme' changed the standard streams (put back)" in done.stderr


ENDS = """
import os, signal, threading
from saferec_core.errors import PluginError
from saferec_core.plugins.calls import calling, overseen, undisturbed
from saferec_core.plugins.isolation import Isolation

for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, signal.SIG_DFL)
for end in (
    "os._exit(0)",
    "os.abort()",
    "os.kill(os.getpid(), signal.SIGKILL)",
    "os.kill(0, signal.SIGTERM)",
    "os.killpg(os.getpgrp(), signal.SIGTERM)",
    "signal.raise_signal(signal.SIGUSR1)",
    "signal.pthread_kill(threading.get_ident(), signal.SIGTERM)",
    "os.execv('/bin/true', ['true'])",
    "os.execl('/bin/true', 'true')",
):
    with Isolation() as loading:
        eval(end)
    print(end, type(loading.failure).__name__)
    try:
        with undisturbed("reward 'acme'"), calling("reward 'acme'"):
            eval(end)
    except PluginError as error:
        print(end, error)
print("goes on")
"""


def test_whatever_ends_the_process_is_an_error_when_a_plugin_does_it():
    # A process group of its own: where the guard fails, nobody else is hit.
    done = subprocess.run(
        [sys.executable, "-c", ENDS], capture_output=True, text=True, check=False, start_new_session=True
    )

    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert last == "goes on"
    assert len(lines) == 2 * 9
    assert all(line.endswith("SystemExit") for line in lines[::2]), lines
    assert all("reward 'acme' failed: SystemExit: " in line for line in lines[1::2]), lines


def test_another_way_to_start_processes_is_put_back_and_using_the_default_is_no_change(caplog):
    before = multiprocessing.get_start_method(allow_none=True)
    try:
        multiprocessing.set_start_method(None, force=True)
        with caplog.at_level(logging.WARNING, "saferec.plugins"):
            with undisturbed("reward 'default'"):
                method = multiprocessing.get_start_method()
            assert caplog.text == ""
            with undisturbed("reward 'other'"):
                multiprocessing.set_start_method("spawn", force=True)
        assert "reward 'other' changed settings of" in caplog.text
        assert multiprocessing.get_start_method() == method
    finally:
        multiprocessing.set_start_method(before, force=True)


def test_signals_that_harm_nobody_are_sent(install, load):
    code = "import os, signal\nos.kill(os.getpid(), 0)\nos.kill(os.getpid(), signal.SIGCHLD)\n"
    install("acme", code + HOOK.format(hook="saferec_register_rewards", body="pass"))

    assert states(load())["acme"].status == "ok"


@pytest.mark.parametrize(
    ("entry_points", "metadata", "reason"),
    [
        (b"[saferec]\nmain = \n", None, "its entry point main = '' is malformed; expected 'package.module'"),
        (b"[saferec]\nmain = acme:: x\n", None, "its entry point main = 'acme:: x' is malformed"),
        (b"[saferec]\nmain = acme\n\xff = b\n", None, "its entry_points.txt cannot be read: it is not UTF-8"),
        (None, b"\xff\xfe\x00", "its METADATA cannot be read: it is not UTF-8 text"),
        (b"[saferec]\nmain = acme\nother = acme\n", None, "it offers 'acme', as the entry point 'main' does"),
        (
            None,
            b"Metadata-Version: 2.1\nName: SafeRec\nVersion: 0.2.0\n",
            "its distribution calls itself saferec, of which 'acme' is not a part",
        ),
    ],
    ids=["empty", "garbage", "binary entry points", "binary metadata", "module twice", "impostor"],
)
def test_a_distribution_that_cannot_be_what_it_says_is_broken_and_the_others_are_there(
    install, load, entry_points, metadata, reason
):
    install("acme", REWARD, entry_points=entry_points, metadata=metadata)

    plugins = load()

    (state,) = plugins.broken
    assert reason in state.reason
    assert plugins.rewards.get("safety").origin.is_built_in


@pytest.mark.parametrize("name", ["json", "decimal", "numpy.random", "torch", "saferec_core.errors"])
def test_a_module_that_it_removes_comes_back(install, load, name):
    before = import_module(name)
    install("acme", f"import sys\ndel sys.modules[{name!r}]\n{REWARD}")

    state = states(load())["acme"]

    assert state.status == "ok", state.reason
    assert f"removed the module {name}" in " ".join(state.notes)
    assert sys.modules[name] is before


PATCHING = """
import torch
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.reward import RewardFunction


@component
class SoftReward(RewardFunction):
    '''Replaces a function when it is built, and another when it is called.'''

    scope = "rank"

    def __post_init__(self):
        torch.isnan = None

    def __call__(self, lists):
        torch.softmax = None
        return lists.hits
"""


def test_a_function_that_it_replaces_when_it_is_built_or_first_called_comes_back(load, tmp_path, caplog):
    (tmp_path / "soft.py").write_text(PATCHING, encoding="utf-8")
    isnan, softmax = torch.isnan, torch.softmax
    entry = load(Selection(files=(tmp_path / "soft.py",))).rewards.get("soft")

    with caplog.at_level(logging.WARNING, "saferec.plugins"):
        reward = build(entry, {})
        assert torch.isnan is isnan
        score([ActiveReward("soft", reward, 1.0)], judged_lists([TITLES[1:3]], num_ranks=2))

    assert torch.softmax is softmax
    for name in ("isnan", "softmax"):
        assert f"replaced torch.{name} (put back)" in caplog.text


PATCHING_LATER = """
import torch
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.reward import RewardFunction


@component
class LateReward(RewardFunction):
    '''Replaces a function when it is called for the second time.'''

    scope = "rank"

    def __call__(self, lists):
        if lists.context.step == 2:
            torch.softmax = None
        return lists.hits
"""


def test_a_function_that_it_replaces_in_a_later_batch_comes_back_too(load, tmp_path, caplog):
    (tmp_path / "late.py").write_text(PATCHING_LATER, encoding="utf-8")
    softmax = torch.softmax
    entry = load(Selection(files=(tmp_path / "late.py",))).rewards.get("late")
    reward = ActiveReward("late", build(entry, {}), 1.0)

    with caplog.at_level(logging.WARNING, "saferec.plugins"):
        for step in (1, 2):
            lists = judged_lists([TITLES[1:3]], num_ranks=2)
            lists = replace(lists, context=RunContext(step=step, steps=2))
            with overseen():
                score([reward], lists)
            assert torch.softmax is softmax, step

    assert f"reward 'late' of {tmp_path / 'late.py'}" in caplog.text
    assert "replaced torch.softmax (put back)" in caplog.text


class Ending(dict):
    """A row that ends the process when somebody looks at it."""

    def __iter__(self):
        raise SystemExit(0)

    keys = items = __iter__


class Unequal:
    """A trait that ends the process when somebody compares it."""

    __hash__ = object.__hash__

    def __eq__(self, other):
        raise SystemExit(0)


def test_what_a_component_answers_cannot_end_the_process_when_it_is_looked_at():
    class Odd(Oracle):
        traits = ("gore",)

        def judge(self, questions):
            return [Verdict(known=True, violated=(Unequal(),)) for _ in questions]

    with pytest.raises(PluginError, match="oracle 'Odd' failed: SystemExit"):
        ask(Odd(), [Question("Saw", 2004, ("gore",))])
    with pytest.raises(PluginError, match="transform 'Yielding' failed: SystemExit"):
        list(transformed(Yielding(Ending(n=1)), lambda: iter([{}])))


class Yielding(Transform):
    def __init__(self, outcome):
        self.outcome = outcome

    def __call__(self, rows):
        return (self.outcome for _ in rows)


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        (Removed({}, ["short"]), r"Removed, but its reason must be text, but is \['short'\]"),
        (Counted("titles", "many"), "Counted, but its times must be an int or float, but is 'many'"),
        (Counted(None), "Counted, but its what must be text, but is None"),
    ],
    ids=["reason", "times", "what"],
)
def test_an_outcome_that_a_report_cannot_count_is_refused_by_name(outcome, fault, tmp_path):
    numbers = tmp_path / "rows.jsonl"
    numbers.write_text('{"n": 1}\n', encoding="utf-8")

    with pytest.raises(PluginError, match=f"transform 'Yielding' yielded {fault}"):
        list(transformed(Yielding(outcome), lambda: iter([{}])))
    with pytest.raises(PluginError, match=f"step 'odd' yielded {fault}"):
        run_step(Step("odd", Yielding(outcome), numbers, tmp_path / "step"))


def replace_a_function(third):
    if third == 3:
        torch.softmax = None


@pytest.mark.parametrize("kind", ["oracle", "transform", "step", "evidence"])
def test_a_function_that_any_component_replaces_in_a_later_call_comes_back_too(
    kind, load, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(calls, "_SELDOM", 0)  # every call is looked after
    softmax = torch.softmax
    numbers = tmp_path / "rows.jsonl"
    numbers.write_text("".join(f'{{"n": {n}}}\n' for n in (1, 2, 3)), encoding="utf-8")
    rows = [{"n": 1}, {"n": 2}, {"n": 3}]

    class Late(Oracle, Transform):
        """An oracle, a transform and a source of evidence in one."""

        traits = ("gore",)

        def judge(self, questions):
            replace_a_function(questions[0].year)
            return [Verdict(known=False)]

        def __call__(self, rows, traits=None):
            for row in rows:
                replace_a_function(row["n"])
                yield row if traits is None else Findings(Title("Saw", 2004), ())

    with caplog.at_level(logging.WARNING, "saferec.plugins"):
        if kind == "oracle":
            for row in rows:
                ask(Late(), [Question("Saw", row["n"], ("gore",))])
        elif kind == "transform":
            assert list(transformed(Late(), lambda: iter(rows))) == rows
        elif kind == "step":
            run_step(Step("late", Late(), numbers, tmp_path / "step"))
        else:
            entry = replace(next(iter(load().evidence)), name="late", origin=Origin("main", "acme", "1"))
            with Rejects(tmp_path / "rejects.jsonl") as rejects:
                list(findings_of(SourceRows("acme", numbers, rejects), entry, Late(), {"gore": None}))

    assert torch.softmax is softmax
    assert "replaced torch.softmax (put back)" in caplog.text


WITH_A_TARGET = """
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.reward import RewardFunction


@component
class TenReward(RewardFunction):
    '''Wants ten titles, and says so in a word.'''

    scope = "rank"
    target: int = "ten"

    def __call__(self, lists):
        return lists.hits
"""


def test_what_each_component_declares_is_checked_as_what_its_class_declares(load, tmp_path):
    (tmp_path / "ten.py").write_text(WITH_A_TARGET, encoding="utf-8")
    entry = load(Selection(files=(tmp_path / "ten.py",))).rewards.get("ten")

    with pytest.raises(PluginError, match=r"reward 'ten' of .*ten.py.* declares target = 'ten'"):
        build(entry, {})


def test_a_block_within_another_leaves_the_outer_one_to_look_after_its_calls():
    softmax = torch.softmax

    with undisturbed("reward 'nested' of acme 1"):
        pass
    with overseen():
        with undisturbed("reward 'nested' of acme 1"):
            torch.softmax = None
        with overseen():
            pass

    assert torch.softmax is softmax


def test_whatever_it_puts_among_the_builtins_is_taken_out_again(install, load):
    body = "import builtins\nimport numpy as np\nvars(builtins)[3] = 4\nbuiltins.repr = np.zeros(2)\n"
    install("acme", f"{body}{REWARD}")

    state = states(load())["acme"]

    assert (repr("x"), 3 in vars(builtins)) == ("'x'", False)
    assert any(note.startswith("changed the builtins") for note in state.notes), state.notes


def test_distributions_whose_folders_are_not_normalized_stay_apart(install, load):
    for name in ("acme-a", "acme-b"):
        install(name, REWARD.replace("'mood'", repr(name)), folder=f"{name}-1.0.dist-info")

    assert {"acme-a", "acme-b"} <= {entry.name for entry in load().rewards}


def test_a_line_that_stands_twice_is_one_plugin(install, load):
    install("acme", REWARD, entry_points=b"[saferec]\nmain = acme\nmain = acme\n")

    plugins = load()

    assert plugins.broken == []
    assert plugins.rewards.get("mood").origin.distribution == "acme"


@pytest.mark.parametrize(
    "metadata", [b"", b"Metadata-Version: 2.1\nName: acme\n"], ids=["empty", "without version"]
)
def test_a_distribution_that_does_not_say_its_version_is_named_by_its_folder(install, load, metadata):
    install("acme", REWARD, metadata=metadata)

    assert str(load().rewards.get("mood").origin) == "acme 1.2.3 (entry point 'main')"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("registry.add(type('Name', (str,), {})('mood'), 'acme:R', summary='')", "name must be text"),
        ("registry.add('mo\\x1b[2Jod', 'acme:R', summary='')", "malformed name"),
        ("registry.add('mo\\nod', 'acme:R', summary='')", "malformed name"),
        (
            (
                "registry._origin = type(registry._origin)('rewards', 'saferec', '0.2.0')\n"
                "    registry.add('mood', 'acme:R', summary='')"
            ),
            "in the name of others",
        ),
    ],
    ids=["subclass of str", "escape", "line break", "forged origin"],
)
def test_a_name_that_is_not_plain_text_and_a_forged_origin_are_refused(install, load, body, problem):
    install("acme", HOOK.format(hook="saferec_register_rewards", body=body))

    plugins = load()

    assert problem in states(plugins)["acme"].reason
    assert "mood" not in {entry.name for entry in plugins.rewards}


def test_what_is_built_in_loads_before_whatever_keeps_others_from_loading(install, load):
    # By the names of entry points, "main" would come between "evidence" and "rewards".
    install("acme", "import sys\nsys.path_hooks.clear()\nsys.path_importer_cache.clear()\n")
    hooks = list(sys.path_hooks)
    try:
        assert load().rewards.get("safety").origin.is_built_in
    finally:
        sys.path_hooks[:] = hooks


def test_an_exception_that_lets_nobody_look_at_it_is_a_status_like_any_other(install, load):
    code = "class E(Exception):\n    def __getattribute__(self, name): raise RuntimeError\nraise E\n"
    install("acme", code)

    assert states(load())["acme"].reason.startswith("E: ")


def test_one_that_removes_what_others_offer_is_broken_and_the_others_are_there(install, load):
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

class Endless(list):
    def __len__(self):
        return 1

    def __iter__(self):
        while True:
            yield "gore"

class Acme(Oracle):
    def judge(self, questions):
        return []
    {body}
"""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("traits = 'gore'", "traits must be a collection of names, but is 'gore'"),
        ("traits = None", "traits must be a collection of names, but is None"),
        ("traits = ['gore', 3]", "traits must be a collection of names, but holds 3"),
        ("traits = property(lambda self: 1 / 0)", "failed to name its traits: ZeroDivisionError"),
        ("traits = ['gore']; columns = 'age'", "declares columns = 'age'"),
        ("traits = ['gore']; columns = (1,)", r"declares columns = \(1,\)"),
        ("traits = ['gore']; deterministic = 'no'", "declares deterministic = 'no'"),
        ("traits = Endless()", "traits says that it holds 1 names, but lists more"),
        ("traits = ['gore']; judge = None", "must have a method judge, but that is None"),
        ("traits = ['gore']\n    async def judge(self, questions): ...", "has an async method judge"),
        (
            "traits = ['gore']\n    def judge(self): ...",
            r"is called as judge\(questions\), but has judge\(\)",
        ),
    ],
    ids=[
        *("text", "none", "number", "failing", "columns-text", "columns-number", "text-for-a-bool"),
        *("endless", "no-method", "async", "signature"),
    ],
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
        (ParsedList((), ("duplicate",)), "events must hold ParseEvents, .* but holds 'duplicate'"),
        (ParsedList((), (ParseEvent("odd", 0, 1),)), "each of an EventKind and a span"),
        (
            ParsedList((), (ParseEvent(EventKind.TRUNCATED, 0, 10**9),)),
            "within the .* characters of the text",
        ),
        (ParsedList((ParsedItem("Saw", 2004, 0, 3, 3, further=("Up",)),)), "further must hold Titles"),
        (ParsedList((ParsedItem("Saw", 2004, 0, 3, 3, further=None),)), "further must hold Titles"),
        (ParsedList((ParsedItem("Saw", -5, 0, 3, 3),)), r"the year must lie in 0\.\.9999, but is -5"),
        (ParsedList((ParsedItem("Saw", 10**30, 0, 3, 3),)), "the year must lie in"),
        (ParsedList((ParsedItem("\ud800", 2004, 0, 3, 3),)), "holds half of a character"),
        (
            ParsedList((ParsedItem(type("T", (str,), {})("Saw"), 2004, 0, 3, 3),)),
            "expected a name and a year",
        ),
        (ParsedList((ParsedItem("Saw", 2004, 0.0, 3, 3),)), "must be integers"),
        (ParsedList((ParsedItem("Saw", 2004, False, 3, 3),)), "must be integers"),
        (type("Lists", (ParsedList,), {})(()), "must return a ParsedList, but returned Lists"),
    ],
    ids=[
        *(
            "iterator",
            "events",
            "event-kind",
            "event-span",
            "further",
            "no further",
            "early",
            "late",
            "surrogate",
            "text of its own",
        ),
        *("float", "truth", "subclass"),
    ],
)
def test_a_parsed_list_of_other_things_is_refused(parsed, problem):
    with pytest.raises(PluginError, match=problem):
        parse(Reading(parsed), "Saw")


def test_a_list_that_the_parser_still_holds_is_copied():
    items = [ParsedItem("Saw", 2004, 0, 3, 3)]
    parsed = parse(Reading(ParsedList(items)), "Saw")

    items.clear()

    assert [item.name for item in parsed.items] == ["Saw"]


class Ends(Transform):
    def __call__(self, rows):
        for _ in rows:
            os._exit(0)
            yield {}


class Numbers(Transform):
    def __call__(self, rows):
        for _ in rows:
            yield {1: 2}


@pytest.mark.parametrize(
    ("transform", "problem"),
    [
        (Ends(), "transform 'Ends' failed: SystemExit: 0"),
        (Numbers(), "transform 'Numbers' must yield rows whose columns are text, but one is 1"),
    ],
    ids=["ends", "numbers"],
)
def test_a_transform_that_ends_the_process_or_names_columns_by_numbers_is_refused(transform, problem):
    with pytest.raises(PluginError, match=problem):
        list(transformed(transform, lambda: [{"id": 1}]))


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


FINDER = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        {body}

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("body", ["raise KeyboardInterrupt", "raise SystemExit(0)"], ids=["ctrl-c", "exit"])
def test_a_finder_of_modules_that_fails_is_removed(install, load, monkeypatch, body):
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    install("acme", FINDER.format(body=body) + REWARD)

    state = states(load())["acme"]

    assert state.status == "ok"
    assert any("how modules are found" in note for note in state.notes)
    with pytest.raises(ModuleNotFoundError):
        import_module("a_module_that_nobody_has")


def test_a_finder_of_modules_comes_after_those_of_python(install, load, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    install("acme", FINDER.format(body="return None") + REWARD)

    load()

    names = [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path]
    assert names.index("Finder") > names.index("PathFinder")


def test_a_requirement_of_saferec_that_cannot_be_read_is_quoted(install, load):
    install("acme", REWARD, requires="saferec >>= banana")

    state = states(load())["acme"]

    assert (state.status, state.reason.partition(";")[0]) == (
        "incompatible",
        "its requirement 'saferec >>= banana' cannot be read",
    )


def test_who_catches_the_time_limit_while_it_is_loaded_is_late_all_the_same(install, load, monkeypatch):
    monkeypatch.setenv("SAFEREC_PLUGIN_TIMEOUT", "0.1")
    stubborn = "import time\nfor _ in range(3):\n    try: time.sleep(0.2)\n    except BaseException: pass\n"
    install("acme", stubborn + REWARD)

    state = states(load())["acme"]

    assert (state.status, state.reason) == (
        "broken",
        "it took longer than 0.1 s. SAFEREC_PLUGIN_TIMEOUT=SECONDS allows more",
    )


ADDS_A_HOOK = "import sys\nsys.addaudithook(lambda event, arguments: 1 / 0)\n"


def test_a_hook_that_a_library_adds_when_a_plugin_imports_it_is_let_be(install, load, tmp_path, monkeypatch):
    hooks = []
    monkeypatch.setattr(endings, "_add_audit_hook", hooks.append)
    (tmp_path / "locking.py").write_text(ADDS_A_HOOK)  # as filelock does with Python 3.12
    monkeypatch.syspath_prepend(tmp_path)
    install("acme", "import locking\n" + REWARD)

    assert states(load())["acme"].status == "ok"
    assert len(hooks) == 1
    del sys.modules["locking"]


@pytest.mark.parametrize(
    "code",
    [ADDS_A_HOOK, f"exec({ADDS_A_HOOK!r}, {{}})\n", "import sys\nlist(map(sys.addaudithook, [print]))\n"],
    ids=["plainly", "by exec", "by map"],
)
def test_a_hook_that_nobody_can_remove_is_refused(install, load, code):
    install("acme", code + REWARD)

    state = states(load())["acme"]

    assert state.status == "broken"
    assert "a plugin must not add an audit hook, which nobody can remove again" in state.reason
    assert Path(__file__).read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("RECORD", b"\xff\xfe,\x00,3\n"),
        ("RECORD", b"acme.py,sha256=abc,many\n"),
        ("direct_url.json", b"\xff{"),
    ],
    ids=["binary record", "size that is no number", "binary origin"],
)
def test_a_damaged_record_of_a_distribution_leaves_the_audit_standing(install, load, name, content):
    install("acme", REWARD)
    (Path(sys.path[0]) / "acme-1.2.3.dist-info" / name).write_bytes(content)

    (audited,) = [each for each in audit(load()) if each["distribution"] == "acme"]

    assert audited["version"] == "1.2.3"
    assert audited["components"] == ["reward:mood"]
    assert audited["files"] >= 1
    assert not audited["editable"]


@pytest.mark.parametrize(("value", "problem"), [(7.5, "returned 7.5"), (-0.5, "returned -0.5")])
def test_a_metric_whose_values_do_not_fit_its_unit_is_refused(value, problem):
    class Odd(Metric):
        at_depth, better, kind, unit = False, "lower", "mean", "share of titles"

        def __call__(self, lists, k):
            return torch.full((len(lists.lists),), value)

    with pytest.raises(PluginError, match=rf"'odd' must return values in 0\.\.1 for its unit .*{problem}"):
        measure(judged_lists([TITLES[:2]], num_ranks=4), [1], [ActiveMetric("odd", Odd())])


class Writing(EvidenceSource):
    """Does with rows and traits what a test says."""

    def __init__(self, path, act):
        self.path, self.act = path, act

    def __call__(self, rows, traits):
        return self.act(rows, traits)


def saw(*risks):
    return Findings(Title("Saw", 2004), tuple(Finding("gore", risk, "blood") for risk in risks))


def without_end(rows, traits):
    del traits
    for _ in rows:
        while True:
            yield saw(1.0)


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (without_end, "has yielded 11,001 findings for 1 that it has read; has it no end"),
        (lambda rows, _: iter([saw(next(rows)["n"])]), "stopped before it had read all rows of"),
        (lambda rows, _: (saw(0.5, 0.7) for _ in rows), "at most one Finding for a trait .* two for 'gore'"),
        (
            lambda rows, _: (Findings("Saw", ()) for _ in rows),
            r"must give a Title\(name, year\), but gave 'Saw'",
        ),
        (lambda rows, traits: traits.clear(), "failed: AttributeError: 'mappingproxy'"),
    ],
    ids=["endless", "stops early", "twice", "no title", "clears the traits"],
)
def test_a_source_of_evidence_that_breaks_its_contract_is_named(load, tmp_path, act, problem):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": 1}\n{"n": 0}\n', encoding="utf-8")
    entry = replace(next(iter(load().evidence)), name="acme")

    with (
        pytest.raises(PluginError, match=problem),
        Rejects(tmp_path / "rejects.jsonl") as rejects,
    ):
        list(findings_of(SourceRows("acme", path, rejects), entry, Writing(path, act), {"gore": None}))


def test_a_finder_that_was_there_stays_and_the_one_that_came_first_is_named(install, load, monkeypatch):
    class Strict:
        """Such as an editable install adds; raises for what it does not know."""

        @staticmethod
        def find_spec(name, path=None, target=None):
            raise LookupError(name)

    class Shy:
        @staticmethod
        def find_spec(name, path=None, target=None):
            return None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Shy, Strict])
    install("acme", FINDER.format(body="return None") + REWARD)
    import_module("json")

    state = states(load())["acme"]

    assert sys.meta_path.index(Shy) < sys.meta_path.index(Strict)
    assert type(sys.meta_path[-1]).__name__ == "Finder"
    assert "changed how modules are found: acme.Finder came first (put back)" in state.notes


def test_finders_that_a_plugin_takes_away_come_back(install, load, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", before := [*sys.meta_path])
    kept = [*before]
    install("acme", REWARD + "import sys\nsys.meta_path.clear()\n")

    load()

    assert sys.meta_path == kept
