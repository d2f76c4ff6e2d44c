//! The official answer rule against what the authors' own code says of the fixtures' answers.

use std::path::PathBuf;

use semcot::evaluation::AnswerKind;
use serde_json::Value;

#[test]
fn the_official_rule_judges_as_the_authors_code_does() {
    let named = std::env::var_os("SEMCOT_FIXTURES").map(PathBuf::from);
    let is_named = named.is_some();
    let fixtures = named
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"));
    let path = fixtures.join("semcot/answers.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        assert!(!is_named, "SEMCOT_FIXTURES has no {}", path.display());
        println!("no {}: nothing is checked", path.display());
        return;
    };
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let field = |name: &str| case[name].as_str().expect("a text");
        let kind = match field("data_set") {
            "coin_flip" => AnswerKind::YesNo,
            "commonsense_qa" => AnswerKind::Letter,
            _ => AnswerKind::Number,
        };
        let official = case["official"].as_bool().expect("a verdict");
        assert_eq!(
            kind.is_right_officially(field("text"), field("answer")),
            official,
            "{case}"
        );
        assert_eq!(AnswerKind::of(field("answer")), Some(kind), "{case}");
    }
    println!("{} verdicts compared", cases.len());
}
