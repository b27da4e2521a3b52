"""Lists of other systems and of baselines, measured and compared like a policy's."""

import json

import pytest

from saferec_core.analysis.results import read_results


@pytest.fixture
def baseline(main, tiny, tmp_path):
    def run(name, *arguments, out="lists"):
        done = main("baseline", name, "--config", tiny / "run.yaml", "--out", tmp_path / out, *arguments)
        return done, tmp_path / out / "evaluation" / "policy-greedy.parquet"

    return run


@pytest.fixture
def predictions(tmp_path):
    def write(*rows):
        path = tmp_path / "lists.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


def test_a_safe_baseline_lists_no_known_violation_and_has_the_protocol_of_a_policy(
    baseline, main, tiny, world
):
    done, path = baseline("popularity", "--safe", "--quiet")
    assert (done.status, done.err) == (0, "")

    safe = read_results(path)
    assert safe.policy == "popularity (safe)"
    assert safe.mean("sensitivity_ratio@5") == safe.mean("duplicates") == 0
    assert safe.mean("list_length") == 5
    assert (
        main("eval", world / "model", "--config", tiny / "run.yaml", "--out", "policy", "--quiet").status == 0
    )
    policy = read_results(path.parents[2] / "policy" / "evaluation" / "policy-greedy.parquet")
    assert (policy.protocol, policy.data_sha256) == (safe.protocol, safe.data_sha256)
    assert main("compare", "policy", "lists").status == 0


def test_predictions_get_the_figures_of_the_lists_they_are(baseline, predictions, main, tiny, tmp_path):
    _, path = baseline("co-occurrence", "--quiet")
    stored = read_results(path)
    rows = [
        {"position": row["record"], "titles": [[title["title"], title["year"]] for title in row["titles"]]}
        for row in stored.table.to_pylist()
    ]
    file = predictions(*rows)
    done = main(
        "eval", "--predictions", file, "--config", tiny / "run.yaml", "--out", tmp_path / "others", "--json"
    )

    assert (done.status, done.err) == (0, "")
    others = read_results(tmp_path / "others" / "evaluation" / "policy-greedy.parquet")
    assert others.policy == str(file)
    assert list(json.loads(done.out)) == [stored.protocol["id"]]
    for metric in stored.metrics:
        assert others.values(metric).tolist() == pytest.approx(stored.values(metric).tolist(), nan_ok=True)


def test_titles_are_matched_by_their_subtitles_only_if_that_is_chosen(predictions, main, tiny, tmp_path):
    rows = [json.loads(line) for line in (tiny / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    truths = [row["groundtruth_with_release_year"] for row in rows]
    lists = [[[f"{name}: The Motion Picture", year] for name, year in truth[:1]] for truth in truths]
    file = predictions(*({"position": n, "titles": titles} for n, titles in enumerate(lists)))

    def evaluated(*flags):
        out = tmp_path / f"with{len(flags)}"
        done = main("eval", "--predictions", file, "--config", tiny / "run.yaml", "--out", out, *flags)
        assert done.status == 0, done.err
        return done.out, read_results(out / "evaluation" / "policy-greedy.parquet")

    _, plain = evaluated()
    shown, matched = evaluated("--match-subtitles")

    assert plain.mean("recall@5") == 0
    assert matched.mean("recall@5") > 0
    assert "Titles of the lists that were matched by their subtitles: 4." in " ".join(shown.split())
    assert matched.protocol["match_subtitles"] is True
    assert matched.protocol["id"] != plain.protocol["id"]


def test_wrong_predictions_are_refused_and_nothing_is_written(predictions, main, tiny, tmp_path):
    file = predictions({"position": 99, "titles": []}, {"position": 0, "titles": []})
    done = main("eval", "--predictions", file, "--config", tiny / "run.yaml", "--out", tmp_path / "others")

    assert done.status == 2
    assert "99 (line 1)" in done.err
    assert "3 records have no list" in done.err
    assert not (tmp_path / "others").exists()


def test_lists_of_titles_that_the_catalog_lacks_are_warned_of(predictions, main, tiny, tmp_path):
    file = predictions(*({"position": n, "titles": ["1193", "661"]} for n in range(8)))
    done = main("eval", "--predictions", file, "--config", tiny / "run.yaml", "--out", tmp_path / "others")

    assert done.status == 0
    assert "of 8 titles of the lists are not in the catalog" in " ".join((done.out + done.err).split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["baseline", "popularty"], "Did you mean 'popularity'"),
        (["baseline", "random", "--set", "oracle=null", "--safe"], "--safe needs an oracle"),
        (["eval", "--predictions", "nosuch.jsonl"], "--predictions nosuch.jsonl does not exist"),
        (["eval"], "POLICY is missing"),
        (["eval", "--predictions", "x.jsonl", "--flip"], "does not go with --predictions"),
        (["eval", "--predictions", "x.jsonl", "--guided"], "--guided does not go with --predictions"),
    ],
    ids=["name", "oracle", "file", "policy", "flip", "guided"],
)
def test_what_cannot_be_evaluated_is_named(main, tiny, arguments, message):
    done = main(*arguments, "--config", tiny / "run.yaml")

    assert done.status == 2
    assert message in done.err


def test_a_guided_policy_lists_nothing_that_it_may_not_and_has_a_protocol_of_its_own(
    main, tiny, world, tmp_path
):
    command = (
        "eval",
        world / "model",
        "--config",
        tiny / "run.yaml",
        "--out",
        tmp_path / "policy",
        "--quiet",
    )
    assert main(*command).status == 0
    done = main(*command, "--guided")
    assert (done.status, done.err) == (0, "")

    folder = tmp_path / "policy" / "evaluation"
    guided = read_results(folder / "policy-greedy-guided.parquet")
    for metric in ("sensitivity_ratio@5", "any_violation@5", "out_of_catalog", "duplicates", "seen"):
        assert guided.mean(metric) == 0, metric
    assert guided.mean("list_length") == 5
    assert guided.protocol["id"].startswith("saferec-greedy-guided-K5-")
    refused = main("compare", folder / "policy-greedy.parquet", folder / "policy-greedy-guided.parquet")
    assert refused.status == 2
    assert "guided: False in" in refused.err


def test_guided_lists_behind_reasoning_keep_the_promise_under_a_protocol_of_their_own(
    main, tiny, world, tmp_path
):
    reasoned = ("--set", "data.list_marker=<solution>", "--max-completion-length", 60)
    command = ("eval", world / "model", "--config", tiny / "run.yaml", "--out", tmp_path / "out", "--quiet")
    done = main(*command, "--guided", *reasoned)
    assert (done.status, done.err) == (0, "")

    results = read_results(tmp_path / "out" / "evaluation" / "policy-greedy-guided.parquet")
    assert results.protocol["list_marker"] == "<solution>"
    assert results.mean("any_violation@5") == results.mean("out_of_catalog") == 0
    assert results.mean("list_length") == 5
    assert all("<solution>" in text for text in results.table.column("completion").to_pylist())
