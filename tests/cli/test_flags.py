"""From arguments to the configuration that a run gets."""

import json
import re
from importlib.resources import files

import pytest
import yaml

from saferec_cli.flags import nested
from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.config.settings import as_yaml, merged
from saferec_core.plugins.component import options_of

KINDS = {"sft": SftConfig, "train": TrainConfig}

DOCUMENT_SFT = """
    --dataset_path sft_dataset --model_name Qwen/Qwen2.5-0.5B-Instruct --num_train_epochs 10
    --learning_rate 5e-5 --warmup_ratio 0.05 --per_device_train_batch_size 12
    --per_device_eval_batch_size 12 --gradient_accumulation_steps 8 --save_strategy steps
    --save_steps 100 --eval_strategy steps --eval_steps 10 --logging_steps 10 --bf16
    --max_length 1024 --optim paged_adamw_8bit
"""
"""The arguments of the Safe-Rank-GRPO reference implementation, each as it is written there."""

DOCUMENT_TRAIN = """
    --train_path grpo_dataset --model_name Qwen/Qwen2.5-0.5B-Instruct --sft_checkpoint 800
    --catalog_path gt_catalog_complete.pkl --use_lora --lora_r 256 --lora_alpha 512
    --lora_dropout 0.05 --advantage_mode gdpo --reward_func log_decay --lr 1e-6 --kl_beta 1e-3
    --gradient_accumulation_steps 24 --per_device_train_batch_size 1 --num_generations 4
    --max_steps 1200 --use_vllm --vllm_mode colocate --vllm_gpu_memory_utilization 0.35
    --vllm_tensor_parallel_size 1 --save_steps 100 --seed 3407 --bf16 --gradient_checkpointing
    --lambda_safe 2.0 --penalty_safe 3.0 --lambda_count 0.5 --target_count 7 --risk_threshold 0.5
    --optim adamw_torch --oracle_path oracle.jsonl
"""
"""Section 10 and the tables of 6 and 10, some values moved away from the default."""


@pytest.fixture
def resolved(main):
    """Plan a command and return the configuration that it would run."""

    def run(command, *arguments):
        outcome = main(command, *arguments, "--dry-run", "--json")
        assert (outcome.status, outcome.err) in {(0, ""), (2, "")}  # 2: some file is not there
        settings = json.loads(outcome.out)["settings"]
        return KINDS[command].model_validate(
            merged(nested(path, setting["value"]) for path, setting in settings.items())
        )

    return run


def at(config, path):
    """Return the setting at a dotted path; options of components are settings like others."""
    value = config.model_dump(mode="json")
    for part in path.split("."):
        value = value[part]
    return value


def either_dash(text, dash):
    """Split a command line, its flags written with this dash."""
    return [word.replace("_", dash) if word.startswith("--") else word for word in text.split()]


@pytest.mark.parametrize("dash", ["-", "_"])
def test_the_sft_command_of_the_document_is_understood(resolved, dash):
    config = resolved("sft", *either_dash(DOCUMENT_SFT, dash))

    assert {
        "data.train_path": "sft_dataset",
        "model.model": "Qwen/Qwen2.5-0.5B-Instruct",
        "optimization.num_train_epochs": 10,
        "optimization.learning_rate": 5e-5,
        "optimization.warmup_ratio": 0.05,
        "optimization.per_device_train_batch_size": 12,
        "per_device_eval_batch_size": 12,
        "optimization.gradient_accumulation_steps": 8,
        "logging.save_strategy": "steps",
        "logging.save_steps": 100,
        "eval_strategy": "steps",
        "eval_steps": 10,
        "logging.logging_steps": 10,
        "optimization.bf16": True,
        "max_length": 1024,
        "optimization.optim": "paged_adamw_8bit",
    }.items() <= Settings(config)


@pytest.mark.parametrize("dash", ["-", "_"])
def test_the_training_command_of_the_document_is_understood(resolved, dash):
    config = resolved("train", *either_dash(DOCUMENT_TRAIN, dash))

    assert {
        "data.train_path": "grpo_dataset",
        "model.model": "Qwen/Qwen2.5-0.5B-Instruct",
        "sft_checkpoint": "800",
        "data.catalog_path": "gt_catalog_complete.pkl",
        "model.use_lora": True,
        "model.lora_r": 256,
        "model.lora_alpha": 512,
        "model.lora_dropout": 0.05,
        "normalizer.name": "gdpo",
        "reward_func": "log_decay",
        "optimization.learning_rate": 1e-6,
        "kl_beta": 1e-3,
        "optimization.gradient_accumulation_steps": 24,
        "optimization.per_device_train_batch_size": 1,
        "rollout.num_generations": 4,
        "optimization.max_steps": 1200,
        "rollout.use_vllm": True,
        "rollout.vllm_mode": "colocate",
        "rollout.vllm_gpu_memory_utilization": 0.35,
        "rollout.vllm_tensor_parallel_size": 1,
        "logging.save_steps": 100,
        "seed": 3407,
        "optimization.bf16": True,
        "optimization.gradient_checkpointing": True,
        "rewards.relevance.weight": 1,
        "rewards.safety.weight": 2,
        "rewards.safety.penalty": 3,
        "rewards.count.weight": 0.5,
        "rewards.count.target": 7,
        "oracle.risk_threshold": 0.5,
        "oracle.path": "oracle.jsonl",
        "optimization.optim": "adamw_torch",
    }.items() <= Settings(config)


class Settings:
    """Compares pairs of path and value with a configuration, and shows those that differ."""

    def __init__(self, config):
        self.config = config

    def __ge__(self, pairs):
        values = {path: at(self.config, path) for path, _ in pairs}
        assert values == dict(pairs)
        return True


def test_what_the_document_leaves_out_has_its_default(resolved):
    config = resolved("train", "--model", "some/model")

    assert {
        "normalizer.name": "grpo",
        "reward_func": "exp_inf",
        "model.use_lora": False,
        "model.lora_r": 16,
        "model.lora_alpha": 32,
        "optimization.learning_rate": 1e-6,
        "optimization.gradient_accumulation_steps": 24,
        "optimization.per_device_train_batch_size": 1,
        "rollout.num_generations": 4,
        "kl_beta": 1e-3,
        "seed": 3407,
    }.items() <= Settings(config)
    assert weights(config) == {"relevance": 1, "safety": 1, "count": 1}


def test_what_the_document_leaves_out_of_sft_has_its_default(resolved):
    config = resolved("sft", "--model", "some/model")

    assert {
        "optimization.learning_rate": 5e-5,
        "optimization.warmup_ratio": 0.05,
        "optimization.num_train_epochs": 10,
        "optimization.max_steps": -1,
        "max_length": 1024,
    }.items() <= Settings(config)


def test_options_of_components_default_to_the_document(plugins):
    defaults = {
        (entry.name, option.name): option.default for entry in plugins for option in options_of(entry.load())
    }
    assert defaults["safety", "penalty"] == "1.0"
    assert defaults["count", "target"] == "10"
    assert defaults["table", "risk_threshold"] == "0.66"


# --- what --reward means -----------------------------------------------------------------------


def weights(config):
    return {name: choice.weight for name, choice in config.rewards.items()}


MODEL = ("--model", "some/model")


def test_rewards_named_on_the_command_line_are_used_and_no_others(resolved):
    config = resolved("train", *MODEL, "--reward", "relevance", "--reward", "count")

    assert weights(config) == {"relevance": 1, "safety": 0, "count": 1}


def test_the_rewards_of_the_readmes_command_are_the_demos_with_their_weights(resolved):
    config = resolved("train", "--reward", "relevance", "--reward", "safety", "--reward", "count")

    assert weights(config) == {"relevance": 3, "safety": 1, "count": 1}


def test_a_reward_keeps_the_weight_that_the_file_gives_it(resolved, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("model: {model: some/model}\nrewards: {relevance: {weight: 3}, safety: {}}\n")

    assert weights(resolved("train", file, "--reward", "relevance")) == {"relevance": 3, "safety": 0}


def test_a_weight_on_the_command_line_brings_its_reward_into_use(resolved):
    config = resolved("train", *MODEL, "--lambda-count", "0.5")

    assert weights(config) == {"relevance": 1, "safety": 1, "count": 0.5}


def test_an_option_alone_does_not_bring_its_reward_into_use(resolved, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("model: {model: some/model}\nrewards: {relevance: {weight: 3}}\n")
    config = resolved("train", file, "--penalty-safe", "2", "--target-count", "5")

    assert weights(config) == {"relevance": 3, "safety": 0, "count": 0}


def test_the_rewards_of_a_file_are_all_that_are_used(resolved, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("model: {model: some/model}\nrewards: {count: {weight: 2, target: 5}}\n")

    assert weights(resolved("train", file)) == {"count": 2}


# --- what overrides what -----------------------------------------------------------------------


def test_flags_win_over_the_file_and_set_wins_over_flags(resolved, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("model: {model: some/model}\nkl_beta: 0.1\nepsilon: 0.1\nseed: 1\nnum_ranks: 11\n")
    config = resolved(
        "train", file, "--epsilon", "0.2", "--seed", "2", "--set", "seed=3", "--set", "num_ranks=12"
    )

    assert (config.kl_beta, config.epsilon, config.seed, config.num_ranks) == (0.1, 0.2, 3, 12)


def test_the_last_set_of_a_key_wins(resolved):
    assert resolved("train", *MODEL, "--set", "seed=3", "--set", "seed=4").seed == 4


def test_set_reaches_options_of_components_and_lists(resolved):
    config = resolved(
        "train", *MODEL, "--set", "rewards.safety.unknown=unsafe", "--set", "evaluation.eval_at=[1, 5]"
    )

    assert config.rewards["safety"].options == {"unknown": "unsafe"}
    assert config.evaluation.eval_at == [1, 5]


def test_a_list_is_given_with_commas_or_by_repeating_its_flag(resolved):
    assert resolved("train", *MODEL, "--eval-at", "1,5").evaluation.eval_at == [1, 5]
    repeated = resolved("train", *MODEL, "--eval_at", "1", "--eval_at", "5")
    assert repeated.evaluation.eval_at == [1, 5]


def test_a_switch_that_the_file_turned_on_can_be_turned_off(resolved, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("model: {model: some/model, use_lora: true}\n")

    assert resolved("train", file).model.use_lora
    assert not resolved("train", file, "--no-use-lora").model.use_lora
    assert not resolved("train", file, "--no-use_lora").model.use_lora


def test_an_oracle_path_alone_means_the_table_and_keeps_the_oracle_of_the_file(resolved, tmp_path):
    assert resolved("train", *MODEL, "--oracle-path", "risks.jsonl").oracle.name == "table"

    file = tmp_path / "run.yaml"
    file.write_text("model: {model: some/model}\noracle: {name: other, path: a}\n")
    oracle = resolved("train", file, "--oracle-path", "b").oracle
    assert (oracle.name, oracle.options) == ("other", {"path": "b"})


def test_a_value_with_an_underscore_keeps_it(resolved):
    config = resolved("train", "--model_name", "my_org/my_model", "--run_name=first_run")

    assert (config.model.model, config.run_name) == ("my_org/my_model", "first_run")


@pytest.mark.parametrize("command", ["train", "sft"])
def test_a_resolved_configuration_read_from_its_yaml_is_the_same(resolved, tmp_path, command):
    config = resolved(command, *MODEL, "--use-lora", "--oracle-path", "risks.jsonl", "--run-name", "a")
    file = tmp_path / "config.yaml"
    file.write_text(as_yaml(config), encoding="utf-8")

    assert resolved(command, file) == config


# --- the demo ----------------------------------------------------------------------------------


@pytest.fixture
def demo(monkeypatch):
    """Stand in for the demo's files, which take seconds to make; return the settings that it ships."""
    from saferec_core.demo import profile

    monkeypatch.setattr(profile, "write_demo", lambda folder, **options: None)
    shipped = files("saferec_core.demo").joinpath("settings.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(shipped)


def test_with_nothing_named_the_demo_is_run_with_its_own_settings(resolved, demo):
    config = resolved("train")

    assert config.model.model.endswith("demo-seed0/model")
    assert weights(config) == {name: choice["weight"] for name, choice in demo["rewards"].items()}
    assert (config.num_ranks, config.rewards["count"].options["target"]) == (5, 5)
    assert config.optimization.max_steps == demo["optimization"]["max_steps"]
    assert config.sft.optimization.max_steps == demo["sft"]["optimization"]["max_steps"]


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(
    ("arguments", "path", "value"),
    [
        (["--risk-threshold", "0.5"], "oracle.risk_threshold", 0.5),
        (["--num-ranks", "6"], "num_ranks", 6),
        (["--seed", "7"], "seed", 7),
        (["--lambda-safe", "3"], "rewards.safety.weight", 3),
        (["--target-count", "4"], "rewards.count.target", 4),
        (["--set", "sft.optimization.max_steps=20"], "sft.optimization.max_steps", 20),
        (["--advantage-mode", "grpo"], "normalizer.name", "grpo"),
        (["--use-lora"], "model.use_lora", True),
        (["--eval-decoding", "greedy"], "evaluation.eval_decoding", ["greedy"]),
    ],
)
def test_every_setting_of_the_demo_can_be_moved_by_itself(resolved, arguments, path, value):
    config = resolved("train", *arguments)

    assert at(config, path) == value
    assert config.data.train_path.name == "train.jsonl"


def test_safe_sft_of_the_demo_takes_the_settings_of_its_stage(resolved, demo):
    config = resolved("sft")

    assert config.optimization.learning_rate == demo["sft"]["optimization"]["learning_rate"]
    assert (config.max_length, config.num_ranks) == (demo["sft"]["max_length"], demo["num_ranks"])


def test_a_file_that_names_neither_model_nor_data_is_laid_over_the_demo(resolved, tmp_path, demo):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"kl_beta": 0.5, "rollout": {"num_generations": 4}}))
    config = resolved("train", file)

    assert (config.kl_beta, config.rollout.num_generations) == (0.5, 4)
    assert config.max_completion_length == demo["max_completion_length"]


# --- mistakes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--learning-rate", "fast"],
            "optimization.learning_rate: .*number.*'fast' \\(from --learn",
        ),
        (["--lr", "-1"], "optimization.learning_rate: .*greater than 0.*'-1' \\(from --lr\\)"),
        (["--learning-rate", "inf"], "optimization.learning_rate: .*finite.*'inf'"),
        (["--lambda-safe", "-1"], "rewards.safety.weight: .*greater than or equal to 0"),
        (["--max-steps", "0"], "optimization.max_steps: "),
        (["--seed", "abc"], "seed: .*integer.*'abc'"),
        (["--num-generations", "1"], "rollout.num_generations: .*greater than or equal to 2"),
        (["--reward-func", "exp"], "reward_func: .*'exp_inf' or 'log_decay'.*'exp'"),
        (["--eval-at", "5,50"], r"eval_at must lie in 1..num_ranks = 20, but holds \[50\]"),
        (["--set", "seed"], "--set expects KEY=VALUE, but got 'seed'"),
        (["--set", "seed=[1"], "--set seed: the value is not valid YAML"),
        (["--set", "sead=1"], "unknown key 'sead'. Did you mean 'seed'.*\\(from --set sead\\)"),
        (["--set", "optimization.learning_rat=1"], "unknown key 'optimization.learning_rat'. Did you mean"),
        (["--set", "rewards=foo"], "rewards "),
        (["--set", "rewards.safety=2"], "rewards.safety: "),
        (["--set", "rewards=null"], "rewards "),
        (["--set", "oracle=table"], "oracle: "),
        (["--set", "=1"], "--set expects KEY=VALUE"),
        (["--set", "seed=null"], "seed: "),
        (["--set", "seed.x=1"], "seed: "),
        (
            ["--lambda-safe", "0", "--lambda-count", "0", "--set", "rewards.relevance.weight=0"],
            "rewards: at least one must have a weight above 0",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_key_what_was_wanted_and_what_came(main, arguments, message):
    outcome = main("train", "--model", "some/model", *arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.err
    assert re.search(message, outcome.err), outcome.err


def test_an_unknown_key_of_a_file_is_told_with_its_path_and_near_miss(main, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("model: {model: some/model}\nrollout: {num_generation: 4}\n")
    outcome = main("train", file)

    assert outcome.status == 2
    assert "unknown key 'rollout.num_generation'. Did you mean 'num_generations'" in outcome.err


def test_every_mistake_of_a_file_is_told_at_once(main, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("model: {model: some/model, lora_r: none}\nseed: -1\nkl_betta: 1\n")
    outcome = main("train", file)

    assert outcome.status == 2
    assert all(key in outcome.err for key in ("model.lora_r", "seed", "'kl_betta'"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("model: [unclosed", "is not valid YAML"),
        ("- a\n- b\n", "must hold KEY: VALUE pairs"),
        ("just text", "must hold KEY: VALUE pairs"),
        ("1: 2\n", "every KEY must be text"),
        ("model: !!python/object/apply:os.system ['touch owned']\n", "is not valid YAML"),
        ("seed: 1\nnum_ranks: 5\nseed: 2\n", "is not valid YAML: 'seed' occurs twice (line 3, column 1)"),
        ("[" * 5000, "is not valid YAML: it is too deep to be read"),
        (f"seed: {'9' * 5000}\n", "is not valid YAML: Exceeds the limit (4300 digits)"),
        ("rewards: [relevance]\nmodel: {model: a}\n", "rewards"),
        ("rewards:\nmodel: {model: a}\n", "rewards"),
        ("oracle: table\nmodel: {model: a}\n", "oracle"),
    ],
    ids=[
        *("unclosed", "list", "text", "number", "object", "twice", "deep", "long number"),
        *("reward list", "no rewards", "oracle text"),
    ],
)
def test_a_damaged_file_is_told_and_runs_nothing(main, tmp_path, content, message):
    file = tmp_path / "run.yaml"
    file.write_text(content)
    outcome = main("train", file, "--risk-threshold", "0.5")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert message in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]


def test_a_file_that_is_not_there_or_no_text_is_told(main, tmp_path):
    assert "nowhere.yaml does not exist" in main("train", "nowhere.yaml").err
    (tmp_path / "image.yaml").write_bytes(b"\xff\xfe\x00\x01")
    assert main("train", "image.yaml").status == 2


def test_a_misspelled_flag_is_a_usage_error_with_the_near_miss(main):
    outcome = main("train", "--learning-rat", "1")

    assert outcome.status == 2
    assert "--learning-rate" in outcome.err


@pytest.mark.parametrize(
    ("flag", "kind"),
    [
        ("--advantage-mode", "normalizer"),
        ("--oracle", "oracle"),
        ("--parser", "parser"),
        ("--transform", "transform"),
        ("--reward", "reward"),
    ],
)
def test_a_component_that_nobody_offers_is_told_before_anything_is_made(main, outline, tmp_path, flag, kind):
    outcome = main("train", outline / "run.yaml", flag, "nonsense")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: unknown {kind} 'nonsense'")
    assert list(tmp_path.iterdir()) == []
