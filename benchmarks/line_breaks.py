r"""What going on to another title earns, by the title before it, as a Markdown table.

    python benchmarks/line_breaks.py

Where ``\n`` is a token of its own, it belongs to the list. Where the tokenizer has a token ``)\n``, as those
of Qwen and Llama 3 do, that token belongs to the title, and with it the decision to go on. Groups of eight
lists of 4 to 6 titles are drawn as a careless policy would write them, rewarded and normalized as in a run.
"""

from __future__ import annotations

from collections import defaultdict
from random import Random
from statistics import fmean

import numpy as np
from escapes import default_rewards

from saferec_core import load_plugins
from saferec_core.config.sections import DataConfig
from saferec_core.data.catalog import Catalog
from saferec_core.plugins.build import build, chosen
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.rl.credit import credit
from saferec_core.rl.ranks import assign_ranks
from saferec_core.rl.rewards import score
from saferec_core.testing import escapes, probes

PROMPTS = 400
LENGTHS = (4, 5, 5, 5, 5, 5, 5, 6)
KINDS = ("safe", "violating", "relevant")


def drawn(rng: Random) -> str:
    """Write a list as a careless policy would."""
    policy = escapes.POLICIES["careless"]
    titles: list[str] = []
    for _ in range(rng.choice(LENGTHS)):
        dice = rng.random()
        world = probes.WORLD
        kind = world.relevant if dice < policy.hits else world.safe
        if policy.hits <= dice < policy.hits + policy.violations:
            kind = world.violating
        titles.append(rng.choice([str(title) for title in kind if str(title) not in titles]))
    return "\n".join(titles)


def main() -> None:
    """Print the mean advantage of a token that goes on, and of that token's title."""
    plugins, rewards = load_plugins(), default_rewards()
    parser = chosen(plugins, plugins.parsers, DataConfig().parser)
    rng = Random(0)
    lists = [parser(drawn(rng)) for _ in range(PROMPTS * escapes.GROUP)]
    judged = JudgedLists(
        lists,
        [probes.RECORD] * len(lists),
        Judge(Catalog(probes.WORLD.catalog), probes.ProbeOracle()),
        probes.NUM_RANKS,
    )
    values = score(rewards, judged)
    print("| normalizer, token | after a safe title | after a violation | after a hit |")
    print("| --- | ---: | ---: | ---: |")
    for name in ("grpo", "gdpo"):
        normalizer = build(plugins.normalizers.get(name), {})
        advantages = credit(rewards, values, normalizer, judged.rank_mask, escapes.GROUP)
        for token, back in ((r"`\n`", 0), (r"`)\n`", 1)):
            earned = defaultdict(list)
            for row, parsed in enumerate(lists):
                starts = np.array([item.text_end - back for item in parsed.items[:-1]])
                (ranks,) = assign_ranks([starts], [parsed], probes.NUM_RANKS)
                for position, rank in enumerate(ranks[: probes.NUM_RANKS]):
                    kind = "relevant" if judged.hits[row, position] else "safe"
                    kind = "violating" if judged.violations[row, position] else kind
                    own = advantages.list[row] if rank < 0 else advantages.rank[row, rank]
                    earned[kind].append(float(own))
            print(f"| {name}, {token} | {' | '.join(f'{fmean(earned[kind]):+.2f}' for kind in KINDS)} |")


if __name__ == "__main__":
    main()
