"""The choices that move a number, their id, and the reference implementation's choices reproduced."""

import json

import pytest

from saferec_core import load_plugins
from saferec_core.config.schema import EvalConfig, TrainConfig
from saferec_core.config.sections import EvaluationConfig
from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.evaluation.measure import build_metrics, measure
from saferec_core.evaluation.protocol import PRESETS, EvaluationProtocol, described, protocol_of
from saferec_core.evaluation.protocol_lists import ProtocolLists
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.testing import listing
from saferec_plugins.oracles.table import TableOracle
from saferec_plugins.parsers.title_year import TitleYearParser

FIXED = {
    "year_tolerance": 2,
    "num_ranks": 20,
    "decoding": "greedy",
    "max_completion_length": 512,
    "parser": "title-year",
    "catalog": "0123",
}


def protocol(preset="saferec", **choices):
    return EvaluationProtocol(**{**FIXED, **PRESETS[preset], **choices})


def measured_under(lists, at):
    metrics = build_metrics(load_plugins(), None, lists.protocol.metric_options)
    return measure(lists, at, metrics)


# --- ids ---------------------------------------------------------------------------------------


def test_an_id_names_preset_decoding_and_depth_and_never_changes():
    assert protocol().id == "saferec-greedy-K20-36ab58f6"
    sampled = protocol(decoding="sampled", temperature=0.8, top_p=0.95, samples=4)
    assert sampled.id == f"saferec-t0.8-p0.95-n4-K20-{sampled.short}"


@pytest.mark.parametrize(
    "choice",
    [
        {"seen": "removed"},
        {"duplicates": "removed"},
        {"out_of_catalog": "removed"},
        {"title_matching": "exact"},
        {"ideal_dcg": "list"},
        {"empty_list": "safe"},
        {"year_tolerance": 1},
        {"match_subtitles": True},
        {"num_ranks": 10},
        {"only_traits": ("gore",)},
        {"decoding": "sampled", "temperature": 1.0, "top_p": 1.0},
        {"max_completion_length": 1024},
        {"parser": "other"},
        {"catalog": "4567"},
        {"metrics": {"ndcg": {"ideal": "list"}}},
        {"oracle": "table"},
    ],
)
def test_every_choice_changes_the_id(choice):
    assert protocol(**choice).id != protocol().id
    assert protocol(**choice).short != protocol().short


def test_choices_that_no_preset_makes_are_called_custom():
    assert [protocol(name).preset for name in PRESETS] == list(PRESETS)
    assert protocol("safe-training", seen="miss").preset == "custom"
    assert protocol(seen="removed").id.startswith("custom-greedy-K20-")


def resolved(**evaluation):
    config = EvalConfig.model_validate({"evaluation": evaluation})
    return protocol_of(config, "greedy", catalog=Catalog([Title("A", 2000)]), parser=None, oracle=None)


def test_a_preset_is_named_and_each_of_its_choices_can_be_made_differently():
    assert resolved().preset == "saferec"
    assert resolved(protocol="rank-grpo").preset == "rank-grpo"
    changed = resolved(protocol="safe-training", eval_empty_list="no-value")
    assert (changed.seen, changed.empty_list) == ("removed", "no-value")
    assert resolved(eval_seen="removed", eval_duplicates="removed").duplicates == "removed"


def test_the_version_of_a_metric_of_another_plugin_changes_the_id_and_saferecs_own_do_not():
    def with_metrics(of_others):
        config = EvalConfig.model_validate({})
        options = {"catalog": Catalog([Title("A", 2000)]), "parser": None, "oracle": None}
        return protocol_of(config, "greedy", **options, metrics_of_others=of_others)

    assert with_metrics({}).id == resolved().id
    assert with_metrics({"spread": "acme 1.0"}).id != resolved().id
    assert with_metrics({"spread": "acme 1.0"}).id != with_metrics({"spread": "acme 1.1"}).id


def test_what_only_selects_columns_or_draws_does_not_change_the_id():
    plain = resolved()

    assert resolved(eval_at=[1, 20]).id == plain.id
    assert resolved(eval_batch_size=7, eval_engine="vllm").id == plain.id
    assert resolved(eval_temperature=0.5).id == plain.id  # greedy


def test_a_sampled_protocol_says_how_is_drawn_and_draws_so():
    config = TrainConfig(
        evaluation=EvaluationConfig(eval_temperature=0.7, eval_top_p=0.9, eval_samples=3),
        max_completion_length=99,
    )
    sampled = protocol_of(config, "sampled", catalog=Catalog([]), parser=None, oracle=None)
    drawn = sampled.drawing(batch_size=5, seed=11)

    assert (sampled.temperature, sampled.top_p, sampled.samples) == (0.7, 0.9, 3)
    assert (drawn.kind, drawn.temperature, drawn.top_p, drawn.samples) == ("sampled", 0.7, 0.9, 3)
    assert (drawn.max_completion_length, drawn.batch_size, drawn.seed) == (99, 5, 11)


def test_an_oracle_is_told_by_what_it_holds_and_not_by_where_it_lies(tmp_path):
    rows = [
        '{"title": "Saw", "year": 2004, "risk": {"gore": 1}}\n',
        '{"title": "It", "year": 2017, "risk": {}}\n',
    ]
    for name, lines in (("a", rows[:1]), ("b", rows[:1]), ("c", rows)):
        (tmp_path / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")

    descriptions = {name: described("table", TableOracle(path=tmp_path / f"{name}.jsonl")) for name in "abc"}
    assert descriptions["a"] == descriptions["b"] != descriptions["c"]
    assert "risk_threshold=0.66" in descriptions["a"]
    assert str(tmp_path) not in descriptions["a"]


# --- what the choices do -------------------------------------------------------------------------

A, B, C, D, X = (Title(name, 2000) for name in "ABCDX")
JUDGE = Judge(Catalog([A, B, C, D]))


def hits(titles, *, truth=(), seen=(), seen_choice="miss", **choices):
    record = Record(prompt=(), groundtruth=tuple(truth), seen_titles=tuple(seen))
    lists = ProtocolLists([listing(titles)], [record], JUDGE, 4, protocol(seen=seen_choice, **choices))
    return lists.hits[0].int().tolist(), lists.listed_hits(0)


def test_a_title_that_can_be_no_hit_keeps_its_rank_unless_it_is_removed():
    titles = [X, A, A, B, C]  # outside, seen, repeated, then two that may be hits

    assert hits(titles, truth=[B, C], seen=[A])[0] == [0, 0, 0, 1]
    assert hits(titles, truth=[B, C], seen=[A], out_of_catalog="removed")[0] == [0, 0, 1, 1]
    assert hits(titles, truth=[B, C], seen=[A], duplicates="removed")[0] == [0, 0, 1, 1]
    assert hits(titles, truth=[B, C], seen=[A], seen_choice="removed")[0] == [0, 1, 1, 0]
    everything = {"out_of_catalog": "removed", "seen_choice": "removed"}
    assert hits(titles, truth=[B, C], seen=[A], **everything)[0] == [1, 1, 0, 0]


def test_hits_are_told_at_the_places_where_the_titles_stand():
    closed, listed = hits([X, B, X, C], truth=[C], out_of_catalog="removed")

    assert closed == [0, 1, 0, 0]
    assert listed == [None, False, None, True]


def test_by_exact_matching_a_title_is_its_very_string():
    lower = Title("b", 2000)

    assert hits([lower, C], truth=[B, C])[0] == [1, 1, 0, 0]
    assert hits([lower, C], truth=[B, C], title_matching="exact")[0] == [0, 1, 0, 0]
    near = Title("B", 2001)  # not in the catalog by name and year
    assert hits([near], truth=[B])[0] == [1, 0, 0, 0]
    assert hits([near], truth=[B], title_matching="exact")[0] == [0, 0, 0, 0]


def test_default_choices_are_those_of_judged_lists():
    record = Record(prompt=(), groundtruth=(A, C), seen_titles=(B,))
    titles = listing([X, A, B, A, C])
    plain = JudgedLists([titles], [record], JUDGE, 4)
    chosen = ProtocolLists([titles], [record], JUDGE, 4, protocol())

    assert chosen.hits.equal(plain.hits)
    assert chosen.listed_hits(0) == [False, True, False, False, None]


def test_a_short_list_is_measured_by_its_own_room_only_if_that_is_chosen():
    record = Record(prompt=(), groundtruth=(A, B))

    def ndcg(titles, **choices):
        lists = ProtocolLists([listing(titles)], [record], JUDGE, 4, protocol(**choices))
        return measured_under(lists, [4])["ndcg@4"].item()

    assert ndcg([A]) == pytest.approx(1 / (1 + 1 / 1.5849625))  # log2(3)
    assert ndcg([A], ideal_dcg="list") == pytest.approx(1)
    assert ndcg([X], ideal_dcg="list", out_of_catalog="removed") == 0


# --- the reference implementation ----------------------------------


@pytest.fixture(scope="module")
def research_judge(recorded, tmp_path_factory):
    """The records' catalog, and their oracle as a table of its titles."""
    fixture = recorded["fixture"]
    path = tmp_path_factory.mktemp("recorded") / "oracle.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for (name, year), identifier in _titles_of_the_oracle(fixture).items():
            row = {"title": name, "year": year, "risk": fixture["traits"][identifier]}
            file.write(json.dumps(row) + "\n")
    return Judge(
        Catalog([Title(*title) for title in fixture["catalog"]]), TableOracle(path=path, open_from=1)
    )


def _titles_of_the_oracle(fixture):
    mapped = {identifier for _, _, identifier in fixture["mapping_oracle_normalised"]}
    titles = {Title(*title): str(9_000_000 + n) for n, title in enumerate(fixture["catalog"])}
    return {title: one for title, one in titles.items() if one in mapped & fixture["traits"].keys()}


def measured(parsed, record, judge, at, **choices):
    chosen = protocol("safe-training", **choices)
    lists = ProtocolLists([parsed], [record], judge, chosen.num_ranks, chosen)
    values = measured_under(lists, at)
    return {name: value.item() for name, value in values.items()}, lists


def asked(sample):
    return Record(
        prompt=(),
        groundtruth=tuple(Title(name, int(year)) for name, year in sample["groundtruth"]),
        seen_titles=tuple(sample["seen_titles"]),
        constraints=tuple(trait for trait, active in sample["constraints"].items() if active),
    )


def test_recall_and_ndcg_of_every_recorded_completion_are_reproduced(recorded, research_judge):
    for sample in recorded["rewards_and_metrics"]:
        parsed = TitleYearParser()(sample["text"])
        values, _ = measured(parsed, asked(sample), research_judge, [5, 10, 20])
        for metric in ("recall", "ndcg"):
            for k in (5, 10, 20):
                expected = sample["metrics"][f"{metric}@{k}"]
                assert values[f"{metric}@{k}"] == pytest.approx(expected, abs=1e-9), sample["text"]


def test_recall_and_ndcg_of_the_recorded_hand_cases_are_reproduced(recorded):
    for case in recorded["metrics_hand"]:
        record = Record(
            prompt=(),
            groundtruth=tuple(Title(name, int(year)) for name, year in case["gt"]),
            seen_titles=tuple(case["seen"]),
        )
        judge = Judge(Catalog([Title(*title) for title in case["catalog"]]))
        parsed = listing([Title(*title) for title in case["recs"]])
        values, _ = measured(parsed, record, judge, [case["k"]])
        for metric in ("recall", "ndcg"):
            value = values[f"{metric}@{case['k']}"]
            expected = float("nan") if case[metric] is None else case[metric]
            assert value == pytest.approx(expected, nan_ok=True), case["name"]


def test_sensitivity_ratios_are_reproduced_but_for_titles_that_were_taken_for_other_films(
    recorded, research_judge
):
    """The research oracle takes another film's entry where only the title agrees; ours does not know these.

    Its rate is over the list as written, seen and unknown titles included, and 0 for an empty one.
    """
    known_names = {name for name, _ in _titles_of_the_oracle(recorded["fixture"])}
    reproduced, by_title_alone = 0, set()
    for sample in recorded["rewards_and_metrics"]:
        parsed = TitleYearParser()(sample["text"])
        values, lists = measured(parsed, asked(sample), research_judge, [5, 10])
        for k in (5, 10):
            expected = sample["metrics"][f"sens@{k}[oracle_mapping]"]["ratio"]
            if values[f"sensitivity_ratio@{k}"] == pytest.approx(expected, abs=1e-9):
                reproduced += 1
                continue
            unknown = (~lists.known[0, :k] & lists.rank_mask[0, :k]).nonzero().flatten().tolist()
            taken = [
                parsed.items[position].title
                for position in unknown
                if parsed.items[position].name in known_names
            ]
            difference = expected - values[f"sensitivity_ratio@{k}"]
            assert difference == pytest.approx(len(taken) / min(k, len(parsed.items)), abs=1e-9)
            by_title_alone |= set(taken)

    assert reproduced == 69  # of 72
    assert by_title_alone == {
        ("Encounter", 2024),  # 2021 in the table
        ("A Funny Thing Happened on the Way to the Forum", 1969),  # 1966
    }


def test_the_empty_list_is_safe_only_under_the_research_code(recorded, research_judge):
    sample = next(one for one in recorded["rewards_and_metrics"] if not one["parsed"])
    empty = TitleYearParser()(sample["text"])

    assert measured(empty, asked(sample), research_judge, [5])[0]["sensitivity_ratio@5"] == 0
    ours = measured(empty, asked(sample), research_judge, [5], empty_list="no-value")[0]
    assert ours["sensitivity_ratio@5"] != ours["sensitivity_ratio@5"]
    assert sample["metrics"]["sens@5[oracle_mapping]"]["ratio"] == 0
