//! The way the method's published evaluation chooses tokens (METHOD: inference and evaluation): at five temperatures
//! in turn, never greedily. Ours reports it beside greedy answers.

use crate::model::Sampling;
use crate::reasoning::Mode;

/// The published temperatures.
pub const TEMPERATURES: [f32; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// The published nucleus.
pub const TOP_P: f32 = 0.9;
/// The library below the published code keeps so many of the likeliest tokens unless told otherwise.
pub const TOP_K: u32 = 50;
/// The published limit of an answer.
pub const MAX_TOKENS: u32 = 30;

/// How tokens are chosen at one of the temperatures.
pub fn sampling(temperature: f32, seed: u64) -> Sampling {
    Sampling {
        temperature,
        top_k: TOP_K,
        top_p: TOP_P,
        seed,
        ..Sampling::default()
    }
}

/// The published limit, where what is written is the answer alone; nothing for written reasoning, which it would cut
/// off before the answer.
pub fn max_tokens(mode: Mode) -> Option<u32> {
    match mode {
        Mode::Implicit | Mode::Direct => Some(MAX_TOKENS),
        Mode::Explicit => None,
    }
}
