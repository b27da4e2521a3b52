"""Everything that is missing or wrong is one message, before torch is imported."""

import json
import subprocess
import sys

import pytest


def problems(outcome):
    assert outcome.status == 2, outcome
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert outcome.err.count("error: ") == 1
    return outcome.err


def test_a_newcomer_is_given_every_missing_thing_at_once_with_its_flag(main):
    message = problems(main("train", "--model", "/nope", "--optim", "grokadamw"))

    assert message.startswith("error: 5 problems in the configuration\n")
    assert "--model: /nope does not exist" in message
    for flag in ("--train-path", "--catalog-path", "--oracle-path"):
        assert f"\n  {flag} is missing: " in message
    assert "install grokadamw" in message
    assert "saferec init train" in message


def test_values_files_plugins_batches_and_cutoffs_are_checked_together(main, outline):
    message = problems(
        main(
            *(
                "train",
                outline / "run.yaml",
                "--lr",
                "fast",
                "--train-path",
                "gone.jsonl",
                "--reward",
                "saftey",
            ),
            *("--num-generations", 6, "--set", "rewards.safety.penalti=1", "--advantage-mode", "grop"),
            *(
                "--set",
                "data.parser={name: title-year, lines: 1}",
                "--attn-implementation",
                "flash_attention_2",
            ),
        )
    )

    for part in (
        "optimization.learning_rate: Input should be a valid number",
        "--train-path: gone.jsonl does not exist",
        "unknown reward 'saftey'. Did you mean 'safety'",
        "unknown normalizer 'grop'. Did you mean 'grpo'",
        "num_generations = 6 does not divide the generation batch of 8 completions",
        "parser 'title-year' has no option 'lines'",
        "--attn-implementation flash_attention_2 needs",
    ):
        assert part in message


def test_values_that_do_not_go_together_hide_no_other_problem(main):
    weights = [f"rewards.{name}.weight=0" for name in ("relevance", "safety", "count")]
    together = ("--eval-at", 50, *(part for weight in weights for part in ("--set", weight)))
    message = problems(main("train", "--model", "/nope", *together, "--optim", "adamw"))

    for part in (
        "evaluation.eval_at must lie in 1..num_ranks = 20, but holds [50]; change --eval-at",
        "rewards: at least one must have a weight above 0",
        "--model: /nope does not exist",
        "--train-path is missing",
        "unknown optimizer 'adamw'",
    ):
        assert message.count(part) == 1, message
    assert "--oracle-path" not in message  # the weight of safety is 0


def test_an_option_that_a_reward_does_not_have_is_named_without_importing_the_reward(main, outline):
    message = problems(main("train", outline / "run.yaml", "--set", "rewards.safety.penalti=1"))

    assert message.startswith("error: reward 'safety' has no option 'penalti'. Did you mean 'penalty'?")


def test_a_target_beyond_k_is_named_with_both_ways_out(main, outline):
    message = problems(main("train", outline / "run.yaml", "--lambda-count", 1, "--target-count", 10))

    assert "rewards.count.target = 10 titles cannot be ranked: num_ranks (K) is 5" in message
    assert "--num-ranks 10" in message


def test_every_limit_that_cannot_be_meant_is_named_before_anything_starts(main, outline):
    texts = (
        "violations<=0.1",
        "wasted<=2",
        "seen>=0.1",
        "wasted[gore]<=.1",
        "repeated<=.1",
        "repeated<=.2",
    )
    flags = [part for text in texts for part in ("--limit", text)]
    message = problems(main("train", outline / "run.yaml", *flags))

    for part in (
        "unknown share to limit 'violations'",
        "limit 'wasted<=2': a share lies in 0..1, but the bound is 2",
        "limit 'seen>=0.1' cannot be read; write it as violation_rate<=0.02",
        "limit 'wasted[gore]<=.1': only violation_rate can be limited for a trait",
        "repeated has two limits: repeated <= 0.1 and repeated <= 0.2; keep one",
    ):
        assert message.count(part) == 1, message


def test_lowering_k_alone_keeps_the_default_cutoffs_within_it(main):
    outcome = main("plan", "--num-ranks", 7, "--json")

    assert json.loads(outcome.out)["settings"]["evaluation.eval_at"]["value"] == [5]


@pytest.mark.parametrize("command", ["train", "sft"])
def test_records_without_columns_that_a_run_needs_are_named_by_their_flag(main, outline, tmp_path, command):
    (tmp_path / "bare.jsonl").write_text('{"prompt": "hi"}\n', encoding="utf-8")
    message = problems(
        main(
            *(command, "--model", outline, "--train-path", "bare.jsonl", "--optim", "adamw_torch"),
            *("--catalog-path", outline / "catalog.jsonl", "--oracle-path", outline / "oracle.jsonl"),
        )
    )

    column, who = {"train": ("constraints", "reward 'safety'"), "sft": ("completion", "Safe SFT")}[command]
    assert f"--train-path: bare.jsonl, row 1: column '{column}' is missing; {who} needs it." in message
    assert f"--model: {outline} contains no model" in message


@pytest.mark.parametrize("name", ["model", "data", "oracle", "seed", "num_ranks"])
def test_what_the_sft_stage_takes_from_the_run_cannot_be_set_for_it(main, outline, name):
    message = problems(main("train", outline / "run.yaml", "--set", f"sft.{name}=1"))

    assert f"{name} cannot be set for the SFT stage alone" in message
    assert f"Set {name} outside of sft" in message


def test_a_setting_of_another_command_is_refused_with_the_command_that_has_it(main, outline):
    message = problems(main("train", outline / "run.yaml", "--set", "evaluation.eval_engine=vllm"))

    assert "unknown key 'evaluation.eval_engine'" in message
    assert "It is a setting of saferec eval." in message


def test_a_transform_of_the_command_line_takes_options(main, outline):
    outcome = main(
        *("plan", outline / "run.yaml", "--json"),
        *("--transform", "filter-samples require_constraints=true", "--transform", "split"),
    )

    transforms = json.loads(outcome.out)["settings"]["data.transforms"]
    assert transforms["origin"] == "--transform"
    assert transforms["value"] == [{"name": "filter-samples", "require_constraints": True}, {"name": "split"}]


def test_a_transform_with_an_option_that_it_does_not_have_is_refused(main, outline):
    transform = "filter-samples require_constrain=true"
    message = problems(main("train", outline / "run.yaml", "--transform", transform))

    assert "transform 'filter-samples' has no option 'require_constrain'. Did you mean" in message


def test_eval_names_a_run_that_does_not_exist_before_anything_else(main):
    assert problems(main("eval", "./nosuch")).startswith("error: ./nosuch does not exist")
    message = problems(main("eval", "nosuch"))
    assert message.splitlines()[1].startswith("  nosuch is not a folder here")


@pytest.mark.parametrize("flag", ["--learning-rate", "--num-generations", "--lambda-safe", "--use-lora"])
def test_eval_has_no_flags_of_training(main, flag):
    outcome = main("eval", "run", flag, "1")

    assert outcome.status == 2
    assert "No such option" in outcome.err


def test_a_chain_is_checked_as_a_whole_before_its_first_step(main, tmp_path):
    (tmp_path / "chain.yaml").write_text(
        "input: gone.jsonl\noutput: out\nsteps: [{name: splitt}, {name: map-titles, fuzy: true}]\nseeds: 1\n"
    )
    message = problems(main("data", "build", "chain.yaml"))

    for part in (
        "gone.jsonl does not exist",
        "unknown transform 'splitt'",
        "no option 'fuzy'",
        "unknown key 'seeds'",
    ):
        assert part in message


def test_nothing_of_this_imports_torch(tmp_path):
    code = (
        "import sys; sys.argv = ['saferec', *sys.argv[1:]]\n"
        "from saferec_cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules)\n"
    )
    for arguments in (
        ["train", "--model", "X"],
        ["sft", "--model", "X"],
        ["eval", "X"],
        ["plan", "--json"],
        ["init", "train"],
        ["train", "--help"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert done.stdout.splitlines()[-1].endswith(" False"), arguments


OTHERS = {
    "reward": ("--reward", "mine"),
    "oracle": ("--oracle", "mine"),
    "normalizer": ("--advantage-mode", "mine"),
    "parser": ("--set", "data.parser.name=mine"),
    "metric": ("--set", "evaluation.eval_metrics=[default,mine]"),
    "transform": ("--transform", "mine"),
    "alarm": ("--set", "alarms.alarm_options.mine={}"),
}


@pytest.mark.parametrize("files", ["demo", "own"])
@pytest.mark.parametrize("kind", OTHERS)
def test_a_component_of_others_that_cannot_be_imported_or_built_keeps_a_plan_from_being_ready(
    main, installed, outline, kind, files
):
    broken = f"""
from saferec_core import hookimpl

@hookimpl
def saferec_register_{kind}s(registry):
    registry.add("mine", "acme_{kind}_{files}:Mine", summary="")
    registry.add("lost", "acme_{kind}_{files}:Lost", summary="")

class Mine:
    def __init__(self, first, second): ...
"""
    installed(f"acme-{kind}-{files}", broken)
    of_run = (outline / "run.yaml",) if files == "own" else ()
    options = OTHERS[kind]

    built = main("train", "--dry-run", *of_run, *options)
    imported = main("plan", *of_run, *(option.replace("mine", "lost") for option in options))

    who = f"of acme-{kind}-{files} 1.2.3 (entry point 'main')"
    assert (built.status, imported.status) == (2, 2)
    assert f"{kind} 'mine' {who} cannot be built: TypeError: " in " ".join(built.out.split())
    assert f"{kind} 'lost' {who} cannot be loaded from" in " ".join(imported.out.split())
    assert "Traceback" not in built.out + built.err + imported.out + imported.err


@pytest.mark.parametrize("way", [("train",), ("train", "--dry-run"), ("plan",)], ids=" ".join)
def test_a_rate_that_cannot_move_the_weights_is_named_before_safe_sft_with_all_else(main, tiny, world, way):
    command, *flags = way
    wrong = ("--learning-rate", "1e-15", "--test-path", "gone.jsonl", "--set", "sft.max_length=256")

    done = main(command, tiny / "run.yaml", *flags, *wrong)

    assert done.status == 2
    text = " ".join((done.out + done.err).replace("│", " ").split())
    assert "--learning-rate: a learning rate of 1e-15 cannot train these weights: in float32" in text
    assert "--test-path: gone.jsonl does not exist" in text
