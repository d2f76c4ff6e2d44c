//! Sentences of the coin stories.
//!
//! Marks: `{Name}` the person, `{side}` the side that is up at the start, `{asked}` the side that is asked for.

/// One way to tell a coin story: how it opens, what people do or leave, what is said at the end.
#[derive(Clone, Copy, Debug)]
pub struct Telling {
    /// Sentences that say which side is up.
    pub openings: &'static [&'static str],
    /// Sentences of a person who turns the coin.
    pub flips: &'static [&'static str],
    /// Sentences of a person who does not.
    pub leaves: &'static [&'static str],
}

/// The wording of the public coin_flip sets.
pub const PUBLIC: Telling = Telling {
    openings: &["A coin is {side} up."],
    flips: &["{Name} flips the coin."],
    leaves: &["{Name} does not flip the coin."],
};

/// What some public problems say at the end.
pub const PUBLIC_NOTE: &str = "Note that \"flip\" here means \"reverse\".";

/// The other ways.
pub const TELLINGS: [Telling; 10] = [
    Telling {
        openings: &[
            "A coin is {side} up.",
            "A coin lies on the table, {side} up.",
            "There is a coin with {side} up.",
        ],
        flips: &["{Name} flips it.", "{Name} flips the coin."],
        leaves: &[
            "{Name} doesn't flip it.",
            "{Name} does not flip it.",
            "{Name} doesn't flip the coin.",
        ],
    },
    Telling {
        openings: &[
            "A coin is {side} up.",
            "A coin lies {side} up.",
            "We put a coin on the table, {side} up.",
        ],
        flips: &["{Name} turns the coin over.", "{Name} turns it over."],
        leaves: &[
            "{Name} leaves the coin alone.",
            "{Name} leaves it alone.",
            "{Name} leaves it as it is.",
        ],
    },
    Telling {
        openings: &[
            "A coin was {side} up.",
            "At first, a coin was {side} up.",
            "A coin lay on the table, {side} up.",
        ],
        flips: &["{Name} flipped the coin.", "{Name} flipped it."],
        leaves: &[
            "{Name} did not flip the coin.",
            "{Name} didn't flip it.",
            "{Name} did not flip it.",
        ],
    },
    Telling {
        openings: &[
            "A coin starts {side} up.",
            "The coin starts with {side} up.",
            "At the start, a coin shows {side}.",
        ],
        flips: &[
            "Then {Name} flips it.",
            "Then {Name} flips the coin.",
            "{Name} flips the coin over.",
        ],
        leaves: &[
            "Then {Name} does not flip it.",
            "Then {Name} leaves it alone.",
            "{Name} does nothing.",
        ],
    },
    Telling {
        openings: &[
            "A coin shows {side}.",
            "I have a coin that shows {side}.",
            "A coin on the table shows {side}.",
        ],
        flips: &["{Name} turns it over.", "{Name} reverses the coin."],
        leaves: &[
            "{Name} does not touch it.",
            "{Name} does not turn it over.",
            "{Name} only looks at it.",
        ],
    },
    Telling {
        openings: &[
            "Some friends pass a coin around. It starts {side} up.",
            "A coin goes around, {side} up at first.",
        ],
        flips: &[
            "{Name} flips it and passes it on.",
            "{Name} gets it and flips it.",
        ],
        leaves: &[
            "{Name} passes it on without flipping it.",
            "{Name} gets it and does not flip it.",
        ],
    },
    Telling {
        openings: &[
            "A coin was {side} up.",
            "A coin began {side} up.",
            "A coin lay {side} up.",
        ],
        flips: &["{Name} turned the coin over.", "{Name} turned it over."],
        leaves: &[
            "{Name} left the coin alone.",
            "{Name} left it as it was.",
            "{Name} did not touch it.",
        ],
    },
    Telling {
        openings: &[
            "A coin starts {side} up.",
            "The coin is {side} up.",
            "A coin is {side} up.",
        ],
        flips: &["{Name} flips.", "{Name} flips it."],
        leaves: &["{Name} does not flip.", "{Name} doesn't flip."],
    },
    Telling {
        openings: &["Coin: {side} up.", "The coin starts {side} up."],
        flips: &["{Name}: flips."],
        leaves: &["{Name}: does not flip."],
    },
    Telling {
        openings: &[
            "I put a coin on the table, {side} up.",
            "My coin is {side} up.",
        ],
        flips: &["{Name} flips my coin.", "{Name} turns my coin over."],
        leaves: &[
            "{Name} does not flip my coin.",
            "{Name} leaves my coin alone.",
        ],
    },
];

/// Questions about the side that was up at the start.
pub const SAME_SIDE_QUESTIONS: [&str; 3] = [
    "Is the coin still {asked} up?",
    "Is it still {asked} up?",
    "Does the coin still show {asked}?",
];

/// Questions about either side.
pub const EITHER_SIDE_QUESTIONS: [&str; 5] = [
    "Is the coin {asked} up now?",
    "Is it {asked} up at the end?",
    "Does the coin show {asked} now?",
    "In the end, is the coin {asked} up?",
    "Is {asked} showing now?",
];

/// How a syllable of an invented name can begin.
#[rustfmt::skip]
pub const ONSETS: [&str; 30] = [
    "", "b", "br", "c", "ch", "d", "dr", "f", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p", "qu", "r", "s", "sh",
    "t", "th", "tr", "v", "w", "x", "y", "z",
];

/// The middle of a syllable of an invented name.
pub const VOWELS: [&str; 12] = [
    "a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ee", "ia",
];

/// How a syllable of an invented name can end: mostly with its vowel.
#[rustfmt::skip]
pub const CODAS: [&str; 20] = [
    "", "", "", "", "", "", "", "", "", "", "", "l", "m", "n", "r", "s", "t", "nd", "h", "ck",
];
