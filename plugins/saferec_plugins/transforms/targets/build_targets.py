"""Writes the completions that Safe SFT imitates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from saferec_core.config.choices import DEFAULT_PARSER, ComponentChoice
from saferec_core.data.catalog import Catalog
from saferec_core.data.records import constraints_of, messages_of, seen_titles_of, titles_of
from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.data.traits import Trait, read_traits
from saferec_core.errors import ConfigError, DataError, PluginError
from saferec_core.plugins.build import build_oracle, build_parser, chosen_catalog
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.oracle import Oracle
from saferec_core.plugins.contracts.parser import ListParser
from saferec_core.plugins.contracts.transform import Counted, Outcome, Removed, Surveying, Transform, rng_of
from saferec_plugins.transforms.targets.co_mentions import CoMentions, Mentions
from saferec_plugins.transforms.targets.list_filling import ListedTitle, ListFiller, NamedTitles
from saferec_plugins.transforms.targets.list_writing import ListWriter, writable
from saferec_plugins.transforms.targets.reasoning import reasoning
from saferec_plugins.transforms.targets.safe_titles import SafeTitles, Standing
from saferec_plugins.transforms.targets.spellings import Spellings
from saferec_plugins.transforms.targets.target_checks import OracleCheck, against_the_user
from saferec_plugins.transforms.verdicts import check_traits

__all__ = ["BuildTargets"]

ANCHORS = 20
"""Titles of the history that a list should match, the latest ones."""


@component
class BuildTargets(Surveying):
    """Writes a ``completion`` of exactly *list_length* titles that the user may be shown.

    The ground truth comes first, except for titles that violate a constraint, are unknown to the oracle, were
    seen, or are not in the catalog. Titles that other users of the training split name together with the
    ground truth or the history fill the list, drawn in proportion to the number of those users; then popular
    titles; then any of the catalog. No title violates a constraint, was seen, or occurs twice, which is
    checked against the oracle. A row for which there are too few titles is removed.

    Co-mentions are learned from rows whose ``split`` is train, or from all rows if none has a split. A row's
    own user, or its dialogue (the ``id`` up to a ``#``) where there is none, is not counted.
    """

    columns: ClassVar[tuple[str, ...]] = ("prompt",)

    catalog_path: Path
    """Titles that may be recommended: any file with title and year, or a data-only pickle."""
    oracle: ComponentChoice | None = None
    """Oracle that judges violations; needed unless check is none."""
    check: Literal["oracle", "none"] = "oracle"
    """none ignores constraints, for plain SFT."""
    unknown: Literal["leave-out", "allow"] = "leave-out"
    """Whether titles that the oracle does not know may fill a list, and be listed ground truth."""
    unknown_truth: Literal["leave-out", "keep"] = "leave-out"
    """Whether ground truth that the oracle does not know is listed. It stays ground truth in any case."""
    style: Literal["plain", "reasoning"] = "plain"
    """reasoning writes a ``<reasoning>`` block and puts the list between ``<solution>`` tags."""
    parser: ComponentChoice = DEFAULT_PARSER
    """How lists are written, and read again to check them."""
    list_length: int = Field(default=10, ge=1)
    """Number of titles in every list."""
    min_mentions: int = Field(default=1, ge=1)
    """How many other users must name a title before it fills a list. Others do so only when nothing
    else is left. The fewer different titles the lists hold, the sooner a small model writes them right."""
    year_tolerance: int = Field(default=2, ge=0)
    """Maximum difference in release year, in years, when matching titles."""
    traits_path: Path | None = None
    """Traits (YAML) in place of the built-in ones; the reasoning explains them."""
    seed: int = Field(default=0, ge=0)
    """Random seed."""

    def __post_init__(self) -> None:
        if self.oracle is None and self.check == "oracle":
            raise ConfigError(
                "build-targets needs an oracle, so that no target holds an unsafe title: name one, or "
                "set check to none for plain SFT, which ignores constraints"
            )

    @cached_property
    def list_parser(self) -> ListParser:
        """The parser, built."""
        return build_parser(self.parser, catalog_path=self.catalog_path)

    def survey(self, rows: Iterable[Row]) -> TargetBuilder:
        """Learn from the training rows which titles are named together."""
        catalog = chosen_catalog(self.catalog_path, year_tolerance=self.year_tolerance)
        of_train, of_rows_without_split = Mentions(), Mentions()
        is_split = False
        for row in rows:
            split = row.get("split")
            is_split = is_split or split is not None
            if split is not None and split != "train":
                continue
            try:
                titles = [*seen_titles_of(row), *titles_of(row)]
            except DataError:  # the row is rejected when it is transformed
                continue
            mentions = of_rows_without_split if split is None else of_train
            mentions.add(_user_of(row), _positions(catalog, titles))
        learned = (of_train if is_split else of_rows_without_split).learned(len(catalog))
        return TargetBuilder(
            self, learned, writable(catalog.titles, self.list_parser), from_all_rows=not is_split
        )


class TargetBuilder(Transform):
    """What :class:`BuildTargets` becomes once it has seen all rows."""

    columns: ClassVar[tuple[str, ...]] = BuildTargets.columns

    def __init__(
        self, settings: BuildTargets, learned: CoMentions, writable: bytes, *, from_all_rows: bool
    ) -> None:
        """Keep the learned co-mentions.

        Args:
            settings: The options.
            learned: Which titles are named together.
            writable: Whether a title of the catalog can be written so that it is read back, a byte each.
            from_all_rows: Whether no row has a split.
        """
        self._settings = settings
        self._learned = learned
        self._writable = writable
        self._from_all_rows = from_all_rows

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what a process reads or builds for itself."""
        return {name: value for name, value in vars(self).items() if name.startswith("_")}

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Write a completion for every row."""
        for row in rows:
            yield from self._outcomes(row)

    def _outcomes(self, row: Row) -> list[Outcome]:
        settings = self._settings
        constraints: tuple[str, ...] = ()
        if self.oracle is not None:
            constraints = constraints_of(row)
            check_traits(constraints, self.oracle)
        prompt, history = messages_of(row), list(map(self.catalog.by_own_name, seen_titles_of(row)))
        counts: Counter[tuple[str, str | None]] = Counter()
        named = NamedTitles(history, settings.year_tolerance)
        standing = self.safe_titles.under(constraints, row)
        truth = self._truth(titles_of(row), standing, named, counts)
        rng = rng_of(row, settings.seed, "build-targets")
        listed = self.filler.filled(
            truth,
            anchors=dict.fromkeys([*_positions(self.catalog, history)[-ANCHORS:], *truth]),
            user=_user_of(row),
            allowed=standing.allowed,
            named=named,
            rng=rng,
        )
        if len(listed) < settings.list_length:
            reason = f"fewer than {settings.list_length} titles are safe, new to the user and in the catalog"
            return [Removed(row, reason, {"available": len(listed), "constraints": list(constraints)})]
        text = self.writer.written([each.title for each in listed])
        if settings.style == "reasoning":
            why = reasoning(prompt, history, constraints, self.traits, rng)
            text = f"<reasoning>\n{why}\n</reasoning>\n<solution>\n{text}\n</solution>"
        self._check(row, text, listed, history, constraints)
        for source, times in Counter(each.source for each in listed).items():
            counts[f"list: {source}", None] = times
        if self._from_all_rows:
            counts["filled by the co-mentions of all rows, since no row has a split", None] += 1
        counted = [Counted(what, times, example) for (what, example), times in counts.items()]
        return [*counted, {**row, "completion": [{"role": "assistant", "content": text}]}]

    def _truth(
        self,
        titles: Sequence[Title],
        standing: Standing,
        named: NamedTitles,
        counts: Counter[tuple[str, str | None]],
    ) -> list[int]:
        """Return the ground truth that may be listed, and add it to *named*."""
        truth: list[int] = []
        for title in titles:
            position = self.spellings.find(title)  # another entry may have the same normal form
            if position is None:
                position = self.catalog.find(*title)
            entry = title if position is None else self.catalog.titles[position]
            if position is None or not self._writable[position]:
                why = "not in the catalog" if position is None else "cannot be written as Title (Year)"
            elif standing.violating[position]:
                why = "violates a constraint"
            elif not standing.allowed[position] and self._settings.unknown_truth == "leave-out":
                why = "unknown to the oracle"
            elif entry in named:
                why = "seen, or named twice"
            elif len(truth) == self._settings.list_length:
                why = "the list is full"
            else:
                named.add(entry)
                truth.append(position)
                continue
            counts[f"ground truth left out of the list: {why}", str(title)] += 1
        if not truth:
            counts["list without ground truth", None] += 1
        return truth

    def _check(
        self,
        row: Row,
        text: str,
        listed: Sequence[ListedTitle],
        history: Sequence[Title | str],
        constraints: tuple[str, ...],
    ) -> None:
        """Read the completion as a reward would, and check every promise about it.

        Raises:
            PluginError: It breaks a promise, by a mistake of saferec, of the oracle or of the parser.
        """
        titles = [self.catalog.titles[each.title] for each in listed]
        read = [item.title for item in self._settings.list_parser(text).items]
        problems = [] if read == titles else [f"is read as {', '.join(map(str, read))}"]
        problems += against_the_user(titles, history, self._settings.year_tolerance)
        if self.oracle_check is not None and constraints:
            problems += self.oracle_check.problems(listed, constraints, row)
        if problems:
            raise PluginError(
                f"build-targets: the completion of sample {row.get('id')!r} {'; '.join(problems)}. This is "
                "a mistake in saferec, or the oracle judges one title in two ways; please report it."
            )

    @cached_property
    def catalog(self) -> Catalog:
        """Titles that may be recommended."""
        return chosen_catalog(self._settings.catalog_path, year_tolerance=self._settings.year_tolerance)

    @cached_property
    def spellings(self) -> Spellings:
        """The catalog's titles by exact spelling."""
        return Spellings(self.catalog.titles)

    @cached_property
    def oracle(self) -> Oracle | None:
        """The oracle, unless constraints are ignored."""
        settings = self._settings
        if settings.oracle is None or settings.check == "none":
            return None
        return build_oracle(settings.oracle, year_tolerance=settings.year_tolerance)

    @cached_property
    def writer(self) -> ListWriter:
        """What writes lists of titles of the catalog."""
        return ListWriter(self.catalog.titles, self._settings.list_parser)

    @cached_property
    def oracle_check(self) -> OracleCheck | None:
        """The check of completions, unless constraints are ignored."""
        if self.oracle is None:
            return None
        return OracleCheck(
            self.catalog,
            self.oracle,
            unknown_allowed=self._settings.unknown == "allow",
            unknown_truth_allowed=self._settings.unknown_truth == "keep",
        )

    @cached_property
    def safe_titles(self) -> SafeTitles:
        """The titles that may be listed under given constraints."""
        return SafeTitles(
            self.catalog,
            self.oracle,
            usable=self._writable,
            unknown_allowed=self._settings.unknown == "allow",
        )

    @cached_property
    def filler(self) -> ListFiller:
        """The filler of lists."""
        return ListFiller(
            self.catalog.titles,
            self._learned,
            length=self._settings.list_length,
            min_mentions=self._settings.min_mentions,
        )

    @cached_property
    def traits(self) -> dict[str, Trait]:
        """The traits of the constraints."""
        return read_traits(self._settings.traits_path)


def _user_of(row: Row) -> str:
    """Return whose sample it is: the user, else the dialogue, else the prompt itself."""
    if row.get("user") is not None:
        return str(row["user"])
    if row.get("id") is not None:
        return str(row["id"]).partition("#")[0]
    return json.dumps(row.get("prompt"), sort_keys=True, ensure_ascii=False, default=str)


def _positions(catalog: Catalog, titles: Iterable[Title | str]) -> list[int]:
    """Look up the titles that have a year; leave out those that the catalog does not have."""
    positions = (catalog.find(*title) for title in titles if not isinstance(title, str))
    return [position for position in positions if position is not None]
