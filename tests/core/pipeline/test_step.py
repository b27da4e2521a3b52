"""One step: parts, processes, rejects, interruptions."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from itertools import islice

import pytest
from filelock import FileLock

from saferec_core.errors import DataError, PluginError, RunError
from saferec_core.pipeline.chunk_task import do_part
from saferec_core.pipeline.chunks import PART_BYTES, parts_of
from saferec_core.pipeline.step import Step, run_step


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_rows_come_out_in_order_and_what_is_lost_is_kept_with_the_reason(tmp_path, steps, numbers):
    result = run_step(Step("halve", steps.Halve(), numbers, tmp_path / "step"))

    assert [row["half"] for row in lines(result.rows)] == list(range(850))
    removed = lines(result.folder / "removed.jsonl")
    assert removed[0] == {"reason": "odd", "evidence": {"n": 1}, "row": {"n": 1}}
    assert len(removed) == 850
    account = result.account
    assert (account.read, account.written, account.rejected) == (1700, 850, 0)
    assert account.removed == {"odd": 850}
    assert account.counted == {"halved": 850}
    assert account.examples["halved"][:3] == ["0", "2", "4"]
    assert {path.name for path in result.folder.iterdir()} == {
        "account.json",
        "first_file.json",
        "origins.jsonl",
        "rejects.jsonl",
        "removed.jsonl",
        "rows.jsonl",
    }


def test_the_number_of_processes_does_not_change_a_byte(tmp_path, steps, numbers):
    alone = run_step(Step("halve", steps.Halve(), numbers, tmp_path / "alone"), num_proc=1)
    together = run_step(Step("halve", steps.Halve(), numbers, tmp_path / "together"), num_proc=3)

    assert contents(alone.folder) == contents(together.folder)


def test_a_malformed_row_costs_itself_and_is_told_with_file_and_line(tmp_path, steps):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n": 2}\n{"n": \n\n[1]\n{"m": 1}\n{"n": -4}\n\xff\n{"n": 6}\n')

    result = run_step(Step("halve", steps.Halve(), path, tmp_path / "step"))

    assert lines(result.rows) == [{"n": 2, "half": 1}, {"n": 6, "half": 3}]
    rejects = lines(result.folder / "rejects.jsonl")
    assert [(reject["line"], reject["reason"].partition(":")[0]) for reject in rejects] == [
        (2, "not a JSON object"),
        (4, "expected an object, but got list"),
        (5, "column 'n' is missing; columns"),
        (6, "n must not be negative, but is -4"),
        (7, "not UTF-8 text"),
    ]
    assert rejects[0]["content"] == '{"n": '
    assert rejects[3]["content"] == {"n": -4}
    assert rejects[0]["file"] == str(path)
    assert result.account.rejected == 5


def test_a_transform_that_reads_ahead_rejects_the_row_it_means(tmp_path, steps, numbers):
    result = run_step(Step("ahead", steps.Ahead(), numbers, tmp_path / "step"))

    (reject,) = lines(result.folder / "rejects.jsonl")
    assert (reject["line"], reject["content"], reject["reason"]) == (3, {"n": 2}, "not two")


@pytest.mark.parametrize("num_proc", [1, 2])
def test_above_the_allowed_share_of_rejects_a_step_stops_and_can_go_on(tmp_path, steps, num_proc):
    path = tmp_path / "rows.jsonl"
    rows = [{"n": -1 if n % 20 == 7 else n} for n in range(1200)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    step = Step("halve", steps.Halve(), path, tmp_path / "step")

    with pytest.raises(DataError, match=r"'halve' rejected 25 of 500 rows; at most 4\.0%") as error:
        run_step(step, max_rejects=0.04, num_proc=num_proc)
    assert f"{path}, line 8: n must not be negative" in str(error.value)
    assert len(lines(step.folder / "rejects.jsonl")) == 25
    assert not (step.folder / "rows.jsonl").exists()

    assert run_step(step, max_rejects=0.05, num_proc=num_proc).account.rejected == 60
    with pytest.raises(DataError, match="rejected 60 of 1,200 rows"):  # also when it is finished
        run_step(step, max_rejects=0.04)


def test_a_finished_step_is_not_done_again(tmp_path, steps, numbers):
    step = Step("halve", steps.Halve(log=str(tmp_path / "log")), numbers, tmp_path / "step")

    first, second = run_step(step), run_step(step)

    assert (first.cached, second.cached) == (False, True)
    assert second.account == first.account
    assert len((tmp_path / "log").read_text().splitlines()) == 1700


def test_a_transform_that_surveys_sees_every_row_first(tmp_path, steps, numbers):
    result = run_step(Step("share", steps.Share(), numbers, tmp_path / "step"), num_proc=2)

    rows = lines(result.rows)
    assert len(rows) == 1700
    assert rows[1699] == {"share": 1699 / (1699 * 1700 / 2)}


def test_neighbours_of_one_group_come_in_one_call(tmp_path, steps):
    path = tmp_path / "rows.jsonl"
    rows = [{"group": group, "n": 1} for group in range(7) for _ in range(300)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    result = run_step(Step("sums", steps.Sums(), path, tmp_path / "step"), num_proc=2)

    assert lines(result.rows) == [{"group": group, "sum": 300} for group in range(7)]


def test_a_malformed_row_does_not_cut_its_group_apart(tmp_path, steps):
    path = tmp_path / "rows.jsonl"
    rows = [json.dumps({"group": 1, "n": 1})] * 500 + ["oops"] + [json.dumps({"group": 1, "n": 1})] * 100
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")

    result = run_step(Step("sums", steps.Sums(), path, tmp_path / "step"))

    assert lines(result.rows) == [{"group": 1, "sum": 600}]
    assert result.account.rejected == 1


def test_a_row_with_what_is_no_text_or_no_number_is_rejected(tmp_path, steps):
    path = tmp_path / "rows.jsonl"
    rows = [
        '{"n": 1, "x": NaN}',
        '{"n": 2, "x": "\\ud83d"}',
        '{"n": 3, "x": 1e999}',
        '{"n": 4, "x": "\\u00e9"}',
    ]
    path.write_text("\n".join(rows), encoding="utf-8")

    result = run_step(Step("halve", steps.Halve(), path, tmp_path / "step"))

    assert lines(result.rows) == [{"n": 4, "x": "é", "half": 2}]
    reasons = [reject["reason"] for reject in lines(result.folder / "rejects.jsonl")]
    assert reasons[0] == "a number that is not finite: NaN; write null for a missing value"
    assert "surrogates" in reasons[1]
    assert reasons[2].startswith("a number that is not finite")


@pytest.mark.parametrize("num_proc", [1, 2])
def test_a_killed_step_goes_on_where_it_was_and_gives_the_same_bytes(tmp_path, steps, numbers, num_proc):
    whole = run_step(Step("slow", steps.Slow(), numbers, tmp_path / "whole"))
    log = tmp_path / "log"
    code = f"""
from pathlib import Path
from made_up_steps import Slow
from saferec_core.pipeline.chunks import PART_BYTES, parts_of
from saferec_core.pipeline.step import Step, run_step
from saferec_core.pipeline.chunk_task import do_part
if __name__ == "__main__":
    step = Step("slow", Slow(log={str(log)!r}), Path({str(numbers)!r}), Path({str(tmp_path / "step")!r}))
    run_step(step, num_proc={num_proc})
"""
    (tmp_path / "killed.py").write_text(code, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    process = subprocess.Popen([sys.executable, str(tmp_path / "killed.py")], env=environment)
    parts = tmp_path / "step" / "parts"
    while not (parts / "000000.json").exists():
        assert process.poll() is None, "the step ended before a part was done"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "step" / "rows.jsonl").exists()
    time.sleep(0.3)  # workers end with their parent
    done_before = {path.name for path in parts.glob("*.json")}
    assert 1 <= len(done_before) < 4
    log.unlink()

    step = Step("slow", steps.Slow(log=str(log)), numbers, tmp_path / "step")
    result = run_step(step, num_proc=num_proc)

    assert contents(result.folder) == contents(whole.folder)
    again = {int(line) // 500 for line in log.read_text().splitlines()}
    assert again.isdisjoint({int(name.partition(".")[0]) for name in done_before})


def test_what_was_cut_off_in_the_cache_is_done_again(tmp_path, steps, numbers):
    step = Step("halve", steps.Halve(), numbers, tmp_path / "step")
    whole = contents(run_step(step).folder)
    for name, content in (("rows.jsonl", b'{"n": 0'), ("account.json", b""), ("removed.jsonl", b"")):
        (step.folder / name).write_bytes(content)

        assert not run_step(step).cached
        assert contents(step.folder) == whole
    (step.folder / "rows.jsonl").unlink()
    assert run_step(step).account.written == 850


def test_a_part_that_was_cut_off_is_done_again(tmp_path, steps, numbers):
    whole = contents(run_step(Step("halve", steps.Halve(), numbers, tmp_path / "whole")).folder)
    parts = tmp_path / "step" / "parts"
    parts.mkdir(parents=True)
    for part in islice(parts_of(numbers), 3):
        do_part("halve", steps.Halve(), part, parts)
    with (parts / "000001.rows.jsonl").open("r+b") as file:
        file.truncate(100)
    (parts / "000002.json").write_bytes(b"")

    assert contents(run_step(Step("halve", steps.Halve(), numbers, tmp_path / "step")).folder) == whole


def test_long_rows_make_short_parts(tmp_path):
    path = tmp_path / "long.jsonl"
    path.write_text("".join(json.dumps({"n": n, "text": "x" * (PART_BYTES // 4)}) + "\n" for n in range(10)))

    assert [part.size for part in parts_of(path)] == [4, 4, 2]


@pytest.mark.parametrize("num_proc", [1, 2])
@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Raises", (), r"step 'step' failed: KeyError: 'what\?'"),
        ("Quits", (), "step 'step' failed: SystemExit: 0"),
        ("Eager", (), "step 'step' failed: KeyError: 'at once'"),
        ("NoSurvey", (), "step 'step': survey must return a transform, but returned None"),
        ("BadSurvey", (), "step 'step' failed: OSError: no such source"),
        ("Lazy", (), "step 'step' stopped before it had read all its rows"),
        ("Endless", (), "step 'step' has yielded 11,001 rows for 1 that it has read; has it no end"),
        (
            "Yields",
            (7,),
            "JSON cannot represent: expected a row or another outcome",
        ),
        ("Yields", ({"x": float("nan")},), "step 'step' yielded a value that JSON cannot represent"),
        (
            "Yields",
            ({"x": {1, 2}},),
            "JSON cannot represent: set cannot be written",
        ),
    ],
)
def test_a_transform_that_breaks_its_contract_is_named(
    tmp_path, steps, numbers, num_proc, name, arguments, message
):
    step = Step("step", getattr(steps, name)(*arguments), numbers, tmp_path / "step")

    with pytest.raises(PluginError, match=message):
        run_step(step, num_proc=num_proc)


def test_a_transform_that_cannot_be_sent_to_processes_says_so(tmp_path, steps, numbers):
    transform = steps.Halve()
    object.__setattr__(transform, "handle", lambda: None)

    with pytest.raises(PluginError, match=r"cannot be sent to other processes.*--num-proc 1"):
        run_step(Step("halve", transform, numbers, tmp_path / "step"), num_proc=2)


def test_a_worker_that_is_killed_is_told_and_nothing_is_lost(tmp_path, steps, numbers):
    with pytest.raises(RunError, match="a worker process was killed"):
        run_step(Step("dies", steps.Dies(), numbers, tmp_path / "step"), num_proc=2)


def test_two_at_one_step_do_not_get_in_each_others_way(tmp_path, steps, numbers):
    step = Step("halve", steps.Halve(), numbers, tmp_path / "step")

    with FileLock(tmp_path / "step.lock"), pytest.raises(RunError, match="in use by another saferec"):
        run_step(step)


def test_a_full_disk_is_told_and_the_step_goes_on_later(tmp_path, steps, numbers):
    code = f"""
import resource, signal
from pathlib import Path
from made_up_steps import Halve
from saferec_core.errors import RunError
from saferec_core.pipeline.chunks import PART_BYTES, parts_of
from saferec_core.pipeline.step import Step, run_step
from saferec_core.pipeline.chunk_task import do_part
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))
try:
    run_step(Step("halve", Halve(), Path({str(numbers)!r}), Path({str(tmp_path / "step")!r})))
except RunError as error:
    print(error)
"""
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "step 'halve' cannot write to" in done.stdout
    assert "File too large" in done.stdout
    assert not (tmp_path / "step" / "account.json").exists()
    assert run_step(Step("halve", steps.Halve(), numbers, tmp_path / "step")).account.written == 850


def test_an_empty_file_gives_no_rows(tmp_path, steps):
    (tmp_path / "empty.jsonl").write_text("")

    result = run_step(Step("halve", steps.Halve(), tmp_path / "empty.jsonl", tmp_path / "step"))

    assert (result.account.read, result.rows.read_text()) == (0, "")


def test_what_a_later_step_rejects_is_named_by_file_and_line_of_the_first_file(tmp_path, steps):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": 1}\n\n{"n": 8}\n{"n": \n{"n": 4}\n{"n": -6}\n{"n": 12}\n')

    first = run_step(Step("halve", steps.Halve(), path, tmp_path / "first"), max_rejects=1)
    second = run_step(Step("named", steps.Named(), first.rows, tmp_path / "second"), max_rejects=1)
    third = run_step(Step("picky", steps.Picky(), second.rows, tmp_path / "third"), max_rejects=1)

    (reject,) = lines(third.folder / "rejects.jsonl")
    assert (reject["file"], reject["line"], reject["reason"]) == (str(path), 7, "12 is too much")
    assert third.account.rejections == [f"{path}, line 7: 12 is too much"]


def test_rows_that_are_read_together_are_told_apart_by_their_ids(tmp_path, steps):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"id": "r{n}", "n": {n}}}\n' for n in (8, 4, 12)))

    first = run_step(Step("together", steps.Together(), path, tmp_path / "first"))
    second = run_step(Step("picky", steps.Picky(), first.rows, tmp_path / "second"), max_rejects=1)

    assert [
        (reject["line"], reject["content"]["id"]) for reject in lines(second.folder / "rejects.jsonl")
    ] == [(3, "r12")]


def test_a_row_that_was_made_of_several_is_named_by_the_file_of_the_step_before(tmp_path, steps):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"n": {n}}}\n' for n in (8, 4, 12)))

    first = run_step(Step("together", steps.Together(), path, tmp_path / "first"))
    second = run_step(Step("picky", steps.Picky(), first.rows, tmp_path / "second"), max_rejects=1)

    (reject,) = lines(second.folder / "rejects.jsonl")
    assert (reject["file"], reject["line"]) == (str(first.rows), 1)
