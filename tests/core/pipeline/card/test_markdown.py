"""The dataset card: figures that were counted, as Markdown and as a page."""

import json
import re
from collections import Counter
from html.parser import HTMLParser

import pytest
import yaml

from saferec_core.data.traits import Trait
from saferec_core.pipeline.card import page as card_page
from saferec_core.pipeline.card.markdown import describe, markdown
from saferec_core.pipeline.card.page import page
from saferec_core.pipeline.card.parts import sizes
from saferec_core.pipeline.step_report import StepAccount
from saferec_core.pipeline.writers import publish

DAY = 86_400
EVIL = "<script>alert('x')</script> & | [a](http://evil.example) `b`"
TRAITS = {
    "gore": Trait(about="No gore.", questions=["Gore?"], explicit=["No gore, please."], implied=["I faint."])
}


def row(number, split, *, user="ann", day=0, text="A film?", lines=2, **columns):
    return {
        "id": f"s{number}",
        "user": user,
        "time": day * DAY + 5,
        "split": split,
        "prompt": [
            {"role": "system", "content": "Recommend."},
            {"role": "user", "content": f"Hello {number}"},
            {"role": "assistant", "content": "Hi"},
            {"role": "user", "content": text},
        ],
        "completion": [{"role": "assistant", "content": "\n".join(["Up (2009)", "Coco (2017)"][:lines])}],
        "groundtruth_with_release_year": [["Up", 2009], ["Coco", 2017]],
        "seen_titles": [["Saw", 2004]],
        "constraints": ["gore"],
        **columns,
    }


ROWS = [
    row(1, "train", text="No gore, please. A film?", constraints_stated={"gore": "No gore, please."}),
    row(2, "train", user="bob", day=1, text="A film? I faint.", constraints_stated={"gore": "I faint."}),
    row(3, "train", user="bob", day=9, constraints=[], completion=None),
    row(
        4,
        "test",
        user="cid",
        day=9,
        lines=1,
        groundtruth_with_release_year=[["The Up", 2009]],
        groundtruth_removed=[
            {"title": "Saw", "year": 2004, "trait": "gore"},
            {"title": "Saw", "year": 2004, "trait": EVIL},
        ],
    ),
]


def accounts():
    first, second = StepAccount("from-table"), StepAccount("map-titles")
    first.read, first.written, first.rejected = 9, 6, 1
    first.removed["no ground truth"] = 2
    first.rejections = ["/home/ann/secret/raw.csv, line 3: expected a title"]
    second.read, second.written = 6, 6
    second.counted.update({"ground truth: mapped exactly": 6, "ground truth: unmapped": 2, EVIL: 1})
    second.groups = {"ground truth: mapped exactly": "ground truth", "ground truth: unmapped": "ground truth"}
    first.counted["cost in dollars"] = 0.25
    second.examples = {"ground truth: unmapped": [EVIL]}
    return [first, second]


@pytest.fixture
def facts(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return describe(path, None, accounts(), name=f"Films {EVIL}", traits=TRAITS)


class Page(HTMLParser):
    """Reads a page and notes its text, its tables and what it refers to."""

    VOID = ("meta", "br", "link", "img", "input")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.references, self.words = [], Counter(), [], []
        self.tables, self.ids = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        for name, value in attrs:
            if name in {"href", "src", "xlink:href", "action", "data"}:
                self.references.append(value)
            if name == "id":
                self.ids.append(value)
            assert not name.startswith("on")
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"th", "td"}:
            self.tables[-1][-1].append("")
            assert tag == "td" or dict(attrs)["scope"] in {"col", "row"}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and {"th", "td"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def close(self):
        super().close()
        assert self.open == []


def test_samples_users_turns_and_times_are_counted_by_split(facts):
    train, test = facts.splits["train"], facts.splits["test"]

    assert (train.samples, train.users, train.turns, train.completions, train.constrained) == (3, 2, 9, 2, 2)
    assert (test.samples, test.users, test.turns, test.completions, test.constrained) == (1, 1, 3, 1, 1)
    assert train.days == {0: 1, 1: 1, 9: 1}
    assert (facts.samples, facts.users) == (4, 3)
    assert facts.titles == 2  # "The Up" is "Up"


def test_traits_are_counted_by_split_wording_and_place(facts):
    assert list(facts.traits) == ["gore", EVIL]
    gore = facts.traits["gore"]
    assert gore.samples == {"train": 2, "test": 1}
    assert gore.stated == {"explicit": 1, "implied": 1}
    assert gore.removed == 1
    assert facts.positions == {"before": 1, "after": 1}
    assert facts.constraints == {1: 3, 0: 1}


def test_a_removed_title_counts_once_whatever_number_of_traits_it_violates(facts):
    assert facts.truth_before == {2: 4}
    assert facts.truth_after == {2: 3, 1: 1}


def test_completions_are_counted_as_the_parser_reads_them(facts):
    assert facts.list_lengths == {2: 2, 1: 1}


def test_leaks_are_looked_for_in_the_rows_themselves(facts, tmp_path):
    assert [check.count for check in facts.checks] == [0, 0, 0]

    leaky = [*ROWS, {**ROWS[0], "split": "test", "prompt": ROWS[0]["prompt"][1:], "time": 2 * DAY}]
    path = tmp_path / "leaky.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in leaky), encoding="utf-8")
    counts = {check.question: check.count for check in describe(path, traits=TRAITS).checks}

    assert counts == {
        "Is a conversation in two splits?": 1,
        "Is a user in two splits?": 1,
        "Does train reach into the time of test?": 8,  # from day 2 to day 9 and 5 seconds, rounded up
    }


@pytest.mark.parametrize("form", ["jsonl", "parquet", "datasets"])
def test_a_published_folder_is_described_as_its_rows_are(facts, tmp_path, form):
    published = publish(tmp_path / "rows.jsonl", tmp_path / form, form=form)

    again = describe(tmp_path / form, None, facts.accounts, name=facts.name, traits=TRAITS)

    assert vars(again) == {**vars(facts), "published": again.published}
    assert (again.published.form, again.published.rows, again.published.files) == (
        published.form,
        published.rows,
        published.files,
    )


def test_the_head_is_what_the_hub_reads_and_claims_no_license(facts):
    _, head, body = markdown(facts).split("---\n", 2)

    read = yaml.safe_load(head)
    assert read["pretty_name"] == facts.name
    assert read["size_categories"] == ["n<1K"]
    assert read["configs"][0]["data_files"] == [
        {"split": "train", "path": "train.jsonl"},
        {"split": "test", "path": "test.jsonl"},
    ]
    assert "license" not in read
    assert "# license: (state" in head
    assert "## License" in body


@pytest.mark.parametrize(
    ("samples", "category"),
    [(999, "n<1K"), (1_000, "1K<n<10K"), (38_582, "10K<n<100K"), (10**6, "1M<n<10M"), (10**9, "n>100M")],
)
def test_the_size_category_is_one_of_the_hubs(facts, samples, category):
    facts.splits["train"].samples = samples - facts.splits["test"].samples

    assert f"- {category}\n" in markdown(facts)


def test_the_card_tells_what_each_step_lost_and_how_to_train(facts):
    text = markdown(facts)

    assert "| from-table | 9 | 6 | 2 | 1 |" in text
    assert "| from-table | no ground truth | 2 |" in text
    assert "| ground truth: mapped exactly | 6 | 75.0% |" in text
    assert "| from-table | cost in dollars | 0.25 |  |" in text
    assert "raw.csv, line 3: expected a title" in text
    assert "/home/ann" not in text
    assert "saferec sft --model MODEL \\\n    --train-path train.jsonl" in text
    assert "--test-path test.jsonl" in text


def test_nothing_in_the_data_is_taken_for_markup_in_markdown(facts):
    body = markdown(facts).split("---\n", 2)[2]

    assert "<script>" not in body
    assert "[a](" not in body
    tables = re.findall(r"(?m)^\|.*\|$", body)
    assert len({line.replace("\\|", "").count("|") for line in tables if "ground truth: " in line}) == 1


def test_the_page_is_well_formed_and_refers_to_nothing_outside(facts):
    text = page(facts)
    read = Page(text)

    assert read.tags["svg"] == read.tags["figure"] == read.tags["figcaption"] == 5
    assert read.tags["h1"] == 1
    assert read.tags["script"] == read.tags["link"] == read.tags["img"] == 0
    assert read.references == []
    assert len(read.ids) == len(set(read.ids))
    assert all(f'id="{name}"' in text for name in re.findall(r"url\(#([^)]*)\)", text))
    assert not re.search(r"=[\"'][^\"']*https?://", text)  # neither a reference nor a name space
    assert "@import" not in text
    assert len(text.encode()) < 500_000


def test_nothing_in_the_data_is_taken_for_markup_in_the_page(facts):
    text = page(facts)

    assert "<script" not in text
    words = " ".join(Page(text).words)
    assert words.count("<script>alert('x')</script>") >= 5  # title, head, trait, chart, examples


def test_the_tables_of_the_page_hold_the_figures(facts):
    tables = {tuple(table[0]): table[1:] for table in Page(page(facts)).tables}

    splits = {figure: (train, test) for figure, train, test in tables["figure", "train", "test"]}
    assert splits["samples"] == ("3", "1")
    assert splits["users"] == ("2", "1")
    assert splits["turns per prompt"] == ("3.0", "3.0")
    assert splits["first day"] == ("1970-01-01", "1970-01-10")
    assert splits["last day"] == ("1970-01-10", "1970-01-10")
    assert tables["step", "read", "written", "removed", "rejected"] == [
        ["from-table", "9", "6", "2", "1"],
        ["map-titles", "6", "6", "0", "0"],
    ]
    head = ("trait", "train", "test", "stated: explicit", "stated: implied", "titles removed")
    assert tables[head] == [["gore", "2", "1", "1", "1", "1"], [EVIL, "0", "0", "0", "0", "1"]]
    assert tables["titles", "before", "after"] == [["1", "0", "1"], ["2", "4", "3"]]
    assert tables["titles", "completions"] == [["1", "1"], ["2", "2"]]


def test_the_charts_show_the_figures_too(facts):
    charts = re.findall(r"<svg.*?</svg>", page(facts), flags=re.DOTALL)

    labels = [re.findall(r"<text[^>]*>([^<]*)</text>", chart) for chart in charts]
    time, steps, traits, _, _ = labels
    assert {"1970-01-01", "1970-01-03"} <= set(time)
    assert steps == ["input", "from-table, 33.3% lost", "map-titles", "9", "6", "6"]
    assert traits[0] == "gore"
    assert traits[-2:] == ["3", "0"]


def test_two_sample_dialogues_differ_in_their_constraints(facts):
    first, second = facts.dialogues

    assert (first.split, first.constraints, first.completion) == (
        "train",
        ("gore",),
        "Up (2009)\nCoco (2017)",
    )
    assert first.turns == [("user", "Hello 1"), ("assistant", "Hi"), ("user", "No gore, please. A film?")]
    assert (second.constraints, second.completion) == ((), "")  # the third row, not the second
    assert first.ground_truth == ["Up (2009)", "Coco (2017)"]
    text = markdown(facts)
    assert (
        "> **user**: No gore, please. A film?\n>\n> **assistant, to imitate**: Up (2009) Coco (2017)" in text
    )
    assert "Split: train. Constraints: none." in text
    assert " ".join(Page(page(facts)).words).count("assistant: the list to imitate") == 1


def test_a_long_turn_of_a_sample_dialogue_is_cut(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row(1, "train", text="a" * 5000)), encoding="utf-8")

    ((_, _, (_, shown)),) = (dialogue.turns for dialogue in describe(path, traits={}).dialogues)
    assert shown == "a" * 600 + " …"


def test_tables_call_traits_by_their_short_names(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row(1, "train", constraints=["Horror (scares)"])), encoding="utf-8")

    assert ["Horror", "1", "0"] in [
        row for table in Page(page(describe(path, traits={}))).tables for row in table
    ]


def test_the_same_figures_give_the_same_page(facts):
    assert page(facts) == page(facts)


def test_without_the_extra_the_page_has_tables_and_says_what_to_install(facts, monkeypatch):
    drawn = Page(page(facts))
    monkeypatch.setattr(card_page, "is_drawing_possible", lambda: False)

    read = Page(page(facts))

    assert (drawn.tags["svg"], read.tags["svg"]) == (5, 0)
    assert read.tables == drawn.tables
    assert "pip install 'saferec[data]'" in " ".join(read.words)


def test_rows_with_the_least_that_a_record_needs_make_a_card(tmp_path):
    path = tmp_path / "rows.jsonl"
    least = {"prompt": "A film?", "groundtruth_with_release_year": [["Up", 2009]]}
    path.write_text(json.dumps(least), encoding="utf-8")

    facts = describe(path, traits={})

    assert "<dt>users</dt>" not in page(facts)
    assert "## Constraints" not in markdown(facts)
    assert "saferec sft" not in markdown(facts)
    assert list(facts.splits) == ["train"]


@pytest.mark.parametrize(
    ("counts", "rows"),
    [
        ([], []),
        ([Counter()], []),
        ([Counter({3: 1}), Counter({1: 2})], [("1", [0, 2]), ("2", [0, 0]), ("3", [1, 0])]),
    ],
)
def test_sizes_have_no_gaps(counts, rows):
    assert sizes(counts) == rows


def test_sizes_far_above_are_put_together():
    rows = sizes([Counter({1: 5, 12: 2, 13: 3, 400: 1})])

    assert len(rows) == 12
    assert rows[-1] == ("12+", [6])
