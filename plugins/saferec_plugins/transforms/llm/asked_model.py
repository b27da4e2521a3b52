"""Options of components that ask a model: which one, where, how, and for how much."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from saferec_core.endpoints.account import Prices, SpendingAccount
from saferec_core.endpoints.asking import Asker, Configuration
from saferec_core.endpoints.cache import ResponseCache
from saferec_core.endpoints.endpoint import check_key_variable, resolved
from saferec_core.errors import ConfigError
from saferec_core.plugins.component import component
from saferec_plugins.transforms.llm.trait_question import ResponseFormat

__all__ = ["AskedModel"]


@component
class AskedModel:
    """Options of every component that asks a model behind an OpenAI-compatible endpoint.

    Every answer is stored in a cache as soon as it arrives, so that no question is paid for twice, even if
    the run is stopped or killed. The key is read only from the environment and never written.
    """

    asked_by: ClassVar[str] = "the model"
    """Name of the component, for errors."""

    model: str = Field(min_length=1)
    """The model's name at the endpoint."""
    base_url: str | None = None
    """Address of the endpoint, such as http://localhost:8000/v1; None: OPENAI_BASE_URL, or OpenAI."""
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; a local server needs none."""
    concurrency: int = Field(default=16, ge=1)
    """Maximum number of questions in flight."""
    timeout: float = Field(default=60, gt=0)
    """Seconds to wait for an answer before the question is asked again."""
    max_retries: int = Field(default=5, ge=0)
    """How often a question is asked again after a time-out, status 429 or 5xx, with growing pauses."""
    temperature: float = Field(default=0, ge=0)
    """Temperature of the model's sampling."""
    response_format: ResponseFormat = "json_schema"
    """How the server is made to keep the form of the answer: json_schema, json_object, or none."""
    cache_path: Path = Path(".saferec/responses.sqlite")
    """File that keeps the answers (SQLite)."""
    max_cost: float | None = Field(default=None, ge=0)
    """Maximum cost, in the currency of the prices, of the answers in the cache for this model, these traits
    and settings. Then no further question is sent; those in flight are still answered."""
    input_price: float | None = Field(default=None, ge=0)
    """Price of a million tokens in; tokens are estimated if the server does not report them."""
    output_price: float | None = Field(default=None, ge=0)
    """Price of a million tokens out."""

    def __post_init__(self) -> None:
        """Refuse what cannot work before anything is paid; secrets are not repeated in the errors."""
        check_key_variable(self.api_key_env)
        # The address is part of what was asked, also where the environment names it.
        object.__setattr__(self, "base_url", resolved(self.base_url))
        if (self.input_price is None) != (self.output_price is None):
            raise ConfigError(
                f"{self.asked_by}: input_price and output_price go together; give both or neither"
            )
        if self.max_cost is not None and self.input_price is None:
            raise ConfigError(
                f"{self.asked_by}: max_cost needs input_price and output_price, per million tokens"
            )

    def asker(self, system: str, form: Mapping[str, Any]) -> Asker:
        """Return what puts questions to the model.

        Args:
            system: The instruction.
            form: Parameters that make the server keep the form of the answer.
        """
        configuration = Configuration(
            base_url=resolved(self.base_url),
            model=self.model,
            system=system,
            parameters={"temperature": self.temperature, **form},
        )
        return Asker(
            configuration=configuration,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            cache_path=self.cache_path,
            concurrency=self.concurrency,
            timeout=self.timeout,
            max_retries=self.max_retries,
        )

    def account_of(self, asker: Asker) -> SpendingAccount:
        """Return the account, updated with the cost of all answers in the cache."""
        if self.cache_path.exists():
            with closing(ResponseCache(self.cache_path)) as cache:
                self.own_account.update(cache.totals(asker.configuration.key))
        return self.own_account

    @cached_property
    def own_account(self) -> SpendingAccount:
        """What this component has asked and paid."""
        prices = None
        if self.input_price is not None and self.output_price is not None:
            prices = Prices(self.input_price, self.output_price)
        return SpendingAccount(prices, self.max_cost, asked_by=self.asked_by)
