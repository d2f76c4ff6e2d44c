//! Telling a plan of numbers as a story. Chooses words, never values.

use super::super::random::Random;
use super::super::story::{Story, draw_mention};
use super::super::wording::everyday::{
    COMPARED_WITH_FEWER, COMPARED_WITH_MORE, CONTAINERS, FEWER, GOALS, GROUPS, GROUPS_COME,
    GROUPS_GO, IRRELEVANT, MORE, MULTIPLIES, PACKS, PARTS_GO, PRICES, RATES, SHARES, SUMS, TIMES,
    TOGETHER,
};
use super::super::wording::names::Person;
use super::super::wording::objects::OBJECTS;
use super::super::wording::stories::{CONNECTORS, OPENINGS};
use super::super::wording::template::{Container, Detail, Mention, Numerals, Scene};
use super::plan::{Ending, Event, Opening, Plan};

/// Numbers of what has nothing to do with the question.
const IRRELEVANT_NUMBERS: [u32; 2] = [2, 30];

/// A story that is being told.
struct Telling<'a> {
    story: Story,
    detail: Detail,
    /// Everybody who was named; nobody stands for two people.
    named: Vec<&'static str>,
    /// Another person of the same pronouns was named last.
    ambiguous: bool,
    /// Other things were spoken of, so that these must be named.
    vague: bool,
    /// The verb of the last event, as its table writes it.
    verb: &'static str,
    text: String,
    random: &'a mut Random,
}

/// The problem of a plan.
pub(super) fn tell(random: &mut Random, plan: &Plan) -> String {
    let story = Story::draw(random);
    let mut telling = Telling {
        detail: draw_detail(random, &story),
        named: vec![story.person.name],
        story,
        ambiguous: false,
        vague: false,
        verb: "",
        text: String::with_capacity(512),
        random,
    };
    let is_irrelevant = telling.random.chance(1, 4);
    if is_irrelevant && plan.events.is_empty() {
        telling.irrelevant();
    }
    telling.open(plan.opening);
    if is_irrelevant && !plan.events.is_empty() {
        telling.irrelevant();
    }
    for (before, event) in &plan.events {
        telling.event(*before, *event);
    }
    telling.end(plan);
    telling.text
}

fn draw_detail(random: &mut Random, story: &Story) -> Detail {
    let (singular, plural) = random.pick(&CONTAINERS);
    let thing = loop {
        let thing = random.pick(&OBJECTS);
        if thing != story.object {
            break thing;
        }
    };
    Detail {
        second: 0,
        container: Container { singular, plural },
        thing,
        numerals: match random.chance(1, 4) {
            true => Numerals::Words,
            false => Numerals::Digits,
        },
    }
}

impl Telling<'_> {
    fn open(&mut self, opening: Opening) {
        let (sentences, number, second): (&[&str], u32, u32) = match opening {
            Opening::Told(value) => (&OPENINGS, value, 0),
            Opening::Groups(groups, each) => (&GROUPS, groups, each),
            Opening::Rate(times, each) => (&RATES, times, each),
            Opening::Sum(one, other) => (&SUMS, one, other),
            Opening::More(one, more) => (&MORE, one, more),
            Opening::Fewer(one, fewer) => (&FEWER, one, fewer),
            Opening::Times(one, times) => (&TIMES, one, times),
        };
        let sentence = self.random.pick(sentences);
        self.say(sentence, Mention::Name, number, second);
    }

    /// A fact beside the point. After it the things must be called by their name.
    fn irrelevant(&mut self) {
        let [least, most] = IRRELEVANT_NUMBERS;
        let number = self.random.between(least, most);
        let sentence = self.random.pick(&IRRELEVANT);
        let mention = self.mention();
        self.say(sentence, mention, number, 0);
        self.vague = true;
    }

    fn event(&mut self, before: u32, event: Event) {
        let (sentences, number, second): (&[&'static str], u32, u32) = match event {
            Event::Gain(number) => return self.step(before, before + number),
            Event::Loss(number) => return self.step(before, before - number),
            Event::GroupsCome(groups, each) => (&GROUPS_COME, groups, each),
            Event::GroupsGo(groups, each) => (&GROUPS_GO, groups, each),
            Event::PartGoes(parts) => (&PARTS_GO, 2, parts),
            Event::Multiplies(times) => (&MULTIPLIES, 2, times),
        };
        let sentence = self.random.pick(sentences);
        self.say_event(sentence, number, second);
        self.verb = "";
        self.vague = false;
    }

    /// A gain or a loss, in the words of the other family.
    fn step(&mut self, before: u32, after: u32) {
        let (vague, told) = (self.vague, self.verb);
        let names_things = |text: &str| text.contains("{x}") || text.contains("{xs}");
        let event = self
            .story
            .draw_event(self.random, &[before, after], |text| {
                !text.contains("of them")
                    && (!vague || names_things(text))
                    && super::super::story::verb(text) != told
            });
        self.say_event(event, before.abs_diff(after), 0);
        self.verb = super::super::story::verb(event);
        self.vague = false;
    }

    fn end(&mut self, plan: &Plan) {
        let (sentences, number): (&[&'static str], u32) = match plan.ending {
            Ending::Number => return self.ask(plan),
            Ending::Share(parts) => (&SHARES, parts),
            Ending::Pack(each) => (&PACKS, each),
            Ending::Compare(other) if other < plan.value => (&COMPARED_WITH_FEWER, other),
            Ending::Compare(other) => (&COMPARED_WITH_MORE, other),
            Ending::Together(other) => (&TOGETHER, other),
            Ending::Goal(wanted) => (&GOALS, wanted),
            Ending::Price(price) => (&PRICES, price),
        };
        let sentence = self.random.pick(sentences);
        // Verbs of the person go with the name where the sentence has it.
        let mention = match sentence.contains("{Name}") {
            true => Mention::Name,
            false => self.mention(),
        };
        self.say(sentence, mention, number, 0);
    }

    /// The question for the number itself. What came last says whether something is "left".
    fn ask(&mut self, plan: &Plan) {
        let gained = match plan.events.last() {
            Some((_, Event::Loss(_) | Event::GroupsGo(..) | Event::PartGoes(_))) => false,
            Some(_) | None => true,
        };
        let question = self.story.draw_question(self.random, gained);
        let mention = draw_mention(self.random, 3, 4, self.ambiguous);
        self.say(question, mention, 2, 0);
    }

    fn mention(&mut self) -> Mention {
        draw_mention(self.random, 1, 3, self.ambiguous || self.text.is_empty())
    }

    fn say_event(&mut self, event: &'static str, number: u32, second: u32) {
        let mention = self.mention();
        let other = self.draw_other();
        let could_be_meant =
            event.contains("{Other}") && other.pronouns == self.story.person.pronouns;
        // "Mina takes 3 of her apples" would be Mina's own.
        let mention = match could_be_meant && event.contains("{h}") {
            true => Mention::Name,
            false => mention,
        };
        if self.random.chance(1, 5) && !event.starts_with("Sadly") {
            let connector = self.random.pick(&CONNECTORS);
            self.text.push(' ');
            self.text.push_str(connector);
            let event = super::super::story::inside_sentence(event);
            self.fill(&event, mention, other, number, second);
        } else {
            self.fill(event, mention, other, number, second);
        }
    }

    fn say(&mut self, sentence: &str, mention: Mention, number: u32, second: u32) {
        let other = self.draw_other();
        self.fill(sentence, mention, other, number, second);
    }

    /// Appends a sentence, and notes who could be meant after it.
    fn fill(&mut self, sentence: &str, mention: Mention, other: Person, number: u32, second: u32) {
        let scene = Scene {
            mention,
            other,
            detail: Detail {
                second,
                ..self.detail
            },
            ..self.story.scene(number)
        };
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        scene.fill(sentence, &mut self.text);
        let names_other = sentence.contains("{Other}");
        self.ambiguous = names_other && other.pronouns == self.story.person.pronouns;
        if names_other {
            self.named.push(other.name);
        }
    }

    fn draw_other(&mut self) -> Person {
        loop {
            let other = self.story.draw_other(self.random);
            if !self.named.contains(&other.name) {
                return other;
            }
        }
    }
}
