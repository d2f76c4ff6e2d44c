//! Multinomial logistic regression: the linear probe. It says which of several classes a vector stands for by one weighted
//! sum a class, so that what it can tell is there to be read without computing anything.
//!
//! Fitted by Nesterov's accelerated gradient with a step that the curvature bounds, on all examples at once: no random
//! numbers, so that the same examples give the same probe.

/// Weight of the squared weights in the loss: enough that classes which can be told apart do not grow them without end.
const DECAY: f32 = 1e-3;
/// Rounds of the fit; the accuracy on held-out problems stands still long before.
const ROUNDS: usize = 300;
/// Rounds of the power iteration that bounds the curvature.
const POWER_ROUNDS: usize = 30;

/// A fitted probe.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearProbe {
    mean: Vec<f32>,
    /// One over the standard deviation of each value; 0 where it never varies.
    scale: Vec<f32>,
    classes: usize,
    /// `[values + 1, classes]`; the last row is the bias.
    weights: Vec<f32>,
}

impl LinearProbe {
    /// Fits a probe to vectors of one length and their classes, which are below `classes`.
    pub fn fit(vectors: &[Vec<f32>], labels: &[usize], classes: usize) -> Self {
        let width = vectors.first().map_or(0, Vec::len);
        let (mean, scale) = mean_and_scale(vectors, width);
        let mut probe = Self {
            mean,
            scale,
            classes,
            weights: vec![0.0; (width + 1) * classes],
        };
        if vectors.is_empty() || classes == 0 {
            return probe;
        }
        let rows: Vec<Vec<f32>> = vectors.iter().map(|it| probe.standardized(it)).collect();
        // The Hessian of the loss is at most half the covariance of the rows (Böhning 1992).
        let step = 1.0 / (0.5 * largest_eigenvalue(&rows) + DECAY);
        let mut previous = probe.weights.clone();
        let mut momentum = 1.0_f32;
        for _ in 0..ROUNDS {
            let next_momentum = (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) / 2.0;
            let push = (momentum - 1.0) / next_momentum;
            let ahead: Vec<f32> = probe
                .weights
                .iter()
                .zip(&previous)
                .map(|(now, before)| now + push * (now - before))
                .collect();
            let gradient = gradient(&rows, labels, &ahead, classes);
            let stepped = ahead
                .iter()
                .zip(&gradient)
                .map(|(at, slope)| at - step * slope);
            previous = std::mem::replace(&mut probe.weights, stepped.collect());
            momentum = next_momentum;
        }
        probe
    }

    /// The class that a vector stands for; of equal ones the first.
    pub fn class_of(&self, vector: &[f32]) -> usize {
        let row = self.standardized(vector);
        let mut scores = vec![0.0; self.classes];
        add_scores(&mut scores, &row, &self.weights);
        let mut best = 0;
        for (class, score) in scores.iter().enumerate() {
            if *score > scores[best] {
                best = class;
            }
        }
        best
    }

    /// With mean 0 and deviation 1 on the examples, and a 1 behind for the bias.
    fn standardized(&self, vector: &[f32]) -> Vec<f32> {
        let values = vector.iter().zip(&self.mean).zip(&self.scale);
        let values = values.map(|((value, mean), scale)| (value - mean) * scale);
        values.chain([1.0]).collect()
    }
}

fn mean_and_scale(vectors: &[Vec<f32>], width: usize) -> (Vec<f32>, Vec<f32>) {
    let n = vectors.len().max(1) as f64;
    let mut mean = vec![0.0_f64; width];
    let mut square = vec![0.0_f64; width];
    for vector in vectors {
        for (at, &value) in vector.iter().enumerate() {
            mean[at] += f64::from(value) / n;
        }
    }
    for vector in vectors {
        for (at, &value) in vector.iter().enumerate() {
            square[at] += (f64::from(value) - mean[at]).powi(2) / n;
        }
    }
    let scale = square.iter().map(|&variance| match variance > 1e-12 {
        true => (1.0 / variance.sqrt()) as f32,
        false => 0.0,
    });
    (mean.iter().map(|&it| it as f32).collect(), scale.collect())
}

/// `scores += weightsᵀ row`, class by class beside one another, which compilers turn into SIMD.
fn add_scores(scores: &mut [f32], row: &[f32], weights: &[f32]) {
    for (value, weights) in row.iter().zip(weights.chunks_exact(scores.len())) {
        for (score, weight) in scores.iter_mut().zip(weights) {
            *score += value * weight;
        }
    }
}

/// Gradient of the mean cross entropy and the decay.
fn gradient(rows: &[Vec<f32>], labels: &[usize], weights: &[f32], classes: usize) -> Vec<f32> {
    let mut sum = vec![0.0; weights.len()];
    let mut scores = vec![0.0; classes];
    for (row, &label) in rows.iter().zip(labels) {
        scores.fill(0.0);
        add_scores(&mut scores, row, weights);
        let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        scores.iter_mut().for_each(|it| *it = (*it - most).exp());
        let total: f32 = scores.iter().sum();
        scores.iter_mut().for_each(|it| *it /= total);
        scores[label] -= 1.0;
        for (value, sums) in row.iter().zip(sum.chunks_exact_mut(classes)) {
            for (sum, error) in sums.iter_mut().zip(&scores) {
                *sum += value * error;
            }
        }
    }
    let n = rows.len() as f32;
    let bias_from = weights.len() - classes;
    for (at, (sum, weight)) in sum.iter_mut().zip(weights).enumerate() {
        let decay = if at < bias_from { DECAY } else { 0.0 };
        *sum = *sum / n + decay * weight;
    }
    sum
}

/// The largest eigenvalue of `rowsᵀ rows / n`, and a little more, so that a step by it never overshoots.
fn largest_eigenvalue(rows: &[Vec<f32>]) -> f32 {
    let width = rows[0].len();
    let mut direction = vec![1.0 / (width as f32).sqrt(); width];
    let mut value = 0.0;
    for _ in 0..POWER_ROUNDS {
        let mut product = vec![0.0; width];
        for row in rows {
            let along: f32 = row.iter().zip(&direction).map(|(a, b)| a * b).sum();
            for (sum, it) in product.iter_mut().zip(row) {
                *sum += along * it / rows.len() as f32;
            }
        }
        value = product.iter().map(|it| it * it).sum::<f32>().sqrt();
        if value == 0.0 {
            break;
        }
        direction = product.iter().map(|it| it / value).collect();
    }
    1.1 * value.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::Random;

    fn noise(random: &mut Random) -> f32 {
        random.below(1 << 16) as f32 / (1 << 15) as f32 - 1.0
    }

    #[test]
    fn classes_that_lie_apart_are_told_apart_on_vectors_never_fitted() {
        let mut random = Random::new(3);
        // Five centers of eight values, far from 0 and of uneven scale, with noise around them.
        let centers: Vec<Vec<f32>> = (0..5)
            .map(|_| {
                (0..8)
                    .map(|at| 100.0 + 10.0 * at as f32 * noise(&mut random))
                    .collect()
            })
            .collect();
        let mut draw = |count: usize| -> (Vec<Vec<f32>>, Vec<usize>) {
            (0..count)
                .map(|index| {
                    let class = index % 5;
                    let vector = centers[class].iter().map(|it| it + noise(&mut random));
                    (vector.collect::<Vec<f32>>(), class)
                })
                .unzip()
        };
        let (vectors, labels) = draw(500);
        let probe = LinearProbe::fit(&vectors, &labels, 5);
        let (vectors, labels) = draw(500);
        let right = vectors
            .iter()
            .zip(&labels)
            .filter(|(it, label)| probe.class_of(it) == **label);
        assert_eq!(right.count(), 500);
    }

    #[test]
    fn what_is_not_there_linearly_is_not_read() {
        // Exclusive or of two signs: no line through the plane is right much more than half of the time.
        let mut random = Random::new(5);
        let mut draw = |count: usize| -> (Vec<Vec<f32>>, Vec<usize>) {
            (0..count)
                .map(|_| {
                    let vector = vec![noise(&mut random), noise(&mut random)];
                    let class = usize::from((vector[0] > 0.0) != (vector[1] > 0.0));
                    (vector, class)
                })
                .unzip()
        };
        let (vectors, labels) = draw(2000);
        let probe = LinearProbe::fit(&vectors, &labels, 2);
        let (vectors, labels) = draw(2000);
        let right = vectors
            .iter()
            .zip(&labels)
            .filter(|(it, label)| probe.class_of(it) == **label);
        let share = right.count() as f64 / 2000.0;
        assert!(share < 0.65, "{share}");
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let mut random = Random::new(7);
        let rows: Vec<Vec<f32>> = (0..6)
            .map(|_| (0..3).map(|_| noise(&mut random)).chain([1.0]).collect())
            .collect();
        let labels = [0, 1, 2, 2, 1, 0];
        let weights: Vec<f32> = (0..12).map(|_| noise(&mut random)).collect();
        let loss = |weights: &[f32]| -> f64 {
            let mut sum = 0.0;
            for (row, &label) in rows.iter().zip(&labels) {
                let mut scores = vec![0.0; 3];
                add_scores(&mut scores, row, weights);
                let scores: Vec<f64> = scores.iter().map(|&it| f64::from(it)).collect();
                sum += scores.iter().map(|it| it.exp()).sum::<f64>().ln() - scores[label];
            }
            let squares: f64 = weights[..9].iter().map(|&it| f64::from(it).powi(2)).sum();
            sum / 6.0 + f64::from(DECAY) / 2.0 * squares
        };
        let found = gradient(&rows, &labels, &weights, 3);
        for at in 0..12 {
            let (mut up, mut down) = (weights.clone(), weights.clone());
            up[at] += 1e-2;
            down[at] -= 1e-2;
            let expected = (loss(&up) - loss(&down)) / f64::from(up[at] - down[at]);
            assert!(
                (f64::from(found[at]) - expected).abs() < 1e-4,
                "{at}: {} {expected}",
                found[at]
            );
        }
    }

    #[test]
    fn values_that_never_vary_and_no_examples_at_all_do_no_harm() {
        let probe = LinearProbe::fit(&[vec![1.0, 5.0], vec![-1.0, 5.0]], &[0, 1], 2);
        assert_eq!(
            (probe.class_of(&[2.0, 9.0]), probe.class_of(&[-2.0, 0.0])),
            (0, 1)
        );
        assert_eq!(LinearProbe::fit(&[], &[], 3).class_of(&[]), 0);
    }
}
