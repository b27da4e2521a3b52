"""The contract, the vocabulary and the engine of saferec.

``from saferec_core import hookimpl`` is all that a plugin needs to register; what it registers
follows the protocols in ``rewards``, ``oracle``, ``advantages``, ``records`` and ``lists``.
"""

from saferec_core.errors import SaferecError
from saferec_core.plugins.hookspecs import hookimpl
from saferec_core.plugins.manager import load_plugins

__all__ = ["SaferecError", "__version__", "hookimpl", "load_plugins"]

__version__ = "0.2.0"
