"""The oracle of limits: what it is for, and the contract of oracles."""

import json
from types import MappingProxyType

import pytest
from saferec_core.data.titles import Title
from saferec_core.errors import DataError
from saferec_core.plugins.contracts.oracle import Question
from saferec_core.plugins.contracts.record_columns import RecordColumns
from saferec_core.testing import OracleContract

from saferec_runtime_limit.limits import TIME_AT_HAND
from saferec_runtime_limit.oracle import LimitsOracle, TimeAtHandOracle

TITLES = (Title("Heat", 1995), Title("Toy Story", 1995), Title("The Thing", 1982), Title("Unheard Of", 2001))
MINUTES = {"Heat": 170, "Toy Story": 81, "The Thing": 109}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "runtimes.jsonl"
    rows = [{"title": t.name, "year": t.year, "runtime": MINUTES[t.name]} for t in TITLES[:3]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class TestContract(OracleContract):
    """Every property of the contract, each as a test of its own."""

    titles = TITLES
    constraints = ("max_runtime=100", "max_runtime=120")  # a limit of the year does judge the year

    @pytest.fixture(autouse=True)
    def _table(self, table):
        self.table = table

    def make(self):
        return LimitsOracle(path=self.table)


class TestContractOfTimeAtHand(OracleContract):
    """Every property of the contract, each as a test of its own."""

    titles = TITLES
    record = MappingProxyType({"minutes": 100})

    @pytest.fixture(autouse=True)
    def _table(self, table):
        self.table = table

    def make(self):
        return TimeAtHandOracle(path=self.table)


@pytest.mark.parametrize(
    ("title", "limit", "known", "violated"),
    [
        (TITLES[0], "max_runtime=120", True, True),
        (TITLES[1], "max_runtime=120", True, False),
        (TITLES[3], "max_runtime=120", False, False),
        (TITLES[2], "min_year=1990", True, True),
        (TITLES[2], "min_year=1982", True, False),
        (Title("Unheard Of", None), "min_year=1990", False, False),
    ],
    ids=["too long", "short", "no running time", "too old", "just in time", "no year"],
)
def test_a_title_is_compared_with_the_number_of_the_limit(table, title, limit, known, violated):
    (verdict,) = LimitsOracle(path=table).judge([Question(title.name, title.year, (limit,))])

    assert (verdict.known, bool(verdict.violated)) == (known, violated)


@pytest.mark.parametrize(
    ("minutes", "too_long"), [(90, {"Heat", "The Thing"}), (120, {"Heat"}), (180, set())]
)
def test_the_record_says_how_much_time_there_is(table, minutes, too_long):
    record = RecordColumns({"minutes": minutes})
    questions = [Question(*title, (TIME_AT_HAND,), record) for title in TITLES]

    verdicts = TimeAtHandOracle(path=table).judge(questions)

    pairs = zip(TITLES, verdicts, strict=True)
    assert {title.name for title, verdict in pairs if verdict.violated} == too_long
    assert not verdicts[3].known


def test_every_number_is_a_trait_and_nothing_else_is(table):
    traits = LimitsOracle(path=table).traits

    assert "max_runtime=37" in traits
    assert "min_year=2011" in traits
    assert "gore" not in traits
    assert "max_runtime=many" not in traits


def test_a_damaged_table_is_reported_with_its_row(tmp_path):
    path = tmp_path / "runtimes.jsonl"
    path.write_text('{"title": "Heat", "year": 1995, "runtime": "long"}\n')

    with pytest.raises(DataError, match="row 1: runtime in minutes must be a whole number"):
        len(LimitsOracle(path=path).traits)
