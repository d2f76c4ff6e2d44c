//! Many questions' implicit tokens as points in a plane: the two directions along which they differ most.

use serde::{Deserialize, Serialize};

use crate::problems::Random;

/// Directions carried along: those beyond the two wanted make these settle sooner.
const DIRECTIONS: usize = 8;
/// Rounds of the iteration; a round shrinks what is wrong by the ratio of the ninth variance to the second.
const ROUNDS: usize = 200;

/// Points of many questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointMap {
    /// Shares of all variance that the two components have, 0 to 1.
    pub shares: [f64; 2],
    /// A point a question, in their order.
    pub points: Vec<MapPoint>,
}

/// A question's place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapPoint {
    /// Along the first component.
    pub x: f64,
    /// Along the second.
    pub y: f64,
    /// The right answer.
    pub answer: String,
    /// Number of steps.
    pub steps: u32,
}

/// The two principal components of vectors of one length: shares of the variance, and each vector's place.
///
/// Found by subspace iteration on the covariance, which is never made; a component's largest value is positive, so that
/// it has one sign.
pub fn principal_components(vectors: &[Vec<f32>]) -> ([f64; 2], Vec<[f64; 2]>) {
    let rows = centered(vectors);
    let width = rows.first().map_or(0, Vec::len);
    let total: f64 = rows.iter().map(|row| dot(row, row)).sum();
    let mut random = Random::new(1);
    let mut direction = || {
        (0..width)
            .map(|_| f64::from(random.below(1 << 20)) - f64::from(1 << 19))
            .collect()
    };
    let mut directions: Vec<Vec<f64>> = (0..DIRECTIONS.min(width)).map(|_| direction()).collect();
    orthonormalize(&mut directions);
    for _ in 0..ROUNDS {
        directions = directions
            .iter()
            .map(|it| covariance_times(&rows, it))
            .collect();
        orthonormalize(&mut directions);
    }
    // Orthogonalized in turn from the same start, the directions come in the order of their variances.
    let mut axes: Vec<Vec<f64>> = directions.into_iter().take(2).map(upright).collect();
    axes.resize(2, vec![0.0; width]);
    let shares = [&axes[0], &axes[1]].map(|axis| {
        let variance = dot(axis, &covariance_times(&rows, axis));
        if total > 0.0 { variance / total } else { 0.0 }
    });
    let places = rows
        .iter()
        .map(|row| [dot(row, &axes[0]), dot(row, &axes[1])]);
    (shares, places.collect())
}

fn centered(vectors: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let width = vectors.first().map_or(0, Vec::len);
    let mut mean = vec![0.0; width];
    for vector in vectors {
        for (sum, &value) in mean.iter_mut().zip(vector) {
            *sum += f64::from(value) / vectors.len() as f64;
        }
    }
    let centered = vectors.iter().map(|vector| {
        let values = vector.iter().zip(&mean);
        values
            .map(|(&value, mean)| f64::from(value) - mean)
            .collect()
    });
    centered.collect()
}

/// `Xᵀ X v`.
fn covariance_times(rows: &[Vec<f64>], direction: &[f64]) -> Vec<f64> {
    let mut product = vec![0.0; direction.len()];
    for row in rows {
        let along = dot(row, direction);
        for (sum, value) in product.iter_mut().zip(row) {
            *sum += along * value;
        }
    }
    product
}

/// Makes directions stand at right angles, with length 1; what adds nothing becomes 0.
fn orthonormalize(directions: &mut [Vec<f64>]) {
    for at in 0..directions.len() {
        let (before, rest) = directions.split_at_mut(at);
        let direction = &mut rest[0];
        let length_before = dot(direction, direction).sqrt();
        // Twice, because once leaves rounding behind.
        for other in before.iter().chain(before.iter()) {
            let along = dot(direction, other);
            for (value, part) in direction.iter_mut().zip(other) {
                *value -= along * part;
            }
        }
        let length = dot(direction, direction).sqrt();
        let scale = if length > 1e-10 * length_before {
            1.0 / length
        } else {
            0.0
        };
        direction.iter_mut().for_each(|it| *it *= scale);
    }
}

fn upright(mut direction: Vec<f64>) -> Vec<f64> {
    let largest =
        direction.iter().copied().fold(
            0.0,
            |most: f64, it| if it.abs() > most.abs() { it } else { most },
        );
    if largest < 0.0 {
        direction.iter_mut().for_each(|it| *it = -*it);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_of_a_textbook_example_are_its_own() {
        // Smith, A tutorial on principal components analysis (2002): eigenvalues of the covariance 1.28402771 and
        // 0.0490833989, transformed data in table 3.4. The page's own components are held to it too.
        let points = [
            [2.5, 2.4],
            [0.5, 0.7],
            [2.2, 2.9],
            [1.9, 2.2],
            [3.1, 3.0],
            [2.3, 2.7],
            [2.0, 1.6],
            [1.0, 1.1],
            [1.5, 1.6],
            [1.1, 0.9],
        ];
        let vectors: Vec<Vec<f32>> = points.iter().map(|it| it.to_vec()).collect();
        let (shares, places) = principal_components(&vectors);
        let all = 1.284_027_71 + 0.049_083_398_9;
        assert!((shares[0] - 1.284_027_71 / all).abs() < 1e-6, "{shares:?}");
        assert!(
            (shares[1] - 0.049_083_398_9 / all).abs() < 1e-6,
            "{shares:?}"
        );
        let known = [
            -0.827_970_186,
            1.777_580_33,
            -0.992_197_494,
            -0.274_210_416,
            -1.675_801_42,
            -0.912_949_103,
            0.099_109_437_5,
            1.144_572_16,
            0.438_046_137,
            1.223_820_56,
        ];
        let sign = (places[0][0] / known[0]).signum();
        for (place, known) in places.iter().zip(known) {
            assert!(
                (sign * place[0] - known).abs() < 1e-5,
                "{place:?}, expected {known}"
            );
        }
    }

    #[test]
    fn what_has_no_variance_has_no_components() {
        for vectors in [vec![], vec![vec![1.0, 2.0, 3.0]], vec![vec![1.0, 2.0]; 4]] {
            let (shares, places) = principal_components(&vectors);
            assert_eq!(shares, [0.0, 0.0]);
            assert!(places.iter().flatten().all(|it| *it == 0.0), "{places:?}");
        }
        let (shares, places) = principal_components(&[vec![0.0], vec![1.0], vec![2.0]]);
        assert_eq!(
            (shares, places),
            ([1.0, 0.0], vec![[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
        );
    }
}
