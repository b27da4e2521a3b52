"""``saferec plugins`` and what is told of plugins of other people."""

import json
import os
import signal
import subprocess
import sys

import pytest

REWARD = """
import saferec_core
from saferec_core.plugins.contracts.reward import RewardFunction

@saferec_core.hookimpl
def saferec_register_rewards(registry):
    registry.add("novelty", "{module}:Novelty", summary="Rewards [rare] titles.")

class Novelty(RewardFunction):
    \"\"\"Rewards titles that few people name.\"\"\"
    scope = "rank"
    columns = ("popularity",)
    def __init__(self): ...
    def __call__(self, lists): ...
"""

HOOK = "import saferec_core\n@saferec_core.hookimpl\n"

BUILT_IN = {"relevance", "safety", "count", "table", "grpo", "gdpo", "title-year"}


def loaded_by(arguments, cwd, path=""):
    """Run the command line and return the names of all modules that are loaded when it ends."""
    code = (
        "import runpy, sys\n"
        "try: runpy.run_module('saferec_cli', run_name='__main__', alter_sys=True)\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
    )
    return set(done.stderr.split())


def imported_by(arguments, cwd):
    """Run Python with *arguments* and return the names of all modules that it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": ""},
    )
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    return done.returncode, names


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["-c", "import saferec_core"], 0),
        (["-m", "saferec_cli", "--help"], 0),
        (["-m", "saferec_cli", "train", "--help"], 0),
        (["-m", "saferec_cli", "plugins", "list"], 0),
        (["-m", "saferec_cli", "train", "--reward", "cuont"], 2),
    ],
)
def test_torch_is_not_imported_before_something_is_computed(tmp_path, arguments, status):
    returned, names = imported_by(arguments, tmp_path)

    assert returned == status
    assert "saferec_core" in names
    assert not names & {"torch", "transformers", "trl", "datasets", "accelerate", "numpy"}


def test_a_command_imports_its_own_module_and_no_other_command(tmp_path):
    names = loaded_by(["plugins", "show", "safety"], tmp_path)

    assert "saferec_cli.plugins" in names
    assert not names & {
        "saferec_cli.train",
        "saferec_cli.data",
        "saferec_core.config.schema",
        "torch",
        "numpy",
    }


def test_the_list_of_plugins_imports_neither_typer_nor_pydantic(tmp_path):
    names = loaded_by(["plugins", "list"], tmp_path)

    assert "saferec_cli.plugin_list" in names
    assert not names & {"typer", "pydantic", "rich", "saferec_cli.commands", "saferec_core.config.schema"}


def test_twenty_plugins_load_what_one_loads_and_themselves(tmp_path, distribution):
    code = HOOK + "def saferec_register_rewards(registry): registry.add({0!r}, '{0}.r:R', summary='')"
    names = [f"acme_{number}" for number in range(20)]
    sites = [str(distribution(name.replace("_", "-"), code.format(name))) for name in names]
    one = loaded_by(["plugins", "list"], tmp_path, sites[0])
    twenty = loaded_by(["plugins", "list"], tmp_path, os.pathsep.join(sites))

    assert twenty - one == set(names[1:])


def test_everything_built_in_is_listed_with_its_distribution(saferec):
    outcome = saferec("plugins", "list", "--json")

    listed = json.loads(outcome.out)
    assert outcome.status == 0
    assert {c["name"] for c in listed["components"] if c["distribution"] == "saferec"} >= BUILT_IN
    assert listed["broken"] == []


def test_a_reward_of_another_distribution_is_listed_with_its_version(saferec, distribution):
    site = distribution("acme-rewards", REWARD.format(module="acme_rewards"))

    table = saferec("plugins", "list", path=site)
    assert table.status == 0
    line = next(line for line in table.out.splitlines() if "novelty" in line)
    assert "acme-rewards 1.2.3" in line
    assert "Rewards [rare] titles." in line  # brackets are no markup

    listed = json.loads(saferec("plugins", "list", "--json", path=site).out)
    assert {
        "kind": "reward",
        "name": "novelty",
        "summary": "Rewards [rare] titles.",
        "distribution": "acme-rewards",
        "version": "1.2.3",
        "reference": "acme_rewards:Novelty",
    } in listed["components"]


def test_show_tells_options_scope_and_columns(saferec, distribution):
    site = distribution("acme-rewards", REWARD.format(module="acme_rewards"))

    [novelty] = json.loads(saferec("plugins", "show", "novelty", "--json", path=site).out)
    assert (novelty["declares"]["scope"], novelty["declares"]["columns"]) == ("rank", ["popularity"])
    assert "few people name" in saferec("plugins", "show", "novelty", path=site).out


def test_show_tells_default_range_and_meaning_of_an_option(main):
    [count] = json.loads(main("plugins", "show", "count", "--json").out)

    target = next(option for option in count["options"] if option["name"] == "target")
    assert (target["type"], target["default"], target["range"]) == ("int", "10", ">= 1")
    assert target["meaning"].startswith("Titles that a completion should list")
    assert count["declares"]["scope"] == "list"


def test_show_understands_a_name_with_either_dash(main):
    assert main("plugins", "show", "title_year").status == 0
    assert main("plugins", "show", "title-year").status == 0


def test_show_of_an_unknown_name_offers_the_near_miss(main):
    outcome = main("plugins", "show", "saftey")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: unknown plugin 'saftey'. Did you mean 'safety'?")


BROKEN = {
    "raises": ("raise RuntimeError('no [license] found')", "RuntimeError: no [license] found"),
    "lacks-a-module": ("import nowhere_to_be_found", "ModuleNotFoundError: No module named"),
    "is-no-python": ("def", "SyntaxError"),
    "ends-the-process": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "has-no-hook": ("def saferec_register_rewards(registry): ...", "is @hookimpl missing?"),
    "misspells-a-hook": (
        HOOK + "def saferec_register_reward(registry): ...",
        "unknown hook 'saferec_register_reward'. Did you mean 'saferec_register_rewards'",
    ),
    "misspells-the-prefix": (
        HOOK + "def safrec_register_rewards(registry): ...",
        "unknown hook 'safrec_register_rewards'. Did you mean 'saferec_register_rewards'",
    ),
    "wants-another-argument": (
        HOOK + "def saferec_register_rewards(rewards): ...",
        "rewards",
    ),
    "fails-to-register": (
        HOOK + "def saferec_register_rewards(registry):\n    1 / 0",
        "ZeroDivisionError",
    ),
    "forgets-the-module": (
        HOOK + "def saferec_register_rewards(registry):\n    registry.add('x', 'X', summary='')",
        "expected 'package.module:attribute'",
    ),
}


def test_plugins_that_fail_are_listed_with_their_reasons_and_keep_nobody_else_out(saferec, distribution):
    sites = [distribution(f"acme-{name}", code) for name, (code, _) in BROKEN.items()]
    sites.append(distribution("sound", REWARD.format(module="sound")))
    outcome = saferec("plugins", "list", "--json", path=os.pathsep.join(map(str, sites)))

    assert outcome.status == 0, outcome.err
    listed = json.loads(outcome.out)
    assert {c["name"] for c in listed["components"]} >= {"novelty", *BUILT_IN}
    reasons = {broken["distribution"]: broken["reason"] for broken in listed["broken"]}
    assert reasons.keys() == {f"acme-{name}" for name in BROKEN}
    for name, (_, reason) in BROKEN.items():
        assert reason in reasons[f"acme-{name}"]


def test_the_table_shows_a_broken_plugin_with_its_reason_to_the_letter(saferec, distribution):
    outcome = saferec("plugins", "list", path=distribution("acme", BROKEN["raises"][0]))

    assert outcome.status == 0
    assert "acme 1.2.3" in outcome.out
    assert "RuntimeError: no [license] found" in outcome.out


def test_a_name_that_two_distributions_offer_stops_only_the_run_that_names_it(main, installed, outline):
    for name in ("acme", "globex"):
        installed(name, REWARD.format(module=name))

    listed = main("plugins", "list")
    assert listed.status == 0
    assert "reward 'novelty': acme 1.2.3 (entry point 'main'), globex 1.2.3" in listed.out
    assert main("plan", outline / "run.yaml").status == 0
    refused = main("train", outline / "run.yaml", "--reward", "novelty")
    assert refused.status == 2
    assert "reward 'novelty' is offered twice: by acme 1.2.3" in refused.err
    assert "--no-plugin acme" in refused.err
    assert (
        "offered twice"
        not in main("train", outline / "run.yaml", "--reward", "novelty", "--no-plugin", "acme").err
    )


def test_nobody_can_take_the_place_of_a_built_in_component(main, installed, outline):
    installed("acme", REWARD.format(module="acme").replace('"novelty"', '"safety"'))

    assert main("plugins", "list").status == 0
    refused = main("train", outline / "run.yaml")
    assert refused.status == 2
    assert "reward 'safety' is offered twice: by saferec 0.2.0" in refused.err
    assert "and by acme 1.2.3" in refused.err
    assert main("plan", outline / "run.yaml", "--no-plugin", "acme").status == 0
    assert main("plan", outline / "run.yaml", "--reward", "relevance").status == 0


def test_an_unknown_reward_is_told_with_the_near_miss_and_nothing_is_written(saferec, tmp_path):
    outcome = saferec("train", "--reward", "cuont")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.splitlines() == [
        "error: unknown reward 'cuont'. Did you mean 'count'? Available: count, fresh, relevance, safety."
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_reward_of_a_plugin_that_failed_stops_the_run_and_tells_why(saferec, distribution):
    site = distribution("acme", "raise RuntimeError('no license')\n" + REWARD.format(module="acme"))
    outcome = saferec("train", "--reward", "novelty", path=site)

    assert outcome.status == 2
    assert "unknown reward 'novelty'" in outcome.err
    assert "acme 1.2.3" in outcome.err
    assert "no license" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_component_whose_module_is_missing_stops_the_run_with_its_name_and_distribution(
    main, installed, tiny
):
    code = REWARD.format(module="acme_gone").replace("acme_gone:Novelty", "acme_lost.rewards:Novelty")
    installed("acme-gone", code)
    outcome = main("train", tiny / "run.yaml", "--reward", "novelty")

    assert outcome.status == 2
    assert "reward 'novelty' of acme-gone 1.2.3" in outcome.err
    assert "No module named 'acme_lost'" in outcome.err


def test_a_hook_that_ends_the_process_ends_nothing_and_the_list_stays_json(saferec, distribution):
    code = HOOK + "def saferec_register_rewards(registry):\n    print('hello')\n    exit(0)\n"
    outcome = saferec("plugins", "list", "--json", path=distribution("acme", code))

    assert outcome.status == 0
    states = {state["distribution"]: state for state in json.loads(outcome.out)["plugins"]}
    assert states["acme"]["status"] == "broken"
    assert states["acme"]["reason"] == "SystemExit: 0 (in the hook saferec_register_rewards)"
    assert states["acme"]["notes"] == ["printed 'hello'"]
    assert states["saferec"]["status"] == "ok"


def test_verbose_shows_the_original_traceback_of_a_plugin_that_is_named(main, installed, outline):
    code = REWARD.format(module="acme_deep").replace(
        "class Novelty", "def deep():\n    1 / 0\ndeep()\nclass Novelty"
    )
    installed("acme-deep", code.replace("import saferec_core\n", "import saferec_core\n", 1))
    arguments = ("plan", outline / "run.yaml", "--reward", "novelty")

    quiet, loud = main(*arguments), main(*arguments, "--verbose")

    assert (quiet.status, loud.status) == (2, 2)
    assert "Traceback" not in quiet.err
    assert "in deep" in loud.err
    assert "ZeroDivisionError: division by zero" in loud.err


def test_strict_plugins_ends_any_command_if_one_plugin_is_broken(main, installed):
    installed("acme", "raise RuntimeError('no license')")

    outcome = main("plugins", "list", "--strict-plugins")

    assert (outcome.status, outcome.out) == (2, "")
    assert "acme 1.2.3 (entry point 'main'): RuntimeError: no license" in outcome.err
    assert main("--no-plugin=acme", "--strict-plugins", "plugins", "list").status == 0


def test_a_reward_from_a_file_is_listed_and_planned_with(main, outline, tmp_path):
    (tmp_path / "my_reward.py").write_text(
        "from saferec_core.plugins.contracts.reward import RewardFunction\n\n"
        'class MoodReward(RewardFunction):\n    """Likes happy titles."""\n    scope = "rank"\n'
        "    def __call__(self, lists): ...\n",
        encoding="utf-8",
    )

    listed = main("plugins", "list", "--json", "--plugin", "my_reward.py")
    assert "mood" in {each["name"] for each in json.loads(listed.out)["components"]}
    planned = main("plan", outline / "run.yaml", "--reward", "mood", "--plugin", tmp_path / "my_reward.py")
    assert planned.status == 0, planned.out
    assert main("plan", outline / "run.yaml", "--reward", "mood").status == 2


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("import os\nos.kill(os.getpid(), 9)\n", 0, ""),
        ("import os\nos.fork()\n", 0, ""),
        ("import os, sys\nif os.fork() == 0: sys.exit(3)\n", 0, ""),
        ("import atexit, os\natexit.register(os._exit, 5)\n", 0, "left for the end of the process failed"),
        ("import atexit\natexit.register(lambda: 1 / 0)\n", 0, "failed: ZeroDivisionError"),
        ("import atexit\natexit.register(print, 'bye')\n", 0, "bye"),
        ("import sys\nsys.__stdout__.close()\n", 0, ""),
        ("import ctypes\nctypes.string_at(0)\n", -signal.SIGSEGV, 'acme.py", line 2 in <module>'),
    ],
    ids=[
        "kill",
        "fork",
        "fork and exit",
        "exit at exit",
        "raise at exit",
        "print at exit",
        "stdout",
        "crash",
    ],
)
def test_what_a_plugin_forks_or_leaves_behind_disturbs_no_command_and_a_crash_names_its_file(
    saferec, distribution, code, status, said
):
    outcome = saferec("plugins", "list", "--json", path=distribution("acme", code))

    assert outcome.status == status
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    if status == 0:
        plugins = json.loads(outcome.out)["plugins"]
        assert {plugin["distribution"] for plugin in plugins} == {"saferec", "acme"}


ACTS_ON_TERMINALS = """
import saferec_core
from saferec_core.errors import PluginError
from saferec_core.plugins.contracts.metric import Metric

@saferec_core.hookimpl
def saferec_register_metrics(registry):
    registry.add("mood", "{module}:Mood", summary="red \\x1b[31m\\u202eand\\rgone")
    registry.add("lost", "{module}:Lost", summary="")

class Mood(Metric):
    __doc__ = "Says \\x1b]0;title\\x07nothing.\\rerror: forged"
    at_depth, better, kind, role, unit, label = False, "none", "mean", "list", "", "red \\x1b[31m"
    def __init__(self): raise ValueError("\\x1b[2Jgone\\nerror: forged")
    def __call__(self, lists): ...

class Refuses:
    def __init__(self): raise PluginError("\\x1b[2Jgone \\u202eaway")
"""


def test_nothing_that_a_plugin_says_reaches_the_terminal_as_a_control_character(
    main, installed, outline, monkeypatch
):
    code = ACTS_ON_TERMINALS.format(module="acme_ctl")
    code += "import warnings; warnings.warn('\\x1b[5mlook')\n"
    installed("acme-ctl", code.replace('"lost", "acme_ctl:Lost"', '"lost", "acme_ctl:Refuses"'))
    installed("acme-bad", "raise RuntimeError('\\x1b[1mbold\\u202e\\rback')")
    metrics = "evaluation.eval_metrics=[default,{}]"
    outcomes = [
        main("plugins", "list"),
        main("plugins", "list", "--json"),
        main("plugins", "show", "mood"),
        main("plugins", "check", "mood"),
        main("plugins", "audit"),
        main("plan", outline / "run.yaml", "--set", metrics.format("mood")),
        main("train", outline / "run.yaml", "--set", metrics.format("mood"), "--verbose"),
        main("train", outline / "run.yaml", "--set", metrics.format("lost")),
    ]

    for outcome in outcomes:
        text = outcome.out + outcome.err
        assert not {each for each in text if not each.isprintable()} - {"\n"}, outcome
        assert "\nerror: forged" not in text or "\nTraceback" in text
    assert "red and gone" in outcomes[0].out
    assert "RuntimeError: bold back" in outcomes[0].out
    assert "warned: UserWarning: look" in outcomes[0].out
    assert "metric 'lost' of acme-ctl 1.2.3: gone  away" in outcomes[-1].err


def test_a_version_and_an_entry_point_with_control_characters_are_shown_without(
    main, distribution, monkeypatch
):
    site = distribution("acme-v", REWARD.format(module="acme_v"), entry_point="ma\x1b[31min")
    metadata = "Metadata-Version: 2.1\nName: acme-v\x1b[31m\nVersion: 1\u202e.0\n"
    next(site.glob("*.dist-info/METADATA")).write_text(metadata, encoding="utf-8")
    monkeypatch.syspath_prepend(site)

    for arguments in (("list",), ("list", "--json"), ("show", "novelty"), ("audit",)):
        outcome = main("plugins", *arguments)
        assert outcome.status == 0
        assert "acme-v" in outcome.out
        assert not {each for each in outcome.out if not each.isprintable()} - {"\n"}, outcome
