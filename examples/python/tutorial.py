"""The Python interface, step by step: run it with ``python examples/python/tutorial.py``.

Everything here works on lists in memory. `docs/python.md` explains it; a test runs it.
"""

from collections.abc import Sequence

from saferec_core import Oracle, as_trl_reward, compare, evaluate, judged_lists, load_catalog, parse, score
from saferec_core.plugins.contracts.oracle import Question, Verdict

# %% A catalog: a file, or titles in any form.
catalog = load_catalog(["Heat (1995)", "Saw (2004)", "Clue (1985)", ("Paddington", 2014), "Alien (1979)"])


# %% An oracle: a file with `load_oracle`, or any class that answers questions.
class Gory(Oracle):
    """Knows which two films are gory, and that the other three are not."""

    traits = ("gore",)

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Answer one verdict per question."""
        return [self._verdict(question) for question in questions]

    def _verdict(self, question: Question) -> Verdict:
        violated = ("gore",) if question.name in {"Saw", "Alien"} and "gore" in question.constraints else ()
        return Verdict(
            known=True, risks=dict.fromkeys(question.constraints, float(bool(violated))), violated=violated
        )


# %% Records: what users asked for, what they have seen, what must not be shown.
records = [
    {
        "prompt": f"Something for tonight, please ({n}).",
        "groundtruth_with_release_year": [["Clue", 1985]],
        "seen_titles": ["Heat (1995)"],
        "constraints": ["gore"],
    }
    for n in range(12)
]

# %% A completion is read by a parser.
completion = "Gladly!\n1. Clue (1985)\n2. Saw (2004)\n3. Heat (1995)"
print([str(item.title) for item in parse(completion).items])

# %% Lists are checked against catalog, history, ground truth and oracle ...
judged = judged_lists([completion] * 12, records, catalog=catalog, oracle=Gory(), num_ranks=3)
print("hits:", judged.hits[0].tolist(), "seen:", judged.seen[0].tolist())

# %% ... and scored, list by list.
print(
    {
        name: float(values[0])
        for name, values in score([completion] * 12, records, catalog=catalog, oracle=Gory(), at=[3]).items()
    }
)

# %% Two systems: completions of a model, and titles of another recommender.
model = evaluate([completion] * 12, records, catalog=catalog, oracle=Gory(), at=[3], name="model")
other = evaluate(
    [["Clue (1985)", "Paddington (2014)"]] * 12, records, catalog=catalog, oracle=Gory(), at=[3], name="other"
)
table = compare(model, other, names=("model", "other"))
for metric in table.overall.metrics:
    print(metric.sentence)

# %% The safety reward in another trainer.
reward = as_trl_reward("safety", catalog=catalog, oracle=Gory(), num_ranks=3)
print(reward(["Hi"], [completion], constraints=[["gore"]]))
