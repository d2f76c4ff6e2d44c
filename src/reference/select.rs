//! Twin of `shaders/select.wgsl`.

use crate::model::RunState;

/// Greedy choice of the next token, and the step to the next position: the token with the largest
/// logit (of equal ones the lowest id) is written to `tokens` behind the rows of this pass, and the
/// run ends at the end token or the last one allowed.
///
/// `logits` `[vocab_size]`, `tokens` `[context + 1]`.
pub fn select(run: &mut RunState, logits: &[f32], tokens: &mut [u32]) {
    if run.done != 0 {
        return;
    }
    append(run, largest(logits), tokens);
}

/// The id of the largest logit; of equal ones the lowest.
pub(super) fn largest(logits: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (token, &logit) in logits.iter().enumerate() {
        if logit > best.1 {
            best = (token as u32, logit);
        }
    }
    best.0
}

/// Writes a token behind the rows of this pass, and goes to its position.
pub(super) fn append(run: &mut RunState, token: u32, tokens: &mut [u32]) {
    run.position += run.rows;
    run.rows = 1;
    run.written += 1;
    tokens[run.position as usize] = token;
    if token == run.end_token || run.written >= run.max_tokens {
        run.done = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_logits_the_lowest_id_is_chosen() {
        let mut run = RunState {
            rows: 2,
            max_tokens: 9,
            end_token: 7,
            ..RunState::default()
        };
        let mut tokens = [5, 6, 0, 0];
        select(&mut run, &[-1.0, 3.0, 3.0, 2.0], &mut tokens);
        assert_eq!(tokens, [5, 6, 1, 0]);
        assert_eq!(
            (run.position, run.rows, run.written, run.done),
            (2, 1, 1, 0)
        );
    }

    #[test]
    fn a_run_ends_at_the_end_token_and_at_the_last_token_allowed() {
        for (end_token, max_tokens) in [(1, 9), (7, 1)] {
            let mut run = RunState {
                rows: 1,
                max_tokens,
                end_token,
                ..RunState::default()
            };
            let mut tokens = [0; 3];
            select(&mut run, &[0.0, 1.0], &mut tokens);
            assert_eq!(run.done, 1);
            select(&mut run, &[1.0, 0.0], &mut tokens);
            assert_eq!((tokens, run.written), ([0, 1, 0], 1));
        }
    }
}
