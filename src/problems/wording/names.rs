//! First names, with the pronouns that go with them here.

/// The pronouns a story uses for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pronouns {
    /// she, her, her
    She,
    /// he, him, his
    He,
    /// they, them, their, with plural verbs
    They,
    /// I, me, my: the person who asks
    I,
}

impl Pronouns {
    /// As the subject of a sentence, inside it.
    pub fn subject(self) -> &'static str {
        match self {
            Pronouns::She => "she",
            Pronouns::He => "he",
            Pronouns::They => "they",
            Pronouns::I => "I",
        }
    }

    /// As the object of a verb.
    pub fn object(self) -> &'static str {
        match self {
            Pronouns::She => "her",
            Pronouns::He => "him",
            Pronouns::They => "them",
            Pronouns::I => "me",
        }
    }

    /// Before a noun.
    pub fn possessive(self) -> &'static str {
        match self {
            Pronouns::She => "her",
            Pronouns::He => "his",
            Pronouns::They => "their",
            Pronouns::I => "my",
        }
    }
}

/// A first name and its pronouns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// Capitalized.
    pub name: &'static str,
    /// What stands for the name in later sentences.
    pub pronouns: Pronouns,
}

/// The number of names.
pub const NAME_COUNT: usize = SHE.len() + HE.len() + THEY.len();

/// The name with this number, below [`NAME_COUNT`].
pub fn person(number: usize) -> Person {
    let (names, number, pronouns) = if number < SHE.len() {
        (&SHE[..], number, Pronouns::She)
    } else if number < SHE.len() + HE.len() {
        (&HE[..], number - SHE.len(), Pronouns::He)
    } else {
        (&THEY[..], number - SHE.len() - HE.len(), Pronouns::They)
    };
    Person {
        name: names[number],
        pronouns,
    }
}

#[rustfmt::skip]
const SHE: [&str; 94] = [
    "Ada", "Adele", "Aisha", "Alice", "Alma", "Amara", "Amelia", "Amina", "Amy", "Ana", "Anita", "Anna", "Anya", "Aria",
    "Asha", "Ava", "Bella", "Beth", "Bianca", "Carla", "Carmen", "Cara", "Celia", "Chloe", "Clara", "Dana", "Daisy",
    "Diana", "Dina", "Dora", "Edith", "Elena", "Elsa", "Emily", "Emma", "Erika", "Eva", "Fatima", "Fiona", "Flora",
    "Freya", "Gina", "Grace", "Hana", "Hannah", "Helen", "Holly", "Ida", "Ines", "Iris", "Isla", "Ivy", "Jane", "Jenny",
    "Julia", "June", "Karen", "Kate", "Lara", "Laura", "Leila", "Lena", "Lily", "Lina", "Lisa", "Lola", "Lucy", "Luna",
    "Mara", "Maria", "Marta", "Mary", "Maya", "Mia", "Mina", "Mira", "Molly", "Nadia", "Nina", "Nora", "Olga", "Olivia",
    "Paula", "Priya", "Rita", "Rosa", "Ruth", "Sara", "Selma", "Sofia", "Tara", "Vera", "Wendy", "Zoe",
];

#[rustfmt::skip]
const HE: [&str; 94] = [
    "Aaron", "Adam", "Ahmed", "Alan", "Albert", "Amir", "Anton", "Arjun", "Arthur", "Ben", "Bernard", "Bilal", "Bob",
    "Boris", "Bruno", "Carl", "Carlos", "Cyrus", "Dan", "Daniel", "David", "Diego", "Dylan", "Eddie", "Eli", "Emil",
    "Eric", "Ethan", "Felix", "Finn", "Frank", "Fred", "George", "Hamid", "Hans", "Harry", "Hassan", "Henry", "Hugo",
    "Ian", "Igor", "Ivan", "Jack", "Jacob", "Jamal", "James", "Jan", "Jim", "Joe", "John", "Jonas", "Jose", "Karl",
    "Kenji", "Kevin", "Kofi", "Lars", "Leo", "Liam", "Louis", "Lucas", "Luis", "Marco", "Mark", "Martin", "Max", "Miguel",
    "Mike", "Milan", "Nick", "Noah", "Oliver", "Omar", "Oscar", "Otto", "Pablo", "Paul", "Pedro", "Peter", "Raj",
    "Ravi", "Ray", "Richard", "Rob", "Ron", "Rory", "Samir", "Simon", "Theo", "Tim", "Tom", "Victor", "Yusuf", "Zac",
];

#[rustfmt::skip]
const THEY: [&str; 12] = [
    "Alex", "Ash", "Avery", "Charlie", "Jamie", "Jordan", "Kim", "Morgan", "Quinn", "Robin", "Sam", "Sky",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_two_hundred_distinct_capitalized_names() {
        let names: std::collections::BTreeSet<&str> =
            (0..NAME_COUNT).map(|i| person(i).name).collect();
        assert_eq!(names.len(), NAME_COUNT);
        const { assert!(NAME_COUNT >= 200) };
        for name in names {
            assert!(name.chars().all(|c| c.is_ascii_alphabetic()), "{name}");
            assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
        }
    }
}
