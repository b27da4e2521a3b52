"""A single value where a list is expected."""

from typing import Annotated, Any, Literal

import pytest

from saferec_core.config.choices import ComponentChoice
from saferec_core.config.lists import with_lists
from saferec_core.config.load import Layer, resolved
from saferec_core.config.schema import EvalConfig, SftConfig, TrainConfig
from saferec_core.config.settings import parse_setting
from saferec_core.plugins.build import chosen

SCALARS = {
    "model.lora_target_modules": ("q_proj, v_proj", ["q_proj", "v_proj"]),
    "logging.report_to": ("wandb", ["wandb"]),
    "evaluation.eval_at": (3, [3]),
    "evaluation.eval_decoding": ("greedy,sampled", ["greedy", "sampled"]),
    "evaluation.eval_metrics": ("recall", ["recall"]),
    "evaluation.eval_traits": ("gore", ["gore"]),
    "limits.limit": ("wasted<=0.01", ["wasted<=0.01"]),
    "alarms.ignore_alarm": ("kl", ["kl"]),
}


def value_at(config, path):
    for part in path.split("."):
        config = getattr(config, part)
    return config


@pytest.mark.parametrize("path", SCALARS, ids=SCALARS)
def test_a_single_value_of_a_file_or_of_set_is_a_list_of_one(path):
    value, wanted = SCALARS[path]
    nested = parse_setting(f"{path}={value}")

    from_file = resolved(TrainConfig, files=[Layer("run.yaml", nested)]).checked()
    from_set = resolved(TrainConfig, overrides=[Layer("--set", nested)]).checked()

    assert value_at(from_file, path) == value_at(from_set, path) == wanted


def test_these_are_all_list_settings_but_the_transforms():
    def lists(section, prefix=""):
        for name, field in section.model_fields.items():
            if hasattr(field.annotation, "model_fields"):
                yield from lists(field.annotation, f"{prefix}{name}.")
            elif "list[" in str(field.annotation):
                yield f"{prefix}{name}"

    assert {path for kind in (TrainConfig, SftConfig, EvalConfig) for path in lists(kind)} == {
        *SCALARS,
        "data.transforms",
    }


@pytest.mark.parametrize("value", ["two", True, None, {"a": 1}, 0.5, ["two"]], ids=repr)
def test_what_no_entry_can_be_is_refused_together_with_all_else_that_is_wrong(value):
    settings = {"evaluation": {"eval_at": value, "eval_top_p": 7}}
    request = resolved(TrainConfig, overrides=[Layer("run.yaml", settings)])

    assert sorted(problem.split(":")[0].removesuffix(".0") for problem in request.problems) == [
        "evaluation.eval_at",
        "evaluation.eval_top_p",
    ]
    assert request.config.evaluation.eval_at == [5, 10]


def test_an_option_of_a_component_follows_the_same_rule(plugins):
    def keep(value):
        choice = ComponentChoice.model_validate({"name": "to-dataset", "keep": value})
        return chosen(plugins, plugins.transforms, choice).keep

    assert keep("year, genre") == keep(["year", "genre"]) == ["year", "genre"]
    assert keep("year") == ["year"]


def test_only_lists_are_touched_and_what_takes_text_as_well_decides_by_itself():
    kinds = {
        "text": str,
        "either": str | list[str],
        "optional": list[str] | None,
        "annotated": Annotated[tuple[int, ...], "few"],
        "mapping": dict[str, Any],
        "word": Literal["a,b"],
    }

    text = dict.fromkeys([*kinds, "unknown"], "a,b")

    assert with_lists(text, kinds) == {**text, "optional": ["a", "b"], "annotated": ["a", "b"]}
    assert with_lists({"optional": ["a,b"], "annotated": None}, kinds) == {
        "optional": ["a,b"],
        "annotated": None,
    }
