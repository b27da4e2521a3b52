"""Choosing a checkpoint by a rule: in Safe SFT, and after reinforcement learning."""

import json

import pytest
import yaml

from saferec_core.analysis.results import read_results

SFT = [
    *("--num-ranks", 5, "--eval-at", 5, "--optim", "adamw_torch", "--max-length", 256),
    *("--max-completion-length", 16, "--max-steps", 4, "--save-steps", 2, "--eval-strategy", "no"),
    *("--per-device-train-batch-size", 8, "--gradient-accumulation-steps", 1, "--learning-rate", 0.01),
]
RL = ["--max-steps", 2, "--save-strategy", "steps", "--save-steps", 1]


@pytest.fixture
def sft(main, tiny, world, tmp_path):
    """Run Safe SFT for four steps; return what was printed and ``checkpoints.json``."""

    def run(*arguments):
        data = [
            part for name in ("train", "validation") for part in (f"--{name}-path", tiny / f"{name}.jsonl")
        ]
        parts = ["--catalog-path", tiny / "catalog.jsonl", "--oracle-path", tiny / "oracle.jsonl"]
        outcome = main(
            "sft", "--model", world / "model", "--run-name", "sft", *data, *parts, *SFT, *arguments
        )
        assert outcome.status == 0, outcome.err
        return outcome.out, json.loads(
            (tmp_path / "runs" / "sft" / "evaluation" / "checkpoints.json").read_text()
        )

    return run


def weights(folder):
    return next(folder.glob("*model.safetensors")).read_bytes()


def test_sft_keeps_the_checkpoint_that_the_rule_chooses_and_says_why(sft, tmp_path):
    out, choice = sft("--select", "lowest list_length subject to recall@5>=0")

    assert choice["rule"] == "lowest list_length subject to recall@5 >= 0 on the validation split"
    lengths = {name: metrics["list_length"][0] for name, metrics in choice["checkpoints"].items()}
    assert list(lengths) == ["checkpoint-2", "checkpoint-4"]
    assert lengths[choice["chosen"]] == min(lengths.values())
    assert choice["within"] == ["checkpoint-2", "checkpoint-4"]
    run = tmp_path / "runs" / "sft"
    assert weights(run / "policy") == weights(run / "checkpoints" / choice["chosen"])

    shown = " ".join(out.split())
    assert choice["sentence"] in shown
    for column in ("list_length", "recall@5", "sensitivity_ratio@5", "conditions", "<- lowest"):
        assert column in shown


def test_sft_chooses_by_the_main_metric_of_relevance_unless_a_rule_is_given(sft):
    out, choice = sft()

    assert choice["select"] == "highest recall@5"
    assert choice["rule"] == "highest recall@5 on the validation split"
    assert choice["sentence"] in " ".join(out.split())


def test_a_rule_that_no_checkpoint_keeps_loses_nothing_and_is_reported_loudly(sft, tmp_path):
    out, choice = sft("--select", "recall@5 subject to list_length>=1000")

    assert choice["satisfied"] is False
    assert choice["within"] == []
    assert "which NONE of the 2 checkpoints keeps" in " ".join(out.split())
    assert "<- closest" in out
    assert (tmp_path / "runs" / "sft" / "policy" / "model.safetensors").is_file()


@pytest.mark.parametrize("lora", [[], ["--use-lora", "--lora-r", 2]])
def test_a_run_keeps_and_evaluates_the_chosen_checkpoint(main, tiny, tmp_path, lora):
    data = ["--validation-path", tiny / "validation.jsonl", "--learning-rate", 0.05]
    rule = ["--select", "highest list_length"]
    outcome = main("train", tiny / "run.yaml", *data, *RL, *lora, *rule)
    assert (outcome.status, outcome.err) == (0, "")

    run = tmp_path / "runs" / "run"
    stored = json.loads((run / "evaluation" / "checkpoints.json").read_text())
    assert list(stored["checkpoints"]) == ["checkpoint-1", "checkpoint-2"]
    assert weights(run / "policy") == weights(run / "checkpoints" / stored["chosen"])
    assert not list((run / "policy").glob("optimizer*"))
    for name, metrics in stored["checkpoints"].items():
        rows = read_results(run / "evaluation" / f"{name}-greedy.parquet")
        assert rows.values("list_length").mean() == pytest.approx(metrics["list_length"][0])

    # What the table calls "after" is the chosen policy, not the last.
    again = main("eval", run, "--json")
    assert again.status == 0, again.err
    [figures] = json.loads(again.out).values()
    after = json.loads((run / "evaluation" / "greedy.json").read_text())["metrics"]
    assert figures == {name: metric["after"] for name, metric in after.items()}
    assert "flatters it" not in outcome.out  # there are test records


def test_figures_of_the_records_that_chose_the_checkpoint_are_called_flattering(main, tiny, tmp_path):
    settings = yaml.safe_load((tiny / "run.yaml").read_text(encoding="utf-8"))
    settings["data"]["validation_path"] = settings["data"].pop("test_path")
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    outcome = main("train", "run.yaml", *RL, "--max-steps", 1, "--select", "recall@5")

    assert (outcome.status, outcome.err) == (0, "")
    assert "There are no test records" in outcome.out
    assert "checkpoint-1: the only checkpoint; its recall@5 is" in outcome.out


def test_without_a_rule_a_run_keeps_its_last_state(main, tiny, tmp_path):
    data = ["--validation-path", tiny / "validation.jsonl", "--eval-prompts", 0]
    assert main("train", tiny / "run.yaml", *data, *RL).status == 0

    run = tmp_path / "runs" / "run"
    assert not (run / "evaluation").exists()
    assert weights(run / "policy") == weights(run / "checkpoints" / "checkpoint-2")


# --- what keeps one from starting ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--select", "recall@5 unless unsafe"], "'recall@5 unless unsafe' is not a valid rule; expected"),
        (["--select", "recall@5 subject to x<1"], "'x<1' is not a valid condition"),
        (["--select", "recal@5"], "unknown metric 'recal@5'. Did you mean 'recall@5'"),
        (["--select", "recall@10"], "Depths are those of --eval-at"),
        (["--select", "catalog_coverage@5"], "unknown metric 'catalog_coverage@5'"),  # has no value by list
        (["--select", "list_length"], "write 'highest list_length' or 'lowest list_length'"),
        (["--select", "recall@5", "--eval-metrics", "ndcg"], "unknown metric 'recall@5'"),
        (["--select", "recall@5", "--set", "data.validation_path=null"], "validation records; name them"),
        (["--select", "recall@5", "--eval-prompts", 0], "needs --eval-prompts of at least 1"),
        (["--select", "recall@5", "--save-strategy", "no"], "set --save-strategy to steps or epoch"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_before_anything_is_trained(
    main, tiny, tmp_path, arguments, message
):
    outcome = main(
        "train", tiny / "run.yaml", "--validation-path", tiny / "validation.jsonl", *RL, *arguments
    )

    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert message in outcome.err
    assert not (tmp_path / "runs").exists()


def test_sft_that_evaluates_no_relevance_needs_a_rule(main, tiny, world, tmp_path):
    files = [part for name in ("train", "validation") for part in (f"--{name}-path", tiny / f"{name}.jsonl")]
    arguments = [*files, "--catalog-path", tiny / "catalog.jsonl", *SFT, "--eval-metrics", "list_length"]
    outcome = main("sft", "--model", world / "model", "--run-name", "sft", *arguments)

    assert outcome.status == 2
    assert "highest relevance, but eval_metrics leaves out every metric of relevance" in outcome.err
    assert not (tmp_path / "runs" / "sft").exists()
