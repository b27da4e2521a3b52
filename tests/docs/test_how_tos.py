"""The commands of how-tos are run one after the other, on a tiny run in place of the reader's."""

import json
import shutil

import pytest

from tests import warm
from tests.cli.conftest import main, tiny  # noqa: F401 - fixtures
from tests.docs.test_commands import ROOT, lines_of, words_of
from tests.plugins.llm_server import LlmServer, completion

pytestmark = pytest.mark.slow

FOLLOWED = ("gate", "hosted", "recommend", "constraints")
ELSEWHERE = {
    "serve": "tests/cli/test_serve.py, since it does not end",
    "data build": "tests/cli/test_data.py",
    "oracle build": "tests/cli/test_oracle.py",
    "plugins check": "tests/cli/test_plugin_checks.py",
}
"""Commands that run in other tests."""


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):  # noqa: F811 - fixture
    """A finished run."""
    folder = tmp_path_factory.mktemp("trained")
    output = folder / "output"
    training = warm.start("train", tiny / "run.yaml", "--quiet", folder=folder, output=output)
    assert training.wait() == 0, output.read_text(encoding="utf-8")
    return folder / "runs" / "run"


@pytest.fixture
def workshop(tmp_path, trained, tiny, world):  # noqa: F811 - fixture
    """A folder with what the how-tos name."""
    shutil.copytree(trained, tmp_path / "runs" / "RUN")
    shutil.copytree(world / "model", tmp_path / "candidate")
    shutil.copytree(world / "model", tmp_path / "MODEL")
    shutil.copy(tiny / "run.yaml", tmp_path / "eval.yaml")
    rows = [json.loads(line) for line in (tiny / "oracle.jsonl").read_text(encoding="utf-8").splitlines()]
    rows[0]["risk"]["my new trait"] = 0.9
    write(tmp_path / "my_table.jsonl", rows)
    write(tmp_path / "wishes.jsonl", [{"prompt": "Something funny"}, {"prompt": "Something sad"}])
    return tmp_path


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def settled(words, folder, server):
    """Put what there is in place of what the page makes up: ranks, names of runs, an address."""
    if "runs/in-use" in words:
        shutil.copytree(folder / "runs" / "candidate", folder / "runs" / "in-use")
    made_up = {
        "http://localhost:8000/v1": server.base_url,
        "runs/eval-gpt-4o-mini-1a2b3c": str(next(folder.glob("runs/eval-gpt-4o-mini-*"), "")),
    }
    return [made_up.get(word, word).replace("@10", "@5") for word in words]


@pytest.mark.parametrize("page", FOLLOWED)
def test_the_commands_of_a_how_to_do_what_they_say(page, workshop, main, monkeypatch):  # noqa: F811
    lines = lines_of(ROOT / "docs" / f"{page}.md")
    own = [line for line in lines if not any(line.startswith(command) for command in ELSEWHERE)]
    assert len(own) >= 2
    with LlmServer(lambda _: completion("1. Heat (1995)")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        for line in own:
            words = settled(words_of(line), workshop, server)
            done = main(*words, cwd=workshop)
            verdicts = {0, 1} if words[0] == "gate" else {0}
            assert done.status in verdicts, f"saferec {line}\n{done.out}{done.err}"
