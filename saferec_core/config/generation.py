"""Sections about what writes lists: sampling in training, vLLM, the endpoint of a hosted model."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from saferec_core.config.choices import Section

__all__ = [
    "EndpointConfig",
    "EngineConfig",
    "RolloutConfig",
]


class EngineConfig(Section):
    """vLLM, where it generates for an evaluation."""

    vllm_gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1)
    """Fraction of GPU memory for vLLM; nothing else is on the GPU. Without one: VLLM_CPU_KVCACHE_SPACE."""
    vllm_tensor_parallel_size: int = Field(default=1, ge=1)
    """GPUs that share the weights."""
    vllm_max_model_length: int | None = Field(default=None, ge=1)
    """Maximum prompt plus completion length, in tokens, for vLLM; by default the model's."""


class EndpointConfig(Section):
    """The endpoint of a hosted model; the key comes from the environment only."""

    base_url: str | None = None
    """Address, such as http://localhost:8000/v1; by default OPENAI_BASE_URL, or OpenAI."""
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; a local server needs none."""
    concurrency: int = Field(default=16, ge=1)
    """Maximum number of questions in flight."""
    timeout: float = Field(default=60, gt=0)
    """Seconds to wait for an answer before the question is asked again."""
    max_retries: int = Field(default=5, ge=0)
    """How often a question is asked again after a time-out, status 429 or 5xx, with growing pauses."""
    cache_path: Path = Path(".saferec/responses.sqlite")
    """File that keeps the answers (SQLite), so that none is paid for twice."""
    max_cost: float | None = Field(default=None, ge=0)
    """Maximum cost, in the currency of the prices; then no further question is sent."""
    input_price: float | None = Field(default=None, ge=0)
    """Price of a million tokens in."""
    output_price: float | None = Field(default=None, ge=0)
    """Price of a million tokens out."""

    @model_validator(mode="after")
    def _prices_go_together(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("input_price and output_price go together; give both or neither")
        if self.max_cost is not None and self.input_price is None:
            raise ValueError("max_cost needs input_price and output_price, per million tokens")
        return self


class RolloutConfig(Section):
    """Sampling of completions during training."""

    num_generations: int = Field(default=4, ge=2)
    """Completions per prompt (G); at least 2, since an advantage compares siblings."""
    temperature: float = Field(default=1.0, gt=0)
    """Sampling temperature."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus (top-p) sampling threshold."""
    top_k: int = Field(default=0, ge=0)
    """Sample from this many most likely tokens; 0: all."""
    max_resample: int = Field(default=2, ge=0)
    """Rounds in which prompts that the normalizer calls uninformative are replaced by further ones (dynamic
    sampling), for a generation batch; 0: none. Without effect where the normalizer asks for none."""
    compile_decoding: bool = False
    """Compile the step that decodes a token, on a GPU and without vLLM. The first batch of every length of
    prompts, in multiples of 128 tokens, takes about half a minute longer."""
    use_vllm: bool = False
    """Generate with vLLM (saferec[vllm])."""
    vllm_mode: Literal["colocate", "server"] = "colocate"
    """Run vLLM inside the training processes, or use a separate server."""
    vllm_gpu_memory_utilization: float = Field(default=0.3, gt=0, le=1)
    """Fraction of GPU memory for vLLM in colocate mode."""
    vllm_tensor_parallel_size: int = Field(default=1, ge=1)
    """GPUs per vLLM engine in colocate mode."""
    vllm_max_model_length: int | None = Field(default=None, ge=1)
    """Maximum prompt plus completion length, in tokens, for vLLM."""
    vllm_server_host: str = "0.0.0.0"  # noqa: S104 - TRL's default, an address to connect to
    """Host of the vLLM server."""
    vllm_server_port: int = Field(default=8000, ge=1, le=65535)
    """Port of the vLLM server."""
    vllm_server_timeout: float = Field(default=240, gt=0)
    """Seconds to wait for the vLLM server to be up."""
    vllm_group_port: int = Field(default=51216, ge=1, le=65535)
    """Port of this machine through which the vLLM server is sent weights."""

    @model_validator(mode="after")
    def _ratios_are_those_of_the_sampler(self) -> Self:
        if self.use_vllm and (self.top_p < 1 or self.top_k > 0):
            raise ValueError(
                "use_vllm needs top_p = 1 and top_k = 0: vLLM samples from the truncated distribution, the "
                "trainer computes probabilities of the whole one, and importance ratios between the two are "
                "biased. Leave both out, or generate without vLLM"
            )
        return self
