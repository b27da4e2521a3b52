"""``saferec eval``: a stored policy on held-out prompts, as they are or with constraints changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from saferec_core.config.domain import read_domain
from saferec_core.config.schema import EvalConfig
from saferec_core.data.records import Record
from saferec_core.data.traits import read_traits
from saferec_core.errors import ConfigError, RunError
from saferec_core.evaluation.counterfactual.evaluate import Flipping
from saferec_core.evaluation.counterfactual.summary import Responsiveness
from saferec_core.evaluation.evaluator import Evaluation, records_hash
from saferec_core.evaluation.files import folder_for, policy_name, results_path, stem_of
from saferec_core.evaluation.hosted import HostedGenerator, hosted_name
from saferec_core.evaluation.keeping import keep
from saferec_core.evaluation.protocol import EvaluationProtocol, described
from saferec_core.evaluation.setup import (
    Parts,
    assemble,
    evaluator_of,
    instruction_added,
    record_limit,
    run_protocol,
    used_records,
)
from saferec_core.models.completions import CompletionGenerator
from saferec_core.models.generation import PolicyGenerator
from saferec_core.models.guided.guides import Guides
from saferec_core.models.loading import load_policy
from saferec_core.models.resume import Journal
from saferec_core.models.whole_policy import on_accelerator
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.checkpoints import newest_usable, resolve_folder
from saferec_core.runs.distributed import is_main
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.observer import Observer, Plan, staged

__all__ = ["run_eval", "run_flip"]

_UNGUIDED = (
    "guided decoding runs with transformers only; {engine} cannot leave out the titles that a list already "
    "holds. Set --eval-engine transformers"
)


def run_eval(
    config: EvalConfig,
    plugins: Plugins,
    observer: Observer,
    *,
    out: Path | None = None,
    stem: str | None = None,
) -> list[Evaluation]:
    """Evaluate ``config.model.model`` (a run, a checkpoint, a model) on the held-out prompts.

    Every sample is kept, in *out* or where :func:`saferec_core.evaluation.files.folder_for` says. What an
    earlier evaluation had generated when it was interrupted is taken over.

    Args:
        config: The policy, the data and the protocol.
        plugins: What is installed.
        observer: Shown the plan, the progress and the figures.
        out: Folder for the results.
        stem: What the names of their files begin with; by default ``policy``, or the checkpoint's name.

    Raises:
        SaferecError: Whatever the user can put right; before anything is generated where possible.
    """
    task = _task(config, plugins, observer, out, stem)
    if task is None:
        return []
    evaluator = evaluator_of(config, task.parts, task.records, plugins)
    evaluations = []
    for protocol in task.protocols:
        path = task.path(protocol, protocol.facts())
        journal = Journal(task.folder.journal(path.stem))
        with staged(observer, f"Evaluate policy, {protocol.decoding_name}", len(task.records)) as progress:
            generator = task.generator(journal)
            evaluation = evaluator(
                generator,
                protocol,
                policy=task.policy,
                batch_size=config.evaluation.eval_batch_size,
                seed=config.seed,
                guiding=task.guides(generator),
                progress=progress,
            )
        keep(evaluation, config, task.folder, path, observer, engine=config.evaluation.eval_engine)
        journal.remove()
        _note_files(observer, "sample", path, journal)
        evaluations.append(evaluation)
    return evaluations


def run_flip(
    config: EvalConfig, plugins: Plugins, observer: Observer, *, out: Path | None = None
) -> list[Responsiveness]:
    """Ask ``config.model.model`` the held-out prompts with constraints removed, added and swapped.

    Raises:
        SaferecError: As :func:`run_eval`; also if there is no oracle, or nothing to change.
    """
    if config.oracle is None:
        raise ConfigError("--flip counts violations and needs an oracle; name its table with --oracle-path")
    if config.evaluation.guided:
        raise ConfigError("--flip asks what a policy does by itself; it does not go with --guided")
    task = _task(config, plugins, observer, out)
    if task is None:
        return []
    depth = max(config.evaluation.eval_at)
    traits = read_traits(read_domain(config.data.domain_path).traits_path)
    flipping = Flipping(task.records, task.parts.parser, task.parts.judge, depth, traits)
    for sentence in flipping.coverage:
        observer.note(sentence)
    responses = []
    for protocol in task.protocols:
        path = task.path(protocol, flipping.choices(protocol), ending="-flip")
        journal = Journal(task.folder.journal(path.stem))
        prompts = len(flipping.prompts)
        with staged(observer, f"Change constraints, {protocol.decoding}", prompts) as progress:
            responsiveness = flipping(
                task.generator(journal),
                protocol,
                policy=task.policy,
                data_sha256=task.data_sha256,
                batch_size=config.evaluation.eval_batch_size,
                seed=config.seed,
                progress=progress,
            )
        responsiveness.results.write(path)
        summary = {**responsiveness.as_data(), "coverage": flipping.coverage}
        task.folder.write_json(task.folder.summary(path.stem), summary)
        journal.remove()
        observer.table(responsiveness.title, responsiveness.table())
        for sentence in responsiveness.sentences:
            observer.note(sentence)
        _note_files(observer, "pair", path, journal)
        responses.append(responsiveness)
    return responses


@dataclass(frozen=True)
class _Task:
    """A policy that is loaded, and what it is to be asked."""

    config: EvalConfig
    parts: Parts
    records: Mapping[int, Record]
    folder: RunFolder
    generator: Callable[[Journal], CompletionGenerator]
    stem: str

    @property
    def policy(self) -> str:
        """What the policy is called."""
        if self.config.evaluation.eval_engine == "openai":
            return hosted_name(self.config)
        return policy_name(str(self.config.model.model))

    @property
    def protocols(self) -> list[EvaluationProtocol]:
        """One for each decoding."""
        return [run_protocol(self.config, self.parts, kind) for kind in self.config.evaluation.eval_decoding]

    def guides(self, generator: CompletionGenerator) -> Guides | None:
        """Return what guides the policy's lists, None if they are free.

        Raises:
            ConfigError: The engine cannot be guided.
        """
        settings = self.config.evaluation
        if not settings.guided:
            return None
        if not isinstance(generator, PolicyGenerator):
            raise ConfigError(_UNGUIDED.format(engine=settings.eval_engine))
        return Guides(
            generator.policy,
            self.parts.parser,
            self.parts.judge,
            self.config.num_ranks,
            settings.unknown,
            self.config.data.list_marker,
            self.config.max_completion_length,
        )

    @property
    def data_sha256(self) -> str:
        """Hash of the records."""
        return records_hash(self.records.values())

    def path(self, protocol: EvaluationProtocol, choices: Mapping[str, Any], ending: str = "") -> Path:
        """Return the file that gets the results."""
        return results_path(
            self.folder,
            self.stem,
            protocol,
            choices=choices,
            policy=self.policy,
            data_sha256=self.data_sha256,
            ending=ending,
        )


def _task(
    config: EvalConfig, plugins: Plugins, observer: Observer, out: Path | None, stem: str | None = None
) -> _Task | None:
    """Read the data, show the plan, load the policy, make the folder; None except on the main process."""
    reference = config.model.model
    if reference is None:
        raise ConfigError("the policy is missing; name a run folder, a checkpoint or a model")
    if config.evaluation.eval_prompts == 0:
        raise ConfigError("eval_prompts = 0 leaves nothing to evaluate; set at least 1")
    load = _loader(config, reference, cache(observer.note))
    train = config.data.train_path  # for the popularity of titles
    parts = assemble(
        config, plugins, train=train is not None and train.exists(), year=config.evaluation.eval_year
    )
    if not parts.held_out:
        raise ConfigError("held-out records are missing; give --test-path or --validation-path")
    records = used_records(parts.held_out, config.evaluation, parts.prompts)
    if not is_main():
        return None
    observer.plan(_plan(config, reference, parts, len(records)))
    generator = load()
    folder = folder_for(reference, config, plugins, out)
    return _Task(config, parts, records, folder, generator, stem or stem_of(reference, folder))


def _plan(config: EvalConfig, reference: object, parts: Parts, prompts: int) -> Plan:
    catalog = parts.judge.catalog
    return Plan(
        "Evaluation",
        {
            "policy": str(reference),
            "prompts": f"{prompts}",
            **record_limit(config.data),
            **instruction_added(parts, config.evaluation),
            "catalog": f"{config.data.catalog_path}: {len(catalog)} titles",
            "parser": described(config.data.parser.name, parts.parser),
            "oracle": "none" if config.oracle is None else config.oracle.names,
            "decoding": ", ".join(config.evaluation.eval_decoding)
            + (", guided" if config.evaluation.guided else ""),
        },
    )


def _loader(
    config: EvalConfig, reference: str, note: Callable[[str], None]
) -> Callable[[], Callable[[Journal], CompletionGenerator]]:
    """Refuse a policy that does not exist, and return what loads it."""
    if config.evaluation.eval_engine == "openai":
        return lambda: lambda _: HostedGenerator(config)  # has a cache of its own
    resolved = resolve_folder(reference)
    _check_finished(Path(resolved))
    if config.evaluation.eval_engine == "vllm":
        from saferec_core.models.vllm import VllmGenerator, check_vllm, load_vllm

        check_vllm(resolved)
        return lambda: partial(VllmGenerator, load_vllm(resolved, config.model, config.engine), note=note)
    return lambda: partial(PolicyGenerator, on_accelerator(load_policy(resolved, config.model)), note=note)


def _check_finished(folder: Path) -> None:
    """Refuse a run that has no policy yet, naming what could be evaluated in its place.

    Raises:
        RunError: It is one.
    """
    run = RunLayout(folder)
    if not run.exists or (folder / "config.json").is_file():
        return
    last = newest_usable(run)
    instead = " and no intact checkpoint" if last is None else f"; evaluate a checkpoint, such as {last}"
    raise RunError(f"run {folder} has no policy (it was not completed){instead}")


def _note_files(observer: Observer, what: str, path: Path, journal: Journal) -> None:
    if journal.used:
        observer.note(f"Taken over from an interrupted evaluation: {journal.used} batches of completions.")
    observer.kept(what, path)
