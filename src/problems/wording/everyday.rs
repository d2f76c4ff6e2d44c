//! Sentences of the everyday problems. The marks are those of [`super::stories`], and besides:
//! `{k}` the second number, `{xk}` the things counted by it;
//! `{box}` a container counted by `{n}`, `{abox}` one of them, `{boxes}` many;
//! `{z}` other things, counted by `{n}`;
//! `{times}` "twice" or "three times", `{part}` "half" or "a third", `{doubles}` "doubles" or "tripled", all by the second number.

/// `{n}` containers of `{k}` things each.
pub const GROUPS: [&str; 7] = [
    "{Name} [has|have|had] {n} {box} with {k} {xs} in each.",
    "{Name} [buys|buy|bought] {n} {box} of {k} {xs} each.",
    "There <is|are|was|were> {n} {box} on {Name's} shelf. Each {abox} (holds|held) {k} {xs}.",
    "{Name} [puts|put|put] {k} {xs} into each of {n} {box}.",
    "{Name} [is|are|was|were] given {n} {box}, each with {k} {xs}.",
    "Each {abox} (holds|held) {k} {xs}, and {Name} [has|have|had] {n} of these {boxes}.",
    "All of {Name's} {xs} (are|were) in {n} {box}, {k} in each.",
];

/// `{k}` things each time, `{n}` times.
pub const RATES: [&str; 6] = [
    "{Name} [makes|make|made] {k} {xs} an hour and [works|work|worked] for {n} hours.",
    "{Name} [collects|collect|collected] {k} {xs} a day for {n} days.",
    "Every week, {Name} [gets|get|got] {k} {xs}. This (goes|went) on for {n} weeks.",
    "For {n} days, {Name} [finds|find|found] {k} {xs} each day.",
    "{Name} [wins|win|won] {k} {xs} in each of {n} games.",
    "{Name} [is|are|was|were] sent {k} {xs} each month for {n} months.",
];

/// `{n}` things and `{k}` of the same.
pub const SUMS: [&str; 7] = [
    "{Name} [has|have|had] {n} red {x} and {k} blue ones.",
    "{Name} [finds|find|found] {n} {x} on Monday and {k} on Tuesday.",
    "{Name} [gets|get|got] {n} {x} from {p} mother and {k} from {p} father.",
    "{Name} [buys|buy|bought] {n} {x} in one shop and {k} in another.",
    "{Name} [is|are|was|were] given {n} {x} by {Other} and {k} by a neighbor.",
    "{Name} [keeps|keep|kept] {n} {x} at home and {k} at school.",
    "{Name} [has|have|had] {n} old {x} and {k} new ones.",
];

/// `{k}` more than another's `{n}`.
pub const MORE: [&str; 4] = [
    "{Other} (has|had) {n} {x}. {Name} [has|have|had] {k} more than {Other}.",
    "{Name} [has|have|had] {k} more {xk} than {Other}, who (has|had) {n}.",
    "{Other} (owns|owned) {n} {x}, and {Name} [owns|own|owned] {k} more than that.",
    "{Other} (finds|found) {n} {x}. {Name} [finds|find|found] {k} more than {Other}.",
];

/// `{k}` fewer than another's `{n}`.
pub const FEWER: [&str; 4] = [
    "{Other} (has|had) {n} {x}. {Name} [has|have|had] {k} fewer than {Other}.",
    "{Name} [has|have|had] {k} fewer {xk} than {Other}, who (has|had) {n}.",
    "{Other} (collects|collected) {n} {x}, and {Name} [collects|collect|collected] {k} fewer than that.",
    "{Other} (owns|owned) {n} {x}. {Name} [owns|own|owned] {k} fewer than {Other}.",
];

/// `{k}` times another's `{n}`.
pub const TIMES: [&str; 4] = [
    "{Other} (has|had) {n} {x}. {Name} [has|have|had] {times} as many.",
    "{Name} [has|have|had] {times} as many {xs} as {Other}, who (has|had) {n}.",
    "{Other} (finds|found) {n} {x}, and {Name} [finds|find|found] {times} as many.",
    "{Other} (buys|bought) {n} {x}. {Name} [buys|buy|bought] {times} as many as {Other}.",
];

/// `{n}` groups of `{k}` come.
pub const GROUPS_COME: [&str; 5] = [
    "{S} [buys|buy|bought] {n} {box} with {k} {xs} in each.",
    "{Other} (gives|gave) {o} {n} {box} of {k} {xs} each.",
    "{S} [gets|get|got] {k} {xs} from each of {n} friends.",
    "{S} [receives|receive|received] {n} {box}, each with {k} {xs}.",
    "{S} [is|are|was|were] brought {k} {xs} by each of {n} neighbors.",
];

/// `{n}` groups of `{k}` go.
pub const GROUPS_GO: [&str; 4] = [
    "{S} [gives|give|gave] {k} {xs} to each of {n} friends.",
    "{S} [hands|hand|handed] out {k} {xs} to each of {n} children.",
    "{S} [fills|fill|filled] {n} {box} with {k} {xs} each and [sells|sell|sold] these {boxes}.",
    "{S} [sells|sell|sold] {n} {box} of {k} {xs} each.",
];

/// One of `{k}` equal parts goes.
pub const PARTS_GO: [&str; 6] = [
    "{S} [gives|give|gave] {part} of {p} {xs} to {Other}.",
    "{S} [sells|sell|sold] {part} of {p} {xs}.",
    "{S} [loses|lose|lost] {part} of {p} {xs}.",
    "{Other} (takes|took) {part} of {h} {xs}.",
    "A thief (steals|stole) {part} of {h} {xs}.",
    "Sadly, {part} of {h} {xs} (are|were) lost.",
];

/// The number becomes `{k}` times as large.
pub const MULTIPLIES: [&str; 2] = [
    "The number of {h} {xs} {doubles}.",
    "{S} [goes|go|went] on collecting until {s} [has|have|had] {times} as many.",
];

/// What has nothing to do with the question.
pub const IRRELEVANT: [&str; 5] = [
    "{S} also [has|have|had] {n} {z}.",
    "{Other} (has|had) {n} {z}.",
    "{S} [walks|walk|walked] for {n} minutes.",
    "The shop (is|was) {n} minutes away.",
    "{Other} (is|was) {n} years old.",
];

/// Equal shares, `{n}` of them.
pub const SHARES: [&str; 4] = [
    "{S} [shares|share|shared] all {p} {xs} equally among {n} friends. How many {xs} does each friend get?",
    "{S} [puts|put|put] all {p} {xs} into {n} {box}, the same number in each. How many {xs} are in each {abox}?",
    "If all of {h} {xs} are packed into {n} {box} equally, how many {xs} go into each {abox}?",
    "All of {h} {xs} (are|were) divided equally among {n} children. How many {xs} does each child get?",
];

/// Groups of `{n}`.
pub const PACKS: [&str; 3] = [
    "{S} [packs|pack|packed] all {p} {xs} into {boxes} of {n} each. How many {boxes} {do} {s} need?",
    "If {n} {xs} fit into one {abox}, how many {boxes} are needed for all of {h} {xs}?",
    "{S} [puts|put|put] {n} {xs} into each {abox} until none (is|was) left. How many {boxes} {do} {s} fill?",
];

/// Another has `{n}`, which are fewer.
pub const COMPARED_WITH_FEWER: [&str; 3] = [
    "{Other} (has|had) {n} {x}. How many more {xs} {do} {Name} have than {Other}?",
    "{Other} (owns|owned) {n} {x}. How many fewer {xs} does {Other} have than {Name}?",
    "{Other} (has|had) {n} {x}. What is the difference between the two numbers of {xs}?",
];

/// Another has `{n}`, which are more.
pub const COMPARED_WITH_MORE: [&str; 3] = [
    "{Other} (has|had) {n} {x}. How many more {xs} does {Other} have than {Name}?",
    "{Other} (owns|owned) {n} {x}. How many fewer {xs} {do} {Name} have than {Other}?",
    "{Other} (has|had) {n} {x}. What is the difference between the two numbers?",
];

/// Another has `{n}` as well.
pub const TOGETHER: [&str; 3] = [
    "{Other} (has|had) {n} {x}. How many {xs} are there together?",
    "{Other} (brings|brought) {n} {x} as well. How many {xs} are there in all?",
    "{Other} (owns|owned) {n} {x}. What is the number of {xs} that both have together?",
];

/// `{n}` are wanted.
pub const GOALS: [&str; 3] = [
    "{S} [wants|want|wanted] to have {n} {x}. How many more {do} {s} need?",
    "{S} [needs|need|needed] {n} {x} for a party. How many {xs} are still missing?",
    "How many more {xs} {do} {s} need to have {n}?",
];

/// Each brings `{n}`.
pub const PRICES: [&str; 3] = [
    "{S} [sells|sell|sold] all {p} {xs} for {n} dollars each. How many dollars {do} {s} get?",
    "Each of {h} {xs} (costs|cost) {n} dollars. How many dollars are they worth together?",
    "A friend (buys|bought) all of {h} {xs} and (pays|paid) {n} dollars for each. How many dollars is that?",
];

/// All of them.
pub const ALL: [&[&str]; 18] = [
    &GROUPS,
    &RATES,
    &SUMS,
    &MORE,
    &FEWER,
    &TIMES,
    &GROUPS_COME,
    &GROUPS_GO,
    &PARTS_GO,
    &MULTIPLIES,
    &IRRELEVANT,
    &SHARES,
    &PACKS,
    &COMPARED_WITH_FEWER,
    &COMPARED_WITH_MORE,
    &TOGETHER,
    &GOALS,
    &PRICES,
];

/// Containers, in one and in many; none is among the things.
pub const CONTAINERS: [(&str, &str); 8] = [
    ("pack", "packs"),
    ("crate", "crates"),
    ("tray", "trays"),
    ("drawer", "drawers"),
    ("carton", "cartons"),
    ("tin", "tins"),
    ("bucket", "buckets"),
    ("case", "cases"),
];
