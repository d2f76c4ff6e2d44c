use super::*;

const SET: &str = r#"[
 {"sQuestion": " Ann had 64 pens. She lost 36 and put the rest into 4 boxes. How many pens are in each box? ",
  "lEquations": ["X=((64.0-36.0)/4.0)"], "lSolutions": [7.0]},
 {"sQuestion": "Ann had 12 pens. She lost 5. How many pens are left?", "lEquations": ["X=(12.0-5.0)"], "lSolutions": [7.0]},
 {"sQuestion": "ann had 90 pens. She lost 41. How many pens are left?", "lEquations": ["X=(90.0-41.0)"], "lSolutions": [49.0]},
 {"sQuestion": "Bob has 5 cats and 5 dogs. How many pets has he?", "lEquations": ["X=(5.0+5.0)"], "lSolutions": [10.0]},
 {"sQuestion": "Bob has 3 cats and 4 dogs. How many pets are that?", "lEquations": ["X=(3.0+4.0)"], "lSolutions": [8.0]},
 {"sQuestion": "Half of 5 pies?", "lEquations": ["X=(5.0*0.5)"], "lSolutions": [2.5]},
 {"sQuestion": "Eve had 9 and 8 and 7 and 6 figs. How many are that?", "lEquations": ["X=(9.0+8.0+7.0+6.0)"], "lSolutions": [30.0]},
 {"sQuestion": "Cid had 30 coins and twice as many stamps. He gave 10 stamps away. How many stamps are left?",
  "lEquations": ["X=((30.0*2.0)-10.0)"], "lSolutions": [50.0]}
]"#;

const EVALUATION: &str =
    r#"[{"query": "Eve had 1 and 2 and 3 and 4 figs - how many are that?", "answer": "10"}]"#;

fn read(max_steps: u32) -> Written {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("set.json"), SET).expect("written");
    fs::write(folder.path().join("eval.json"), EVALUATION).expect("written");
    let settings = WrittenSettings {
        share: 1.0,
        renumbered: 1.0,
        max_words: 30,
        max_steps,
        files: vec!["set.json".into()],
        evaluations: vec!["eval.json".into()],
    };
    Written::read(&settings, folder.path()).expect("sound files")
}

#[test]
fn what_is_left_out_is_counted() {
    let counts = read(6).counts();
    assert_eq!(
        Counts {
            train: 0,
            validation: 0,
            ..counts
        },
        Counts {
            overlaps: 1,
            repeated: 1,
            without_chain: 2,
            renumberable: 3,
            ..Counts::default()
        }
    );
    assert_eq!(counts.train + counts.validation, 4);
    assert_eq!(read(1).counts().too_long, 2);
}

/// What follows from the numbers in the text, by the chain as it is told.
fn checked(problem: &Problem) {
    let mut last = String::new();
    for step in problem.condensed_reasoning.split("; ") {
        let words: Vec<&str> = step.split(' ').collect();
        let number = |at: usize| -> i64 { words[at].parse().expect("a number") };
        let (left, right) = (number(0), number(2));
        let result = match words[1] {
            "+" => left + right,
            "-" => left - right,
            "*" => left * right,
            "/" => left / right,
            sign => panic!("{sign}"),
        };
        assert_eq!(number(4), result, "{step}");
        last = words[4].to_owned();
    }
    assert_eq!(last, problem.answer);
}

#[test]
fn with_other_numbers_a_chain_follows_its_text() {
    let written = read(6);
    let mut random = Random::new(1);
    let mut texts = HashSet::new();
    for _ in 0..500 {
        let problem = written.draw(&mut random, 6);
        checked(&problem);
        let values: Vec<u32> = numbers(&problem.query).iter().map(|it| it.value).collect();
        let name = problem.query.split(' ').next();
        let expected = match (name, &values[..]) {
            (Some("Ann"), &[had, lost, boxes]) => (had - lost) / boxes,
            (Some("Ann"), &[had, lost]) => had - lost,
            (Some("Bob"), &[5, 5]) => 10,
            (Some("Cid"), &[coins, gave]) => 2 * coins - gave,
            other => panic!("{other:?}: {}", problem.query),
        };
        assert_eq!(problem.answer, expected.to_string(), "{}", problem.query);
        texts.insert(problem.query);
    }
    assert!(texts.len() > 100, "{} texts", texts.len());
}

#[test]
fn lessons_limit_the_steps() {
    let mut random = Random::new(2);
    let written = read(6);
    let longest = (0..200).map(|_| written.draw(&mut random, 1).steps).max();
    assert_eq!(longest, Some(1));
}

#[test]
fn numbers_that_a_word_may_mean_keep_their_values() {
    let text = r#"[{"question": "Dan has 2 cats, twice as many dogs and 30 fish. How many pets has he?",
        "answer": "<<2*2=4>><<2+4+30=36>>\n#### 36"}]"#;
    let item = &files::read(text).expect("sound").items[0];
    assert!(!WrittenProblem::of(item).expect("a chain").is_renumberable);
}

#[test]
fn errors_name_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("set.json"), "[{}]").expect("written");
    let read = |file: &str| {
        let settings = WrittenSettings {
            share: 1.0,
            renumbered: 0.0,
            max_words: 30,
            max_steps: 6,
            files: vec![file.into()],
            evaluations: vec![],
        };
        let read = Written::read(&settings, folder.path());
        read.expect_err("no such set").to_string()
    };
    assert!(read("set.json").contains("set.json: no question in"));
    assert!(read("missing.json").contains("missing.json"));
}
