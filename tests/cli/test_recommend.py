"""``saferec recommend`` as a user types it."""

import json

import pytest


@pytest.fixture
def named(world):
    paths = ("--catalog-path", world / "catalog.jsonl", "--oracle-path", world / "oracle.jsonl")
    return ("recommend", world / "model", *paths)


@pytest.fixture
def trait(world):
    with (world / "test.jsonl").open(encoding="utf-8") as file:
        return json.loads(file.readline())["constraints"][0]


def test_a_wish_gets_a_table_with_a_verdict_for_each_title(main, named, trait):
    done = main(*named, "--prompt", "Something funny", "--constraint", trait, "-k", 3)

    assert done.status == 0, done.err
    rows = [line for line in done.out.splitlines() if line.strip()[:1].isdigit()]
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert all(" safe " in row or " unknown " in row for row in rows)


def test_as_json_every_title_comes_with_its_evidence(main, named, trait):
    done = main(*named, "--prompt", "Something funny", "--constraint", trait, "-k", 2, "--json")

    stored = json.loads(done.out)
    assert [title["rank"] for title in stored["titles"]] == [1, 2]
    assert all(title["violated"] == [] for title in stored["titles"])
    assert any(title["evidence"] for title in stored["titles"])
    assert stored["constraints"] == [trait]


def test_a_list_is_as_long_as_those_that_the_run_is_judged_by_or_as_asked(main, named, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("num_ranks: 3\n", encoding="utf-8")

    def ranks(*flags):
        shown = json.loads(main(*named, "--prompt", "Something funny", "--json", *flags).out)
        return [title["rank"] for title in shown["titles"]][-1]

    assert ranks("--run", run) == 3
    assert ranks("--run", run, "-k", 4) == 4
    assert ranks() == 10


def test_a_seen_title_does_not_come_back(main, named):
    first = json.loads(main(*named, "--prompt", "Something funny", "-k", 1, "--json").out)["titles"][0]
    name = f"{first['title']} ({first['year']})"

    again = json.loads(main(*named, "--prompt", "Something funny", "--seen", name, "-k", 5, "--json").out)

    assert first["title"] not in [title["title"] for title in again["titles"]]


def test_everything_that_is_wrong_with_the_arguments_is_said_at_once(main, named, tmp_path):
    done = main(*named, "--input", tmp_path / "none.jsonl", "--prompt", "x", "--unknown", "maybe")

    assert done.status == 2
    for part in ("--unknown must be allow or forbid", "--input and --out go together", "does not exist"):
        assert part in done.err


def test_an_unknown_constraint_and_an_empty_wish_are_errors(main, named, trait):
    unknown = main(*named, "--prompt", "x", "--constraint", trait[:-1])
    empty = main(*named, "--prompt", " ")

    assert (unknown.status, empty.status) == (2, 2)
    assert "Did you mean" in unknown.err
    assert "the wish is empty" in empty.err


def test_a_file_of_wishes_gets_a_list_each(main, named, tmp_path):
    source, out = tmp_path / "wishes.jsonl", tmp_path / "lists.jsonl"
    source.write_text('{"prompt": "A comedy"}\n{"prompt": 7}\n', encoding="utf-8")

    done = main(*named, "--input", source, "--out", out, "-k", 2)

    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert done.status == 0, done.err
    assert "1 list; 1 row could not be read" in done.out
    assert len(lines[0]["titles"]) == 2
    assert "prompt" in lines[1]["error"]


def test_lists_of_another_oracle_or_catalog_are_not_taken_for_done(main, named, world, tmp_path):
    source, out = tmp_path / "wishes.jsonl", tmp_path / "lists.jsonl"
    source.write_text('{"prompt": "A comedy"}\n', encoding="utf-8")
    asked = (*named, "--input", source, "--out", out, "-k", 2)
    assert main(*asked).status == 0
    assert "1 row done before" in main(*asked).out

    lines = (world / "oracle.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "oracle.jsonl").write_text("".join(lines[:-1]), encoding="utf-8")
    lines = (world / "catalog.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "catalog.jsonl").write_text("".join(lines[:-1]), encoding="utf-8")
    for other in (
        ("--oracle-path", tmp_path / "oracle.jsonl"),
        ("--catalog-path", tmp_path / "catalog.jsonl"),
    ):
        done = main(*asked, *other)

        assert done.status == 2
        assert "was made of another input, policy, catalog, oracle or settings" in done.err


def test_reasoning_in_front_is_free_and_the_list_behind_the_marker_is_guided(main, named, trait):
    reasoned = ("--set", "data.list_marker=<solution>", "--set", "max_completion_length=60", "--json")
    reasoned += ("--instruction", "none")
    done = main(*named, "--prompt", "Something funny", "--constraint", trait, "-k", 3, *reasoned)

    assert (done.status, done.err) == (0, "")
    answer = json.loads(done.out)
    reasoning, marker, behind = answer["completion"].partition("<solution>")
    assert reasoning.strip()
    assert marker
    assert len(behind.strip().splitlines()) == 3 == len(answer["titles"])
    assert {title["verdict"] for title in answer["titles"]} <= {"safe", "unknown"}


def test_reasoning_without_room_is_refused(main, named):
    tight = ("--set", "data.list_marker=<solution>", "--set", "max_completion_length=8")
    done = main(*named, "--prompt", "Something funny", *tight)

    assert done.status == 2
    assert "max_completion_length = 8 leaves no room for reasoning before '<solution>'" in done.err


def test_popularity_recommends_without_a_model_what_the_user_may_be_shown(main, tiny, world, trait):
    named = ("recommend", "popularity", "--set", f"data.train_path={tiny / 'train.jsonl'}")
    paths = ("--catalog-path", world / "catalog.jsonl", "--oracle-path", world / "oracle.jsonl")
    wish = ("--prompt", "Anything", "--constraint", trait, "-k", 3, "--json")
    titles = json.loads(main(*named, *paths, *wish).out)["titles"]

    assert [title["verdict"] in {"safe", "unknown"} for title in titles] == [True] * 3
    free = json.loads(main(*named, *paths, *wish, "--free").out)["titles"]
    assert len(free) == 3


@pytest.mark.parametrize(
    ("command", "near"),
    [("recommend", "popularity"), ("serve", "popularity"), ("eval", "baseline popularity")],
)
def test_a_baseline_that_is_misspelled_is_not_looked_for_on_the_hub(main, tiny, world, command, near):
    done = main(command, "populrity", "--set", f"data.catalog_path={world / 'catalog.jsonl'}")

    assert done.status == 2
    assert near in done.err
    assert "hub cache" not in done.err


@pytest.mark.parametrize(
    "name", ["my policy", "a--b", "checkpoint-20.", ""], ids=["space", "hyphens", "dot at the end", "empty"]
)
def test_a_name_that_nothing_can_have_is_an_error_and_no_crash(main, world, name):
    done = main("eval", name, "--set", f"data.catalog_path={world / 'catalog.jsonl'}")

    assert done.status == 2
    assert "POLICY" in done.err


def test_a_baseline_without_training_records_is_refused(main, world):
    done = main("recommend", "popularity", "--catalog-path", world / "catalog.jsonl", "--prompt", "Hi")

    assert done.status == 2
    assert "popularity needs training records; name a run that has them with --run RUN" in done.err
