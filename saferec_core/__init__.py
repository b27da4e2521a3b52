"""Safe SFT and Safe-Rank-GRPO for language models that recommend: the public Python interface.

``from saferec_core import hookimpl`` is all that a plugin needs to register; what it registers follows the
base classes in `saferec_core.plugins.contracts`. The other names load what they need when they are first
used: importing this package imports no torch. ``docs/python.md`` shows each at work.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from saferec_core.errors import SaferecError
from saferec_core.plugins.hookspecs import hookimpl
from saferec_core.plugins.manager import load_plugins

if TYPE_CHECKING:
    from saferec_core.analysis.results import Results, read_results
    from saferec_core.api.inputs import load_catalog, load_oracle, load_records, parse
    from saferec_core.api.lists import compare, evaluate, judged_lists, score
    from saferec_core.api.policies import load_policy, recommend
    from saferec_core.api.rewards import as_trl_reward, as_verl_score
    from saferec_core.data.catalog import Catalog
    from saferec_core.data.records import Record
    from saferec_core.data.titles import Title
    from saferec_core.plugins.contracts.oracle import Oracle

__all__ = [
    "Catalog",
    "Oracle",
    "Record",
    "Results",
    "SaferecError",
    "Title",
    "__version__",
    "as_trl_reward",
    "as_verl_score",
    "compare",
    "evaluate",
    "hookimpl",
    "judged_lists",
    "load_catalog",
    "load_oracle",
    "load_plugins",
    "load_policy",
    "load_records",
    "parse",
    "read_results",
    "recommend",
    "score",
]

__version__ = "0.2.0"

_HOMES = {
    "saferec_core.analysis.results": ("Results", "read_results"),
    "saferec_core.api.inputs": ("load_catalog", "load_oracle", "load_records", "parse"),
    "saferec_core.api.lists": ("compare", "evaluate", "judged_lists", "score"),
    "saferec_core.api.policies": ("load_policy", "recommend"),
    "saferec_core.api.rewards": ("as_trl_reward", "as_verl_score"),
    "saferec_core.data.catalog": ("Catalog",),
    "saferec_core.data.records": ("Record",),
    "saferec_core.data.titles": ("Title",),
    "saferec_core.plugins.contracts.oracle": ("Oracle",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
