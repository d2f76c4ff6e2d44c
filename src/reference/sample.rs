//! Twin of `shaders/sample.wgsl`.

use super::select::{append, largest};
use crate::model::{REPETITION_WINDOW, RunState, Sampling};

/// Choice of the next token by its probability, as [`Sampling`] says, and the step to the next
/// position.
///
/// `logits` `[vocab_size]`, changed where repetition is penalized; `tokens` `[context + 1]`.
pub fn sample(run: &mut RunState, sampling: &Sampling, logits: &mut [f32], tokens: &mut [u32]) {
    if run.done != 0 {
        return;
    }
    let end = (run.position + run.rows) as usize;
    penalize(sampling, logits, &tokens[..end]);
    let token = match sampling.temperature {
        0.0 => largest(logits),
        _ => draw(
            &weights(sampling, logits),
            f64::from(sampling.uniform(run.written)),
        ),
    };
    append(run, token, tokens);
}

/// Positive logits of the last tokens divided, negative ones multiplied, each once.
fn penalize(sampling: &Sampling, logits: &mut [f32], tokens: &[u32]) {
    if sampling.repetition_penalty == 1.0 {
        return;
    }
    let mut last = tokens[tokens.len() - tokens.len().min(REPETITION_WINDOW)..].to_vec();
    last.sort_unstable();
    last.dedup();
    for token in last {
        // Given embeddings are no token's.
        let Some(logit) = logits.get_mut(token as usize) else {
            continue;
        };
        *logit = match *logit > 0.0 {
            true => *logit / sampling.repetition_penalty,
            false => *logit * sampling.repetition_penalty,
        };
    }
}

/// Probabilities, up to a common factor; 0 for tokens that may not be chosen.
pub fn weights(sampling: &Sampling, logits: &[f32]) -> Vec<f64> {
    let temperature = f64::from(sampling.temperature);
    let most = f64::from(logits[largest(logits) as usize]);
    let weight = |logit: f32| ((f64::from(logit) - most) / temperature).exp();
    let mut descending = logits.to_vec();
    descending.sort_unstable_by(|a, b| b.total_cmp(a));
    // The least logit that may be chosen.
    let mut floor = f32::NEG_INFINITY;
    if sampling.top_k > 0 {
        let last = descending.len().min(sampling.top_k as usize) - 1;
        floor = descending[last];
    }
    if sampling.top_p < 1.0 {
        let kept = || descending.iter().copied().take_while(|&it| it >= floor);
        let wanted = f64::from(sampling.top_p) * kept().map(weight).sum::<f64>();
        let mut sum = 0.0;
        let reaching = kept().find(|&logit| {
            sum += weight(logit);
            sum >= wanted
        });
        floor = reaching.unwrap_or(floor);
    }
    let least = f64::from(sampling.min_p);
    let keeps = |logit: f32| logit >= floor && weight(logit) >= least;
    let kept = |&logit: &f32| if keeps(logit) { weight(logit) } else { 0.0 };
    logits.iter().map(kept).collect()
}

/// The first token at which the weights up to it exceed `uniform` of them all.
pub fn draw(weights: &[f64], uniform: f64) -> u32 {
    let wanted = uniform * weights.iter().sum::<f64>();
    let mut sum = 0.0;
    let mut token = 0;
    for (index, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            token = index;
            sum += weight;
            if sum > wanted {
                break;
            }
        }
    }
    token as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 8] = [0.5, -1.0, 2.0, 1.5, 1.5, -30.0, 0.0, 3.0];

    /// How often each token is chosen in `draws` runs of one token, seeds from 0 on.
    fn counts(sampling: Sampling, draws: u64) -> [u32; 8] {
        let mut counts = [0; 8];
        for seed in 0..draws {
            let sampling = Sampling { seed, ..sampling };
            let mut run = RunState {
                rows: 2,
                max_tokens: 9,
                end_token: u32::MAX,
                ..RunState::default()
            };
            let mut tokens = [7, u32::MAX, 0];
            sample(&mut run, &sampling, &mut LOGITS.clone(), &mut tokens);
            counts[tokens[2] as usize] += 1;
        }
        counts
    }

    /// Whether counts come from these probabilities: the sum of squared deviations in units of
    /// their variance, against a bound that chance passes once in 10^6 (normal approximation of
    /// chi-square with as many degrees of freedom as there are tokens to choose from, less one).
    fn agree(counts: &[u32; 8], probabilities: &[f64; 8]) -> bool {
        let draws = f64::from(counts.iter().sum::<u32>());
        let (mut chi_square, mut freedom) = (0.0, -1.0);
        for (&count, &probability) in counts.iter().zip(probabilities) {
            if probability == 0.0 {
                if count > 0 {
                    return false;
                }
                continue;
            }
            let expected = draws * probability;
            chi_square += (f64::from(count) - expected).powi(2) / expected;
            freedom += 1.0;
        }
        // Wilson and Hilferty: the cube root is nearly normal.
        let spread: f64 = 2.0 / (9.0 * f64::max(freedom, 1.0));
        let bound = f64::max(freedom, 1.0) * (1.0 - spread + 4.75 * spread.sqrt()).powi(3);
        println!("chi-square {chi_square:.1}, bound {bound:.1}, {counts:?}");
        chi_square <= bound
    }

    /// Softmax of the logits of `kept` at a temperature, written out apart from what is tested.
    fn softmax(logits: [f32; 8], temperature: f64, kept: &[usize]) -> [f64; 8] {
        let mut weights = [0.0; 8];
        for &token in kept {
            weights[token] = (f64::from(logits[token]) / temperature).exp();
        }
        let total: f64 = weights.iter().sum();
        weights.map(|it| it / total)
    }

    #[test]
    fn tokens_are_chosen_as_often_as_their_probabilities_say() {
        let all: Vec<usize> = (0..8).filter(|&it| it != 5).collect();
        let plain = Sampling {
            temperature: 1.0,
            ..Sampling::default()
        };
        let mut penalized = LOGITS;
        penalized[7] /= 1.5;
        let cases = [
            (plain, softmax(LOGITS, 1.0, &all)),
            (
                Sampling {
                    temperature: 0.5,
                    ..plain
                },
                softmax(LOGITS, 0.5, &all),
            ),
            // The third and the fourth are equal: both stay.
            (
                Sampling { top_k: 3, ..plain },
                softmax(LOGITS, 1.0, &[7, 2, 3, 4]),
            ),
            // 0.51, 0.19, 0.11, 0.11 of the probability: two are too few for 0.75.
            (
                Sampling {
                    top_p: 0.75,
                    ..plain
                },
                softmax(LOGITS, 1.0, &[7, 2, 3, 4]),
            ),
            (
                Sampling {
                    top_p: 0.69,
                    ..plain
                },
                softmax(LOGITS, 1.0, &[7, 2]),
            ),
            // Of the two largest alone the first holds 0.73.
            (
                Sampling {
                    top_k: 2,
                    top_p: 0.7,
                    ..plain
                },
                softmax(LOGITS, 1.0, &[7]),
            ),
            // e^-1 = 0.37 of the largest is enough, e^-1.5 = 0.22 is not.
            (
                Sampling {
                    min_p: 0.3,
                    ..plain
                },
                softmax(LOGITS, 1.0, &[7, 2]),
            ),
            (
                Sampling {
                    repetition_penalty: 1.5,
                    ..plain
                },
                softmax(penalized, 1.0, &all),
            ),
        ];
        for (sampling, probabilities) in cases {
            let counts = counts(sampling, 20_000);
            assert!(agree(&counts, &probabilities), "{sampling:?}");
        }
    }

    #[test]
    fn a_wrong_temperature_shows_in_the_counts() {
        let sampling = Sampling {
            temperature: 1.15,
            ..Sampling::default()
        };
        let all: Vec<usize> = (0..8).filter(|&it| it != 5).collect();
        let counts = counts(sampling, 20_000);
        assert!(!agree(&counts, &softmax(LOGITS, 1.0, &all)));
    }

    #[test]
    fn without_temperature_the_largest_penalized_logit_is_chosen() {
        let sampling = Sampling {
            repetition_penalty: 1.6,
            ..Sampling::default()
        };
        assert_eq!(counts(sampling, 1)[2], 1);
        assert_eq!(counts(Sampling::default(), 1)[7], 1);
    }
}
