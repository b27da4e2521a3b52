"""Name the phases of a training step for the heartbeat."""

from __future__ import annotations

from typing import Any

from saferec_core.runs.heartbeat import phase

__all__ = ["Phased"]


class Phased:
    """Mixin that precedes a trainer among the bases of a class; names what the trainer does."""

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Run forward and backward pass; what generates or scores within names itself."""
        with phase("forward and backward"):
            return super().training_step(*args, **kwargs)  # type: ignore[misc]

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        with phase("save"):
            super()._save_checkpoint(*args, **kwargs)  # type: ignore[misc]

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        self._name_weight_sync()
        with phase("generate"):
            return super()._generate_single_turn(*args, **kwargs)  # type: ignore[misc]

    def _name_weight_sync(self: Any) -> None:
        engine = getattr(self, "vllm_generation", None)
        if engine is None or hasattr(engine.sync_weights, "named"):
            return
        send = engine.sync_weights

        def sync_weights() -> None:
            with phase("weight sync"):
                send()

        sync_weights.named = True  # type: ignore[attr-defined]
        engine.sync_weights = sync_weights
