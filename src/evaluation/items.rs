//! Questions to evaluate on, read from files of several makes.

use serde_json::Value;

use super::rules::AnswerKind;
use crate::problems::Problem;

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
}

impl From<Problem> for Item {
    fn from(problem: Problem) -> Self {
        Item {
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
    #[error("item {item} has no text in \"query\" or \"question\"")]
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

/// Reads questions and answers: JSON lines as `semcot data` prints them, the JSON lists that the method's authors
/// publish, and lists under `examples` (the public coin_flip set).
///
/// The question is `query` or `question`, the answer `answer`; of a long answer that ends in `#### 72` (GSM8K as
/// published) what follows the marks.
pub fn read_items(text: &str) -> Result<Vec<Item>, ItemsError> {
    let values = match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(values)) => values,
        Ok(Value::Object(mut file)) => match file.remove("examples") {
            Some(Value::Array(examples)) => examples,
            _ => vec![Value::Object(file)],
        },
        _ => read_lines(text)?,
    };
    if values.is_empty() {
        return Err(ItemsError::Empty);
    }
    values
        .iter()
        .enumerate()
        .map(|(index, value)| read_item(index + 1, value))
        .collect()
}

fn read_lines(text: &str) -> Result<Vec<Value>, ItemsError> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let values = lines.map(|(index, line)| {
        serde_json::from_str(line).map_err(|error| ItemsError::Json {
            line: index + 1,
            column: error.column(),
            message: error.to_string(),
        })
    });
    values.collect()
}

fn read_item(item: usize, value: &Value) -> Result<Item, ItemsError> {
    let question = value["query"]
        .as_str()
        .or_else(|| value["question"].as_str());
    let question = question.ok_or(ItemsError::Question { item })?;
    let answer = match &value["answer"] {
        Value::String(answer) => answer
            .rsplit("####")
            .next()
            .unwrap_or(answer)
            .trim()
            .to_owned(),
        Value::Number(number) => number.to_string(),
        other => {
            return Err(ItemsError::Answer {
                item,
                found: other.to_string(),
            });
        }
    };
    let Some(kind) = AnswerKind::of(&answer) else {
        return Err(ItemsError::Answer {
            item,
            found: format!("\"{answer}\""),
        });
    };
    Ok(Item {
        question: question.to_owned(),
        answer,
        kind,
        steps: value["steps"].as_u64().and_then(|it| it.try_into().ok()),
    })
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
    fn errors_name_the_item_or_the_line() {
        let message = |text: &str| read_items(text).expect_err("a damaged file").to_string();
        assert!(message("[{\"answer\": \"1\"}]").contains("item 1"));
        assert!(
            message("[{\"query\": \"a\", \"answer\": \"1\"}, {\"query\": \"a\"}]")
                .contains("item 2")
        );
        assert!(message("[{\"query\": \"a\", \"answer\": \"perhaps\"}]").contains("perhaps"));
        assert!(message("{\"query\": \"a\", \"answer\": \"1\"}\n{oops").contains("line 2"));
        assert!(message("[]").contains("no questions"));
        assert!(message("").contains("no questions"));
    }
}
