//! What a problem that somebody wrote is to compute: expressions as the public sets write them, cut into steps of one
//! operation each.

use std::fmt;

/// What stands on one side of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// The question's number at this place, from 0.
    Number(usize),
    /// A number that the question does not have in digits: of a word, or of the world.
    Constant(u32),
    /// What the step at this place came to.
    Result(usize),
}

/// An arithmetic sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Plus,
    Minus,
    Times,
    Over,
}

impl Sign {
    fn of(token: &str) -> Option<Self> {
        Some(match token {
            "+" => Self::Plus,
            "-" => Self::Minus,
            "*" | "x" | "×" => Self::Times,
            "/" | "÷" => Self::Over,
            _ => return None,
        })
    }

    fn binds(self) -> u32 {
        match self {
            Self::Plus | Self::Minus => 1,
            Self::Times | Self::Over => 2,
        }
    }

    /// The result, where it is a whole number that fits.
    pub fn apply(self, left: u32, right: u32) -> Option<u32> {
        match self {
            Self::Plus => left.checked_add(right),
            Self::Minus => left.checked_sub(right),
            Self::Times => left.checked_mul(right),
            Self::Over => (right != 0 && left.is_multiple_of(right)).then(|| left / right),
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Over => "/",
        })
    }
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub left: Operand,
    pub sign: Sign,
    pub right: Operand,
}

/// A number in an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// `number0` of the sets that mask their numbers.
    Named(usize),
    Value(u32),
}

/// An expression as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    Leaf(Leaf),
    Operation(Box<Expression>, Sign, Box<Expression>),
}

/// Deeper than any of the sets writes; a file may nest as it likes.
const MAX_DEPTH: usize = 32;

impl Expression {
    /// Reads `( 290.0 / 2.0 )`; none where it is no such expression of whole numbers.
    pub fn infix(text: &str) -> Option<Self> {
        let tokens = tokens(text);
        let mut rest = &tokens[..];
        let expression = infix(&mut rest, 0, MAX_DEPTH)?;
        rest.is_empty().then_some(expression)
    }

    /// Reads `- + number0 number1 number2`, the sign first.
    pub fn prefix(text: &str) -> Option<Self> {
        let tokens = tokens(text);
        let mut rest = &tokens[..];
        let expression = prefix(&mut rest, MAX_DEPTH)?;
        rest.is_empty().then_some(expression)
    }

    /// Adds its operations to `steps`, those inside first, and gives where its value then is. `operand` says what a
    /// number is, with the steps before it.
    pub fn push_steps(
        &self,
        steps: &mut Vec<Step>,
        operand: &mut impl FnMut(Leaf) -> Option<Operand>,
    ) -> Option<Operand> {
        match self {
            Self::Leaf(leaf) => operand(*leaf),
            Self::Operation(left, sign, right) => {
                let left = left.push_steps(steps, operand)?;
                let right = right.push_steps(steps, operand)?;
                steps.push(Step {
                    left,
                    sign: *sign,
                    right,
                });
                Some(Operand::Result(steps.len() - 1))
            }
        }
    }
}

/// Numbers, names, signs and brackets.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == ',';
        let length = if is_word(first) && first != 'x' {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

fn leaf(token: &str) -> Option<Leaf> {
    if let Some(place) = token.strip_prefix("number") {
        return place.parse().ok().map(Leaf::Named);
    }
    whole_number(token).map(Leaf::Value)
}

/// A whole number as the sets write them: `1,200`, `32.0`.
pub fn whole_number(text: &str) -> Option<u32> {
    let text = text.trim().replace(',', "");
    let whole = match text.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => return None,
        None => &text,
    };
    // `parse` would take a sign too.
    let is_digits = !whole.is_empty() && whole.bytes().all(|it| it.is_ascii_digit());
    is_digits.then(|| whole.parse().ok()).flatten()
}

fn infix(rest: &mut &[&str], least: u32, depth: usize) -> Option<Expression> {
    let depth = depth.checked_sub(1)?;
    let (&first, after) = rest.split_first()?;
    *rest = after;
    let mut left = if first == "(" {
        let inner = infix(rest, 0, depth)?;
        let (&close, after) = rest.split_first()?;
        *rest = after;
        (close == ")").then_some(inner)?
    } else {
        Expression::Leaf(leaf(first)?)
    };
    while let Some((&token, after)) = rest.split_first() {
        let Some(sign) = Sign::of(token).filter(|sign| sign.binds() > least) else {
            break;
        };
        *rest = after;
        let right = infix(rest, sign.binds(), depth)?;
        left = Expression::Operation(Box::new(left), sign, Box::new(right));
    }
    Some(left)
}

fn prefix(rest: &mut &[&str], depth: usize) -> Option<Expression> {
    let depth = depth.checked_sub(1)?;
    let (&first, after) = rest.split_first()?;
    *rest = after;
    let Some(sign) = Sign::of(first) else {
        return Some(Expression::Leaf(leaf(first)?));
    };
    let left = prefix(rest, depth)?;
    let right = prefix(rest, depth)?;
    Some(Expression::Operation(Box::new(left), sign, Box::new(right)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<u32> {
        let mut steps = Vec::new();
        let mut operand = |leaf| match leaf {
            Leaf::Value(value) => Some(Operand::Constant(value)),
            Leaf::Named(_) => None,
        };
        let last = Expression::infix(text)?.push_steps(&mut steps, &mut operand)?;
        let mut results: Vec<u32> = Vec::new();
        for step in steps {
            let value = |operand| match operand {
                Operand::Constant(value) => value,
                Operand::Result(place) => results[place],
                Operand::Number(_) => unreachable!("there is no question"),
            };
            let result = step.sign.apply(value(step.left), value(step.right))?;
            results.push(result);
        }
        match last {
            Operand::Result(place) => Some(results[place]),
            Operand::Constant(value) => Some(value),
            Operand::Number(_) => None,
        }
    }

    #[test]
    fn expressions_are_read_as_they_are_meant() {
        assert_eq!(value("100-20-30"), Some(50));
        assert_eq!(value("2+3*4"), Some(14));
        assert_eq!(value("( ( 32.0 + 42.0 ) - 35.0 )"), Some(39));
        assert_eq!(value("1,200 / (2 x 3)"), Some(200));
        assert_eq!(value("24/2*3"), Some(36));
    }

    #[test]
    fn what_is_no_whole_number_or_no_expression_is_none() {
        for text in [
            "",
            "5 -",
            "0.5 * 8",
            "7/2",
            "3-5",
            "(3",
            "3)",
            "3 4",
            "-3",
            "five",
            "99999999999",
            "70000*70000",
            "1/0",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(value(&format!("{}1", "(".repeat(100_000))), None);
    }

    #[test]
    fn the_sign_may_come_first() {
        let expression = Expression::prefix("- + number0 number1 2").expect("an expression");
        let mut steps = Vec::new();
        let mut operand = |leaf| {
            Some(match leaf {
                Leaf::Named(place) => Operand::Number(place),
                Leaf::Value(value) => Operand::Constant(value),
            })
        };
        expression.push_steps(&mut steps, &mut operand);
        let step = |left, sign, right| Step { left, sign, right };
        assert_eq!(
            steps,
            [
                step(Operand::Number(0), Sign::Plus, Operand::Number(1)),
                step(Operand::Result(0), Sign::Minus, Operand::Constant(2)),
            ]
        );
        assert_eq!(Expression::prefix("+ number0"), None);
    }
}
