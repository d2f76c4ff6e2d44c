use super::*;

const SPECIALS: [&str; 4] = ["<eos>", "<reason>", "<answer>", "<thought>"];

fn trained() -> Tokenizer {
    let texts = [
        "Question: Tom has 5 apples. He buys 15 more apples.",
        "We start with 5. Then 15 more come.",
    ];
    let texts = (0..4).flat_map(|_| texts).map(str::to_owned);
    train_tokenizer(texts, 330, &SPECIALS).expect("a small vocabulary can be learned")
}

#[test]
fn every_text_comes_back_from_its_ids() {
    let tokenizer = trained();
    for text in [
        "",
        " ",
        "Tom has 5 apples.",
        "  zwölf\n\n\t",
        "🙂👩‍👩‍👧 한국",
        "a\u{0}b",
        "<answer>",
        "1,234.5",
    ] {
        assert_eq!(tokenizer.decode(&tokenizer.encode_text(text)), text);
    }
}

#[test]
fn control_tokens_are_found_in_prompts_and_never_in_what_a_person_wrote() {
    let tokenizer = trained();
    let answer = tokenizer
        .token_id("<answer>")
        .expect("a special token has an id");
    for text in ["<answer>", "is <answer> here", "<answer><eos>"] {
        let ids = tokenizer.encode_text(text);
        assert!(
            ids.iter().all(|&id| !tokenizer.is_control(id)),
            "{text}: {ids:?}"
        );
        assert_eq!(tokenizer.decode(&ids), text);
        assert!(tokenizer.encode_prompt(text).contains(&answer));
    }
    assert_eq!(tokenizer.encode_prompt("<reason>"), [1]);
    assert_eq!(
        tokenizer.encode_prompt("<answer>5<eos>").first(),
        Some(&answer)
    );
}

#[test]
fn decoding_leaves_control_tokens_out_unless_asked() {
    let tokenizer = trained();
    let ids = tokenizer.encode_prompt("<answer>15<eos>");
    assert_eq!(tokenizer.decode(&ids), "15");
    assert_eq!(tokenizer.decode_with_specials(&ids), "<answer>15<eos>");
    assert_eq!(tokenizer.decode(&[u32::MAX]), "");
}

#[test]
fn every_digit_and_every_byte_is_a_token_of_its_own() {
    let tokenizer = trained();
    assert_eq!(tokenizer.encode_text("15").len(), 2);
    assert_eq!(tokenizer.encode_text(" 15").len(), 3);
    for byte in 0..=255u8 {
        let token = bytes::to_char(byte).to_string();
        let id = tokenizer.token_id(&token).expect("every byte has a token");
        assert_eq!(tokenizer.bytes_of(id), [byte]);
    }
}

#[test]
fn a_stream_gives_whole_characters_only_and_all_of_the_text() {
    let tokenizer = trained();
    let text = "a🙂b 안녕 é apples";
    let mut stream = tokenizer.stream();
    let mut all = String::new();
    for id in tokenizer.encode_text(text) {
        let piece = stream.push(id);
        assert!(!piece.contains(char::REPLACEMENT_CHARACTER), "{piece:?}");
        all.push_str(&piece);
    }
    assert_eq!(all, text);
    assert_eq!(stream.finish(), "");
}

#[test]
fn a_stream_says_where_bytes_are_not_text() {
    let tokenizer = trained();
    let id = |byte: u8| {
        tokenizer
            .token_id(&bytes::to_char(byte).to_string())
            .expect("every byte has a token")
    };
    let mut stream = tokenizer.stream();
    assert_eq!(stream.push(id(0xf0)), "");
    assert_eq!(stream.push(id(b'a')), "\u{fffd}a");
    assert_eq!(stream.push(id(0xe2)), "");
    assert_eq!(stream.finish(), "\u{fffd}");
}

#[test]
fn training_twice_gives_the_same_tables() {
    assert_eq!(trained().to_vocabulary(), trained().to_vocabulary());
    assert!(
        trained().token_id("\u{120}apples").is_some(),
        "a frequent word is one token"
    );
}

#[test]
fn json_and_vocabulary_describe_the_same_tokenizer() {
    let tokenizer = trained();
    let from_json =
        Tokenizer::from_json(tokenizer.to_json().as_bytes()).expect("what is written can be read");
    let from_tables =
        Tokenizer::from_vocabulary(tokenizer.to_vocabulary()).expect("the tables are whole");
    let text = "Tom has 15 apples <answer>.";
    for other in [&from_json, &from_tables] {
        assert_eq!(other.encode_text(text), tokenizer.encode_text(text));
        assert_eq!(other.encode_prompt(text), tokenizer.encode_prompt(text));
        assert_eq!(
            other.to_vocabulary().tokens,
            tokenizer.to_vocabulary().tokens
        );
    }
}

#[test]
fn tables_that_do_not_fit_together_are_errors_that_say_so() {
    let good = trained().to_vocabulary();
    let error = |change: &dyn Fn(&mut Vocabulary)| {
        let mut vocabulary = good.clone();
        change(&mut vocabulary);
        Tokenizer::from_vocabulary(vocabulary)
            .expect_err("the tables are damaged")
            .to_string()
    };
    assert!(error(&|v| v.model = "t5".to_owned()).contains("t5"));
    assert!(error(&|v| v.tokens[9] = v.tokens[8].clone()).contains("tokens 8 and 9"));
    let without_scores = |v: &mut Vocabulary| {
        v.model = "llama".to_owned();
        v.merges.clear();
    };
    assert!(error(&without_scores).contains("0 scores"));
    assert!(error(&|v| v.pre = "tekken".to_owned()).contains("tekken"));
    assert!(error(&|v| v.token_types.truncate(3)).contains("3 token types"));
    assert!(error(&|v| v.merges.push("oneword".to_owned())).contains("oneword"));
    assert!(error(&|v| v.merges.push("qx such".to_owned())).contains("qx"));
    assert!(error(&|v| v.eos_id = Some(9999)).contains("9999"));
    assert!(error(&|v| v.tokens.clear()).contains("0 tokens"));
}

/// Tokens of SentencePiece with their types and scores; bytes have no tokens but the one of a line feed.
fn sentencepiece(tokens: &[(&str, TokenType, f32)]) -> Vocabulary {
    Vocabulary {
        model: "llama".to_owned(),
        tokens: tokens.iter().map(|it| it.0.to_owned()).collect(),
        token_types: tokens.iter().map(|it| it.1.number()).collect(),
        scores: tokens.iter().map(|it| it.2).collect(),
        add_space_prefix: true,
        ..Vocabulary::default()
    }
}

#[test]
fn sentencepiece_joins_the_best_score_first_and_of_equal_ones_the_leftmost() {
    use TokenType::{Byte, Control, Normal, Unknown};
    let tables = sentencepiece(&[
        ("<unk>", Unknown, 0.0),
        ("<s>", Control, 0.0),
        ("<0x0A>", Byte, 0.0),
        ("\u{2581}", Normal, -9.0),
        ("a", Normal, -9.0),
        ("b", Normal, -9.0),
        ("ab", Normal, -2.0),
        ("ba", Normal, -1.0),
        ("aa", Normal, -3.0),
        ("s>", Normal, -1.0),
        ("<", Normal, -9.0),
    ]);
    let tokenizer = Tokenizer::from_vocabulary(tables).expect("the tables are whole");
    assert_eq!(tokenizer.encode_text("aba"), [3, 4, 7]);
    assert_eq!(tokenizer.encode_text("aaa"), [3, 8, 4]);
    // A byte without a token is unknown; no text becomes a control token.
    assert_eq!(tokenizer.encode_text("\n\t"), [3, 2, 0]);
    assert_eq!(tokenizer.encode_text("<s>"), [3, 10, 9]);
    assert_eq!(tokenizer.encode_prompt("<s>a"), [1, 3, 4]);
    assert_eq!(tokenizer.decode(&[1, 3, 4, 2]), "a\n");
}
