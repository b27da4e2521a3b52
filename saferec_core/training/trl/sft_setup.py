"""Safe SFT on TRL's ``SFTTrainer``: loss on the completion only, no target cut."""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import uuid4

from datasets import Dataset
from datasets.exceptions import DatasetGenerationError
from pyarrow import compute
from trl import SFTConfig as TrlSFTConfig
from trl import SFTTrainer

from saferec_core.config.schema import SftConfig
from saferec_core.data import mapped_rows
from saferec_core.data.records import Record
from saferec_core.errors import DataError, SaferecError
from saferec_core.models.loading import Policy
from saferec_core.training.trl.arguments import common_arguments, engine_settings, lora_config
from saferec_core.training.trl.compact_head import compact_head
from saferec_core.training.trl.length_groups import LengthGroups
from saferec_core.training.trl.phases import Phased
from saferec_core.training.trl.prompt_order import SampleOrder
from saferec_core.training.trl.resumable import Resumable

__all__ = ["SafeSFTTrainer", "sft_trainer"]


class SafeSFTTrainer(Phased, Resumable, SFTTrainer):  # type: ignore[misc]  # TRL ships no types
    """``SFTTrainer`` that can be continued exactly, and computes logits of completions only."""

    group_by_length = False
    """Whether the samples of a batch are about as long as each other."""

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Any:
        """Return a sampler with the order of TRL's, or one that groups samples by length."""
        dataset = self.train_dataset if train_dataset is None else train_dataset
        args = self.args
        if not self.group_by_length:
            return SampleOrder(len(dataset), args.seed)
        lengths = compute.list_value_length(dataset.with_format("arrow")["input_ids"][:]).to_numpy()
        together = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        return LengthGroups(lengths, together, args.seed)

    def compute_loss(self, *arguments: Any, **options: Any) -> Any:
        """Compute TRL's loss."""
        with compact_head():
            return super().compute_loss(*arguments, **options)


def sft_trainer(
    policy: Policy,
    config: SftConfig,
    *,
    train: Sequence[Record],
    validation: Sequence[Record],
    output_dir: Path,
) -> SafeSFTTrainer:
    """Set TRL's trainer up for records that fit into ``max_length`` already."""
    evaluated = config.eval_strategy if validation else "no"
    with engine_settings(config.model.model):
        arguments = TrlSFTConfig(
            **common_arguments(config, config.optimization, output_dir),
            max_length=None,  # what does not fit was shortened or left out, and counted
            completion_only_loss=True,
            packing=False,
            eval_strategy=evaluated,
            eval_steps=config.eval_steps if evaluated == "steps" else None,
            per_device_eval_batch_size=config.per_device_eval_batch_size,
        )
        trainer = SafeSFTTrainer(
            policy.model,
            args=arguments,
            train_dataset=_dataset(train),
            eval_dataset=_dataset(validation) if evaluated != "no" else None,
            processing_class=policy.tokenizer,
            peft_config=lora_config(config.model),
        )
    trainer.group_by_length = config.group_by_length
    return trainer


def _dataset(records: Sequence[Record]) -> Dataset:
    """Return prompts and completions; those of more records than are kept in memory in a mapped file."""

    def rows() -> Iterator[dict[str, Any]]:
        for record in records:
            yield {"prompt": list(record.prompt), "completion": list(record.completion or ())}

    if len(records) <= mapped_rows.IN_MEMORY:
        return Dataset.from_list(list(rows()))
    scratch = mkdtemp(prefix="saferec-rows-")
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    name = uuid4().hex  # a digest of the rows would take as long as writing them
    try:
        return Dataset.from_generator(rows, cache_dir=scratch, fingerprint=name)
    except DatasetGenerationError as error:  # of whatever happens meanwhile
        cause = error.__cause__ or error
        if isinstance(cause, SaferecError):
            raise cause from error
        raise DataError(
            f"the records cannot be kept in {scratch}: {cause}. Set TMPDIR to a folder with more space"
        ) from error
