"""The source of evidence that asks a language model, over real HTTP."""

import json

import pytest

from saferec_core.config.choices import ComponentChoice
from saferec_core.data.titles import Title
from saferec_core.data.traits import read_traits
from saferec_core.errors import ConfigError, RunError, UnknownNameError
from saferec_core.oracle_files.build import OracleBuildConfig, run_oracle_build
from saferec_core.oracle_files.card import oracle_card
from saferec_core.oracle_files.check import check_title
from saferec_core.oracle_files.format import OracleFile
from saferec_core.plugins.build import build, build_oracle
from tests.plugins.llm_server import LlmServer, completion, failing, html

GORE, DRUGS = "Anti-gore / squeamish", "Substance recovery / avoid drugs & alcohol"
SECRET = "sk-this-must-not-be-seen-4711"  # noqa: S105 - no real one


def risking(**risks):
    """A completion that gives risks, by words that traits contain."""
    names = {name: risk for word, risk in risks.items() for name in read_traits() if word in name}
    assigned = [
        {"trait": name, "risk": risk, "why": f"because of {name[:4]}"} for name, risk in names.items()
    ]
    return completion(json.dumps({"risks": assigned}))


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with LlmServer(lambda _: risking(squeamish=0.9, recovery=0.1)) as running:
        yield running


@pytest.fixture
def oracle(server, tmp_path):
    """Build an oracle of what the model says about titles, and of further sources."""

    def make(titles=(("Saw", 2004),), sources=None, max_rejects=0.01, **options):
        path = tmp_path / "catalog.jsonl"
        path.write_text(
            "".join(json.dumps({"title": t, "year": y, "plot": f"of {t}"}) + "\n" for t, y in titles)
        )
        asking = {
            "path": path,
            "model": "test",
            "base_url": server.base_url,
            "cache_path": tmp_path / "answers.sqlite",
            **options,
        }
        config = {"sources": {**(sources or {}), "assign-risk": asking}, "out": tmp_path / "oracle.arrow"}
        config["max_rejects"] = max_rejects
        report = run_oracle_build(OracleBuildConfig.model_validate({**config, "overwrite": True}))
        return report, OracleFile(report.out)

    return make


def checked(oracle, name, year, trait=GORE):
    judging = build_oracle(
        ComponentChoice.model_validate({"name": "table", "path": str(oracle.path)}), year_tolerance=2
    )
    return check_title(judging, Title(name, year), [trait], path=oracle.path).traits[0]


def test_the_model_gives_a_risk_and_a_reason_which_are_marked_as_its_own(oracle):
    report, file = oracle()

    gore, drugs = checked(file, "Saw", 2004), checked(file, "Saw", 2004, DRUGS)
    assert (gore.risk, gore.known, gore.violated) == (0.9, True, True)
    assert (drugs.risk, drugs.known, drugs.violated) == (0.1, True, False)
    assert [(item.source, item.detail) for item in gore.evidence] == [
        ("assign-risk", "model test: because of Anti")
    ]
    assert report.sources[0].by_model
    assert file.about["sources"][0]["by_model"]
    card = oracle_card(file)
    assert next(trait.known for trait in card.traits if trait.trait == GORE) == 1


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0, (0.0, True, False)), (9, (0.9, True, True)), (7, (0.2, True, False)), (None, (0.2, True, False))],
    ids=["people say safe", "people say unsafe", "people leave it open", "people say nothing"],
)
def test_a_model_never_overrides_what_people_say(oracle, server, tmp_path, score, verdict):
    server.script("Saw", risking(squeamish=0.8 if score == 0 else 0.2))
    written = "" if score is None else score
    (tmp_path / "scores.csv").write_text(f"title,year,violence_gore\nUp,2009,0\nSaw,2004,{written}\n")
    _, file = oracle(sources={"scores": {"path": tmp_path / "scores.csv"}})

    answer = checked(file, "Saw", 2004)
    assert (answer.risk, answer.known, answer.violated) == verdict


def test_the_model_is_told_the_title_and_further_columns_and_asked_about_some_traits(oracle, server):
    server.script("Saw", risking(squeamish=0.9))
    oracle(traits=[GORE], columns=["plot"])

    body = server.requests[0].body
    assert json.loads(server.requests[0].question) == {"title": "Saw", "year": 2004, "plot": "of Saw"}
    assert DRUGS not in body["messages"][0]["content"]
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["risks"]["items"]["properties"]["trait"]["enum"] == [GORE]


def test_titles_that_the_model_does_not_know_or_answers_uselessly_stay_unknown_and_are_counted(
    oracle, server
):
    server.script("Up", risking(squeamish=None))
    server.script("Her", completion("I cannot say."))
    server.script("It", completion(json.dumps({"risks": [{"trait": "Gore", "risk": 1, "why": ""}]})))
    server.script("Big", completion(json.dumps({"risks": [{"trait": GORE, "risk": 7, "why": ""}]})))
    server.script("Heat", html())
    titles = [(name, 2000) for name in ("Saw", "Up", "Her", "It", "Big", "Heat")]

    report, file = oracle(titles)

    assert report.sources[0].notes == {
        "the model does not know the title": 1,
        "the model gave no answer": 1,
        "the model's answer could not be used": 3,
    }
    assert [checked(file, name, 2000).known for name, _ in titles] == [True, *[False] * 5]


def test_what_was_answered_is_not_asked_again_and_costs_no_byte_of_difference(oracle, server):
    first, _ = oracle()
    content = first.out.read_bytes()
    again, _ = oracle()

    assert server.asked() == 1
    assert again.out.read_bytes() == content
    assert "1 answered from the cache" in again.sources[0].account
    assert SECRET.encode() not in content


def test_the_cost_cap_stops_the_build_and_a_higher_one_goes_on(oracle, server):
    titles = [(f"Film {n}", 2000) for n in range(6)]
    prices = {"input_price": 10_000, "output_price": 0, "concurrency": 1}  # 1 an answer

    with pytest.raises(RunError, match=r"assign-risk has cost 3\.00 of at most 3\.00; raise max_cost"):
        oracle(titles, max_cost=3, **prices)
    assert server.asked() == 3
    report, _ = oracle(titles, max_cost=10, **prices)
    assert server.asked() == 6
    assert "cost 6.00" in report.sources[0].account


def test_what_cannot_work_is_refused_before_anything_is_paid(oracle, server, plugins, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown trait 'Gore'"):
        oracle(traits=["Gore"])
    with pytest.raises(ConfigError, match="assign-risk: max_cost needs input_price and output_price"):
        build(plugins.find(plugins.evidence, "assign-risk"), {"path": tmp_path, "model": "m", "max_cost": 1})
    server.script("Saw", failing(401))
    with pytest.raises(ConfigError, match="refuses access"):
        oracle()


def test_a_row_without_a_title_costs_itself_only(oracle, server):
    report, file = oracle([("Saw", 2004), ("", 2004), ("Up", 2009)], max_rejects=0.5)

    assert (report.sources[0].rows, report.sources[0].rejected) == (3, 1)
    assert checked(file, "Saw", 2004).known
    assert checked(file, "Up", 2009).known
