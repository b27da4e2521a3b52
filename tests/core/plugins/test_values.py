"""What components return is checked once, and what they are given stays as it is."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from saferec_core.errors import PluginError, RewardError
from saferec_core.evaluation.measure import ActiveMetric, measure
from saferec_core.plugins.calls import undisturbed
from saferec_core.plugins.contracts.metric import Metric
from saferec_core.plugins.contracts.normalizer import Advantages, Normalizer
from saferec_core.plugins.contracts.oracle import (
    Evidence,
    Oracle,
    Question,
    Verdict,
    ask,
    check_order,
    explain,
)
from saferec_core.plugins.contracts.parser import ListParser, ParsedItem, ParsedList, parse
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.plugins.contracts.run_context import RunContext
from saferec_core.rl.credit import credit
from saferec_core.rl.rewards import ActiveReward, RewardValues, score
from saferec_core.testing import TITLES, judged_lists

NAN = float("nan")


class Returning(RewardFunction):
    """Whatever a test makes of the lists."""

    scope = "rank"

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, lists):
        return self.answer(lists)


def scored(answer, lists=None):
    """The values of a reward for two lists of 2 and 1 titles, seen through 2 ranks."""
    lists = lists or judged_lists([TITLES[:2], TITLES[2:3]], num_ranks=2)
    return score([ActiveReward("mood", Returning(answer), 1.0)], lists).rank[0]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: torch.tensor([[1, 0], [0, 1]], dtype=torch.float64),
        lambda _: torch.tensor([[1, 0], [0, 1]], dtype=torch.float16),
        lambda _: torch.tensor([[1, 0], [0, 1]], dtype=torch.bfloat16),
        lambda _: torch.tensor([[1, 0], [0, 1]]),
        lambda _: torch.tensor([[True, False], [False, True]]),
        lambda _: np.eye(2),
        lambda _: np.eye(2, dtype=bool),
        lambda _: torch.eye(2, requires_grad=True),
    ],
    ids=["float64", "float16", "bfloat16", "int", "bool", "numpy", "numpy-bool", "grad"],
)
def test_numbers_of_every_real_type_are_converted_to_float32_without_gradient(answer):
    value = scored(answer)

    assert (value.dtype, value.requires_grad) == (torch.float32, False)
    assert value.tolist() == [[1, 0], [0, 1]]


class Stubborn(torch.Tensor):
    """Refuses every computation."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(func)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda _: None, r"returned None \(is a return statement missing\?\)"),
        (lambda _: [[0.0, 0.0]] * 2, "must return a tensor .* returned list"),
        (lambda _: np.array([["a", "b"]] * 2), "an array of <U1"),
        (lambda _: torch.zeros(2, 1), r"must return \(N, K\) = \(2, 2\), but returned \(2, 1\)"),
        (lambda _: torch.eye(2, dtype=torch.complex64), "torch.complex64"),
        (lambda _: torch.eye(2).to_sparse(), "torch.sparse_coo"),
        (lambda _: torch.zeros(2, 2, device="meta"), "on meta"),
        (lambda _: torch.tensor([[0, float("inf")], [0, 0]]), "returned inf for completion 1 at rank 2"),
        (lambda _: torch.full((2, 2), 1e300, dtype=torch.float64), r"at most 1e\+15 in size"),
        (lambda _: torch.full((2, 2), 1e20), "at most 1e"),
        (lambda _: torch.eye(2).as_subclass(Stubborn), "a tensor of the class Stubborn"),
        (lambda _: torch.nested.nested_tensor([torch.eye(2)], layout=torch.jagged), "a tensor of the class"),
        (lambda _: np.ma.masked_all((2, 2)), "an array of the class MaskedArray"),
        (lambda lists: (row for row in lists.hits), "returned generator"),
        (lambda lists: {"values": lists.hits}, "returned dict"),
    ],
    ids=[
        *("none", "list", "text", "shape", "complex", "sparse", "meta", "inf", "overflow", "large"),
        *("subclass", "nested", "masked", "generator", "dict"),
    ],
)
def test_what_is_not_numbers_of_the_right_shape_is_refused_with_the_name_of_the_reward(answer, problem):
    with pytest.raises(RewardError, match=rf"^reward 'mood' .*{problem}"):
        scored(answer)


def edit_in_place(lists):
    lists.violations[:] = False
    return lists.violations.float()


def edit_through_numpy(lists):
    lists.violations.numpy()[:] = False
    return lists.violations.float()


def edit_verdicts(lists):
    lists.verdicts[0][0].risks["gore"] = 0.0
    return lists.violations.float()


def replace_violations(lists):
    vars(lists)["violations"] = torch.zeros(2, 2)
    return lists.hits.float()


def drop_a_list(lists):
    value = lists.hits.float()
    lists.lists.pop()
    return value


def edit_a_record(lists):
    lists.records[0].columns["mood"] = "good"
    return lists.hits.float()


def edit_a_value_of_a_record(lists):
    lists.records[0].columns["seen_at"][0] = 9
    return lists.hits.float()


def edit_what_a_record_holds_deep_within(lists):
    lists.records[0].columns["profile"]["moods"][1]["name"] = "gay"
    return lists.hits.float()


def swap_the_constraints(lists):
    object.__setattr__(lists.records[0], "constraints", ())
    return lists.hits.float()


def move_the_step(lists):
    object.__setattr__(lists.context, "step", 99)
    return lists.hits.float()


def edit_a_prompt(lists):
    lists.records[0].prompt[0]["content"] = "Anything."
    return lists.hits.float()


def swap_the_oracle(lists):
    lists.judge.oracle = None
    return lists.hits.float()


def edit_what_the_judge_says_of_the_catalog(lists):
    lists.judge.standing("gore", lists.judge.columns(lists.records[0])).violated.zero_()
    return lists.hits.float()


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (edit_in_place, "violations"),
        (edit_through_numpy, "violations"),
        (edit_verdicts, "verdicts"),
        (replace_violations, "violations"),
        (drop_a_list, "lists"),
        (edit_a_record, "the contents of records"),
        (edit_a_value_of_a_record, "the contents of records"),
        (edit_what_a_record_holds_deep_within, "the contents of records"),
        (swap_the_constraints, "the contents of records"),
        (edit_a_prompt, "the contents of records"),
        (move_the_step, "the context"),
        (swap_the_oracle, "the judge"),
        (edit_what_the_judge_says_of_the_catalog, "the judge"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_reward_that_changes_what_it_is_given_is_named(edit, what):
    lists = judged_lists([TITLES[1:3], TITLES[2:4]], num_ranks=2)
    columns = {"seen_at": [3, 4], "profile": {"moods": [{"name": "calm"}, {"name": "sad"}]}, "since": NAN}
    lists = replace(lists, records=[replace(record, columns=columns) for record in lists.records])
    assert lists.violations.any()

    with pytest.raises(PluginError, match=f"^reward 'mood' changed what it was given: {what}"):
        scored(edit, lists)


@pytest.mark.parametrize(
    ("log", "problem"),
    [
        (lambda figures: figures.clear(), "changed what others have logged"),
        (lambda figures: figures.update({"first/x": 0.0}), "changed what others have logged"),
        (lambda figures: figures.update(bad=NAN), "logs 'bad' = nan"),
        (lambda figures: figures.update(bad="high"), "logs 'bad' = 'high'"),
        (lambda figures: figures.update({5: 1.0}), "logs 5 = 1.0"),
    ],
    ids=["cleared", "replaced", "nan", "text", "name"],
)
def test_figures_that_are_not_logged_as_they_should_be_are_refused(log, problem):
    def first(lists):
        lists.context.log("x", 1)
        return lists.hits

    def second(lists):
        log(lists.context.figures)
        return lists.hits

    rewards = [
        ActiveReward(name, Returning(each), 1.0) for name, each in {"first": first, "mood": second}.items()
    ]
    with pytest.raises(PluginError, match=f"^reward 'mood' {problem}"):
        score(rewards, judged_lists([TITLES[1:3]], num_ranks=2))


@pytest.mark.parametrize("name", [5, "two\nlines", "\x1b[2J"], ids=["number", "lines", "escape"])
def test_the_name_of_a_figure_is_text_on_one_line(name):
    with pytest.raises(ValueError, match="the name of a figure must be text on one line"):
        RunContext().log(name, 1.0)


def test_a_metric_that_edits_violations_is_named_before_any_figure_is_made_of_them():
    class Cheating(Metric):
        at_depth = False
        better = "lower"

        def __call__(self, lists, k):
            lists.violations[:] = False
            return torch.zeros(len(lists.lists))

    lists = judged_lists([TITLES[:2]], num_ranks=2)

    with pytest.raises(PluginError, match=r"^metric 'cheating' changed what it was given: violations"):
        measure(lists, [1], [ActiveMetric("cheating", Cheating())])


@pytest.mark.parametrize("failure", [SystemExit(0), KeyboardInterrupt(), BaseException("x")], ids=repr)
def test_a_reward_that_wants_to_end_the_process_is_a_failure_of_the_reward(failure):
    def leave(_):
        raise failure

    with pytest.raises(RewardError, match=f"^reward 'mood' failed: {type(failure).__name__}"):
        scored(leave)


def test_seeding_while_computing_does_not_reach_what_is_drawn_next(caplog):
    torch.manual_seed(1)
    random.seed(1)
    unseeded = torch.rand(3).tolist()
    torch.manual_seed(1)

    with undisturbed("reward 'seeding'"):
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002 - what plugins do
        random.seed(0)

    assert torch.rand(2).tolist() == unseeded[1:]  # one draw further
    assert "reward 'seeding' changed the global random generators (put back)" in caplog.text


def advantages(rank, of_list):
    """Advantages whose shapes nobody has checked, as a plugin makes them."""
    made = object.__new__(Advantages)
    object.__setattr__(made, "rank", rank)
    object.__setattr__(made, "list", of_list)
    return made


class Made(Normalizer):
    """Returns whatever a test says."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, rewards):
        return self.answer(rewards)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda _: advantages(torch.full((2, 2), NAN), torch.zeros(2)), "rank must return finite values"),
        (lambda _: advantages(torch.zeros(2, 2), torch.zeros(2, 1)), r"list must return \(N,\) = \(2,\)"),
        (lambda _: advantages(torch.zeros(2, 1), torch.zeros(2)), r"rank must return \(N, K\) = \(2, 2\)"),
        (lambda _: advantages(torch.zeros(2, 2, dtype=torch.int64), torch.zeros(2)), "cuts fractions off"),
        (lambda _: None, "must return Advantages, but returned NoneType"),
        (lambda _: (torch.zeros(2, 2), torch.zeros(2)), "must return Advantages, but returned tuple"),
        (lambda rewards: rewards.rank.zero_(), "changed the rewards"),
        (lambda _: exec("raise SystemExit"), "failed: SystemExit"),  # noqa: S102
    ],
    ids=["nan", "column", "narrow", "integers", "none", "tuple", "edits", "exit"],
)
def test_a_normalizer_that_breaks_its_contract_is_named(answer, problem):
    values = RewardValues(torch.ones(1, 2, 2), torch.zeros(0, 2), torch.zeros(0, 2, 2))
    rewards = [ActiveReward("mood", Returning(None), 1.0)]

    with pytest.raises(PluginError, match=rf"^normalizer 'Made'.*{problem}"):
        credit(rewards, values, Made(answer), torch.ones(2, 2, dtype=torch.bool), 2)


def test_advantages_of_another_type_are_converted():
    values = RewardValues(torch.ones(1, 2, 2), torch.zeros(0, 2), torch.zeros(0, 2, 2))
    double = advantages(torch.eye(2, dtype=torch.float64, requires_grad=True), np.zeros(2))
    made = credit(
        [ActiveReward("mood", Returning(None), 1.0)],
        values,
        Made(lambda _: double),
        torch.ones(2, 2, dtype=torch.bool),
        2,
    )

    assert (made.rank.dtype, made.rank.requires_grad, made.list.tolist()) == (torch.float32, False, [0, 0])


class Answering(Oracle):
    """Answers what a test says."""

    traits = ("gore", "joy")

    def __init__(self, answer):
        self.answer = answer

    def judge(self, questions):
        return self.answer(questions)


class Fickle(Verdict):
    """Says something else each time."""

    def __getattribute__(self, name):
        raise RuntimeError(name)


class Two(list):
    """Says that it holds two, and holds three."""

    def __len__(self):
        return 2


QUESTIONS = [Question("Saw", 2004, ("gore",)), Question("Up", 2009, ("gore",))]


@pytest.mark.parametrize(
    ("verdict", "problem"),
    [
        (Verdict(True, {"gore": 7.5}), r"the risk of 'gore' must be a number in 0\.\.1, but is 7\.5"),
        (Verdict(True, {"gore": -0.1}), ".* but is -0.1"),
        (Verdict(True, {"gore": NAN}), ".* but is nan"),
        (Verdict(True, {"gore": "high"}), ".* but is 'high'"),
        (Verdict(True, {"gore": True}), ".* but is True"),
        (Verdict(True, {"joy": 0.5}), "risks holds 'joy', but asked were gore"),
        (Verdict(True, violated=("joy",)), "violated holds 'joy', but asked were gore"),
        (Verdict(True, open=("joy",)), "open holds 'joy'"),
        (Verdict(False, violated=("gore",)), "it violates gore, so it must be known"),
        (Verdict(True, violated="gore"), "violated must be a tuple of traits"),
        (Verdict(True, {"gore": 0.0}, ("gore",)), "it violates 'gore', so its risk must be above 0"),
        (Verdict(True, {"gore": 0.5}, ("gore",), ("gore",)), "'gore' is open, so it must not be violated"),
        (Verdict(True, violated=np.array(["gore", "gore"])), "violated must be a tuple of traits"),
        (Verdict(True, ambiguous="no"), "ambiguous must be True or False"),
        (Verdict("yes"), "known must be True or False"),
        (Verdict(True, [0.5]), "risks must be a mapping"),
        ({"known": True}, "expected a Verdict, but got dict"),
        (Fickle(True), "expected a Verdict, but got Fickle"),
    ],
    ids=[
        *("above", "below", "nan", "text", "truth", "other-trait", "other-violated", "other-open"),
        *("unknown-violated", "bare-text", "violated-without-risk", "open-and-violated", "array"),
        *("ambiguous", "known", "list", "dict", "subclass"),
    ],
)
def test_a_verdict_that_is_not_sound_is_refused_with_the_title(verdict, problem):
    with pytest.raises(PluginError, match=rf"^oracle 'Answering' judges Saw \(2004\): {problem}"):
        ask(Answering(lambda questions: [verdict] * len(questions)), QUESTIONS)


class Shifting(dict):
    """Says something else each time that it is read."""

    def items(self):
        return [("gore", 0.5)]

    def __getitem__(self, trait):
        return 7.5


def test_verdicts_are_copies_in_plain_terms_that_their_oracle_cannot_change():
    class Text(str):
        __slots__ = ()

    risks = {Text("gore"): np.float32(0.75)}

    (verdict, _) = ask(Answering(lambda _: [Verdict(True, risks, [Text("gore")] * 2)] * 2), QUESTIONS)
    risks.clear()

    assert verdict == Verdict(True, {"gore": 0.75}, ("gore",))
    assert {*map(type, (*verdict.risks, *verdict.risks.values(), *verdict.violated))} == {str, float}
    (verdict, _) = ask(Answering(lambda _: [Verdict(True, Shifting(gore=0.25))] * 2), QUESTIONS)
    assert verdict.risks == {"gore": 0.25}


class Explaining(Answering):
    """Explains as it is told."""

    def __init__(self, evidence):
        super().__init__(lambda questions: [Verdict(True)] * len(questions))
        self.evidence = evidence

    def explain(self, question):
        return self.evidence(question)


@pytest.mark.parametrize(
    ("evidence", "problem"),
    [
        (lambda _: 1 / 0, "failed to explain: ZeroDivisionError"),
        (lambda _: None, "failed to explain: TypeError"),
        (lambda _: ["gore"], r"explains Saw \(2004\): expected Evidence, but got 'gore'"),
        (lambda _: [Evidence("joy", 0.5, "", "")], "evidence for 'joy', but asked were gore"),
        (lambda _: [Evidence("gore", NAN, "", "")], r"risk of 'gore' must be a number in 0\.\.1, but is nan"),
        (lambda _: [Evidence("gore", 0.5, None, "")], "source and detail must be text"),
    ],
    ids=["raises", "none", "text", "other-trait", "nan", "no-source"],
)
def test_an_oracle_that_explains_itself_otherwise_than_by_evidence_is_named(evidence, problem):
    with pytest.raises(PluginError, match=f"^oracle 'Explaining' {problem}|explains .*{problem}"):
        explain(Explaining(evidence), QUESTIONS[0])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda _: [Verdict(True)], "must answer 2 questions with a verdict each, but answered 1"),
        (lambda _: None, "must return a list of verdicts, but returned NoneType"),
        (lambda questions: (Verdict(True) for _ in questions), "but returned generator"),
        (lambda questions: questions.clear(), "failed: AttributeError"),
        (lambda _: Two([Verdict(True)] * 3), "must answer 2 questions with a verdict each, but answered 3"),
    ],
    ids=["few", "none", "generator", "edits", "wrong length"],
)
def test_an_oracle_that_does_not_answer_each_question_is_named(answer, problem):
    with pytest.raises(PluginError, match=f"^oracle 'Answering' .*{problem}"):
        ask(Answering(answer), QUESTIONS)


def test_an_oracle_that_answers_in_another_order_is_noticed():
    def sorted_by_name(questions):
        return [Verdict(True, {"gore": float(name == "Saw")}) for name, *_ in sorted(questions)[::-1]]

    oracle = Answering(sorted_by_name)

    with pytest.raises(PluginError, match=r"judges Saw \(2004\) otherwise when asked by itself"):
        check_order(oracle, QUESTIONS, ask(oracle, QUESTIONS))


class Reading(ListParser):
    """Finds the items that a test says."""

    def __init__(self, *items):
        self.items = items

    def __call__(self, text, *, finished=True):
        return ParsedList(self.items)

    def format(self, titles):
        return ""


def item(start, text_end, end, name="Saw", year=2004):
    return ParsedItem(name, year, start, end, text_end)


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([item(5, 3, 3)], "its span must be"),
        ([item(3, 3, 3)], "its span must be"),
        ([item(-1, 3, 3)], "its span must be"),
        ([item(0, 3, 99)], "its span must be 0 <= start < text_end <= end <= 20"),
        ([item(0, 5, 4)], "its span must be"),
        ([item(0, 9, 10), item(5, 15, 16)], "2: it begins at 5, before the end of the item before, 10"),
        ([item(10, 15, 16), item(0, 9, 10)], "2: it begins at 0"),
        ([item(0, 5, 6, year="2004")], "expected a name and a year or None"),
        ([item(0.0, 5, 6)], "must be integers"),
        ([("Saw", 2004)], "expected a ParsedItem, but got tuple"),
    ],
    ids=[
        *("reversed", "empty", "negative", "beyond", "text-beyond-line", "overlapping", "backwards"),
        *("text-year", "fraction", "tuple"),
    ],
)
def test_a_span_that_would_credit_other_tokens_is_refused(items, problem):
    with pytest.raises(PluginError, match=f"^parser 'Reading', item [12]?.*{problem}"):
        parse(Reading(*items), "x" * 20)
