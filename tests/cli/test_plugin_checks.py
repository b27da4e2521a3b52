"""``saferec plugins new``, ``check`` and ``audit``."""

import json

REWARD = """
import saferec_core
from saferec_core.plugins.contracts.reward import RewardFunction

@saferec_core.hookimpl
def saferec_register_rewards(registry):
    registry.add("centred", "{module}:Centred", summary="Compares the lists of a batch.")

class Centred(RewardFunction):
    scope = "list"
    def __call__(self, lists):
        return lists.lengths - lists.lengths.mean()
"""


def test_new_writes_a_package_and_says_what_to_do_next(main, tmp_path):
    outcome = main("plugins", "new", "reward", "novelty")

    assert outcome.status == 0
    assert outcome.out.splitlines() == [
        "saferec-novelty: the reward novelty",
        "",
        "  pip install --editable 'saferec-novelty[test]'",
        "  python -m pytest saferec-novelty",
        "  saferec plugins check novelty",
    ]
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        "saferec-novelty/.github/workflows/test.yml",
        "saferec-novelty/README.md",
        "saferec-novelty/pyproject.toml",
        "saferec-novelty/saferec_novelty/__init__.py",
        "saferec-novelty/saferec_novelty/py.typed",
        "saferec-novelty/saferec_novelty/reward.py",
        "saferec-novelty/tests/test_reward.py",
    }


def test_new_of_a_folder_that_exists_ends_with_status_2(main, tmp_path):
    (tmp_path / "here").mkdir()
    outcome = main("plugins", "new", "metric", "spread", "--out", "here")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "error: here already exists; choose another folder with --out, or remove it\n"


def test_check_prints_the_property_that_fails_and_why(main, installed):
    installed("acme-rewards", REWARD.format(module="acme_rewards"))
    outcome = main("plugins", "check")

    assert outcome.status == 1
    lines = [line.strip() for line in outcome.out.splitlines()]
    assert lines[:2] == ["fails        reward centred (acme-rewards 1.2.3)", "siblings do not matter"]
    assert "comparing siblings is the normalizer's task" in lines[2]

    [checked] = json.loads(main("plugins", "check", "centred", "--json").out)
    assert list(checked["failures"]) == ["test_siblings_do_not_matter"]


def test_check_counts_the_properties_that_hold_and_says_which_do_not_apply(main):
    outcome = main("plugins", "check", "count", "--set", "target=3")

    assert outcome.status == 0
    head, *inapplicable = (" ".join(line.split()) for line in outcome.out.splitlines())
    assert head.startswith("holds reward count (saferec ")
    assert "does not apply: it is a gain: a cost is never above zero" in inapplicable

    [checked] = json.loads(main("plugins", "check", "count", "--set", "target=3", "--json").out)
    assert checked["properties"] == int(head.split()[-2])
    assert checked["does_not_apply"]["test_a_cost_is_never_above_zero"] == "it is a gain"


def test_check_says_what_it_needs_where_it_cannot_build_a_component(main, tmp_path):
    outcome = main("plugins", "check", "table")
    assert outcome.status == 0
    assert outcome.out.startswith("not checked  oracle table")
    assert "option 'path' is missing" in outcome.out

    assert "it needs rows such as it reads: --rows FILE" in main("plugins", "check", "keywords").out
    of_dialogues = main("plugins", "check", "from-redial")
    assert (of_dialogues.status, of_dialogues.out[:11]) == (0, "not checked")
    assert "it refuses the rows that the kit has (expected messages" in of_dialogues.out
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"title": "Saw", "year": 2004, "keywords": "gore"}) + "\n")
    checked = main("plugins", "check", "keywords", "--set", f"path={rows}", "--rows", rows)
    assert (checked.status, checked.out[:5]) == (0, "holds")


TRANSFORM = """
import saferec_core
from saferec_core.plugins.contracts.transform import Transform

@saferec_core.hookimpl
def saferec_register_transforms(registry):
    registry.add("long-played", "acme_times:LongPlayed", summary="Keeps what was played for long.")

class LongPlayed(Transform):
    columns = ("hours",)
    def __call__(self, rows):
        yield from (row for row in rows if row["hours"] > 1)
"""


def test_a_transform_is_not_tried_on_rows_without_the_columns_that_it_declares(main, installed):
    installed("acme-times", TRANSFORM)

    outcome = main("plugins", "check", "long-played")
    assert (outcome.status, outcome.out[:11]) == (0, "not checked")
    assert "it needs rows with the columns hours: --rows FILE" in outcome.out


def test_check_without_any_plugin_of_others_says_so(main):
    outcome = main("plugins", "check")

    assert outcome.out == "No plugin beside the built-in ones is installed; name one to check it.\n"


def test_options_without_the_component_that_they_belong_to_are_refused(main):
    outcome = main("plugins", "check", "--set", "target=3")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "error: --set and --rows belong to one component; name it\n"


def test_audit_shows_what_each_distribution_consists_of(main, installed):
    installed("acme-rewards", REWARD.format(module="acme_rewards"))
    described = {each["distribution"]: each for each in json.loads(main("plugins", "audit", "--json").out)}

    acme = described["acme-rewards"]
    assert acme["entry_points"] == {"main": "acme_rewards"}
    assert (acme["components"], acme["files"]) == (["reward:centred"], 1)
    assert "reward:safety" in described["saferec"]["components"]
    assert "acme-rewards 1.2.3" in main("plugins", "audit").out


def test_audit_finds_a_plugin_that_was_edited_after_it_was_installed(main, distribution, monkeypatch):
    site = distribution("acme-rewards", REWARD.format(module="acme_rewards"))
    record = site / "acme_rewards-1.2.3.dist-info" / "RECORD"
    record.write_text(f"acme_rewards.py,sha256={'A' * 43},0\nacme_lost.py,sha256={'A' * 43},0\n")
    monkeypatch.syspath_prepend(site)

    described = {each["distribution"]: each for each in json.loads(main("plugins", "audit", "--json").out)}

    acme = described["acme-rewards"]
    assert (acme["changed"], acme["missing"]) == (["acme_rewards.py"], ["acme_lost.py"])
    assert "changed since installed" in main("plugins", "audit").out


def test_the_hash_of_a_distribution_changes_with_its_files(main, distribution, monkeypatch):
    site = distribution("acme-hashed", REWARD.format(module="acme_hashed"))
    monkeypatch.syspath_prepend(site)

    def digest():
        [acme] = [
            each
            for each in json.loads(main("plugins", "audit", "--json").out)
            if each["distribution"] == "acme-hashed"
        ]
        return acme["sha256"]

    before = digest()
    assert digest() == before
    (site / "acme_hashed.py").write_text(REWARD.format(module="acme_hashed") + "# edited\n")
    assert digest() != before


OBSERVER = """
import saferec_core

@saferec_core.hookimpl
def saferec_evaluation_finished(event):
    print(event.metrics["recall@10"][0])
"""


def test_check_tries_observers_under_the_name_of_their_distribution(main, installed):
    installed("acme-watch", OBSERVER)

    outcome = main("plugins", "check", "acme-watch")

    assert outcome.status == 1
    lines = [line.strip() for line in outcome.out.splitlines()]
    assert "fails        observer acme-watch (acme-watch 1.2.3)" in lines
    assert "the process stays as it was" in lines
    assert "it takes events that say little" in lines


def test_show_and_list_name_an_observer_and_the_events_that_it_follows(main, installed):
    installed("acme-watch", OBSERVER)

    listed, shown = main("plugins", "list"), main("plugins", "show", "acme-watch")

    assert "Observes runs: evaluation finished." in " ".join(listed.out.split())
    assert (listed.status, shown.status) == (0, 0)
    assert shown.out.startswith("acme-watch (observer): Observes runs.")
    assert "saferec_evaluation_finished" in shown.out


def test_a_new_evidence_source_says_which_table_its_check_reads(main):
    outcome = main("plugins", "new", "evidence", "hotline")

    table = "saferec-hotline/tests/table.csv"
    assert outcome.out.startswith("saferec-hotline: the evidence source hotline")
    assert outcome.out.endswith(f"  saferec plugins check hotline --set path={table} --rows {table}\n")
