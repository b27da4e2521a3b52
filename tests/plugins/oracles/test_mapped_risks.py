"""A mapped table of risks judges as one in memory does."""

import json
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferec_core.errors import DataError
from saferec_core.plugins.contracts.oracle import Question
from saferec_plugins.oracles import risk_table
from saferec_plugins.oracles.mapped_risks import MappedRisks
from saferec_plugins.oracles.table import TableOracle

NAMES = ["Saw", "The Matrix", "Matrix, The", "Amélie", "Up (Su)", "Su", "千と千尋", "!!!"]
TRAITS = ["gore", "fear", "drugs"]
YEARS = st.one_of(st.integers(1997, 1999), st.none())
RISKS = st.dictionaries(st.sampled_from(TRAITS), st.one_of(st.none(), st.floats(0, 1)))
ROWS = st.lists(
    st.fixed_dictionaries({"title": st.sampled_from(NAMES), "year": YEARS, "risk": RISKS}),
    min_size=1,
    max_size=25,
)
ASKED = [(name, year) for name in (*NAMES, "Heat") for year in (None, *range(1996, 2001))]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SAFEREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def oracle(path, at_most, **options):
    """Read an oracle of which at most so many titles are kept in memory."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(risk_table, "IN_MEMORY", at_most)
        read = TableOracle(path=path, **options)
        assert read.traits is not None  # now it has been read
        return read


@given(ROWS)
def test_every_verdict_and_its_evidence_are_those_of_the_table_in_memory(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("given")
    memory = oracle(write(folder / "in_memory.jsonl", rows), 100)
    mapped = oracle(write(folder / "mapped.jsonl", rows), 0)

    assert isinstance(mapped._risks, MappedRisks)
    assert mapped.traits == memory.traits
    questions = [Question(name, year, (trait,)) for name, year in ASKED for trait in sorted(memory.traits)]
    assert mapped.judge(questions) == memory.judge(questions)
    for question in questions:
        named = [each._replace(source="table") for each in mapped.explain(question)]
        assert named == [each._replace(source="table") for each in memory.explain(question)]


def test_of_several_rows_for_one_title_the_highest_risk_counts_wherever_they_stand(tmp_path):
    rows = [
        {"title": "Saw", "year": 2004, "risk": {"gore": 0.1}},
        *({"title": f"Film {n}", "year": 2000, "risk": {"gore": 0}} for n in range(50)),
        {"title": "Saw", "year": 2004, "risk": {"gore": 0.9, "fear": 0.2}},
    ]
    judge = oracle(write(tmp_path / "table.jsonl", rows), 10).judge

    (verdict,) = judge([Question("Saw", 2004, ("fear", "gore"))])

    assert verdict.violated == ("gore",)
    assert dict(verdict.risks) == {"fear": 0.2, "gore": 0.9}


def test_severities_are_weighed_and_other_weights_make_another_file(tmp_path, cache):
    rows = [{"title": f"Film {n}", "year": 2000, "severity": [n % 4, 0]} for n in range(20)]
    path = write(tmp_path / "table.jsonl", rows)
    for weights, risk in (([1, 0], 1.0), ([3, 1], 0.75)):
        (tmp_path / "traits.json").write_text(json.dumps({"gore": weights}))

        (verdict,) = oracle(path, 10, traits_path=tmp_path / "traits.json").judge(
            [Question("Film 3", 2000, ("gore",))]
        )

        assert verdict.risks["gore"] == risk
    assert len(list(cache.glob("*.arrow"))) == 2


def test_it_is_sent_to_another_process_as_the_name_of_its_file(tmp_path):
    rows = [{"title": f"Film {n}", "year": 2000, "risk": {"gore": n / 500}} for n in range(500)]
    mapped = oracle(write(tmp_path / "table.jsonl", rows), 10)

    content = pickle.dumps(mapped)

    assert len(content) < 1500
    question = Question("Film 400", 2000, ("gore",))
    assert pickle.loads(content).judge([question]) == mapped.judge([question])  # noqa: S301


def test_a_malformed_row_is_named_and_leaves_nothing_in_the_cache(tmp_path, cache):
    rows = [{"title": f"Film {n}", "year": 2000, "risk": {"gore": 0.5}} for n in range(20)]
    path = write(tmp_path / "table.jsonl", [*rows, {"title": "Saw", "year": 2004, "risk": {"gore": 7}}])

    with pytest.raises(DataError, match=r"table.jsonl, row 21: the risk of 'gore' must be in 0..1"):
        oracle(path, 10)

    assert not list(cache.glob("*.arrow"))


def test_a_small_table_is_read_without_arrow(tmp_path):
    path = write(tmp_path / "table.jsonl", [{"title": "Saw", "year": 2004, "risk": {"gore": 1}}])
    code = """
import sys
from pathlib import Path
from saferec_plugins.oracles.table import TableOracle

assert TableOracle(path=Path(sys.argv[1])).traits == {"gore"}
print("pyarrow" in sys.modules)
"""

    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
