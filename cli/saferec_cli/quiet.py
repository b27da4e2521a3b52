"""Keep the engines' own notices out of what a user reads."""

from __future__ import annotations

import warnings

__all__ = ["quiet_engines"]


def quiet_engines() -> None:
    """Silence the log messages and deprecation notices of transformers and TRL.

    Notices of deprecation are for saferec's maintainers, whose tests do show them.
    """
    from transformers.utils import logging  # slow to import

    logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|torch)\.")
