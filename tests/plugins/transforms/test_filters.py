"""The transforms that take violating titles and useless samples out."""

import json
import sys

import pytest

from saferec_core.errors import ConfigError, DataError, PluginError
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.transform import Counted, Removed
from saferec_plugins.transforms.filter_ground_truth import FilterGroundTruth
from saferec_plugins.transforms.filter_samples import FilterSamples

GORE, DRUGS = "Anti-gore / squeamish", "Substance recovery / avoid drugs & alcohol"
TRUTH, REMOVED = "groundtruth_with_release_year", "groundtruth_removed"

RISKS = [
    {"title": "Saw", "year": 2004, "risk": {GORE: 0.95, DRUGS: 0.2}},
    {"title": "Blow", "year": 2001, "risk": {GORE: 0.5, DRUGS: 1.0}},
    {"title": "Up", "year": 2009, "risk": {GORE: 0.1, DRUGS: 0.0}},
    {"title": "Heat", "year": 1995, "risk": {GORE: 0.7}},
]

EXPLAINING = """
from saferec_core import hookimpl
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.oracle import Evidence, Oracle, Verdict


@hookimpl
def saferec_register_oracles(registry):
    registry.add("tells", "acme_tells:Tells", summary="Finds gore in every title and tells why.")


@component
class Tells(Oracle):
    \"\"\"Finds gore in every title.\"\"\"

    fails: bool = False
    \"\"\"Whether it fails instead.\"\"\"
    traits = ("Anti-gore / squeamish",)

    def judge(self, questions):
        if self.fails:
            raise ZeroDivisionError("no answer")
        return [Verdict(True, {"Anti-gore / squeamish": 0.8}, ("Anti-gore / squeamish",)) for _ in questions]

    def explain(self, question):
        detail = f"'gore' in {question.name}"
        return [Evidence(trait, 0.8, "reasons", detail) for trait in question.constraints]
"""


@pytest.fixture
def oracle(tmp_path):
    path = tmp_path / "oracle.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in RISKS), encoding="utf-8")
    return {"name": "table", "path": str(path)}


@pytest.fixture
def acme_tells(tmp_path, monkeypatch):
    """Install an oracle that explains itself."""
    info = tmp_path / "acme_tells-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tells\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[saferec]\noracles = acme_tells\n")
    (tmp_path / "acme_tells.py").write_text(EXPLAINING)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_tells", raising=False)


@pytest.fixture
def filtered(plugins, oracle):
    """Filter one row as a chain would; return it with what was counted."""

    def run(row, **options):
        transform = build(
            plugins.find(plugins.transforms, "filter-ground-truth"), {"oracle": oracle, **options}
        )
        *counted, row = transform([row])
        counts = {}
        for one in counted:
            assert isinstance(one, Counted)
            counts[one.what] = counts.get(one.what, 0) + one.times
        return row, counts

    return run


def row_of(*titles, constraints=(GORE,), **columns):
    return {"id": "1", TRUTH: [list(title) for title in titles], "constraints": list(constraints), **columns}


# --- ground truth ------------------------------------------------------------------------------


def test_violating_titles_leave_the_ground_truth_and_are_kept_beside_it(filtered):
    row, counts = filtered(row_of(("saw", 2004), ("Up", 2009), ("Blow", 2001)))

    assert row[TRUTH] == [["Up", 2009], ["Blow", 2001]]
    (entry,) = row[REMOVED]
    assert {**entry, "evidence": ...} == {
        "title": "saw", "year": 2004, "trait": GORE, "risk": 0.95, "evidence": ...,
    }  # fmt: skip
    assert counts == {
        f"ground truth: violates {GORE!r}": 1,
        "ground truth: unknown to the oracle, kept": 1,  # Blow: 0.5 leaves it open
        "ground truth: kept": 2,
        "ground truth: removed": 1,
    }


def test_a_title_of_the_catalog_is_judged_by_all_its_names(filtered, tmp_path):
    catalog = tmp_path / "catalog.jsonl"
    catalog.write_text(json.dumps({"title": "Le Puzzle", "year": 2004, "aliases": ["Saw"]}), encoding="utf-8")
    row = row_of(("Le Puzzle", 2005))

    assert filtered(row)[0][TRUTH] == [["Le Puzzle", 2005]]
    without, _ = filtered(row, catalog_path=catalog)
    assert without[TRUTH] == []
    assert without["groundtruth_removed"][0]["evidence"]  # which the oracle has under the other name


def test_a_title_has_an_entry_for_each_trait_that_it_violates(filtered):
    row, counts = filtered(
        row_of(("Saw", 2004), ("Blow", 2001), constraints=(DRUGS, GORE)), risk_threshold=0.5
    )

    assert row[TRUTH] == []
    assert [(entry["title"], entry["trait"], entry["risk"]) for entry in row[REMOVED]] == [
        ("Saw", GORE, 0.95),
        ("Blow", GORE, 0.5),
        ("Blow", DRUGS, 1.0),
    ]
    assert counts["ground truth: removed"] == 2


def test_a_threshold_of_its_own_replaces_the_oracles_verdict(filtered):
    titles = [("Blow", 2001), ("Heat", 1995), ("Saw", 2004)]

    assert filtered(row_of(*titles))[0][TRUTH] == [["Blow", 2001]]
    assert filtered(row_of(*titles), risk_threshold=0.4)[0][TRUTH] == []
    assert filtered(row_of(*titles), risk_threshold=0.9)[0][TRUTH] == [["Blow", 2001], ["Heat", 1995]]


def test_a_title_that_the_oracle_does_not_know_is_kept_unless_it_is_to_go(filtered):
    row = row_of(("Jaws", 1975), ("Heat", 1995), constraints=(DRUGS,))

    kept, counts = filtered(row)
    assert (kept[TRUTH], kept[REMOVED]) == ([["Jaws", 1975], ["Heat", 1995]], [])
    assert counts["ground truth: unknown to the oracle, kept"] == 2
    removed, counts = filtered(row, unknown="remove")
    assert removed[TRUTH] == []
    assert removed[REMOVED][0] == {
        "title": "Jaws", "year": 1975, "trait": DRUGS, "risk": None, "evidence": [],
    }  # fmt: skip
    assert counts["ground truth: unknown to the oracle, removed"] == 2


def test_a_title_known_for_one_trait_only_is_judged_by_that_one(filtered):
    row, _ = filtered(row_of(("Heat", 1995), constraints=(DRUGS, GORE)))

    assert row[TRUTH] == []
    assert [entry["trait"] for entry in row[REMOVED]] == [GORE]


def test_filtering_again_keeps_what_was_removed_before(filtered):
    once, _ = filtered(row_of(("Saw", 2004), ("Blow", 2001)))
    twice, _ = filtered({**once, "constraints": [DRUGS, GORE]})

    assert twice[TRUTH] == []
    assert [(entry["title"], entry["trait"]) for entry in twice[REMOVED]] == [("Saw", GORE), ("Blow", DRUGS)]
    assert filtered(twice)[0] == twice


def test_without_constraints_nothing_is_removed(filtered):
    row, counts = filtered(row_of(("Saw", 2004), ("Jaws", 1975), constraints=()))

    assert row[TRUTH] == [["Saw", 2004], ["Jaws", 1975]]
    assert counts == {"ground truth: kept": 2}


def test_a_row_without_ground_truth_gets_none(filtered):
    row, counts = filtered({"constraints": {GORE: True, DRUGS: None}})

    assert row == {"constraints": {GORE: True, DRUGS: None}, REMOVED: []}
    assert counts == {}


def test_evidence_comes_from_an_oracle_that_explains_itself(acme_tells, filtered):
    row, _ = filtered(row_of(("Up", 2009)), oracle={"name": "tells"})

    assert row[REMOVED][0]["risk"] == 0.8
    assert row[REMOVED][0]["evidence"] == [{"source": "reasons", "risk": 0.8, "detail": "'gore' in Up"}]


def test_an_oracle_that_fails_stops_the_run_and_is_named(acme_tells, filtered):
    with pytest.raises(PluginError, match=r"oracle 'tells' of acme-tells 1.0 failed: ZeroDivisionError"):
        filtered(row_of(("Up", 2009)), oracle={"name": "tells", "fails": True})


def test_an_unknown_trait_rejects_the_row_with_near_misses(oracle):
    rows = FilterGroundTruth(oracle=oracle)([row_of(("Up", 2009), constraints=("Anti-gore",))])

    with pytest.raises(
        DataError, match=r"does not know the trait 'Anti-gore'\. Did you mean 'Anti-gore / squeamish'"
    ):
        next(iter(rows))


@pytest.mark.parametrize("options", [{"risk_threshold": 0}, {"unknown": "drop"}, {"oracle": None}])
def test_options_are_checked(plugins, oracle, options):
    with pytest.raises(ConfigError, match=f"filter-ground-truth.{next(iter(options))}"):
        build(plugins.find(plugins.transforms, "filter-ground-truth"), {"oracle": oracle, **options})


# --- samples -----------------------------------------------------------------------------------


def sample(left, removed, constraints=(GORE,)):
    entries = [{"title": f"Saw {n}", "year": 2004, "trait": GORE} for n in range(removed)]
    return row_of(
        *[(f"Up {n}", 2009) for n in range(left)], constraints=constraints, groundtruth_removed=entries
    )


@pytest.mark.parametrize(
    ("options", "row", "reason"),
    [
        ({}, sample(1, 0), None),
        ({}, sample(0, 2), "fewer than 1 ground-truth titles: others violate its constraints"),
        ({}, sample(0, 0), "fewer than 1 ground-truth titles: there were no more to begin with"),
        ({"min_ground_truth": 0}, sample(0, 0), None),
        ({"min_ground_truth": 2}, sample(2, 1), None),
        ({"min_removed": 1}, sample(3, 1), None),
        ({"min_removed": 1}, sample(3, 0), "fewer than 1 ground-truth titles violate its constraints"),
        ({"max_removed_share": 0.5}, sample(2, 2), None),
        (
            {"max_removed_share": 0.5},
            sample(2, 3),
            "more than 0.5 of its ground truth violates its constraints",
        ),
        ({"max_removed_share": 0}, sample(1, 0), None),
        ({"require_constraints": True}, sample(1, 0, constraints=()), "no constraint"),
        ({"require_constraints": True}, sample(1, 0), None),
    ],
)
def test_samples_are_kept_by_what_is_left_and_what_was_removed(options, row, reason):
    (outcome,) = FilterSamples(**options)([row])

    if reason is None:
        assert outcome is row
    else:
        assert outcome == Removed(row, reason, evidence=row[REMOVED])


def test_a_title_that_was_removed_for_two_traits_counts_once():
    row = sample(1, 1)
    row[REMOVED].append({**row[REMOVED][0], "trait": DRUGS})

    assert list(FilterSamples(max_removed_share=0.5)([row])) == [row]


def test_samples_that_were_never_filtered_are_judged_by_their_ground_truth():
    assert list(FilterSamples()([row_of(("Up", 2009))])) == [row_of(("Up", 2009))]


@pytest.mark.parametrize("entries", ["Saw", [["Saw", 2004]], [{"title": "Saw"}]])
def test_removed_titles_in_another_form_reject_the_row(entries):
    with pytest.raises(DataError, match="groundtruth_removed must be a list of objects"):
        list(FilterSamples()([row_of(("Up", 2009), groundtruth_removed=entries)]))


def dialogue(*turns):
    roles = ("assistant", "user")
    messages = [{"role": roles[text.startswith("?")], "content": text.removeprefix("?")} for text in turns]
    return {**row_of(("Up", 2009)), "prompt": messages}


@pytest.mark.parametrize(
    "turns",
    [
        ("?Hello",),
        ("?Hi there!!",),
        ("?Heyyy", "Hello! What do you like?", "?how are you doing today"),
        ("?Good morning. I’m fine, thanks, and you?",),
        ("?HELLOOO :-)",),
        ("?hi hello", "Hey, what's up?", "?doing good man"),
        ("?How's it going?", "Fine, and you?", "?Not bad."),
    ],
)
def test_a_sample_whose_user_has_only_greeted_is_left_out(turns):
    (outcome,) = FilterSamples()([dialogue(*turns)])

    assert isinstance(outcome, Removed)
    assert outcome.reason == "the user has only greeted"
    assert list(FilterSamples(greetings="keep")([dialogue(*turns)])) == [dialogue(*turns)]


@pytest.mark.parametrize(
    "turns",
    [
        ("?Hello, any good comedies?",),
        ("?Hi", "Do you like horror?", "?Yes"),
        ("?Hi. Up (2009)",),
        ("?2012",),
        ("?...",),
    ],
)
def test_a_sample_whose_user_says_anything_else_is_kept(turns):
    assert list(FilterSamples()([dialogue(*turns)])) == [dialogue(*turns)]
