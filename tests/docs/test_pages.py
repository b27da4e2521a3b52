"""The commands of the site are run, page by page, in their order, on a tiny run in place of the reader's."""

import gzip
import json
import re
import shutil
from collections import Counter

import pytest
import yaml

from tests import warm
from tests.cli.conftest import main, tiny  # noqa: F401 - fixtures
from tests.docs.test_commands import ROOT, lines_of, words_of
from tests.plugins.llm_server import LlmServer, completion

pytestmark = pytest.mark.slow

SITE = sorted(["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])

FOLLOWED_ELSEWHERE = {
    "docs/tutorial.md": "tests/cli/test_tutorial_page.py",
    "docs/tutorial-reward.md": "tests/docs/test_tutorial.py",
}
"""Pages with a test of their own that follows them."""

NOT_HERE = {
    "serve": ("does not end", "tests/cli/test_serve.py"),
    "launch -n 16": ("two machines", "tests/cli/test_processes.py, with two processes of one machine"),
    "launch -n 4 --config examples/configs/fsdp2.yaml": ("GPUs", "tests/cli/test_processes_share.py"),
    "launch -n 4 --config examples/configs/zero": ("DeepSpeed", "tests/cli/test_processes_share.py"),
    "launch": ("several cores", "tests/cli/test_processes.py"),
    "data build chain.yaml --executor ray": ("Ray", "tests/cli/test_data_on_ray.py"),
    "data run assign-traits": ("a language model", "tests/cli/test_data_by_model.py"),
    "oracle build oracle.yaml --set sources.assign-risk": ("a language model", "tests/plugins/evidence"),
    "plugins new": ("writes a package to be installed", "tests/cli/test_plugin_checks.py"),
    "train --no-plugin": ("trains the whole demo", "tests/cli/test_plugins.py"),
    "train --reward relevance --reward safety --reward count": (
        "trains the whole demo",
        "tests/cli/test_flags.py",
    ),
    "train --resume-from": ("a run that was killed", "tests/cli/test_resume.py"),
    "train run.yaml --report-to tensorboard": ("tensorboard", "tests/cli/test_logging.py"),
    "data build data.yaml --set traits_path": ("dialogues of the reader", "tests/cli/test_data.py"),
    "oracle build oracle.yaml --set traits_path": ("sources of the reader", "tests/cli/test_oracle.py"),
}
"""What commands need that a test of pages has not, and where each is run instead, by how they begin.

Of several that fit, the longest counts.
"""

VERDICTS = {"gate": {0, 1}, "train run.yaml --stop-on-alarm": {0, 1}, "plan --reward mood": {2}}
"""Exit statuses of commands that may, or have to, end with another one than 0."""

SMALL = (
    *("--max-steps", "1", "--per-device-train-batch-size", "8", "--gradient-accumulation-steps", "1"),
    *("--eval-prompts", "2", "--max-completion-length", "16", "--optim", "adamw_torch"),
)
"""What a training is given whose settings are all in its command."""


def not_here(line):
    """Return how a command begins that is not run here; None for all others."""
    return max((start for start in NOT_HERE if line.startswith(start)), key=len, default=None)


def followed():
    """Return the commands that are run here, by page."""
    pages = {page: lines_of(ROOT / page) for page in SITE if page not in FOLLOWED_ELSEWHERE}
    return {
        page: own for page, lines in pages.items() if (own := [line for line in lines if not not_here(line)])
    }


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):  # noqa: F811 - fixture
    """A finished run that kept rollouts, and the demo's oracle as a file."""
    folder = tmp_path_factory.mktemp("trained")
    decodings = ("--eval-decoding", "greedy,sampled", "--rollout-steps", "1")
    output = folder / "output"
    training = warm.start("train", tiny / "run.yaml", "--quiet", *decodings, folder=folder, output=output)
    assert training.wait() == 0, output.read_text(encoding="utf-8")
    return folder / "runs" / "run"


@pytest.fixture
def workshop(tmp_path, trained, tiny, world):  # noqa: F811 - fixture
    """A folder with what the pages name."""
    for run in ("RUN", "RUN_A", "RUN_B", "runs/RUN", "runs/demo"):
        shutil.copytree(trained, tmp_path / run)
    for model in ("candidate", "MODEL", "runs/demo-seed0/model"):
        shutil.copytree(world / "model", tmp_path / model)
    settings = yaml.safe_load((tiny / "run.yaml").read_text(encoding="utf-8"))
    del settings["run_name"]
    for_sft = {name: settings[name] for name in settings if name not in {"rewards", "rollout"}}
    for_sft["data"] = {**settings["data"], "validation_path": str(tiny / "validation.jsonl")}
    for_sft["logging"] = {"save_strategy": "steps", "save_steps": 1}
    for name, content in (("eval", settings), ("run", settings), ("sft", for_sft)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    for name in ("catalog.jsonl", "oracle.jsonl"):
        shutil.copy(tiny / name, tmp_path / name)
    shutil.copy(tiny / "oracle.jsonl", tmp_path / "other_oracle.jsonl")
    risks = rows_of(tiny / "oracle.jsonl")
    risks[0]["risk"]["my new trait"] = 0.9
    write(tmp_path / "my_table.jsonl", risks)
    write(tmp_path / "wishes.jsonl", [{"prompt": "Something funny"}, {"prompt": "Something sad"}])
    (tmp_path / "my_reward.py").write_text(REWARD, encoding="utf-8")
    write_raw_data(tmp_path, rows_of(tiny / "catalog.jsonl"))
    return tmp_path


REWARD = '''
import torch
from saferec_core.plugins.contracts.reward import RewardFunction

class MoodReward(RewardFunction):
    """1 at every rank."""

    scope = "rank"

    def __call__(self, batch):
        return torch.ones(batch.rank_mask.shape)
'''


def write_raw_data(folder, catalog):
    """Write dialogues, content warnings, popularity, and the chain that the page shows."""
    named = [f"{row['title']} ({row['year']})" for row in catalog]
    years = [(row["title"], row["year"]) for row in catalog]
    dialogues = []
    for number in range(40):
        liked, *suggested = (named[(7 * number + 3 * k) % len(named)] for k in range(5))
        films = dict(zip("12345", [liked, *suggested], strict=True))
        said = [
            "?I liked @1",
            "How about @2 or @3?",
            "?More like these, please",
            "Then try @4 and @5",
            "?Thanks",
        ]
        messages = [
            {"text": text.removeprefix("?"), "senderWorkerId": number if text[0] == "?" else -1}
            for text in said
        ]
        dialogues.append(
            {
                "conversationId": str(number),
                "messages": messages,
                "movieMentions": films,
                "initiatorWorkerId": number,
                "respondentWorkerId": -1,
                "initiatorQuestions": [],
                "respondentQuestions": [],
            }
        )
    with gzip.open(folder / "redial_train.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(dialogue) + "\n" for dialogue in dialogues)
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    chain = re.search(r"```yaml\n(input: .*?)```", page, re.DOTALL)[1]
    (folder / "chain.yaml").write_text(chain, encoding="utf-8")
    tables = {
        "mpaa_reasons.csv": (
            "rating,reason",
            lambda n: "R,Rated R for gore" if n % 3 == 0 else "PG,mild peril",
        ),
        "kids_in_mind.csv": ("violence_gore", lambda n: str(n % 11)),
        "votes.csv": ("votes", lambda n: str(1000 - n)),
    }
    for name, (head, cells) in tables.items():
        lines = [f'"{title}",{year},{cells(n)}\n' for n, (title, year) in enumerate(years)]
        (folder / name).write_text(f"title,year,{head}\n{''.join(lines)}", encoding="utf-8")
    others = [
        {
            "prompt": f"Something like {named[0]}?",
            "completions": [named[1], named[2]],
            "record": {"groundtruth_with_release_year": [list(years[1])], "constraints": []},
        }
    ]
    write(folder / "others.jsonl", others)


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def settled(words, folder, server):
    """Put what there is in place of what the page makes up: ranks, names of runs, an address."""
    if "runs/in-use" in words:
        shutil.copytree(folder / "runs" / "candidate", folder / "runs" / "in-use")
    if "--predictions" in words:
        write(folder / "lists.jsonl", [{"position": n, "titles": ["Saw (2004)"]} for n in range(4)])
    if words == ["plan", "train.yaml"]:  # which the reader has filled in
        shutil.copy(folder / "run.yaml", folder / "train.yaml")
    made_up = {
        "http://localhost:8000/v1": server.base_url,
        "runs/eval-gpt-4o-mini-1a2b3c": str(next(folder.glob("runs/eval-gpt-4o-mini-*"), "")),
        "runs/SFT_RUN": str(max(folder.glob("runs/*"), key=lambda run: run.stat().st_mtime)),
        "...": "sft.yaml",
        "NAME": "count",
        "5,10": "5",
    }
    words = [made_up.get(word, word).replace("@10", "@5") for word in words]
    return [*words, *SMALL] if words[0] in {"train", "sft"} and "--model" in words else words


@pytest.mark.parametrize("page", sorted(followed()))
def test_the_commands_of_a_page_do_what_they_say(page, workshop, main, monkeypatch):  # noqa: F811
    with LlmServer(lambda _: completion("1. Heat (1995)")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        for line in followed()[page]:
            words = settled(words_of(line), workshop, server)
            done = main(*words, cwd=workshop)
            verdicts = next((VERDICTS[start] for start in VERDICTS if line.startswith(start)), {0})
            assert done.status in verdicts, f"saferec {line}\n{done.out}{done.err}"


def test_every_command_of_the_site_is_run_here_or_in_the_test_that_is_named():
    commands = [line for page in SITE if page not in FOLLOWED_ELSEWHERE for line in lines_of(ROOT / page)]
    used = Counter(filter(None, map(not_here, commands)))

    assert set(used) == set(NOT_HERE)  # a reason for a command that is gone goes too
    named = [*FOLLOWED_ELSEWHERE.values(), *(test.partition(",")[0] for _, test in NOT_HERE.values())]
    assert [test for test in named if not (ROOT / test).exists()] == []
