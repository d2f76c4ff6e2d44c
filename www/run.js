// @ts-check
// Work under way, as one value: iterate it for what comes on the way, await it for the result, or both.

/**
 * Iterating begins with the first piece whenever it is started, and ends with the error where there is one.
 * @template Piece
 * @template Result
 * @implements {AsyncIterable<Piece>}
 * @implements {PromiseLike<Result>}
 */
export class Run {
  /** @type {Piece[]} */
  #pieces = [];
  /** Iterators that wait for the next piece or the end. @type {(() => void)[]} */
  #waiting = [];
  #ended = false;
  /** @type {Promise<Result>} */
  #result;

  /** @param {(onPiece: (piece: Piece) => void) => Promise<Result>} start */
  constructor(start) {
    this.#result = start((piece) => {
      this.#pieces.push(piece);
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    // Also keeps the rejection of a run that is only iterated from being reported as unhandled.
    this.#result.then(end, end);
  }

  /** @returns {AsyncGenerator<Piece, void, undefined>} */
  async *[Symbol.asyncIterator]() {
    for (let next = 0; ; next++) {
      while (next >= this.#pieces.length && !this.#ended) {
        await new Promise((/** @type {(value: void) => void} */ resolve) => this.#waiting.push(resolve));
      }
      if (next >= this.#pieces.length) break;
      yield this.#pieces[next];
    }
    await this.#result;
  }

  /**
   * @template [T=Result], [F=never]
   * @param {((result: Result) => T | PromiseLike<T>) | null} [onFulfilled]
   * @param {((error: any) => F | PromiseLike<F>) | null} [onRejected]
   * @returns {Promise<T | F>}
   */
  then(onFulfilled, onRejected) {
    return this.#result.then(onFulfilled, onRejected);
  }

  /**
   * @template [F=never]
   * @param {((error: any) => F | PromiseLike<F>) | null} [onRejected]
   * @returns {Promise<Result | F>}
   */
  catch(onRejected) {
    return this.#result.catch(onRejected);
  }

  /**
   * @param {(() => void) | null} [onFinally]
   * @returns {Promise<Result>}
   */
  finally(onFinally) {
    return this.#result.finally(onFinally);
  }

  #wake() {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
