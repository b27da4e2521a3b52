"""How TRL is made to set vLLM up; the engine itself is tried in tests/cli/test_vllm.py."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest
import requests
from trl.generation import vllm_client, vllm_generation

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import ConfigError, RunError
from saferec_core.training.trl.vllm_engine import serving


class Engine:
    def __init__(self, **settings):
        self.settings = settings


class Client:
    pass


@pytest.fixture
def engines(monkeypatch):
    """Stand for vLLM, which need not be installed."""
    monkeypatch.setattr(vllm_generation, "LLM", Engine, raising=False)
    monkeypatch.setattr(vllm_generation, "VLLMClient", Client, raising=False)


@pytest.fixture
def start(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2", "dtype": "bfloat16"}))
    return str(tmp_path)


@pytest.mark.parametrize(
    ("settings", "dtype"),
    [
        ({}, "float32"),  # all weights are trained, as float32 masters
        ({"optimization": {"bf16": True}}, "bfloat16"),
        ({"model": {"use_lora": True}}, "bfloat16"),  # that of the checkpoint
        ({"model": {"use_lora": True, "dtype": "float32"}}, "float32"),
    ],
    ids=["full", "autocast", "lora", "lora-float32"],
)
def test_vllm_computes_in_the_type_that_is_trained(engines, start, settings, dtype, monkeypatch):
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    config = TrainConfig.model_validate({"rollout": {"use_vllm": True}, **settings})

    with serving(config, start):
        engine = vllm_generation.LLM(model=start)

    assert engine.settings == {"model": start, "dtype": dtype}
    assert (vllm_generation.LLM, vllm_generation.VLLMClient) == (Engine, Client)


def test_without_a_gpu_vllm_gets_a_part_of_the_memory_that_is_free(engines, start, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    free = SimpleNamespace(available=2 << 30)
    monkeypatch.setattr("psutil.virtual_memory", lambda: free)
    config = TrainConfig.model_validate({"rollout": {"use_vllm": True}})

    with serving(config, start):
        small = vllm_generation.LLM(model=start).settings["kv_cache_memory_bytes"]
        free.available = 64 << 30

    with serving(config, start):
        large = vllm_generation.LLM(model=start).settings["kv_cache_memory_bytes"]
    assert (small, large) == (512 << 20, 4 << 30)


def test_without_a_gpu_weights_are_sent_by_gloo(engines, start, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = TrainConfig.model_validate({"rollout": {"use_vllm": True, "vllm_mode": "server"}})

    with serving(config, start):
        assert issubclass(vllm_generation.VLLMClient, Client)
        assert vllm_generation.VLLMClient is not Client


def test_without_vllm_nothing_is_changed(engines, start):
    with serving(TrainConfig(), start):
        assert vllm_generation.LLM is Engine


@pytest.mark.parametrize("kind", [ConnectionError, requests.ConnectionError], ids=["python", "requests"])
def test_a_server_that_does_not_answer_is_named_with_the_settings_that_help(engines, start, kind):
    config = TrainConfig.model_validate(
        {
            "rollout": {
                "use_vllm": True,
                "vllm_mode": "server",
                "vllm_server_host": "box",
                "vllm_server_timeout": 5,
            }
        }
    )

    with (
        pytest.raises(
            RunError, match=r"no vLLM server answers at box:8000 after 5 s \(--vllm-server-timeout\)"
        ),
        serving(config, start),
    ):
        raise kind
    assert vllm_generation.VLLMClient is Client


class NotVllm(BaseHTTPRequestHandler):
    """Answers every request with a page."""

    def do_POST(self):
        self.send_response(200 if self.path == "/page" else 404)
        self.end_headers()
        self.wfile.write(b"<html>Welcome\nto nginx</html>")

    def log_message(self, *_):
        pass


@pytest.fixture
def stranger():
    """A server that is not vLLM's; yields its address."""
    server = HTTPServer(("127.0.0.1", 0), NotVllm)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("page", "JSONDecodeError: Expecting value"),
        ("generate", "Exception: Request failed: 404, <html>Welcome"),
    ],
    ids=["another answer", "an error"],
)
def test_a_server_that_is_not_vllm_is_named_with_what_it_answered(engines, start, stranger, path, reason):
    config = TrainConfig.model_validate({"rollout": {"use_vllm": True, "vllm_mode": "server"}})

    with requests.Session() as session:
        client = SimpleNamespace(session=session)
        with (
            pytest.raises(RunError, match=rf"is not a vLLM server that takes weights \({reason}[^\n]*$"),
            serving(config, start),
        ):
            vllm_client.VLLMClient._post(client, f"{stranger}/{path}", json={})


def test_a_port_for_the_weights_that_is_taken_is_refused_before_anything_is_set_up(engines, start):
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        rollout = {"use_vllm": True, "vllm_mode": "server", "vllm_group_port": port}
        config = TrainConfig.model_validate({"rollout": rollout})

        with (
            pytest.raises(ConfigError, match=rf"port {port} cannot be used \(.*\); .* --vllm-group-port"),
            serving(config, start),
        ):
            pytest.fail("the trainer was set up")
