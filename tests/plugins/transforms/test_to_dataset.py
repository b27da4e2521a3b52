"""Records in splits between which nothing leaks."""

import pickle
import random

import pytest

from saferec_core.errors import ConfigError, DataError
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.transform import Removed
from saferec_plugins.transforms.inject_constraints import InjectConstraints
from saferec_plugins.transforms.to_dataset import ToDataset


def sample(number, text=None, *, user=None, **columns):
    return {
        "id": f"s{number}",
        "user": user or f"u{number}",
        "prompt": [{"role": "user", "content": text or f"Something like number {number}?"}],
        "groundtruth_with_release_year": [["Up", 2009]],
        "seen_titles": [["Saw", 2004]],
        "constraints": ["squeamish"],
        **columns,
    }


def outcomes(rows, **options):
    """Survey the rows as the engine does, send the result to a worker, and transform them."""
    maker = pickle.loads(pickle.dumps(ToDataset(**options).survey(iter(rows))))  # noqa: S301
    return list(maker(iter(rows)))


def splits(rows, **options):
    return [
        outcome.reason if isinstance(outcome, Removed) else outcome["split"]
        for outcome in outcomes(rows, **options)
    ]


def test_it_is_registered_and_tells_its_options(plugins):
    made = build(plugins.transforms.get("to-dataset"), {"by": "time", "keep": ["note"]}, {"list_length": 5})

    assert (made.by, made.keep, made.list_length) == ("time", ["note"], 5)
    with pytest.raises(ConfigError, match="must sum to 1"):
        build(plugins.transforms.get("to-dataset"), {"train": 0.5})


def test_a_record_holds_the_columns_that_are_read_in_one_order():
    [record] = outcomes(
        [
            sample(
                1,
                split="test",
                time=86_400,
                traits_assigned={"why": "drawn"},
                note="kept",
                completion=[{"role": "assistant", "content": "Up (2009)"}],
                constraints_stated={"squeamish": "No gore."},
                groundtruth_removed=[{"title": "Saw", "year": 2004, "trait": "squeamish"}],
            )
        ],
        keep=["note", "missing"],
        system=None,
    )

    assert list(record) == [
        "id",
        "user",
        "time",
        "split",
        "prompt",
        "completion",
        "groundtruth_with_release_year",
        "seen_titles",
        "constraints",
        "constraints_stated",
        "groundtruth_removed",
        "note",
    ]
    assert record["split"] == "test"
    assert record["constraints_stated"] == [{"trait": "squeamish", "sentence": "No gore."}]


def test_the_instruction_goes_in_front_with_the_length_filled_in():
    [record] = outcomes([sample(1)], system="Name {count}, {please}.", list_length=7)

    assert record["prompt"][0] == {"role": "system", "content": "Name 7, {please}."}
    assert [message["role"] for message in record["prompt"]] == ["system", "user"]


def test_the_default_instruction_tells_number_and_format():
    [record] = outcomes([sample(1)], list_length=12)

    assert "exactly 12 " in record["prompt"][0]["content"]
    assert record["prompt"][0]["content"].endswith("Title (Year)")


def test_a_prompt_keeps_a_system_message_of_its_own():
    own = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A film?"}]

    [record] = outcomes([sample(1, prompt=own)])

    assert record["prompt"] == own


def test_a_sample_without_constraints_and_history_is_a_record_too():
    [record] = outcomes([sample(1, constraints=None, seen_titles=None)])

    assert (record["constraints"], record["seen_titles"]) == ([], [])


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"prompt": [{"role": "assistant", "content": "Hello"}]}, "must end with a turn of the user"),
        ({"prompt": [{"role": "user", "content": " "}]}, "the content of user is empty"),
        ({"prompt": [{"role": "bot", "content": "x"}]}, "a role must be"),
        ({"prompt": 5}, "expected a list of messages"),
        (
            {
                "prompt": [
                    {"role": "user", "content": "a"},
                    {"role": "system", "content": "b"},
                    {"role": "user", "content": "c"},
                ]
            },
            "can only be the first",
        ),
        ({"groundtruth_with_release_year": [["Saw", 2004]]}, "that is not in seen_titles, but all are"),
        ({"groundtruth_with_release_year": []}, "expected at least one title, but it is empty"),
        ({"groundtruth_with_release_year": [["Up", 9]]}, "the year of 'Up' is 9, but a list can"),
        (
            {"seen_titles": [["Up", 2**50]]},
            "the year of 'Up' must have at most four digits, but is 1125899906842624",
        ),
        ({"completion": [{"role": "user", "content": "Up (2009)"}]}, "expected words of the assistant"),
        ({"completion": [{"role": "assistant", "content": ""}]}, "expected words of the assistant"),
        ({"constraints": "squeamish"}, "constraints must be a list"),
        ({"constraints_stated": "no gore"}, "a sentence for each trait"),
        ({"time": "2020-01-01"}, "expected whole seconds since 1970"),
        ({"time": 10**18}, "expected whole seconds since 1970"),
        ({"split": "dev"}, "split must be train, validation or test"),
        ({"user": None}, "(user|column 'user')"),
        ({"user": None, "split": "test"}, "(user|column 'user')"),
        ({"prompt": "\ud800"}, "the record cannot be written"),
    ],
)
def test_what_could_not_be_trained_on_is_rejected(columns, complaint):
    rows = [{**sample(1), **columns}]
    maker = ToDataset().survey(iter(rows))

    with pytest.raises(DataError, match=complaint):
        list(maker(iter(rows)))


def test_ground_truth_keeps_a_year_that_is_not_known():
    rows = [{**sample(1), "groundtruth_with_release_year": [["Up", None], ["Coco", 2017]]}]

    [record] = [row for row in ToDataset().survey(iter(rows))(rows) if isinstance(row, dict)]

    assert record["groundtruth_with_release_year"] == [["Up", None], ["Coco", 2017]]


def test_all_samples_of_a_user_are_in_one_split():
    rows = [sample(n, user=f"u{n % 40}") for n in range(400)]

    dealt = {}
    for record in outcomes(rows):
        dealt.setdefault(record["user"], set()).add(record["split"])

    assert len(dealt) == 40
    assert all(len(of_user) == 1 for of_user in dealt.values())
    assert set().union(*dealt.values()) == {"train", "validation", "test"}


def test_by_time_the_latest_samples_are_the_test():
    rows = [sample(n, time=1000 + n) for n in range(10)]
    random.Random(4).shuffle(rows)

    records = sorted(outcomes(rows, by="time"), key=lambda record: record["time"])

    assert [record["split"] for record in records] == ["train"] * 8 + ["validation", "test"]


def test_rows_that_have_a_split_keep_it_and_only_the_others_are_dealt_out():
    rows = [sample(1, split="test"), sample(2), sample(3, split="validation")]

    assert splits(rows, train=1, validation=0, test=0) == ["test", "train", "validation"]


def test_neither_order_nor_neighbours_change_what_becomes_of_a_row():
    rows = [sample(n, f"text {n % 90}", user=f"u{n % 30}") for n in range(120)]
    shuffled = random.Random(1).sample(rows, len(rows))

    def by_id(of):
        maker = ToDataset(by="sample").survey(iter(of))
        return {row["id"]: next(iter(maker([row]))) for row in rows}

    assert by_id(rows) == by_id(shuffled)


@pytest.mark.parametrize(
    ("own", "becomes"),
    [
        (
            ("train", "validation", "test"),
            ["train", "same conversation in train", "same conversation in train"],
        ),
        (("test", "validation"), ["same conversation in validation", "validation"]),
        (("test", "test", "train"), ["same conversation in train", "same conversation in train", "train"]),
        (("train", "train"), ["train", "train"]),
    ],
)
def test_a_conversation_stays_in_the_first_of_its_splits(own, becomes):
    rows = [sample(n, "Something  like SAW!", split=split) for n, split in enumerate(own)]
    rows[0]["prompt"][0]["content"] = "something like\nSaw"

    assert splits(rows) == becomes


def test_another_turn_or_another_speaker_makes_another_conversation():
    first, second = sample(1, split="train"), sample(2, split="test")
    first["prompt"] = [{"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Saw?"}]
    second["prompt"] = [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Saw?"}]

    assert splits([first, second]) == ["train", "test"]


def test_a_conversation_stays_itself_whatever_constraints_are_put_in(tmp_path):
    own_traits = tmp_path / "traits.yaml"
    own_traits.write_text(
        "".join(
            f"{trait}:\n  about: No {trait}.\n  questions: [Is there {trait}?]\n"
            f"  explicit: ['Please leave out {trait}.']\n  implied: ['I get upset by {trait}']\n"
            for trait in ("gore", "drugs", "needles")
        )
    )
    text = "I loved Saw (2004). It was great. Anything like it"
    rows = [
        sample(n, text, split=("train", "test")[n > 0], constraints=["gore", "drugs", "needles"][: 1 + n % 3])
        for n in range(40)
    ]
    samples = [
        row for row in InjectConstraints(traits_path=own_traits, seed=3)(iter(rows)) if isinstance(row, dict)
    ]
    assert len({row["prompt"][-1]["content"] for row in samples}) > 20

    assert splits(samples) == ["train"] + ["same conversation in train"] * 39


def test_a_system_message_does_not_hide_that_a_conversation_is_the_same():
    asked = {"role": "user", "content": "A film?"}
    rows = [
        sample(1, split="train", prompt=[{"role": "system", "content": "Be brief."}, asked]),
        sample(2, split="validation", prompt=[asked]),
    ]

    assert splits(rows) == ["train", "same conversation in train"]


def test_a_row_that_is_rejected_does_not_push_out_its_copy():
    rows = [
        sample(1, "The same", split="train", groundtruth_with_release_year=[]),
        sample(2, "The same", split="test"),
    ]
    maker = ToDataset().survey(iter(rows))

    assert [row["split"] for row in maker(iter(rows[1:]))] == ["test"]


def test_a_removed_copy_tells_where_it_was():
    rows = [sample(1, "The same", split="train"), sample(2, "The same", split="test")]

    removed = outcomes(rows)[1]

    assert removed.row is rows[1]
    assert removed.evidence == {"split": "test"}


def test_a_user_in_two_splits_is_an_error_unless_that_is_meant():
    rows = [sample(1, user="ann", split="train"), sample(2, user="ann", split="test")]

    with pytest.raises(DataError, match=r"user 'ann' has samples in train and in test, but by = user"):
        ToDataset().survey(iter(rows))
    assert splits(rows, by="sample") == ["train", "test"]


def test_ground_truth_that_is_seen_is_taken_out():
    truth = [["Up", 2009], ["saw!", 2003], ["Jaws", 1975]]
    removed, record = outcomes([sample(1, groundtruth_with_release_year=truth)])

    assert record["groundtruth_with_release_year"] == [["Up", 2009], ["Jaws", 1975]]
    assert (removed.what, removed.times) == ("ground truth removed: seen", 1)


def test_a_dialogue_in_two_splits_is_an_error_by_sample():
    rows = [sample(1, id="d1#1", split="train"), sample(2, id="d1#2", split="test")]

    with pytest.raises(DataError, match=r"dialogue 'd1' has samples in train and in test, but by = sample"):
        ToDataset(by="sample").survey(iter(rows))


def test_prompts_without_words_are_compared_by_their_signs():
    rows = [
        sample(n, text, split=("train", "test")[n > 0]) for n, text in enumerate(["👻👻", "🚗🚗", "👻👻"])
    ]

    assert splits(rows) == ["train", "test", "same conversation in train"]


def test_a_split_that_begins_too_early_is_an_error_unless_that_is_meant():
    rows = [sample(1, time=86_400, split="train"), sample(2, time=86_399, split="validation")]

    with pytest.raises(DataError, match=r"train has a sample of 1970-01-02 00:00:00, but validation begins"):
        ToDataset(by="time").survey(iter(rows))
    assert splits(rows) == ["train", "validation"]
    rows[1]["time"] = 86_400
    assert splits(rows, by="time") == ["train", "validation"]


def test_test_may_not_reach_into_train_where_there_is_no_validation():
    rows = [sample(1, time=9, split="train"), sample(2, time=3, split="test")]

    with pytest.raises(DataError, match="test begins at 1970-01-01 00:00:03"):
        ToDataset(by="time").survey(iter(rows))


def test_it_refuses_to_work_without_a_survey():
    with pytest.raises(ConfigError, match="survey"):
        list(ToDataset()([sample(1)]))


def test_what_the_survey_leaves_is_small():
    rows = (
        sample(n, f"A rather long text about number {n % 9000} " * 20, split=("train", "test")[n >= 9000])
        for n in range(10_000)
    )

    maker = ToDataset(by="sample").survey(rows)

    assert len(pickle.dumps(maker)) < 20_000  # 1,000 conversations in two splits, by their hashes
