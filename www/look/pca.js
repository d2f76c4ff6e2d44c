// @ts-check
// Principal components of some hundred vectors of some hundred values: the directions along which they
// differ most, found by subspace iteration, and where each vector lies along them.

/** Directions carried along: those beyond the wanted ones make the wanted ones settle sooner. */
const SPARE = 6;
const MAX_ROUNDS = 300;
/** Rounds end when no variance moves by more than this part of the largest. */
const TOLERANCE = 1e-9;

/**
 * @typedef {object} Components
 * @property {number[][]} coordinates of each vector, along each component
 * @property {number[]} shares of all variance that each component has, 0 … 1
 */

/**
 * @param {readonly ArrayLike<number>[]} vectors of one length
 * @param {number} count components wanted
 * @returns {Components}
 */
export function principalComponents(vectors, count) {
  const rows = centered(vectors);
  const width = rows[0]?.length ?? 0;
  const total = rows.reduce((sum, row) => sum + dot(row, row), 0);
  const size = Math.min(width, count + SPARE);
  let directions = orthonormal(seededDirections(size, width));
  /** @type {number[]} */
  let variances = directions.map(() => 0);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const turned = rotated(rows, directions);
    const moved = turned.variances.some((variance, index) => Math.abs(variance - variances[index]) > TOLERANCE * turned.variances[0]);
    ({ directions, variances } = turned);
    if (!moved) break;
    directions = orthonormal(directions.map((direction) => covarianceTimes(rows, direction)));
  }
  // Fewer directions than wanted: nothing lies along the others.
  const axes = Array.from({ length: count }, (_, index) => directions[index] ?? new Float64Array(width));
  return {
    coordinates: rows.map((row) => axes.map((axis) => dot(row, axis))),
    shares: axes.map((_, index) => (total > 0 ? (variances[index] ?? 0) / total : 0)),
  };
}

/**
 * The directions turned, within what they span, to the one of the largest variance first.
 * @param {Float64Array[]} rows
 * @param {Float64Array[]} directions
 */
function rotated(rows, directions) {
  const images = directions.map((direction) => covarianceTimes(rows, direction));
  const { values, vectors } = eigen(directions.map((direction) => images.map((image) => dot(direction, image))));
  const order = values.map((_, index) => index).sort((a, b) => values[b] - values[a]);
  return {
    variances: order.map((index) => values[index]),
    directions: order.map((index) => {
      const turned = new Float64Array(directions[0].length);
      directions.forEach((direction, part) => addScaled(turned, direction, vectors[part][index]));
      return upright(turned);
    }),
  };
}

/**
 * Eigenvalues and eigenvectors (as columns) of a small symmetric matrix, by Jacobi's rotations.
 * @param {number[][]} matrix
 * @returns {{ values: number[], vectors: number[][] }}
 */
export function eigen(matrix) {
  const size = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = a.map((_, row) => a.map((_, column) => (row === column ? 1 : 0)));
  for (let sweep = 0; sweep < 50; sweep++) {
    let off = 0;
    for (let p = 0; p < size; p++) for (let q = p + 1; q < size; q++) off += a[p][q] ** 2;
    const diagonal = a.reduce((sum, row, index) => sum + row[index] ** 2, 0);
    if (off <= 1e-24 * diagonal) break;
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) {
        if (a[p][q] === 0) continue;
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const cosine = 1 / Math.hypot(tangent, 1);
        const sine = tangent * cosine;
        for (const row of a) turn(row, p, q, cosine, sine);
        for (let column = 0; column < size; column++) {
          const [x, y] = [a[p][column], a[q][column]];
          a[p][column] = cosine * x - sine * y;
          a[q][column] = sine * x + cosine * y;
        }
        for (const row of vectors) turn(row, p, q, cosine, sine);
      }
    }
  }
  return { values: a.map((row, index) => row[index]), vectors };
}

/**
 * @param {number[]} row
 * @param {number} p
 * @param {number} q
 * @param {number} cosine
 * @param {number} sine
 */
function turn(row, p, q, cosine, sine) {
  const [x, y] = [row[p], row[q]];
  row[p] = cosine * x - sine * y;
  row[q] = sine * x + cosine * y;
}

/** @param {readonly ArrayLike<number>[]} vectors */
function centered(vectors) {
  const width = vectors[0]?.length ?? 0;
  const mean = new Float64Array(width);
  for (const vector of vectors) addScaled(mean, vector, 1 / vectors.length);
  return vectors.map((vector) => Float64Array.from(mean, (value, index) => vector[index] - value));
}

/**
 * `Xᵀ X v`: the covariance, but for a factor, without ever making it.
 * @param {Float64Array[]} rows
 * @param {Float64Array} direction
 */
function covarianceTimes(rows, direction) {
  const product = new Float64Array(direction.length);
  for (const row of rows) addScaled(product, row, dot(row, direction));
  return product;
}

/**
 * Directions that span the same and stand at right angles; what adds nothing is left out.
 * @param {Float64Array[]} directions
 */
function orthonormal(directions) {
  /** @type {Float64Array[]} */
  const kept = [];
  for (const direction of directions) {
    const before = Math.sqrt(dot(direction, direction));
    // Twice, because once leaves rounding behind.
    for (let pass = 0; pass < 2; pass++) for (const other of kept) addScaled(direction, other, -dot(direction, other));
    const length = Math.sqrt(dot(direction, direction));
    if (length > 1e-10 * before) kept.push(direction.map((value) => value / length));
  }
  return kept.length > 0 ? kept : [new Float64Array(directions[0]?.length ?? 0)];
}

/**
 * Directions that look random and are the same every time.
 * @param {number} count
 * @param {number} width
 */
function seededDirections(count, width) {
  let state = 1;
  const value = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  return Array.from({ length: count }, () => Float64Array.from({ length: width }, value));
}

/**
 * A component has no sign of its own: its largest value is made positive, so that plots do not flip.
 * @param {Float64Array} direction
 */
function upright(direction) {
  const largest = direction.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  return largest < 0 ? direction.map((value) => -value) : direction;
}

/**
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 */
function dot(a, b) {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index] * b[index];
  return sum;
}

/**
 * @param {Float64Array} into
 * @param {ArrayLike<number>} vector
 * @param {number} factor
 */
function addScaled(into, vector, factor) {
  for (let index = 0; index < into.length; index++) into[index] += factor * vector[index];
}
