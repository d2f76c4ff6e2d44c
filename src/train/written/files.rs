//! The public sets as they are published: questions with the expressions that solve them. What else stands in a file is
//! left alone.

use serde_json::Value;

use super::formula::{Expression, whole_number};

/// A question as a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The question; where the set masks its numbers, they are put in again.
    pub question: String,
    /// For sets that mask their numbers, these.
    pub named: Vec<u32>,
    /// Expressions in their order.
    pub expressions: Vec<Stated>,
    pub answer: u32,
}

/// An expression and the result that stands beside it.
pub type Stated = (Expression, Option<u32>);

/// What a file holds.
#[derive(Debug, Default)]
pub struct Items {
    pub items: Vec<Item>,
    /// Questions whose solution is no expression of whole numbers.
    pub without_expressions: usize,
}

/// Reads GSM8K's lines, SVAMP, MultiArith, the lists of the method's authors, and the columns in which MAWPS and ASDiv are
/// published. The error says what is wrong with the file.
pub fn read(text: &str) -> Result<Items, String> {
    let is_json = text.trim_start().starts_with(['[', '{']);
    let read = match is_json {
        true => values(text)?
            .iter()
            .map(json_item)
            .collect::<Result<_, _>>(),
        false => columns(text),
    };
    let found: Vec<Option<Item>> = read?;
    if found.is_empty() {
        return Err("there are no questions in it".into());
    }
    let count = found.len();
    let items: Vec<Item> = found.into_iter().flatten().collect();
    Ok(Items {
        without_expressions: count - items.len(),
        items,
    })
}

/// The questions of a file of any of these forms, to be kept out of training.
pub fn read_questions(text: &str) -> Result<Vec<String>, String> {
    if !text.trim_start().starts_with(['[', '{']) {
        let items = columns(text)?;
        return Ok(items.into_iter().flatten().map(|it| it.question).collect());
    }
    let values = values(text)?;
    let question = |value| question(value).ok_or_else(|| no_question(value));
    values.iter().map(question).collect()
}

/// A JSON list, an object with the list `examples`, or JSON lines.
fn values(text: &str) -> Result<Vec<Value>, String> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(values)) => Ok(values),
        Ok(Value::Object(mut file)) => match file.remove("examples") {
            Some(Value::Array(examples)) => Ok(examples),
            _ => Ok(vec![Value::Object(file)]),
        },
        _ => (text.lines().enumerate())
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(number, line)| {
                serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))
            })
            .collect(),
    }
}

fn no_question(value: &Value) -> String {
    let mut shown = value.to_string();
    if let Some((end, _)) = shown.char_indices().nth(80) {
        shown.truncate(end);
        shown.push('…');
    }
    format!(
        "no question in {shown}: it is looked for in query, question, sQuestion, and Body with Question"
    )
}

fn question(value: &Value) -> Option<String> {
    let text = |field: &str| value[field].as_str();
    if let (Some(body), Some(question)) = (text("Body"), text("Question")) {
        let body = body.trim_end();
        let stop = match body.ends_with(['.', '?', '!', ',']) {
            true => "",
            false => ".",
        };
        return Some(format!("{body}{stop} {question}"));
    }
    let fields = ["query", "question", "sQuestion"].into_iter();
    Some(fields.filter_map(text).next()?.trim().to_owned())
}

/// None where the solution is no expression of whole numbers.
fn json_item(value: &Value) -> Result<Option<Item>, String> {
    let question = question(value).ok_or_else(|| no_question(value))?;
    Ok(solution(value).map(|(expressions, answer)| Item {
        question,
        named: Vec::new(),
        expressions,
        answer,
    }))
}

fn solution(value: &Value) -> Option<(Vec<Stated>, u32)> {
    let number = |value: &Value| match value {
        Value::Number(number) => whole_number(&number.to_string()),
        Value::String(text) => whole_number(text.rsplit("####").next()?),
        _ => None,
    };
    if let Some(equation) = value["lEquations"][0].as_str() {
        let expression = Expression::infix(equation.split_once('=')?.1)?;
        return Some((vec![(expression, None)], number(&value["lSolutions"][0])?));
    }
    if let Some(equation) = value["Equation"].as_str() {
        let expression = Expression::infix(equation)?;
        return Some((vec![(expression, None)], number(&value["Answer"])?));
    }
    let answer = number(&value["answer"])?;
    // The reasoning of the authors' lists, or the answer of GSM8K, which has it before the marks.
    let text = value["reasoning"].as_str().or(value["answer"].as_str())?;
    if let Some((_, expression)) = text.split_once("by calculating ") {
        return Some((vec![(Expression::infix(expression)?, None)], answer));
    }
    let marks = text.split("<<").skip(1);
    let expressions = marks.map(|mark| {
        let (expression, result) = mark.split_once(">>")?.0.split_once('=')?;
        Some((Expression::infix(expression)?, Some(whole_number(result)?)))
    });
    let expressions: Vec<_> = expressions.collect::<Option<_>>()?;
    (!expressions.is_empty()).then_some((expressions, answer))
}

/// Columns named Question, Numbers, Equation and Answer, with `number0` in question and equation.
fn columns(text: &str) -> Result<Vec<Option<Item>>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |name: &str| {
        (header.iter().position(|it| it.trim() == name)).ok_or_else(|| {
            format!("no column {name}: it is neither JSON nor a table with Question, Numbers, Equation and Answer")
        })
    };
    let columns = [
        column("Question")?,
        column("Numbers")?,
        column("Equation")?,
        column("Answer")?,
    ];
    let mut items = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let [question, numbers, equation, answer] =
            columns.map(|column| row.get(column).unwrap_or_default());
        items.push(row_item(question, numbers, equation, answer));
    }
    Ok(items)
}

fn row_item(question: &str, numbers: &str, equation: &str, answer: &str) -> Option<Item> {
    let named: Vec<u32> = (numbers.split_whitespace())
        .map(whole_number)
        .collect::<Option<_>>()?;
    let mut text = String::new();
    for word in question.split_whitespace() {
        let is_stop = matches!(word, "." | "," | "?" | "!" | ";" | ":" | "'s");
        if !text.is_empty() && !is_stop {
            text.push(' ');
        }
        match word.strip_prefix("number").map(str::parse::<usize>) {
            Some(Ok(place)) => text += &named.get(place)?.to_string(),
            _ => text += word,
        }
    }
    Some(Item {
        question: capitalized(&text),
        expressions: vec![(Expression::prefix(equation)?, None)],
        answer: whole_number(answer)?,
        named,
    })
}

/// The first letter of each sentence as a capital.
fn capitalized(text: &str) -> String {
    let mut begins = true;
    let mut capitalized = String::with_capacity(text.len());
    for c in text.chars() {
        match begins && c.is_alphanumeric() {
            true => capitalized.extend(c.to_uppercase()),
            false => capitalized.push(c),
        }
        if !c.is_whitespace() {
            begins = matches!(c, '.' | '?' | '!');
        }
    }
    capitalized
}

#[cfg(test)]
mod tests {
    use super::super::formula::Leaf;
    use super::*;

    fn leaf(value: u32) -> Box<Expression> {
        Box::new(Expression::Leaf(Leaf::Value(value)))
    }

    #[test]
    fn every_published_form_is_read() {
        use super::super::formula::Sign;
        let difference = Expression::Operation(leaf(76), Sign::Minus, leaf(25));
        let forms = [
            r#"[{"ID": "chal-1", "Body": "A pack costs 76 dollars, 25 less today", "Question": "What is it?",
                "Equation": "( 76.0 - 25.0 )", "Answer": 51.0}]"#,
            r#"[{"sQuestion": " A pack costs 76 dollars, 25 less today. What is it? ", "lEquations": ["X=(76.0-25.0)"],
                "lSolutions": [51.0]}]"#,
            r#"[{"query": "A pack costs 76 dollars, 25 less today. What is it?", "answer": "51",
                "reasoning": "The question is in type of Subtraction and we solve it by calculating ( 76.0 - 25.0 )"}]"#,
            "{\"question\": \"A pack costs 76 dollars, 25 less today. What is it?\", \"answer\": \"It is 76-25=$<<76-25=51>>51.\\n#### 51\"}\n\n",
        ];
        for form in forms {
            let read = read(form).expect("a sound file");
            let [item] = &read.items[..] else {
                panic!("{form}: {read:?}")
            };
            assert_eq!(
                item.question,
                "A pack costs 76 dollars, 25 less today. What is it?"
            );
            assert_eq!((item.answer, &item.expressions[0].0), (51, &difference));
            assert_eq!(read_questions(form), Ok(vec![item.question.clone()]));
        }
        let table = "Question,Numbers,Equation,Answer,Type\n\
            \"a pack costs number0 dollars , number1 less today . what is it ?\",76 25,- number0 number1,51.0,x\n";
        let items = read(table).expect("a table").items;
        assert_eq!(
            items[0].question,
            "A pack costs 76 dollars, 25 less today. What is it?"
        );
        assert_eq!((&items[0].named[..], items[0].answer), (&[76, 25][..], 51));
    }

    #[test]
    fn solutions_that_are_no_whole_numbers_are_counted() {
        let text = r#"[{"question": "How many?", "answer": "<<5*.5=2.5>>\n#### 2.5"},
            {"question": "How many?", "answer": "<<5*5=25>>\n#### 25"}, {"query": "Heads?", "answer": "no"}]"#;
        let read = read(text).expect("a sound file");
        assert_eq!((read.items.len(), read.without_expressions), (1, 2));
    }

    #[test]
    fn files_of_another_kind_are_refused() {
        let message = |text: &str| read(text).expect_err("no such file");
        assert!(message("").contains("no column Question"));
        assert!(message("[]").contains("no questions"));
        assert!(message("[{\"text\": 1}]").contains("no question in"));
        assert!(message("{\"question\": \"a\"}\n{oops").contains("line 2"));
        assert!(message("Question,Answer\n1,2\n").contains("no column Numbers"));
    }
}
