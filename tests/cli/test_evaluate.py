"""``saferec eval``: what it keeps and where, what it continues, and what it refuses."""

import json
import shutil
import signal
import sys
import time
from itertools import islice

import pytest
import yaml

from saferec_core.analysis.results import read_results
from saferec_core.runs import versions
from saferec_core.runs.versions import install_vllm
from tests import warm


@pytest.fixture
def model(main, tiny, world):
    """Evaluate the demo's network by itself."""

    def run(*arguments):
        return main("eval", world / "model", "--config", tiny / "run.yaml", *arguments)

    return run


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """A run folder with adapters, checkpoints and both evaluations; to be copied before it is written to."""
    folder = tmp_path_factory.mktemp("trained")
    output = folder / "output"
    training = warm.start(
        *("train", tiny / "run.yaml", "--output-dir", folder, "--use-lora", "--lora-r", 2, "--max-steps", 2),
        *("--save-strategy", "steps", "--save-steps", 1),
        folder=folder,
        output=output,
    )
    assert training.wait() == 0, output.read_text(encoding="utf-8")
    return folder / "run"


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "runs" / "run")


def evaluations(folder):
    return sorted(path.name for path in (folder / "evaluation").glob("policy*"))


def refused(outcome):
    assert outcome.status == 2, outcome
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.err
    return outcome.err.removeprefix("error: ").strip()


# --- what is read ---


def test_an_evaluation_that_reads_only_the_first_records_says_so(model, tmp_path):
    outcome = model("--out", tmp_path / "out", "--set", "data.max_records=3")

    assert outcome.status == 0, outcome
    assert "only the first 3 of each split are read (data.max_records)" in " ".join(outcome.out.split())
    assert "are read (data.max_records)" not in model("--out", tmp_path / "all").out


# --- what is kept ------------------------------------------------------------------------------


def test_a_policy_of_a_run_is_evaluated_into_that_run(main, run):
    outcome = main("eval", run)
    assert (outcome.status, outcome.err) == (0, "")

    assert evaluations(run) == ["policy-greedy.json", "policy-greedy.parquet"]
    assert f"Every sample: {run}/evaluation/policy-greedy.parquet" in outcome.out
    results, after = (
        read_results(run / "evaluation" / f"{when}-greedy.parquet") for when in ("policy", "after")
    )
    assert results.table.equals(after.table)
    assert results.protocol == after.protocol
    assert results.data_sha256 == after.data_sha256
    before = read_results(run / "evaluation" / "before-greedy.parquet")
    assert before.protocol == after.protocol
    assert (run / "evaluation" / "greedy.json").is_file()


def test_a_quiet_evaluation_prints_where_its_results_are_and_nothing_else(main, run):
    outcome = main("eval", run, "--quiet")

    assert (outcome.status, outcome.err) == (0, "")
    assert "".join(outcome.out.split()) == f"Everysample:{run}/evaluation/policy-greedy.parquet"


def test_an_evaluation_says_how_its_lists_were_read_and_how_much_was_unreadable(main, run):
    printed = " ".join(main("eval", run, "--eval-year", "complete").out.split())

    assert "year=complete" in printed
    assert "lines of the lists are unreadable" in printed
    assert "title-year (year=complete" in printed.partition("Recall@")[0]  # before anything is generated


def test_the_policy_that_a_run_began_with_is_evaluated_beside_the_one_it_ended_with(main, run, world):
    for arguments in (("--before",), ("--before", "--guided"), ("--guided",)):
        outcome = main("eval", run, *arguments, "--quiet")
        assert (outcome.status, outcome.err) == (0, "")

    folder = run / "evaluation"
    before = read_results(folder / "before-greedy-guided.parquet")
    assert before.policy == str(world / "model")
    assert before.protocol == read_results(folder / "policy-greedy-guided.parquet").protocol
    compared = main("compare", run, "--decoding", "greedy-guided", "--json")
    assert (compared.status, compared.err) == (0, "")
    assert main("report", run).status == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    first_screen = page[page.index("<header") : page.index("</header>")]
    assert "Greedy lists, free and guided" in first_screen
    assert "Guided greedy lists, before and after" in first_screen


def test_only_a_training_run_has_a_policy_from_before(main, run, world):
    assert "is not one" in refused(main("eval", world / "model", "--before"))
    assert "leave --run out" in refused(main("eval", run, "--before", "--run", run))
    assert "--flip goes with the policy itself" in refused(main("eval", run, "--before", "--flip"))


def test_the_summary_tells_what_the_protocol_leaves_out(main, run):
    main("eval", run)
    summary = json.loads((run / "evaluation" / "policy-greedy.json").read_text(encoding="utf-8"))

    assert summary["engine"] == "transformers"
    assert (summary["records"], summary["batch_size"], summary["eval_at"]) == (4, 32, [5])
    assert summary["protocol"] == summary["choices"]["id"]
    assert (
        summary["metrics"]["recall@5"][0]
        == read_results(run / "evaluation" / "policy-greedy.parquet").values("recall@5").mean()
    )


def test_another_protocol_or_other_data_never_replace_what_is_there(main, run):
    main("eval", run)
    first = (run / "evaluation" / "policy-greedy.parquet").read_bytes()
    assert main("eval", run, "--protocol", "safe-training").status == 0
    assert main("eval", run, "--eval-prompts", 3).status == 0
    assert main("eval", run, "--eval-prompts", 2).status == 0

    assert (run / "evaluation" / "policy-greedy.parquet").read_bytes() == first
    names = [name for name in evaluations(run) if name.endswith(".parquet")]
    assert len(names) == 4
    results = [read_results(run / "evaluation" / name) for name in names]
    assert sorted(len(one) for one in results) == [2, 3, 4, 4]
    ids = {one.protocol["id"] for one in results}
    assert len(ids) == 2
    other = next(one for one in ids if one.startswith("safe-training-greedy-K5-"))
    assert f"policy-greedy-{other[-8:]}.parquet" in names


def test_the_same_evaluation_again_takes_the_place_of_the_first(main, run):
    main("eval", run, "--eval-decoding", "greedy,sampled")
    names = evaluations(run)
    main("eval", "run/policy", "--eval-decoding", "greedy,sampled", cwd=run.parent)

    assert evaluations(run) == names
    assert "policy-sampled.parquet" in names


def test_a_checkpoint_is_kept_under_its_own_name(main, run):
    assert main("eval", run / "checkpoints" / "checkpoint-1").status == 0

    results = read_results(run / "evaluation" / "checkpoint-1-greedy.parquet")
    assert results.policy == str(run / "checkpoints" / "checkpoint-1")
    assert evaluations(run) == []


def test_adapters_are_not_merged(main, run, monkeypatch):
    from peft import PeftModel
    from peft.tuners.lora import LoraModel

    def merging(*arguments, **options):
        raise AssertionError

    monkeypatch.setattr(LoraModel, "merge_and_unload", merging)
    monkeypatch.setattr(PeftModel, "merge_and_unload", merging, raising=False)
    assert main("eval", run).status == 0


def test_a_policy_of_no_run_gets_a_folder_of_its_own_below_the_output_dir(model, world, tmp_path):
    assert model().status == 0
    assert model("--protocol", "rank-grpo").status == 0

    [folder] = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("eval-model-")
    assert yaml.safe_load((folder / "config.yaml").read_text())["model"]["model"] == str(world / "model")
    assert (folder / "manifest.json").is_file()
    assert len([name for name in evaluations(folder) if name.endswith(".parquet")]) == 2
    assert not list((folder / "evaluation").glob("*.partial*"))


def test_results_go_where_they_are_told_to(main, run, tmp_path):
    assert main("eval", run, "--out", tmp_path / "here" / "and there").status == 0

    assert evaluations(tmp_path / "here" / "and there") == ["policy-greedy.json", "policy-greedy.parquet"]
    assert evaluations(run) == []


def test_several_samples_are_rows_of_one_record(model, tmp_path):
    assert model("--eval-decoding", "sampled", "--eval-samples", 3, "--out", "here").status == 0

    table = read_results(tmp_path / "here" / "evaluation" / "policy-sampled.parquet").table
    assert table.column("record").to_pylist() == [n for n in range(4) for _ in range(3)]
    assert table.column("sample").to_pylist() == [0, 1, 2] * 4


def test_only_named_metrics_are_computed(model, tmp_path):
    assert model("--eval-metrics", "recall,list_length", "--out", "here").status == 0

    results = read_results(tmp_path / "here" / "evaluation" / "policy-greedy.parquet")
    assert set(results.metrics) == {"recall@5", "list_length"}
    assert "unknown metric 'recal'" in refused(model("--eval-metrics", "recal"))


def test_a_choice_is_made_on_top_of_a_preset(model, tmp_path):
    assert model("--protocol", "safe-training", "--eval-seen", "miss", "--out", "here").status == 0

    results = read_results(tmp_path / "here" / "evaluation" / "policy-greedy.parquet").protocol
    assert (results["seen"], results["title_matching"], results["empty_list"]) == ("miss", "exact", "safe")
    assert results["id"].startswith("custom-greedy-K5-")


# --- interrupted -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_evaluation_continues_and_gives_the_same_rows(main, tiny, world, tmp_path):
    kind = "sampled"  # nothing is left to chance but the seed
    with (world / "test.jsonl").open(encoding="utf-8") as file:
        (tmp_path / "test.jsonl").write_text("".join(islice(file, 24)), encoding="utf-8")
    command = [
        *("eval", world / "model", "--config", tiny / "run.yaml"),
        *("--test-path", tmp_path / "test.jsonl", "--eval-prompts", "24", "--eval-decoding", kind),
        *("--eval-batch-size", "1", "--max-completion-length", "32", "--eval-metrics", "recall"),
    ]

    def lines():
        partial = tmp_path / "killed" / "evaluation" / f"policy-{kind}.partial.jsonl"
        return partial.read_text(encoding="utf-8").count("\n") if partial.exists() else 0

    process = warm.start(*command, "--out", "killed", folder=tmp_path, output=tmp_path / "output")
    while lines() < 3:
        assert process.poll() is None, (tmp_path / "output").read_text(encoding="utf-8")
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 3 <= lines() < 24
    assert not (tmp_path / "killed" / "evaluation" / f"policy-{kind}.parquet").exists()

    again = main(*command, "--out", "killed")
    assert main(*command, "--out", "whole").status == again.status == 0, again.err
    assert "Taken over from an interrupted evaluation" in again.out
    tables = [
        read_results(tmp_path / name / "evaluation" / f"policy-{kind}.parquet").table
        for name in ("killed", "whole")
    ]
    assert len(tables[0]) == 24
    assert tables[0].equals(tables[1])
    assert lines() == 0


# --- changed constraints -------------------------------------------------------------------------


def test_constraints_are_flipped_and_every_pair_is_kept(main, run):
    outcome = main("eval", run, "--flip")
    assert (outcome.status, outcome.err) == (0, "")

    assert evaluations(run) == ["policy-greedy-flip.json", "policy-greedy-flip.parquet"]
    assert "Constraints removed, added and swapped" in outcome.out
    assert "Not shown, fewer than 10 users" in outcome.out
    said = " ".join(outcome.out.split())
    assert (
        "Removing a constraint or swapping a constraint for another was possible in 0 of 4 records." in said
    )
    assert (
        "the column constraints_stated, which inject-constraints writes, does not name the sentence" in said
    )
    assert "Adding a constraint was possible in 4 of 4 records." in said
    results = read_results(run / "evaluation" / "policy-greedy-flip.parquet")
    assert results.table.column("change").to_pylist() == ["added"] * 4
    data = json.loads((run / "evaluation" / "policy-greedy-flip.json").read_text(encoding="utf-8"))
    assert data["protocol"] == results.protocol["id"]
    assert data["all"] == {"suppressed": "fewer than 10 users"}


def test_stated_constraints_are_removed_and_swapped_as_well(main, run, tiny, tmp_path):
    rows = []
    for line in (tiny / "test.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        trait = row["constraints"][0] if row["constraints"] else "Anti-gore / squeamish"
        row["prompt"][-1]["content"] += " Please nothing of that kind."
        row |= {"constraints": [trait], "constraints_stated": {trait: "Please nothing of that kind."}}
        rows.append(json.dumps(row) + "\n")
    (tmp_path / "stated.jsonl").write_text("".join(rows), encoding="utf-8")
    outcome = main("eval", run, "--flip", "--test-path", tmp_path / "stated.jsonl", "--json")

    assert outcome.status == 0, outcome.err
    [data] = json.loads(outcome.out).values()
    assert set(data["changes"]) == {"added", "removed", "swapped"}


def test_flipping_needs_an_oracle(main, tiny, world):
    outcome = main(
        *("eval", world / "model", "--flip", "--catalog-path", tiny / "catalog.jsonl"),
        *("--test-path", tiny / "test.jsonl"),
    )
    assert "--flip counts violations and needs an oracle" in refused(outcome)


# --- refused -------------------------------------------------------------------------------------


def test_a_checkpoint_without_a_tokenizer_is_told_what_is_missing(main, tiny, world, tmp_path):
    shutil.copytree(world / "model", tmp_path / "bare", ignore=shutil.ignore_patterns("token*", "chat*"))
    outcome = main("eval", tmp_path / "bare", "--config", tiny / "run.yaml")

    assert "bare has no tokenizer (tokenizer_config.json)" in refused(outcome)
    assert not (tmp_path / "runs").exists()


def test_a_policy_without_weights_is_told(main, tiny, world, tmp_path):
    shutil.copytree(world / "model", tmp_path / "empty", ignore=shutil.ignore_patterns("*.safetensors"))
    outcome = main("eval", tmp_path / "empty", "--config", tiny / "run.yaml")

    assert "no model can be loaded from" in refused(outcome)
    assert not (tmp_path / "runs").exists()


def test_a_run_that_did_not_end_is_told_its_checkpoints(main, run):
    shutil.rmtree(run / "policy")

    message = refused(main("eval", run))
    assert f"run {run} has no policy" in message
    assert message.endswith("checkpoint-2")


def test_empty_data_are_told(model, tmp_path):
    (tmp_path / "none.jsonl").write_text("")
    assert "none.jsonl holds no records" in refused(model("--test-path", tmp_path / "none.jsonl"))


def test_constraints_that_no_record_has_are_told(model):
    assert "no held-out record has one of the constraints" in refused(model("--eval-traits", "War"))


def test_settings_of_vllm_without_vllm_are_refused_instead_of_ignored(model):
    message = refused(model("--vllm-max-model-length", 300))

    assert "--vllm-... settings do nothing with --eval-engine transformers; add --eval-engine vllm" in message


def test_vllm_that_is_not_installed_is_named_with_how_to_install_it_here(model, monkeypatch):
    monkeypatch.setattr(versions, "find_spec", lambda name: None)
    assert install_vllm() in refused(model("--eval-engine", "vllm"))


def test_vllm_in_a_version_that_is_not_supported_is_refused(model, monkeypatch):
    monkeypatch.setattr(versions, "find_spec", lambda name: object())
    monkeypatch.setattr(versions, "version", lambda name: "0.14.0")

    message = refused(model("--eval-engine", "vllm"))
    assert "--eval-engine vllm cannot be used: vllm 0.14.0 is installed, but saferec supports" in message


def test_a_damaged_file_of_results_is_told_before_anything_is_generated(main, run):
    path = run / "evaluation" / "policy-greedy.parquet"
    path.write_bytes(b"PAR1 not rows")

    assert f"{path} does not hold a readable evaluation" in refused(main("eval", run))
    assert path.read_bytes() == b"PAR1 not rows"


def test_results_cannot_go_into_a_file(model, tmp_path):
    (tmp_path / "file").write_text("mine")

    assert "results cannot be written to" in refused(model("--out", tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


# --- vLLM ----------------------------------------------------------------------------------------

VLLM = '''
"""What vLLM's interface looks like, with a policy that always says the same."""
import json
import types

calls = []

class SamplingParams:
    def __init__(self, **options):
        self.options = options

class LLM:
    def __init__(self, **options):
        calls.append(("LLM", options))
        length = options.get("max_model_len") or 512
        self.llm_engine = types.SimpleNamespace(model_config=types.SimpleNamespace(max_model_len=length))

    def generate(self, inputs, how, *, use_tqdm, lora_request):
        prompts = [one["prompt_token_ids"] for one in inputs]
        calls.append(("generate", prompts, [one.options for one in how], lora_request))
        output = types.SimpleNamespace(token_ids={ids})
        return [types.SimpleNamespace(outputs=[output] * one.options["n"]) for one in how]
'''


@pytest.fixture
def vllm(world, tmp_path, monkeypatch):
    """A package of vLLM's interface, and what was called."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(world / "model")
    ids = [*tokenizer("Saw (2004)", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    package = tmp_path / "site" / "vllm"
    (package / "lora").mkdir(parents=True)
    (package / "__init__.py").write_text(VLLM.replace("{ids}", repr(ids)))
    (package / "lora" / "__init__.py").write_text("")
    (package / "lora" / "request.py").write_text("def LoRARequest(*arguments): return arguments\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield lambda: sys.modules["vllm"].calls
    for name in ("vllm", "vllm.lora", "vllm.lora.request"):
        sys.modules.pop(name, None)


def test_vllm_is_told_everything_and_inherits_nothing(main, run, vllm):
    settings = ["--vllm-gpu-memory-utilization", 0.5, "--vllm-max-model-length", 300]
    how = ["--eval-engine", "vllm", "--eval-decoding", "sampled", "--eval-samples", 2, *settings]
    outcome = main("eval", run, *how)
    assert (outcome.status, outcome.err) == (0, "")
    engine, generated = vllm()

    base = yaml.safe_load((run / "config.yaml").read_text())["model"]["model"]
    assert engine[1]["model"] == base
    assert engine[1]["dtype"] == "float32"  # its auto would round
    assert (engine[1]["enable_lora"], engine[1]["max_lora_rank"]) == (True, 8)
    assert engine[1]["generation_config"] == "vllm"
    assert engine[1]["gpu_memory_utilization"] == 0.5
    assert (engine[1]["max_model_len"], engine[1]["tensor_parallel_size"]) == (300, 1)
    how = generated[2]
    assert [(h["n"], h["temperature"], h["top_p"], h["top_k"], h["max_tokens"]) for h in how] == [
        (2, 1.0, 1.0, -1, 16)
    ] * 4
    assert len({h["seed"] for h in how}) == 4
    assert generated[3] == ("policy", 1, str(run / "policy"))

    results = read_results(run / "evaluation" / "policy-sampled.parquet")
    assert set(results.table.column("completion").to_pylist()) == {"Saw (2004)"}
    assert results.protocol == read_results(run / "evaluation" / "policy-sampled.parquet").protocol
    summary = json.loads((run / "evaluation" / "policy-sampled.json").read_text(encoding="utf-8"))
    assert summary["engine"] == "vllm"


def test_vllm_reads_the_prompts_as_transformers_does(main, run, vllm, world):
    from saferec_core.config.sections import ModelConfig
    from saferec_core.models.context import render
    from saferec_core.models.loading import load_tokenizer

    assert main("eval", run, "--eval-engine", "vllm", "--eval-prompts", 1).status == 0
    _, generated = vllm()
    [row] = read_results(run / "evaluation" / "policy-greedy.parquet").table.to_pylist()
    tokenizer = load_tokenizer(str(world / "model"), ModelConfig())

    expected = tokenizer(render(tokenizer, row["prompt"]), add_special_tokens=False)["input_ids"]
    assert generated[1] == [expected]
    assert generated[2][0]["temperature"] == 0
