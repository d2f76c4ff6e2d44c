//! Sentences of the arithmetic stories.
//!
//! Marks in a sentence (filled in by `super::template`):
//! `{S}` `{s}` the person who has the things, as a subject at the start or inside a sentence (name or pronoun);
//! `{o}` the same as an object, `{p}` their possessive pronoun, `{h}` the possessive pronoun or name;
//! `{Name}` `{Name's}` always the name (first person: I, my); `{Other}` the second person's name;
//! `{n}` the number, `{x}` the things counted by it, `{xs}` the things in plural, `{another}` "another 3" or "1 more".
//! `[buys|buy|bought]` a verb whose subject is `{S}`: singular, plural, past (a fourth form is the past plural);
//! `(gives|gave)` a verb of another, singular subject: present, past;
//! `<is|are|was|were>` a verb whose subject is counted by `{n}`;
//! `{do}` and `{have}` the present of do and have that goes with the person.

use super::objects::Kind::{self, Baked, Food, Fragile, Fruit};

/// A sentence in which things come or go, and the kinds of things it suits.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The sentence with its marks.
    pub text: &'static str,
    /// The kinds of things that it can be said of; none means all.
    pub kinds: &'static [Kind],
}

const fn all(text: &'static str) -> Event {
    Event { text, kinds: &[] }
}

const fn only(kinds: &'static [Kind], text: &'static str) -> Event {
    Event { text, kinds }
}

/// Sentences that open a story: someone has `{n}` things.
pub const OPENINGS: [&str; 12] = [
    "{Name} [has|have|had] {n} {x}.",
    "{Name} [has|have|had] {n} {x} to begin with.",
    "{Name} [starts|start|started] with {n} {x}.",
    "{Name} [owns|own|owned] {n} {x}.",
    "At first, {Name} [has|have|had] {n} {x}.",
    "In the morning, {Name} [has|have|had] {n} {x}.",
    "{Name} [begins|begin|began] the day with {n} {x}.",
    "There <is|are|was|were> {n} {x} on {Name's} table.",
    "On Monday, {Name} [has|have|had] {n} {x}.",
    "{Name} [keeps|keep|kept] {n} {x} at home.",
    "{Name} [gets|get|got] {n} {x} from {p} mother.",
    "{Name} [brings|bring|brought] {n} {x} to school.",
];

/// How a story in one sentence opens. Verbs of the person follow, then one of [`CONDITION_QUESTIONS`].
pub const CONDITION_OPENING: &str = "If {Name} [has|have|had] {n} {x}";

/// How a story in one sentence ends.
pub const CONDITION_QUESTIONS: [(Asked, &str); 5] = [
    (Asked::Always, "how many {xs} {do} {s} have?"),
    (Asked::Always, "how many {xs} {do} {s} have now?"),
    (Asked::Always, "how many {xs} {do} {s} have in the end?"),
    (Asked::AfterLoss, "how many {xs} {do} {s} have left?"),
    (Asked::AfterGain, "how many {xs} {do} {s} have in total?"),
];

/// Sentences in which `{n}` things come.
pub const GAINS: [Event; 26] = [
    all("{S} [buys|buy|bought] {n} more {x}."),
    all("{S} [buys|buy|bought] {n} more."),
    all("{S} [finds|find|found] {another} {x}."),
    all("{S} [finds|find|found] {n} more {x}."),
    all("{S} [gets|get|got] {n} more."),
    all("{S} [gets|get|got] {n} {x} from {Other}."),
    all("{S} [picks|pick|picked] up {n} more {x}."),
    all("{S} [receives|receive|received] {n} {x} as a gift."),
    all("{S} [wins|win|won] {n} {x} at a fair."),
    all("{S} [borrows|borrow|borrowed] {n} {x} from {Other}."),
    all("{S} [brings|bring|brought] home {n} more {x}."),
    all("{S} [collects|collect|collected] {n} more {x}."),
    all("{S} [is|are|was|were] given {n} {x} by {Other}."),
    all("{S} [takes|take|took] {n} more {x} from the shelf."),
    all("{S} [orders|order|ordered] {n} more {x}."),
    all("{Other} (gives|gave) {o} {n} more {x}."),
    all("{Other} (gives|gave) {o} {n} {x}."),
    all("{Other} (gives|gave) {o} {another}."),
    all("{Other} (brings|brought) {o} {n} {x}."),
    all("{Other} (sends|sent) {o} {n} {x}."),
    all("{Other} (hands|handed) {o} {n} more."),
    all("A friend (gives|gave) {o} {n} {x}."),
    all("A neighbor (brings|brought) {o} {n} more {x}."),
    only(&[Baked], "{S} [bakes|bake|baked] {n} more {x}."),
    only(
        &[Fruit],
        "{S} [picks|pick|picked] {n} more {x} in the garden.",
    ),
    only(
        &[Food, Fruit, Baked],
        "{S} [gets|get|got] {n} more {x} at the market.",
    ),
];

/// Sentences in which `{n}` things go.
pub const LOSSES: [Event; 31] = [
    all("{S} [gives|give|gave] {n} {x} to {Other}."),
    all("{S} [gives|give|gave] {n} of them to {Other}."),
    all("{S} [gives|give|gave] {Other} {n} {x}."),
    all("{S} [gives|give|gave] {n} to {Other}."),
    all("{S} [gives|give|gave] away {n} {x}."),
    all("{S} [gives|give|gave] away {n}."),
    all("{S} [gives|give|gave] away {n} of them."),
    all("{S} [loses|lose|lost] {n} of them."),
    all("{S} [loses|lose|lost] {n} {x}."),
    all("{S} [sells|sell|sold] {n}."),
    all("{S} [sells|sell|sold] {n} {x}."),
    all("{S} [sells|sell|sold] {n} of {p} {xs}."),
    all("{S} [sells|sell|sold] {Other} {n} {x}."),
    all("{S} [lends|lend|lent] {n} {x} to {Other}."),
    all("{S} [sends|send|sent] {n} {x} to {Other}."),
    all("{S} [hands|hand|handed] {n} {x} to {Other}."),
    all("{S} [throws|throw|threw] away {n} {x}."),
    all("{S} [throws|throw|threw] away {n} of them."),
    all("{S} [donates|donate|donated] {n} {x} to the school."),
    all("{S} [leaves|leave|left] {n} {x} with {Other}."),
    all("{Other} (takes|took) {n} of {h} {xs}."),
    all("{Other} (takes|took) {n}."),
    all("{Other} (borrows|borrowed) {n} {x} from {o}."),
    all("{Other} (buys|bought) {n} {x} from {o}."),
    all("A thief (steals|stole) {n} of {h} {xs}."),
    all("Sadly, {n} of {h} {xs} <goes|go|went|went> missing."),
    only(&[Food, Fruit, Baked], "{S} [eats|eat|ate] {n} of them."),
    only(&[Food, Fruit, Baked], "{S} [eats|eat|ate] {n} {x}."),
    only(&[Food, Fruit, Baked], "{S} [eats|eat|ate] {n}."),
    only(&[Food, Fruit, Baked], "{Other} (eats|ate) {n} of {h} {xs}."),
    only(
        &[Fragile],
        "{S} [breaks|break|broke] {n} of them by accident.",
    ),
];

/// What may stand before a sentence that is not the first. The sentence then goes on inside.
pub const CONNECTORS: [&str; 7] = [
    "Then",
    "After that,",
    "Later,",
    "Next,",
    "The next day,",
    "A little later,",
    "In the afternoon,",
];

/// When a question can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// After any story.
    Always,
    /// When things went last.
    AfterLoss,
    /// When things came last.
    AfterGain,
    /// When the story is told in the past.
    InPast,
}

/// Questions that close a story.
pub const QUESTIONS: [(Asked, &str); 12] = [
    (Asked::Always, "How many {xs} {do} {s} have now?"),
    (Asked::Always, "How many {xs} {do} {s} have in the end?"),
    (Asked::Always, "How many {xs} {do} {s} end up with?"),
    (Asked::Always, "How many {xs} {do} {s} have at the end?"),
    (
        Asked::Always,
        "What is the number of {xs} that {s} {have} now?",
    ),
    (Asked::Always, "So how many {xs} {do} {s} have now?"),
    (Asked::Always, "Now how many {xs} {do} {s} have?"),
    (
        Asked::Always,
        "Can you tell me how many {xs} {s} {have} now?",
    ),
    (Asked::AfterLoss, "How many {xs} {do} {s} have left?"),
    (Asked::AfterLoss, "How many {xs} are left?"),
    (Asked::AfterGain, "How many {xs} {do} {s} have in total?"),
    (Asked::InPast, "How many {xs} did {s} have in the end?"),
];
