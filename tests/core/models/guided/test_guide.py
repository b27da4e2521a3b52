"""Whatever a policy wants to write, it can only write lists of allowed titles."""

import json

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from saferec_core.data.catalog import Catalog
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError
from saferec_core.models.decoding import TokenAligner
from saferec_core.models.guided.allowed import Allowance
from saferec_core.models.guided.guide import build_guide
from saferec_core.models.guided.rows import GuidedRows
from saferec_plugins.parsers.title_year import TitleYearParser
from tests.core.models.guided.conftest import TITLES

CATALOG = Catalog(TITLES)


class Numbered:
    """Writes and reads ``1. Title (Year)``."""

    def __call__(self, text, *, finished=True):
        return TitleYearParser()(text, finished=finished)

    def format(self, titles):
        return "\n".join(f"{rank}. {title}" for rank, title in enumerate(titles, start=1))


class InBrackets:
    """Writes ``[Title (Year); Title (Year)]``."""

    def __call__(self, text, *, finished=True):
        lines = text.removeprefix("[").removesuffix("]").replace("; ", "\n")
        return TitleYearParser()(lines, finished=finished)

    def format(self, titles):
        return f"[{'; '.join(map(str, titles))}]"


@pytest.fixture(
    scope="module", params=[TitleYearParser, Numbered, InBrackets], ids=lambda kind: kind.__name__
)
def parser(request):
    return request.param()


GUIDES = {}


def guide_of(tokenizer, parser, *, num_ranks=6):
    key = (id(tokenizer), type(parser), num_ranks)
    if key not in GUIDES:
        GUIDES[key] = build_guide(
            tokenizer, parser, CATALOG, num_ranks=num_ranks, end_ids=frozenset({tokenizer.eos_token_id})
        )
    return GUIDES[key]


def allowance(*, unsafe=(), seen=()):
    safe = np.ones(len(TITLES), np.bool_)
    safe[list(unsafe)] = False
    return Allowance((), safe, tuple(sorted(seen)))


def mask_of(rows, width):
    """Return which tokens may come next, and check that their logits are left as they are."""
    scores = torch.randn(len(rows.wanted), width)
    restricted = rows.restrict(scores)
    mask = restricted > float("-inf")
    assert torch.equal(restricted[mask], scores[mask])
    return mask


def drawn(guide, allowances, tokenizer, generator, favorites=None):
    """Draw lists from a policy with random logits; return the token ids of each row."""
    rows = GuidedRows(guide, allowances)
    ids = [[] for _ in allowances]
    ended = torch.zeros(len(allowances), dtype=torch.bool)
    for _ in range(guide.longest):
        mask = mask_of(rows, len(tokenizer))
        assert mask.any(1).all()
        logits = torch.randn(mask.shape, generator=generator) * 3
        if favorites is not None:
            logits[:, favorites] += 20
        tokens = logits.masked_fill(~mask, float("-inf")).argmax(1)
        for row, token in enumerate(tokens.tolist()):
            if not ended[row]:
                ids[row].append(token)
        ended |= tokens == tokenizer.eos_token_id
        rows.advance(tokens)
        if ended.all():
            return ids, rows
    raise AssertionError("a list is longer than the guide says")


def positions_of(text, parser):
    return [CATALOG.find(item.name, item.year) for item in parser(text).items]


@settings(
    max_examples=20,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), seed=st.integers(0, 2**30))
def test_lists_hold_allowed_titles_once_and_as_many_as_there_can_be(tokenizer, parser, data, seed):
    guide = guide_of(tokenizer, parser)
    subsets = st.sets(st.integers(0, len(TITLES) - 1))
    users = data.draw(st.lists(st.tuples(subsets, subsets), min_size=1, max_size=4))
    allowances = [allowance(unsafe=unsafe, seen=seen) for unsafe, seen in users]
    generator = torch.Generator().manual_seed(seed)
    favorites = data.draw(st.lists(st.integers(0, len(tokenizer) - 1), max_size=5))

    ids, rows = drawn(guide, allowances, tokenizer, generator, favorites)

    writable = set(np.flatnonzero(guide.writable).tolist())
    aligner = TokenAligner(tokenizer)
    for row, (unsafe, seen) in enumerate(users):
        listed = positions_of(aligner.decode(ids[row])[0], parser)
        allowed = writable - unsafe - seen
        assert set(listed) <= allowed
        assert len(set(listed)) == len(listed) == min(6, len(allowed)) == rows.wanted[row]
        assert ids[row][-1] == tokenizer.eos_token_id
        assert len(ids[row]) <= guide.longest


def test_a_list_of_one_title_is_any_allowed_title_but_the_seen_ones(tokenizer):
    guide = guide_of(tokenizer, TitleYearParser(), num_ranks=1)
    saw, saw_2 = TITLES.index(Title("Saw", 2004)), TITLES.index(Title("Saw II", 2005))
    only_these = set(range(len(TITLES))) - {saw, saw_2}

    ids, rows = drawn(
        guide,
        [allowance(unsafe=only_these, seen=[saw]), allowance(seen=[saw])],
        tokenizer,
        torch.Generator().manual_seed(0),
    )

    assert rows.wanted.tolist() == [1, 1]
    aligner = TokenAligner(tokenizer)
    first, second = (positions_of(aligner.decode(row)[0], TitleYearParser()) for row in ids)
    assert first == [saw_2]
    assert len(second) == 1
    assert second != [saw]


def test_logits_of_another_tokenizer_are_refused(tokenizer):
    rows = GuidedRows(guide_of(tokenizer, TitleYearParser()), [allowance()])

    with pytest.raises(ConfigError, match="model and tokenizer do not belong together"):
        rows.restrict(torch.zeros(1, 3))


def test_any_token_that_ends_a_completion_may_end_a_list(tokenizer):
    ends = frozenset({tokenizer.eos_token_id, tokenizer.pad_token_id})
    guide = build_guide(tokenizer, TitleYearParser(), CATALOG, num_ranks=2, end_ids=ends)
    nothing_left = allowance(unsafe=range(len(TITLES)))

    rows = GuidedRows(guide, [nothing_left, allowance()])
    mask = mask_of(rows, len(tokenizer))

    assert set(mask[0].nonzero()[:, 0].tolist()) == ends
    assert not mask[1, sorted(ends)].any()
    rows.advance(torch.tensor([tokenizer.pad_token_id, int(mask[1].nonzero()[0])]))
    assert set(mask_of(rows, len(tokenizer))[0].nonzero()[:, 0].tolist()) == ends


def test_every_title_of_the_catalog_can_be_written(tokenizer, parser):
    guide = guide_of(tokenizer, parser)
    missing = [str(TITLES[position]) for position in np.flatnonzero(~guide.writable)]

    assert guide.left_out == len(missing)
    assert missing == []


def test_a_title_without_a_year_is_written_only_where_the_parser_reads_such_titles(tokenizer, tmp_path):
    titles = [Title("Heat", 1995), Title("Saw", None), Title("M", 1931)]
    path = tmp_path / "catalog.jsonl"
    path.write_text("".join(json.dumps({"title": n, "year": y}) + "\n" for n, y in titles), encoding="utf-8")
    completing = TitleYearParser(year="complete", catalog_path=path)

    for parser, writable in ((TitleYearParser(), [True, False, True]), (completing, [True] * 3)):
        guide = build_guide(
            tokenizer, parser, Catalog(titles), num_ranks=3, end_ids=frozenset({tokenizer.eos_token_id})
        )
        assert guide.writable.tolist() == writable
        safe = np.ones(3, np.bool_)
        ids, _ = drawn(guide, [Allowance((), safe, ())], tokenizer, torch.Generator().manual_seed(0))
        items = parser(TokenAligner(tokenizer).decode(ids[0])[0]).items
        listed = {Catalog(titles).find(item.name, item.year) for item in items}
        assert listed == {position for position, can_be in enumerate(writable) if can_be}


def test_a_policy_that_wants_a_title_gets_it_unless_it_is_taken(tokenizer):
    parser = TitleYearParser()
    guide = guide_of(tokenizer, parser, num_ranks=2)
    rows = GuidedRows(guide, [allowance()])
    ids = tokenizer("Saw (2004)\n", add_special_tokens=False)["input_ids"]
    if mask_of(rows, len(tokenizer))[0, ids[0]]:  # behind a prompt the first token may be another one
        for token in ids:
            assert mask_of(rows, len(tokenizer))[0, token]
            rows.advance(torch.tensor([token]))
        assert rows.written.tolist() == [1]


def test_without_an_allowed_title_the_list_is_empty_and_ends(tokenizer, seeded):
    guide = guide_of(tokenizer, TitleYearParser())

    ids, rows = drawn(guide, [allowance(unsafe=range(len(TITLES)))], tokenizer, seeded)

    assert ids == [[tokenizer.eos_token_id]]
    assert rows.wanted.tolist() == [0]


def test_a_forbidden_token_is_an_error(tokenizer):
    rows = GuidedRows(guide_of(tokenizer, TitleYearParser()), [allowance()])
    forbidden = int((~mask_of(rows, len(tokenizer))[0]).nonzero()[0])

    with pytest.raises(ConfigError, match="forbids"):
        rows.advance(torch.tensor([forbidden]))
