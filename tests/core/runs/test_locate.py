"""What a user means by naming a run."""

import pytest

from saferec_core.errors import ConfigError, RunError
from saferec_core.runs.locate import find_before_and_after, find_results


@pytest.fixture
def run(tmp_path):
    """Make a run folder with evaluations of these names."""

    def make(*names, folder="run"):
        run_folder = tmp_path / folder
        (run_folder / "evaluation").mkdir(parents=True)
        for name in names:
            (run_folder / "evaluation" / f"{name}.parquet").touch()
        return run_folder

    return make


def test_a_run_means_its_greedy_evaluation_after_training(run):
    run_folder = run("before-greedy", "after-greedy", "after-sampled", "policy-greedy")

    assert find_results(run_folder) == run_folder / "evaluation" / "after-greedy.parquet"


def test_a_policy_evaluated_by_itself_stands_in_where_nothing_was_trained(run):
    run_folder = run("policy-greedy", "before-greedy")

    assert find_results(run_folder).name == "policy-greedy.parquet"


def test_time_and_decoding_can_be_chosen(run):
    run_folder = run("before-greedy", "after-greedy", "before-sampled", "after-sampled-flip")

    assert find_results(run_folder, when="before").name == "before-greedy.parquet"
    assert find_results(run_folder, when="before", decoding="sampled").name == "before-sampled.parquet"
    assert find_results(run_folder, decoding="sampled-flip").name == "after-sampled-flip.parquet"


def test_an_evaluation_folder_and_a_file_are_taken_as_they_are(run):
    run_folder = run("after-greedy", "before-greedy")
    folder = run_folder / "evaluation"

    assert find_results(folder) == folder / "after-greedy.parquet"
    assert find_results(folder / "before-greedy.parquet") == folder / "before-greedy.parquet"


def test_what_is_there_is_named_where_the_wanted_is_not(run):
    run_folder = run("before-sampled", "after-sampled")

    with pytest.raises(
        RunError, match=r"no evaluation after-greedy or policy-greedy\. Available: after-sampled, b"
    ):
        find_results(run_folder)
    with pytest.raises(RunError, match="Did you mean 'sampled'"):
        find_results(run_folder, decoding="sample")
    with pytest.raises(RunError, match=r"no evaluation policy-sampled. Available"):
        find_results(run_folder, when="policy", decoding="sampled")


def test_a_folder_without_evaluations_says_where_they_were_looked_for(run, tmp_path):
    with pytest.raises(RunError, match=r"holds no evaluation \(no .parquet file in .*evaluation\)"):
        find_results(run())
    with pytest.raises(RunError, match="does not exist; expected a run folder"):
        find_results(tmp_path / "nothing")


def test_an_unknown_time_is_a_mistake(run):
    with pytest.raises(ConfigError, match="must be one of before, after, policy, but is 'later'"):
        find_results(run("after-greedy"), when="later")


def test_one_run_alone_is_compared_before_and_after(run):
    run_folder = run("before-greedy", "after-greedy", "before-sampled", "after-sampled")

    before, after = find_before_and_after(run_folder, decoding="sampled")
    assert (before.name, after.name) == ("before-sampled.parquet", "after-sampled.parquet")


def test_before_and_after_must_both_be_there(run):
    with pytest.raises(RunError, match=r"no evaluation before-greedy. Available: policy-greedy"):
        find_before_and_after(run("policy-greedy"))
    with pytest.raises(RunError, match="is one evaluation; name a second one"):
        find_before_and_after(run("after-greedy", folder="other") / "evaluation" / "after-greedy.parquet")
