//! Additions and subtractions told as a story about one person's things.
//!
//! The values are drawn first: every intermediate value is equally likely, so that no answer is much more frequent
//! than another and a constant answer scores about 1 in `max_value + 1`. The wording is then drawn to suit them.
//! Reasoning speaks of numbers only, never of names or things, so that words a model has not learned need no copying.

use super::random::Random;
use super::story::Story;
use super::{Family, Problem, Settings};

/// Draws one problem, of any split.
pub(super) fn draw(random: &mut Random, settings: &Settings) -> Problem {
    let steps = random.between(settings.min_steps, settings.max_steps);
    let values = draw_values(random, steps, settings.max_value);
    Problem {
        query: Story::draw(random).tell(random, &values),
        reasoning: reasoning(&values),
        condensed_reasoning: condensed(&values),
        answer: values[values.len() - 1].to_string(),
        family: Family::Arithmetic,
        steps,
    }
}

/// The number of things at the start and after each step. The first is at least 1, and each differs from the last.
fn draw_values(random: &mut Random, steps: u32, max_value: u32) -> Vec<u32> {
    let mut values = vec![random.between(1, max_value)];
    for _ in 0..steps {
        let last = values[values.len() - 1];
        // One of the other values: draw among `max_value` of them and step over the last.
        let draw = random.below(max_value);
        values.push(if draw >= last { draw + 1 } else { draw });
    }
    values
}

fn reasoning(values: &[u32]) -> String {
    let mut text = format!("We start with {}.", values[0]);
    for step in values.windows(2) {
        let (before, after) = (step[0], step[1]);
        let number = before.abs_diff(after);
        text += &match (after > before, number) {
            (true, 1) => format!(" Then 1 more comes, so that makes {before} + 1 = {after}."),
            (true, _) => {
                format!(" Then {number} more come, so that makes {before} + {number} = {after}.")
            }
            (false, 1) => format!(" Then 1 goes away, so that leaves {before} - 1 = {after}."),
            (false, _) => {
                format!(" Then {number} go away, so that leaves {before} - {number} = {after}.")
            }
        };
    }
    text
}

fn condensed(values: &[u32]) -> String {
    let steps = values.windows(2).map(|step| {
        let sign = if step[1] > step[0] { '+' } else { '-' };
        format!(
            "{} {sign} {} = {}",
            step[0],
            step[0].abs_diff(step[1]),
            step[1]
        )
    });
    steps.collect::<Vec<_>>().join("; ")
}
