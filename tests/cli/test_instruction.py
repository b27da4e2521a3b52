"""A policy is asked as it was trained: with the instruction and the sentences of its training records."""

import json
import shutil
from itertools import takewhile

import pytest
import yaml

GORE = "Anti-gore / squeamish"
INSTRUCTION = "Please recommend 5 movies."


@pytest.fixture
def samples(tiny, tmp_path):
    """Samples, and the chain that makes records of them with an instruction and constraints in words."""
    with (tiny / "train.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for number, row in enumerate(rows):
        row |= {"prompt": [{"role": "user", "content": f"I liked film {number}"}], "constraints": [GORE]}
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    steps = [
        {"name": "inject-constraints", "wording": "explicit", "position": "after"},
        {"name": "to-dataset", "system": INSTRUCTION, "train": 0.5, "validation": 0, "test": 0.5},
    ]
    chain = {"input": "samples.jsonl", "output": "dataset", "form": "jsonl", "steps": steps}
    (tmp_path / "chain.yaml").write_text(yaml.safe_dump(chain), encoding="utf-8")
    return rows


@pytest.fixture
def tokens(monkeypatch):
    """The tokens of prompts: as the trainer learned from them, and as the policy was asked."""
    import torch
    from transformers import GenerationMixin, Trainer

    read = {"trained": [], "asked": []}
    train, generate = Trainer.train, GenerationMixin.generate

    def training(trainer, *arguments, **options):
        for row in trainer.train_dataset:
            carry_no_loss = takewhile(lambda label: label == -100, row["labels"])
            read["trained"].append(list(row["input_ids"][: len([*carry_no_loss])]))
        return train(trainer, *arguments, **options)

    def generating(model, *arguments, input_ids, attention_mask, **options):
        for ids, mask in zip(input_ids, attention_mask, strict=True):
            read["asked"].append(ids[mask.to(torch.bool)].tolist())
        return generate(model, *arguments, input_ids=input_ids, attention_mask=attention_mask, **options)

    monkeypatch.setattr(Trainer, "train", training)
    monkeypatch.setattr(GenerationMixin, "generate", generating)
    return read


@pytest.fixture
def trained(main, tiny, world, samples, tokens, tmp_path):
    """A run of Safe SFT on such records."""
    built = main("data", "build", tmp_path / "chain.yaml")
    assert built.status == 0, built.err
    done = main(
        *("sft", "--model", world / "model", "--train-path", "dataset/train.jsonl", "--max-steps", 1),
        *("--catalog-path", tiny / "catalog.jsonl", "--oracle-path", tiny / "oracle.jsonl"),
        *("--eval-at", 5, "--num-ranks", 5, "--max-completion-length", 16, "--run-name", "sft"),
        *("--learning-rate", "1e-3", "--optim", "adamw_torch"),
    )
    assert done.status == 0, done.err
    return tmp_path / "runs" / "sft"


def asked_last(tokens):
    return tokens["asked"][-1]


def test_a_wish_is_token_for_token_a_prompt_of_the_training_records(main, trained, tokens, tmp_path):
    lines = (tmp_path / "dataset" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    sentence = json.loads((trained / "manifest.json").read_text())["prompts"]["sentences"][GORE]
    record = next(one for one in records if sentence == one["constraints_stated"][0]["sentence"])
    wish = record["prompt"][-1]["content"].removesuffix(sentence).strip(" .")

    done = main("recommend", trained, "--prompt", wish, "--constraint", GORE, "-k", 2, "--json")

    assert done.status == 0, done.err
    assert done.err == ""
    assert json.loads(done.out)["prompt"] == record["prompt"]
    assert record["prompt"][0] == {"role": "system", "content": INSTRUCTION}
    assert asked_last(tokens) in tokens["trained"]
    assert asked_last(tokens) == tokens["trained"][records.index(record)]


def test_rows_of_a_file_get_it_too_and_a_system_message_of_their_own_stays(main, trained, tokens, tmp_path):
    own = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A comedy"}]
    rows = [{"prompt": "A comedy"}, {"prompt": own}]
    source = tmp_path / "wishes.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def asked(out, *flags):
        tokens["asked"].clear()
        done = main("recommend", trained, "--input", source, "--out", out, "-k", 2, *flags)
        assert done.status == 0, done.err
        return [*tokens["asked"]]

    kept = asked("kept.jsonl")
    bare = asked("bare.jsonl", "--instruction", "none")

    other = main(
        "recommend", trained, "--input", source, "--out", "kept.jsonl", "--instruction", "none", "-k", 2
    )
    assert sum(ids in bare for ids in kept) == 1  # the one with words of its own
    assert sum(map(len, kept)) > sum(map(len, bare))
    assert other.status == 2
    assert "made of another input, policy, catalog, oracle or settings" in other.err


def test_held_out_prompts_without_it_get_it_in_an_evaluation(main, trained, tokens, tmp_path):
    lines = (tmp_path / "dataset" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    bare = [row | {"prompt": row["prompt"][1:]} for row in rows]
    for name, content in (("whole", rows), ("bare", bare), ("mixed", [*rows[:1], *bare[1:]])):
        text = "".join(json.dumps(row) + "\n" for row in content)
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")

    def evaluated(name, *flags):
        tokens["asked"].clear()
        done = main("eval", trained, "--test-path", tmp_path / f"{name}.jsonl", "--out", name, *flags)
        assert done.status == 0, done.err
        return sorted(tokens["asked"]), done.out

    (whole, quiet), (added, loud) = evaluated("whole"), evaluated("bare")
    without, _ = evaluated("mixed", "--instruction", "none")
    number = len(rows)

    assert whole == added != without
    assert f"put in front of {number} of {number} held-out prompts" in " ".join(loud.split())
    assert "held-out prompts, which have none" not in " ".join(quiet.split())


def test_a_run_that_does_not_know_its_instruction_says_so_until_one_is_given(main, trained, tmp_path):
    older, alone = tmp_path / "older", tmp_path / "alone"
    shutil.copytree(trained, older)
    manifest = json.loads((older / "manifest.json").read_text())
    del manifest["prompts"]
    (older / "manifest.json").write_text(json.dumps(manifest))
    shutil.copytree(trained / "policy", alone)
    catalog = ("--catalog-path", tmp_path / "catalog.jsonl")
    shutil.copy(yaml.safe_load((trained / "config.yaml").read_text())["data"]["catalog_path"], catalog[1])

    def asked(*arguments):
        done = main("recommend", *arguments, "--prompt", "A comedy", "-k", 2, "--json")
        assert done.status == 0, done.err
        return json.loads(done.out)["prompt"], " ".join(done.err.split())

    bare = [{"role": "user", "content": "A comedy"}]
    prompt, note = asked(older)
    assert prompt == bare
    assert "older does not record what its training prompts begin with" in note
    assert "--instruction TEXT" in note
    assert "alone does not lie in a run" in asked(alone, *catalog)[1]
    assert asked(alone, *catalog, "--instruction", "none") == (bare, "")
    given = [{"role": "system", "content": "Be safe."}, *bare]
    assert asked(older, "--instruction", "Be safe.") == (given, "")
    assert asked(alone, "--run", trained)[0][0]["content"] == INSTRUCTION


def test_a_run_that_is_resumed_keeps_the_form_of_its_prompts(main, trained, tmp_path):
    known = json.loads((trained / "manifest.json").read_text())["prompts"]

    done = main("sft", "--resume-from", trained)

    assert done.status == 0, done.err
    assert json.loads((trained / "manifest.json").read_text())["prompts"] == known
    assert known["instruction"] == INSTRUCTION
