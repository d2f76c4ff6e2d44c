//! Things that people in the stories have, with their plurals and what can be done with them.

/// What can be done with a thing besides having, buying, finding, giving and losing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing more.
    Thing,
    /// It can break.
    Fragile,
    /// It can be eaten.
    Food,
    /// It can be baked and eaten.
    Baked,
    /// It can be picked in a garden and eaten.
    Fruit,
}

/// A thing in one and in many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// As after "1".
    pub singular: &'static str,
    /// As after any other number.
    pub plural: &'static str,
    /// What can be done with it.
    pub kind: Kind,
}

impl Object {
    /// The form that goes with a number.
    pub fn counted(&self, number: u32) -> &'static str {
        if number == 1 {
            self.singular
        } else {
            self.plural
        }
    }
}

const fn object(singular: &'static str, plural: &'static str, kind: Kind) -> Object {
    Object {
        singular,
        plural,
        kind,
    }
}

use Kind::{Baked, Food, Fragile, Fruit, Thing};

/// All things.
#[rustfmt::skip]
pub const OBJECTS: [Object; 102] = [
    object("apple", "apples", Fruit), object("apricot", "apricots", Fruit), object("bag", "bags", Thing),
    object("bagel", "bagels", Baked), object("ball", "balls", Thing), object("balloon", "balloons", Thing),
    object("banana", "bananas", Food), object("basket", "baskets", Thing), object("bead", "beads", Thing),
    object("bell", "bells", Thing), object("berry", "berries", Fruit), object("block", "blocks", Thing),
    object("book", "books", Thing), object("bottle", "bottles", Fragile), object("bowl", "bowls", Fragile),
    object("box", "boxes", Thing), object("bracelet", "bracelets", Thing), object("brick", "bricks", Thing),
    object("brush", "brushes", Thing), object("bun", "buns", Baked), object("button", "buttons", Thing),
    object("cake", "cakes", Baked), object("candle", "candles", Thing), object("candy", "candies", Food),
    object("cap", "caps", Thing), object("card", "cards", Thing), object("carrot", "carrots", Fruit),
    object("comb", "combs", Thing), object("cherry", "cherries", Fruit), object("chocolate", "chocolates", Food),
    object("clip", "clips", Thing), object("coin", "coins", Thing), object("comic", "comics", Thing),
    object("cookie", "cookies", Baked), object("crayon", "crayons", Thing), object("cup", "cups", Fragile),
    object("cupcake", "cupcakes", Baked), object("doll", "dolls", Thing), object("donut", "donuts", Food),
    object("egg", "eggs", Fragile), object("envelope", "envelopes", Thing), object("eraser", "erasers", Thing),
    object("feather", "feathers", Thing), object("flag", "flags", Thing), object("folder", "folders", Thing),
    object("fork", "forks", Thing), object("game", "games", Thing), object("gem", "gems", Thing),
    object("glass", "glasses", Fragile), object("grape", "grapes", Food), object("hat", "hats", Thing),
    object("jar", "jars", Fragile), object("jewel", "jewels", Thing), object("key", "keys", Thing),
    object("kite", "kites", Thing), object("lamp", "lamps", Fragile), object("lemon", "lemons", Fruit),
    object("magazine", "magazines", Thing), object("magnet", "magnets", Thing), object("mango", "mangoes", Food),
    object("map", "maps", Thing), object("marble", "marbles", Thing), object("marker", "markers", Thing),
    object("mask", "masks", Thing), object("medal", "medals", Thing), object("melon", "melons", Food),
    object("muffin", "muffins", Baked), object("mug", "mugs", Fragile), object("notebook", "notebooks", Thing),
    object("nut", "nuts", Food), object("olive", "olives", Food), object("orange", "oranges", Fruit),
    object("pancake", "pancakes", Food), object("peach", "peaches", Fruit), object("pear", "pears", Fruit),
    object("pen", "pens", Thing), object("pencil", "pencils", Thing), object("photo", "photos", Thing),
    object("pie", "pies", Baked), object("plate", "plates", Fragile), object("plum", "plums", Fruit),
    object("poster", "posters", Thing), object("potato", "potatoes", Food), object("puzzle", "puzzles", Thing),
    object("ribbon", "ribbons", Thing), object("ring", "rings", Thing), object("rope", "ropes", Thing),
    object("rose", "roses", Thing), object("sandwich", "sandwiches", Food), object("scarf", "scarves", Thing),
    object("shell", "shells", Thing), object("shirt", "shirts", Thing), object("spoon", "spoons", Thing),
    object("stamp", "stamps", Thing), object("sticker", "stickers", Thing), object("stone", "stones", Thing),
    object("ticket", "tickets", Thing), object("token", "tokens", Thing), object("tomato", "tomatoes", Fruit),
    object("towel", "towels", Thing), object("toy", "toys", Thing), object("vase", "vases", Fragile),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_a_hundred_distinct_objects_each_with_another_plural() {
        let singular: BTreeSet<&str> = OBJECTS.iter().map(|o| o.singular).collect();
        let plural: BTreeSet<&str> = OBJECTS.iter().map(|o| o.plural).collect();
        assert_eq!(
            (singular.len(), plural.len()),
            (OBJECTS.len(), OBJECTS.len())
        );
        assert!(OBJECTS.len() >= 100);
        assert!(singular.is_disjoint(&plural));
    }

    #[test]
    fn one_takes_the_singular_and_every_other_number_the_plural() {
        let scarf = OBJECTS
            .iter()
            .find(|o| o.singular == "scarf")
            .expect("a scarf");
        assert_eq!(
            [0, 1, 2].map(|n| scarf.counted(n)),
            ["scarves", "scarf", "scarves"]
        );
    }
}
