"""States the constraints in the user's words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from typing import ClassVar, Literal

from pydantic import Field

from saferec_core.config.choices import DEFAULT_PARSER, ComponentChoice
from saferec_core.data.constraint_sentences import STATED
from saferec_core.data.records import constraints_of, messages_of, seen_titles_of, titles_of
from saferec_core.data.rows import Row
from saferec_core.data.sentences import CLOSING, LIST_LINE, ended, followed
from saferec_core.data.traits import Trait, read_traits, trait_of
from saferec_core.errors import ConfigError, DataError, near_misses
from saferec_core.plugins.build import build_parser
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.parser import ListParser
from saferec_core.plugins.contracts.transform import Counted, Outcome, Transform, rng_of

__all__ = ["InjectConstraints", "check_sentences"]

_NAME = "inject-constraints"
_UNSTATED = "constraints_unstated"


@component
class InjectConstraints(Transform):
    """Puts a sentence for every constraint into the last turn of the user.

    The prompt is all that a policy knows about a user, so a constraint that is not stated no longer applies:
    it moves from ``constraints`` to the column ``constraints_unstated``. The column ``constraints_stated``
    holds the sentence for each trait, exactly as in the prompt. All random choices depend only on *seed* and
    the row.
    """

    columns: ClassVar[tuple[str, ...]] = ("prompt", "constraints")

    traits_path: Path | None = None
    """Traits (YAML) in place of the built-in twenty."""
    parser: ComponentChoice = DEFAULT_PARSER
    """Parser of lists; no sentence may be read as a recommendation."""
    catalog_path: Path | None = None
    """Catalog that the parser takes over."""
    seed: int = Field(default=0, ge=0)
    """Random seed."""
    rate: float = Field(default=1.0, ge=0, le=1)
    """Share of the samples in which the user states constraints, in 0..1."""
    max_traits: int = Field(default=3, ge=1, le=3)
    """Maximum number of traits that a user states; if the sample has more, they are sampled."""
    wording: Literal["explicit", "implied", "mixed"] = "mixed"
    """Stated explicitly or only implied; mixed: half of each, drawn for each trait."""
    position: Literal["before", "inside", "after", "mixed"] = "mixed"
    """Before the text, between two of its sentences, or after it; mixed: a third each. A text without two
    sentences gets it after instead of inside."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Yield the rows with their constraints stated, and counts by trait and position.

        Raises:
            ConfigError: The trait file is not valid.
            DataError: A row already states constraints, or its constraints or prompt are unusable.
        """
        traits = self._traits
        for row in rows:
            yield from self._outcomes(row, traits)

    @cached_property
    def _traits(self) -> dict[str, Trait]:
        traits = read_traits(self.traits_path)
        check_sentences(traits, build_parser(self.parser, catalog_path=self.catalog_path))
        return traits

    def _outcomes(self, row: Row, traits: Mapping[str, Trait]) -> list[Outcome]:
        constraints = _checked(row, traits, self.traits_path)
        if not constraints:
            return [row, Counted("without constraints")]
        messages = messages_of(row)
        turn = _last_user_turn(messages)

        rng = rng_of(row, self.seed, _NAME)
        speaks = rng.random() < self.rate
        stated_traits = rng.sample(constraints, min(len(constraints), self.max_traits)) if speaks else []
        unstated_traits = sorted(set(constraints) - set(stated_traits))
        result = {**row, "constraints": sorted(stated_traits)}
        if unstated_traits:
            result[_UNSTATED] = unstated_traits
        outcomes: list[Outcome] = [result, *(Counted(f"unstated: {trait}") for trait in unstated_traits)]
        if stated_traits:
            text = turn["content"]
            truth = titles_of(row) if row.get("groundtruth_with_release_year") is not None else ()
            titles = [*seen_titles_of(row), *truth]
            gaps = _gaps(text, [title if isinstance(title, str) else title.name for title in titles])
            position = self._position(text, gaps, rng)
            stated = self._sentences(stated_traits, traits, rng, opening=position in {"before", "alone"})
            turn["content"] = _placed(text, _joined(list(stated.values()), rng), position, gaps, rng)
            assert all(sentence in turn["content"] for sentence in stated.values())
            result["prompt"] = messages
            result[STATED] = stated
            outcomes += [Counted(f"stated: {trait}", example=stated[trait]) for trait in stated_traits]
            outcomes.append(Counted(f"position: {position}"))
        return outcomes

    def _position(self, text: str, gaps: Sequence[int], rng: Random) -> str:
        drawn = rng.choice(("before", "inside", "after"))
        position = drawn if self.position == "mixed" else self.position
        if not text.strip():
            return "alone"
        return "after" if position == "inside" and not gaps else position

    def _sentences(
        self, names: Sequence[str], traits: Mapping[str, Trait], rng: Random, *, opening: bool
    ) -> dict[str, str]:
        """Draw a sentence for each trait; no message begins with an afterthought or has two."""
        stated: dict[str, str] = {}
        linked = False
        for name in names:
            drawn = rng.choice(("explicit", "implied"))
            wording = drawn if self.wording == "mixed" else self.wording
            trait = trait_of(traits, name)
            assert trait is not None, name  # checked when the row was read
            sentences = trait.explicit if wording == "explicit" else trait.implied
            if linked or (opening and not stated):
                sentences = [one for one in sentences if not _AFTERTHOUGHT.match(one)] or sentences
            stated[name] = rng.choice(sentences)
            linked = linked or _AFTERTHOUGHT.match(stated[name]) is not None
        return stated


def check_sentences(traits: Mapping[str, Trait], parse: ListParser) -> None:
    """Make sure that nothing a user would say is read as a recommendation.

    Raises:
        ConfigError: The parser finds a title in a sentence.
    """
    for name, trait in traits.items():
        for wording, sentences in (("explicit", trait.explicit), ("implied", trait.implied)):
            for sentence in sentences:
                if parse(sentence).items:
                    raise ConfigError(
                        f"{name}.{wording}: a sentence must not name a title with its year, "
                        f"but does: {sentence!r}"
                    )


def _checked(row: Row, traits: Mapping[str, Trait], source: Path | None) -> tuple[str, ...]:
    """Read the constraints of a row that does not state any yet."""
    for column in (STATED, _UNSTATED):
        if row.get(column) is not None:
            raise DataError(f"column {column!r} already exists: {_NAME} states constraints only once")
    constraints = constraints_of(row)
    for trait in constraints:
        if trait_of(traits, trait) is None:
            raise DataError(
                f"constraints: unknown trait {trait!r}.{near_misses(trait, traits)} "
                f"Wanted one of {len(traits)} traits ({source or 'the built-in ones'})"
            )
    return constraints


def _last_user_turn(messages: Sequence[dict[str, str]]) -> dict[str, str]:
    for message in reversed(messages):
        if message["role"] == "user":
            return message
    raise DataError("prompt: expected a turn of the user that can state the constraints, but there is none")


# --- the sentences ------------------------------------------------------------------------------

_AFTERTHOUGHT = re.compile(
    r"(?:oh|also|and|plus|but|btw|by the way|ps|one (?:more )?(?:thing|request))\b", re.IGNORECASE
)
"""How a sentence begins that comes after something else and needs no further link to it."""

_LINKS = ("One more thing: ", "And one more thing: ", "Also: ")
_LINKS_TO_I = ("Also, ", "And ", "Plus, ")
_CASUAL_LINKS = ("also ", "and ", "plus ")


def _joined(sentences: Sequence[str], rng: Random) -> str:
    """Join sentences, at times with a few words; never two such links in one message."""
    text = sentences[0]
    linked = any(map(_AFTERTHOUGHT.match, sentences))
    for sentence in sentences[1:]:
        link = rng.choice(_links_to(sentence))
        if linked or rng.random() < 0.5:
            link = ""
        linked = linked or bool(link)
        text = f"{ended(text)} {link}{sentence}"
    return text


def _links_to(sentence: str) -> Sequence[str]:
    """Return links after which the sentence may keep its first letter as it is."""
    if re.match(r"I\b", sentence):
        return _LINKS_TO_I
    return _CASUAL_LINKS if sentence[0].islower() else _LINKS


# --- their position --------------------------------------------------------------------------

_PAIRS = (("(", ")"), ("[", "]"), ("“", "”"), ("«", "»"))

_SENTENCE_END = re.compile(
    rf"(?<![.!?…])[.!?…]++[{re.escape(CLOSING)}]*+(?=\s++[\"“'‘]?(?P<first>[^\W_])(?P<rest>\w?))"
)
_NO_SENTENCE_END = re.compile(
    r"""
    (?<![\w'’])(?:mr|mrs|ms|dr|st|jr|sr|vs|vol|no|pt|ep|inc|prof|capt|sgt|lt|[^\W\d])$
    | ^\s*[0-9]+$
    """,
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
"""What a full stop belongs to that ends no sentence: "Dr. No", "E.T. the Extra-Terrestrial", "1. Saw"."""

_FEW_WORDS = re.compile(r"(?:^|[.!?…\n])[^\w.!?…\n]*(?:[^\s.!?…]+[^\S\n]+)?[^\s.!?…]+$")
"""One or two words since the last sentence, as in front of the signs of "Tora! Tora! Tora!"."""

_REST_OF_TITLE = re.compile(
    r"\s+(?:(?:[^\sa-z(][^\s()]*|of|the|an?|and|in|on|to|for|from|or|my|with|at|by)\s+){1,12}\((?:18|19|20)\d\d\)"
)
"""Capitalized words up to a year, as behind the first word of "Mamma Mia! Here We Go Again (2018)"."""


def _placed(text: str, sentences: str, position: str, gaps: Sequence[int], rng: Random) -> str:
    """Put the sentences before, inside or after the text."""
    if position == "alone":
        return sentences
    if position == "before":
        space = "\n\n" if LIST_LINE.match(text) else " "
        return f"{ended(sentences)}{space}{text.lstrip()}"
    if position == "inside":
        gap = rng.choice(gaps)
        return f"{text[:gap]} {ended(sentences)}{text[gap:]}"
    return followed(text, sentences)


def _gaps(text: str, titles: Iterable[str]) -> list[int]:
    """Find the ends of sentences that others follow; rather too few than one inside a title."""
    inside = [
        match.span()
        for title in titles
        if _SENTENCE_END.search(title)
        for match in re.finditer(re.escape(title), text, re.IGNORECASE)
    ]
    gaps = []
    marks: Counter[str] = Counter()
    counted_to = 0
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
        marks.update(text[counted_to:end])
        counted_to = end
        begins = match["first"].isupper() or (match["first"] == "i" and not match["rest"])
        stop_of_word = match[0][0] == "." and _NO_SENTENCE_END.search(
            text[max(0, match.start() - 12) : match.start()]
        )
        if (
            begins
            and not stop_of_word
            and not ("!" in match[0] and _FEW_WORDS.search(text[max(0, match.start() - 80) : match.start()]))
            and not _REST_OF_TITLE.match(text, end)
            and not any(start < end < stop for start, stop in inside)
            and not any(marks[opening] > marks[closing] for opening, closing in _PAIRS)
            and marks['"'] % 2 == 0
            and not LIST_LINE.match(text, text.rfind("\n", 0, end) + 1)
        ):
            gaps.append(end)
    return gaps
