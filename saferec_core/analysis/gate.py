"""Claims about an evaluation that a pipeline may rely on: the interval has to allow them, not the mean.

A claim "at most" holds if the upper one-sided confidence bound is within its limit, a claim "at least"
if the lower one is. All claims of a gate have to hold, so that the chance of passing a policy that breaks
one is at most ``1 - confidence`` however many there are (an intersection-union test; Berger 1982).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.stats import norm

from saferec_core.analysis.bootstrap import RESAMPLES
from saferec_core.analysis.estimates import Difference, Estimate, compare_pairs, estimate_means, wilson
from saferec_core.analysis.metrics import is_share
from saferec_core.analysis.number_format import figures
from saferec_core.analysis.pairing import known_metrics, pair
from saferec_core.analysis.results import Results
from saferec_core.errors import ConfigError, DataError

__all__ = ["MIN_USERS", "Claim", "ClaimResult", "check_claims", "read_claim"]

MIN_USERS = 10
"""Users that a bootstrap must rest on for a claim to hold: with fewer it is too narrow."""

_CLAIM = re.compile(
    r"(?P<metric>[^\s<>=]+)\s*(?P<sign><=|>=)\s*"
    r"(?:(?P<baseline>baseline)\s*(?P<margin>[+-]\s*[\d.]+(?:e[+-]?\d+)?)?|(?P<limit>[+-]?[\d.]+(?:e[+-]?\d+)?))",
    re.IGNORECASE,
)
_SIGNS = {"max": "<=", "min": ">="}


@dataclass(frozen=True)
class Claim:
    """What must not be exceeded, or must be reached."""

    text: str
    metric: str
    side: Literal["max", "min"]
    limit: float
    """Of the metric's mean; of its mean difference from the baseline where the claim is `relative`."""
    relative: bool

    @property
    def subject(self) -> str:
        """What is compared with the limit."""
        return f"{self.metric} minus baseline" if self.relative else self.metric

    def allows(self, number: float) -> bool:
        """Whether a number is within the limit; NaN is not."""
        return number <= self.limit if self.side == "max" else number >= self.limit


@dataclass(frozen=True)
class ClaimResult:
    """Whether a claim holds, and why."""

    claim: Claim
    holds: bool
    value: float
    """Mean, or mean difference from the baseline; NaN where there is none."""
    bound: float
    """One-sided confidence bound on the side of the limit; NaN where there is none."""
    rows: int
    users: int
    interval: str
    """How the bound was computed: ``"wilson"``, ``"bootstrap"`` or ``"none"``."""
    sentence: str

    @property
    def verdict(self) -> str:
        """``"holds"``, ``"broken"`` by the value itself, or ``"not shown"``."""
        if self.holds:
            return "holds"
        return "not shown" if math.isnan(self.value) or self.claim.allows(self.value) else "broken"

    def as_data(self) -> dict[str, Any]:
        """Return everything, ready for JSON; NaN becomes null."""
        return {
            "claim": self.claim.text,
            "metric": self.claim.metric,
            "relative": self.claim.relative,
            "limit": self.claim.limit,
            "value": None if math.isnan(self.value) else self.value,
            "bound": None if math.isnan(self.bound) else self.bound,
            "rows": self.rows,
            "users": self.users,
            "interval": self.interval,
            "holds": self.holds,
            "verdict": self.verdict,
            "sentence": self.sentence,
        }


def read_claim(text: str, side: Literal["max", "min"]) -> Claim:
    """Read ``any_violation@10<=0.05``, or ``recall@10>=baseline-0.005``.

    Args:
        text: Metric, sign and limit.
        side: Which option it was given to; ``"max"`` goes with ``<=``, ``"min"`` with ``>=``.

    Raises:
        ConfigError: It is not a valid claim, or the sign does not go with the option.
    """
    example = "any_violation@10<=0.05" if side == "max" else "recall@10>=0.06"
    match = _CLAIM.fullmatch(text.strip())
    number = (match["margin"] if match["baseline"] else match["limit"]) if match else None
    try:
        limit = float((number or "0").replace(" ", ""))
    except ValueError:
        limit = math.nan
    if match is None or not math.isfinite(limit):
        raise ConfigError(
            f"--{side} {text!r} is not a valid claim; expected METRIC{_SIGNS[side]}NUMBER such as "
            f"{example!r}, or METRIC{_SIGNS[side]}baseline+NUMBER"
        )
    if match["sign"] != _SIGNS[side]:
        other = "min" if side == "max" else "max"
        raise ConfigError(
            f"--{side} {text!r}: --{side} goes with {_SIGNS[side]}, such as {example!r}; for {match['sign']} "
            f"use --{other}"
        )
    return Claim(text.strip(), match["metric"], side, limit, bool(match["baseline"]))


def check_claims(
    results: Results,
    claims: Sequence[Claim],
    *,
    baseline: Results | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[ClaimResult]:
    """Check each claim against the evaluation.

    Args:
        results: The evaluation.
        claims: At least one.
        baseline: What relative claims compare with, row by row; follows the same protocol.
        confidence: Confidence level of each one-sided bound; above 0.5.
        resamples: Resamples of a bootstrap.
        seed: Seed of everything that is drawn.

    Raises:
        ConfigError: No claim is given, no baseline for a relative one, or the confidence is not a valid one;
            or a limit of a share is not a share, or two claims exclude one another.
        DataError: There are no rows, or the baseline used other data.
        UnknownNameError: A claim names a metric that the evaluation does not have.
    """
    if not claims:
        raise ConfigError("a gate needs at least one claim; give --max or --min")
    if not 0.5 < confidence < 1:
        raise ConfigError(f"confidence must lie between 0.5 and 1, such as 0.95, but is {confidence:g}")
    relative = [claim.metric for claim in claims if claim.relative]
    if relative and baseline is None:
        raise ConfigError(f"a claim compares {relative[0]} with a baseline; name its run with --baseline")
    if baseline is not None and not relative:
        raise ConfigError(
            "a baseline is named, but no claim compares with it; write for example recall@10>=baseline-0.005"
        )
    if not len(results):
        raise DataError("the evaluation holds no rows; evaluate again")
    known_metrics([claim.metric for claim in claims], results.metrics)
    if problems := [*_no_shares(claims, results), *_contradictions(claims)]:
        raise ConfigError("; ".join(problems))
    numbers = {"confidence": 2 * confidence - 1, "resamples": resamples}  # each of its bounds has confidence
    absolute = list(dict.fromkeys(claim.metric for claim in claims if not claim.relative))
    alone = _estimates(results, absolute, np.random.default_rng(seed), **numbers) if absolute else {}
    against: Mapping[str, Estimate] = {}
    if baseline is not None:
        wanted = list(dict.fromkeys(relative))
        against = _differences(baseline, results, wanted, np.random.default_rng(seed), **numbers)
    return [
        _check(claim, (against if claim.relative else alone)[claim.metric], confidence) for claim in claims
    ]


def _no_shares(claims: Sequence[Claim], results: Results) -> Iterator[str]:
    """Name limits of shares that no share can miss or reach, such as 5 where 5 % was meant."""
    for claim in claims:
        within = -1 <= claim.limit <= 1 if claim.relative else 0 <= claim.limit <= 1
        if is_share(results.metrics[claim.metric]) and not within:
            yield f"{claim.text!r}: {claim.metric} is a share in 0..1, of which 5% is written 0.05"


def _contradictions(claims: Sequence[Claim]) -> Iterator[str]:
    """Name pairs of claims that cannot both hold."""
    for most in claims:
        for least in claims:
            same = (most.side, least.side, most.subject) == ("max", "min", least.subject)
            if same and most.limit < least.limit:
                yield f"{most.text!r} and {least.text!r} cannot both hold"


def _estimates(
    results: Results, metrics: Sequence[str], generator: np.random.Generator, **numbers: Any
) -> dict[str, Estimate]:
    values = np.stack([results.values(name) for name in metrics], axis=1)
    shares = [results.metrics[name].kind == "share" for name in metrics]
    estimates = estimate_means(values, results.users, generator=generator, shares=shares, **numbers)
    return {
        name: _of_counts(estimate) if results.metrics[name].unit == "titles" else estimate
        for name, estimate in zip(metrics, estimates, strict=True)
    }


def _of_counts(estimate: Estimate) -> Estimate:
    """Leave out the interval of a count that is the same in every row: it is a share's, and too narrow."""
    if estimate.interval != "wilson":
        return estimate
    return replace(estimate, low=math.nan, high=math.nan, interval="none")


def _differences(
    baseline: Results,
    results: Results,
    metrics: Sequence[str],
    generator: np.random.Generator,
    **numbers: Any,
) -> dict[str, Estimate]:
    pairs = pair(baseline, results, names=("the baseline", "the run"), metrics=metrics)
    differences = compare_pairs(pairs.first, pairs.second, pairs.users, generator=generator, **numbers)
    return {name: _as_estimate(difference) for name, difference in zip(metrics, differences, strict=True)}


def _as_estimate(difference: Difference) -> Estimate:
    kind = "bootstrap" if difference.users > 1 else "none"
    return Estimate(difference.mean, difference.low, difference.high, difference.rows, difference.users, kind)


def _check(claim: Claim, estimate: Estimate, confidence: float) -> ClaimResult:
    bound = estimate.high if claim.side == "max" else estimate.low
    trusted = not math.isnan(bound) and (estimate.interval == "wilson" or estimate.users >= MIN_USERS)
    holds = trusted and claim.allows(bound)
    sentence = _sentence(claim, estimate, bound, confidence, trusted=trusted, holds=holds)
    return ClaimResult(
        claim, holds, estimate.mean, bound, estimate.rows, estimate.users, estimate.interval, sentence
    )


def _sentence(
    claim: Claim, estimate: Estimate, bound: float, confidence: float, *, trusted: bool, holds: bool
) -> str:
    if not estimate.rows:
        return f"no row has a value of {claim.metric}, so that nothing can be claimed of it"
    value, shown = figures(estimate.mean, bound)
    limit, most = f"{claim.limit:g}", "at most" if claim.side == "max" else "at least"
    if not trusted and estimate.users < MIN_USERS:
        few = "1 user has" if estimate.users == 1 else f"{estimate.users} users have"
        why = f"only {few} a value; a bootstrap of fewer than {MIN_USERS} is not relied on"
        return f"{claim.subject} is {value}, but {why}"
    if not trusted:
        why = "from which no bound of a mean follows; claim a share instead, such as any_violation@10"
        return f"{claim.subject} is {value} in every list, {why}"
    if holds:
        return f"{claim.subject} is {value}, {most} {shown} with {confidence:.0%} confidence"
    if claim.allows(estimate.mean):
        far = "as high as" if claim.side == "max" else "as low as"
        why = f"{claim.subject} is {value}, but may be {far} {shown} ({confidence:.0%} confidence)"
    else:
        away = "above" if claim.side == "max" else "below"
        why = f"{claim.subject} is {value}, {away} the limit {limit}"
    small = _too_small(claim, estimate, bound, confidence)
    return f"{why}; {small}" if small else why


def _too_small(claim: Claim, estimate: Estimate, bound: float, confidence: float) -> str:
    """Say how large a sample the claim needs, if the sample is what prevents it from holding."""
    if estimate.interval == "wilson":
        limit = claim.limit if claim.side == "max" else 1 - claim.limit
        if limit <= 0:
            return "no sample is large enough for this limit, which the bound never reaches"
        best = wilson(0.0 if claim.side == "max" else 1.0, estimate.users, 2 * confidence - 1)
        if not claim.allows(best[1] if claim.side == "max" else best[0]):
            needed = math.ceil(norm.ppf(confidence) ** 2 * (1 - limit) / limit)
            return (
                f"{estimate.users:,} users are too few for this claim whatever they show, it "
                f"takes {needed:,} at least"
            )
    if not claim.allows(estimate.mean):
        return ""
    room = abs(claim.limit - estimate.mean)
    if room <= 1e-9 * abs(bound - estimate.mean):
        return "the value is the limit itself, which no sample can show to be kept"
    # The distance of a bound shrinks with the square root of the number of users.
    needed = math.ceil(estimate.users * ((bound - estimate.mean) / room) ** 2)
    return f"about {needed:,} users would show it if the value stays ({estimate.users:,} now)"
