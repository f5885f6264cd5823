#!/usr/bin/env python3
"""Turn a BERT sentence-transformers folder into a GGUF that llama.cpp embeds with.

    pip install gguf==0.19.0 safetensors==0.8.0 numpy
    python scripts/models/minilm_to_gguf.py FOLDER OUT.gguf [--type f16|f32] [--name NAME]

FOLDER is as sentence-transformers saves it: config.json (a BertModel), model.safetensors,
tokenizer.json with a WordPiece vocabulary, modules.json and 1_Pooling/config.json (mean or CLS
pooling). Anything that the GGUF could not say is refused: another activation, another position
embedding, a dense layer behind the pooling.

The bytes of OUT depend on FOLDER's files, the options and the version of gguf alone. --type f16
keeps matrices in 16 bits, but for the position and token-type embeddings; vectors are F32 always.
"""

import argparse
import json
import sys
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

# In the GGUF, of a block; %d in the checkpoint.
BLOCK = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
OUTSIDE = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
ALWAYS_F32 = ("token_types.weight", "position_embd.weight")
# Of no use to an embedding: BERT's own pooler, and a constant.
UNUSED = ("pooler.", "embeddings.position_ids", "cls.")
MODULES = ("Transformer", "Pooling", "Normalize")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--type", choices=("f16", "f32"), default="f16")
    parser.add_argument("--name", help="general.name of the GGUF; the folder's name by default")
    return parser.parse_args()


def fail(message):
    sys.exit(f"minilm_to_gguf: {message}")


def read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fail(f"can't read {path}: {error}")


def check(config, modules):
    wanted = {
        "model_type": ("bert",),
        "hidden_act": ("gelu",),
        "position_embedding_type": ("absolute", None),
    }
    for key, values in wanted.items():
        if config.get(key) not in values:
            fail(f"{key} is {config.get(key)!r}; only {values[0]!r} can be converted")
    for module in modules:
        kind = module["type"].rsplit(".", 1)[-1]
        if kind not in MODULES:
            fail(f"a module of type {kind} has no place in the GGUF")


def pooling(config):
    modes = [key for key, on in config.items() if key.startswith("pooling_mode_") and on is True]
    known = {
        "pooling_mode_mean_tokens": gguf.PoolingType.MEAN,
        "pooling_mode_cls_token": gguf.PoolingType.CLS,
    }
    if len(modes) != 1 or modes[0] not in known:
        fail(f"pooling by {modes} can't be converted; one of {list(known)} can")
    return known[modes[0]]


def write_vocabulary(writer, tokenizer, size):
    model = tokenizer["model"]
    if model.get("type", "WordPiece") != "WordPiece":
        fail(f"the tokenizer is {model['type']}; only WordPiece can be converted")
    pieces = [None] * size
    for piece, index in model["vocab"].items():
        pieces[index] = piece
    if None in pieces:
        fail(f"token {pieces.index(None)} of {size} has no text")
    special = {t["content"] for t in tokenizer.get("added_tokens", []) if t["special"]}
    # llama.cpp writes the beginning of a word as U+2581 and what continues it as it is.
    tokens, types = [], []
    for piece in pieces:
        control = piece in special
        types.append(gguf.TokenType.CONTROL if control else gguf.TokenType.NORMAL)
        begins = not piece.startswith("##")
        tokens.append(piece if control else "\u2581" + piece if begins else piece[2:])
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    index = {piece: number for number, piece in enumerate(pieces)}
    writer.add_bos_token_id(index["[CLS]"])
    writer.add_sep_token_id(index["[SEP]"])
    writer.add_unk_token_id(index["[UNK]"])
    writer.add_pad_token_id(index["[PAD]"])
    writer.add_mask_token_id(index["[MASK]"])
    normalizer = tokenizer.get("normalizer") or {}
    lowercase = bool(normalizer.get("lowercase", False))
    accents = normalizer.get("strip_accents")
    writer.add_bool("tokenizer.ggml.normalizer.lowercase", lowercase)
    # Left open, accents go with the capitals.
    writer.add_bool(
        "tokenizer.ggml.normalizer.strip_accents", lowercase if accents is None else accents
    )


def names(layers):
    table = dict(OUTSIDE)
    for layer in range(layers):
        for theirs, ours in BLOCK.items():
            for part in ("weight", "bias"):
                table[f"encoder.layer.{layer}.{theirs}.{part}"] = f"blk.{layer}.{ours}.{part}"
    return table


def write_tensors(writer, tensors, layers, half):
    table = names(layers)
    tensors = {name.removeprefix("bert."): data for name, data in tensors.items()}
    for name in table:
        if name not in tensors:
            fail(f"the checkpoint lacks {name}")
    for name in tensors:
        if name not in table and not name.startswith(UNUSED):
            fail(f"the checkpoint has {name}, which has no place in the GGUF")
    for theirs, ours in table.items():
        data = tensors[theirs].astype(np.float32)
        if half and data.ndim > 1 and ours not in ALWAYS_F32:
            data = data.astype(np.float16)
        writer.add_tensor(ours, data)


def main():
    args = arguments()
    config = read(args.folder / "config.json")
    check(config, read(args.folder / "modules.json"))
    pool = pooling(read(args.folder / "1_Pooling" / "config.json"))
    tokenizer = read(args.folder / "tokenizer.json")
    tensors = load_file(args.folder / "model.safetensors")
    half = args.type == "f16"

    writer = gguf.GGUFWriter(args.out, "bert")
    writer.add_type("model")
    writer.add_name(args.name or args.folder.resolve().name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(pool)
    writer.add_token_type_count(config["type_vocab_size"])
    write_vocabulary(writer, tokenizer, config["vocab_size"])
    write_tensors(writer, tensors, config["num_hidden_layers"], half)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
