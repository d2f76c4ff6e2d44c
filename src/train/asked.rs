//! What a target is asked to write behind a question and vectors, and what each token of it weighs in the loss.

/// A continuation to be learnt: the target reads a question, the first of its vectors and a prompt, and is to write it.
pub struct Asked {
    /// Number of the question in its batch.
    pub question: usize,
    pub vectors: usize,
    pub prompt: Vec<u32>,
    pub continuation: Vec<u32>,
}

/// The tokens of all continuations.
pub fn labels_of(asked: &[Asked]) -> Vec<u32> {
    asked
        .iter()
        .flat_map(|ask| ask.continuation.iter().copied())
        .collect()
}

/// The mean over so many continuations of the mean over their tokens, times `share`.
pub fn weights_of(asked: &[Asked], count: usize, share: f32) -> Vec<f32> {
    let of_one = |ask: &Asked| {
        let length = ask.continuation.len();
        std::iter::repeat_n(share / (count * length) as f32, length)
    };
    asked.iter().flat_map(of_one).collect()
}
