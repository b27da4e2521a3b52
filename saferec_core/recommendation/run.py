"""What ``saferec recommend`` needs: a recommender for a policy, and lists for a file of prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from saferec_core.config.domain import read_domain
from saferec_core.config.schema import RecommendConfig
from saferec_core.data.catalog import read_catalog
from saferec_core.data.prompt_form import PromptForm
from saferec_core.data.record_files import read_records
from saferec_core.data.records import Record, record_of
from saferec_core.data.rows import row_name, try_rows
from saferec_core.data.traits import read_traits
from saferec_core.errors import ConfigError, DataError, RunError, SaferecError
from saferec_core.evaluation.baseline_names import names_baseline
from saferec_core.evaluation.baselines import BASELINES
from saferec_core.evaluation.protocol import described, described_oracles
from saferec_core.files import data_hash
from saferec_core.models.completions import Decoding
from saferec_core.models.generation import PolicyGenerator
from saferec_core.models.guided.allowed import AllowedTitles, UnknownTitles
from saferec_core.models.guided.guides import Guides
from saferec_core.models.loading import Policy, load_policy
from saferec_core.models.whole_policy import on_accelerator, weights_hash
from saferec_core.plugins.build import build_oracle, chosen
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.parser import ListParser
from saferec_core.plugins.offered import Plugins
from saferec_core.recommendation.baseline_recommender import BaselineRecommender
from saferec_core.recommendation.recommender import Recommendation, Recommender, check_constraints
from saferec_core.runs.checkpoints import resolve_folder

__all__ = ["Asking", "load_recommender", "made_of", "recommend_file"]


@dataclass(frozen=True)
class Asking:
    """How lists are asked for."""

    num_titles: int
    """Titles of a list, k."""
    guided: bool = True
    """Write only titles of the catalog that are unseen and not known to violate a constraint."""
    unknown: UnknownTitles = "allow"
    """Whether a guided list may hold titles that the oracle cannot judge."""
    decoding: Literal["greedy", "sampled"] = "greedy"
    """The most likely token each time, or drawn at *temperature*."""
    temperature: float = 1.0
    batch_size: int = 32
    """Lists that are generated together."""

    def __post_init__(self) -> None:
        if self.unknown not in get_args(UnknownTitles):
            raise ConfigError(
                f"unknown must be {' or '.join(get_args(UnknownTitles))}, but is {self.unknown!r}"
            )
        if not self.temperature > 0:
            raise ConfigError(
                f"temperature must be above 0, but is {self.temperature!r}; leave it out for greedy lists"
            )
        if self.batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, but is {self.batch_size!r}")


def load_recommender(
    config: RecommendConfig, plugins: Plugins, asking: Asking
) -> Recommender | BaselineRecommender:
    """Load the policy or baseline that *config* names with its catalog, oracle and parser.

    Raises:
        SaferecError: Something is missing or does not fit.
    """
    data = config.data
    assert data.catalog_path is not None  # checked before torch was imported
    tolerance = data.year_tolerance
    oracle = None
    if config.oracle is not None:
        oracle = build_oracle(config.oracle, year_tolerance=tolerance, plugins=plugins)
    catalog = read_catalog(data.catalog_path, year_tolerance=tolerance, match_subtitles=data.match_subtitles)
    judge = Judge(catalog, oracle)
    prompts = PromptForm(
        config.prompts.instruction,
        config.prompts.sentences,
        read_traits(read_domain(data.domain_path).traits_path),
    )
    reference = str(config.model.model)
    if names_baseline(reference):
        if data.train_path is None and BASELINES[reference].needs_training:
            raise ConfigError(f"{reference} needs training records; give train_path, or a run that has them")
        train = (
            [] if data.train_path is None else read_records(data.train_path, needs={}, limit=data.max_records)
        )
        return BaselineRecommender(
            BASELINES[reference](judge.catalog, train, seed=config.seed),
            judge,
            AllowedTitles(judge, asking.unknown),
            asking.num_titles,
            safe=asking.guided,
            prompts=prompts,
        )
    parser: ListParser = chosen(
        plugins,
        plugins.parsers,
        data.parser,
        {"catalog_path": data.catalog_path, "year_tolerance": tolerance},
    )
    policy = on_accelerator(load_policy(resolve_folder(reference), config.model))
    return Recommender(
        generator=PolicyGenerator(policy),
        parser=parser,
        judge=judge,
        decoding=Decoding(
            asking.decoding,
            config.max_completion_length,
            temperature=asking.temperature,
            batch_size=asking.batch_size,
            seed=config.seed,
        ),
        num_titles=asking.num_titles,
        prompts=prompts,
        guiding=_guides(config, policy, parser, judge, asking) if asking.guided else None,
    )


def _guides(
    config: RecommendConfig, policy: Policy, parser: ListParser, judge: Judge, asking: Asking
) -> Guides:
    return Guides(
        policy,
        parser,
        judge,
        asking.num_titles,
        asking.unknown,
        config.data.list_marker,
        config.max_completion_length,
    )


def made_of(config: RecommendConfig, recommender: Recommender | BaselineRecommender) -> dict[str, Any]:
    """Return what lists depend on beside how they are asked for: files by their hashes, and the weights."""
    data, parts = config.data, {"catalog": recommender.judge.catalog.content_hash}
    if config.oracle is not None:
        parts["oracle"] = described_oracles(config.oracle, recommender.judge.oracle)
    if isinstance(recommender, Recommender):
        parts["parser"] = described(data.parser.name, recommender.parser)
        if isinstance(recommender.generator, PolicyGenerator):
            parts["weights"] = weights_hash(recommender.generator.policy)
    elif data.train_path is not None:
        parts["training records"] = data_hash(data.train_path)
    return {**parts, "year_tolerance": data.year_tolerance, "seed": config.seed}


def recommend_file(
    recommender: Recommender | BaselineRecommender,
    source: Path,
    out: Path,
    asking: Asking,
    *,
    policy: str,
    parts: Mapping[str, Any] = MappingProxyType({}),
    progress: Callable[[int], None] | None = None,
) -> Mapping[str, int]:
    """Write a list for every row of *source* to *out*; an interrupted call continues where it was.

    A row of *source* has ``prompt`` (text or messages) and may have ``constraints``, which its prompt states,
    and ``seen_titles``. A prompt without a system message gets the instruction of the recommender. A row that
    cannot be read gets an ``error`` in place of a list. Every line of *out* names its row.

    Args:
        recommender: Makes the lists.
        source: Any file of rows.
        out: JSONL; a manifest beside it records what it was made from.
        asking: How lists are asked for.
        policy: What the policy is called.
        parts: What it consists of, as :func:`made_of` returns it.
        progress: Called with the number of rows done so far.

    Returns:
        How many rows got a list, got an error, and were already done.

    Raises:
        RunError: *out* was made from something else.
        DataError: *source* has no rows, or none that could be read.
    """
    if next(try_rows(source), None) is None:
        raise DataError(f"{source} has no rows; expected one with a prompt for every list")
    settings = {"policy": policy, "input_sha256": data_hash(source), **asdict(asking), "parts": dict(parts)}
    if recommender.prompts.instruction is not None:
        settings["instruction"] = recommender.prompts.instruction
    done = _done(out, settings)
    counts = {"lists": 0, "errors": 0, "kept": done}
    first_error = None
    with out.open("a", encoding="utf-8") as file:
        for batch in _batches(islice(try_rows(source), done, None), asking.batch_size, recommender):
            answers = _answers(recommender, dict(batch))
            for number, _ in batch:
                content = answers[number]
                first_error = first_error or content.get("error")
                counts["errors" if "error" in content else "lists"] += 1
                file.write(json.dumps({row_name(source): number, **content}, ensure_ascii=False) + "\n")
            file.flush()
            if progress is not None:
                progress(sum(counts.values()))
    if first_error and counts["errors"] == sum(counts.values()):
        out.unlink()
        _manifest_of(out).unlink()
        raise DataError(f"no row of {source} could be read; the first: {first_error}")
    return counts


def _batches(
    rows: Iterator[tuple[int, dict[str, Any] | DataError]],
    size: int,
    recommender: Recommender | BaselineRecommender,
) -> Iterator[list[tuple[int, Record | SaferecError]]]:
    """Read rows as records, a few at a time; what is wrong with a row stands in its place."""
    while batch := list(islice(rows, size)):
        read: list[tuple[int, Record | SaferecError]] = []
        for number, row in batch:
            try:
                if isinstance(row, DataError):
                    raise row
                record = record_of(row, needs={})
                if not any(message["content"].strip() for message in record.prompt):
                    raise DataError("the prompt is empty")
                check_constraints(record.constraints, recommender.judge)
                read.append((number, replace(record, prompt=recommender.prompts.begun(record.prompt))))
            except SaferecError as error:
                read.append((number, error))
        yield read


def _answers(
    recommender: Recommender | BaselineRecommender, rows: Mapping[int, Record | SaferecError]
) -> dict[int, dict[str, Any]]:
    """Return what is written for each row: its list, or what is wrong with it.

    A record that the policy cannot be asked about, such as one that is too long, costs its own list alone.
    """
    records = {number: row for number, row in rows.items() if isinstance(row, Record)}
    try:
        lists = dict(zip(records, recommender(list(records.values())), strict=True))
    except DataError as error:
        if len(rows) == 1:
            return {number: {"error": str(error)} for number in rows}
        alone = [_answers(recommender, {number: row}) for number, row in rows.items()]
        return {number: content for each in alone for number, content in each.items()}
    return {
        number: _line(lists[number]) if number in lists else {"error": str(row)}
        for number, row in rows.items()
    }


def _line(recommendation: Recommendation) -> dict[str, Any]:
    content = recommendation.as_data()
    return {name: content[name] for name in ("titles", "completion", "note")}


def _done(out: Path, settings: Mapping[str, Any]) -> int:
    """Return how many rows are done; a line that was cut off is removed.

    Raises:
        RunError: The file was made from something else.
    """
    manifest = _manifest_of(out)
    key = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        manifest.write_text(json.dumps({"key": key, **settings}, indent=2) + "\n", encoding="utf-8")
        return 0
    try:
        made = json.loads(manifest.read_text(encoding="utf-8")).get("key")
    except (OSError, ValueError, AttributeError):
        made = None
    if made != key:
        raise RunError(
            f"{out} already exists and was made of another input, policy, catalog, oracle or settings; name "
            "another --out"
        )
    content = out.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        out.write_bytes(whole)
    return whole.count(b"\n")


def _manifest_of(out: Path) -> Path:
    return out.with_suffix(".manifest.json")
