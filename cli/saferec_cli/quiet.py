"""Keep the engines' own progress bars and notices out of what a user reads."""

from __future__ import annotations

import warnings

__all__ = ["quiet_engines"]


def quiet_engines() -> None:
    """Silence progress bars and deprecation notices of transformers, datasets and TRL.

    Notices of deprecation are for saferec's maintainers, whose tests do show them.
    """
    import datasets  # noqa: PLC0415 - slow to import
    from transformers.utils import logging  # noqa: PLC0415 - as above

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    datasets.disable_progress_bars()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|torch)\.")
