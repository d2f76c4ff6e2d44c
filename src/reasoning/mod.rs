//! The method at inference: a question becomes a request (`request`), a pair runs it (`pair`),
//! the written tokens become an answer (`answer`), and the modes are set side by side
//! (`comparison`), and the implicit tokens themselves are looked at (`inspect`). Nothing here knows what device runs it.

pub mod answer;
pub mod comparison;
#[cfg(not(target_arch = "wasm32"))]
pub mod folder;
pub mod inspect;
pub mod loading;
mod mode;
pub mod pair;
#[cfg(not(target_arch = "wasm32"))]
pub mod pairing;
pub mod request;
pub mod states;

pub use answer::Answer;
pub use inspect::{Alignment, InspectOptions, Inspection};
pub use mode::{Mode, UnknownMode};
pub use pair::{AskError, AskOptions, Pair, PairError, Piece};
pub use states::States;
