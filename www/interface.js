// @ts-check
// What goes into the engine and what comes out of it, as types: options, answers, measurements. `semcot.js`
// exports them along with what takes and gives them; nothing here runs.

export {};

/**
 * How to answer: with implicit tokens from the generator, by writing the reasoning, or at once.
 * @typedef {"implicit" | "explicit" | "direct"} Mode
 */

/**
 * @typedef {object} Progress over all files of the model together
 * @property {"download" | "verify" | "upload" | "compile" | "ready"} phase
 * @property {number} loadedBytes
 * @property {number} totalBytes 0 while unknown
 * @property {boolean} cached whether nothing had to be fetched, as far as is known by now
 * @property {"opfs" | "memory" | "local"} storage where the files are kept; `memory` lasts no longer than
 *   the loading: why, says `engine.info.storage`; `local` are files that were given
 */

/**
 * @typedef {object} LoadSettings
 * @property {"auto" | "gpu" | "cpu"} [device] what computes; `auto` unless told: the graphics device, or the CPU
 *   by wasm SIMD where the browser offers none, or only one that is computed by the CPU and measures slower
 * @property {"await" | "wake"} [readBack] how results are waited for: Firefox is woken, others are not, unless told
 * @property {"f16" | "f32"} [kv] type of cached keys and values; `f16` unless told
 * @property {KernelSettings} [kernels] how the compute shaders are put together, which also asks for the graphics
 *   device; what was measured best on this device unless told
 */

/**
 * To find out what a driver gets wrong, and to compare.
 * @typedef {object} KernelSettings
 * @property {"serial" | "workgroup" | "subgroup"} reduce how the threads of a row add up; `serial` for software
 *   adapters
 * @property {boolean} [nativeF16] read cached keys and values by shader-f16
 * @property {boolean} [dot4] multiply prompts by dot4I8Packed, where keys and values are f16 and weights are quants
 */

/**
 * Where the engine runs, and where its own files lie.
 * @typedef {object} LoadPlace
 * @property {boolean} [worker] in a worker, where that is possible, unless told otherwise
 * @property {string | URL} [workerUrl] the worker's script (`worker.js`); beside this module unless told. One of
 *   another origin works too
 * @property {string | URL} [wasmUrl] the wasm (`semcot_bg.wasm`); beside its script unless told
 * @property {string | URL} [cpuWasmUrl] the wasm for the CPU (`semcot_cpu_bg.wasm`), fetched only where it is used
 */

/**
 * @typedef {LoadSettings & LoadPlace & LoadHooks} LoadOptions
 */

/**
 * @typedef {object} LoadHooks
 * @property {AbortSignal} [signal]
 * @property {(progress: Progress) => void} [onProgress] also told when the engine loads itself again
 */

/**
 * @typedef {object} AskOptions
 * @property {Mode} [mode] `implicit` unless told
 * @property {number} [implicitTokens] how many implicit tokens; as trained unless told
 * @property {number} [maxTokens] most tokens written; the model folder's own limit unless told
 * @property {number} [tokensPerSubmit] tokens decoded for each wait for the device, K; by the device unless told
 * @property {AbortSignal} [signal]
 */

/**
 * What arrives while a question is answered.
 * @typedef {{ kind: "implicit_tokens", count: number }
 *   | { kind: "text", text: string, tokens: number, answer: boolean }} Piece `tokens` written so far;
 *   `answer` when the text is the short answer, else it is reasoning
 */

/**
 * @typedef {object} Milliseconds
 * @property {number | null} generator forward pass of the generator with the projection; null where not timed
 * @property {number | null} prefill the target's pass over the prompt
 * @property {number | null} decode all further passes of the target
 * @property {number} total from the question to the last token, as a person waits
 */

/**
 * @typedef {object} Answer
 * @property {Mode} mode
 * @property {string} text all that was written, special tokens left out
 * @property {string} reasoning the written reasoning; empty in the modes that write none
 * @property {string} answer the short answer; empty when the target never got to it
 * @property {number[]} tokenIds
 * @property {number} tokens written, the end token included
 * @property {number} implicitTokens handed to the target; 0 in the modes without them
 * @property {boolean} ended whether the target ended by itself, rather than at the limit
 * @property {number} targetPasses
 * @property {number} generatorPasses
 * @property {number} submits
 * @property {number} readBacks awaited read-backs
 * @property {number} bytesReadBack
 * @property {number} dispatches
 * @property {Milliseconds} ms
 */

/**
 * @typedef {object} CompareOptions
 * @property {number} [repeats] measured runs of each mode; 5 unless told
 * @property {readonly Mode[]} [modes] all three unless told
 * @property {number} [implicitTokens]
 * @property {number} [maxTokens]
 * @property {AbortSignal} [signal]
 */

/**
 * A measured run.
 * @typedef {{ answer: Answer, done: number, total: number }} ComparedRun `done` of `total` runs with it
 */

/**
 * Times of repeated runs, in milliseconds.
 * @typedef {object} Spread
 * @property {number[]} runs in the order measured
 * @property {number} median
 * @property {number} min
 * @property {number} max
 */

/**
 * @typedef {object} ModeComparison
 * @property {Answer} answer of the last run
 * @property {Spread} ms time to answer
 */

/**
 * @typedef {object} Comparison
 * @property {Partial<Record<Mode, ModeComparison>>} modes
 * @property {number | null} speedUp median explicit ÷ median implicit; null unless both ran
 */

/**
 * @typedef {object} InspectOptions
 * @property {number} [implicitTokens] how many implicit tokens; as trained unless told
 * @property {number} [nearest] how many of the nearest words of each vector; 5 unless told
 * @property {readonly string[]} [bank] reasonings of other questions: asks for `alignment`, which takes the
 *   folder's sentence transformer; texts of up to 256 tokens
 * @property {string} [reasoning] the question's own reasoning; written by the target unless told
 */

/**
 * What implicit tokens look like. Cosines compare directions: 1 is the same, 0 has nothing in common.
 * @typedef {object} Inspection
 * @property {number} implicitTokens
 * @property {number} hiddenSize values of each vector
 * @property {Float32Array} values the vectors, one behind the other
 * @property {{ norm: number, nearest: { token: number, text: string, cosine: number }[] }[]} vectors each
 *   vector's length and the words of the target's vocabulary whose embeddings point most nearly its way
 * @property {number[][]} cosines of each vector with each
 * @property {{ medianNorm: number, chanceCosine: number } | null} vocabulary what is usual: the median length
 *   of a word's embedding, and how near a random direction is to its nearest word
 * @property {Alignment | null} alignment null unless a bank was given
 */

/**
 * Which reasoning the vectors read most like, by the sentence transformer that they were trained against.
 * @typedef {object} Alignment
 * @property {string} reasoning the question's own
 * @property {number} cosine of the vectors with it
 * @property {number} rank its place, from 1 on
 * @property {{ text: string, cosine: number, own: boolean }[]} ranking all reasonings, the most alike first
 */

/**
 * How a text goes on. Tokens are chosen greedily unless there is a temperature.
 * @typedef {object} GenerateOptions
 * @property {number} [maxTokens] 128 unless told
 * @property {boolean} [fillContext] write until the context is full, where there is no `maxTokens`
 * @property {boolean} [ignoreEnd] go on behind the end token
 * @property {boolean} [special] find control tokens in the prompt's text
 * @property {readonly string[]} [stop] texts that end it and are no part of it
 * @property {number} [temperature]
 * @property {number} [topK] choose among so many
 * @property {number} [topP] choose among the likeliest that hold this share of the probability
 * @property {number} [minP] choose among tokens of at least this probability, in parts of the largest
 * @property {number} [repetitionPenalty] weakens the last 64 tokens
 * @property {number} [seed] a whole number: the same seed gives the same text on one device
 * @property {number} [tokensPerSubmit] K; by the device unless told
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} Generated
 * @property {number[]} ids the tokens written, the end token included
 * @property {string} text
 * @property {"end_token" | "stop_string" | "limit"} endedBy why there is no more
 * @property {number} promptTokens that the prompt took, with the begin token
 * @property {number} targetPasses
 * @property {number} submits
 * @property {number} readBacks
 * @property {Milliseconds} ms
 */

/**
 * What a forward pass is given besides ids, and what of it is read.
 * @typedef {object} ForwardOptions
 * @property {"lastLogits" | "allLogits" | "hiddenStates" | "residual"} [give] logits of the last position
 *   unless told; the others are rows for all positions, at most 256: logits, states behind the final norm,
 *   states without it
 * @property {number} [layers] run only so many of the layers, from the input on
 * @property {{ position: number, rows: readonly (readonly number[])[] }} [splice] rows of the model's hidden
 *   size, inserted as input embeddings before a position
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} BenchOptions
 * @property {number} [promptTokens] 64 unless told
 * @property {number} [decodeTokens] tokens written; 64 unless told
 * @property {number} [repeats] measured runs, after one that is not; 5 unless told
 * @property {number} [tokensPerSubmit] K; by the device unless told
 * @property {number} [matvecBytes] also measure products with a vector, of a matrix of about so many bytes of each
 *   weight type: of as many as the model reads a token (`info.models[0].passBytes`), and it lies where the model does
 * @property {readonly string[]} [weightTypes] measure these, as GGUF names them; all unless told
 * @property {AbortSignal} [signal]
 */

/**
 * A weight type's speed, in 10⁹ bytes a second; a copy's bytes count once, though each is read and written.
 * @typedef {object} Throughput
 * @property {string} weightType
 * @property {number} rows
 * @property {number} cols
 * @property {number} bytes of the matrix on the device
 * @property {number} matvecMs one product
 * @property {number} matvecGbPerS
 * @property {number} copyGbPerS as many bytes, from buffer to buffer
 * @property {number} ratio the first over the second
 */

/**
 * @typedef {object} Bench
 * @property {string} file
 * @property {number} promptTokens
 * @property {number} decodeTokens
 * @property {number} tokensPerSubmit
 * @property {Spread} prefillMs prompt to first token, read back
 * @property {Spread} decodeMs all further tokens
 * @property {number} prefillMsPerToken
 * @property {number} decodeMsPerToken
 * @property {number} prefillDispatches
 * @property {number} decodeDispatchesPerToken
 * @property {number} decodeDispatchesPerLayer
 * @property {number} submits
 * @property {number} readBacks
 * @property {number} bytesReadBack
 * @property {Throughput[]} matvec by weight type; empty unless asked for
 * @property {Bandwidth | null} bandwidth what the memory leaves of a token's time, by what was measured of `matvec`;
 *   null unless asked for
 */

/**
 * The least time of a token: a pass reads every weight once, however fast the device computes.
 * @typedef {object} Bandwidth
 * @property {number} passBytes of weights that a pass of one token reads
 * @property {number} gbPerS the fastest that bytes were moved: read by a product, or read and written by a copy
 * @property {number} floorMsPerToken the first over the second; `decodeMsPerToken` is what a token takes
 */

/**
 * @typedef {object} ProblemOptions
 * @property {string} [family] `arithmetic` or `coin`
 * @property {"train" | "validation" | "heldout"} [split] `heldout` unless told: never trained on
 * @property {number} seed 0 … 2³²−1: the same seed gives the same problems everywhere
 * @property {number} [count] 1 unless told
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} Problem
 * @property {string} query
 * @property {string} reasoning
 * @property {string} condensedReasoning
 * @property {string} answer
 * @property {string} family
 * @property {number} steps
 */

/**
 * The engine, the device it runs on and the model that is loaded. `device` says what computes and why,
 * `adapter` describes it; `kernels` names the variant of the compute shaders, those that failed their self-test on
 * this device and were left out for it, and those that were measured slower; `storage` where the files are kept for
 * the next load, with the reason where it is not in OPFS. A folder
 * also tells its `description`, `license`, `implicitTokens` as trained, measured `accuracy` and `alignment`; a single file
 * its `chatTemplate`, where it has one, and `specialTokens`.
 * @typedef {Record<string, any> & InfoFields} Info
 */

/**
 * @typedef {object} InfoFields
 * @property {string} name
 * @property {number} contextLength tokens that question and answer may take together
 * @property {number} tokensPerSubmit K, where nothing else is told
 * @property {{ name: string, rejected: { name: string, reason: string }[], slower: { name: string, times: number }[] }} kernels
 * @property {ModelInfo[]} models the target, and the generator of a folder
 * @property {import("./support.js").AdapterFacts} adapter
 * @property {import("./device.js").DeviceFacts} device
 * @property {"await" | "wake"} readBack
 * @property {import("./sources.js").Storage} storage
 */

/**
 * @typedef {{ file: string, parameters: number, bytes: number, passBytes: number, weightType: string, layers: number, hiddenSize: number, vocabSize: number }} ModelInfo
 *   `bytes` on the device; a pass of one token reads `passBytes` of them, most of them weights of `weightType`
 */
