//! Problems as people write them: groups, rates, parts, comparisons and shares besides additions and subtractions,
//! numbers as digits or as words, and facts that have nothing to do with the question.
//!
//! The numbers are drawn first ([`plan`]), then told ([`telling`]). Reasoning speaks of numbers only, as that of the
//! other arithmetic family.

mod plan;
mod telling;
#[cfg(test)]
mod tests;

use super::random::Random;
use super::{Family, Problem, Settings};
use plan::{Ending, Event, Opening, Plan};

/// Draws one problem, of any split.
pub(super) fn draw(random: &mut Random, settings: &Settings) -> Problem {
    let plan = Plan::draw(random, settings);
    let operations = plan.operations();
    let condensed: Vec<String> = operations.iter().map(ToString::to_string).collect();
    Problem {
        query: telling::tell(random, &plan),
        reasoning: reasoning(&plan),
        condensed_reasoning: condensed.join("; "),
        answer: plan.answer().to_string(),
        family: Family::Everyday,
        steps: operations.len() as u32,
    }
}

/// A sentence for the opening, then for each event and for what is asked.
fn reasoning(plan: &Plan) -> String {
    let operations = plan.operations();
    let mut operations = operations.iter();
    let mut next = || operations.next().expect("there is one for each sentence");
    let mut text = match plan.opening {
        Opening::Told(value) => format!("We start with {value}."),
        Opening::Groups(groups, each) => {
            format!("{groups} groups of {each} make {}.", next())
        }
        Opening::Rate(times, each) => format!("{each} each time, {times} times, makes {}.", next()),
        Opening::Sum(..) => format!("Both parts make {}.", next()),
        Opening::More(_, more) => format!("{more} more makes {}.", next()),
        Opening::Fewer(_, fewer) => format!("{fewer} fewer leaves {}.", next()),
        Opening::Times(_, times) => format!("{times} times as many makes {}.", next()),
    };
    for (_, event) in &plan.events {
        text += &match *event {
            Event::Gain(1) => format!(" Then 1 more comes, so that makes {}.", next()),
            Event::Gain(number) => {
                format!(" Then {number} more come, so that makes {}.", next())
            }
            Event::Loss(1) => format!(" Then 1 goes away, so that leaves {}.", next()),
            Event::Loss(number) => format!(" Then {number} go away, so that leaves {}.", next()),
            Event::GroupsCome(groups, each) => {
                let all = next();
                let come = all.result;
                format!(
                    " {groups} groups of {each} make {all}. Then {come} more come, so that makes {}.",
                    next()
                )
            }
            Event::GroupsGo(groups, each) => {
                let all = next();
                let go = all.result;
                format!(
                    " {groups} groups of {each} make {all}. Then {go} go away, so that leaves {}.",
                    next()
                )
            }
            Event::PartGoes(parts) => {
                let part = next();
                let go = part.result;
                let goes = if go == 1 { "goes" } else { "go" };
                format!(
                    " One of {parts} parts is {part}. Then {go} {goes} away, so that leaves {}.",
                    next()
                )
            }
            Event::Multiplies(times) => format!(" {times} times as many makes {}.", next()),
        };
    }
    match plan.ending {
        Ending::Number => {}
        Ending::Share(parts) => text += &format!(" In {parts} equal parts that is {}.", next()),
        Ending::Pack(each) => text += &format!(" In groups of {each} that is {}.", next()),
        Ending::Compare(_) => text += &format!(" The difference is {}.", next()),
        Ending::Together(other) => text += &format!(" Together with {other} that is {}.", next()),
        Ending::Goal(wanted) => text += &format!(" To {wanted} there are missing {}.", next()),
        Ending::Price(price) => text += &format!(" At {price} each that is {}.", next()),
    }
    text
}
