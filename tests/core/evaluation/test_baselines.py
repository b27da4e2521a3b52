import pytest

from saferec_core.data.catalog import Catalog, read_catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import UnknownNameError
from saferec_core.evaluation.baselines import BASELINES, CoOccurrence, Popularity, RandomTitles, baseline
from saferec_core.models.guided.allowed import AllowedTitles
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.testing import StatedOracle

A, B, C, D = (Title(name, 2000) for name in "ABCD")
CATALOG = Catalog([A, B, C, D])
ORACLE = StatedOracle({"A": [], "B": ["gore"], "C": []}, traits=["gore"])  # D is unknown


def record(*truth, seen=(), constraints=()):
    return Record(prompt=(), groundtruth=truth, seen_titles=seen, constraints=constraints)


TRAIN = [record(B, C), record(B), record(C, Title("not in the catalog", 1990)), record(B, D)]  # B 3, C 2, D 1


def ranked(recommender, user, *, position=0, num_titles=4, safe=False, unknown="allow"):
    allowed = AllowedTitles(Judge(CATALOG, ORACLE), unknown)
    titles = recommender.rank(user, position, num_titles, allowed, safe=safe)
    return "".join(title.name for title in titles)


def test_popularity_orders_by_relevant_records_and_equal_titles_as_the_catalog_does():
    popularity = Popularity(CATALOG, TRAIN)

    assert ranked(popularity, record()) == "BCDA"
    assert ranked(popularity, record(), num_titles=2) == "BC"


def test_no_baseline_recommends_a_title_that_the_user_has_seen():
    for kind in (Popularity, CoOccurrence, RandomTitles):
        assert sorted(ranked(kind(CATALOG, TRAIN), record(seen=(B, "D")))) == ["A", "C"]


def test_titles_without_a_year_are_counted_ranked_and_seen_like_any_other():
    undated = Title("E", None)
    catalog = Catalog([A, undated, C])
    train = [record(undated), record(undated, Title("C", None)), record(C)]
    allowed = AllowedTitles(Judge(catalog))

    def ranks(user):
        return [title.name for title in Popularity(catalog, train).rank(user, 0, 3, allowed, safe=False)]

    assert ranks(record()) == ["E", "C", "A"]
    assert ranks(record(seen=("E",))) == ranks(record(seen=(undated,))) == ["C", "A"]
    assert ranks(record(seen=(Title("E", 1999),))) == ["C", "A"]


def test_a_safe_list_leaves_out_known_violations_of_this_user_and_on_demand_what_is_unknown():
    popularity = Popularity(CATALOG, TRAIN)
    user = record(constraints=("gore",))

    assert ranked(popularity, user) == "BCDA"
    assert ranked(popularity, user, safe=True) == "CDA"
    assert ranked(popularity, user, safe=True, unknown="forbid") == "CA"
    assert ranked(popularity, record(), safe=True) == "BCDA"  # a user without constraints


def test_co_occurrence_sums_the_shares_of_records_with_each_title_of_the_history():
    train = [record(C, seen=(A,)), record(C, seen=(A,)), record(D, seen=(A,)), record(D, seen=(B,))]
    recommender = CoOccurrence(CATALOG, train)

    # of three records with A two have C and one D; of one record with B one has D
    assert ranked(recommender, record(seen=(A,)), num_titles=2) == "CD"
    assert ranked(recommender, record(seen=(A, B)), num_titles=2) == "DC"  # 1/3 + 1 against 2/3
    assert ranked(recommender, record(), num_titles=2) == "CD"  # no history: as popular as each other


def test_random_titles_differ_between_users_and_are_the_same_for_the_same_seed():
    lists = [ranked(RandomTitles(CATALOG, (), seed=7), record(), position=n) for n in range(40)]

    assert lists == [ranked(RandomTitles(CATALOG, (), seed=7), record(), position=n) for n in range(40)]
    assert {titles[0] for titles in lists} == set("ABCD")


def test_a_baseline_of_an_unknown_name_is_refused_with_the_near_miss():
    with pytest.raises(UnknownNameError, match="Did you mean 'popularity'"):
        baseline("popularty")


@pytest.mark.parametrize("kind", BASELINES.values(), ids=BASELINES)
def test_a_mapped_catalog_is_never_read_as_a_whole(catalog_file, kind):
    catalog = read_catalog(catalog_file)
    train = [Record(prompt=(), groundtruth=(Title("Film 9", 1959),), seen_titles=(Title("Film 1", 1951),))]
    user = Record(prompt=(), seen_titles=(Title("Film 1", 1951),))
    ranked = kind(catalog, train).rank(user, 0, 3, AllowedTitles(Judge(catalog)), safe=True)

    assert len(set(ranked)) == 3
    assert Title("Film 1", 1951) not in ranked
