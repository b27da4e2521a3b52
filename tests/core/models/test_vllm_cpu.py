"""What vLLM needs without a GPU, tried without vLLM: the engine itself is tried in tests/cli/test_vllm.py."""

from __future__ import annotations

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch

from saferec_core.models.vllm_cpu.group import WeightGroup
from saferec_core.models.vllm_cpu.plugin import _keep_linear_weights_plain
from saferec_core.training.trl.vllm_engine import gloo_client


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """TRL's client, with a worker that answers its requests as vLLM's does."""

    base_url = "http://127.0.0.1:8000"
    _updating_weights = False

    def __init__(self, port):
        self.group_port = port
        self.requests, self.weights = [], {}

    def get_world_size(self):
        return 1

    def _post(self, url, json):
        request = url.removeprefix(self.base_url)
        self.requests.append(request)
        if request == "/init_weight_transfer_engine":
            info = json["init_info"]
            self.worker = WeightGroup(
                info["master_address"], info["master_port"], info["rank_offset"], info["world_size"]
            )
        elif request == "/update_weights":
            info = json["update_info"]
            for name, dtype, shape in zip(
                *(info[key] for key in ("names", "dtype_names", "shapes")), strict=True
            ):
                self.weights[name] = self.worker.receive(shape, dtype)

    def _start_weight_update(self):
        self._post(f"{self.base_url}/start_weight_update", json={})

    def _finish_weight_update(self):
        self._post(f"{self.base_url}/finish_weight_update", json={})


def test_weights_reach_the_worker_of_a_server_unchanged_and_within_one_update(port):
    client = gloo_client(Server)(port)
    client.init_communicator()
    sent = {"head": torch.randn(3, 4), "norm": torch.randn(5).bfloat16()}

    metadata = [(name, str(w.dtype).removeprefix("torch."), list(w.shape)) for name, w in sent.items()]
    client.update_named_params(metadata, iter(sent.items()))

    assert all(torch.equal(client.weights[name], weight) for name, weight in sent.items())
    assert client.requests[1:] == ["/start_weight_update", "/update_weights", "/finish_weight_update"]
    client.close_communicator()


def test_a_worker_that_dies_while_weights_are_sent_is_a_lost_connection(port):
    worker = (
        "import sys; from saferec_core.models.vllm_cpu.group import WeightGroup\n"
        "WeightGroup('127.0.0.1', int(sys.argv[1]), 1, 2).receive([3], 'float32')"
    )
    with subprocess.Popen([sys.executable, "-c", worker, str(port)]) as process:
        group = WeightGroup("127.0.0.1", port, 0, 2)
        group.send(torch.zeros(3))
        assert process.wait() == 0
        with pytest.raises(ConnectionError):
            group.send(torch.zeros(3))


def test_a_group_of_three_receives_what_the_trainer_sends(port):
    weight = torch.arange(6.0).reshape(2, 3)

    def worker(rank):
        return WeightGroup("127.0.0.1", port, rank, 3).receive([2, 3], "float32")

    with ThreadPoolExecutor(max_workers=2) as workers:
        received = [workers.submit(worker, rank) for rank in (1, 2)]
        WeightGroup("127.0.0.1", port, 0, 3).send(weight)

        assert all(torch.equal(future.result(), weight) for future in received)


def test_linear_layers_keep_their_weights_and_others_are_left_to_vllm():
    repacked = []
    layers = SimpleNamespace(dispatch_cpu_unquantized_gemm=lambda layer, _: repacked.append(layer))
    _keep_linear_weights_plain(layers)
    once = layers.dispatch_cpu_unquantized_gemm
    _keep_linear_weights_plain(layers)

    linear = SimpleNamespace(weight=torch.randn(2, 3))
    layers.dispatch_cpu_unquantized_gemm(linear, True)
    convolution = SimpleNamespace(weight=torch.randn(2, 3, 4))
    layers.dispatch_cpu_unquantized_gemm(convolution, True)

    assert layers.dispatch_cpu_unquantized_gemm is once
    assert torch.equal(linear.cpu_linear(torch.eye(3), linear.weight), linear.weight.T)
    assert repacked == [convolution]
