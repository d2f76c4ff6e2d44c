//! Manifests read, refused, written again.

use super::*;

fn manifest() -> Manifest {
    Manifest {
        format: 1,
        name: "mini".into(),
        description: "A pair for tests.".into(),
        license: "MIT".into(),
        implicit_tokens: 4,
        implicit_from: ImplicitFrom::ThoughtPositions,
        generator_passes: 1,
        prompts: Prompts {
            question: "Question: ".into(),
            reasoning: "<reason>".into(),
            answer: "<answer>".into(),
        },
        end_token: "<eos>".into(),
        max_tokens: 96,
        files: Files {
            target: ModelFile::of("target.gguf", b"target"),
            generator: ModelFile::of("generator.gguf", b"generator"),
            sentence_transformer: None,
        },
        training: serde_json::json!({"seed": 1}),
        accuracy: vec![Accuracy {
            family: "arithmetic".into(),
            mode: "implicit".into(),
            n: 1000,
            strict: 0.98,
            more: Default::default(),
        }],
        alignment: vec![Alignment {
            family: "arithmetic".into(),
            n: 500,
            bank: 99,
            own_first: 0.9,
        }],
    }
}

#[test]
fn what_is_written_is_read_back() {
    let manifest = manifest();
    assert_eq!(Manifest::parse(manifest.to_json().as_bytes()), Ok(manifest));
}

/// Found by fuzzing: read in a hurry, this number is one unit in its last place off.
#[test]
fn a_number_of_eighteen_digits_is_read_to_its_nearest_double() {
    let mut manifest = manifest();
    manifest.training = serde_json::from_str("{\"score\": 1.98729646666666667}").unwrap();
    let read = Manifest::parse(manifest.to_json().as_bytes()).unwrap();
    assert_eq!(read.training["score"], 1.987_296_466_666_666_6_f64);
    assert_eq!(read, manifest);
}

#[test]
fn a_path_that_leaves_the_folder_is_refused() {
    for path in [
        "../target.gguf",
        "/target.gguf",
        "a/b",
        "a\\b",
        "",
        ".hidden",
        "https:x",
        "a b",
    ] {
        let mut manifest = manifest();
        manifest.files.target.path = path.into();
        let error = Manifest::parse(manifest.to_json().as_bytes()).unwrap_err();
        assert_eq!(error.code(), "manifest_field", "{path}");
        assert!(error.to_string().contains("files.target.path"), "{error}");
    }
}

#[test]
fn a_split_model_lists_all_of_its_files_in_their_order() {
    let part = |index: usize| {
        let path = format!("target-0000{index}-of-00003.gguf");
        ModelFile::of(&path, path.as_bytes())
    };
    let mut manifest = manifest();
    manifest.files.target = ModelFile {
        rest: vec![part(2), part(3)],
        ..part(1)
    };
    let read = Manifest::parse(manifest.to_json().as_bytes()).unwrap();
    assert_eq!(read, manifest);
    let wrong: [fn(&mut ModelFile); 5] = [
        |it| it.rest.clear(),
        |it| it.rest.swap(0, 1),
        |it| it.rest[1].path = "../target-00003-of-00003.gguf".into(),
        |it| it.rest[1].bytes = 0,
        |it| it.rest[1].rest = vec![it.rest[0].clone()],
    ];
    for (index, breaks) in wrong.iter().enumerate() {
        let mut manifest = manifest.clone();
        breaks(&mut manifest.files.target);
        let error = Manifest::parse(manifest.to_json().as_bytes()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("files.target.rest"), "case {index}: {text}");
    }
}

#[test]
fn numbers_and_digests_out_of_range_are_refused() {
    let broken: [fn(&mut Manifest); 11] = [
        |it| it.format = 2,
        |it| it.implicit_tokens = 0,
        |it| it.max_tokens = u32::MAX,
        |it| it.generator_passes = 0,
        |it| it.generator_passes = 17,
        |it| {
            it.generator_passes = 2;
            it.implicit_from = ImplicitFrom::LastQuestionToken;
        },
        |it| it.files.generator.bytes = 0,
        |it| it.files.generator.bytes = u64::MAX,
        |it| it.files.target.sha256 = "ABC".into(),
        |it| it.accuracy[0].strict = 1.5,
        |it| it.alignment[0].own_first = -0.1,
    ];
    for (index, breaks) in broken.iter().enumerate() {
        let mut manifest = manifest();
        breaks(&mut manifest);
        let error = Manifest::parse(manifest.to_json().as_bytes()).unwrap_err();
        assert_eq!(error.code(), "manifest_field", "case {index}");
    }
}

#[test]
fn a_generator_goes_over_its_thoughts_once_where_nothing_is_said() {
    let mut manifest = manifest();
    assert!(!manifest.to_json().contains("generator_passes"));
    manifest.generator_passes = 4;
    let again = Manifest::parse(manifest.to_json().as_bytes()).unwrap();
    assert_eq!(again.generator_passes, 4);
}

#[test]
fn a_familys_alignment_is_recorded_once() {
    let mut manifest = manifest();
    for (family, own_first) in [("coin", 0.5), ("arithmetic", 0.7), ("coin", 0.6)] {
        manifest.record_alignment(Alignment {
            family: family.into(),
            n: 10,
            bank: 9,
            own_first,
        });
    }
    let again = Manifest::parse(manifest.to_json().as_bytes()).unwrap();
    let recorded: Vec<_> = again.alignment.iter().map(|it| it.own_first).collect();
    assert_eq!(recorded, [0.7, 0.6]);
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    let json = manifest()
        .to_json()
        .replacen("\"name\"", "\"naem\": 1, \"name\"", 1);
    let error = Manifest::parse(json.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("naem"), "{error}");
}

#[test]
fn another_file_than_the_named_one_is_noticed() {
    let file = ModelFile::of("target.gguf", b"target");
    assert_eq!(file.verify(6, &file.sha256), Ok(()));
    assert_eq!(
        file.verify(7, &file.sha256).unwrap_err().code(),
        "manifest_mismatch"
    );
    let other = ModelFile::of("target.gguf", b"Target");
    assert_eq!(
        file.verify(6, &other.sha256).unwrap_err().code(),
        "manifest_mismatch"
    );
}
