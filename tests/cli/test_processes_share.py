"""What two processes do together: the work of one, and what only one of them says and writes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from benchmarks import fsdp_on_cpu
from saferec_core.analysis.results import read_results
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.manifest import read_manifest
from tests import warm

EXAMPLES = Path(__file__).parents[2] / "examples" / "configs"
OPTIMIZATION = {
    "learning_rate": 1e-3,
    "max_steps": 2,
    "gradient_accumulation_steps": 1,
    "optim": "adamw_torch",
}


@pytest.fixture(scope="session")
def config(tiny):
    """Safe SFT, the choice of its checkpoint, two steps of RL: 16 samples a step over all processes."""

    def write(processes):
        settings = yaml.safe_load((tiny / "run.yaml").read_text(encoding="utf-8"))
        optimization = {**OPTIMIZATION, "per_device_train_batch_size": 16 // processes}
        evaluation = {"eval_prompts": 8, "eval_at": [5], "eval_batch_size": 3}
        settings |= {
            "optimization": optimization,
            "evaluation": evaluation,
            "logging": {"logging_steps": 1, "save_steps": 2},
            "sft": {
                "optimization": optimization,
                "evaluation": evaluation,
                "logging": {"logging_steps": 1, "save_steps": 2},
                "eval_strategy": "no",
                "max_length": 256,
            },
        }
        settings["data"]["validation_path"] = str(tiny / "validation.jsonl")
        path = tiny / f"processes-{processes}.yaml"
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return path

    return write


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_two_processes_train_and_evaluate_as_one_does_and_one_of_them_speaks(config, tmp_path):
    runs = {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        output = folder / "output"
        arguments = ("train", config(processes), "--processes", processes)
        status = warm.Together(processes, *arguments, folder=folder, output=output).wait()
        printed = output.read_text(encoding="utf-8")
        assert status == 0, printed[-3000:]
        assert printed.count("Run folder:") == 1
        assert printed.count("Checkpoints on 8 validation prompts") == 1
        runs[processes] = folder / "runs" / "run"

    losses = {n: [row["loss"] for row in rows(path / "sft/metrics.jsonl")[:2]] for n, path in runs.items()}
    assert losses[2] == pytest.approx(losses[1], rel=1e-4)
    for name in ("sft/evaluation/checkpoint-2-greedy", "evaluation/before-greedy"):
        one, two = (read_results(path / f"{name}.parquet").table for path in runs.values())
        assert one.equals(two)
    kept = {n: rows(path / "rollouts.jsonl") for n, path in runs.items()}
    assert len(kept[1]) == len(kept[2]) == 16  # those of both processes
    assert [row["record"] for row in kept[1]] == [row["record"] for row in kept[2]]
    assert not list(runs[2].glob("evaluation/*.partial*"))
    for n, path in runs.items():  # what is logged of the lists is about those of all processes
        logged = rows(path / "metrics.jsonl")[0]
        listed = [title for row in kept[n] for title in zip(row["titles"], row["in_catalog"], strict=False)]
        different = {tuple(title) for title, in_catalog in listed if in_catalog}
        assert logged["distinct_titles"] == pytest.approx(len(different) / len(listed))
        assert logged["repeated"] == pytest.approx(sum(sum(row["repeated"]) for row in kept[n]) / len(listed))


def test_another_number_of_processes_than_asked_for_is_refused(main, tiny, tmp_path):
    done = main("train", tiny / "run.yaml", "--processes", 2)

    assert done.status == 2
    assert "--processes 2 was asked for, but 1 work together" in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.deepspeed
def test_zero_3_evaluates_before_and_after_training_on_partitioned_weights(config, world, tmp_path):
    pytest.importorskip("deepspeed", reason="needs saferec[deepspeed]")
    settings = yaml.safe_load(ZERO_3)
    (tmp_path / "zero3.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    finished = train_launched(tmp_path, "zero3.yaml", "-m", "saferec_cli", "train", config(2))

    engine = json.loads((finished / "manifest.json").read_text(encoding="utf-8"))["engine"]
    assert (engine["distributed"], engine["deepspeed"]["zero_optimization"]["stage"]) == ("deepspeed", 3)
    assert_whole_policy(finished, world / "model")


@pytest.mark.slow
def test_fsdp2_evaluates_before_and_after_training_on_partitioned_weights(config, world, tmp_path):
    settings = yaml.safe_load((EXAMPLES / "fsdp2.yaml").read_text(encoding="utf-8"))
    (tmp_path / "fsdp2.yaml").write_text(yaml.safe_dump({**settings, "use_cpu": True}), encoding="utf-8")
    finished = train_launched(tmp_path, "fsdp2.yaml", fsdp_on_cpu.__file__, "train", config(2))

    engine = json.loads((finished / "manifest.json").read_text(encoding="utf-8"))["engine"]
    assert engine == {"distributed": "fsdp", "fsdp": {"version": 2, "reshard_after_forward": "True"}}
    assert_whole_policy(finished, world / "model")


@pytest.mark.slow
@pytest.mark.deepspeed
@pytest.mark.parametrize("engine", ["zero3", "fsdp2"])
def test_a_separate_reference_policy_is_whole_where_weights_are_partitioned(engine, tiny, world, tmp_path):
    if engine == "zero3":
        pytest.importorskip("deepspeed", reason="needs saferec[deepspeed]")
        (tmp_path / "engine.yaml").write_text(ZERO_3, encoding="utf-8")
        command = ("-m", "saferec_cli")
    else:
        settings = yaml.safe_load((EXAMPLES / "fsdp2.yaml").read_text(encoding="utf-8"))
        (tmp_path / "engine.yaml").write_text(yaml.safe_dump({**settings, "use_cpu": True}), encoding="utf-8")
        command = (fsdp_on_cpu.__file__,)
    reference = shutil.copytree(world / "model", tmp_path / "same-weights")
    flags = ("--reference-policy", reference, "--kl-beta", 0.01, "--max-steps", 2, "--eval-prompts", 0)
    finished = train_launched(tmp_path, "engine.yaml", *command, "train", tiny / "run.yaml", *flags)

    assert read_manifest(RunLayout(finished))["reference"]["policy"] == str(reference)
    first, second = (row["kl"] for row in rows(finished / "metrics.jsonl") if "kl" in row)
    assert first == pytest.approx(0, abs=1e-6)  # the same weights score the same
    assert second > 1e-4  # those of the reference have not moved with the policy's


def train_launched(folder, settings, *command):
    """Train in two processes by accelerate with *settings*, a file in *folder*; return the run's folder."""
    launch = (sys.executable, "-m", "accelerate.commands.launch", "--config_file", settings)
    done = subprocess.run(
        [*launch, "--main_process_port", "0", *map(str, command), "--processes", "2"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "runs" / "run"


def assert_whole_policy(finished, start):
    """Check that a run has evaluated, and written nothing but a policy with all of its weights, moved."""
    assert sorted(path.name for path in (finished / "policy").iterdir()) == [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    before, after = (load_file(path / "model.safetensors") for path in (start, finished / "policy"))
    head = after.pop("lm_head.weight", after["model.embed_tokens.weight"])  # tied; FSDP writes it twice
    assert head.equal(after["model.embed_tokens.weight"])
    assert {name: weight.shape for name, weight in after.items()} == {
        name: weight.shape for name, weight in before.items()
    }
    assert all(not after[name].equal(weight) for name, weight in before.items() if weight.ndim == 2)
    for when in ("before", "after"):
        assert (finished / "evaluation" / f"{when}-greedy.parquet").is_file()


ZERO_3 = """
compute_environment: LOCAL_MACHINE
distributed_type: DEEPSPEED
use_cpu: true
num_machines: 1
machine_rank: 0
num_processes: 2
mixed_precision: 'no'
main_training_function: main
deepspeed_config:
  zero_stage: 3
  gradient_accumulation_steps: auto
  gradient_clipping: auto
  offload_optimizer_device: none
  offload_param_device: none
  zero3_init_flag: true
  zero3_save_16bit_model: true
"""
