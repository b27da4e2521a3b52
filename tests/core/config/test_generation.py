"""Settings of engines and endpoints that depend on one another."""

import pytest

from saferec_core.config.load import Layer, resolved
from saferec_core.config.schema import EvalConfig
from saferec_core.errors import ConfigError


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ({"input_price": 1}, "input_price and output_price go together"),
        ({"output_price": 1}, "input_price and output_price go together"),
        ({"max_cost": 5}, "max_cost needs input_price and output_price"),
    ],
)
def test_a_cost_is_limited_only_where_both_prices_are_known(endpoint, said):
    with pytest.raises(ConfigError, match=said):
        resolved(EvalConfig, overrides=[Layer("", {"endpoint": endpoint})]).checked()


def test_both_prices_and_a_limit_of_the_cost_are_taken():
    prices = {"input_price": 1, "output_price": 2, "max_cost": 5}
    config = resolved(EvalConfig, overrides=[Layer("", {"endpoint": prices})]).checked()

    assert (config.endpoint.input_price, config.endpoint.output_price, config.endpoint.max_cost) == (1, 2, 5)
