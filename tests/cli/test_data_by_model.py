"""``saferec data run assign-traits`` against a real HTTP server, killed on the way."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.plugins.llm_server import LlmServer, completion, failing, html, stalling

KEY = "sk-very-secret-0123456789"
SAMPLES = 600


@pytest.fixture
def samples(tmp_path):
    rows = (
        {
            "id": f"d{number}",
            "prompt": [{"role": "user", "content": f"Something like film number {number:04d}."}],
            "seen_titles": [[f"Film {number}", 2000]],
        }
        for number in range(SAMPLES)
    )
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def assign(tmp_path, samples):
    """Start the command in a process of its own."""

    def start(server, *more):
        data = ("data", "run", "assign-traits", samples, "--out", "out.jsonl")
        asking = ("--model", "tiny", "--base-url", server.base_url, "--timeout", "0.5", "--max-retries", "2")
        prices = ("--input-price", "1", "--output-price", "2")
        return subprocess.Popen(
            [sys.executable, "-m", "saferec_cli", *map(str, (*data, *asking, *prices, *more))],
            cwd=tmp_path,
            env={**os.environ, "OPENAI_API_KEY": KEY, "COLUMNS": "160", "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(server, *more):
        process = start(server, *more)
        out, err = process.communicate()
        return process.returncode, out, err

    run.start = start
    return run


def test_a_killed_run_goes_on_without_asking_twice_and_tells_the_key_to_nobody(tmp_path, assign):
    with LlmServer(delay=0.01) as server:
        for number, sent in {
            "0003": [failing(429), failing(503)],  # both are asked again, then answered
            "0007": [html()] * 9,
            "0011": [completion("")],
            "0013": [completion('{"traits": [{"trait": "Fear of dentists", "why": "x"}]}')],
            "0017": [stalling(2)],
        }.items():
            server.script(f"film number {number}", *sent)
        killed = assign.start(server)
        while server.asked() < 200:
            assert killed.poll() is None, "the run ended before 200 questions were asked"
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        time.sleep(0.3)
        asked_before = server.asked()
        assert not (tmp_path / "out.jsonl").exists()

        status, out, err = assign(server)

        assert status == 0, err
        in_flight_and_retries = 16 + 9
        assert server.asked() - asked_before <= SAMPLES - asked_before + in_flight_and_retries
        rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        rejects = [json.loads(line) for line in (tmp_path / "out.rejects.jsonl").read_text().splitlines()]
        assert [reject["line"] for reject in rejects] == [8, 12, 14]
        assert len(rows) == SAMPLES - 3
        assert all(row["constraints"] for row in rows)
        assert "cost in the prices' currency" in out

        first = (tmp_path / "out.jsonl").read_bytes()
        status, fresh_out, fresh_err = assign(server, "--fresh")
        assert status == 0, fresh_err
        assert (tmp_path / "out.jsonl").read_bytes() == first
        assert server.asked("film number 0100") <= 2  # before the kill, and again if it was in flight
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
    assert KEY not in out + err + fresh_out + fresh_err


def test_what_the_run_may_cost_stops_it_and_a_higher_limit_goes_on(assign):
    with LlmServer() as server:
        status, _, err = assign(server, "--max-cost", "0.01")

        assert status == 2
        assert "max_cost" in err
        assert "Traceback" not in err
        # 100 tokens in at 1 and 10 out at 2 per million: 0.00012 an answer, so 0.01 is spent after 84
        assert 84 <= server.asked() <= 84 + 16

        status, _, err = assign(server, "--max-cost", "1")
        assert status == 0, err
        assert server.asked() == SAMPLES
