"""Checkpoints that are whole, and those that are not."""

import shutil

import pytest

from saferec_core.runs.checkpoints import TRAINING_STATE
from saferec_core.runs.sealing import SEAL, damage, newest_resumable, seal, sealed_facts, thin


def checkpoint(folder, step, *, sealed=True):
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights" * 1000)
    (path / "optimizer.pt").write_bytes(b"moments" * 1000)
    (path / "config.json").write_text("{}")
    if sealed:
        seal(path, {"step": step, "processes": 1, "logs": {}})
    return path


def flip(path):
    content = bytearray(path.read_bytes())
    content[3000] ^= 1
    path.write_bytes(content)


def test_a_sealed_checkpoint_is_whole_and_knows_what_it_was_sealed_with(tmp_path):
    path = checkpoint(tmp_path, 3)

    assert damage(path) == ""
    assert sealed_facts(path)["step"] == 3


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: flip(path / "model.safetensors"), "the content of model.safetensors has changed"),
        (
            lambda path: (path / "optimizer.pt").write_bytes(b"moments"),
            "optimizer.pt has 7 bytes instead of 7000",
        ),
        (lambda path: (path / "config.json").unlink(), "config.json is missing"),
        (lambda path: (path / SEAL).unlink(), "no readable saferec.json"),
        (lambda path: (path / SEAL).write_text('{"files": {"a'), "no readable saferec.json"),
        (lambda path: (path / SEAL).write_text("[]"), "no readable saferec.json"),
        (
            lambda path: (path / SEAL).write_text(
                '{"files": {"config.json": 2}, "logs": {}, "processes": 1}'
            ),
            "no readable saferec.json",
        ),
        (lambda path: (path / SEAL).write_text('{"files": {}}'), "no readable saferec.json"),
        (lambda path: (shutil.rmtree(path), path.write_text("")), "no readable saferec.json"),
    ],
    ids=[
        *("a bit flipped", "cut off", "file missing", "no seal", "seal cut off", "seal of another kind"),
        *("files described otherwise", "facts missing", "a file in its place"),
    ],
)
def test_every_kind_of_damage_is_named(tmp_path, harm, reason):
    path = checkpoint(tmp_path, 3)
    harm(path)

    assert reason in damage(path)


def test_a_damaged_checkpoint_is_passed_over_with_a_message_and_the_one_before_it_taken(tmp_path):
    good, bad = checkpoint(tmp_path, 2), checkpoint(tmp_path, 10)
    flip(bad / "model.safetensors")
    checkpoint(tmp_path, 11, sealed=False)
    reported = []

    assert newest_resumable(tmp_path, reported.append) == good
    assert ["checkpoint-11" in reported[0], "checkpoint-10" in reported[1]] == [True, True]


def test_that_no_checkpoint_is_left_is_said(tmp_path):
    checkpoint(tmp_path, 1, sealed=False)
    reported = []

    assert newest_resumable(tmp_path, reported.append) is None
    assert reported[1:] == [f"No checkpoint of {tmp_path} can be continued from, so the stage begins anew."]


def test_without_a_whole_checkpoint_there_is_none(tmp_path):
    assert newest_resumable(tmp_path / "nowhere", pytest.fail) is None


def test_a_thinned_checkpoint_keeps_its_weights_is_whole_and_cannot_be_continued_from(tmp_path):
    older, newer = checkpoint(tmp_path, 1), checkpoint(tmp_path, 2)
    thin(newer, TRAINING_STATE)

    assert sorted(path.name for path in newer.iterdir()) == ["config.json", "model.safetensors", SEAL]
    assert damage(newer) == ""
    assert newest_resumable(tmp_path, pytest.fail) == older
