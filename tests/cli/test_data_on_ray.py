"""``saferec data build --executor ray`` on a cluster of two nodes on this machine."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: saferec[ray]"),
]

PLUGIN = '''
import ctypes, os, signal
from pathlib import Path
from saferec_core import hookimpl
from saferec_core.errors import DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Counted, Removed, Transform


@hookimpl
def saferec_register_transforms(registry):
    for name in ("double", "fall", "fail"):
        registry.add(name, f"acme_steps:{name.title()}", summary="Works on n.")


@component
class Double(Transform):
    """Doubles n, notes the Ray node that it works on, and waits for the other one to work too."""

    columns = ("n",)
    incidental = frozenset({"nodes"})
    nodes: Path | None = None

    def __call__(self, rows):
        if self.nodes is not None:
            import time
            import ray

            (self.nodes / ray.get_runtime_context().get_node_id()).touch()
            for _ in range(12_000):
                if len(os.listdir(self.nodes)) > 1:
                    break
                time.sleep(0.01)
            else:
                raise TimeoutError("the other node does not work")
        for row in rows:
            if row["n"] % 7 == 0:
                yield Removed(row, "seven")
            elif row["n"] % 501 == 0:
                raise DataError("no such n")
            else:
                yield Counted("doubled", example=str(row["n"]))
                yield {"n": 2 * row["n"]}


@component
class Fall(Transform):
    """Adds 1, and is killed in the middle of the third part, once."""

    incidental = frozenset({"killed"})
    killed: Path

    def __call__(self, rows):
        for row in rows:
            if row["n"] == 2500 and not self.killed.exists():
                self.killed.touch()
                ctypes.CDLL(None).kill(os.getpid(), signal.SIGKILL)  # nothing in Python can catch it
            yield {"n": row["n"] + 1}


@component
class Fail(Transform):
    def __call__(self, rows):
        for row in rows:
            if row["n"] == 1200:
                raise ZeroDivisionError("n of 1200")
            yield row
'''

CLUSTER = """
import sys
from ray.cluster_utils import Cluster

node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=node)
cluster.add_node(num_cpus=1, object_store_memory=node["object_store_memory"])
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def address():
    """The address of a cluster of two nodes with one CPU each."""
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as cluster:
        address = cluster.stdout.readline().strip()
        assert address, "the cluster did not start"
        yield address
        cluster.stdin.close()
        cluster.wait()


@pytest.fixture
def build(tmp_path, distribution, address):
    """Run a chain of these steps in a folder of its own, on 5,000 rows: ten parts."""
    site = distribution("acme-steps", PLUGIN)
    (tmp_path / "in.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(5000)), encoding="utf-8")

    def run(executor, *steps, at=address):
        folder = tmp_path / executor
        folder.mkdir(exist_ok=True)
        chain = {"input": "../in.jsonl", "output": "out.jsonl", "steps": list(steps)}
        (folder / "chain.yaml").write_text(yaml.safe_dump(chain))
        command = ["data", "build", "chain.yaml", "--executor", executor]
        if executor == "local":
            command += ["--num-proc", "2"]
        return subprocess.run(
            [sys.executable, "-m", "saferec_cli", *command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(site), "RAY_ADDRESS": at, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def outputs(folder):
    return {path.name: path.read_bytes() for path in folder.glob("out.*")}


def test_two_nodes_give_the_bytes_of_one_machine(build, tmp_path):
    nodes = tmp_path / "nodes"
    nodes.mkdir()

    on_ray = build("ray", {"name": "double", "nodes": str(nodes)}, {"name": "double"})
    here = build("local", {"name": "double"}, {"name": "double"})

    assert (on_ray.returncode, here.returncode) == (0, 0), on_ray.stderr + here.stderr
    assert len(list(nodes.iterdir())) == 2
    assert {"out.jsonl", "out.rejects.jsonl", "out.removed.jsonl"} < outputs(tmp_path / "ray").keys()
    made = [outputs(tmp_path / executor) for executor in ("ray", "local")]
    for output in made:
        del output["out.manifest.json"]  # names the folder of the nodes
    assert made[0] == made[1]


def test_a_worker_that_is_killed_costs_nothing(build, tmp_path):
    killed = tmp_path / "killed"

    on_ray = build("ray", {"name": "fall", "killed": str(killed)})

    assert on_ray.returncode == 0, on_ray.stderr
    assert killed.exists()
    here = build("local", {"name": "fall", "killed": str(killed)})
    assert here.returncode == 0, here.stderr
    assert outputs(tmp_path / "ray") == outputs(tmp_path / "local")


def test_a_step_that_fails_is_named_as_on_one_machine(build):
    on_ray = build("ray", {"name": "fail"})
    here = build("local", {"name": "fail"})

    assert (on_ray.returncode, here.returncode) == (2, 2)
    assert "transform 'fail' of acme-steps 1.2.3 failed: ZeroDivisionError: n of 1200" in on_ray.stderr
    assert on_ray.stderr == here.stderr


def test_a_cluster_that_does_not_answer_is_named(build):
    outcome = build("ray", {"name": "double"}, at="127.0.0.1:1")

    assert outcome.returncode == 2
    assert "no Ray cluster answers at 127.0.0.1:1 (RAY_ADDRESS)" in outcome.stderr
    assert "Traceback" not in outcome.stderr
