"""What is logged, under which names, to whom, and that nobody else is told."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

DOCUMENT = Path(__file__).parents[2] / "docs" / "logging.md"
ROW = re.compile(r"^\| `(?P<name>[^`]+)` \|[^|]*\|[^|]+\|$", re.MULTILINE)

WATCHED = """
import socket, sys
seen = []
sys.addaudithook(
    lambda event, args: seen.append(f"{event} {args[:2]}")
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
    else None
)
from saferec_cli.main import main
try:
    main()
finally:
    trackers = {"comet_ml", "mlflow", "tensorboard", "tensorboardX", "torch.utils.tensorboard"}
    print("network:", seen, "trackers:", sorted(trackers & set(sys.modules)))
"""


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def names_in(rows):
    return {name for row in rows for name in row}


def documented():
    """Return the names in each table of the page, by heading."""
    sections = re.split(r"^### ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        section.splitlines()[0]: [match["name"] for match in ROW.finditer(section)] for section in sections
    }


@pytest.fixture(scope="module")
def both_stages(tiny, tmp_path_factory):
    """Run Safe SFT and Safe-Rank-GRPO, logging to TensorBoard if it is installed.

    Returns the run folder and what the process said of network and trackers; nothing keeps it offline.
    """
    folder = tmp_path_factory.mktemp("logged")
    settings = yaml.safe_load((tiny / "run.yaml").read_text(encoding="utf-8"))
    settings["data"]["validation_path"] = str(tiny / "validation.jsonl")
    settings["optimization"]["max_steps"] = 3
    settings["limits"] = {"limit": ["wasted<=0.5"]}
    settings["normalizer"] = {"name": "gdpo", "dynamic_sampling": True}
    settings["alarms"] = {"alarm_options": {"kl": {"most": 1e-9}}}
    settings["sft"] = {
        "max_length": 256,
        "eval_steps": 1,
        "optimization": {"max_steps": 2, "per_device_train_batch_size": 8, "optim": "adamw_torch"},
        "logging": {"logging_steps": 1},
        "evaluation": {"eval_prompts": 0, "eval_at": [5]},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    printed = {}
    trackers = ["none", *(["tensorboard"] if find_spec("tensorboard") else [])]
    for tracker in trackers:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "200"}
        for kept_offline in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
            environment.pop(kept_offline, None)
        for kept_silent in ("HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK", "CI"):
            environment.pop(kept_silent, None)
        done = subprocess.run(
            [
                *(sys.executable, "-c", WATCHED, "train", folder / "run.yaml", "--run-name", tracker),
                *("--report-to", tracker, "--output-dir", folder),
            ],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
        printed[tracker] = done.stdout.splitlines()[-1]
    return folder / trackers[-1], printed


# --- names ---------------------------------------------------------------------------------------


def test_every_name_that_is_logged_is_documented_and_the_reverse(both_stages):
    run, _ = both_stages
    tables = documented()
    common = set(tables["Both stages"])
    sft = names_in(lines(run / "sft" / "metrics.jsonl"))
    rl = names_in(lines(run / "metrics.jsonl"))
    by_name = re.compile("/(relevance|safety|count|wasted)$")

    assert sft == common | set(tables["Safe SFT"])
    assert {"reward/relevance", "reward/safety", "reward/count"} <= rl
    assert {by_name.sub("/NAME", name) for name in rl} == common | set(tables["Safe-Rank-GRPO"])


def test_the_page_names_each_figure_once():
    names = [name for table in documented().values() for name in table]

    assert len(names) == len(set(names)) > 30


# --- trackers ------------------------------------------------------------------------------------


def test_nothing_is_sent_and_no_tracker_is_imported_unasked(both_stages):
    _, printed = both_stages

    assert printed["none"] == "network: [] trackers: []"
    if "tensorboard" in printed:
        assert printed["tensorboard"].startswith("network: [] trackers: ['tensorboard'")


def test_tensorboard_gets_the_figures_of_metrics_jsonl_into_the_run_folder(both_stages):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run, _ = both_stages
    for stage in (run / "sft", run):
        events = EventAccumulator(str(stage / "tensorboard"))
        events.Reload()
        rows = lines(stage / "metrics.jsonl")
        tags = {
            name: f"eval/{name.removeprefix('eval_')}" if name.startswith("eval_") else f"train/{name}"
            for name in names_in(rows) - {"stage", "step", "alarms"}
        }
        assert sorted(events.Tags()["scalars"]) == sorted(tags.values())
        [settings] = [event.tensor_proto.string_val for event in events.Tensors("saferec/text_summary")]
        assert b"learning_rate" in settings[0]
        for name, tag in tags.items():
            logged = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
            shown = [(event.step, event.value) for event in events.Scalars(tag)]
            assert shown == [(step, pytest.approx(value, rel=1e-6, abs=1e-30)) for step, value in logged], tag
    safety = [row["reward/safety"] for row in rows if "reward/safety" in row]
    assert len(safety) == 3
    assert not list(run.rglob("checkpoints/runs"))  # where transformers would put them


@pytest.mark.parametrize("tracker", ["tensorboard", "trackio", "wandb"])
def test_a_tracker_that_is_not_installed_is_told_before_anything_is_trained(
    main, tiny, tmp_path, monkeypatch, tracker
):
    monkeypatch.setattr("saferec_core.training.extras.find_spec", lambda name: None)
    outcome = main("train", tiny / "run.yaml", "--report-to", tracker)

    assert outcome.status == 2
    assert (
        f"--report-to {tracker} needs a package that is not installed: pip install {tracker}," in outcome.err
    )
    assert not (tmp_path / "runs").exists()


def test_an_unknown_tracker_is_told_with_those_there_are(main, tiny, tmp_path):
    outcome = main("train", tiny / "run.yaml", "--report-to", "wandbb")

    assert outcome.status == 2
    assert "logging.report_to.0" in outcome.err
    assert "'tensorboard', 'trackio', 'wandb' or 'none', but got 'wandbb'" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_none_stands_alone(main, tiny):
    outcome = main("train", tiny / "run.yaml", "--report-to", "none,wandb")

    assert outcome.status == 2
    assert "logging.report_to: none stands alone, but came with wandb" in outcome.err


def test_none_takes_back_what_a_file_names(main, tiny, tmp_path):
    settings = yaml.safe_load((tiny / "run.yaml").read_text(encoding="utf-8"))
    settings["logging"]["report_to"] = ["wandb"]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    outcome = main("train", "run.yaml", "--report-to", "none", "--eval-prompts", 0)

    assert outcome.status == 0, outcome.err
    config = yaml.safe_load((tmp_path / "runs" / "run" / "config.yaml").read_text(encoding="utf-8"))
    assert config["logging"]["report_to"] == []


def test_a_progress_report_that_the_environment_asks_for_is_taken_out(main, tiny, tmp_path, monkeypatch):
    from transformers.integrations import INTEGRATION_TO_CALLBACK

    if "kubeflow" not in INTEGRATION_TO_CALLBACK:
        pytest.skip("this transformers reports to no Kubeflow")
    calls = []
    monkeypatch.setenv("KUBEFLOW_TRAINER_SERVER_URL", "https://127.0.0.1:9/")
    for event in ("on_train_begin", "on_log", "on_step_end", "on_train_end"):
        monkeypatch.setattr(
            INTEGRATION_TO_CALLBACK["kubeflow"], event, lambda *_, **__: calls.append(1), raising=False
        )
    outcome = main("train", tiny / "run.yaml", "--eval-prompts", 0)

    assert outcome.status == 0, outcome.err
    assert calls == []


# --- stages --------------------------------------------------------------------------------------


def test_a_stage_within_a_run_logs_to_the_runs_trackers_unless_it_names_its_own():
    from saferec_core.config.schema import TrainConfig

    def logging(**of_the_stage):
        settings = {"logging": {"report_to": ["wandb"]}, "sft": {"logging": of_the_stage}}
        return TrainConfig.model_validate(settings).sft_config().logging

    assert logging(logging_steps=3).report_to == ["wandb"]
    assert logging(logging_steps=3).logging_steps == 3
    assert logging(report_to=["tensorboard"]).report_to == ["tensorboard"]


def test_trackers_call_a_stage_by_its_run(tmp_path):
    from saferec_core.config.schema import SftConfig
    from saferec_core.training.trl.arguments import common_arguments

    (tmp_path / "mine" / "sft").mkdir(parents=True)
    (tmp_path / "mine" / "config.yaml").touch()
    config = SftConfig()
    for folder, name in (("mine", "mine"), ("mine/sft", "mine-sft")):
        arguments = common_arguments(config, config.optimization, tmp_path / folder / "checkpoints")
        assert arguments["run_name"] == name
        assert arguments["report_to"] == "none"


def test_held_out_metrics_are_logged_before_during_and_after_training(main, tiny, tmp_path):
    rates = ["--max-steps", 3, "--learning-rate", 0.05, "--logging-steps", 2]
    outcome = main("train", tiny / "run.yaml", "--eval-steps", 2, *rates)

    assert (outcome.status, outcome.err) == (0, "")
    run = tmp_path / "runs" / "run"
    rows = [row for row in lines(run / "metrics.jsonl") if "eval_recall@5" in row]
    assert [row["step"] for row in rows] == [0, 2, 3]
    summary = json.loads((run / "evaluation" / "greedy.json").read_text(encoding="utf-8"))["metrics"]
    for name in ("recall@5", "list_length"):  # of the same records, since there are no validation records
        before, after = (summary[name][when][0] for when in ("before", "after"))
        assert rows[0][f"eval_{name}"] == pytest.approx(before)
        assert rows[-1][f"eval_{name}"] == pytest.approx(after)
    assert not any("loss" in row for row in rows)
