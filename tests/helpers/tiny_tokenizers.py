"""Real tokenizer classes from vocabularies of single characters, made without a download."""

from __future__ import annotations

import string
from typing import Any

CHARACTERS = [character for character in string.printable if not character.isspace()]
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def t5_tokenizer() -> Any:
    """One piece for each printable character."""
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((each, -3.0) for each in CHARACTERS)]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def gemma_tokenizer() -> Any:
    from transformers import GemmaTokenizer

    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<image>", "▁", *CHARACTERS, *_BYTES]
    return GemmaTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}, merges=[])


def llama_tokenizer() -> Any:
    from transformers import LlamaTokenizer

    pieces = ["<unk>", "<s>", "</s>", "<pad>", "<image>", "▁", *CHARACTERS, *_BYTES]
    tokenizer = LlamaTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}, merges=[], pad_token="<pad>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return tokenizer


def clip_tokenizer() -> Any:
    from transformers import CLIPTokenizer

    alphabet = _byte_alphabet()
    pieces = [*alphabet, *(f"{each}</w>" for each in alphabet), "<|startoftext|>", "<|endoftext|>"]
    vocab = {piece: index for index, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=77)


def qwen_tokenizer() -> Any:
    from transformers import Qwen2Tokenizer

    names = ("im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad", "vision_pad")
    special = ["<|endoftext|>", *(f"<|{name}|>" for name in names)]
    vocab = {piece: index for index, piece in enumerate([*_byte_alphabet(), *special])}
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
        "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for p in m['content'] %}"
        "{% if p['type'] == 'text' %}{{ p['text'] }}"
        "{% elif p['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}"
        "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer


def _byte_alphabet() -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())
