"""What an entry point names: a module with hooks or an object with hooks, and nothing else."""

import pytest

HOOKS = """
from saferec_core import hookimpl

class Hooks:
    @hookimpl
    def saferec_register_rewards(self, registry):
        registry.add("mood", "acme:Mood", summary="Likes happy titles.")

def hooks(): ...

shy = lambda registry: None
ready = Hooks()
nothing = None
"""


def state_of(plugins):
    (state,) = [each for each in plugins.states if each.origin.distribution == "acme"]
    return state


def test_an_object_with_hooks_is_a_plugin(install, load):
    install("acme", HOOKS, entry_points=b"[saferec]\nmain = acme:ready\n")

    plugins = load()

    assert state_of(plugins).status == "ok"
    assert plugins.rewards.get("mood").origin.distribution == "acme"


@pytest.mark.parametrize(
    ("attribute", "what"),
    [
        ("Hooks", "the class Hooks, which is not an object with hooks"),
        ("hooks", "the function hooks"),
        ("shy", "the function <lambda>"),
        ("nothing", "None"),
        ("gone", "'gone', which the module acme does not have"),
    ],
    ids=["class", "function", "lambda", "none", "missing"],
)
def test_what_cannot_be_a_plugin_is_named_with_what_is_expected(install, load, attribute, what):
    install("acme", HOOKS, entry_points=f"[saferec]\nmain = acme:{attribute}\n".encode())

    state = state_of(load())

    assert state.status == "broken"
    assert f"its entry point main = 'acme:{attribute}' names {what}." in state.reason
    assert "Expected is the module with the hooks: main = 'acme', where" in state.reason
    assert "def saferec_register_rewards(registry)" in state.reason
    assert "self" not in state.reason


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("main = acme\n", "'main = acme' above any head of a group; expected is [saferec] first"),
        ("# saferec\nmain = acme\n[other]\nx = y\n", "'main = acme' above any head of a group"),
        ("[Saferec]\nmain = acme\n", "has the group [Saferec]; expected is [saferec]"),
        ("[ saferec ]\nmain = acme\n", "has the group [ saferec ]; expected is [saferec]"),
        ("[saferec]\nacme\n", "has 'acme' in [saferec]; expected is NAME = MODULE"),
    ],
    ids=["no head", "head below", "capital", "blanks", "no name"],
)
def test_a_file_of_entry_points_that_nobody_reads_is_named(install, load, text, problem):
    install("acme", HOOKS, entry_points=text.encode(), requires="saferec>=0.2")

    state = state_of(load())

    assert state.status == "broken"
    assert problem in state.reason


def test_files_of_entry_points_that_have_nothing_to_do_with_saferec_are_not_named(install, load):
    install("acme", HOOKS, entry_points=b"main = acme\n", requires="saferec-lookalike")
    install("globex", HOOKS, entry_points=b"[console_scripts]\nsaferec-globex = globex:main\n")

    assert all(state.origin.is_built_in for state in load().states)


def test_a_module_without_hooks_is_named_with_an_example_of_one(install, load):
    install("acme", "")

    reason = state_of(load()).reason

    assert (
        "it implements no hook; expected is a function such as saferec_register_rewards(registry)" in reason
    )
    assert "from saferec_core import hookimpl" in reason


def test_an_attribute_that_is_missing_within_the_module_is_its_own_failure(install, load):
    install("acme", "import os\nos.nothing_of_this_name\n", entry_points=b"[saferec]\nmain = acme:ready\n")

    assert "module 'os' has no attribute 'nothing_of_this_name'" in state_of(load()).reason
