//! The results of a problem's steps, as its condensed reasoning gives them.

use crate::problems::{Family, Problem};

/// What a probe reads: a number, or how a coin lies.
pub type Readable = String;

/// The result of each step, the last of which decides the answer.
///
/// ```
/// use semcot::evaluation::probe::results_of;
/// use semcot::problems::{Family, Settings, Split, generate};
///
/// let mut problems = generate(Family::Arithmetic, Split::Heldout, 1, &Settings::default())?;
/// let problem = problems.next().expect("there is always another");
/// let results = results_of(&problem);
/// assert_eq!(results.len(), problem.steps as usize);
/// assert_eq!(results.last(), Some(&problem.answer));
/// # Ok::<(), semcot::problems::SettingsError>(())
/// ```
pub fn results_of(problem: &Problem) -> Vec<Readable> {
    let steps = problem.condensed_reasoning.split(';');
    let (skipped, mark) = match problem.family {
        // How the coin lies at the start, then "flip: tails".
        Family::Coin => (1, ':'),
        Family::Arithmetic | Family::Everyday => (0, '='),
    };
    let results = steps
        .skip(skipped)
        .filter_map(|step| step.rsplit_once(mark));
    results
        .map(|(_, result)| result.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::{Settings, Split, generate};

    #[test]
    fn every_step_of_every_family_has_a_result() {
        for family in Family::ALL {
            let problems = generate(family, Split::Train, 1, &Settings::default());
            for problem in problems.expect("sound settings").take(200) {
                let results = results_of(&problem);
                assert_eq!(results.len(), problem.steps as usize, "{problem:?}");
                let last = results.last().expect("a step");
                let expected: &[&str] = match family {
                    // Questions ask for heads or for tails.
                    Family::Coin => &["heads", "tails"],
                    _ => &[&problem.answer],
                };
                assert!(expected.contains(&last.as_str()), "{problem:?}");
            }
        }
    }
}
