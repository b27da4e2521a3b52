"""``from saferec_core import ...``: the names, what they do, and that unused ones cost nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import saferec_core
from saferec_core import (
    Catalog,
    as_trl_reward,
    as_verl_score,
    compare,
    evaluate,
    judged_lists,
    load_policy,
    parse,
    recommend,
    score,
)
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, DataError, RewardError, UnknownNameError
from saferec_core.testing import StatedOracle

CATALOG = Catalog([Title(name, 2000) for name in "ABCD"])
ORACLE = StatedOracle({"A": ["gore"], "B": [], "C": []}, traits=["gore"])
RECORDS = [
    {"prompt": f"{n}", "groundtruth_with_release_year": [["B", 2000]], "constraints": ["gore"]}
    for n in range(12)
]


def test_the_names_are_these():
    assert saferec_core.__all__ == [
        "Catalog",
        "Oracle",
        "Record",
        "Results",
        "SaferecError",
        "Title",
        "__version__",
        "as_trl_reward",
        "as_verl_score",
        "compare",
        "evaluate",
        "hookimpl",
        "judged_lists",
        "load_catalog",
        "load_oracle",
        "load_plugins",
        "load_policy",
        "load_records",
        "parse",
        "read_results",
        "recommend",
        "score",
    ]
    assert set(saferec_core.__all__) <= set(dir(saferec_core))
    for name in saferec_core.__all__:
        assert getattr(saferec_core, name).__doc__ or name == "__version__", name


def test_importing_the_package_imports_neither_torch_nor_numpy():
    code = (
        "import sys, saferec_core; print([m for m in ('torch', 'numpy', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_every_package_says_that_it_is_typed():
    for package in ("saferec_core", "saferec_cli", "saferec_plugins"):
        module = __import__(package)
        assert (Path(module.__file__).parent / "py.typed").is_file()


def test_lists_of_any_form_are_judged_alike():
    forms = [
        "A (2000)\nB (2000)",
        ["A (2000)", ["B", 2000]],
        [Title("A", 2000), {"title": "B"}],
        parse("A (2000)\nB (2000)"),
    ]
    judged = judged_lists(forms, RECORDS[:4], catalog=CATALOG, oracle=ORACLE, num_ranks=2)

    assert judged.hits.tolist() == [[False, True]] * 4
    assert judged.violations.tolist() == [[True, False]] * 4


def test_scores_are_by_list_and_depth():
    columns = score(
        [["A (2000)", "B (2000)"], ["B (2000)"]],
        RECORDS[:2],
        catalog=CATALOG,
        oracle=ORACLE,
        at=[1, 2],
        metrics=["recall", "sensitivity_ratio"],
    )

    assert {name: values.tolist() for name, values in columns.items()} == {
        "recall@1": [0, 1],
        "recall@2": [1, 1],
        "sensitivity_ratio@1": [1, 0],
        "sensitivity_ratio@2": [0.5, 0],
    }


def test_evaluations_are_written_read_and_compared(tmp_path):
    options = {"catalog": CATALOG, "oracle": ORACLE, "at": [2]}
    first = evaluate([["A (2000)", "C (2000)"]] * 12, RECORDS, name="first", **options)
    second = evaluate([["B (2000)"]] * 12, RECORDS, name="second", **options)
    second.write(tmp_path / "second.parquet")
    table = compare(first, tmp_path / "second.parquet")

    changes = {metric.metric: metric.verdict for metric in table.overall.metrics}
    assert (changes["recall@2"], changes["sensitivity_ratio@2"]) == ("better", "better")


def test_a_reward_becomes_one_of_trl_and_of_verl():
    options = {"catalog": CATALOG, "oracle": ORACLE, "num_ranks": 2, "unknown": "safe"}
    reward = as_trl_reward("safety", **options)
    completions = [[{"role": "assistant", "content": "A (2000)\nB (2000)"}], "B (2000)", "nothing"]

    assert reward.__name__ == "safety"
    assert reward(["?"] * 3, completions, constraints=[["gore"]] * 3, unrelated=[1, 2, 3]) == [
        -0.5,
        0.0,
        None,
    ]
    assert as_trl_reward("safety", reduce="sum", **options)(
        ["?"], completions[:1], constraints=[["gore"]]
    ) == [-1.0]
    relevance = as_verl_score("relevance", catalog=CATALOG, num_ranks=2)
    assert relevance("films", "B (2000)\nA (2000)", [["B", 2000]], {"seen_titles": []}) == 0.5
    assert (
        relevance(
            data_source="films",
            solution_str="B (2000)",
            ground_truth=[["B", 2000]],
            extra_info={"seen_titles": ["B (2000)"]},
        )
        == 0
    )


def test_a_completion_without_a_value_is_an_error_in_verl_unless_a_score_is_given_for_it():
    options = {"catalog": CATALOG, "oracle": ORACLE, "num_ranks": 2}
    wanted = ("films", "Nothing.", [["B", 2000]], {"constraints": ["gore"]})

    with pytest.raises(
        RewardError, match=r"'safety' has no value for 'Nothing\.'; give as_verl_score without_value"
    ):
        as_verl_score("safety", **options)(*wanted)
    assert as_verl_score("safety", without_value=-1, **options)(*wanted) == -1.0


def test_what_does_not_fit_is_named():
    with pytest.raises(DataError, match="1 lists for 12 records"):
        evaluate([[]], RECORDS, catalog=CATALOG)
    with pytest.raises(DataError, match="list 2: a title must be text"):
        score([[], [7]], RECORDS[:2], catalog=CATALOG)
    with pytest.raises(DataError, match="record 1: column 'prompt' is missing"):
        score([[]], [{}], catalog=CATALOG)
    with pytest.raises(ConfigError, match="reward 'safety' needs an oracle"):
        as_trl_reward("safety", catalog=CATALOG)
    with pytest.raises(UnknownNameError, match="Did you mean 'title-year'"):
        parse("A (2000)", parser="title-yaer")
    with pytest.raises(AttributeError, match="no attribute 'recomend'"):
        saferec_core.recomend  # noqa: B018


def test_a_policy_recommends_what_a_user_may_be_shown(world):
    policy = load_policy(
        world / "model",
        catalog_path=world / "catalog.jsonl",
        oracle_path=world / "oracle.jsonl",
        num_titles=3,
    )
    with (world / "test.jsonl").open(encoding="utf-8") as file:
        (trait, *_) = json.loads(file.readline())["constraints"]
    recommendation = recommend(policy, "Something funny", constraints=[trait])

    assert [title.verdict in {"safe", "unknown"} for title in recommendation.titles] == [True] * 3
    with pytest.raises(UnknownNameError, match="unknown trait 'nosuch'"):
        recommend(policy, "Hi", constraints=["nosuch"])
    with pytest.raises(ConfigError, match="the catalog is missing"):
        load_policy(world / "model")


@pytest.fixture
def on_two_films(tmp_path):
    """Catalog and oracle for a policy that is no model."""
    rows = [
        {"title": "Saw", "year": 2004, "risk": {"gore": 0.9}},
        {"title": "Up", "year": 2009, "risk": {"gore": 0}},
    ]
    path = tmp_path / "films.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {"catalog_path": path, "oracle_path": path}


def test_a_constraint_and_a_seen_title_may_be_given_by_themselves(on_two_films):
    policy = load_policy("random", num_titles=2, **on_two_films)

    def titles(**wish):
        return [str(each.title) for each in recommend(policy, "Something", **wish).titles]

    assert titles(constraints="gore") == titles(constraints=["gore"]) == ["Up (2009)"]
    assert titles(seen="Up (2009)") == titles(seen=["Up (2009)"]) == ["Saw (2004)"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"unknown": "leave-out"}, "unknown must be allow or forbid, but is 'leave-out'"),
        ({"temperature": 0}, "temperature must be above 0, but is 0; leave it out"),
        ({"batch_size": 0}, "batch_size must be at least 1, but is 0"),
    ],
)
def test_how_lists_are_asked_for_is_checked(on_two_films, options, said):
    with pytest.raises(ConfigError, match=said):
        load_policy("random", **options, **on_two_films)


def test_a_baseline_that_counts_needs_training_records(on_two_films):
    with pytest.raises(ConfigError, match="popularity needs training records; give train_path, or a run"):
        load_policy("popularity", **on_two_films)


def test_the_tutorial_runs():
    tutorial = Path(__file__).parents[3] / "examples" / "python" / "tutorial.py"
    if not tutorial.is_file():
        pytest.skip("the examples are not part of this copy")
    done = subprocess.run([sys.executable, str(tutorial)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "hits: [True, False, False] seen: [False, False, True]" in done.stdout
    assert "Sensitivity Ratio@3 falls by" in done.stdout
