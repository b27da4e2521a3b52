"""What prompts look like: read off training records, and applied to wishes."""

from saferec_core.data.prompt_form import PromptForm, form_of
from saferec_core.data.records import Record
from saferec_core.data.traits import read_traits

TRAITS = read_traits()
GORE, TRAIT = next(iter(TRAITS.items()))


def record(*contents, roles=("system", "user"), **columns):
    messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]
    return Record(prompt=messages, columns=columns)


def user(text, **columns):
    return record(text, roles=("user",), **columns)


def test_the_instruction_is_the_system_message_of_more_than_half_of_the_records():
    assert form_of([record("Be safe.", "Hi")] * 3 + [user("Hi")], {})["instruction"] == "Be safe."
    assert form_of([record("Be safe.", "Hi")] + [user("Hi")] * 2, {})["instruction"] is None


def test_there_is_no_instruction_to_speak_of_where_system_messages_differ():
    of_each_user = [record(f"The user is called {name}.", "Hi") for name in "ABC"]

    assert "instruction" not in form_of(of_each_user, {})
    assert "instruction" not in form_of([record("Be safe.", "Hi"), user("Hi")], {})
    assert "instruction" not in form_of([], {})


def test_a_constraint_is_stated_by_the_explicit_sentence_of_the_records_else_by_the_usual_one():
    stated = [TRAIT.implied[0], TRAIT.implied[0], TRAIT.explicit[2], TRAIT.explicit[1]]
    records = [user("Hi", constraints_stated={GORE: sentence}) for sentence in stated]
    records += [user("Hi", constraints_stated={"mine": sentence}) for sentence in ("No b.", "No a.", "No a.")]

    assert form_of(records, TRAITS)["sentences"] == {GORE: TRAIT.explicit[1], "mine": "No a."}


def test_a_malformed_column_of_sentences_costs_itself_alone():
    records = [user("Hi", constraints_stated=7), user("Hi", constraints_stated={"mine": "No a."})]

    assert form_of(records, {}) == {"instruction": None, "sentences": {"mine": "No a."}}


def test_the_instruction_goes_in_front_of_prompts_that_have_no_system_message():
    form = PromptForm("Be safe.")
    own = record("Be brief.", "Hi").prompt

    assert form.begun(own) is own
    assert form.begun(user("Hi").prompt) == record("Be safe.", "Hi").prompt
    assert PromptForm().begun(user("Hi").prompt) == user("Hi").prompt


def test_a_constraint_is_put_behind_the_wish_unless_the_wish_has_it():
    def asked(text, form=None, constraints=(GORE,)):
        return (form or PromptForm()).wish(text, constraints=constraints).prompt[-1]["content"]

    assert asked("Something funny ") == f"Something funny. {TRAIT.explicit[0]}"
    assert asked(f"Funny. {TRAIT.implied[0]}") == f"Funny. {TRAIT.implied[0]}"
    assert asked("Funny", PromptForm(sentences={GORE: "No blood"})) == "Funny. No blood"
    assert asked("Funny. No blood", PromptForm(sentences={GORE: "No blood"})) == "Funny. No blood"
    assert asked("Funny?", constraints=("mine",)) == "Funny? Please respect this: mine."
    assert asked("Like:\n- Up (2009)") == f"Like:\n- Up (2009)\n\n{TRAIT.explicit[0]}"
