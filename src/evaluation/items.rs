//! Questions to evaluate on, read from files of several makes.

use serde_json::Value;

use super::rules::AnswerKind;
use crate::problems::{Problem, operators};

/// A question and its right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The question, exactly as in the file.
    pub question: String,
    /// The right answer: a number, yes or no, or a letter.
    pub answer: String,
    /// What answers look like.
    pub kind: AnswerKind,
    /// Number of steps of the problem, where it is known.
    pub steps: Option<u32>,
    /// The operators of its steps, each once, as [`operators`] gives them; empty where they are not known.
    pub operators: String,
}

impl From<Problem> for Item {
    fn from(problem: Problem) -> Self {
        Item {
            operators: operators(&problem.condensed_reasoning),
            question: problem.query,
            answer: problem.answer,
            kind: problem.family.into(),
            steps: Some(problem.steps),
        }
    }
}

/// What can be wrong with a file of questions. Items are counted from 1.
#[derive(Debug, thiserror::Error)]
pub enum ItemsError {
    /// Neither JSON nor JSON lines.
    #[error("line {line}, column {column}: not JSON: {message}")]
    Json {
        /// Line in the file, from 1.
        line: usize,
        /// Column in the line, from 1.
        column: usize,
        /// What was expected.
        message: String,
    },
    /// An item without a question.
    #[error(
        "item {item} has no question: none of the fields \"query\", \"question\", \"Body\" with \"Question\" and \"sQuestion\" holds text"
    )]
    Question {
        /// Number of the item.
        item: usize,
    },
    /// An item without an answer that can be judged.
    #[error("item {item}: the answer is {found}: it must be a number, yes or no, or one letter")]
    Answer {
        /// Number of the item.
        item: usize,
        /// What stands there.
        found: String,
    },
    /// No items at all.
    #[error("the file holds no questions")]
    Empty,
}

/// Reads questions and answers. Which form a file has is seen from what stands in it:
///
/// | file | question | answer |
/// |---|---|---|
/// | JSON lines, as `semcot data` prints them, or a list, as the method's authors publish them | `query` | `answer` |
/// | GSM8K, JSON lines | `question` | what follows `####` in `answer` |
/// | the public coin_flip set, a list under `examples` | `question` | `answer` |
/// | SVAMP, a list | `Body`, `Question` | `Answer` |
/// | MultiArith, a list | `sQuestion` | the one of `lSolutions` |
///
/// # Errors
/// [`ItemsError`], which names the line of what is not JSON and the item of what cannot be asked.
pub fn read_items(text: &str) -> Result<Vec<Item>, ItemsError> {
    let values = read_values(text.trim_start_matches(BYTE_ORDER_MARK))?;
    if values.is_empty() {
        return Err(ItemsError::Empty);
    }
    values
        .iter()
        .enumerate()
        .map(|(index, value)| read_item(index + 1, value))
        .collect()
}

/// Some editors put it before everything else.
const BYTE_ORDER_MARK: char = '\u{feff}';

fn read_values(text: &str) -> Result<Vec<Value>, ItemsError> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let Some(first) = lines.next() else {
        return Ok(Vec::new());
    };
    // One value on the first line and more behind it: lines. All else is one value, whose own error is told.
    if lines.next().is_some() && serde_json::from_str::<Value>(first).is_ok() {
        return read_lines(text);
    }
    let value = serde_json::from_str(text).map_err(|error| json_error(&error, error.line()))?;
    Ok(match value {
        Value::Array(values) => values,
        Value::Object(mut file) => match file.remove("examples") {
            Some(Value::Array(examples)) => examples,
            Some(other) => {
                file.insert("examples".to_owned(), other);
                vec![Value::Object(file)]
            }
            None => vec![Value::Object(file)],
        },
        other => vec![other],
    })
}

fn read_lines(text: &str) -> Result<Vec<Value>, ItemsError> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let values = lines.map(|(index, line)| {
        serde_json::from_str(line).map_err(|error| json_error(&error, index + 1))
    });
    values.collect()
}

fn json_error(error: &serde_json::Error, line: usize) -> ItemsError {
    let message = error.to_string();
    // The message ends in a place of its own, which is one of the line alone where lines are read.
    let message = message.split(" at line ").next().unwrap_or_default();
    ItemsError::Json {
        line,
        column: error.column(),
        message: message.to_owned(),
    }
}

fn read_item(item: usize, value: &Value) -> Result<Item, ItemsError> {
    let question = question_of(value).filter(|it| !it.trim().is_empty());
    let question = question.ok_or(ItemsError::Question { item })?;
    let answer = answer_of(value);
    let kind = answer.as_deref().and_then(AnswerKind::of);
    let (Some(answer), Some(kind)) = (answer, kind) else {
        return Err(ItemsError::Answer {
            item,
            found: shown(value),
        });
    };
    Ok(Item {
        question,
        answer,
        kind,
        steps: value["steps"].as_u64().and_then(|it| it.try_into().ok()),
        operators: operators(value["condensed_reasoning"].as_str().unwrap_or_default()),
    })
}

fn question_of(value: &Value) -> Option<String> {
    if let (Some(body), Some(question)) = (value["Body"].as_str(), value["Question"].as_str()) {
        return Some(joined(body.trim(), question.trim()));
    }
    let fields = ["query", "question", "sQuestion"];
    let question = fields.iter().find_map(|&field| value[field].as_str())?;
    Some(question.to_owned())
}

/// SVAMP's body and question as one text: many a body ends without a mark, and the sentence goes on in the question.
fn joined(body: &str, question: &str) -> String {
    if body.is_empty() {
        return question.to_owned();
    }
    format!("{body} {question}")
}

/// The answer as text; nothing where there is none or more than one.
fn answer_of(value: &Value) -> Option<String> {
    let field = match &value["lSolutions"] {
        Value::Array(solutions) => match &solutions[..] {
            [one] => one,
            _ => return None,
        },
        _ => ["answer", "Answer"]
            .iter()
            .map(|&field| &value[field])
            .find(|it| !it.is_null())?,
    };
    match field {
        Value::String(answer) => {
            let last = answer.rsplit("####").next().unwrap_or(answer);
            Some(last.trim().to_owned())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Longest part of a wrong answer that a message repeats.
const MAX_SHOWN_CHARS: usize = 60;

/// What stands where the answer should, for a message.
fn shown(value: &Value) -> String {
    let fields = ["lSolutions", "answer", "Answer"];
    let found = fields
        .iter()
        .map(|&field| &value[field])
        .find(|it| !it.is_null());
    let text = found.map_or("missing".to_owned(), Value::to_string);
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::{Family, Settings, Split, generate};

    #[test]
    fn what_semcot_data_prints_can_be_evaluated() {
        let problems = generate(Family::Coin, Split::Heldout, 1, &Settings::default());
        let problems: Vec<Problem> = problems.expect("sound settings").take(3).collect();
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| serde_json::to_string(problem).expect("JSON"))
            .collect();
        let items = read_items(&(lines.join("\n") + "\n")).expect("our own lines");
        assert_eq!(
            items,
            problems.into_iter().map(Item::from).collect::<Vec<_>>()
        );
    }

    #[test]
    fn lists_of_the_public_sets_are_read() {
        let items =
            read_items(r#"[{"query": " How many? ", "answer": "1,234", "reasoning": "…"}]"#)
                .expect("a list");
        assert_eq!(
            (items[0].question.as_str(), items[0].answer.as_str()),
            (" How many? ", "1,234")
        );
        let items = read_items(r#"{"examples": [{"question": "Heads?", "answer": "no"}]}"#)
            .expect("examples");
        assert_eq!(items[0].kind, AnswerKind::YesNo);
        let items = read_items(r#"{"question": "How many?", "answer": "9 * 2 = 18\n#### 18"}"#)
            .expect("a line");
        assert_eq!(items[0].answer, "18");
        let items = read_items(r#"[{"question": "How many?", "answer": 51.0}]"#).expect("a number");
        assert!(items[0].kind.is_right("51", &items[0].answer));
    }

    #[test]
    fn each_public_form_is_told_from_what_stands_in_it() {
        let one = |text: &str| {
            let mut items = read_items(text).expect("a public form");
            assert_eq!(items.len(), 1, "{text}");
            let item = items.remove(0);
            (item.question, item.answer, item.kind)
        };
        let svamp = r#"[{"ID": "chal-1", "Body": "Each pack costs 76 dollars. If there is a discount of 25 dollars on each pack",
            "Question": "How much do you have to pay?", "Equation": "( 76.0 - 25.0 )", "Answer": 51.0, "Type": "Subtraction"}]"#;
        let question = "Each pack costs 76 dollars. If there is a discount of 25 dollars on each pack How much do you have to pay?";
        assert_eq!(
            one(svamp),
            (question.to_owned(), "51.0".to_owned(), AnswerKind::Number)
        );
        let multiarith = r#"[{"iIndex": 0, "lEquations": ["X=(1.0+2.0)"], "lSolutions": [3.0], "sQuestion": " How many? "}]"#;
        assert_eq!(
            one(multiarith),
            (
                " How many? ".to_owned(),
                "3.0".to_owned(),
                AnswerKind::Number
            )
        );
        let gsm8k = "\u{feff}{\"question\": \"How much?\", \"answer\": \"She makes 9 * 2 = $<<9*2=18>>18.\\n#### 1,018\"}\n";
        assert_eq!(
            one(gsm8k),
            (
                "How much?".to_owned(),
                "1,018".to_owned(),
                AnswerKind::Number
            )
        );
        let commonsense = r#"[{"query": "Where?\nChoices:\nA. bank\nB. mall\n", "full_answer": "A", "answer": "A"}]"#;
        assert_eq!(one(commonsense).2, AnswerKind::Letter);
    }

    #[test]
    fn errors_name_the_item_or_the_line() {
        let deep = "[".repeat(100_000);
        let long = format!(r#"[{{"query": "a", "answer": "{}"}}]"#, "é".repeat(1000));
        for (text, expected) in [
            (r#"[{"answer": "1"}]"#, "item 1 has no question"),
            (
                r#"[{"query": "  ", "answer": "1"}]"#,
                "item 1 has no question",
            ),
            (
                r#"[{"query": "a", "answer": "1"}, {"query": "a"}]"#,
                "item 2: the answer is missing",
            ),
            (r#"[{"query": "a", "answer": "perhaps"}]"#, "\"perhaps\""),
            (r#"[{"query": "a", "answer": ["1"]}]"#, "[\"1\"]"),
            (
                r#"[{"query": "a", "answer": 1e300}]"#,
                "the answer is 1e+300",
            ),
            (
                r#"[{"sQuestion": "a", "lSolutions": [1.0, 2.0]}]"#,
                "the answer is [1.0,2.0]",
            ),
            (
                r#"[{"sQuestion": "a", "lSolutions": []}]"#,
                "the answer is []",
            ),
            (
                "{\"query\": \"a\", \"answer\": \"1\"}\n{oops",
                "line 2, column 2: not JSON",
            ),
            (
                "[\n{\"query\": \"a\",\n\"answer\": oops}]",
                "line 3, column 11: not JSON",
            ),
            (
                "[{\"query\": \"a\", \"answer\": 1e999}]",
                "not JSON: number out of range",
            ),
            ("{\"examples\": 7}", "item 1 has no question"),
            ("7", "item 1 has no question"),
            (
                "{\"query\": \"a\", \"answer\": \"1\"}\n7\n",
                "item 2 has no question",
            ),
            ("[]", "no questions"),
            ("", "no questions"),
            (" \n\n", "no questions"),
            (&deep, "recursion limit"),
            (&long, "é…:"),
        ] {
            let message = read_items(text).expect_err("a damaged file").to_string();
            assert!(message.contains(expected), "{message}, expected {expected}");
            assert!(message.len() < 400, "{message}");
        }
    }
}
