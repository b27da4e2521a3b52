"""Records as a policy reads them, by chat templates of several families."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from saferec_core.config.sections import ModelConfig
from saferec_core.data.catalog import Catalog
from saferec_core.data.records import record_of
from saferec_core.data.titles import Title
from saferec_core.errors import DataError
from saferec_core.models.loading import end_token_ids, load_tokenizer
from saferec_core.models.record_view import RecordReader, check_records
from saferec_core.plugins.contracts.judge import Judge
from saferec_plugins.parsers.title_year import TitleYearParser

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
)
ALTERNATING = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% endfor %}"
)
DROPS_SYSTEM = CHATML.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}")
SYSTEM = {"role": "system", "content": "Recommend films."}
USER = {"role": "user", "content": "Something tense, no gore."}
ROW = {
    "prompt": [SYSTEM, USER],
    "completion": "Heat (1995)",
    "groundtruth_with_release_year": [["Heat", 1995]],
    "constraints": ["gore"],
    "constraints_stated": [{"trait": "gore", "sentence": "no gore."}],
}


def reader(template, *, ends=("<|im_end|>",), **options):
    tokens = ["<pad>", "<eos>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    vocabulary = {token: number for number, token in enumerate([*tokens, *sorted(alphabet)])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<eos>",
        pad_token="<pad>",
        additional_special_tokens=tokens[2:],
        chat_template=template,
    )
    end_ids = frozenset(vocabulary[end] for end in ends)
    return RecordReader(wrapped, end_ids, TitleYearParser(), **options)


def record(**changes):
    return record_of({**ROW, **changes}, needs={})


def test_the_tokens_that_carry_loss_are_those_of_the_completion_and_its_end():
    view = reader(CHATML).view(record())

    assert view.prompt.endswith("no gore.<|im_end|>\n<|im_start|>assistant\n")
    assert view.completion == "Heat (1995)<|im_end|>\n"
    assert view.completion_tokens == (*"Heat (1995)", "<|im_end|>", "\n")
    assert view.prompt_tokens[0] == "<|im_start|>"


def test_a_sound_record_has_no_problems():
    judge = Judge(Catalog([Title("Heat", 1995)]))

    assert reader(CHATML, judge=judge, max_length=200).problems(record()) == []


@pytest.mark.parametrize(
    ("template", "changes", "problem"),
    [
        (NO_SYSTEM + CHATML, {}, "refuses the role 'system' (System role not supported); --system merge"),
        (DROPS_SYSTEM, {}, "the chat template leaves the system message out"),
        (
            ALTERNATING + CHATML,
            {"prompt": [USER, USER]},
            "the chat template refuses the roles user, user: Conversation roles must alternate",
        ),
        (CHATML, {"prompt": [USER, USER]}, "two turns of the user follow each other"),
        (CHATML, {"prompt": [{"role": "assistant", "content": "Hi"}, USER]}, "starts with the assistant"),
        (CHATML, {"prompt": [USER, SYSTEM, USER]}, "a system message is not the first message"),
        (
            CHATML,
            {"constraints_stated": []},
            "column constraints_stated has no sentence that states a constraint: gore",
        ),
        (
            CHATML,
            {"constraints_stated": {"gore": "Nothing bloody."}},
            "the prompt lacks the sentence that states a constraint: gore",
        ),
        (CHATML, {"completion": "Saw (2004)"}, "target titles are not in the catalog: Saw (2004)"),
        (CHATML, {"completion": "Sorry."}, "the parser reads no title in the completion"),
    ],
    ids=range(10),
)
def test_what_looks_wrong_is_named(template, changes, problem):
    judge = Judge(Catalog([Title("Heat", 1995)]))
    problems = reader(template, judge=judge).problems(record(**changes))

    assert any(problem in str(each) for each in problems), problems


def test_constraints_are_not_looked_for_where_no_column_holds_their_sentences():
    assert reader(CHATML).problems(record(constraints_stated=None)) == []


def test_a_template_that_writes_nothing_is_a_problem_and_no_crash():
    problems = reader("{% if add_generation_prompt %}{% endif %}").problems(record(prompt=[USER]))

    assert any("no token carries loss" in problem.kind for problem in problems)


def test_a_completion_without_an_end_token_and_one_too_long_are_named():
    problems = reader(CHATML, ends=("<eos>",), max_length=20).problems(record())

    # 26 characters and marks of the system, 33 of the user, 11 that begin the answer, 13 of the completion
    assert str(problems[0]) == "prompt and completion exceed the limit of 20 tokens: 83 tokens"
    assert "the chat template ends turns with 'Heat (1995)<|im_end|>'" in str(problems[1])


def test_a_prompt_over_the_limit_is_named_where_only_prompts_count():
    over = reader(CHATML, max_length=69).problems(record(completion=None))

    assert [str(problem) for problem in over] == ["the prompt exceeds the limit of 69 tokens: 70 tokens"]
    assert reader(CHATML, max_length=70).problems(record(completion=None)) == []


def test_a_record_that_the_template_refuses_cannot_be_shown():
    with pytest.raises(DataError, match="refuses the role 'system'"):
        reader(NO_SYSTEM + CHATML).view(record())


def test_records_that_cannot_be_learned_from_are_all_named_before_training():
    records = [record(prompt=[USER]), record(), record(prompt=[USER, USER])]
    warnings = []

    check_records(reader(NO_SYSTEM + CHATML), records[:1], "train.jsonl", warnings.append)
    with pytest.raises(DataError) as error:
        check_records(reader(NO_SYSTEM + ALTERNATING + CHATML), records, "train.jsonl", warnings.append)

    refused, repeated = str(error.value).splitlines()
    assert refused.startswith("train.jsonl, record 2: the chat template refuses the role 'system'")
    assert repeated.startswith("train.jsonl, record 3: the chat template refuses the roles user, user")
    assert warnings == []


def test_what_training_can_live_with_is_counted_before_it_by_kind():
    judge = Judge(Catalog([Title("Heat", 1995)]))
    records = [record(), record(completion="Saw (2004)"), record(completion="M (1931)", prompt=[USER, USER])]
    warnings = []

    check_records(reader(CHATML, judge=judge), records, "train.jsonl", warnings.append)

    missing, repeated = warnings
    assert missing == (
        "In 2 of the first 3 records of train.jsonl: target titles are not in the catalog: Saw (2004) "
        "(record 2)."
    )
    assert "In 1 of the first 3 records" in repeated
    assert "two turns of the user follow each other (record 3)." in repeated


def test_a_merged_system_message_stands_in_the_first_turn_of_the_user_and_stays_there(tmp_path):
    reader(NO_SYSTEM + ALTERNATING + CHATML).tokenizer.save_pretrained(tmp_path / "model")
    tokenizer = load_tokenizer(str(tmp_path / "model"), ModelConfig(system="merge"))
    tokenizer.save_pretrained(tmp_path / "policy")

    for path, system in (("model", "merge"), ("policy", "keep"), ("policy", "merge")):
        tokenizer = load_tokenizer(str(tmp_path / path), ModelConfig(system=system))
        written = tokenizer.apply_chat_template([SYSTEM, USER], tokenize=False)
        assert written == "<|im_start|>user\nRecommend films.\n\nSomething tense, no gore.<|im_end|>\n"
        assert tokenizer.apply_chat_template([USER], tokenize=False).count("<|im_start|>") == 1


@pytest.mark.parametrize(
    ("template", "ends"),
    [(CHATML, {"<eos>", "<|im_end|>"}), ("{% for m in messages %}{{ m.content }}\n{% endfor %}", {"<eos>"})],
    ids=["of the template", "none"],
)
def test_the_token_that_ends_turns_in_the_template_ends_completions_too(tmp_path, template, ends):
    tokenizer = reader(template).tokenizer

    end_ids = end_token_ids(str(tmp_path), tokenizer, ModelConfig())

    assert {tokenizer.decode([end]) for end in end_ids} == ends
