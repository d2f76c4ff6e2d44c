//! How the next token is chosen from logits, as data: the `sample` kernel and its twin take it.
//!
//! In this order: the penalty for repetition, division by the temperature, the `top_k` largest, of
//! these the fewest that hold `top_p` of the probability, of these the ones of at least `min_p` of
//! the largest's, and one of the rest by its probability. Where tokens are equally likely at a
//! bound, all of them stay.

use super::RequestError;

/// The penalty for repetition looks at this many tokens before the one to be chosen, as llama.cpp
/// does by default.
pub const REPETITION_WINDOW: usize = 64;

/// How the next token is chosen. The default is greedy: the largest logit, of equal ones the lowest
/// id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by this; 0: the largest is chosen.
    pub temperature: f32,
    /// How many of the largest logits may be chosen; 0: all.
    pub top_k: u32,
    /// Share of the probability that the likeliest tokens to be chosen from hold together; 1: all.
    pub top_p: f32,
    /// Least probability of a token that may be chosen, in parts of the largest; 0: none.
    pub min_p: f32,
    /// Positive logits of the tokens that were read or written last are divided by this, negative
    /// ones multiplied; 1: neither.
    pub repetition_penalty: f32,
    /// Of the numbers that decide: the same seed gives the same text on one device.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            seed: 0,
        }
    }
}

impl Sampling {
    /// Whether only the logits decide.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0 && self.repetition_penalty == 1.0
    }

    /// Checks that every option is in its range.
    pub fn check(&self) -> Result<(), RequestError> {
        let wrong = |option, found: f32, expected| {
            Err(RequestError::Option {
                option,
                found: found.to_string(),
                expected,
            })
        };
        // NaN is in no range.
        if !(0.0..=f32::MAX).contains(&self.temperature) {
            return wrong("temperature", self.temperature, "0 or more");
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return wrong("top-p", self.top_p, "above 0, at most 1");
        }
        if !(0.0..1.0).contains(&self.min_p) {
            return wrong("min-p", self.min_p, "0 or more, below 1");
        }
        if !(self.repetition_penalty > 0.0 && self.repetition_penalty <= f32::MAX) {
            let found = self.repetition_penalty;
            return wrong("repetition penalty", found, "above 0");
        }
        Ok(())
    }

    /// The number from 0 to 1 that decides on token `index` of a run: the same in
    /// `shaders/sample.wgsl`.
    pub fn uniform(&self, index: u32) -> f32 {
        let [low, high] = self.seed_words();
        let mixed = mix(mix(low) ^ high);
        let bits = mix(mixed.wrapping_add(index.wrapping_mul(0x9e37_79b9)));
        (bits >> 8) as f32 / (1 << 24) as f32
    }

    /// The fields in their order, as the GPU reads them.
    pub fn words(&self) -> [u32; 8] {
        let [low, high] = self.seed_words();
        [
            self.temperature.to_bits(),
            self.top_k,
            self.top_p.to_bits(),
            self.min_p.to_bits(),
            self.repetition_penalty.to_bits(),
            low,
            high,
            0,
        ]
    }

    fn seed_words(&self) -> [u32; 2] {
        [self.seed as u32, (self.seed >> 32) as u32]
    }
}

/// A hash of 32 bits in which every bit of `x` changes half of the others (Ellis's `lowbias32`).
fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        type Breaks = fn(&mut Sampling);
        let wrong: [(&str, Breaks); 6] = [
            ("temperature", |it| it.temperature = -0.1),
            ("temperature", |it| it.temperature = f32::NAN),
            ("top-p", |it| it.top_p = 0.0),
            ("top-p", |it| it.top_p = 1.1),
            ("min-p", |it| it.min_p = 1.0),
            ("repetition penalty", |it| {
                it.repetition_penalty = f32::INFINITY
            }),
        ];
        for (name, breaks) in wrong {
            let mut sampling = Sampling::default();
            assert_eq!(sampling.check(), Ok(()));
            breaks(&mut sampling);
            let message = sampling.check().unwrap_err().to_string();
            assert!(message.starts_with(name), "{message}");
        }
    }

    #[test]
    fn numbers_of_a_seed_are_spread_evenly_and_differ_from_those_of_the_next_seed() {
        let numbers = |seed| {
            let sampling = Sampling {
                seed,
                ..Sampling::default()
            };
            (0..10_000).map(move |index| sampling.uniform(index))
        };
        for seed in [0, 1, u64::MAX] {
            let mut tenths = [0; 10];
            numbers(seed).for_each(|it| tenths[(it * 10.0) as usize] += 1);
            // Five standard deviations of a binomial count: 5 sqrt(10000 * 0.1 * 0.9) = 150.
            for count in tenths {
                assert!((850..=1150).contains(&count), "seed {seed}: {tenths:?}");
            }
        }
        let same = numbers(1).zip(numbers(2)).filter(|(a, b)| a == b);
        assert!(same.count() < 5);
    }
}
