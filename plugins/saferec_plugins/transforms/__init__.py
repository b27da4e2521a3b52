"""Built-in dataset transforms: importers first, then the phases of the Safe-Rank-GRPO paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.transform import Transform
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_transforms"]


@hookimpl
def saferec_register_transforms(registry: Registry[Transform]) -> None:
    """Offer the built-in transforms."""
    for name, reference, summary in (
        (
            "from-redial",
            "importers.redial:FromRedial",
            "Imports ReDial dialogues (official JSONL).",
        ),
        ("from-inspired", "importers.inspired:FromInspired", "Imports INSPIRED dialogues (TSV)."),
        (
            "from-reddit",
            "importers.reddit:FromReddit",
            "Imports Reddit-Movie / Reddit-v2 processed datasets.",
        ),
        (
            "from-movielens",
            "importers.movielens:FromMovielens",
            "Imports MovieLens ratings as histories.",
        ),
        (
            "from-table",
            "importers.table:FromTable",
            "Imports plain CSV, JSONL or Parquet by a map of columns.",
        ),
        (
            "map-titles",
            "map_titles:MapTitles",
            "Maps titles to the entries of the catalog.",
        ),
        ("split", "split:Split", "Assigns users or times to train, validation and test."),
        (
            "assign-traits",
            "assign_traits:AssignTraits",
            "A language model assigns traits.",
        ),
        (
            "draw-traits",
            "draw_traits:DrawTraits",
            "Samples traits by stated rules.",
        ),
        (
            "filter-ground-truth",
            "filter_ground_truth:FilterGroundTruth",
            "Removes violating titles from the ground truth.",
        ),
        (
            "filter-samples",
            "filter_samples:FilterSamples",
            "Keeps samples that can still teach.",
        ),
        (
            "inject-constraints",
            "inject_constraints:InjectConstraints",
            "States the constraints in the user's words.",
        ),
        (
            "build-targets",
            "targets.build_targets:BuildTargets",
            "Writes Safe SFT completions of safe titles.",
        ),
        (
            "to-dataset",
            "to_dataset:ToDataset",
            "Records for saferec, split and checked for leakage.",
        ),
    ):
        registry.add(name, f"saferec_plugins.transforms.{reference}", summary=summary)
