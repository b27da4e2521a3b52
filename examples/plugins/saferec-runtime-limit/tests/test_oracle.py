"""The oracle of limits: what it is for, and the contract of oracles."""

import json

import pytest
from saferec_core.data.titles import Title
from saferec_core.errors import DataError
from saferec_core.plugins.contracts.oracle import Question
from saferec_core.testing import OracleContract

from saferec_runtime_limit.oracle import LimitsOracle

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
    constraints = ("runtime<=100", "runtime<=120")  # a limit of the year does judge the year

    @pytest.fixture(autouse=True)
    def _table(self, table):
        self.table = table

    def make(self):
        return LimitsOracle(path=self.table)


@pytest.mark.parametrize(
    ("title", "limit", "known", "violated"),
    [
        (TITLES[0], "runtime<=120", True, True),
        (TITLES[1], "runtime<=120", True, False),
        (TITLES[3], "runtime<=120", False, False),
        (TITLES[2], "year>=1990", True, True),
        (TITLES[2], "year>=1982", True, False),
        (Title("Unheard Of", None), "year>=1990", False, False),
    ],
    ids=["too long", "short", "no running time", "too old", "just in time", "no year"],
)
def test_a_title_is_compared_with_the_number_of_the_limit(table, title, limit, known, violated):
    (verdict,) = LimitsOracle(path=table).judge([Question(title.name, title.year, (limit,))])

    assert (verdict.known, bool(verdict.violated)) == (known, violated)


def test_every_number_is_a_trait_and_nothing_else_is(table):
    traits = LimitsOracle(path=table).traits

    assert "runtime<=37" in traits
    assert "year>=2011" in traits
    assert "gore" not in traits
    assert "runtime<=many" not in traits


def test_a_damaged_table_is_reported_with_its_row(tmp_path):
    path = tmp_path / "runtimes.jsonl"
    path.write_text('{"title": "Heat", "year": 1995, "runtime": "long"}\n')

    with pytest.raises(DataError, match="row 1: runtime in minutes must be a whole number"):
        len(LimitsOracle(path=path).traits)
