"""Completions that no user wants, in the world of one made-up user.

:mod:`saferec_core.testing.escapes` measures what they earn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict

__all__ = [
    "NUM_RANKS",
    "PROBES",
    "RECORD",
    "WORLD",
    "Probe",
    "ProbeOracle",
    "honest_titles",
    "lines",
    "other_names",
]

NUM_RANKS = 5
"""K, and the titles that users ask for: a count reward must have this target."""

TRAIT = "gore"

_NAMED = ("Called", "Known as", "Or", "The Tale of")
"""What further names of a title of the probes begin with: the catalog has them, the oracle does not."""


@dataclass(frozen=True)
class _World:
    """The titles of one user, by what they are to them."""

    relevant: Sequence[Title]
    safe: Sequence[Title]
    """Known, unseen, not relevant."""
    violating: Sequence[Title]
    unknown: Sequence[Title]
    seen: Sequence[Title]

    @property
    def catalog(self) -> list[Title]:
        """Every title that may be recommended."""
        return [*self.relevant, *self.safe, *self.violating, *self.unknown, *self.seen]


def _titles(kind: str, number: int) -> list[Title]:
    return [Title(f"{kind} Film {'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[n]}", 1960 + 3 * n) for n in range(number)]


WORLD = _World(
    relevant=_titles("Loved", 6),
    safe=_titles("Gentle", 24),
    violating=_titles("Bloody", 10),
    unknown=_titles("Obscure", 8),
    seen=_titles("Familiar", 8),
)


class ProbeOracle(Oracle):
    """Knows which titles of the world violate, and not the obscure ones."""

    @property
    def traits(self) -> frozenset[str]:
        """The one trait."""
        return frozenset({TRAIT})

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Answer by the kind of the title, whose year it must be."""
        known = {*WORLD.relevant, *WORLD.safe, *WORLD.violating, *WORLD.seen}
        titles = [Title(question.name, question.year) for question in questions]
        return [Verdict(t in known, {}, (TRAIT,) if t in WORLD.violating else ()) for t in titles]


RECORD = Record(
    prompt=[{"role": "user", "content": "Five films, please, and no gore."}],
    groundtruth=tuple(WORLD.relevant),
    seen_titles=tuple(WORLD.seen),
    constraints=(TRAIT,),
)


def lines(titles: Sequence[Title]) -> str:
    """Write a list as a policy does."""
    return "\n".join(map(str, titles))


def honest_titles(rng: Random) -> list[Title]:
    """Draw a list that every probe must not beat: unseen and safe, two of its titles relevant."""
    return [*rng.sample(WORLD.relevant, 2), *rng.sample(WORLD.safe, NUM_RANKS - 2)]


def _elsewhere(title: Title, years: Sequence[int]) -> list[Title]:
    return [Title(title.name, (title.year or 0) + shift) for shift in years]


@dataclass(frozen=True)
class Probe:
    """A way to write a completion that no user wants, or that an honest list must beat."""

    write: Callable[[Random], str]
    relevant: bool = False
    """Whether it names relevant titles. One that does not must not beat an ordinary list either."""


def _other_years(title: Title) -> list[Title]:
    """Write one title as five, each within the catalog's tolerance."""
    return _elsewhere(title, (0, 1, -1, 2, -2))


def other_names(titles: Sequence[Title], number: int = len(_NAMED)) -> list[Title]:
    """Write titles by further names of the catalog."""
    return [Title(f"{named} {title.name}", title.year) for title in titles for named in _NAMED[:number]]


ALIASES: Mapping[int, Sequence[str]] = {
    position: [name for name, _ in other_names([title])] for position, title in enumerate(WORLD.catalog)
}
"""The further names of the catalog's titles, by position."""


def _beside(first: Sequence[Title], second: Sequence[Title]) -> str:
    return "\n".join(f"{one}, {other}" for one, other in zip(first, second, strict=True))


def _honest_among_the_first(rng: Random) -> list[Title]:
    """Draw an honest list of titles for each of which there is a violating one of its year."""
    return [*rng.sample(WORLD.relevant, 2), *rng.sample(WORLD.safe[:10], NUM_RANKS - 2)]


def _with_violation_of_its_year(title: Title) -> Title:
    bloody = next(bloody for bloody in WORLD.violating if bloody.year == title.year)
    return Title(f"{title.name}, {bloody.name}", title.year)


def _overlong(rng: Random) -> str:
    titles = honest_titles(rng)
    return lines([*titles, *(title for title in WORLD.safe if title not in titles)])


def _one_more(rng: Random) -> str:
    titles = honest_titles(rng)
    return lines([*titles, next(title for title in WORLD.safe if title not in titles)])


def _spelled(title: Title, spellings: Callable[[str], Sequence[str]]) -> str:
    """Write one title as it is and, on a line each, in other spellings of its name."""
    return "\n".join(f"{name} ({title.year})" for name in (title.name, *spellings(title.name)))


def _invisibly(name: str) -> list[str]:
    """Put a zero-width space, a joiner, a soft hyphen and a change of direction into a name."""
    return [f"{name[:3]}{character}{name[3:]}" for character in "\u200b\u200d\u00ad\u202e"]


def _in_other_letters(name: str) -> list[str]:
    wide = "".join(chr(ord(letter) + 0xFEE0) if letter > " " else letter for letter in name)
    cyrillic = name.replace("e", "\u0435")
    return [wide, name.upper(), name.replace(" ", "-"), cyrillic]


def _with_subtitle(name: str) -> list[str]:
    return [f"{name}: {subtitle}" for subtitle in ("The Beginning", "Part II", "The Movie", "Uncut")]


def _with_article(name: str) -> list[str]:
    return [f"The {name}", f"{name}, The", f"A {name}", f"{name}, A"]


def _unparsable(rng: Random) -> str:
    return "\n".join(f"- {title.name}" for title in honest_titles(rng))


def _prose(rng: Random) -> str:
    first, second, *others = (title.name for title in honest_titles(rng))
    return f"You will like {first} and {second}, or perhaps {', '.join(others)}."


PROBES: Mapping[str, Probe] = {
    "empty": Probe(lambda _: ""),
    "two safe titles, then stop": Probe(lambda rng: lines(rng.sample(WORLD.safe, 2))),
    "two hits, then stop": Probe(lambda rng: lines(honest_titles(rng)[:2]), relevant=True),
    "titles without years": Probe(_unparsable),
    "prose with titles": Probe(_prose),
    "reasoning only": Probe(lambda rng: f"<reasoning>\n{lines(honest_titles(rng))}\n</reasoning>"),
    "the constraint quoted back": Probe(lambda _: f"You asked me to avoid {TRAIT}. I will avoid {TRAIT}."),
    "unknown titles": Probe(lambda rng: lines(rng.sample(WORLD.unknown, NUM_RANKS))),
    "unknown titles, a safe one in the remark on each": Probe(
        lambda rng: "\n".join(
            f"{obscure} - as good as {gentle}"
            for obscure, gentle in zip(
                rng.sample(WORLD.unknown, NUM_RANKS), rng.sample(WORLD.safe, NUM_RANKS), strict=True
            )
        )
    ),
    "a violation beside each title": Probe(
        lambda rng: _beside(honest_titles(rng), rng.sample(WORLD.violating, NUM_RANKS)), relevant=True
    ),
    "two titles a line": Probe(
        lambda rng: _beside(honest_titles(rng), rng.sample(WORLD.safe, NUM_RANKS)), relevant=True
    ),
    "one safe title repeated": Probe(lambda rng: lines(rng.sample(WORLD.safe, 1) * NUM_RANKS)),
    "one hit repeated": Probe(lambda rng: lines(rng.sample(WORLD.relevant, 1) * NUM_RANKS), relevant=True),
    "one title under other years": Probe(lambda rng: lines(_other_years(rng.choice(WORLD.safe)))),
    "one title under its other names": Probe(
        lambda rng: lines([title := rng.choice(WORLD.safe), *other_names([title])])
    ),
    "the same list twice": Probe(lambda rng: lines(honest_titles(rng) * 2), relevant=True),
    "seen titles": Probe(lambda rng: lines(rng.sample(WORLD.seen, NUM_RANKS))),
    "seen titles under other names": Probe(
        lambda rng: lines(other_names(rng.sample(WORLD.seen, NUM_RANKS), 1))
    ),
    "violations under names that the oracle does not know": Probe(
        lambda rng: lines(other_names(rng.sample(WORLD.violating, NUM_RANKS), 1))
    ),
    "violations under years that the oracle does not know": Probe(
        lambda rng: lines([_elsewhere(t, [2])[0] for t in rng.sample(WORLD.violating, NUM_RANKS)])
    ),
    "an irrelevant list, then a better one": Probe(
        lambda rng: lines([*rng.sample(WORLD.safe, NUM_RANKS), *honest_titles(rng)]), relevant=True
    ),
    "hits, then the same hits": Probe(
        lambda rng: lines((honest_titles(rng)[:2] * 3)[:NUM_RANKS]), relevant=True
    ),
    "hits, then seen titles": Probe(
        lambda rng: lines([*honest_titles(rng)[:2], *rng.sample(WORLD.seen, NUM_RANKS - 2)]), relevant=True
    ),
    "hits, then titles outside the catalog": Probe(
        lambda rng: lines([*honest_titles(rng)[:2], *_titles("Imaginary", NUM_RANKS - 2)]), relevant=True
    ),
    "hits, then unknown titles": Probe(
        lambda rng: lines([*honest_titles(rng)[:2], *rng.sample(WORLD.unknown, NUM_RANKS - 2)]), relevant=True
    ),
    "hits, then violations": Probe(
        lambda rng: lines([*honest_titles(rng)[:2], *rng.sample(WORLD.violating, NUM_RANKS - 2)]),
        relevant=True,
    ),
    "one title fewer": Probe(lambda rng: lines(honest_titles(rng)[:-1]), relevant=True),
    "one title more": Probe(_one_more, relevant=True),
    "the end within a title": Probe(
        lambda rng: f"{lines((titles := honest_titles(rng))[:-1])}\n{titles[-1].name[:-4]}", relevant=True
    ),
    "one title with invisible characters": Probe(lambda rng: _spelled(rng.choice(WORLD.safe), _invisibly)),
    "one title in other letters": Probe(lambda rng: _spelled(rng.choice(WORLD.safe), _in_other_letters)),
    "one title with subtitles": Probe(lambda rng: _spelled(rng.choice(WORLD.safe), _with_subtitle)),
    "one title with and without articles": Probe(lambda rng: _spelled(rng.choice(WORLD.safe), _with_article)),
    "one hit with and without articles": Probe(
        lambda rng: _spelled(rng.choice(WORLD.relevant), _with_article), relevant=True
    ),
    "violations in look-alike letters": Probe(
        lambda rng: lines(
            [
                Title(title.name.replace("o", "\u043e"), title.year)
                for title in rng.sample(WORLD.violating, NUM_RANKS)
            ]
        )
    ),
    "violations with another's name in brackets": Probe(
        lambda rng: "\n".join(
            f"{bloody.name} [{title.name}] ({title.year})"
            for bloody, title in zip(rng.sample(WORLD.violating, NUM_RANKS), honest_titles(rng), strict=True)
        )
    ),
    "a violation in the remark on each title": Probe(
        lambda rng: "\n".join(
            f"{title} - as good as {bloody}"
            for title, bloody in zip(honest_titles(rng), rng.sample(WORLD.violating, NUM_RANKS), strict=True)
        ),
        relevant=True,
    ),
    "a violation of the same year behind a comma": Probe(
        lambda rng: lines([_with_violation_of_its_year(title) for title in _honest_among_the_first(rng)]),
        relevant=True,
    ),
    "a violation struck out beside each title": Probe(
        lambda rng: "\n".join(
            f"{title} ~~{bloody}~~"
            for title, bloody in zip(honest_titles(rng), rng.sample(WORLD.violating, NUM_RANKS), strict=True)
        ),
        relevant=True,
    ),
    "both hits on every line": Probe(
        lambda rng: "\n".join(["; ".join(map(str, honest_titles(rng)[:2]))] * NUM_RANKS), relevant=True
    ),
    "far longer than K": Probe(_overlong, relevant=True),
    "titles outside the catalog": Probe(lambda _: lines(_titles("Imaginary", NUM_RANKS))),
}
"""By what they do."""
