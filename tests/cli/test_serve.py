"""``saferec serve``: a real server, asked over HTTP, by the openai client, and in a real browser."""

import json
import os
import shutil
import socket
import subprocess
import sys
from itertools import pairwise
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from saferec_core.serve.desk import MOST_WAITING

pytest.importorskip("fastapi", reason="needs saferec[serve]")
pytest.importorskip("uvicorn", reason="needs saferec[serve]")


@pytest.fixture(scope="module")
def server(world, tmp_path_factory):
    """The address of a server with the demo's network."""
    paths = ("--catalog-path", world / "catalog.jsonl", "--oracle-path", world / "oracle.jsonl")
    command = [sys.executable, "-m", "saferec_cli", "serve", world / "model", *paths, "-k", 3, "--port", 0]
    errors = (tmp_path_factory.mktemp("serve") / "errors.txt").open("w+", encoding="utf-8")
    process = subprocess.Popen(
        [*map(str, command), "--quiet"],
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
    )
    address = process.stdout.readline().strip()
    errors.seek(0)
    assert address.startswith("http://127.0.0.1:"), errors.read()
    yield address
    process.terminate()
    process.wait()
    process.stdout.close()
    errors.close()


@pytest.fixture(scope="module")
def trait(world):
    with (world / "test.jsonl").open(encoding="utf-8") as file:
        return json.loads(file.readline())["constraints"][0]


def post(url, content, **headers):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    request = Request(url, data, {"content-type": "application/json", **headers})  # noqa: S310 - the server of this test
    try:
        with urlopen(request) as response:  # noqa: S310 - the server of this test
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_wish_gets_a_list_of_what_the_user_may_be_shown(server, trait):
    status, body = post(f"{server}/api/recommend", {"text": "Something funny", "constraints": [trait]})
    titles = json.loads(body)["titles"]

    assert status == 200
    assert [title["verdict"] in {"safe", "unknown"} for title in titles] == [True] * 3
    seen = [f"{titles[0]['title']} ({titles[0]['year']})"]
    _, body = post(
        f"{server}/api/recommend", {"text": "Something funny", "constraints": [trait], "seen": seen}
    )
    assert titles[0]["title"] not in [title["title"] for title in json.loads(body)["titles"]]


def test_both_lists_come_as_they_are_written_and_then_judged(server, trait):
    status, body = post(f"{server}/api/compare", {"text": "Something funny", "constraints": [trait]})

    assert status == 200
    lines = [json.loads(line) for line in body.splitlines()]
    for kind in ("guided", "free"):
        *writing, judged = [line for line in lines if line["kind"] == kind]
        assert len(writing) > 1
        assert all(after["text"].startswith(before["text"]) for before, after in pairwise(writing))
        assert writing[-1]["text"] == judged["completion"]
        assert judged["titles"][0]["verdict"]
    assert [line["kind"] for line in lines] == sorted((line["kind"] for line in lines), reverse=True)


def test_the_endpoints_describe_themselves(server, trait):
    with urlopen(f"{server}/openapi.json") as response:  # noqa: S310 - the server of this test
        described = json.load(response)
    with urlopen(f"{server}/api/about") as response:  # noqa: S310 - the server of this test
        about = json.load(response)

    assert {"/api/about", "/api/recommend", "/api/compare", "/v1/models", "/v1/chat/completions"} == {
        *described["paths"]
    }
    assert about["num_titles"] == 3
    assert trait in about["constraints"]


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        ({"text": "Hi", "constraints": ["nosuch"]}, 400, "unknown trait 'nosuch'"),
        ({"text": ""}, 422, "at least 1 character"),
        ({"text": "Hi", "more": 1}, 422, "Extra inputs are not permitted"),
        (b'{"text": "' + b"x" * 70_000 + b'"}', 413, "65,536 bytes"),
        ({"text": " \n"}, 422, "text: String should have at least 1 character"),
        ({"text": "Hi", "temperature": float("nan")}, 422, "temperature: "),
        (b'{"text": "\\ud800"}', 422, "text: "),
        ([1], 422, "the body: "),
        (b"{", 422, "the body is not JSON: "),
        (b"\xff\xfe", 422, "the body is not JSON: "),
        (b"[" * 60_000, 400, '"error":'),
    ],
    ids=[
        "trait",
        "empty",
        "key",
        "large",
        "blank",
        "nan",
        "half a character",
        "list",
        "json",
        "bytes",
        "deep",
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(server, content, status, message):
    code, body = post(f"{server}/api/recommend", content)

    assert code == status
    assert message in body


def test_a_path_that_does_not_exist_is_answered_with_those_that_do(server):
    status, body = post(f"{server}/v1/responses", {"input": "Hi"})

    assert status == 404
    assert "/v1/responses does not exist here; available: " in body
    assert "/v1/chat/completions" in body


def test_a_body_of_another_kind_is_refused_by_its_kind(server):
    status, body = post(f"{server}/api/recommend", {"text": "Hi"}, **{"content-type": "text/plain"})

    assert status == 415
    assert "must be JSON, sent as application/json, but came as text/plain" in body


def test_a_name_of_the_web_does_not_reach_the_server(server):
    assert post(f"{server}/api/recommend", {"text": "Hi"}, Host="rebound.example")[0] == 400


def test_the_openai_client_gets_guided_lists(server, trait):
    openai = pytest.importorskip("openai", reason="needs saferec[data]")
    asked = {
        "model": "policy",
        "messages": [{"role": "user", "content": "Something funny"}],
        "extra_body": {"constraints": [trait]},
    }
    with openai.OpenAI(base_url=f"{server}/v1", api_key="none") as client:
        answer = client.chat.completions.create(**asked)
        streamed = {**asked, "stream": True, "stream_options": {"include_usage": True}}
        *chunks, last = client.chat.completions.create(**streamed)
        models = [model.id for model in client.models.list()]
        with pytest.raises(openai.BadRequestError, match="unknown trait 'nosuch'"):
            client.chat.completions.create(**{**asked, "extra_body": {"constraints": ["nosuch"]}})

        parts = [{"type": "text", "text": "Something funny"}]
        in_parts = client.chat.completions.create(
            **{**asked, "messages": [{"role": "user", "content": parts}]}
        )
        sampled = {**asked, "temperature": 1.5, "max_tokens": 1, "user": "me"}
        drawn = [client.chat.completions.create(**sampled, seed=seed) for seed in (1, 1, 2, 3, 4)]
        nearly_greedy = [
            client.chat.completions.create(**sampled, top_p=0, seed=seed).choices[0].message.content
            for seed in (1, 2, 3)
        ]
        json_wanted = {"response_format": {"type": "json_object"}}
        for impossible in (
            {"n": 3},
            {"stop": "\n"},
            {"logprobs": True},
            json_wanted,
            {"tool_choice": "required"},
        ):
            with pytest.raises(openai.UnprocessableEntityError, match=next(iter(impossible))):
                client.chat.completions.create(**asked, **impossible)

    lists = [each.choices[0].message.content for each in drawn]
    assert lists[0] == lists[1]
    assert len(set(lists)) > 1
    assert set(nearly_greedy) == {answer.choices[0].message.content}
    assert in_parts.choices[0].message.content == answer.choices[0].message.content
    whole = answer.choices[0]
    assert whole.finish_reason == "stop"
    assert len(whole.message.content.splitlines()) == 3
    parts = [part for chunk in chunks if (part := chunk.choices[0].delta.content)]
    assert "".join(parts) == whole.message.content
    assert len(parts) > 3  # more than lines: a piece a token
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert last.usage == answer.usage
    assert answer.usage.completion_tokens == len(parts) + 1  # the one that ends the list writes nothing
    assert answer.usage.total_tokens - answer.usage.completion_tokens == answer.usage.prompt_tokens > 0
    assert models[0].endswith("model")


def test_a_client_that_stops_reading_leaves_the_policy_to_the_next_one(server):
    content = {"messages": [{"role": "user", "content": "Something funny"}], "stream": True}
    for _ in range(MOST_WAITING + 2):  # each would keep a place if it were not given back
        request = Request(f"{server}/v1/chat/completions", json.dumps(content).encode())  # noqa: S310 - the server of this test
        request.add_header("content-type", "application/json")
        with urlopen(request) as response:  # noqa: S310 - the server of this test
            assert response.readline().startswith(b"data: ")

    assert post(f"{server}/api/recommend", {"text": "Something funny"})[0] == 200


def test_a_port_in_use_and_an_unfinished_policy_are_named(main, world):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = main("serve", world / "model", "--catalog-path", world / "catalog.jsonl", "--port", port)

    assert done.status == 2
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in done.err
    assert "does not exist" in main("serve", "./nosuch").err


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    if shutil.which("chromedriver") is None:
        pytest.skip("needs Chromium and its driver")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"):
        options.add_argument(flag)
    if (binary := shutil.which("chromium")) is not None:
        options.binary_location = binary
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_window_size(1200, 1000)
    yield driver
    driver.quit()


@pytest.mark.slow
def test_in_a_browser_by_keyboard_both_lists_appear_and_fit_a_phone(server, browser, trait):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(server)
    browser.find_element(By.ID, "filter").send_keys(trait)
    shown = [box for box in browser.find_elements(By.CSS_SELECTOR, ".traits label") if box.is_displayed()]
    assert [label.text for label in shown] == [trait]
    browser.find_element(By.NAME, "constraint")
    shown[0].find_element(By.TAG_NAME, "input").send_keys(Keys.SPACE)
    browser.find_element(By.ID, "wish").send_keys("Something funny", Keys.CONTROL + Keys.ENTER)
    WebDriverWait(browser, 300).until(lambda driver: driver.find_element(By.ID, "state").text == "Done.")

    rows = browser.find_elements(By.CSS_SELECTOR, "#guided li")
    assert len(rows) == 3
    assert not browser.find_elements(By.CSS_SELECTOR, "#guided .mark.violation, #guided .mark.out")
    pictures = os.environ.get("SAFEREC_SCREENSHOTS")
    for width, scheme in ((1200, "light"), (390, "light"), (390, "dark")):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        if pictures:
            browser.save_screenshot(f"{pictures}/serve-{width}-{scheme}.png")
    dark = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert dark == "rgb(20, 23, 27)"
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
