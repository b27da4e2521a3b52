"""``saferec report``, and the report that ``saferec train`` writes."""

import json
import shutil
import sys

import pytest


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """A run of one step, trained in this process."""
    from saferec_cli.main import main

    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["saferec", "train", str(tiny / "run.yaml")])
        with pytest.raises(SystemExit) as ending:
            main()
    assert not ending.value.code
    return folder / "runs" / "run"


def test_a_training_run_ends_with_its_report(trained):
    text = (trained / "report.html").read_text(encoding="utf-8")

    assert "<title>run: saferec report</title>" in text
    assert "Greedy lists, before and after" in text
    assert "Reward: safety" in text


def test_the_tokens_of_a_rollout_begin_in_the_line_of_their_title(trained):
    rows = lines(trained / "rollouts.jsonl")

    assert rows
    for row in rows:
        for rank, starts in row["tokens"]:
            line = row["completion"].count("\n", 0, starts[0]) if starts[0] is not None else -1
            written = row["completion"].split("\n")[line]
            assert rank is None or row["titles"][rank][0] in written
        assert len(row["known"]) == len(row["hit"]) == min(len(row["titles"]), 5)


def test_a_report_goes_into_the_runs_folder_unless_told_otherwise(main, trained, tmp_path):
    (trained / "report.html").unlink()
    outcome = main("report", trained)
    elsewhere = main("report", trained, "--out", tmp_path / "pages" / "mine.html")

    assert (outcome.status, elsewhere.status) == (0, 0)
    assert outcome.out.startswith(f"Report: {trained / 'report.html'} (")
    assert (trained / "report.html").is_file()
    assert (tmp_path / "pages" / "mine.html").is_file()


def test_a_report_on_several_runs_goes_into_the_current_folder(main, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "other")
    outcome = main("report", trained, "other")

    assert outcome.status == 0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<title>run, other: saferec report</title>" in text
    assert "<b>other</b> compared with run:" in text


def test_what_cannot_be_reported_on_is_one_message_and_status_2(main, tmp_path, trained):
    (tmp_path / "report.html").write_text("my own page", encoding="utf-8")
    nothing = main("report", tmp_path / "nowhere")
    taken = main("report", trained, "--out", "report.html")

    assert (nothing.status, taken.status) == (2, 2)
    assert nothing.err == f"error: {tmp_path / 'nowhere'} does not exist; expected a run folder\n"
    assert "is not a saferec report" in taken.err
    several = main("report", "nowhere", trained, "gone").err.splitlines()
    assert [line.partition(" does not exist")[0] for line in several] == [
        "error: 2 problems",
        "  nowhere",
        "  gone",
    ]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "my own page"


def test_a_run_without_the_packages_for_a_report_says_so_and_ends_well(main, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("saferec_core.report.page.find_spec", lambda _: None)
    outcome = main("train", tiny / "run.yaml", "--eval-prompts", 0)

    assert outcome.status == 0
    assert "No report was written: a report needs altair, vl_convert" in " ".join(outcome.out.split())
    assert not (tmp_path / "runs" / "run" / "report.html").exists()
