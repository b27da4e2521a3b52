"""What a user means by naming a run."""

import pytest

from saferec_core.errors import ConfigError, RunError
from saferec_core.runs.locate import find_before_and_after, find_results


@pytest.fixture
def run(tmp_path):
    """Make a run folder with evaluations of these names."""

    def make(*names, folder="run"):
        place = tmp_path / folder
        (place / "evaluation").mkdir(parents=True)
        for name in names:
            (place / "evaluation" / f"{name}.parquet").touch()
        return place

    return make


def test_a_run_means_its_greedy_evaluation_after_training(run):
    place = run("before-greedy", "after-greedy", "after-sampled", "policy-greedy")

    assert find_results(place) == place / "evaluation" / "after-greedy.parquet"


def test_a_policy_evaluated_by_itself_stands_in_where_nothing_was_trained(run):
    place = run("policy-greedy", "before-greedy")

    assert find_results(place).name == "policy-greedy.parquet"


def test_time_and_decoding_can_be_chosen(run):
    place = run("before-greedy", "after-greedy", "before-sampled", "after-sampled-flip")

    assert find_results(place, when="before").name == "before-greedy.parquet"
    assert find_results(place, when="before", decoding="sampled").name == "before-sampled.parquet"
    assert find_results(place, decoding="sampled-flip").name == "after-sampled-flip.parquet"


def test_an_evaluation_folder_and_a_file_are_taken_as_they_are(run):
    place = run("after-greedy", "before-greedy")
    folder = place / "evaluation"

    assert find_results(folder) == folder / "after-greedy.parquet"
    assert find_results(folder / "before-greedy.parquet") == folder / "before-greedy.parquet"


def test_what_is_there_is_named_where_the_wanted_is_not(run):
    place = run("before-sampled", "after-sampled")

    with pytest.raises(
        RunError, match=r"no evaluation after-greedy or policy-greedy\. Available: after-sampled, b"
    ):
        find_results(place)
    with pytest.raises(RunError, match="Did you mean 'sampled'"):
        find_results(place, decoding="sample")
    with pytest.raises(RunError, match=r"no evaluation policy-sampled. Available"):
        find_results(place, when="policy", decoding="sampled")


def test_a_folder_without_evaluations_says_where_they_were_looked_for(run, tmp_path):
    with pytest.raises(RunError, match=r"holds no evaluation \(no .parquet file in .*evaluation\)"):
        find_results(run())
    with pytest.raises(RunError, match="does not exist; wanted a run folder"):
        find_results(tmp_path / "nothing")


def test_an_unknown_time_is_a_mistake(run):
    with pytest.raises(ConfigError, match="must be one of before, after, policy, but is 'later'"):
        find_results(run("after-greedy"), when="later")


def test_one_run_alone_is_compared_before_and_after(run):
    place = run("before-greedy", "after-greedy", "before-sampled", "after-sampled")

    before, after = find_before_and_after(place, decoding="sampled")
    assert (before.name, after.name) == ("before-sampled.parquet", "after-sampled.parquet")


def test_before_and_after_must_both_be_there(run):
    with pytest.raises(RunError, match=r"no evaluation before-greedy. Available: policy-greedy"):
        find_before_and_after(run("policy-greedy"))
    with pytest.raises(RunError, match="is one evaluation; name a second one"):
        find_before_and_after(run("after-greedy", folder="other") / "evaluation" / "after-greedy.parquet")
