"""``saferec eval --eval-engine openai``: a hosted model, asked through a real server of this machine."""

import json
from dataclasses import replace

import pytest

from saferec_core.analysis.results import read_results
from tests.plugins.llm_server import LlmServer, Sent, as_json, completion, failing, html, stalling

KEY = "sk-secret-of-this-test"


@pytest.fixture
def evaluate(main, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def run(server, *arguments):
        named = ("--eval-engine", "openai", "--base-url", server.base_url, "--config", tiny / "run.yaml")
        quick = (
            "--out",
            tmp_path / "hosted",
            "--cache-path",
            tmp_path / "answers.sqlite",
            "--max-retries",
            0,
        )
        return main("eval", "org/some-model", *named, *quick, *arguments)

    return run


@pytest.fixture
def film(tiny):
    with (tiny / "catalog.jsonl").open(encoding="utf-8") as file:
        return json.loads(file.readline())["title"]


def test_a_hosted_model_is_measured_like_a_policy_and_asked_once(evaluate, film, tmp_path):
    with LlmServer(lambda _: completion(f"1. {film}\n2. Nothing of the kind (1999)")) as server:
        done = evaluate(server, "--quiet")
        assert (done.status, done.err) == (0, "")
        assert (server.asked(), evaluate(server, "--quiet").status, server.asked()) == (4, 0, 4)
        sent = server.requests[0]
        body = {name: sent.body[name] for name in ("model", "temperature", "max_tokens")}
        base_url = server.base_url

    results = read_results(tmp_path / "hosted" / "evaluation" / "policy-greedy.parquet")
    assert body == {"model": "org/some-model", "temperature": 0.0, "max_tokens": 16}
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert results.policy == f"org/some-model at {base_url}"
    assert results.mean("out_of_catalog") == 0.5  # the first title was found without its year
    assert results.protocol["decoding"] == "greedy"
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [content for content in written if KEY.encode() in content]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (html(), "4 of 4 prompts got no completion: the server did not send a completion, but '<html>"),
        (stalling(5), "no answer from"),
        (failing(401), "refuses access (status 401): check the environment variable OPENAI_API_KEY"),
        (failing(404), "does not know model 'org/some-model'"),
        (failing(429), "answers with status 429"),
        (failing(500), "answers with status 500"),
        (Sent(b"", 302, {"location": "/v1/elsewhere"}), "answers with status"),
        (as_json({"choices": []}), "the server did not send a completion, but"),
        (
            Sent(b'{"choices": [', headers={"content-type": "application/json"}),
            "the server did not send a completion, but",
        ),
        (replace(completion("Heat"), cut=True), "broke off"),
    ],
    ids=["html", "time-out", "key", "model", "429", "500", "redirect", "no-choices", "half-json", "cut"],
)
def test_an_endpoint_that_does_not_answer_is_named(evaluate, answer, message, tmp_path):
    with LlmServer(lambda _: answer) as server:
        done = evaluate(server, "--timeout", 0.3)

    assert done.status == 2
    assert message in done.err
    assert KEY not in done.err
    assert not list((tmp_path / "hosted" / "evaluation").glob("*.parquet"))


def test_samples_are_asked_for_one_by_one(evaluate, film, tmp_path):
    with LlmServer(lambda _: completion(film)) as server:
        assert evaluate(server, "--eval-decoding", "sampled", "--eval-samples", 3, "--quiet").status == 0
        assert (server.asked(), server.requests[0].body["temperature"]) == (12, 1.0)


def test_without_an_address_or_with_guidance_nothing_is_asked(main, tiny, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    done = main("eval", "m", "--eval-engine", "openai", "--guided", "--config", tiny / "run.yaml")

    assert done.status == 2
    assert "the environment variable OPENAI_API_KEY is not set" in done.err
    assert "--guided runs with --eval-engine transformers only, not with openai" in done.err
