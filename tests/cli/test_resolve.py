"""Layers of settings, laid over one another."""

import yaml

from saferec_cli.resolve import resolve
from saferec_core.config.load import Layer
from saferec_core.config.schema import SftConfig


def test_what_a_resumed_run_was_called_is_not_judged(tmp_path):
    run = tmp_path / "elsewhere"
    run.mkdir()
    (run / "manifest.json").write_text('{"stage": "sft"}', encoding="utf-8")
    stored = {"run_name": "../elsewhere", "model": {"model": "some/model"}, "seed": 5}
    (run / "config.yaml").write_text(yaml.safe_dump(stored), encoding="utf-8")

    request = resolve(SftConfig, None, [Layer("--resume-from", {"resume_from": str(run)})], ())

    assert (request.resolved.config.seed, request.resolved.config.run_name) == (5, None)

    request = resolve(SftConfig, run / "config.yaml", [], (), of_run=True)

    assert (request.resolved.config.seed, request.resolved.config.run_name) == (5, None)
