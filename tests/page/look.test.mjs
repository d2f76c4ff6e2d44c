// What looking inside computes in the page: principal components against values known otherwise, and the
// classes that points are coloured by.

import assert from "node:assert/strict";
import { test } from "node:test";
import { classOf, combined, operationsOf } from "../../www/look/classes.js";
import { eigen, principalComponents } from "../../www/look/pca.js";

const near = (/** @type {number} */ found, /** @type {number} */ expected, tolerance = 1e-6) => assert.ok(Math.abs(found - expected) <= tolerance, `${found}, expected ${expected}`);

test("a_symmetric_matrix_has_its_known_eigenvalues", () => {
  const { values, vectors } = eigen([[2, -1, 0], [-1, 2, -1], [0, -1, 2]]);
  const sorted = [...values].sort((a, b) => a - b);
  [2 - Math.SQRT2, 2, 2 + Math.SQRT2].forEach((expected, index) => near(sorted[index], expected));
  const at = values.indexOf(Math.max(...values));
  near(Math.abs(vectors[1][at]), Math.SQRT1_2);
});

test("components_of_a_textbook_example_are_its_own", () => {
  // Smith, A tutorial on principal components analysis (2002): eigenvalues of the covariance 1.28402771 and
  // 0.0490833989, transformed data in table 3.4.
  const points = [[2.5, 2.4], [0.5, 0.7], [2.2, 2.9], [1.9, 2.2], [3.1, 3.0], [2.3, 2.7], [2, 1.6], [1, 1.1], [1.5, 1.6], [1.1, 0.9]];
  const { coordinates, shares } = principalComponents(points, 2);
  near(shares[0], 1.28402771 / (1.28402771 + 0.0490833989), 1e-8);
  const variance = coordinates.reduce((sum, [x]) => sum + x * x, 0) / 9;
  near(variance, 1.28402771, 1e-7);
  const known = [-0.827970186, 1.77758033, -0.992197494, -0.274210416, -1.67580142, -0.912949103, 0.0991094375, 1.14457216, 0.438046137, 1.22382056];
  const sign = Math.sign(coordinates[0][0] / known[0]);
  coordinates.forEach(([x], index) => near(sign * x, known[index], 1e-7));
});

test("two_directions_are_found_among_many_values_of_noise", () => {
  let state = 7;
  const noise = () => ((state = (state * 16807) % 2147483647) / 2147483647 - 0.5) * 0.02;
  const width = 300;
  const vectors = Array.from({ length: 120 }, (_, index) => {
    const [a, b] = [Math.cos(index), Math.sin(index) / 2];
    return Float32Array.from({ length: width }, (_, at) => 5 + noise() + (at === 17 ? 10 * a : 0) + (at === 251 ? 10 * b : 0));
  });
  const { coordinates, shares } = principalComponents(vectors, 2);
  assert.ok(shares[0] > 0.75 && shares[1] > 0.15 && shares[0] + shares[1] > 0.998, `${shares}`);
  const first = coordinates.map(([x]) => x);
  const fit = first.reduce((sum, x, index) => sum + x * Math.cos(index), 0) / 120;
  assert.ok(Math.abs(Math.abs(fit) - 5) < 0.1, `${fit}`);
});

test("what_has_no_variance_has_no_components", () => {
  for (const vectors of [[[1, 2, 3]], [[1, 2], [1, 2], [1, 2]], []]) {
    const { coordinates, shares } = principalComponents(vectors, 2);
    assert.deepEqual(shares, [0, 0]);
    for (const point of coordinates) for (const value of point) near(value, 0);
  }
  const line = principalComponents([[0], [1], [2]], 2);
  assert.deepEqual(line.shares.map((share) => Math.round(share * 1e9) / 1e9), [1, 0]);
  assert.deepEqual(line.coordinates.map(([x, y]) => [Math.round(x * 1e9) / 1e9, y]), [[-1, 0], [0, 0], [1, 0]]);
});

const story = { query: "", reasoning: "", condensedReasoning: "12 - 5 = 7; 7 + 2 = 9", answer: "9", family: "arithmetic", steps: 2 };
const coin = { query: "", reasoning: "", condensedReasoning: "heads; no flip: heads; flip: tails", answer: "no", family: "coin", steps: 7 };

test("problems_fall_into_the_classes_of_their_truth", () => {
  assert.deepEqual([operationsOf(story), operationsOf(coin)], [["-", "+"], ["no flip", "flip"]]);
  assert.deepEqual(["first", "last", "steps", "answer", "family"].map((by) => classOf(story, /** @type {any} */ (by)).value), ["-", "+", "2", "5–9", "arithmetic"]);
  assert.deepEqual(["first", "last", "steps", "answer", "family"].map((by) => classOf(coin, /** @type {any} */ (by)).value), ["no flip", "flip", "6+", "no", "coin"]);
  assert.equal(classOf({ ...story, answer: "99" }, "answer").value, "20+");
});

test("vectors_are_taken_together_one_alone_or_as_their_mean", () => {
  const looked = /** @type {any} */ ({ values: Float32Array.from([1, 2, 3, 6]), hiddenSize: 2, implicitTokens: 2 });
  assert.deepEqual([...combined(looked, "all")], [1, 2, 3, 6]);
  assert.deepEqual([...combined(looked, "mean")], [2, 4]);
  assert.deepEqual([...combined(looked, "2")], [3, 6]);
  assert.deepEqual([...combined(looked, "5")], [3, 6], "fewer vectors than asked for: the last");
});
