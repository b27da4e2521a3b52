"""What is read from the source of a component is what importing it says."""

import subprocess
import sys

import pytest

from saferec_core import load_plugins
from saferec_core.plugins import described as module
from saferec_core.plugins.component import declarations_of, options_of
from saferec_core.plugins.contracts import contract_of
from saferec_core.plugins.described import described

ENTRIES = list(load_plugins())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_the_source_of_a_built_in_component_says_what_importing_it_says(entry):
    cls = entry.load()
    description = described(entry)

    assert description.declares == declarations_of(cls, contract_of(entry.kind))
    assert list(description.options) == options_of(cls)
    assert description.text.split() == (cls.__doc__ or "").split()


def test_most_built_in_components_are_described_from_their_source():
    def is_readable(entry):
        try:
            module._from_source(entry)
        except module._NotReadableError:
            return False
        return True

    of_kind = [is_readable(entry) for entry in ENTRIES if entry.kind in {"reward", "normalizer", "metric"}]
    assert sum(of_kind) >= len(of_kind) / 2


@pytest.mark.parametrize("name", ["safety", "relevance", "gdpo", "recall"])
def test_describing_a_component_that_computes_with_torch_imports_no_torch(name):
    code = (
        "import sys; from saferec_core import load_plugins\n"
        "from saferec_core.plugins.described import described\n"
        f"for entry in load_plugins().named({name!r}): described(entry)\n"
        "print(sorted({'torch', 'numpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
