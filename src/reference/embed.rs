//! Twin of `shaders/embed.wgsl`.

use crate::model::RunState;
use crate::model::step::EMBEDDING_GIVEN;

/// `out[row] = table[tokens[position + row]]`. The i-th row of the pass whose token is
/// [`EMBEDDING_GIVEN`] is row i of `given`.
///
/// `table` `[vocab_size, width]`, `tokens` `[context]`, `given` `[any, width]`, `out`
/// `[rows, width]`.
pub fn embed(
    run: &RunState,
    table: &[f32],
    tokens: &[u32],
    given: &[f32],
    width: usize,
    out: &mut [f32],
) {
    let first = run.position as usize;
    let tokens = &tokens[first..first + run.rows as usize];
    let mut given_rows = given.chunks_exact(width);
    for (&token, out) in tokens.iter().zip(out.chunks_exact_mut(width)) {
        let row = match token {
            EMBEDDING_GIVEN => given_rows.next().expect("callers count given rows"),
            token => &table[token as usize * width..][..width],
        };
        out.copy_from_slice(row);
    }
}
