//! Every parser of bytes from outside, on files broken at random: each input ends in a value or an
//! error, within a second and 256 MB. Seeds are in `fuzz/corpus`; `fuzz/targets` drives the same
//! functions by coverage (`fuzz/README.md`).
//!
//! `SEMCOT_FUZZ_SECONDS` gives every parser so much time instead of its fixed number of trials.

#![cfg(not(target_arch = "wasm32"))]

mod memory;
mod mutate;
#[path = "../../fuzz/parsers.rs"]
mod parsers;
mod seeds;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mutate::{Random, mutated};
use parsers::{PARSERS, Parser};

/// Seed of the broken files, printed with each failure.
const SEED: u64 = 11;
/// Broken files tried of each parser.
const TRIALS: u64 = 10_000;
const MOST_TIME: Duration = Duration::from_secs(1);
const MOST_BYTES: usize = 256 << 20;

fn corpus(parser: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(parser)
}

fn seeds_of(parser: &str) -> Vec<Vec<u8>> {
    let folder = corpus(parser);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|it| panic!("{folder:?}: {it}"));
    let mut paths: Vec<PathBuf> = entries.map(|it| it.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| std::fs::read(path).unwrap();
    paths.iter().map(read).collect()
}

/// Whether the bytes are read; what they break ends the test with a file that repeats it.
fn run(name: &str, parser: Parser, bytes: &[u8], trial: &str) -> bool {
    let fail = |what: &str| -> ! {
        let path = std::env::temp_dir().join(format!("semcot-fuzz-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        panic!("{name}, {trial}: {what}; the input is {}", path.display());
    };
    // A busy machine may hold one attempt up, not three.
    for attempt in 1.. {
        let start = Instant::now();
        let (outcome, peak_bytes) =
            memory::measured(|| catch_unwind(AssertUnwindSafe(|| parser(bytes))));
        let elapsed = start.elapsed();
        let Ok(is_read) = outcome else {
            fail("it panics");
        };
        if peak_bytes > MOST_BYTES {
            fail(&format!("it takes {peak_bytes} bytes"));
        }
        if elapsed <= MOST_TIME {
            return is_read;
        }
        if attempt == 3 {
            fail(&format!("it takes {elapsed:?}"));
        }
    }
    unreachable!("the third attempt returns or fails")
}

fn fuzz(name: &str) {
    let &(_, parser) = PARSERS.iter().find(|it| it.0 == name).unwrap();
    let seeds = seeds_of(name);
    for (index, seed) in seeds.iter().enumerate() {
        assert!(
            run(name, parser, seed, "whole"),
            "seed {index} of {name} is refused"
        );
    }
    let time = std::env::var("SEMCOT_FUZZ_SECONDS").ok();
    let time = time.map(|it| Duration::from_secs(it.parse().expect("a number of seconds")));
    let (start, mut random) = (Instant::now(), Random(SEED));
    let (mut trials, mut is_read) = (0, 0);
    while time.map_or(trials < TRIALS, |time| start.elapsed() < time) {
        let broken = mutated(&seeds, &mut random);
        let trial = format!("trial {trials} of seed {SEED}");
        is_read += u64::from(run(name, parser, &broken, &trial));
        trials += 1;
    }
    println!(
        "{name}: {trials} broken files in {:.0?}, {is_read} read",
        start.elapsed()
    );
    // Neither do all mutations pass nor does everything end at the first check.
    assert!(
        is_read > 0 && is_read < trials,
        "{is_read} of {trials} are read"
    );
}

macro_rules! fuzzed {
    ($($test:ident $parser:literal)*) => {$(
        #[test]
        fn $test() {
            fuzz($parser);
        }
    )*
        #[test]
        fn every_parser_is_fuzzed() {
            let names: Vec<&str> = PARSERS.iter().map(|it| it.0).collect();
            assert_eq!(names, [$($parser),*]);
            for name in names {
                let target = format!("fuzz/targets/{name}.rs");
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&target).is_file(), "{target}");
            }
        }
    };
}

fuzzed! {
    broken_gguf_files_end_in_a_value_or_an_error "gguf"
    broken_safetensors_files_end_in_a_value_or_an_error "safetensors"
    broken_pickles_end_in_a_value_or_an_error "pickle"
    broken_manifests_end_in_a_value_or_an_error "manifest"
    broken_tokenizer_json_ends_in_a_value_or_an_error "tokenizer_json"
    broken_sentencepiece_models_end_in_a_value_or_an_error "sentencepiece"
    broken_checkpoint_configurations_end_in_a_value_or_an_error "config_json"
    broken_questions_end_in_a_value_or_an_error "questions"
}
