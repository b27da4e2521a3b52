"""``saferec doctor``."""

from __future__ import annotations

import json

import pytest

from saferec_core.doctor import machine
from saferec_core.doctor.machine import examine_folder
from saferec_core.runs import versions

pytestmark = pytest.mark.slow


def test_a_sound_installation_is_healthy_and_its_gradient_is_that_of_the_paper(main, tmp_path):
    outcome = main("doctor", "--output-dir", tmp_path / "runs", "--json")

    report = json.loads(outcome.out)
    problems = [finding for finding in report["findings"] if finding["status"] == "problem"]
    assert (outcome.status, report["healthy"], problems) == (0, True, [])
    topics = {finding["topic"]: finding for finding in report["findings"]}
    assert {"torch", "trl", "vllm", "GPU", "threads", "run folders", "cache of models"} <= topics.keys()
    assert topics["gradient of Safe-Rank-GRPO"]["status"] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_gradient_an_old_package_and_a_folder_that_cannot_be_written_are_problems(
    main, tmp_path, monkeypatch
):
    from saferec_core.training.trl import self_check

    loss, version = self_check.rank_grpo_loss, versions.version
    monkeypatch.setattr(
        self_check, "rank_grpo_loss", lambda *inputs, **options: 1.01 * loss(*inputs, **options)
    )
    monkeypatch.setattr(versions, "version", lambda name: "3.1.0" if name == "jinja2" else version(name))
    (tmp_path / "file").write_text("", encoding="utf-8")
    outcome = main("doctor", "--output-dir", tmp_path / "file" / "runs")

    assert outcome.status == 1
    lines = outcome.out.splitlines()
    assert "problem jinja2: jinja2 3.1.0 is installed, but saferec supports >=3.1.6" in lines
    assert any(line.startswith(f"problem run folders: {tmp_path / 'file' / 'runs'} cannot") for line in lines)
    assert any(line.startswith("problem gradient of Safe-Rank-GRPO: differs") for line in lines)
    assert lines[-1] == "3 problems"


def test_little_space_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_LITTLE_SPACE", 1 << 60)

    [finding] = examine_folder("run folders", tmp_path / "not yet made")

    assert finding.status == "warning"
