"""What a report says of a run, and what it refuses to say."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
import torch
import yaml

from saferec_core.analysis.results import MetricFacts, results_of
from saferec_core.errors import ConfigError, DataError, PluginError, RunError
from saferec_core.plugins.contracts.normalizer import Advantages
from saferec_core.plugins.contracts.oracle import Evidence, Oracle, Verdict
from saferec_core.report import packing, write_report
from saferec_core.report.boards import board
from saferec_core.report.curves import curve_sections
from saferec_core.report.estimates import Estimator, trait_estimates
from saferec_core.report.moments import Moment
from saferec_core.report.packing import pack
from saferec_core.report.pictures import checkpoint_pareto, policy_pareto, trait_bars
from saferec_core.report.progress import unfinished
from saferec_core.report.reading import read_run, read_runs
from saferec_core.report.samples import evenly, held_out_groups, rollout_groups
from saferec_core.report.tables import metric_table
from saferec_core.rl.rollout_log import TOKENS_KEPT, rollout_rows

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & <!-- \u2028"
FACTS = {
    "sensitivity_ratio@5": MetricFacts(
        "lower", "mean", "Violations.", "Sensitivity Ratio", "share of titles", "safety"
    ),
    "recall@5": MetricFacts("higher", "mean", "Share of the ground truth & more.", role="relevance"),
    "list_length": MetricFacts("none", "mean", "Titles.", role="list"),
}
AXES = {name: FACTS[name] for name in ("recall@5", "sensitivity_ratio@5")}


def title(name, *, hit=False, inside=True, known=True, violated=(), repeated=False, seen=False):
    return {
        "title": name,
        "year": 2001,
        "hit": hit,
        "in_catalog": inside,
        "repeated": repeated,
        "seen": seen,
        "known": known,
        "violated": list(violated),
    }


def evaluation(recall, *, violations=0.0, traits=("Gore",), titles=(), protocol="p", **facts):
    """Make an evaluation of one completion per user, with as many users as *recall* has values."""
    number = len(recall)
    rows = [
        {
            "record": record,
            "sample": 0,
            "user": f"user {record}",
            "constraints": list(traits),
            "prompt": [{"role": "user", "content": HOSTILE}],
            "groundtruth": [{"title": "Up", "year": 2009}],
            "completion": f"{HOSTILE}\nUp (2009)",
            "titles": list(titles),
            "events": [],
        }
        for record in range(number)
    ]
    values = {
        "recall@5": recall,
        "sensitivity_ratio@5": violations if isinstance(violations, list) else [violations] * number,
        "list_length": [5.0] * number,
    }
    return results_of(
        rows,
        values,
        protocol={"id": protocol, **facts},
        policy="policy",
        data_sha256="0" * 64,
        metrics=FACTS,
    )


def rollout(step=1, record=3, **changes):
    return {
        "step": step,
        "record": record,
        "prompt": [{"role": "user", "content": HOSTILE}],
        "constraints": ["Gore"],
        "groundtruth": [["Up", 2009]],
        "completion": "Up (2009)\nSaw (2004)\nWho? (1999)",
        "titles": [["Up", 2009], ["Saw", 2004], ["Who?", 1999]],
        "events": [],
        "hit": [True, False, False],
        "in_catalog": [True, True, False],
        "repeated": [False, False, True],
        "seen": [False, True, False],
        "known": [True, True, False],
        "violated": [[], ["Gore"], []],
        "evidence": [[], [{"trait": "Gore", "risk": 0.91, "source": "s", "detail": HOSTILE}], []],
        "reward": {"relevance": [1.0, 0.0, 0.0, None], "count": -0.25},
        "advantage": [0.5, -1.25, 0.123456, 0.0],
        "list_advantage": -0.5,
        "tokens": [[0, [0, 3, 9]], [1, [10, 14]], [2, [21]], [None, [None]]],
        **changes,
    }


LOGS = [
    {"stage": "Safe-Rank-GRPO", "step": step, "reward/safety": -1 / step, "violation_rate": 0.5, "kl": 0.1}
    for step in (1, 2, 3)
] + [{"stage": "Safe-Rank-GRPO", "step": 3, "train_runtime": 1.0}]
CHECKPOINTS = {
    "rule": "highest recall@5",
    "chosen": "checkpoint-2",
    "sentence": "It is the highest.",
    "protocol": "p",
    "checkpoints": {
        f"checkpoint-{step}": {"recall@5": [step / 10, 0.0, 0.5], "sensitivity_ratio@5": [0.1, 0.0, 0.2]}
        for step in (1, 2)
    },
}


@pytest.fixture
def run(tmp_path):
    """Make a run folder; what it holds is said by name."""

    def make(name="run", *, logs=LOGS, rollouts=(), evaluations=None, checkpoints=None, config=None):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        settings = {"seed": 1, "rewards": {"safety": {"weight": 2.0}}, **(config or {})}
        (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        for file, rows in (("metrics.jsonl", logs), ("rollouts.jsonl", rollouts)):
            if rows:
                (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        for stem, results in (evaluations or {}).items():
            results.write(folder / "evaluation" / f"{stem}.parquet")
        if checkpoints:
            (folder / "evaluation").mkdir(exist_ok=True)
            (folder / "evaluation" / "checkpoints.json").write_text(json.dumps(checkpoints), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def full(run):
    """A run with everything."""
    titles = [
        title("Up", hit=True),
        title("Saw", violated=["Gore"]),
        title("Who?", inside=False, known=False),
    ]
    return run(
        rollouts=[rollout(), rollout(), rollout(2)],
        evaluations={
            "before-greedy": evaluation([0.0] * 20, violations=0.5, titles=titles),
            "after-greedy": evaluation([0.5] * 20, violations=0.25, titles=titles[:1]),
        },
        checkpoints=CHECKPOINTS,
    )


class Page(HTMLParser):
    """The scripts of a page, what its elements refer to, and the elements that its text made."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.references, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append(given.get("type", "text/javascript"))
        self.references += [given[name] for name in ("src", "href") if name in given]
        assert not [name for name in given if name.startswith("on")], given


def unpacked(packed):
    return json.loads(gzip.decompress(base64.b64decode(packed.text)))


# --- reading ---------------------------------------------------------------------------------------


def test_a_run_is_read_with_its_stages_in_the_order_they_were_trained(run):
    folder = run()
    run("run/sft", logs=[{"stage": "Safe SFT", "step": 1, "loss": 2.0}], checkpoints=CHECKPOINTS)
    loaded = read_run(folder)

    assert [stage.name for stage in loaded.stages] == ["Safe SFT", "Safe-Rank-GRPO"]
    assert loaded.stages[0].checkpoints.chosen == "checkpoint-2"
    assert loaded.stages[1].checkpoints is None
    assert loaded.evaluations == {}


def test_runs_of_one_name_are_told_apart_by_their_parents(run):
    folders = [run("a/run"), run("b/run"), run("c/other")]

    assert [loaded.name for loaded in read_runs(folders)] == ["a/run", "b/run", "other"]


def test_a_run_is_not_compared_with_itself(run):
    folder = run()

    with pytest.raises(RunError, match="named twice"):
        read_runs([folder, folder / ".." / "run"])


def test_a_second_protocol_of_the_same_decoding_is_kept_apart(run):
    loaded = read_run(
        run(evaluations={f"policy-{name}": evaluation([0.5] * 3) for name in ("greedy", "greedy-1f0c33a9")})
    )

    assert set(loaded.evaluations) == {Moment("policy", "greedy"), Moment("policy", "greedy-1f0c33a9")}


def test_the_chosen_checkpoint_stands_in_where_no_policy_was_evaluated(run):
    folder = run(checkpoints=CHECKPOINTS, evaluations={"checkpoint-2-greedy": evaluation([0.5] * 3)})

    assert set(read_run(folder).evaluations) == {Moment("chosen", "greedy")}


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.yaml", "a: [", "is not valid YAML"),
        ("manifest.json", "{", "is not valid JSON"),
        ("manifest.json", "[]", "must contain an object"),
        ("metrics.jsonl", '{"step": 1}\n{"step": 2\n{"step": 3}\n', "metrics.jsonl, line 2"),
        ("metrics.jsonl", '{"loss": 1}\n', "needs a step"),
        ("rollouts.jsonl", '{"step": 1}\n', "a rollout needs advantage, completion"),
        ("rollouts.jsonl", json.dumps(rollout(titles=7)) + "\n", "rollouts.jsonl, step 1, record 3"),
        ("evaluation/after-greedy.parquet", "PAR1", "does not hold a readable evaluation"),
        ("evaluation/checkpoints.json", '{"rule": "r"}', "is not what saferec writes"),
    ],
)
def test_a_damaged_file_is_named_and_nothing_is_written(full, tmp_path, file, content, message):
    (full / file).write_text(content, encoding="utf-8")
    out = tmp_path / "report.html"

    with pytest.raises((DataError, ConfigError), match=re.escape(message)) as caught:
        write_report([full], out)
    assert file.rpartition("/")[2] in str(caught.value)
    assert not out.exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"is not a run folder: it has no config\.yaml"):
        write_report([tmp_path], tmp_path / "report.html")
    with pytest.raises(RunError, match="does not exist; expected a run folder"):
        write_report([tmp_path / "nowhere"], tmp_path / "report.html")


# --- writing ---------------------------------------------------------------------------------------


def test_only_a_report_is_replaced_unless_told_otherwise(full, tmp_path):
    out = tmp_path / "report.html"
    out.write_text("<h1>my notes</h1>", encoding="utf-8")

    with pytest.raises(RunError, match="is not a saferec report; choose another --out, or give --overwrite"):
        write_report([full], out)
    assert out.read_text(encoding="utf-8") == "<h1>my notes</h1>"
    assert write_report([full], out, overwrite=True) == out
    write_report([full], out)
    with pytest.raises(RunError, match="is a folder; name the file"):
        write_report([full], tmp_path)


def test_the_packages_that_pages_need_are_asked_for_by_their_extra(full, tmp_path, monkeypatch):
    monkeypatch.setattr("saferec_core.report.page.find_spec", lambda name: None if name == "altair" else 1)

    with pytest.raises(ConfigError, match=re.escape("a report needs altair: pip install 'saferec[data]'")):
        write_report([full], tmp_path / "report.html")


def test_a_page_is_one_small_file_that_refers_to_nothing(full, tmp_path):
    text = write_report([full], tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)

    assert len(text) < 2e6
    assert [reference for reference in page.references if not reference.startswith(("#", "data:,"))] == []
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert page.scripts == ["application/json", "application/json", "text/plain", *["text/javascript"] * 2]


def test_text_of_the_data_stays_text(full, run, tmp_path):
    other = run(f"{'<b>' * 3}&run", evaluations={"after-greedy": evaluation([0.5] * 20, traits=[HOSTILE])})
    text = write_report([full, other], tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)

    assert "alert(1)</script>" not in text
    assert len(page.scripts) == 5
    assert not {"img", "iframe"} & set(page.tags)
    assert "&lt;b&gt;" in text


def test_a_run_with_nothing_but_its_settings_has_a_page(run, tmp_path):
    text = write_report([run(logs=())], tmp_path / "report.html").read_text(encoding="utf-8")

    assert "No evaluation is stored for this run" in text
    assert "No rollouts and no evaluation are stored for this run" in text
    assert 'id="curves"' not in text


# --- tables ----------------------------------------------------------------------------------------


def table(**policies):
    return metric_table("Title", "Title", policies, Estimator())


def test_a_difference_stands_beside_both_values_with_its_verdict():
    shown = table(before=evaluation([0.0, 0.1] * 20), after=evaluation([0.5, 0.6] * 20, violations=1.0))
    recall, safety, length = shown.rows

    assert (recall.metric, safety.metric) == ("recall@5", "sensitivity_ratio@5")  # relevance first
    assert [cell.sort for cell in recall.values] == pytest.approx([0.05, 0.55])
    assert recall.values[0].bounds.startswith("[0.0")
    (change,) = recall.changes
    assert (change.figure.text, change.verdict, change.p) == ("+0.50", "better", "<0.001")
    (change,) = safety.changes
    assert (change.figure.sort, change.figure.text, change.verdict) == (1.0, "+100 pts", "worse")
    (change,) = length.changes
    assert (change.figure.sort, change.verdict, change.whisker) == (0.0, "", None)


def test_other_protocols_stand_side_by_side_with_a_warning():
    shown = table(a=evaluation([0.1] * 20), b=evaluation([0.2] * 20, protocol="q", num_ranks=7))

    assert shown.comparisons == [None]
    assert [row.changes for row in shown.rows] == [[None]] * 3
    assert shown.protocols == ["p", "q"]
    (remark,) = shown.remarks
    assert remark.startswith("b was evaluated differently from a, so their figures are shown side by side")
    assert "num_ranks: not stated in a, 7 in b" in remark
    assert board(shown).outcomes == [("b", None)]


def test_the_board_tells_what_got_worse_beside_what_got_better_and_what_cannot_be_claimed():
    noise = [0.0, 0.2, 0.1, 0.4] * 10
    headline = board(
        table(
            before=evaluation(noise, violations=[0.2, 0.4] * 20),
            after=evaluation(list(reversed(noise)), violations=[0.1] * 40),
        )
    )

    ((name, outcome),) = headline.outcomes
    assert name == "after"
    assert (outcome.better, outcome.unclaimed, outcome.unchanged) == (
        ["Sensitivity Ratio@5"],
        ["Recall@5"],
        ["List length"],
    )
    assert [row.name for row in headline.rows] == ["Recall@5", "Sensitivity Ratio@5", "List length"]
    (change,) = headline.rows[1].changes
    assert change.between == ("30.0%", "10.0%")
    assert change.figure.text == "\N{MINUS SIGN}20.0 pts"


def test_greedy_and_sampled_lists_both_stand_on_the_first_screen(run, tmp_path):
    stems = {
        f"{when}-{kind}": evaluation([value] * 20)
        for when, value in (("before", 0.1), ("after", 0.5))
        for kind in ("greedy", "sampled")
    }
    text = write_report([run(evaluations=stems)], tmp_path / "report.html").read_text(encoding="utf-8")
    first_screen = text[text.index("<header") : text.index("</header>")]

    assert "Greedy lists, before and after" in first_screen
    assert "Sampled lists, before and after" in first_screen


def guided_run(run, *stems):
    """Make a run with free lists before and after training, and guided lists that violate nothing."""
    free = {f"{when}-greedy": evaluation([0.1] * 20, violations=0.5) for when in ("before", "after")}
    choices = {"guided": True, "unknown": "allow"}
    guided = {stem: evaluation([0.4] * 20, protocol="g", **choices) for stem in stems}
    return run(evaluations=free | guided)


def headings(page):
    return re.findall(r'<section class="board" aria-label="([^"]*)"', page)


def test_what_the_guarantee_costs_and_what_training_adds_under_it_stand_on_the_first_screen(run, tmp_path):
    folder = guided_run(run, "before-greedy-guided", "policy-greedy-guided")
    page = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")

    assert headings(page) == [
        "Greedy lists, before and after",
        "Greedy lists, free and guided",
        "Guided greedy lists, before and after",
    ]
    board_ = page[page.index("Greedy lists, free and guided") : page.index("Guided greedy lists, before")]
    assert "Better: Recall@5 and Sensitivity Ratio@5." in board_
    assert "evaluated differently" not in page  # guidance is what the table is about
    assert "saferec eval" not in page[: page.index("</header>")]


def test_a_page_says_which_command_shows_guided_lists(run, tmp_path):
    free = guided_run(run)
    page = write_report([free], tmp_path / "free.html").read_text(encoding="utf-8")
    assert f"saferec eval {free} --guided" in page
    assert headings(page) == ["Greedy lists, before and after"]


def test_guided_lists_of_another_protocol_are_not_compared_with_free_ones(run, tmp_path):
    other = evaluation([0.4] * 20, protocol="g", guided=True, unknown="allow", num_ranks=3)
    stems = {"after-greedy": evaluation([0.1] * 20, num_ranks=5), "policy-greedy-guided": other}
    page = write_report([run(evaluations=stems)], tmp_path / "r.html").read_text(encoding="utf-8")

    assert "num_ranks: 5 in free, 3 in guided" in page
    assert "--before --guided" in page


def test_traits_with_few_users_are_not_shown():
    results = evaluation([0.5] * 9, titles=[title("Saw", violated=["Gore"])])
    (by_trait,) = table(before=results, after=results).by_trait(["recall@5"])
    (row,) = by_trait.rows

    assert (row.trait, row.users, row.changes) == ("Gore", None, [None])
    assert trait_bars({"before": results}, 5).picture is None
    assert trait_bars({"before": results}, 5).suppressed == ["Gore"]


def test_a_traits_share_counts_the_violations_of_that_very_trait_in_the_top():
    titles = [title("Up"), title("Saw", violated=["Gore"]), title("It", violated=["Fear"])]
    by_trait = trait_estimates(evaluation([0.5] * 12, traits=("Gore", "Fear"), titles=titles), 2)

    assert {trait: estimate.mean for trait, estimate in by_trait.items()} == {"Gore": 1.0, "Fear": 0.0}
    assert by_trait["Gore"].interval == "wilson"


# --- pictures --------------------------------------------------------------------------------------


def test_curves_are_thinned_by_averaging_and_mark_the_chosen_checkpoint(run):
    logs = [{"stage": "S", "step": step, "reward/safety": float(step % 2)} for step in range(1, 1001)]
    (section,) = curve_sections([read_run(run(logs=logs, checkpoints=CHECKPOINTS))])
    (panel,) = section.panels
    data = list(panel.spec["datasets"].values()) if "datasets" in panel.spec else []
    data += [layer["data"]["values"] for layer in panel.spec["layer"] if "values" in layer.get("data", {})]
    rows = next(rows for rows in data if "value" in rows[0])

    assert (section.averaged, section.steps, section.chosen) == (3, 1000, {"run": "checkpoint-2"})
    assert panel.title == "Reward: safety"
    assert len(rows) == 334
    assert rows[0]["value"] == pytest.approx(2 / 3, abs=1e-5)  # steps 1, 2, 3
    assert [{"step": 2, "run": "run"}] in data


def test_a_limited_share_is_drawn_with_its_limit(run):
    logs = [{"stage": "S", "step": step, "limited/violation_rate[Sad ends]": 0.1 / step} for step in (1, 2)]
    config = {"limits": {"limit": ["violation_rate[Sad ends] <= 0.02", "wasted<=0.01"]}}
    (section,) = curve_sections([read_run(run(logs=logs, config=config))])
    (panel,) = section.panels

    assert panel.title == "Limited share: violation_rate[Sad ends]"
    assert panel.spec["datasets"]["bounds"] == [{"run": "run", "bound": 0.02}]
    assert panel.description.endswith("The limit is 0.02.")


def points_of(picture):
    data = [layer["data"]["values"] for layer in picture.spec["layer"] if "values" in layer.get("data", {})]
    data += [picture.spec["data"]["values"]] if "data" in picture.spec else []
    data += list(picture.spec.get("datasets", {}).values())
    return {(row["run"], row["name"]) for rows in data for row in rows}


def test_a_pareto_picture_holds_lists_of_one_decoding_and_one_split_only(run):
    loaded = read_run(
        run(
            evaluations={
                f"{when}-{kind}": evaluation([0.5] * 3)
                for when in ("before", "after")
                for kind in ("greedy", "sampled")
            },
            checkpoints=CHECKPOINTS,
        )
    )

    for kind in ("greedy", "sampled"):
        picture = policy_pareto([loaded], kind, AXES, Estimator())
        assert points_of(picture) == {("run", "before"), ("run", "after")}
        assert f"{kind} lists, test records" in picture.description
    picture = checkpoint_pareto([loaded], AXES)
    assert points_of(picture) == {("run", "step 1"), ("run", "step 2 (chosen)")}
    assert "validation records" in picture.description


def test_one_policy_alone_has_no_pareto_picture(run):
    loaded = read_run(run(evaluations={"policy-greedy": evaluation([0.5] * 3)}))

    assert policy_pareto([loaded], "greedy", AXES, Estimator()) is None
    assert checkpoint_pareto([loaded], AXES) is None


# --- runs that did not come to their end -----------------------------------------------------------


def test_a_finished_run_has_nothing_left_undone(full):
    assert unfinished(read_run(full)) == []


@pytest.mark.parametrize(
    ("optimization", "sentence"),
    [
        ({"max_steps": 20}, "Safe-Rank-GRPO stopped at step 3 of 20, or is still running."),
        (
            {"max_steps": -1, "num_train_epochs": 2},
            "Safe-Rank-GRPO stopped at step 3 of 12, or is still running.",
        ),
        ({}, "Safe-Rank-GRPO stopped at step 3, or is still running."),
    ],
    ids=["steps", "epochs", "unknown"],
)
def test_an_interrupted_run_says_where_it_stopped(run, tmp_path, optimization, sentence):
    logs = [{**row, "epoch": row["step"] / 6} for row in LOGS if "train_runtime" not in row]
    folder = run(logs=logs, config={"optimization": optimization})

    assert unfinished(read_run(folder)) == [sentence]
    (folder / "manifest.json").write_text('{"stage": "train"}', encoding="utf-8")
    assert unfinished(read_run(folder)) == [
        sentence,
        f"To continue it: saferec train --resume-from {folder}.",
    ]
    text = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "This run is not finished." in text
    assert sentence in text


@pytest.mark.parametrize("kept", [True, False])
def test_what_became_of_the_limits_stands_on_the_first_screen_as_a_warning_if_one_was_not_kept(
    full, tmp_path, kept
):
    verdicts = [
        {"kept": True, "sentence": "The limit wasted <= 0.05 was kept: 0.04."},
        {"kept": kept, "sentence": "The limit violation_rate <= 0.02 ends at 0.03."},
    ]
    (full / "manifest.json").write_text(json.dumps({"stage": "train", "limits": verdicts}), encoding="utf-8")

    text = write_report([full], tmp_path / "report.html").read_text(encoding="utf-8")

    said = "<b>Limits in training:</b> The limit wasted &lt;= 0.05 was kept: 0.04. The limit violation_rate"
    (line,) = [line for line in text.splitlines() if said in line]
    assert ('class="warning"' in line) != kept
    assert text.index(said) < text.index("All metrics")


def test_a_run_that_was_not_evaluated_after_training_says_so(run):
    folder = run(evaluations={"before-greedy": evaluation([0.5] * 3)})

    assert unfinished(read_run(folder)) == [
        "Training finished, but the greedy lists after it were not evaluated."
    ]


# --- the lists -------------------------------------------------------------------------------------


def test_evenly_takes_the_ends_and_never_more_than_asked():
    assert evenly(3, 5) == [0, 1, 2]
    assert evenly(11, 3) == [0, 5, 10]
    assert evenly(11, 1) == [0]
    assert evenly(11, 0) == []


def test_rollouts_keep_marks_rewards_advantages_evidence_and_tokens(full):
    groups, stored = rollout_groups(read_run(full), 100)

    assert stored == 3
    assert [(group["when"], len(group["rows"])) for group in groups] == [
        ("training, step 1", 2),
        ("training, step 2", 1),
    ]
    row = groups[0]["rows"][0]
    assert row["marks"] == "01221c"  # hit; violation and seen; unknown, out of catalog and repeated
    assert row["reward"] == {"relevance": [1.0, 0.0, 0.0, None], "count": -0.25}
    assert row["advantage"] == [0.5, -1.25, 0.123, 0.0]
    assert row["evidence"] == {"1": [["Gore", 0.91, "s", HOSTILE]]}
    assert row["tokens"] == [[0, 0, 3, 6], [1, 10, 4], [2, 21], [None, None]]


def test_rollouts_of_an_older_run_have_no_unknown_titles_and_no_tokens(run):
    newer = {"known", "evidence", "tokens", "repeated", "seen"}
    old = {name: value for name, value in rollout().items() if name not in newer}
    ((group,), _) = rollout_groups(read_run(run(rollouts=[old])), 100)

    assert group["rows"][0]["marks"] == "010208"
    assert group["rows"][0]["tokens"] == []


def test_too_many_rollouts_are_thinned_group_by_group(run):
    rows = [rollout(step) for step in range(1, 51) for _ in range(4)]
    groups, stored = rollout_groups(read_run(run(rollouts=rows)), 20)

    assert stored == 200
    assert [len(group["rows"]) for group in groups] == [4] * 5
    assert [group["when"].rpartition(" ")[2] for group in groups] == ["1", "13", "25", "38", "50"]


def test_held_out_lists_stand_before_and_after_side_by_side(full):
    groups, stored = held_out_groups(read_run(full), 5)

    assert stored == 40
    assert [group["record"] for group in groups] == [0, 5, 10, 14, 19]
    assert [row["label"] for row in groups[0]["rows"]] == ["before", "after"]
    assert [row["marks"] for row in groups[0]["rows"]] == ["01020c", "01"]


def test_a_title_without_a_rank_that_counts_has_no_mark(run):
    titles = [title("Up", hit=True), {**title("Later"), "hit": None}, title("Saw", violated=["Gore"])]
    ((group,), _) = held_out_groups(
        read_run(run(evaluations={"policy-greedy": evaluation([0.5], titles=titles)})), 5
    )

    assert group["rows"][0]["marks"] == "01--02"


def test_packed_lists_fit_and_hold_each_prompt_once(full, monkeypatch):
    run = read_run(full)
    packed = pack([run])
    content = unpacked(packed)

    assert content["prompts"] == [[["user", HOSTILE]]]
    assert (packed.rollouts, packed.with_tokens, packed.held_out) == (3, 3, 40)
    monkeypatch.setattr(packing, "_BYTES", len(packed.text) - 1)
    smaller = pack([run])
    assert len(smaller.text) < len(packed.text)
    assert (smaller.stored_rollouts, smaller.stored_held_out) == (3, 40)
    assert smaller.rollouts + smaller.held_out < 43


# --- what a training step keeps --------------------------------------------------------------------


class Scored(SimpleNamespace):
    """A generation batch, as far as the log looks at it."""


def scored(world, plugins, *, oracle=None, completions=1):
    """Score a completion of three lines in a tokenizer in which a title is several tokens."""
    from saferec_core.config.schema import TrainConfig
    from saferec_core.evaluation.setup import assemble
    from saferec_core.models.decoding import TokenAligner
    from saferec_core.models.loading import load_tokenizer
    from saferec_core.plugins.contracts.judge import Judge
    from saferec_core.rl.rollouts import RolloutScorer
    from saferec_core.training.setup import build_rewards

    config = TrainConfig.model_validate(
        {
            "model": {"model": str(world / "pieces")},
            "data": {
                "train_path": world / "train.jsonl",
                "catalog_path": world / "catalog.jsonl",
                "max_records": 40,
            },
            "oracle": {"name": "table", "path": world / "oracle.jsonl"},
            "num_ranks": 2,
            "rewards": {"relevance": {}, "safety": {}, "count": {"target": 2}},
            "evaluation": {"eval_at": [1]},
        }
    )
    rewards = build_rewards(config, plugins)
    parts = assemble(config, plugins, rewards=rewards)
    tokenizer = load_tokenizer(str(world / "pieces"), config.model)
    record = next(record for record in parts.train if record.constraints)
    scorer = RolloutScorer(
        records=[record],
        parser=parts.parser,
        judge=Judge(parts.judge.catalog, oracle or parts.judge.oracle),
        rewards=rewards,
        num_ranks=2,
        aligner=TokenAligner(tokenizer),
        end_ids=frozenset({tokenizer.eos_token_id}),
    )
    text = "Skyfall (2012)\nnot a title\nGone Girl (2014)\nAvatar (2009)"
    ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    rollouts = scorer([ids] * completions, [0] * completions)
    advantages = Advantages(
        rank=torch.tensor([[0.5, -1.0]] * completions), list=torch.tensor([0.25] * completions)
    )
    batch = Scored(step=7, record_ids=[0] * completions, rollouts=rollouts, advantages=advantages)
    return list(rollout_rows(batch, rewards)), text, record


def test_a_rollout_keeps_which_token_received_which_advantage(world, plugins):
    (row,), text, record = scored(world, plugins)
    runs = row["tokens"]

    assert [rank for rank, _ in runs] == [0, None, 1, None]  # the third title is beyond K
    starts = [start for _, run in runs for start in run]
    assert starts[0] == 0
    assert starts[-1] is None  # the end of the completion writes nothing
    assert starts[:-1] == sorted(starts[:-1])
    assert runs[2][1][0] == text.index("Gone Girl")
    assert row["groundtruth"] == [list(title) for title in record.groundtruth]
    assert (row["advantage"], row["list_advantage"]) == ([0.5, -1.0], 0.25)


def test_tokens_of_the_first_completions_alone_are_kept(world, plugins):
    rows, _, _ = scored(world, plugins, completions=TOKENS_KEPT + 2)

    assert [row["tokens"] is not None for row in rows] == [True] * TOKENS_KEPT + [False] * 2


class Judging(Oracle):
    """An oracle that finds every title to violate, with or without a reason."""

    traits = ()

    def judge(self, questions):
        return [Verdict(known=True, risks={}, violated=question.constraints[:1]) for question in questions]


class Reasoning(Judging):
    def explain(self, question):
        trait = question.constraints[0]
        return [Evidence(trait, 0.9, "s", "d" * 999)] * 9


class Stumbling(Judging):
    def explain(self, question):
        raise ZeroDivisionError("oops")


def test_evidence_is_the_oracles_own_for_what_is_violated_and_bounded(world, plugins):
    (row,), _, record = scored(world, plugins, oracle=Reasoning())
    first, second = row["evidence"]  # K = 2

    assert first == second
    assert [evidence["trait"] for evidence in first] == [record.constraints[0]] * 3
    assert first[0] == {"trait": record.constraints[0], "risk": 0.9, "source": "s", "detail": "d" * 300}


def test_an_oracle_that_does_not_explain_leaves_the_bare_trait(world, plugins):
    (row,), _, record = scored(world, plugins, oracle=Judging())
    (evidence,) = row["evidence"][0]

    assert (evidence["trait"], evidence["source"], evidence["detail"]) == (record.constraints[0], "", "")
    assert evidence["risk"] != evidence["risk"]  # nobody gave one


def test_an_oracle_that_fails_to_explain_is_named(world, plugins):
    with pytest.raises(PluginError, match="oracle 'Stumbling' failed to explain: ZeroDivisionError: oops"):
        scored(world, plugins, oracle=Stumbling())
