"""``saferec train``: real runs of a step or two, and everything that keeps one from starting."""

import json
import re
import shutil

import pytest
import yaml

from benchmarks.resume_soak import differences
from saferec_core.analysis.results import read_results
from saferec_core.data import mapped_rows
from saferec_core.files import data_hash

OTHERS = """
import torch
from saferec_core import hookimpl
from saferec_core.plugins.contracts.oracle import Oracle, Verdict
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.plugins.contracts.transform import Transform

@hookimpl
def saferec_register_rewards(registry):
    registry.add("short-titles", "acme_parts:ShortTitles", summary="Short titles.")

@hookimpl
def saferec_register_oracles(registry):
    registry.add("by-letter", "acme_parts:ByLetter", summary="Judges by the first letter.")

@hookimpl
def saferec_register_transforms(registry):
    registry.add("odd-rows", "acme_parts:odd_rows", summary="Leaves every other record out.")

class ShortTitles(RewardFunction):
    scope = "rank"
    columns = ("user",)
    def __call__(self, lists):
        values = torch.full(lists.rank_mask.shape, torch.nan)
        for n, parsed in enumerate(lists.lists):
            for k, item in enumerate(parsed.items[: lists.num_ranks]):
                values[n, k] = -float(len(item.name))
        return values

class ByLetter(Oracle):
    traits = {traits}
    def judge(self, questions):
        return [
            Verdict(known=True, violated=q.constraints[:1] if q.name < "M" else ()) for q in questions
        ]

class odd_rows(Transform):
    columns = ("user",)
    def __call__(self, rows):
        for n, row in enumerate(rows):
            if n % 2:
                yield row
"""

REWARD = """
import torch
from saferec_core import hookimpl
from saferec_core.plugins.contracts.reward import RewardFunction

@hookimpl
def saferec_register_rewards(registry):
    registry.add("mine", "{module}:Mine", summary="Mine.")

class Mine(RewardFunction):
    scope = "{scope}"
    columns = {columns}
    def __call__(self, lists):
        n, k = lists.rank_mask.shape
        {body}
"""


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _files(folder):
    """List everything in a folder but what Python compiles."""
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)


@pytest.fixture
def refused(main, tiny, tmp_path):
    """Run ``train`` with what is wrong laid over what is right; return the one message."""

    def run(*arguments):
        before = _files(tmp_path)
        outcome = main("train", tiny / "run.yaml", *arguments)
        assert outcome.status == 2, outcome
        assert outcome.err.startswith("error: ")
        assert outcome.err.count("error: ") == 1
        assert "Traceback" not in outcome.err
        assert outcome.out == ""
        assert _files(tmp_path) == before  # nothing was begun
        return outcome.err.removeprefix("error: ").strip()

    return run


# --- parts of other people ---------------------------------------------------------------------


def test_reward_oracle_and_transform_of_another_distribution_take_part_in_a_run(
    main, installed, tiny, tmp_path
):
    traits = sorted({trait for row in lines(tiny / "train.jsonl") for trait in row["constraints"]})
    traits += [trait for row in lines(tiny / "test.jsonl") for trait in row["constraints"]]
    installed("acme-parts", OTHERS.replace("{traits}", repr(set(traits))), version="0.7")
    settings = yaml.safe_load((tiny / "run.yaml").read_text(encoding="utf-8"))
    settings["oracle"] = {"name": "by-letter"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    outcome = main(
        *("train", "mine.yaml", "--max-steps", 2, "--transform", "odd-rows"),
        *("--reward", "short_titles", "--reward", "safety"),
    )

    assert (outcome.status, outcome.err) == (0, "")
    assert "16 prompts" in outcome.out  # of 32
    run = tmp_path / "runs" / "run"
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["plugins"]["reward:short-titles"] == "acme-parts 0.7"
    assert manifest["plugins"]["oracle:by-letter"] == "acme-parts 0.7"
    for row in lines(run / "rollouts.jsonl"):
        lengths = [-len(name) for name, _ in row["titles"]][:5]
        assert row["reward"]["short-titles"][: len(lengths)] == lengths
        first_ranks = zip(row["violated"], row["titles"], row["further"], strict=False)
        for violated, (name, _), further in first_ranks:
            if not further:
                assert bool(violated) == (name < "M")
            elif name < "M":  # further titles on a line are judged with the first
                assert violated


def test_records_without_a_column_that_a_reward_needs_are_refused_with_its_name(refused, installed):
    installed("acme-column", REWARD.format(module="acme_column", scope="list", columns=("mood",), body="..."))
    message = refused("--reward", "mine")

    assert "train.jsonl" in message
    assert "column 'mood' is missing; reward 'mine' needs it" in message


@pytest.mark.parametrize(
    ("scope", "body", "wanted"),
    [
        (
            "rank",
            "raise OSError('the model of moods is gone')",
            "failed: OSError: the model of moods is gone",
        ),
        ("rank", "return torch.zeros(n)", r"must return (N, K) = (8, 5), but returned (8,)"),
        ("list", "return torch.zeros(n, 1)", r"must return (N,) = (8,), but returned (8, 1)"),
        ("list", "return torch.full((n,), torch.inf)", "finite values or NaN"),
        ("list", "return [0.0] * n", "must return a tensor (N,) = (8,), but returned list"),
        ("list", "return None", "but returned None"),
    ],
)
def test_a_reward_that_breaks_its_contract_stops_the_run_by_name(main, installed, tiny, scope, body, wanted):
    installed("acme-bad", REWARD.format(module="acme_bad", scope=scope, columns=(), body=body))
    outcome = main("train", tiny / "run.yaml", "--reward", "mine", "--eval-prompts", 0)

    assert outcome.status == 2
    assert outcome.err.startswith("error: reward 'mine' ")
    assert wanted in outcome.err
    assert "Traceback" not in outcome.err


def test_a_reward_of_an_unknown_scope_is_refused(refused, installed):
    code = REWARD.format(module="acme_scope", scope="token", columns=(), body="return None")
    installed("acme-scope", code)

    message = refused("--reward", "mine")
    assert "'mine'" in message
    assert "token" in message


# --- what cannot be read -----------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--train-path", "--test-path", "--catalog-path", "--oracle-path"])
def test_a_file_that_is_not_there_is_named(refused, flag):
    assert "nowhere.jsonl does not exist" in refused(flag, "nowhere.jsonl")


@pytest.mark.parametrize("flag", ["--train-path", "--catalog-path", "--oracle-path"])
def test_an_empty_file_is_named(refused, tmp_path, flag):
    (tmp_path / "empty.jsonl").write_text("\n")

    message = refused(flag, "empty.jsonl")
    assert "empty.jsonl" in message
    assert "at least one" in message or "expected rows" in message


@pytest.mark.parametrize("flag", ["--train-path", "--catalog-path", "--oracle-path"])
def test_a_file_that_is_no_text_is_named(refused, tmp_path, flag):
    (tmp_path / "image.jsonl").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")

    assert "image.jsonl" in refused(flag, "image.jsonl")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "hi", "constraints": []}, "column 'groundtruth_with_release_year' is missing; reward"),
        ({"constraints": []}, "column 'prompt' is missing; every run needs it"),
        ({"prompt": [{"role": "user"}]}, "a message needs role and content"),
    ],
)
def test_a_row_without_what_the_run_needs_is_named(refused, tiny, tmp_path, row, message):
    good = lines(tiny / "train.jsonl")[0]
    complete = good if "prompt" not in row or isinstance(row["prompt"], str) else good | row
    rows = [good, row if complete is good else complete]
    write(tmp_path / "bad.jsonl", *rows)

    refusal = refused("--train-path", "bad.jsonl")
    assert "bad.jsonl, row 2" in refusal
    assert message in refusal


def test_a_trait_that_the_oracle_does_not_have_is_told_with_the_near_miss(refused, tiny, tmp_path):
    row = lines(tiny / "train.jsonl")[0] | {"constraints": ["Horror avoider (avoids scares)"]}
    write(tmp_path / "bad.jsonl", row)

    message = refused("--train-path", "bad.jsonl")
    assert "unknown trait 'Horror avoider (avoids scares)'. Did you mean 'Horror avoider" in message


def test_a_catalog_year_that_is_no_number_is_told_with_file_and_line(refused, tmp_path):
    write(tmp_path / "c.jsonl", {"title": "Saw", "year": 2004}, {"title": "Up", "year": "soon"})

    assert "c.jsonl, line 2: the year of 'Up' must be" in refused("--catalog-path", "c.jsonl")


def test_a_catalog_pickle_that_could_run_code_is_refused_and_does_not_run(refused, tmp_path):
    code = b"cos\nsystem\n(S'touch owned'\ntR."
    (tmp_path / "catalog.pkl").write_bytes(code)

    assert "could run code" in refused("--catalog-path", "catalog.pkl")
    assert not (tmp_path / "owned").exists()


# --- what does not fit together ----------------------------------------------------------------


def test_a_target_length_that_cannot_be_ranked_is_told_with_both_ways_out(refused):
    message = refused("--lambda-count", 1, "--target-count", 10)

    assert "rewards.count.target = 10 titles cannot be ranked: num_ranks (K) is 5" in message
    assert "--num-ranks 10" in message


def test_a_batch_that_tears_groups_apart_is_told_with_the_nearest_settings(refused):
    message = refused("--num-generations", 6)

    # 8 completions; 3 times as many hold 4 groups of 6; 4 and 8 divide 8.
    assert "num_generations = 6 does not divide the generation batch of 8 completions" in message
    assert "gradient_accumulation_steps 3" in message
    assert "num_generations 4 or 8" in message


def test_a_safety_reward_without_an_oracle_is_told_what_to_name(refused):
    assert "--oracle-path" in refused("--set", "oracle=null")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("rewards.safety.unknown=maybe", "safety.unknown: .*'prior', 'safe', 'unsafe' or 'missing'.*'maybe'"),
        ("rewards.safety.penalty=-1", "safety.penalty: .*greater than 0.*-1"),
        ("rewards.safety.penalti=1", "reward 'safety' has no option 'penalti'. Did you mean 'penalty'"),
        ("oracle.risk_threshold=2", "table.risk_threshold: .*less than or equal to 1.*2"),
        ("oracle.paht=x", "oracle 'table' has no option 'paht'. Did you mean 'path'"),
        ("normalizer={name: grpo, eps: 1}", "normalizer 'grpo' has no option 'eps'"),
        ("data.parser={name: title-year, lines: 1}", "parser 'title-year' has no option 'lines'"),
    ],
)
def test_an_option_that_a_component_refuses_is_told_with_its_path(refused, setting, message):
    refusal = refused("--set", setting)
    assert re.search(message, refusal), refusal


def test_an_oracle_without_its_table_is_told_which_option_is_required(refused):
    assert "table.path" in refused("--set", "oracle={name: table, path: null}")


def test_an_optimizer_whose_package_is_missing_is_told_with_what_to_install(main, tiny):
    outcome = main("train", tiny / "run.yaml", "--optim", "grokadamw")

    assert outcome.status == 2
    assert "'grokadamw' needs grokadamw: install grokadamw" in outcome.err
    assert "--optim" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--optim", "adamm"], "adamm"),
        (["--lr-scheduler-type", "banana"], "banana"),
        (["--attn-implementation", "banana"], "banana"),
        (["--use-lora", "--lora-target-modules", "banana"], "banana"),
        (["--report-to", "banana"], "banana"),
        (["--use-vllm"], "vllm"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_name_that_only_the_engine_knows_is_refused_without_a_traceback(main, tiny, arguments, word):
    outcome = main("train", tiny / "run.yaml", *arguments)

    assert outcome.status == 2, outcome.err
    assert outcome.err.startswith("error: ")
    assert word in outcome.err.lower()


# --- the policy --------------------------------------------------------------------------------


def test_a_model_that_is_not_there_is_named(main, tiny):
    outcome = main("train", tiny / "run.yaml", "--model", "/nowhere/model")

    assert outcome.status == 2
    assert "/nowhere/model" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_model_without_a_tokenizer_is_told_what_is_missing(main, tiny, world, tmp_path):
    shutil.copytree(world / "model", tmp_path / "bare", ignore=shutil.ignore_patterns("token*", "chat*"))
    outcome = main("train", tiny / "run.yaml", "--model", tmp_path / "bare")

    assert outcome.status == 2
    assert "bare has no tokenizer (tokenizer_config.json)" in outcome.err


def test_damaged_weights_are_told_without_a_traceback(main, tiny, world, tmp_path):
    shutil.copytree(world / "model", tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"not weights")
    outcome = main("train", tiny / "run.yaml", "--model", tmp_path / "damaged")

    assert outcome.status == 2, outcome.err[-500:]
    assert "damaged" in outcome.err


def test_a_run_that_could_not_begin_does_not_keep_its_name_from_the_next_one(main, tiny, tmp_path):
    assert main("train", tiny / "run.yaml", "--model", "/nowhere/model").status == 2

    assert main("train", tiny / "run.yaml", "--eval-prompts", 0).status == 0
    assert (tmp_path / "runs" / "run" / "policy" / "model.safetensors").is_file()


def test_a_run_folder_that_is_there_is_not_written_over(main, tiny, tmp_path):
    folder = tmp_path / "runs" / "run"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("mine")
    outcome = main("train", tiny / "run.yaml")

    assert outcome.status == 2
    assert "runs/run already exists and is not overwritten; continue that run with --resume" in outcome.err
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"config.yaml": "mine"}


@pytest.mark.parametrize("command", ["eval", "sft"])
def test_other_commands_name_a_policy_that_is_not_there(main, tiny, command):
    arguments = ["/nowhere/run"] if command == "eval" else ["--model", "/nowhere/run", "--optim", "sgd"]
    data = ["--train-path", tiny / "train.jsonl", "--catalog-path", tiny / "catalog.jsonl"]
    outcome = main(command, *arguments, *data)

    assert outcome.status == 2
    assert "/nowhere/run" in outcome.err
    assert "Traceback" not in outcome.err


# --- whole runs --------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_of_the_demo_leaves_everything_that_it_was_told_did_and_found(saferec, main, tmp_path):
    outcome = saferec(
        *("train", "--max-steps", 4, "--eval-prompts", 16, "--run-name", "demo", "--rollout-steps", 2),
        *("--set", "sft.optimization.max_steps=20", "--set", "sft.logging.save_steps=10"),
        *("--set", "sft.evaluation.eval_prompts=8", "--logging-steps", 2),
    )

    assert outcome.status == 0, outcome.err
    assert outcome.err == ""
    for shown in (
        "Safe SFT",
        "Safe-Rank-GRPO",
        "relevance x",
        "gdpo",
        "before",
        "after",
        "change",
        "verdict",
    ):
        assert shown in outcome.out
    assert outcome.out.splitlines()[-1].endswith("runs/demo")

    run = tmp_path / "runs" / "demo"
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert config["optimization"]["max_steps"] == 4
    assert config["sft"]["optimization"]["max_steps"] == 20

    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["seed"] == config["seed"]
    assert manifest["versions"]["saferec"]
    assert manifest["versions"]["torch"]
    assert manifest["plugins"]["reward:safety"].startswith("saferec ")
    catalog = tmp_path / manifest["data"]["catalog_path"]["path"]
    assert manifest["data"]["catalog_path"]["sha256"] == data_hash(catalog)
    assert any("oracle" in name for name in manifest["data"])

    metrics = [row for row in lines(run / "metrics.jsonl") if "reward/safety" in row]
    assert [row["step"] for row in metrics] == [2, 4]
    assert {"reward/relevance", "reward/count", "list_length", "violation_rate"} <= metrics[0].keys()

    rollouts = lines(run / "rollouts.jsonl")
    assert [row["step"] for row in rollouts[:: len(rollouts) // 2]] == [1, 3]
    for row in rollouts:
        assert len(row["advantage"]) == 5
        written = min(len(row["titles"]), 5)
        assert len(row["hit"]) == len(row["violated"]) == written
        assert [value is None for value in row["reward"]["safety"]] == [k >= written for k in range(5)]
        assert row["reward"]["relevance"] == [float(hit) for hit in row["hit"]] + [0.0] * (5 - written)
        miss = abs(len(row["titles"]) - 5)  # the demo counts all titles: what is wasted costs at its rank
        assert row["reward"]["count"] == pytest.approx(-miss / 5 if miss else 1.0)

    assert (run / "policy" / "model.safetensors").is_file()
    assert (run / "sft" / "policy" / "model.safetensors").is_file()
    assert list(run.rglob("policy/*.bin")) == []  # no pickles

    stored = json.loads((run / "evaluation" / "greedy.json").read_text(encoding="utf-8"))
    again = main("eval", "runs/demo", "--json", "--eval-decoding", "greedy")
    assert again.status == 0, again.err
    [(protocol, figures)] = json.loads(again.out).items()
    assert protocol == stored["protocol"]
    assert figures == {name: metric["after"] for name, metric in stored["metrics"].items()}


def test_a_resolved_configuration_runs_again_and_gives_the_same_figures(main, tiny, tmp_path):
    assert main("train", tiny / "run.yaml", "--max-steps", 2).status == 0
    first = tmp_path / "runs" / "run"
    assert main("train", first / "config.yaml", "--run-name", "again").status == 0

    second = tmp_path / "runs" / "again"
    assert (second / "rollouts.jsonl").read_text() == (first / "rollouts.jsonl").read_text()
    rows = [read_results(run / "evaluation" / "after-greedy.parquet").table for run in (first, second)]
    assert rows[0].equals(rows[1])


def test_with_lora_only_adapters_are_saved_and_the_run_can_be_evaluated(main, tiny, tmp_path):
    outcome = main("train", tiny / "run.yaml", "--use-lora", "--lora-r", 4, "--learning-rate", 0.1)
    assert outcome.status == 0, outcome.err
    assert "LoRA r=4" in outcome.out

    run = tmp_path / "runs" / "run"
    assert (run / "policy" / "adapter_model.safetensors").is_file()
    assert not (run / "policy" / "model.safetensors").exists()
    stored = json.loads((run / "evaluation" / "greedy.json").read_text(encoding="utf-8"))
    again = main("eval", run, "--json")
    assert again.status == 0, again.err
    [figures] = json.loads(again.out).values()
    assert figures == {name: metric["after"] for name, metric in stored["metrics"].items()}


def test_a_run_that_began_with_adapters_can_be_evaluated_from_another_folder(main, tiny, tmp_path):
    lora = ("--use-lora", "--lora-r", 2, "--eval-prompts", 0)
    assert main("train", tiny / "run.yaml", *lora).status == 0
    second = main("train", tiny / "run.yaml", *lora, "--sft-checkpoint", "runs/run", "--run-name", "second")
    assert second.status == 0, second.err

    run = tmp_path / "runs" / "second"
    assert (run / "policy" / "adapter_model.safetensors").is_file()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    outcome = main("eval", run, "--eval-prompts", 2, cwd=elsewhere)
    assert outcome.status == 0, outcome.err


def test_data_named_from_where_a_run_began_is_found_from_another_folder(main, tiny, tmp_path):
    for path in tiny.glob("*.jsonl"):
        shutil.copy(path, tmp_path)
    data = [
        *("--train-path", "train.jsonl", "--test-path", "test.jsonl"),
        *("--catalog-path", "catalog.jsonl", "--oracle-path", "oracle.jsonl"),
    ]
    assert main("train", tiny / "run.yaml", *data, "--eval-prompts", 0).status == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    outcome = main("eval", tmp_path / "runs" / "run", "--eval-prompts", 2, cwd=elsewhere)
    assert outcome.status == 0, outcome.err


def test_a_model_without_a_run_is_evaluated_on_the_data_that_the_flags_name(main, tiny, world):
    outcome = main(
        *("eval", world / "model", "--test-path", tiny / "test.jsonl", "--num-ranks", 5, "--eval-at", 5),
        *("--catalog-path", tiny / "catalog.jsonl", "--oracle-path", tiny / "oracle.jsonl"),
        *("--max-completion-length", 16),
    )

    assert outcome.status == 0, outcome.err
    assert "Sensitivity Ratio@5" in outcome.out


def test_an_evaluation_of_nothing_is_refused(main, tiny, world):
    outcome = main("eval", world / "model", "--config", tiny / "run.yaml", "--eval-prompts", 0)

    assert (outcome.status, outcome.out) == (2, "")
    assert "--eval-prompts 0 leaves nothing to evaluate" in outcome.err


def test_an_evaluation_prints_a_value_with_its_interval_for_every_metric(main, tiny, world):
    outcome = main("eval", world / "model", "--config", tiny / "run.yaml", "--eval-at", "1,5")

    assert (outcome.status, outcome.err) == (0, "")
    for metric in ("Recall@1", "NDCG@5", "Sensitivity Ratio@5", "Oracle coverage", "List length"):
        assert metric in outcome.out
    assert "95% interval over users" in outcome.out


def test_safe_sft_of_a_few_steps_keeps_the_checkpoint_with_the_highest_recall(main, tiny, world, tmp_path):
    outcome = main(
        *("sft", "--model", world / "model", "--train-path", tiny / "train.jsonl", "--run-name", "sft"),
        *("--validation-path", tiny / "validation.jsonl", "--catalog-path", tiny / "catalog.jsonl"),
        *("--oracle-path", tiny / "oracle.jsonl", "--num-ranks", 5, "--eval-at", 5, "--optim", "adamw_torch"),
        *("--max-steps", 4, "--save-steps", 2, "--max-length", 256, "--max-completion-length", 16),
        *("--per-device-train-batch-size", 8, "--gradient-accumulation-steps", 1),
    )

    assert outcome.status == 0, outcome.err
    chosen = json.loads((tmp_path / "runs" / "sft" / "evaluation" / "checkpoints.json").read_text())
    assert chosen["rule"] == "highest recall@5 on the validation split"
    recall = {name: metrics["recall@5"][0] for name, metrics in chosen["checkpoints"].items()}
    assert recall.keys() == {"checkpoint-2", "checkpoint-4"}
    assert recall[chosen["chosen"]] == max(recall.values())
    assert (tmp_path / "runs" / "sft" / "policy" / "model.safetensors").is_file()


@pytest.mark.slow
def test_a_run_whose_records_are_in_a_mapped_file_is_the_one_that_keeps_them_in_memory(
    main, tiny, tmp_path, monkeypatch
):
    sft = ["--set", "sft.optimization.max_steps=3", "--set", "sft.max_length=256"]
    arguments = ["train", tiny / "run.yaml", *sft, "--max-steps", 2, "--max-prompt-length", 60]
    kept = main(*arguments, "--output-dir", tmp_path / "kept")
    monkeypatch.setattr(mapped_rows, "IN_MEMORY", 5)
    mapped = main(*arguments, "--output-dir", tmp_path / "mapped")

    assert (kept.status, mapped.status) == (0, 0), kept.err + mapped.err
    assert list(differences(tmp_path / "kept" / "run", tmp_path / "mapped" / "run")) == []
