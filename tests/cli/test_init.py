"""``saferec init``: a commented configuration that is accepted as it is."""

import json
import re

import pytest
import yaml

KINDS = ["train", "sft", "eval", "data", "oracle"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("full", [(), ("--full",)], ids=["short", "full"])
def test_the_file_is_yaml_with_a_comment_for_every_key(main, tmp_path, kind, full):
    outcome = main("init", kind, *full)
    assert (outcome.status, outcome.err) == (0, "")

    text = (tmp_path / f"{kind}.yaml").read_text(encoding="utf-8")
    assert isinstance(yaml.safe_load(text), dict)
    assert text.splitlines()[0].startswith("# Use with: saferec ")
    assert f"{kind}.yaml" in outcome.out


@pytest.mark.parametrize(("kind", "command"), [("train", ("plan",)), ("sft", ("sft", "--dry-run"))])
def test_only_files_are_missing_from_a_configuration_for_training(main, monkeypatch, kind, command):
    monkeypatch.delenv("HF_HUB_OFFLINE")  # with it, the model would be missing as well
    main("init", kind, "--full")
    outcome = main(command[0], f"{kind}.yaml", *command[1:], "--json", "--optim", "adamw_torch")

    plan = json.loads(outcome.out)
    assert all("does not exist" in problem for problem in plan["problems"]), plan["problems"]
    assert plan["settings"]["model.model"]["origin"] == f"{kind}.yaml"


@pytest.mark.parametrize("kind", ["train", "sft", "eval"])
def test_a_key_that_is_uncommented_is_accepted(main, tmp_path, kind):
    main("init", kind, "--full")
    file = tmp_path / f"{kind}.yaml"
    text = re.sub(r"^( *)#(?=\w)", r"\1", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    file.write_text(text, encoding="utf-8")
    command = ("eval", "./nothing", "--config") if kind == "eval" else (kind,)
    outcome = main(*command, f"{kind}.yaml", *(() if kind == "eval" else ("--dry-run",)))

    assert "unknown key" not in outcome.err + outcome.out
    assert "Input should be" not in outcome.err + outcome.out


def test_a_file_of_the_users_is_not_overwritten(main, tmp_path):
    (tmp_path / "train.yaml").write_text("mine")
    outcome = main("init", "train")

    assert outcome.status == 2
    assert "train.yaml already exists" in outcome.err
    assert (tmp_path / "train.yaml").read_text() == "mine"
