// Checkpoints of the shape of published models with random weights, as a Hugging Face folder.

import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Bytes of one tensor file, at least one tensor. */
const SHARD_BYTES = 2e9;
const PIECE_BYTES = 1 << 24;

/**
 * @typedef {object} Shape
 * @property {number} hidden
 * @property {number} intermediate
 * @property {number} layers
 * @property {number} heads
 * @property {number} [vocabulary]
 * @property {number} [context]
 */

/** Sheared-LLaMA-1.3B, one of the targets that SemCoT was published with. @type {Shape} */
export const SHEARED_LLAMA_1_3B = { hidden: 2048, intermediate: 5504, layers: 24, heads: 16 };
/** Llama-2-7b. @type {Shape} */
export const LLAMA_2_7B = { hidden: 4096, intermediate: 11008, layers: 32, heads: 32 };
/** A generator of a few layers. @type {Shape} */
export const LIGHT_GENERATOR = { hidden: 512, intermediate: 1376, layers: 4, heads: 8 };

/**
 * Writes the folder.
 * @param {string} folder
 * @param {Shape} shape
 * @param {{ projectedTo?: number }} [options] `projectedTo`: the width of the target that a generator's
 *   `projection_layer` leads to; such a model has a row for `<thought>` and no head
 * @returns {{ parameters: number, bytes: number }}
 */
export function writeRandomModel(folder, shape, { projectedTo } = {}) {
  const { hidden, intermediate, layers, heads, vocabulary = 32000, context = 4096 } = shape;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify({
    model_type: "llama", hidden_size: hidden, intermediate_size: intermediate, num_hidden_layers: layers,
    num_attention_heads: heads, num_key_value_heads: heads, rms_norm_eps: 1e-5, rope_theta: 10000,
    max_position_embeddings: context, tie_word_embeddings: false, vocab_size: vocabulary, eos_token_id: 256,
  }));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer(vocabulary)));
  const tensors = tensorShapes(hidden, intermediate, layers);
  const rows = vocabulary + (projectedTo === undefined ? 0 : 1);
  tensors.push(["model.embed_tokens.weight", [rows, hidden]]);
  if (projectedTo === undefined) tensors.push(["lm_head.weight", [vocabulary, hidden]]);
  else tensors.push(["projection_layer.weight", [projectedTo, hidden]], ["projection_layer.bias", [projectedTo]]);
  return { parameters: tensors.reduce((sum, [, dims]) => sum + count(dims), 0), bytes: writeShards(folder, tensors) };
}

/**
 * @param {number} hidden
 * @param {number} intermediate
 * @param {number} layers
 * @returns {[name: string, shape: number[]][]}
 */
function tensorShapes(hidden, intermediate, layers) {
  /** @type {[string, number[]][]} */
  const tensors = [["model.norm.weight", [hidden]]];
  for (let layer = 0; layer < layers; layer++) {
    const add = (/** @type {string} */ name, /** @type {number[]} */ ...dims) => tensors.push([`model.layers.${layer}.${name}.weight`, dims]);
    for (const name of ["q_proj", "k_proj", "v_proj", "o_proj"]) add(`self_attn.${name}`, hidden, hidden);
    for (const name of ["gate_proj", "up_proj"]) add(`mlp.${name}`, intermediate, hidden);
    add("mlp.down_proj", hidden, intermediate);
    for (const name of ["input_layernorm", "post_attention_layernorm"]) add(name, hidden);
  }
  return tensors;
}

/** @param {number[]} dims */
const count = (dims) => dims.reduce((product, it) => product * it, 1);

/**
 * Files of at most [`SHARD_BYTES`] and their index.
 * @param {string} folder
 * @param {[string, number[]][]} tensors
 */
function writeShards(folder, tensors) {
  /** @type {[string, number[]][][]} */
  const shards = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    const bytes = 2 * count(tensor[1]);
    if (filled > 0 && filled + bytes > SHARD_BYTES) [filled] = [0, shards.push([])];
    filled += bytes;
    shards[shards.length - 1].push(tensor);
  }
  /** @type {Record<string, string>} */
  const weightMap = {};
  let total = 0;
  for (const [index, shard] of shards.entries()) {
    const of = (/** @type {number} */ it) => String(it).padStart(5, "0");
    const name = `model-${of(index + 1)}-of-${of(shards.length)}.safetensors`;
    for (const [tensor] of shard) weightMap[tensor] = name;
    total += writeSafetensors(join(folder, name), shard);
  }
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ metadata: { total_size: total }, weight_map: weightMap }));
  return total;
}

/**
 * @param {string} path
 * @param {[string, number[]][]} tensors
 */
function writeSafetensors(path, tensors) {
  let end = 0;
  const header = Object.fromEntries(tensors.map(([name, shape]) => {
    const begin = end;
    end += 2 * count(shape);
    return [name, { dtype: "BF16", shape, data_offsets: [begin, end] }];
  }));
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, "w");
  try {
    writeSync(file, length);
    writeSync(file, json);
    for (const [name, shape] of tensors) {
      const source = name.includes("norm") ? ones() : noise();
      for (let left = 2 * count(shape); left > 0; left -= PIECE_BYTES) writeSync(file, source, 0, Math.min(left, PIECE_BYTES));
    }
  } finally {
    closeSync(file);
  }
  return end;
}

/** bf16 ones. */
const ones = once(() => new Uint8Array(new Uint16Array(PIECE_BYTES / 2).fill(0x3f80).buffer));

/** bf16 values between -1/32 and 1/32 with a spread of magnitudes, the same for every tensor. */
const noise = once(() => {
  const values = new Uint16Array(PIECE_BYTES / 2);
  let state = 1;
  for (let index = 0; index < values.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const [sign, exponent, mantissa] = [state >>> 31, 118 + ((state >>> 28) & 3), (state >>> 20) & 127];
    values[index] = (sign << 15) | (exponent << 7) | mantissa;
  }
  return new Uint8Array(values.buffer);
});

/**
 * @param {() => Uint8Array} make
 */
function once(make) {
  /** @type {Uint8Array | undefined} */
  let made;
  return () => (made ??= make());
}

/**
 * A byte-level tokenizer: a token a byte, the end, and tokens that no text has.
 * @param {number} vocabulary
 */
function tokenizer(vocabulary) {
  const plain = (/** @type {number} */ byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  /** @type {Record<string, number>} */
  const vocab = {};
  for (let byte = 0; byte < 256; byte++) vocab[String.fromCodePoint(plain(byte) ? byte : next++)] = byte;
  for (let id = 257; id < vocabulary; id++) vocab[`word${id}`] = id;
  const level = { type: "ByteLevel", trim_offsets: true, use_regex: true };
  return {
    version: "1.0", truncation: null, padding: null, normalizer: null, post_processor: null,
    added_tokens: [{ id: 256, content: "</s>", special: true, single_word: false, lstrip: false, rstrip: false, normalized: false }],
    pre_tokenizer: { ...level, add_prefix_space: false },
    decoder: { ...level, add_prefix_space: true },
    model: {
      type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null,
      fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab, merges: [],
    },
  };
}
