"""Components of plugins that are single files, in another process."""

import subprocess
import sys

from saferec_core.pipeline.step import Step, run_step
from saferec_core.plugins.build import build
from saferec_core.plugins.calls import named
from saferec_core.plugins.last_words import is_built_in
from saferec_core.plugins.manager import load_plugins
from saferec_core.plugins.parcels import packed
from saferec_core.plugins.registry import module_of_file

MARK = """
from dataclasses import dataclass
from saferec_core.plugins.contracts.transform import Transform

@dataclass(frozen=True)
class Mark(Transform):
    word: str = {word!r}

    def __call__(self, rows):
        for row in rows:
            yield {{**row, "word": self.word}}
"""

UNPACK = """
import sys
from saferec_core.plugins.parcels import unpacked
print([mark.word + type(mark).word for mark in unpacked(sys.stdin.buffer.read())])
"""


def mark_of(folder, word):
    folder.mkdir()
    (folder / "mark.py").write_text(MARK.format(word=word), encoding="utf-8")
    return module_of_file(folder / "mark.py").Mark()


def test_components_of_two_files_of_one_name_reach_another_process(tmp_path):
    marks = [mark_of(tmp_path / "one", "first"), mark_of(tmp_path / "two", "second")]
    done = subprocess.run(
        [sys.executable, "-c", UNPACK], input=packed(marks), capture_output=True, check=True
    )

    assert done.stdout.decode().strip() == "['firstfirst', 'secondsecond']"


def test_a_step_of_a_file_is_done_by_several_processes(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"n": {n}, "text": "{"x" * 300}"}}\n' for n in range(2000)))
    done = run_step(Step("mark", mark_of(tmp_path / "plugin", "seen"), rows, tmp_path / "step"), num_proc=2)

    assert done.account.written == 2000
    assert done.rows.read_text(encoding="utf-8").count('"word":"seen"') == 2000


NAME = """
import sys
from saferec_core.plugins.calls import named
from saferec_core.plugins.parcels import unpacked
print(named("step", unpacked(sys.stdin.buffer.read()), "its step"))
"""


def test_a_component_is_named_in_another_process_as_in_its_own():
    transform = build(load_plugins().transforms.get("filter-samples"), {})
    done = subprocess.run(
        [sys.executable, "-c", NAME], input=packed(transform), capture_output=True, check=True
    )

    assert done.stdout.decode().strip() == named("step", transform, "its step")
    assert is_built_in(named("step", transform, "its step"))
