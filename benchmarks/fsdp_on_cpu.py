"""The command line of saferec, with FSDP without a GPU, where accelerate sets up plain data parallelism.

    accelerate launch --config_file fsdp2.yaml benchmarks/fsdp_on_cpu.py train run.yaml

The configuration is ``examples/configs/fsdp2.yaml`` with ``use_cpu: true``. For tests and comparisons:
saferec refuses FSDP without a GPU.
"""

from __future__ import annotations

from typing import Any

from accelerate import state
from accelerate.utils import DistributedType

from saferec_cli.main import main

_made = state.AcceleratorState.__init__


def _with_fsdp(self: Any, *arguments: Any, fsdp_plugin: Any = None, **options: Any) -> None:
    """Make the state, and put FSDP back each time: every new state takes the type of the processes."""
    _made(self, *arguments, fsdp_plugin=fsdp_plugin, **options)
    if fsdp_plugin is not None:
        self._shared_state["plugin_on_cpu"] = fsdp_plugin
    plugin = self._shared_state.get("plugin_on_cpu")
    if plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, plugin


if __name__ == "__main__":
    state.AcceleratorState.__init__ = _with_fsdp
    main()
