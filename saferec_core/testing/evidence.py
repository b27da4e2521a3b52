"""The contract of evidence sources, property by property."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any, ClassVar
from unittest import SkipTest

from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.data.traits import Trait, read_traits
from saferec_core.errors import DataError
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_core.testing.contract import Contract, check

__all__ = ["EvidenceContract", "check_evidence"]


class EvidenceContract(Contract[EvidenceSource]):
    """Inherit it and say what to make; see :class:`saferec_core.testing.contract.Contract`."""

    rows: ClassVar[Sequence[Row]] = ()
    """Rows of a file such as the source reads; at least one of them says something."""
    traits: ClassVar[Mapping[str, Trait] | None] = None
    """The traits that it is asked about; the default traits of saferec unless given."""

    def inputs(self, size: int | None = None) -> tuple[list[Row], Mapping[str, Trait]]:
        """Return *size* rows, each an object of its own, and the traits."""
        assert self.rows, "give rows such as the source reads: rows"
        wanted = len(self.rows) if size is None else size
        return [copy.deepcopy(row) for row in islice(cycle(self.rows), wanted)], self._traits()

    def call(self, component: EvidenceSource, *inputs: Any) -> list[Findings]:
        """Read the rows."""
        rows, traits = inputs
        return list(component(iter(rows), traits))

    def _traits(self) -> Mapping[str, Trait]:
        return read_traits() if self.traits is None else self.traits

    def _findings(self) -> list[Findings]:
        findings = self.answer(self.make(), *self.inputs())
        if any(_wrong_form(each) for each in findings):
            raise SkipTest("it yields something else; see test_it_yields_findings")
        return findings  # type: ignore[no-any-return]

    def test_it_yields_findings(self) -> None:
        """``Findings`` of a title with its ``Finding``s, and nothing else."""
        for findings in self.answer(self.make(), *self.inputs()):
            problem = _wrong_form(findings)
            assert problem is None, problem

    def test_it_finds_something(self) -> None:
        """Of rows that it is made for at least one says something about a trait."""
        assert any(each.findings for each in self._findings()), (
            "it finds nothing in any row; give rows that it is made for: rows"
        )

    def test_risks_are_in_0_to_1(self) -> None:
        """A risk is a finite number in 0..1."""
        for each in self._findings():
            for finding in each.findings:
                fine = isinstance(finding.risk, int | float) and 0 <= finding.risk <= 1
                assert fine, f"the risk of {each.title} must be in 0..1, but is {finding.risk!r}"

    def test_it_speaks_of_the_given_traits_only(self) -> None:
        """A trait that nobody asked about has no place in the oracle."""
        others = {finding.trait for each in self._findings() for finding in each.findings} - {*self._traits()}
        assert not others, f"it speaks of {min(others)!r}, which is not one of the traits"

    def test_each_trait_is_found_once_for_a_row(self) -> None:
        """Two findings of one row about one trait would contradict each other."""
        for each in self._findings():
            twice = [trait for trait, n in Counter(f.trait for f in each.findings).items() if n > 1]
            assert not twice, f"it says twice how risky {each.title} is for {twice[0]!r}"

    def test_it_says_what_a_risk_rests_on(self) -> None:
        """A reader of the card sees why."""
        for each in self._findings():
            for finding in each.findings:
                assert finding.risk == 0 or finding.detail.strip(), (
                    f"the risk of {each.title} for {finding.trait!r} has no detail that says what it rests on"
                )

    def test_a_row_that_cannot_be_understood_is_rejected_in_words(self) -> None:
        """By a ``DataError``, which names file and line; another exception ends the build."""
        self._findings()
        odd: Sequence[Any] = (None, "", "?", -1, [])
        spoiled: list[tuple[str, Row]] = [("an empty row", {})]
        for name in sorted(set().union(*self.rows), key=str):
            spoiled += [(f"{name!r} = {value!r}", {**self.rows[0], name: value}) for value in odd]
        for what, row in spoiled:
            try:
                findings = self.call(self.make(), [row], self._traits())
            except DataError:
                continue
            except Exception as error:
                raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
            for each in findings:
                assert all(math.isfinite(finding.risk) for finding in each.findings), (
                    f"{what}: an infinite risk"
                )

    def test_no_rows_give_no_findings(self) -> None:
        """An empty file is nothing special."""
        self._findings()
        assert not self.call(self.make(), [], self._traits()), "it finds something in no rows at all"


def _wrong_form(findings: object) -> str | None:
    """Say what is wrong with the form of an answer, None if nothing is."""
    if not isinstance(findings, Findings) or not isinstance(findings.title, Title):
        return f"it must yield Findings of a Title, but yields {findings!r:.80}"
    if not all(isinstance(finding, Finding) for finding in findings.findings):
        return f"what it finds must be a Finding each, but is {findings.findings!r:.80}"
    return None


def check_evidence(
    source: EvidenceSource, rows: Sequence[Row], traits: Mapping[str, Trait] | None = None
) -> None:
    """Check an evidence source against every property of :class:`EvidenceContract`.

    Args:
        source: Built as ``saferec oracle build`` would build it.
        rows: Rows of a file such as it reads.
        traits: The traits that it is asked about; the default traits of saferec unless given.

    Raises:
        ContractError: It lists every property that does not hold.
    """
    check(EvidenceContract, source, rows=tuple(rows), traits=traits)
