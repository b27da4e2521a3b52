"""``saferec data show``: what the policy will read, before it is trained."""

import json

import yaml


def test_a_record_is_shown_with_its_tokens_and_the_verdicts_on_its_target(main, tiny, world, tmp_path):
    row = json.loads((tiny / "train.jsonl").read_text(encoding="utf-8").splitlines()[1])
    trait = row["constraints"][0]
    judged = [json.loads(line) for line in (tiny / "oracle.jsonl").read_text(encoding="utf-8").splitlines()]
    bad, fine = (
        next(title for title in judged if (title["risk"].get(trait, 0) >= 0.66) == violates)
        for violates in (True, False)
    )
    target = [f"{title['title']} ({title['year']})" for title in (fine, bad)]
    row["completion"][0]["content"] = "\n".join(target)
    row["constraints"] = [trait]
    path = tmp_path / "train.jsonl"
    path.write_text(f"{{}}\n{json.dumps(row)}\n", encoding="utf-8")

    done = main(
        "data",
        *("show", path, "--model", world / "model", "--row", "2", "--json"),
        *("--catalog-path", tiny / "catalog.jsonl", "--oracle-path", tiny / "oracle.jsonl"),
    )
    shown = json.loads(done.out)

    assert (done.status, done.err) == (0, "")
    assert shown["row"] == 2
    assert row["prompt"][-1]["content"] in shown["prompt"]
    assert shown["completion"].startswith(row["completion"][0]["content"])
    assert shown["completion_tokens"] == len(shown["tokens_with_loss"]) > 0
    assert shown["constraints"] == [trait]
    assert [(title["rank"], title["verdict"], title["violated"]) for title in shown["titles"]] == [
        (1, "safe", []),
        (2, "violation", [trait]),
    ]
    assert all(title["in_catalog"] for title in shown["titles"])


def test_problems_are_listed_by_row_and_end_with_status_1(main, tiny, world, tmp_path):
    rows = [json.loads(line) for line in (tiny / "train.jsonl").read_text(encoding="utf-8").splitlines()[:3]]
    rows[1]["prompt"] = [*rows[1]["prompt"], {"role": "assistant", "content": "Hm."}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "not json\n", encoding="utf-8")

    done = main("data", "show", path, "--model", world / "model", "--problems", "--json")
    shown = json.loads(done.out)

    assert done.status == 1
    assert shown["rows"] == 4
    assert shown["problems"]["the prompt does not end with a turn of the user"] == [2]
    assert any(rows == [4] for rows in shown["problems"].values())


def test_a_row_that_does_not_exist_is_named(main, tiny, world):
    done = main("data", "show", tiny / "train.jsonl", "--model", world / "model", "--row", "99")

    assert (done.status, done.out) == (2, "")
    assert "train.jsonl has no row 99" in done.err


def test_a_prompt_over_the_limit_is_a_problem_of_the_first_records_in_every_training(main, tiny, tmp_path):
    of_sft = yaml.safe_load((tiny / "run.yaml").read_text(encoding="utf-8"))
    for of_train in ("rewards", "rollout", "run_name"):
        del of_sft[of_train]
    (tmp_path / "sft.yaml").write_text(yaml.safe_dump(of_sft), encoding="utf-8")
    for command, settings, limit, what in (
        (
            "train",
            tiny / "run.yaml",
            ("--max-prompt-length", 16),
            "the prompt exceeds the limit of 16 tokens",
        ),
        ("sft", "sft.yaml", ("--max-length", 40), "prompt and completion exceed the limit of 40 tokens"),
    ):
        done = main(command, settings, *limit, columns=500)
        printed = " ".join(f"{done.out} {done.err}".split())
        assert f"of the first 32 records of {tiny / 'train.jsonl'}: {what}" in printed, printed


def test_without_a_limit_the_models_context_is_the_limit(main, tiny, world, tmp_path):
    row = json.loads((tiny / "train.jsonl").read_text(encoding="utf-8").splitlines()[0])
    row["prompt"] = [{"role": "user", "content": "Something funny. " * 2000}]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")

    done = main("data", "show", path, "--model", world / "model", "--problems")
    context = json.loads((world / "model" / "config.json").read_text(encoding="utf-8"))[
        "max_position_embeddings"
    ]

    assert done.status == 1
    assert f"exceed the limit of {context} tokens" in " ".join(done.out.split())


def test_training_says_what_looks_wrong_with_its_first_records_and_how_to_see_all(main, tiny, tmp_path):
    rows = [json.loads(line) for line in (tiny / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    rows[1]["prompt"] = [{"role": "user", "content": "Hi"}, *rows[1]["prompt"][-1:]]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    done = main("train", tiny / "run.yaml", "--train-path", path, columns=500)
    printed = " ".join(done.out.split())

    assert done.status == 0
    assert f"In 1 of the first 32 records of {path}: two turns of the user follow each other" in printed
    assert f"saferec data show {path} --model " in printed
    assert done.out.count("of the first 32 records") == 1
