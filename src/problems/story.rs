//! Telling a sequence of values as a story about one person's things. Chooses words, never values.

use super::random::Random;
use super::wording::names::{NAME_COUNT, Person, Pronouns, person};
use super::wording::objects::{OBJECTS, Object};
use super::wording::stories::{
    Asked, CONDITION_OPENING, CONDITION_QUESTIONS, CONNECTORS, Event, GAINS, LOSSES, OPENINGS,
    QUESTIONS,
};
use super::wording::template::{Detail, Mention, Scene, Tense};

/// Who has what, and in which tense it is told.
pub struct Story {
    pub(super) person: Person,
    pub(super) object: Object,
    tense: Tense,
}

/// Where a story stands, as far as the next sentence depends on it.
struct Told {
    /// The text so far.
    text: String,
    /// Another person of the same pronouns was named in the last sentence, so a pronoun could mean either.
    ambiguous: bool,
    /// The last sentence began with a connector.
    connected: bool,
    /// The last sentence had the story's person as its subject, so another verb can follow it.
    open: Option<Mention>,
    /// The verb of the last sentence but the opening, as its table writes it.
    verb: &'static str,
}

impl Story {
    /// Draws the person, the things and the tense.
    pub fn draw(random: &mut Random) -> Self {
        // One story in ten is told by the person who asks.
        let person = if random.chance(1, 10) {
            Person {
                name: "I",
                pronouns: Pronouns::I,
            }
        } else {
            person(random.below(NAME_COUNT as u32) as usize)
        };
        let object = random.pick(&OBJECTS);
        let tense = if random.chance(1, 2) {
            Tense::Present
        } else {
            Tense::Past
        };
        Self {
            person,
            object,
            tense,
        }
    }

    /// The question for these values: how many there are at first, then after each step. Two at least.
    pub fn tell(&self, random: &mut Random, values: &[u32]) -> String {
        if values.len() <= 4 && random.chance(1, 10) {
            self.tell_as_condition(random, values)
        } else {
            self.tell_in_sentences(random, values)
        }
    }

    fn tell_in_sentences(&self, random: &mut Random, values: &[u32]) -> String {
        let mut told = self.open(random, values[0]);
        for (index, step) in values.windows(2).enumerate() {
            let scene = self.draw_scene(random, step);
            let first = index == 0;
            // "Of them" is clear only while no others have been spoken of, and nobody says one verb twice running.
            let suits =
                |text: &str| (first || !text.contains("of them")) && verb(text) != told.verb;
            let event = self.draw_event(random, step, suits);
            self.continue_with(random, scene, event, first, &mut told);
            told.verb = verb(event);
        }

        let mut scene = self.scene(0);
        scene.mention = draw_mention(random, 3, 4, told.ambiguous);
        told.text.push(' ');
        let gained = values[values.len() - 1] > values[values.len() - 2];
        scene.fill(self.draw_question(random, gained), &mut told.text);
        told.text
    }

    /// "If Tom has 5 apples, buys 3 more and gives 4 to Anna, how many apples does he have left?"
    fn tell_as_condition(&self, random: &mut Random, values: &[u32]) -> String {
        let story = Self {
            tense: Tense::Present,
            ..*self
        };
        let mut text = String::new();
        story.scene(values[0]).fill(CONDITION_OPENING, &mut text);
        let last = values.len() - 2;
        let mut told_verb = "";
        for (index, step) in values.windows(2).enumerate() {
            let mut scene = story.draw_scene(random, step);
            // A verb that follows a name goes with the name.
            scene.mention = Mention::Name;
            let suits = |text: &str| {
                takes_story_person(text) && !text.contains("of them") && verb(text) != told_verb
            };
            let event = story.draw_event(random, step, suits);
            told_verb = verb(event);
            text.push_str(if index == last { " and" } else { "," });
            scene.fill(event["{S}".len()..].trim_end_matches('.'), &mut text);
        }
        text.push_str(", ");
        let mut scene = story.scene(0);
        scene.mention = Mention::Pronoun;
        let gained = values[last + 1] > values[last];
        let question = loop {
            let (asked, question) = random.pick(&CONDITION_QUESTIONS);
            if story.suits(asked, gained) {
                break question;
            }
        };
        scene.fill(question, &mut text);
        text
    }

    fn open(&self, random: &mut Random, number: u32) -> Told {
        let opening = random.pick(&OPENINGS);
        let mut text = String::with_capacity(512);
        self.scene(number).fill(opening, &mut text);
        let open = opening.contains("{Name} [").then_some(Mention::Name);
        Told {
            text,
            ambiguous: false,
            connected: true,
            open,
            verb: "",
        }
    }

    fn continue_with(
        &self,
        random: &mut Random,
        mut scene: Scene,
        event: &str,
        first: bool,
        told: &mut Told,
    ) {
        let joined = told
            .open
            .filter(|_| takes_story_person(event) && random.chance(1, 5));
        if let Some(mention) = joined {
            // "… has 5 apples." and "She buys 3 more." become "… has 5 apples and buys 3 more."
            told.text.pop();
            told.text.push_str(if first { " and" } else { " and then" });
            scene.mention = mention;
            scene.fill(&event["{S}".len()..], &mut told.text);
            told.open = None;
        } else {
            scene.mention = draw_mention(random, 1, 3, told.ambiguous);
            if event.contains("{h}") && self.could_be_meant(&scene, event) {
                // "Mina takes 3 of her apples" would be Mina's own.
                scene.mention = Mention::Name;
            }
            told.text.push(' ');
            let mut says_then = false;
            let connect = !told.connected && !event.starts_with("Sadly") && random.chance(1, 3);
            if connect {
                let connector = random.pick(&CONNECTORS);
                told.text.push_str(connector);
                told.text.push(' ');
                scene.fill(&inside_sentence(event), &mut told.text);
                says_then = connector == "Then";
            } else {
                scene.fill(event, &mut told.text);
            }
            told.connected = connect;
            // "Then she …" does not go on with "and then …".
            let goes_on = takes_story_person(event) && !says_then;
            told.open = goes_on.then_some(scene.mention);
        }
        told.ambiguous = self.could_be_meant(&scene, event);
    }

    /// Whether the sentence names another person whom the pronoun could mean.
    fn could_be_meant(&self, scene: &Scene, event: &str) -> bool {
        event.contains("{Other}") && scene.other.pronouns == self.person.pronouns
    }

    pub(super) fn scene(&self, number: u32) -> Scene {
        Scene {
            person: self.person,
            mention: Mention::Name,
            other: self.person,
            object: self.object,
            number,
            tense: self.tense,
            detail: Detail::default(),
        }
    }

    fn draw_scene(&self, random: &mut Random, step: &[u32]) -> Scene {
        Scene {
            other: self.draw_other(random),
            ..self.scene(step[0].abs_diff(step[1]))
        }
    }

    /// A sentence for the step that suits the things, the numbers and the caller.
    pub(super) fn draw_event(
        &self,
        random: &mut Random,
        step: &[u32],
        suits: impl Fn(&str) -> bool,
    ) -> &'static str {
        let (before, after) = (step[0], step[1]);
        let events: &[Event] = if after > before { &GAINS } else { &LOSSES };
        loop {
            let event = random.pick(events);
            let suits_kind = event.kinds.is_empty() || event.kinds.contains(&self.object.kind);
            // Nothing can be "more" than none, and all of them are not "some of them".
            let more = event.text.contains(" more") || event.text.contains("{another}");
            let part = event.text.contains(" of ");
            if suits_kind && !(more && before == 0) && !(part && after == 0) && suits(event.text) {
                return event.text;
            }
        }
    }

    pub(super) fn draw_other(&self, random: &mut Random) -> Person {
        loop {
            let other = person(random.below(NAME_COUNT as u32) as usize);
            if other.name != self.person.name {
                return other;
            }
        }
    }

    pub(super) fn draw_question(&self, random: &mut Random, gained: bool) -> &'static str {
        loop {
            let (asked, question) = random.pick(&QUESTIONS);
            if self.suits(asked, gained) {
                return question;
            }
        }
    }

    fn suits(&self, asked: Asked, gained: bool) -> bool {
        match asked {
            Asked::Always => true,
            Asked::AfterLoss => !gained,
            Asked::AfterGain => gained,
            Asked::InPast => self.tense == Tense::Past,
        }
    }
}

/// By name where a pronoun would be ambiguous, else in `part` of `whole` cases.
pub(super) fn draw_mention(random: &mut Random, part: u32, whole: u32, ambiguous: bool) -> Mention {
    if ambiguous || random.chance(part, whole) {
        Mention::Name
    } else {
        Mention::Pronoun
    }
}

/// Whether the story's person is the subject, and the verb follows at once.
fn takes_story_person(event: &str) -> bool {
    event.starts_with("{S} [")
}

/// The verb of a sentence with all its forms, as the tables write it.
pub(super) fn verb(event: &str) -> &str {
    let inside = event.split(['[', '(', '<']).nth(1);
    inside
        .and_then(|rest| rest.split([']', ')', '>']).next())
        .unwrap_or_default()
}

/// The sentence as it goes on after a connector: "{S}" no longer begins it.
pub(super) fn inside_sentence(sentence: &str) -> String {
    if let Some(rest) = sentence.strip_prefix("{S}") {
        return format!("{{s}}{rest}");
    }
    let mut letters = sentence.chars();
    match letters.next() {
        Some(first) if first.is_alphabetic() => first.to_lowercase().chain(letters).collect(),
        _ => sentence.to_owned(),
    }
}
