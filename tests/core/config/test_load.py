"""Configurations in layers."""

import pytest
import yaml

from saferec_core.config.load import Layer, resolved
from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.config.settings import as_yaml, read_settings
from saferec_core.errors import ConfigError


def validated(kind, *, files=(), overrides=()):
    return resolved(
        kind,
        files=[Layer("", settings) for settings in files],
        overrides=[Layer("", settings) for settings in overrides],
    ).checked()


def test_a_file_that_names_rewards_names_all_of_them_and_an_override_changes_one():
    file = {"rewards": {"relevance": {"weight": 2}, "count": {}}}
    override = {"rewards": {"count": {"weight": 3}}}
    config = validated(TrainConfig, files=[file], overrides=[override])

    assert {name: choice.weight for name, choice in config.rewards.items()} == {"relevance": 2, "count": 3}


def test_an_override_alone_changes_one_of_the_default_rewards():
    config = validated(TrainConfig, overrides=[{"rewards": {"count": {"weight": 3}}}])

    assert {name: choice.weight for name, choice in config.rewards.items()} == {
        "relevance": 1,
        "safety": 1,
        "count": 3,
    }


def test_a_later_file_with_rewards_replaces_those_of_an_earlier_one():
    files = [{"rewards": {"safety": {}}}, {"rewards": {"count": {}}}]

    assert list(validated(TrainConfig, files=files).rewards) == ["count"]


def test_every_problem_is_told_with_its_whole_path_and_what_came():
    with pytest.raises(ConfigError) as error:
        validated(TrainConfig, files=[{"model": {"lora_r": 0}, "seed": "x", "rolout": {}}])

    heading, *lines = map(str.strip, str(error.value).splitlines())
    assert heading == "3 problems in the configuration"
    assert len(lines) == 3
    assert any(line.startswith("model.lora_r: ") and line.endswith("but got 0") for line in lines)
    assert any(line.startswith("seed: ") and line.endswith("but got 'x'") for line in lines)
    assert any("unknown key 'rolout'. Did you mean 'rollout'" in line for line in lines)


def test_an_unknown_key_of_a_section_is_told_with_the_keys_that_are_there():
    with pytest.raises(ConfigError, match=r"unknown key 'model\.lora_rank'.*Keys here:.*lora_r,"):
        validated(SftConfig, files=[{"model": {"lora_rank": 8}}])


def test_an_unknown_key_deep_in_a_stage_is_told_with_its_whole_path():
    with pytest.raises(ConfigError, match=r"unknown key 'sft\.optimization\.max_step'.*'max_steps'"):
        validated(TrainConfig, files=[{"sft": {"optimization": {"max_step": 1}}}])


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1])
def test_a_weight_that_is_no_weight_is_refused(value):
    with pytest.raises(ConfigError, match=r"rewards\.safety\.weight"):
        validated(TrainConfig, overrides=[{"rewards": {"safety": {"weight": value}}}])


@pytest.mark.parametrize("steps", [0, -2])
def test_a_number_of_steps_is_positive_or_minus_one(steps):
    with pytest.raises(ConfigError, match="max_steps"):
        validated(TrainConfig, overrides=[{"optimization": {"max_steps": steps}}])
    assert validated(TrainConfig, overrides=[{"optimization": {"max_steps": -1}}])


def test_a_configuration_is_never_changed():
    with pytest.raises(ValueError, match="frozen"):
        TrainConfig().seed = 1


@pytest.mark.parametrize("kind", [TrainConfig, SftConfig])
def test_every_default_is_written_out_and_read_back(kind):
    text = as_yaml(kind())

    assert validated(kind, files=[yaml.safe_load(text)]) == kind()
    assert yaml.safe_load(text)["optimization"]["max_grad_norm"] == 1.0


def test_no_means_no_without_quotes_too(tmp_path):
    path = tmp_path / "sft.yaml"
    path.write_text("eval_strategy: no\nlogging: {save_strategy: no}\n", encoding="utf-8")

    config = validated(SftConfig, files=[read_settings(path)])
    assert (config.eval_strategy, config.logging.save_strategy) == ("no", "no")

    with pytest.raises(ConfigError, match="'no', 'steps' or 'epoch'"):
        validated(SftConfig, overrides=[{"eval_strategy": True}])


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"seed": {"base_url": "SECRET"}}, "seed: .*, but got a mapping"),
        ({"seed": ["SECRET"]}, "seed: .*, but got a list"),
        ({"seed": "http://me:SECRET@h"}, "seed: .*integer.*"),
    ],
)
def test_of_a_wrong_value_only_a_scalar_without_address_is_printed(settings, line):
    with pytest.raises(ConfigError, match=line) as error:
        validated(TrainConfig, files=[settings])

    assert "SECRET" not in str(error.value)


@pytest.mark.parametrize("truncation", [{"top_p": 0.9}, {"top_k": 50}], ids=["top_p", "top_k"])
def test_sampling_by_vllm_from_a_truncated_distribution_is_refused_with_the_reason(truncation):
    with pytest.raises(ConfigError, match=r"rollout.*use_vllm needs top_p = 1 and top_k = 0.*ratios.*biased"):
        validated(TrainConfig, overrides=[{"rollout": {"use_vllm": True, **truncation}}])
    assert validated(TrainConfig, overrides=[{"rollout": truncation}]).rollout.use_vllm is False


def test_options_of_a_component_do_not_survive_the_choice_of_another():
    files = [
        Layer(
            "demo",
            {"oracle": {"name": "table", "path": "risks.jsonl"}, "data": {"parser": {"name": "a", "x": 1}}},
        )
    ]
    flags = [
        Layer("--oracle-limit", {"oracle": {"limit": 3}}),
        Layer("--oracle", {"oracle": {"name": "limits"}}),
        Layer("--parser", {"data": {"parser": {"name": "b"}}}),
    ]
    config = resolved(TrainConfig, files=files, overrides=flags)

    assert config.config.oracle.options == {"limit": 3}
    assert config.config.data.parser.options == {}
    assert config.origin("oracle.name") == "--oracle"


def test_a_value_that_takes_the_place_of_a_number_is_refused_with_its_own_origin():
    files = [Layer("demo", {"seed": 0})]

    problems = resolved(
        TrainConfig, files=files, overrides=[Layer("--set seed.x", {"seed": {"x": 3}})]
    ).problems

    assert [problem.rpartition(" (")[2] for problem in problems] == ["from --set seed.x)"]


def test_options_of_a_component_stay_where_its_name_is_repeated():
    files = [Layer("a.yaml", {"normalizer": {"name": "gdpo", "bounded": False}})]
    same = resolved(
        TrainConfig, files=files, overrides=[Layer("--normalizer", {"normalizer": {"name": "gdpo"}})]
    )
    other = resolved(
        TrainConfig, files=files, overrides=[Layer("--normalizer", {"normalizer": {"name": "grpo"}})]
    )

    assert same.config.normalizer.options == {"bounded": False}
    assert other.config.normalizer.options == {}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param("..", "a folder inside output_dir", id="the folder above"),
        pytest.param("a/../../b", "a folder inside output_dir", id="through the folder above"),
        pytest.param("/runs/a", "a folder inside output_dir", id="an absolute path"),
        pytest.param(".", "a folder inside output_dir", id="output_dir itself"),
        pytest.param("a\nb", "control characters", id="a line break"),
        pytest.param("a\udcff", "control characters", id="bytes that are not text"),
        pytest.param("ä" * 120, "at most 230 bytes, but has 240", id="too long"),
    ],
)
def test_a_run_name_that_is_not_a_folder_of_the_runs_is_refused(name, problem):
    with pytest.raises(ConfigError, match=f"run_name.*{problem}"):
        validated(SftConfig, overrides=[{"run_name": name}])


@pytest.mark.parametrize("name", ["", "ä ö", "-x", "sweep/seed-1", None])
def test_a_run_may_have_any_other_name(name):
    assert validated(SftConfig, overrides=[{"run_name": name}]).run_name == name
