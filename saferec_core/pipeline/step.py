"""One step of a chain: a file in, a file out, in parts, on several processes, resumable."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile

from filelock import FileLock, Timeout

from saferec_core.data.rows import row_name, try_rows
from saferec_core.errors import DataError, PluginError, RunError
from saferec_core.files import replacing, write_text
from saferec_core.pipeline.chunk_task import KINDS, do_part, part_account, part_file, read_account
from saferec_core.pipeline.chunks import Part, parts_of
from saferec_core.pipeline.executor import Executor, worker_killed
from saferec_core.pipeline.local_executor import LocalExecutor
from saferec_core.pipeline.origins import first_file_of, write_first_file
from saferec_core.pipeline.step_report import StepAccount
from saferec_core.plugins.calls import calling, named, undisturbed
from saferec_core.plugins.contracts.transform import RowCounts, Surveying, Transform
from saferec_core.plugins.parcels import packed, unpacked

__all__ = ["Step", "StepResult", "run_step"]

_SURE = 200
"""Rows after which the share of rejected rows is meaningful."""


@dataclass(frozen=True)
class Step:
    """A transform and the file that it is applied to."""

    name: str
    transform: Transform
    source: Path
    folder: Path
    """Folder of its files, named after everything that determines its result."""


@dataclass(frozen=True)
class StepResult:
    """The result of a finished step."""

    folder: Path
    account: StepAccount
    cached: bool
    """Whether it had been completed earlier."""

    @property
    def rows(self) -> Path:
        """The rows that came out (JSONL)."""
        return self.folder / "rows.jsonl"


def run_step(
    step: Step,
    *,
    num_proc: int = 1,
    executor: Executor | None = None,
    max_rejects: float = 1.0,
    fresh: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> StepResult:
    """Apply a transform to a file, or return the stored result if that was done before.

    The output is the same, to the byte, for any *num_proc* and after any number of interruptions.

    Args:
        step: The step.
        num_proc: Processes that work on parts of the file.
        executor: Runs the parts, and those of other steps, in place of *num_proc* processes.
        max_rejects: Share of the rows that may be rejected before the step stops, in 0..1.
        fresh: Discard a stored result and start again.
        on_progress: Called with the number of rows done so far.

    Raises:
        DataError: The file cannot be read, or too many of its rows were rejected.
        RunError: Another process is working on the same step, or the disk is full.
        PluginError: The transform failed.
    """
    with _writing(step), _alone(step):
        if fresh:
            shutil.rmtree(step.folder)
        account = _finished(step)
        if account is None:
            with nullcontext(executor) if executor else LocalExecutor(num_proc) as chosen:
                return StepResult(step.folder, _work(step, chosen, max_rejects, on_progress), cached=False)
        _check_rejects(step, account, max_rejects)
        return StepResult(step.folder, account, cached=True)


def _work(
    step: Step, executor: Executor, max_rejects: float, on_progress: Callable[[int], None] | None
) -> StepAccount:
    parts = step.folder / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    transform = step.transform
    if isinstance(transform, Surveying):
        transform = _surveyed(step, transform)
    total, count = StepAccount(step.name), 0
    for account in _accounts(step, transform, parts, executor):
        total.add(account)
        count += 1
        if total.read >= _SURE:
            _check_rejects(step, total, max_rejects, parts=count)
        if on_progress is not None:
            on_progress(total.read)
    _check_rejects(step, total, max_rejects, parts=count)
    for kind in KINDS:
        _join(parts, count, kind, step.folder / f"{kind}.jsonl")
    write_first_file(step.folder, first_file_of(str(step.source), row_name(step.source)))
    total.sizes = {kind: (step.folder / f"{kind}.jsonl").stat().st_size for kind in KINDS}
    text = json.dumps(total.as_json(), indent=2, ensure_ascii=False)
    write_text(step.folder / "account.json", text + "\n")
    shutil.rmtree(parts)
    return total


def _accounts(step: Step, transform: Transform, folder: Path, executor: Executor) -> Iterator[StepAccount]:
    """Yield the accounts of the parts in order, doing those that are not finished."""
    parts = parts_of(step.source, group_column=transform.group_column)
    ahead = list(islice(parts, 2))
    if executor.number == 1 or len(ahead) < 2 or transform.in_one_process:
        for part in (*ahead, *parts):
            yield part_account(folder, part.index) or do_part(step.name, transform, part, folder)
        return
    with _submitting(step, transform, folder, executor) as submit:
        running: dict[int, Future[StepAccount] | StepAccount] = {}
        following = 0
        for part in (*ahead, *parts):
            running[part.index] = part_account(folder, part.index) or submit(part)
            while len(running) > 2 * executor.number:
                yield _next(step, running, following)
                following += 1
        while running:
            yield _next(step, running, following)
            following += 1


def _next(step: Step, running: dict[int, Future[StepAccount] | StepAccount], index: int) -> StepAccount:
    """Return the account of the next part; raise the error of any other part that fails meanwhile."""
    account = running.pop(index)
    try:
        if isinstance(account, StepAccount):
            return account
        others = [future for future in running.values() if isinstance(future, Future)]
        while not account.done():
            done, _ = wait([account, *others], return_when=FIRST_COMPLETED)
            others = [future for future in others if future not in done]
            for future in done:
                future.result()
        return account.result()
    except BrokenExecutor as error:
        raise worker_killed(f"step {step.name!r}") from error


@contextmanager
def _submitting(
    step: Step, transform: Transform, folder: Path, executor: Executor
) -> Iterator[Callable[[Part], Future[StepAccount]]]:
    """Store the transform where each worker reads it once, and provide a function that submits a part.

    However the block is left, no worker is still working on a part.
    """
    try:
        content = packed((step.name, transform))
    except Exception as error:
        raise PluginError(
            f"step {step.name!r}: its transform cannot be sent to other processes ({error}); use --num-proc 1"
        ) from error
    waiting: set[Future[StepAccount]] = set()

    def submit(part: Part) -> Future[StepAccount]:
        future = executor.submit(_do, file.name, part, folder)
        waiting.add(future)
        future.add_done_callback(waiting.discard)
        return future

    with NamedTemporaryFile(dir=folder, suffix=".pickle") as file:
        file.write(content)
        file.flush()
        try:
            yield submit
        finally:
            for future in tuple(waiting):
                future.cancel()
            wait(tuple(waiting))


_read: dict[str, tuple[str, Transform]] = {}
"""In a worker, the current step, by the file from which it was read."""


def _do(file: str, part: Part, folder: Path) -> StepAccount:
    if file not in _read:
        _read.clear()
        _read[file] = unpacked(Path(file).read_bytes())
    name, transform = _read[file]
    return do_part(name, transform, part, folder)


def _surveyed(step: Step, transform: Surveying) -> Transform:
    """Show the transform all rows except those that will be rejected later."""
    columns = transform.columns
    rows = (
        row
        for _, row in try_rows(step.source)
        if isinstance(row, dict) and all(row.get(column) is not None for column in columns)
    )
    what = named("step", transform, step.name)
    with undisturbed(what), calling(what):
        surveyed = transform.survey(RowCounts().reading(rows))
    if not isinstance(surveyed, Transform):
        raise PluginError(f"step {step.name!r}: survey must return a transform, but returned {surveyed!r}")
    return surveyed


def _check_rejects(step: Step, account: StepAccount, most: float, *, parts: int | None = None) -> None:
    if account.rejected <= most * account.read:
        return
    rejects = step.folder / "rejects.jsonl"
    if parts is not None:
        _join(step.folder / "parts", parts, "rejects", rejects)
    first = "\n  ".join(account.rejections[:3])
    raise DataError(
        f"step {step.name!r} rejected {account.rejected:,} of {account.read:,} rows; at most "
        f"{most:.1%} were allowed (max_rejects). All of them: {rejects}. The first:\n  {first}"
    )


def _finished(step: Step) -> StepAccount | None:
    files = {kind: step.folder / f"{kind}.jsonl" for kind in KINDS}
    return read_account(step.folder / "account.json", files)


def _join(parts: Path, count: int, kind: str, out: Path) -> None:
    """Join the parts' files of one kind; *out* is written as a whole or not at all."""
    with replacing(out) as draft, draft.open("wb") as joined:
        for index in range(count):
            with part_file(parts, index, kind).open("rb") as part:
                shutil.copyfileobj(part, joined, 1 << 20)


@contextmanager
def _alone(step: Step) -> Iterator[None]:
    try:
        step.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(step.folder.with_suffix(".lock"), timeout=0):
            yield
    except Timeout as error:
        raise RunError(
            f"step {step.name!r} is in use by another saferec ({step.folder}); wait for it, or "
            "name another --cache-dir"
        ) from error


@contextmanager
def _writing(step: Step) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"step {step.name!r} cannot write to {step.folder}: {error.strerror or error}. Finished work "
            "is kept; run the same command again to resume."
        ) from error
