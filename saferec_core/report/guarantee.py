"""Guided lists on a page: what the guarantee costs, and what training still adds under it."""

from __future__ import annotations

from saferec_core.report.estimates import Estimator
from saferec_core.report.moments import Moment, free_form, lists_of
from saferec_core.report.reading import Run
from saferec_core.report.tables import MetricTable, metric_table

__all__ = ["LEARNED", "guarantee_table", "missing_guided"]

LEARNED = "What training still adds where no list can hold a known violation."
"""Above a table of guided lists before and after training."""

_COST = (
    "What the guarantee costs. A guided list cannot hold a title that is outside the catalog, already seen, "
    "listed before, or known to violate a constraint of its user."
)
_GUIDANCE = ("guided", "unknown", "list_marker")
"""Choices of the protocol that guided lists differ in from free ones."""
_ENDS = ("after", "policy")


def guarantee_table(run: Run, decoding: str, estimator: Estimator, *, several: bool) -> MetricTable | None:
    """Lay the free lists of the policy that a run ended with beside its guided ones.

    Args:
        run: The run.
        decoding: The guided one.
        estimator: Averages evaluations.
        several: Whether the page is about several runs.

    Returns:
        None where the run has no free lists of the same policy.
    """
    free = free_form(decoding)
    for when in _ENDS:
        moments = Moment(when, free), Moment(when, decoding)
        if all(moment in run.evaluations for moment in moments):
            title = f"{lists_of(free)}, free and guided{_protocol(decoding)}"
            return metric_table(
                f"{run.name}: {title}" if several else title,
                f"{run.name} by itself" if several else title,
                dict(zip(("free", "guided"), (run.evaluations[moment] for moment in moments), strict=True)),
                estimator,
                [run.whole.get(moment, {}) for moment in moments],
                apart=_GUIDANCE,
                lede=_COST,
            )
    return None


def missing_guided(run: Run) -> tuple[str, str] | None:
    """Return what guided lists would show, and the command for it; None where all are there."""
    evaluated = {(moment.when, moment.guided) for moment in run.evaluations}
    if ("after", False) not in evaluated:
        return None
    if ("after", True) not in evaluated:
        return (
            "Lists that cannot hold a known violation, and what that costs",
            f"saferec eval {run.folder} --guided",
        )
    if ("before", True) not in evaluated:
        return "What training still adds to guided lists", f"saferec eval {run.folder} --before --guided"
    return None


def _protocol(decoding: str) -> str:
    """Return the short id of a second protocol, as a title ends with it."""
    parts = decoding.split("-")[2:]
    return f" ({'-'.join(parts)})" if parts else ""
