"""Guided lists from a real model, through transformers' own generation."""

import json

import pytest

from saferec_core.config.sections import ModelConfig
from saferec_core.data.catalog import read_catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.models.completions import Decoding
from saferec_core.models.generation import PolicyGenerator
from saferec_core.models.guided.allowed import AllowedTitles
from saferec_core.models.guided.guide import build_guide
from saferec_core.models.guided.guiding import Guiding
from saferec_core.models.guided.marker import marker_of
from saferec_core.models.loading import load_policy
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.oracle import Oracle, Verdict
from saferec_plugins.oracles.table import TableOracle
from saferec_plugins.parsers.title_year import TitleYearParser

PARSER = TitleYearParser()


@pytest.fixture(scope="module", params=["model", "pieces"], ids=["one-token-titles", "several-token-titles"])
def policy(request, world):
    return load_policy(str(world / request.param), ModelConfig())


@pytest.fixture(scope="module")
def judge(world):
    return Judge(read_catalog(world / "catalog.jsonl"), TableOracle(path=world / "oracle.jsonl"))


@pytest.fixture(scope="module")
def records(world):
    rows = [json.loads(line) for line in (world / "test.jsonl").read_text(encoding="utf-8").splitlines()[:6]]
    return [
        Record(
            prompt=row["prompt"],
            constraints=tuple(row["constraints"]),
            seen_titles=tuple(
                Title(*title) if isinstance(title, list) else title for title in row["seen_titles"]
            ),
        )
        for row in rows
    ]


def guiding_of(policy, judge, records, **settings):
    guide = build_guide(policy.tokenizer, PARSER, judge.catalog, num_ranks=5, end_ids=policy.end_ids)
    allowed = AllowedTitles(judge)
    return Guiding(guide, [allowed.of(record) for record in records], **settings)


@pytest.mark.parametrize("kind", ["greedy", "sampled"])
def test_a_real_model_writes_only_lists_that_keep_the_promise(policy, judge, records, kind):
    guiding = guiding_of(policy, judge, records)
    decoding = Decoding(kind, max_completion_length=4, samples=2, batch_size=4, temperature=2.0)

    completions = PolicyGenerator(policy)([record.prompt for record in records], decoding, guiding=guiding)

    for record, siblings in zip(records, completions, strict=True):
        assert len(siblings) == (2 if kind == "sampled" else 1)
        for completion in siblings:
            assert completion.finished
            items = PARSER(completion.text).items
            positions = [judge.catalog.find(item.name, item.year) for item in items]
            assert len(items) == 5 == len(set(positions))
            assert None not in positions
            assert not any(guiding.allowances[records.index(record)].seen.count(p) for p in positions)
            assert all(guiding.allowances[records.index(record)].safe[p] for p in positions)


def test_text_in_front_is_free_until_the_marker_which_is_forced_in_the_end(policy, judge, records):
    marker = marker_of(policy.tokenizer, "<solution>", policy.end_ids)
    guiding = guiding_of(policy, judge, records[:3], marker=marker, free_tokens=7)
    decoding = Decoding("sampled", max_completion_length=4, temperature=3.0, seed=5)

    completions = PolicyGenerator(policy)([r.prompt for r in records[:3]], decoding, guiding=guiding)

    for (completion,) in completions:
        front, marker, behind = completion.text.partition("<solution>")
        assert marker
        assert front.strip()
        assert len(PARSER(behind).items) == 5


def test_unknown_titles_are_left_out_where_they_are_forbidden(judge):
    class KnowsNothing(Oracle):
        traits = frozenset({"trait"})

        def judge(self, questions):
            return [Verdict(known=False) for _ in questions]

    ignorant = Judge(judge.catalog, KnowsNothing())
    record = Record(prompt=[], constraints=("trait",))

    assert AllowedTitles(ignorant, "allow").of(record).safe.all()
    assert not AllowedTitles(ignorant, "forbid").of(record).safe.any()
