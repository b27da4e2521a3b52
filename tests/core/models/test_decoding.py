"""Token ids to text, and ranks to tokens."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.decoders import DecodeStream
from tokenizers.trainers import BpeTrainer

from saferec_core.errors import SaferecError
from saferec_core.models.decoding import NO_RANK, TokenAligner, check_line_breaks
from saferec_core.models.token_decoders import NO_START, StreamDecoder
from saferec_core.plugins.contracts.parser import ParsedItem, ParsedList
from saferec_core.rl.ranks import assign_ranks

WORDS = ["Saw (2004)\n", "It (2017)\n", "Alien (1979)\n\n", "Up (2009)\n", "東京物語 (1953)\n"]

SPECIAL = ["<unk>", "<s>", "</s>"]


def byte_level_tokenizer(*pieces):
    """All bytes, and *pieces* as further tokens that merge from them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=600, initial_alphabet=alphabet, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator([*WORDS, *pieces] * 3, trainer)
    return tokenizer


def llama_like_tokenizer():
    """SentencePiece as in Llama 2: a space in front, and bytes for what the pieces lack."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)])
    pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = BpeTrainer(vocab_size=500, special_tokens=SPECIAL + pieces, show_progress=False)
    tokenizer.train_from_iterator([word for word in WORDS if word.isascii()] * 3, trainer)
    # As in Llama 2, the byte pieces are ordinary tokens, not special ones.
    plain = Tokenizer(
        models.BPE(vocab=tokenizer.get_vocab(), merges=[], byte_fallback=True, unk_token="<unk>")
    )
    plain.normalizer, plain.decoder = tokenizer.normalizer, tokenizer.decoder
    plain.add_special_tokens(SPECIAL)
    return plain


def metaspace_tokenizer():
    """SentencePiece by way of the Metaspace pre-tokenizer, as in T5 and Gemma."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = BpeTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(WORDS * 3, trainer)
    return tokenizer


TOKENIZERS = {
    "byte-level": byte_level_tokenizer(),
    "llama-like": llama_like_tokenizer(),
    "metaspace": metaspace_tokenizer(),
}
ALIGNERS = {name: TokenAligner(tokenizer) for name, tokenizer in TOKENIZERS.items()}


def streamed(tokenizer, ids):
    """Return the reference: text and starts of decoding one token after the other."""
    stream = DecodeStream(skip_special_tokens=True)
    text, starts = "", []
    for token_id in ids:
        piece = tokenizer.id_to_token(token_id)
        starts.append(NO_START if piece is None or piece in SPECIAL else len(text))
        text += stream.step(tokenizer, token_id) or ""
    return text, starts


def can_be_streamed(tokenizer, ids):
    """Whether no invalid byte makes the decoder of the byte pieces change its mind."""
    try:
        streamed(tokenizer, ids)
    except Exception:  # noqa: BLE001, there is nothing more specific
        return False
    return True


def decoded(tokenizer, ids):
    text, starts = TokenAligner(tokenizer).decode(ids)
    return text, starts.tolist()


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=150)
@given(data=st.data())
def test_any_ids_decode_as_by_streaming(name, data):
    tokenizer = TOKENIZERS[name]
    beyond_vocabulary = tokenizer.get_vocab_size() + 20
    ids = data.draw(st.lists(st.integers(0, beyond_vocabulary), max_size=40))

    text, starts = ALIGNERS[name].decode(ids)

    if name != "llama-like" or can_be_streamed(tokenizer, ids):
        assert (text, starts.tolist()) == streamed(tokenizer, ids)


def test_a_special_token_within_a_character_does_not_end_it():
    tokenizer = TOKENIZERS["byte-level"]
    special = next(n for n, token in tokenizer.get_added_tokens_decoder().items() if token.special)
    first, second = (
        tokenizer.token_to_id("\u00c2"),
        tokenizer.token_to_id("\u00a1"),
    )  # the bytes of one character

    assert decoded(tokenizer, [first, special, second]) == ("\u00a1", [0, NO_START, 0])


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=100)
@given(text=st.text(st.sampled_from("Saw (2014)\nIt é東京😀👩‍👧"), max_size=40))
def test_any_text_decodes_as_by_streaming(name, text):
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(text, add_special_tokens=False).ids

    decoded_text, starts = ALIGNERS[name].decode(ids)

    assert (decoded_text, starts.tolist()) == streamed(tokenizer, ids)
    if name == "byte-level":
        assert decoded_text == text


def test_each_token_starts_where_its_characters_do():
    tokenizer = byte_level_tokenizer()
    ids = [tokenizer.token_to_id(piece) for piece in ["S", "a", "w", "Ċ", "Ġ", "I"]]

    assert decoded(tokenizer, ids) == ("Saw\n I", [0, 1, 2, 3, 4, 5])


def test_the_tokens_of_one_character_start_together():
    tokenizer = byte_level_tokenizer()
    four_bytes = [tokenizer.token_to_id(piece) for piece in ["ð", "Ł", "ĺ", "Ģ"]]
    a, b = tokenizer.token_to_id("a"), tokenizer.token_to_id("b")

    assert decoded(tokenizer, [a, *four_bytes, b]) == ("a😀b", [0, 1, 1, 1, 1, 2])


def test_bytes_at_the_end_that_are_no_character_are_left_out():
    tokenizer = byte_level_tokenizer()
    a, first_byte = tokenizer.token_to_id("a"), tokenizer.token_to_id("ð")

    assert decoded(tokenizer, [a, first_byte]) == ("a", [0, 1])


def test_a_token_that_spells_the_replacement_character_is_kept_where_streaming_keeps_it():
    tokenizer = byte_level_tokenizer("\ufffd")
    ids = tokenizer.encode("a\ufffdb\ufffd").ids

    assert decoded(tokenizer, ids) == streamed(tokenizer, ids)
    assert decoded(tokenizer, ids)[0] == "a\ufffdb"


@pytest.mark.parametrize("name", TOKENIZERS)
def test_special_tokens_and_unknown_ids_write_nothing_and_start_nowhere(name):
    tokenizer = TOKENIZERS[name]
    word = tokenizer.encode("Saw", add_special_tokens=False).ids
    eos, outside = tokenizer.token_to_id("</s>"), tokenizer.get_vocab_size() + 7

    text, starts = ALIGNERS[name].decode([eos, *word, outside, -100, eos])

    assert text == "Saw"
    assert starts[[0, -3, -2, -1]].tolist() == [NO_START] * 4
    assert starts[1] == 0


def test_an_invalid_byte_behind_a_line_break_does_not_stop_the_decoding():
    tokenizer = TOKENIZERS["llama-like"]
    pieces = ["S", "<0x0A>", "<0xF0>", "I"]
    ids = [tokenizer.token_to_id(piece) for piece in pieces]
    with pytest.raises(Exception, match="Invalid prefix"):
        streamed(tokenizer, ids)

    assert decoded(tokenizer, ids) == ("S\nI", [0, 1, 2, 2])


def test_no_ids_are_an_empty_text():
    for aligner in ALIGNERS.values():
        text, starts = aligner.decode([])
        assert text == ""
        assert starts.shape == (0,)


@pytest.mark.parametrize("build", [byte_level_tokenizer, llama_like_tokenizer])
def test_a_whole_title_added_as_one_token_is_one_start(build):
    tokenizer = build()
    tokenizer.add_tokens([AddedToken("The Matrix (1999)", normalized=False)])
    added = tokenizer.token_to_id("The Matrix (1999)")
    newline = tokenizer.token_to_id("Ċ") or tokenizer.token_to_id("<0x0A>")

    text, starts = decoded(tokenizer, [added, newline, added])

    assert text == "The Matrix (1999)\nThe Matrix (1999)"
    assert starts == [0, 17, 18]


def test_an_added_title_with_an_accent_is_not_taken_for_bytes():
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens(["Amélie"])
    amelie, first_byte = tokenizer.token_to_id("Amélie"), tokenizer.token_to_id("ð")

    assert decoded(tokenizer, [amelie, amelie]) == ("AmélieAmélie", [0, 6])
    assert decoded(tokenizer, [amelie, first_byte, amelie]) == ("Amélie\ufffdAmélie", [0, 6, 6])


@pytest.mark.parametrize("normalizer", [normalizers.NFC(), normalizers.ByteLevel()])
def test_an_added_title_is_itself_behind_a_normalizer(normalizer):
    tokenizer = byte_level_tokenizer()
    tokenizer.normalizer = normalizer
    tokenizer.add_tokens(["Amélie in Paris", "Amélie"])
    ids = [tokenizer.token_to_id(name) for name in ("Amélie in Paris", "Amélie")]

    assert decoded(tokenizer, ids) == ("Amélie in ParisAmélie", [0, 15])


def test_a_tokenizer_of_transformers_is_read_with_its_own_special_tokens():
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=TOKENIZERS["byte-level"], eos_token="<|end|>"
    )
    ids = [*tokenizer.encode("Saw"), tokenizer.eos_token_id]

    text, starts = TokenAligner(tokenizer).decode(ids)

    assert text == "Saw"
    assert starts[0] == 0
    assert starts[-1] == NO_START


def test_an_end_token_that_is_ordinary_to_the_backend_still_starts_nowhere():
    backend = TOKENIZERS["byte-level"]
    ids = [backend.token_to_id("S"), backend.token_to_id("!")]
    tokenizer = SimpleNamespace(backend_tokenizer=backend, all_special_ids=[ids[1]])

    assert decoded(tokenizer, ids) == ("S!", [0, NO_START])


def test_a_slow_tokenizer_is_refused_by_name():
    transformers = pytest.importorskip("transformers")

    with pytest.raises(SaferecError, match="CanineTokenizer is a slow one"):
        TokenAligner(transformers.CanineTokenizer())


def item(start, end, text_end=None):
    return ParsedItem("any", 2000, start, end, end if text_end is None else text_end)


def ranks_of(starts, items, num_ranks):
    (ranks,) = assign_ranks([starts], [ParsedList(tuple(items))], num_ranks)
    return ranks


def test_tokens_have_the_rank_in_whose_line_they_begin():
    #         preamble  | line 1, to 9  | gap  | line 2, to 20 | after
    starts = np.array([0, 3, 4, 8, NO_START, 9, 10, 15, 19, 20, 30])

    ranks = ranks_of(starts, [item(4, 9), item(10, 20)], num_ranks=20)

    assert ranks.tolist() == [-1, -1, 0, 0, -1, -1, 1, 1, 1, -1, -1]


def test_a_line_break_of_its_own_has_no_rank_and_one_within_a_token_stays_with_its_title():
    #         It | (2017) | \n | Up | (2009)\n
    starts = np.array([0, 2, 9, 10, 12])

    ranks = ranks_of(starts, [item(0, 10, 9), item(10, 20, 19)], num_ranks=2)

    assert ranks.tolist() == [0, 0, NO_RANK, 1, 1]


def test_items_beyond_the_last_rank_have_none():
    starts = np.array([0, 5, 10, 15])
    items = [item(0, 5), item(5, 10), item(10, 20)]

    assert ranks_of(starts, items, num_ranks=2).tolist() == [0, 1, NO_RANK, NO_RANK]
    assert ranks_of(starts, items, num_ranks=3).tolist() == [0, 1, 2, 2]


def test_without_items_no_token_has_a_rank():
    assert ranks_of(np.array([0, 5, NO_START]), [], num_ranks=20).tolist() == [NO_RANK] * 3
    assert ranks_of(np.array([], dtype=np.int64), [item(0, 5)], num_ranks=1).shape == (0,)


def test_a_special_token_has_no_rank_even_in_the_first_line():
    starts = np.array([NO_START, 0, NO_START, 3, NO_START])

    assert ranks_of(starts, [item(0, 9)], num_ranks=1).tolist() == [-1, 0, -1, 0, -1]


def test_a_tokenizer_that_drops_line_breaks_is_refused():
    words = Tokenizer(models.WordPiece({"[UNK]": 0, "saw": 1, "up": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.decoder = decoders.WordPiece()

    with pytest.raises(SaferecError, match="drops line breaks"):
        check_line_breaks(words)

    for kept in (byte_level_tokenizer(), llama_like_tokenizer()):
        check_line_breaks(kept)


def test_a_token_that_holds_the_end_of_a_line_and_blank_lines_belongs_to_that_line():
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens([")\n", ")\n\n"])
    ids = tokenizer.encode("It (2017)\n\nUp (2009)\n").ids
    aligner = TokenAligner(tokenizer)
    text, starts = aligner.decode(ids)

    ranks = ranks_of(starts, [item(0, 10), item(11, 21)], num_ranks=2)

    of_second_line = text.index("Up")
    assert text == "It (2017)\n\nUp (2009)\n"
    assert ranks.tolist() == [int(start >= of_second_line) for start in starts]


def test_ranks_are_those_of_looking_up_every_token_of_every_completion_on_its_own():
    generator = random.Random(5)
    for size in [0, 1, 2, 7] * 10:
        starts, lists, expected = [], [], []
        for _ in range(size):
            cuts = sorted(generator.sample(range(60), 2 * generator.randrange(5)))
            items = [item(start, end) for start, end in zip(cuts[::2], cuts[1::2], strict=True)]
            own = sorted(generator.randrange(62) for _ in range(generator.randrange(20)))
            own = [NO_START if generator.random() < 0.1 else start for start in own]
            starts.append(np.array(own, dtype=np.int64))
            lists.append(ParsedList(tuple(items)))
            expected.append(
                [
                    next((k for k, one in enumerate(items[:3]) if one.start <= start < one.end), NO_RANK)
                    for start in own
                ]
            )

        assert [ranks.tolist() for ranks in assign_ranks(starts, lists, num_ranks=3)] == expected


def test_completions_of_a_batch_are_decoded_as_each_by_itself():
    tokenizer = byte_level_tokenizer()
    texts = ["", "Amélie (2001)\n", "Saw (2004)", "千と千尋の神隠し (2001)\nUp (2009)", "🎬", "\ufffd (1999)"]
    completions = [tokenizer.encode(text).ids for text in texts]
    completions += [ids[:-1] for ids in completions] + [ids[1:] for ids in completions] + [[-1, 10**6]]
    stepwise = StreamDecoder(tokenizer)

    together = TokenAligner(tokenizer).decode_all(completions)

    for ids, (text, starts) in zip(completions, together, strict=True):
        ((alone, own),) = stepwise.decode_all([ids])
        assert (text, starts.tolist()) == (alone, own.tolist())
