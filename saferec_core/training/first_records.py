"""The checks of ``saferec data show --problems``, on the first records of every training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.data.records import Record
from saferec_core.models.record_view import RecordReader, check_records
from saferec_core.runs.observer import Observer

__all__ = ["check_first_records"]


_CHECKED = 64


def check_first_records(
    reader: RecordReader,
    records: Sequence[Record],
    config: SftConfig | TrainConfig,
    observer: Observer,
    *,
    prompts_only: bool = False,
) -> None:
    """Refuse records that a policy cannot learn from, and warn of what looks wrong with others.

    Args:
        reader: Reads them as the policy will.
        records: What the policy is trained on; limits on their length are applied later.
        config: The run.
        observer: Told each warning.
        prompts_only: Whether their completions are not learned from.

    Raises:
        DataError: A policy cannot learn what some of the first records say.
    """
    warnings: list[str] = []
    source = config.data.train_path
    first = list(islice(records, _CHECKED))
    if prompts_only:
        first = [replace(record, completion=None) for record in first]
    check_records(reader, first, source, warnings.append)
    for warning in warnings:
        observer.note(warning)
    if warnings:
        catalog = "" if config.data.catalog_path is None else f" --catalog-path {config.data.catalog_path}"
        domain = "" if config.data.domain_path is None else f" --domain-path {config.data.domain_path}"
        observer.note(
            "This looks wrong with all records: "
            f"saferec data show {source} --model {config.model.model}{catalog}{domain} --problems"
        )
