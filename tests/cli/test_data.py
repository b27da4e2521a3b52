"""``saferec data run`` and ``saferec data build``, with transforms of another distribution."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from filelock import FileLock

from saferec_core.preflight import components

PLUGIN = '''
from pydantic import Field
from saferec_core import hookimpl
from saferec_core.plugins.component import component
from saferec_core.errors import DataError
from saferec_core.plugins.contracts.transform import Counted, Removed, Transform


@hookimpl
def saferec_register_transforms(registry):
    registry.add("scale", "acme_steps:Scale", summary="Multiplies n.")
    registry.add("drop-odd", "acme_steps:DropOdd", summary="Keeps even n.")


@component
class Scale(Transform):
    """Multiplies n."""

    columns = ("n",)
    incidental = frozenset({"label"})

    factor: int = Field(default=2, ge=1)
    """What n is multiplied by."""
    seed: int = 0
    """Added to it."""
    loudly: bool = False
    """Whether to count."""
    label: str = ""
    """Changes nothing."""
    words: list[str] = Field(default_factory=list)
    """Told along."""

    def __call__(self, rows):
        for row in rows:
            if row["n"] == 13:
                raise DataError("13 is no number")
            if self.loudly:
                yield Counted("scaled")
            yield {**row, "n": row["n"] * self.factor + self.seed, "words": self.words}


@component
class DropOdd(Transform):
    """Keeps even n."""

    columns = ("n",)

    def __call__(self, rows):
        for row in rows:
            yield row if row["n"] % 2 == 0 else Removed(row, "odd")
'''


@pytest.fixture
def acme(installed):
    installed("acme-steps", PLUGIN)


@pytest.fixture
def numbers(tmp_path):
    (tmp_path / "in.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(10)), encoding="utf-8")
    return tmp_path / "in.jsonl"


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_one_transform_is_applied_with_its_options_as_flags(acme, main, tmp_path, numbers):
    outcome = main(
        "data", "run", "scale", numbers, "--out", "out.jsonl",
        "--factor", "3", "--loudly", "--words", "[a, b]", "--seed", "1",
    )  # fmt: skip

    assert outcome.status == 0, outcome.err
    assert rows(tmp_path / "out.jsonl")[:2] == [{"n": 1, "words": ["a", "b"]}, {"n": 4, "words": ["a", "b"]}]
    assert "10 scaled" in outcome.out
    manifest = json.loads((tmp_path / "out.manifest.json").read_text())
    assert manifest["suppliers"] == ["acme-steps 1.2.3"]
    assert manifest["steps"][0]["written"] == 10
    assert not (tmp_path / "out.rejects.jsonl").exists()


def test_what_was_removed_and_rejected_lies_beside_the_output(acme, main, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"n": 1}\nnonsense\n{"n": 2}\n')

    outcome = main("data", "run", "drop-odd", "in.jsonl", "--out", "out.jsonl", "--max-rejects", "0.5")

    assert outcome.status == 0, outcome.err
    assert rows(tmp_path / "out.jsonl") == [{"n": 2}]
    assert rows(tmp_path / "out.removed.jsonl")[0]["row"] == {"n": 1}
    (reject,) = rows(tmp_path / "out.rejects.jsonl")
    assert (reject["step"], reject["line"], reject["content"]) == ("drop-odd", 2, "nonsense")
    assert "removed 1: odd" in outcome.out
    assert "in.jsonl, line 2: not a JSON object" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("scael", "in.jsonl", "--out", "o.jsonl"), "unknown transform 'scael'. Did you mean 'scale'"),
        (("scale", "in.jsonl"), "--out is missing; give --out"),
        (("scale", "no.jsonl", "--out", "o.jsonl"), "input no.jsonl does not exist"),
        (("scale", "in.jsonl", "--out", "o.jsonl", "--facto", "2"), "Did you mean '--factor'"),
        (("scale", "in.jsonl", "--out", "o.jsonl", "--factor"), "--factor needs a value"),
        (("scale", "in.jsonl", "--out", "o.jsonl", "--factor", "0"), "scale.factor: Input should be"),
        (("scale", "in.jsonl", "--out", "o.jsonl", "--factor=two"), "scale.factor: Input should be a"),
        (("scale", "in.jsonl", "--out", "o.jsonl", "--words", "[a"), "--words: the value is not valid YAML"),
        (("scale", "in.jsonl", "--out", "o.jsonl", "3"), "unexpected argument '3'"),
        (("scale", "in.jsonl", "--out", "o.csv"), "expected a name that ends with .jsonl, or a folder"),
        (("scale", "in.jsonl", "--out", "o.jsonl", "--num-proc", "0"), "num_proc: Input should be greater"),
        (("scale", "in.jsonl", "--out", "in.jsonl"), "is, contains or lies within the input in.jsonl"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message_and_nothing_is_written(acme, main, tmp_path, numbers, arguments, message):
    outcome = main("data", "run", *arguments)

    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert {path.name for path in tmp_path.iterdir()} <= {"in.jsonl", "site-acme-steps"}


def test_without_ray_its_executor_is_one_message_with_the_name_of_the_extra(
    acme, main, tmp_path, numbers, monkeypatch
):
    monkeypatch.setattr(components, "find_spec", lambda _: None)

    outcome = main("data", "run", "scale", "in.jsonl", "--out", "out.jsonl", "--executor", "ray")

    assert outcome.status == 2
    assert outcome.err == "error: --executor ray needs Ray: install saferec[ray], or leave the flag out\n"
    assert not (tmp_path / "out.jsonl").exists()


def test_rejects_above_the_share_stop_the_command_with_file_and_line(acme, main, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"n": 13}\n{"n": 2}\n')

    outcome = main("data", "run", "scale", "in.jsonl", "--out", "out.jsonl")

    assert outcome.status == 2
    assert "step 'scale' rejected 1 of 2 rows; at most 1.0% were allowed" in outcome.err
    assert "in.jsonl, line 1: 13 is no number" in outcome.err
    assert not (tmp_path / "out.jsonl").exists()


def test_an_output_is_replaced_only_when_asked_and_only_if_it_is_ours(acme, main, tmp_path, numbers):
    def scale(factor, *flags):
        return main("data", "run", "scale", numbers, "--out", "out.jsonl", "--factor", factor, *flags)

    assert scale(2).status == 0
    first = (tmp_path / "out.jsonl").read_bytes()
    assert "is up to date" in scale(2).out
    refused = scale(3)
    assert (refused.status, (tmp_path / "out.jsonl").read_bytes()) == (2, first)
    assert "replace it with --overwrite" in refused.err
    assert scale(3, "--overwrite").status == 0
    assert rows(tmp_path / "out.jsonl")[1]["n"] == 3


def test_a_folder_of_the_users_own_is_never_replaced(acme, main, tmp_path, numbers):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")

    outcome = main("data", "run", "scale", numbers, "--out", "mine", "--overwrite")

    assert outcome.status == 2
    assert "was not made by 'saferec data'" in outcome.err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"


def test_files_of_the_users_own_beside_an_output_are_kept(acme, main, tmp_path, numbers):
    (tmp_path / "out.rejects.jsonl").write_text("mine")

    outcome = main("data", "run", "scale", numbers, "--out", "out.jsonl", "--fresh", "--overwrite")

    assert outcome.status == 2
    assert "out.rejects.jsonl already exists, was not made by 'saferec data'" in outcome.err
    assert (tmp_path / "out.rejects.jsonl").read_text() == "mine"
    assert not (tmp_path / "out.jsonl").exists()


def test_a_damaged_output_is_noticed_and_replaced_only_when_asked(acme, main, tmp_path, numbers):
    arguments = ("data", "run", "scale", numbers, "--out", "out.jsonl")
    assert main(*arguments).status == 0
    first = (tmp_path / "out.jsonl").read_bytes()
    (tmp_path / "out.jsonl").write_text("junk")

    refused = main(*arguments)
    assert (refused.status, (tmp_path / "out.jsonl").read_text()) == (2, "junk")
    assert "out.jsonl has been changed since" in refused.err
    assert main(*arguments, "--overwrite").status == 0
    assert (tmp_path / "out.jsonl").read_bytes() == first
    (tmp_path / "out.jsonl").unlink()
    assert main(*arguments).status == 0
    assert (tmp_path / "out.jsonl").read_bytes() == first


def test_a_cache_within_the_output_is_refused(acme, main, tmp_path, numbers):
    outcome = main("data", "run", "scale", numbers, "--out", "ds", "--cache-dir", "ds/cache")

    assert outcome.status == 2
    assert "cache_dir ds/cache lies within the output ds" in outcome.err
    assert not (tmp_path / "ds").exists()


def test_two_commands_do_not_write_one_output(acme, main, tmp_path, numbers):
    with FileLock(tmp_path / ".out.jsonl.lock"):
        outcome = main("data", "run", "scale", numbers, "--out", "out.jsonl")

    assert outcome.status == 2
    assert "another saferec is writing out.jsonl" in outcome.err


@pytest.fixture
def chain(tmp_path, numbers):
    def write(**changes):
        settings = {
            "input": "in.jsonl",
            "output": "out.jsonl",
            "seed": 1,
            "steps": [{"name": "drop-odd"}, {"name": "scale", "factor": 5}, {"name": "scale"}],
            **changes,
        }
        (tmp_path / "chain.yaml").write_text(yaml.safe_dump(settings))
        return "chain.yaml"

    return write


def test_a_dataset_of_no_rows_is_refused_where_they_were_lost(acme, main, tmp_path, chain):
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n{"n": 3}\n')
    done = main("data", "build", chain(output="dataset"))

    assert done.status == 2
    assert "step 'drop-odd' leaves no rows: it has read 2\n  2 removed: odd\n" in done.err
    assert not (tmp_path / "dataset").exists()


def done_before(out):
    """Tell of each step whether it was done before."""
    table = [line for line in out.splitlines() if re.match(r" *(drop-odd|scale) +\d", line)]
    return ["done before" in line for line in table]


def test_a_chain_hands_its_settings_down_and_does_only_what_changed(acme, main, tmp_path, chain):
    first = main("data", "build", chain())
    assert first.status == 0, first.err
    # 0 2 4 6 8, times 5 plus the seed, times 2 plus the seed
    assert [row["n"] for row in rows(tmp_path / "out.jsonl")] == [3, 23, 43, 63, 83]
    assert done_before(first.out) == [False, False, False]

    assert done_before(main("data", "build", chain()).out) == [True, True, True]
    steps = [{"name": "drop-odd"}, {"name": "scale", "factor": 5}, {"name": "scale", "factor": 3}]
    changed = main("data", "build", chain(steps=steps), "--overwrite")
    assert done_before(changed.out) == [True, True, False]
    steps[2]["label"] = "for a reader"
    assert done_before(main("data", "build", chain(steps=steps)).out) == [True, True, True]
    seeded = main("data", "build", chain(steps=steps), "--overwrite", "--seed", "2")
    assert done_before(seeded.out) == [True, False, False]
    (tmp_path / "in.jsonl").write_text('{"n": 4}\n')
    other_input = main("data", "build", chain(steps=steps), "--overwrite")
    assert done_before(other_input.out) == [False, False, False]
    assert [row["n"] for row in rows(tmp_path / "out.jsonl")] == [64]


PARSER = """
import re
from saferec_core import hookimpl
from saferec_core.data.titles import Title
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.parser import ListParser, ParsedItem, ParsedList

@hookimpl
def saferec_register_parsers(registry):
    registry.add("barred", "acme_barred:Barred", summary="Reads |Title|Year| lines.")

@component
class Barred(ListParser):
    def __call__(self, text, *, finished=True):
        lines = re.finditer(r"^[|](.+)[|]([0-9]+)[|]$", text, re.MULTILINE)
        return ParsedList(tuple(ParsedItem(m[1], int(m[2]), m.start(), m.end(), m.end()) for m in lines))

    def format(self, titles):
        return chr(10).join(f"|{title.name}|{title.year}|" for title in titles)
"""


def test_the_parser_that_a_chain_names_writes_its_targets_and_reads_them_for_the_card(
    installed, main, tmp_path
):
    installed("acme-barred", PARSER)
    (tmp_path / "catalog.csv").write_text("title,year\nSaw,2004\nUp,2009\n")
    row = {"id": "d1#1", "user": "ann", "prompt": [{"role": "user", "content": "Hi"}]}
    row["groundtruth_with_release_year"] = [["Saw", 2004]]
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    settings = {
        "input": "in.jsonl",
        "output": "made",
        "catalog_path": "catalog.csv",
        "parser": {"name": "barred"},
        "list_length": 2,
        "form": "jsonl",
        "steps": [{"name": "build-targets", "check": "none"}, {"name": "to-dataset"}],
    }
    (tmp_path / "chain.yaml").write_text(yaml.safe_dump(settings))

    outcome = main("data", "build", "chain.yaml")

    assert outcome.status == 0, outcome.err
    (made,) = (made for split in (tmp_path / "made").glob("*.jsonl") for made in rows(split))
    assert made["completion"][0]["content"] == "|Saw|2004|\n|Up|2009|"
    assert "| 2 | 1 |" in (tmp_path / "made" / "README.md").read_text()  # a list of two titles


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stesp": []}, "unknown key 'stesp'. Did you mean 'steps'"),
        ({"steps": []}, "steps: List should have at least 1 item"),
        ({"steps": [{"factor": 3}]}, "steps.0.name: Field required"),
        ({"steps": [{"name": "scale", "factr": 3}]}, "has no option 'factr'. Did you mean 'factor'"),
        ({"input": None}, "input: "),
        ({"form": "csv"}, "form: Input should be 'datasets', 'jsonl' or 'parquet'"),
        ({"catalog_path": "no.csv"}, "catalog_path: no.csv does not exist"),
        ({"oracle": {"name": "table", "path": "no.arrow"}}, "oracle.path: no.arrow does not exist"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_chain_is_told_with_its_key(acme, main, tmp_path, chain, changes, message):
    outcome = main("data", "build", chain(**changes))

    assert outcome.status == 2
    assert message in outcome.err
    assert not (tmp_path / "out.jsonl").exists()


def test_when_the_disk_is_full_the_old_output_is_intact(acme, main, tmp_path, distribution):
    (tmp_path / "in.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(2000)))
    assert main("data", "run", "scale", "in.jsonl", "--out", "out.jsonl").status == 0
    before = (tmp_path / "out.jsonl").read_bytes()
    code = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from saferec_cli.main import main
sys.argv = ["saferec", "data", "run", "scale", "in.jsonl", "--out", "out.jsonl", "--factor", "1",
            "--overwrite", "--num-proc", "1"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site-acme-steps")},
    )

    assert done.returncode == 2
    assert "cannot" in done.stderr
    assert "File too large" in done.stderr
    assert (tmp_path / "out.jsonl").read_bytes() == before
