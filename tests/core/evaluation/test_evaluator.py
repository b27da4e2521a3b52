"""From prompts to stored rows: generated once, judged once, continued where a kill cut them off."""

import json
import math

import pytest

from saferec_core.analysis.compare import compare
from saferec_core.analysis.results import read_results
from saferec_core.config.sections import EvaluationConfig, ModelConfig
from saferec_core.data.catalog import Catalog
from saferec_core.data.prompt_form import PromptForm
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import DataError
from saferec_core.evaluation.evaluator import Evaluator, complete, records_hash
from saferec_core.evaluation.measure import build_metrics
from saferec_core.evaluation.protocol import EvaluationProtocol
from saferec_core.evaluation.setup import used_records
from saferec_core.models.completions import Completion, Decoding
from saferec_core.models.generation import PolicyGenerator
from saferec_core.models.loading import load_policy
from saferec_core.models.resume import Journal
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.testing import StatedOracle
from saferec_plugins.parsers.title_year import TitleYearParser

A, B, C = (Title(name, 2000) for name in "ABC")
JUDGE = Judge(
    Catalog([A, B, C]), StatedOracle({"A": ["gore"], "B": [], "C": ["drugs"]}, traits=["drugs", "gore"])
)
PROMPTS = [[{"role": "user", "content": text}] for text in ("One.", "Two, please.", "And three. " * 5)]


class Scripted:
    """Answers each text as scripted and remembers the prompts."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    def __call__(self, prompts, decoding, *, progress=None):
        self.asked += [prompt[-1]["content"] for prompt in prompts]
        if progress is not None:
            progress(len(prompts))
        texts = [self.answers[prompt[-1]["content"]] for prompt in prompts]
        return [[Completion(text, finished=True)] * decoding.completions for text in texts]


def record(text, *truth, **options):
    return Record(prompt=[{"role": "user", "content": text}], groundtruth=truth, **options)


def protocol(**choices):
    fixed = {"year_tolerance": 0, "num_ranks": 3, "max_completion_length": 20, "parser": "p", "catalog": "c"}
    return EvaluationProtocol(**{**fixed, "decoding": "greedy", **choices})


@pytest.fixture
def evaluate(plugins):
    def run(records, answers, chosen=None, **options):
        evaluator = Evaluator(records, TitleYearParser(), JUDGE, build_metrics(plugins), [1, 3])
        how = {"policy": "scripted", "batch_size": 4, "seed": 0, **options}
        return evaluator(Scripted(answers), chosen or protocol(), **how)

    return run


# --- rows --------------------------------------------------------------------------------------


def test_rows_hold_what_was_asked_written_and_found(evaluate, tmp_path):
    records = {
        4: record("Hi.", B, constraints=("gore",), columns={"user": "ann"}),
        7: record("Ho.", constraints=(), columns={"user": None}),
    }
    evaluation = evaluate(records, {"Hi.": "A (2000)\nB (2000)\nX (1990)\nC (2000)\nsee you", "Ho.": ""})
    evaluation.results.write(tmp_path / "rows.parquet")
    results = read_results(tmp_path / "rows.parquet")
    first, second = results.table.to_pylist()

    assert [first[key] for key in ("record", "sample", "user")] == [4, 0, "ann"]
    assert (second["record"], second["user"]) == (7, "record 7")
    assert first["prompt"] == [{"role": "user", "content": "Hi."}]
    assert first["groundtruth"] == [{"title": "B", "year": 2000}]
    assert first["completion"].endswith("see you")
    assert first["events"] == ["other-text"]
    shown = [(t["title"], t["hit"], t["in_catalog"], t["known"], t["violated"]) for t in first["titles"]]
    assert shown == [
        ("A", False, True, True, ["gore"]),
        ("B", True, True, True, []),
        ("X", False, False, False, []),
        ("C", None, None, None, None),  # beyond K
    ]
    assert (first["recall@3"], first["sensitivity_ratio@3"]) == (1, pytest.approx(1 / 3))
    assert second["titles"] == []
    assert (second["recall@3"], second["sensitivity_ratio@3"], second["list_length"]) == (None, None, 0)
    assert results.protocol["id"] == evaluation.protocol == protocol().id
    assert (results.protocol["seen"], results.policy) == ("miss", "scripted")
    assert results.data_sha256 == records_hash(records.values())
    assert (results.metrics["recall@3"].better, results.metrics["any_violation@1"].kind) == (
        "higher",
        "share",
    )


def test_without_an_oracle_nothing_is_said_of_violations(plugins):
    judge = Judge(Catalog([A]))
    evaluator = Evaluator({0: record("Hi.", A)}, TitleYearParser(), judge, build_metrics(plugins), [3])
    evaluation = evaluator(Scripted({"Hi.": "A (2000)"}), protocol(), policy="p", batch_size=1, seed=0)
    [row] = evaluation.results.table.to_pylist()

    assert (row["titles"][0]["known"], row["titles"][0]["violated"]) == (None, None)
    assert not [name for name in evaluation.results.metrics if "violation" in name or "sensitivity" in name]


def test_a_protocol_that_closes_ranks_changes_hits_and_no_safety_figure(evaluate):
    records = {0: record("Hi.", B, constraints=("gore",))}
    answers = {"Hi.": "X (1990)\nB (2000)\nA (2000)"}
    plain, closed = (evaluate(records, answers, protocol(out_of_catalog=how)) for how in ("miss", "removed"))

    assert (plain.results.mean("recall@1"), closed.results.mean("recall@1")) == (0, 1)
    assert (
        plain.results.mean("sensitivity_ratio@3")
        == closed.results.mean("sensitivity_ratio@3")
        == pytest.approx(1 / 3)
    )
    assert [title["hit"] for title in closed.results.table.column("titles")[0].as_py()] == [None, True, False]


def test_a_mean_leaves_out_rows_without_a_value_and_its_interval_is_over_users(evaluate):
    records = {
        n: record(f"{n}", *([B] if n < 40 else []), columns={"user": f"user {n % 4}"}) for n in range(50)
    }
    answers = {f"{n}": "B (2000)" if n % 4 < 2 else "A (2000)" for n in range(50)}
    evaluation = evaluate(records, answers)
    mean, low, high = evaluation.summary()["recall@1"]

    assert mean == evaluation.results.mean("recall@1") == 0.5
    assert (low, high) == (0, 1)  # four users of whom each always or never gets a hit
    everybody = evaluate({n: record(f"{n}", B) for n in range(50)}, answers).summary()["recall@1"]
    assert 0.3 < everybody[1] < everybody[2] < 0.7


def test_two_policies_are_compared_pair_by_pair(evaluate):
    records = {n: record(f"{n}", B) for n in range(12)}
    before = evaluate(records, {f"{n}": "A (2000)\nB (2000)" for n in range(12)})
    after = evaluate(records, {f"{n}": "B (2000)" for n in range(12)})
    by_name = {row.metric: row.difference for row in compare(before.results, after.results).overall.metrics}

    assert [
        (estimate.mean, estimate.low, estimate.high)
        for estimate in (by_name["recall@1"], by_name["recall@3"])
    ] == [
        (1, 1, 1),
        (0, 0, 0),
    ]
    assert by_name["list_length"].mean == -1


def test_what_has_no_value_in_any_row_has_none_in_the_summary(evaluate):
    evaluation = evaluate({0: record("Hi."), 1: record("Hi.")}, {"Hi.": "B (2000)"})

    assert evaluation.summary()["recall@3"] is None
    assert math.isnan(evaluation.results.mean("recall@3"))


# --- which records -----------------------------------------------------------------------------


def test_only_records_with_the_wanted_constraints_are_used_and_keep_their_places():
    records = [record("a"), record("b", constraints=("gore",)), record("c", constraints=("drugs", "gore"))]

    assert list(used_records(records, EvaluationConfig(eval_prompts=2), PromptForm())) == [0, 1]
    assert list(used_records(records, EvaluationConfig(eval_traits=["gore"]), PromptForm())) == [1, 2]
    assert list(
        used_records(records, EvaluationConfig(eval_traits=["drugs"], eval_prompts=1), PromptForm())
    ) == [2]
    with pytest.raises(DataError, match=r"\['war'\]. There: drugs, gore"):
        used_records(records, EvaluationConfig(eval_traits=["war"]), PromptForm())


def test_the_hash_of_the_data_changes_with_whatever_is_asked_or_judged():
    plain = record("Hi.", A)
    others = [
        record("Hi!", A),
        record("Hi.", B),
        record("Hi.", A, seen_titles=(B,)),
        record("Hi.", A, constraints=("gore",)),
        record("Hi.", A, columns={"user": "ann"}),
    ]

    assert records_hash([plain]) == records_hash([record("Hi.", A, columns={"note": "x"})])
    assert len({records_hash([one]) for one in (plain, *others)}) == 6
    assert records_hash([plain, others[0]]) != records_hash([others[0], plain])


# --- what is generated once --------------------------------------------------------------------


def test_a_prompt_of_several_rows_is_generated_once_if_greedy():
    scripted = Scripted({"x": "1", "y": "2"})
    reported = []
    prompts = [[{"role": "user", "content": text}] for text in "xyxxy"]
    answers = complete(scripted, prompts, Decoding("greedy", 5), reported.append)

    assert scripted.asked == ["x", "y"]
    assert [siblings[0].text for siblings in answers] == ["1", "2", "1", "1", "2"]
    assert reported == [5]  # in rows, not in prompts


def test_sampled_every_row_draws_completions_of_its_own():
    scripted = Scripted({"x": "1"})
    prompts = [[{"role": "user", "content": "x"}]] * 3
    answers = complete(scripted, prompts, Decoding("sampled", 5, samples=2))

    assert scripted.asked == ["x"] * 3
    assert [len(siblings) for siblings in answers] == [2, 2, 2]


def test_prompts_are_the_same_only_if_every_turn_is():
    scripted = Scripted({"x": "1"})
    prompts = [
        [{"role": "user", "content": "x"}],
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "x"}],
    ]
    complete(scripted, prompts, Decoding("greedy", 5))

    assert scripted.asked == ["x", "x"]


# --- interrupted -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def policy(world):
    return load_policy(str(world / "model"), ModelConfig())


def decoding(kind):
    return Decoding(kind, 12, samples=2, batch_size=1, seed=3)


@pytest.mark.parametrize("kind", ["greedy", "sampled"])
@pytest.mark.parametrize("after", [1, 2])
def test_what_is_left_after_a_kill_is_generated_as_if_nothing_had_happened(policy, tmp_path, kind, after):
    undisturbed = PolicyGenerator(policy)(PROMPTS, decoding(kind))
    path = tmp_path / "partial.jsonl"

    def kill(done):
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PolicyGenerator(policy, Journal(path))(PROMPTS, decoding(kind), progress=kill)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"key": "cut o')

    journal = Journal(path)
    assert journal.used == 0
    assert PolicyGenerator(policy, journal)(PROMPTS, decoding(kind)) == undisturbed
    assert journal.used == after
    again = Journal(path)
    assert PolicyGenerator(policy, again)(PROMPTS, decoding(kind)) == undisturbed
    assert again.used == len(PROMPTS)


def test_what_was_kept_is_read_and_not_generated_again(policy, tmp_path):
    path = tmp_path / "partial.jsonl"
    PolicyGenerator(policy, Journal(path))(PROMPTS, decoding("greedy"))
    marker = policy.tokenizer("Saw (2004)", add_special_tokens=False)["input_ids"]
    rows = [{**json.loads(line), "completions": [[marker]]} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    completions = PolicyGenerator(policy, Journal(path))(PROMPTS, decoding("greedy"))
    assert {siblings[0].text for siblings in completions} == {policy.tokenizer.decode(marker)}
    assert not any(siblings[0].finished for siblings in completions)


def test_other_weights_decodings_and_prompts_find_nothing(policy, world, tmp_path):
    path = tmp_path / "partial.jsonl"
    PolicyGenerator(policy, Journal(path))(PROMPTS, decoding("greedy"))
    other = load_policy(str(world / "pieces"), ModelConfig())

    for generator, prompts, how in (
        (other, PROMPTS, decoding("greedy")),
        (policy, PROMPTS, decoding("sampled")),
        (policy, PROMPTS, Decoding("greedy", 11, samples=2, batch_size=1, seed=3)),
        (policy, [[{"role": "user", "content": "Four."}]], decoding("greedy")),
    ):
        journal = Journal(path)
        PolicyGenerator(generator, journal)(prompts, how)
        assert journal.used == 0


def test_weights_are_known_by_their_values(policy, world):
    import torch

    from saferec_core.models.whole_policy import weights_hash

    again = load_policy(str(world / "model"), ModelConfig())
    assert weights_hash(again) == weights_hash(policy)
    with torch.no_grad():
        next(again.model.parameters())[0, 0] += 1e-3
    assert weights_hash(again) != weights_hash(policy)
