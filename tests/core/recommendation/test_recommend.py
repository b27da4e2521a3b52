"""Lists for people, from a real model on the demo's world."""

import json
from dataclasses import replace

import pytest

from saferec_core.config.load import Layer, resolved
from saferec_core.config.schema import RecommendConfig
from saferec_core.data.records import Record
from saferec_core.errors import ConfigError, DataError, RunError, UnknownNameError
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.recommendation.recommender import check_constraints
from saferec_core.recommendation.run import Asking, load_recommender, recommend_file

ASKING = Asking(num_titles=4, batch_size=2)


@pytest.fixture(scope="module")
def config(world):
    settings = {
        "model": {"model": str(world / "model")},
        "data": {"catalog_path": str(world / "catalog.jsonl")},
        "oracle": {"name": "table", "path": str(world / "oracle.jsonl")},
        "num_ranks": 5,
        "evaluation": {"eval_at": [5]},
        "max_completion_length": 16,
    }
    return resolved(RecommendConfig, files=[], overrides=[Layer("test", settings)]).config


@pytest.fixture(scope="module")
def recommender(config, plugins):
    return load_recommender(config, plugins, ASKING)


@pytest.fixture(scope="module")
def rows(world):
    return [json.loads(line) for line in (world / "test.jsonl").read_text(encoding="utf-8").splitlines()[:5]]


def test_a_guided_list_has_as_many_titles_as_asked_for_all_of_them_allowed(recommender, rows):
    constraints = tuple(rows[0]["constraints"])
    record = Record(prompt=rows[0]["prompt"], constraints=constraints)

    (recommendation,) = recommender([record])

    assert [title.rank for title in recommendation.titles] == [1, 2, 3, 4]
    assert {title.verdict for title in recommendation.titles} <= {"safe", "unknown"}
    assert all(title.in_catalog and not title.repeated and not title.seen for title in recommendation.titles)
    assert recommendation.note is None


def test_a_list_of_more_titles_than_are_safe_ends_early_and_says_so(recommender, rows):
    titles = recommender.judge.catalog.titles
    record = Record(prompt=rows[0]["prompt"], seen_titles=titles[:-2])

    short, empty = recommender([record, replace(record, seen_titles=titles)])

    assert len(short.titles) == 2
    assert short.note.startswith(
        "Only 2 of 4 titles are left: all others of the catalog are in the user's history"
    )
    assert empty.titles == ()
    assert empty.note.startswith("No title is left: ")


def test_titles_of_a_free_list_come_with_their_verdict_and_its_evidence(config, plugins, rows, world):
    free = load_recommender(config, plugins, Asking(num_titles=4, guided=False))
    violating = next(
        row
        for row in map(json.loads, (world / "oracle.jsonl").read_text(encoding="utf-8").splitlines())
        if any(risk >= 0.66 for risk in row["risk"].values())
    )
    trait = next(name for name, risk in violating["risk"].items() if risk >= 0.66)
    record = Record(prompt=rows[0]["prompt"], constraints=(trait,))
    from saferec_core.models.completions import Completion

    (recommendation,) = free.judged(
        [record], [Completion(f"{violating['title']} ({violating['year']})\n", finished=True)]
    )

    (title,) = recommendation.titles
    assert (title.verdict, title.violated) == ("violation", (trait,))
    assert title.evidence[0].risk >= 0.66
    assert recommendation.note == "The list has 1 of 4 titles."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no rows"),
        (b"%PNG nonsense\n\x10\n", "no row of"),
        (b'{"prompt": "  "}\n', "the prompt is empty"),
    ],
    ids=["no-rows", "bytes", "blank"],
)
def test_a_file_without_a_readable_prompt_is_an_error(recommender, tmp_path, content, message):
    source = tmp_path / "prompts.jsonl"
    source.write_bytes(content)

    for _ in range(2):  # what was tried once is not taken for done
        with pytest.raises(DataError, match=message):
            recommend_file(recommender, source, tmp_path / "lists.jsonl", ASKING, policy="p")
    assert [path.name for path in tmp_path.iterdir()] == ["prompts.jsonl"]


def test_a_file_is_worked_through_a_broken_row_costs_that_row(recommender, rows, tmp_path):
    source, out = tmp_path / "prompts.jsonl", tmp_path / "lists.jsonl"
    lines = [json.dumps({"prompt": row["prompt"], "constraints": row["constraints"]}) for row in rows[:3]]
    lines.insert(1, '{"prompt": ')
    lines.insert(3, json.dumps({"prompt": "A film, please", "constraints": ["no such trait"]}))
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")

    counts = recommend_file(recommender, source, out, ASKING, policy="p")

    written = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert counts == {"lists": 3, "errors": 2, "kept": 0}
    assert [len(line.get("titles", [])) for line in written] == [4, 0, 4, 0, 4]
    assert "no such trait" in written[3]["error"]
    assert [line["line"] for line in written] == [1, 2, 3, 4, 5]


def test_a_prompt_that_the_context_cannot_hold_costs_its_own_row(recommender, tmp_path):
    source, out = tmp_path / "prompts.jsonl", tmp_path / "lists.jsonl"
    prompts = ["A comedy", "long " * 10_000, "A thriller", "A film"]
    source.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))

    counts = recommend_file(recommender, source, out, ASKING, policy="p")

    written = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert counts == {"lists": 3, "errors": 1, "kept": 0}
    assert [len(line.get("titles", [])) for line in written] == [4, 0, 4, 4]
    assert "that the model's context leaves" in written[1]["error"]


def test_an_interrupted_file_continues_with_the_same_lists(recommender, rows, tmp_path):
    source, out = tmp_path / "prompts.jsonl", tmp_path / "lists.jsonl"
    source.write_text("".join(json.dumps({"prompt": row["prompt"]}) + "\n" for row in rows), encoding="utf-8")
    recommend_file(recommender, source, out, ASKING, policy="p")
    whole = out.read_bytes()
    cut = whole[: whole.index(b"\n", whole.index(b"\n") + 1) + 20]  # two lines and a part of the third
    out.write_bytes(cut)

    counts = recommend_file(recommender, source, out, ASKING, policy="p")

    assert counts == {"lists": 3, "errors": 0, "kept": 2}
    assert out.read_bytes() == whole


def test_lists_of_another_policy_are_not_mixed_in(recommender, rows, tmp_path):
    source, out = tmp_path / "prompts.jsonl", tmp_path / "lists.jsonl"
    source.write_text(json.dumps({"prompt": rows[0]["prompt"]}) + "\n", encoding="utf-8")
    recommend_file(recommender, source, out, ASKING, policy="p")

    with pytest.raises(RunError, match="already exists"):
        recommend_file(recommender, source, out, ASKING, policy="q")


def test_an_unknown_constraint_is_named_with_its_near_misses(recommender, rows):
    known = rows[0]["constraints"][0]

    with pytest.raises(UnknownNameError, match="Did you mean"):
        check_constraints([known[:-1]], recommender.judge)
    with pytest.raises(ConfigError, match="needs an oracle"):
        check_constraints([known], Judge(recommender.judge.catalog, None))
