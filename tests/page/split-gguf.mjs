// A GGUF file cut in two as llama.cpp cuts it: each half a GGUF file, the first with the metadata.

/** Bytes of a metadata value by its type; texts (8) and arrays (9) say it themselves. */
const VALUE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const ALIGNMENT = 32;

/**
 * @param {Buffer} file of the default alignment
 * @param {string} name without `.gguf`
 * @returns {Map<string, Buffer>} the halves by their names
 */
export function splitGguf(file, name) {
  const { tensorCount, keyCount, metadata, tensors, data } = readGguf(file);
  const half = tensorCount >> 1;
  const halves = [tensors.slice(0, half), tensors.slice(half)];
  return new Map(halves.map((part, index) => {
    const own = index === 0 ? metadata : Buffer.alloc(0);
    const keys = [["split.no", 2, number(index, 2)], ["split.count", 2, number(2, 2)], ["split.tensors.count", 5, number(tensorCount, 4)]];
    const added = keys.map(([key, type, value]) => [textBytes(String(key)), number(Number(type), 4), /** @type {Buffer} */ (value)]);
    const begin = part[0].offset;
    const count = (index === 0 ? keyCount : 0) + keys.length;
    const bytes = written(count, [own, ...added.flat()], part, begin, data.subarray(begin, part[part.length - 1].end));
    return [`${name}-0000${index + 1}-of-00002.gguf`, bytes];
  }));
}

/**
 * The same file with more in its metadata: texts, and whole numbers of 32 bits.
 * @param {Buffer} file of the default alignment
 * @param {Record<string, string | number>} values
 */
export function withMetadata(file, values) {
  const { keyCount, metadata, tensors, data } = readGguf(file);
  const added = Object.entries(values).flatMap(([key, value]) =>
    [textBytes(key), ...(typeof value === "string" ? [number(8, 4), textBytes(value)] : [number(4, 4), number(value, 4)])]);
  return written(keyCount + Object.keys(values).length, [metadata, ...added], tensors, 0, data);
}

/** @typedef {{ description: Buffer, offset: number, end: number }} Tensor */

/** @param {Buffer} file */
function readGguf(file) {
  let at = 8;
  const u32 = () => file.readUInt32LE((at += 4) - 4);
  const u64 = () => Number(file.readBigUInt64LE((at += 8) - 8));
  const text = () => {
    const length = u64();
    return file.toString("utf8", at, (at += length));
  };
  const skipValue = (/** @type {number} */ type) => {
    if (type === 8) return void text();
    if (type !== 9) return void (at += VALUE_BYTES[type]);
    const [elements, count] = [u32(), u64()];
    for (let index = 0; index < count; index++) skipValue(elements);
  };
  const [tensorCount, keyCount] = [u64(), u64()];
  const metadataAt = at;
  for (let index = 0; index < keyCount; index++) {
    text();
    skipValue(u32());
  }
  const metadata = file.subarray(metadataAt, at);
  /** @type {Tensor[]} */
  const tensors = Array.from({ length: tensorCount }, () => {
    const start = at;
    text();
    const dimensions = u32();
    at += dimensions * 8 + 4;
    return { description: file.subarray(start, at), offset: u64(), end: 0 };
  });
  const data = file.subarray(Math.ceil(at / ALIGNMENT) * ALIGNMENT);
  tensors.sort((a, b) => a.offset - b.offset);
  tensors.forEach((tensor, index) => (tensor.end = tensors[index + 1]?.offset ?? data.length));
  return { tensorCount, keyCount, metadata, tensors, data };
}

/**
 * @param {number} keyCount
 * @param {Buffer[]} metadata
 * @param {Tensor[]} tensors
 * @param {number} begin of their data in the file that they are from
 * @param {Buffer} data
 */
function written(keyCount, metadata, tensors, begin, data) {
  const header = Buffer.concat([
    Buffer.from("GGUF"), number(3, 4), number(tensors.length, 8), number(keyCount, 8), ...metadata,
    ...tensors.flatMap((tensor) => [tensor.description, number(tensor.offset - begin, 8)]),
  ]);
  const padding = Buffer.alloc(Math.ceil(header.length / ALIGNMENT) * ALIGNMENT - header.length);
  return Buffer.concat([header, padding, data]);
}

/**
 * @param {number} value
 * @param {2 | 4 | 8} size
 */
function number(value, size) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes.subarray(0, size);
}

/** @param {string} value */
function textBytes(value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([number(bytes.length, 8), bytes]);
}
