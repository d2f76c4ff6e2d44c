//! The method against its authors' code: tiny models with random weights, and what the published algorithm makes of them
//! (`semcot/` of the folder that `SEMCOT_FIXTURES` names, by default `../shared/fixtures`). Our training, with every
//! setting at its published value (`settings.rs`), has to give the same hidden states, embeddings, losses, gradients,
//! parameters after steps, selected epochs and answers, within each value's tolerance.
//!
//! Whatever pairs lie there are checked. A value of the folder that is neither compared nor passed over for a stated
//! reason fails the test. `cargo test --release --features train --test published -- --nocapture` prints the counts and
//! the largest differences.

#![cfg(feature = "train")]

mod baselines;
mod checks;
mod forward;
mod inference;
mod pair;
mod phases;
mod settings;

use std::path::{Path, PathBuf};

use checks::Checks;
use pair::Pair;
use semcot::formats::manifest::ImplicitFrom;
use semcot::train::config::{
    BatchLoss, Directions, Embeddings, ProjectionPhase, SentenceAttention,
};
use semcot::train::kernels::Kernels;

/// Values that a pair has to have for its check to mean anything.
const LEAST_VALUES: usize = 1000;

/// The folder with the pairs; `None`, with a line printed, where there is no folder of reference values.
fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("SEMCOT_FIXTURES").map(PathBuf::from);
    let is_named = named.is_some();
    let root = named
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"));
    let folder = root.join("semcot");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        !is_named,
        "SEMCOT_FIXTURES names {}, which has no folder semcot",
        root.display()
    );
    println!("semcot: no reference folder here, nothing checked");
    None
}

fn pairs(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be listed");
    let mut pairs: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the entry can be read").path())
        .filter(|path| path.join("manifest.json").is_file())
        .collect();
    pairs.sort();
    assert!(!pairs.is_empty(), "{} has no pairs", folder.display());
    pairs
}

/// A setting at another than its published value.
type Change = fn(&mut Pair);

const CHANGES: [(&str, Change); 9] = [
    ("implicit_from", |pair| {
        pair.generator.implicit_from = ImplicitFrom::ThoughtPositions;
    }),
    ("answer_end", |pair| {
        pair.generator_settings.answer_end = true;
    }),
    ("batch_loss", |pair| {
        pair.generator_settings.batch_loss = BatchLoss::Mean;
    }),
    ("embeddings", |pair| {
        pair.generator_settings.embeddings = Embeddings::All;
    }),
    ("decay_frozen_rows", |pair| {
        pair.generator_settings.decay_frozen_rows = false;
    }),
    ("projection_phase", |pair| {
        pair.generator_settings.projection_phase = ProjectionPhase::ProjectionAndThought;
    }),
    ("temperature", |pair| {
        pair.sentence_settings.temperature = 0.9;
    }),
    ("directions", |pair| {
        pair.sentence_settings.directions = Directions::Both;
    }),
    ("attention", |pair| {
        pair.sentence_settings.attention = SentenceAttention::Causal;
    }),
];

#[test]
fn every_setting_that_is_not_published_shows_in_the_values() {
    let Some(folder) = folder() else { return };
    for path in pairs(&folder) {
        for (setting, change) in CHANGES {
            let mut pair = Pair::read(&path, Kernels::Composed);
            change(&mut pair);
            let mut checks = Checks::new(&pair);
            forward::check(&pair, &mut checks);
            phases::check(&pair, &mut checks);
            let found = checks.failures.len();
            println!("pair {}, {setting}: {found} arrays are off", pair.name());
            assert!(found > 0, "{setting} does not matter");
        }
    }
}

#[test]
fn training_with_published_settings_equals_the_published_code() {
    let Some(folder) = folder() else { return };
    let mut failures = Vec::new();
    for path in pairs(&folder) {
        // Models whose heads the fused kernels know are checked with both.
        for kernels in [Kernels::Composed, Kernels::Fused] {
            let pair = Pair::read(&path, kernels);
            if kernels == Kernels::Fused && !pair.has_fused_kernels() {
                continue;
            }
            let mut checks = Checks::new(&pair);
            forward::check(&pair, &mut checks);
            phases::check(&pair, &mut checks);
            inference::check(&pair, &mut checks);
            baselines::check(&pair, &mut checks);
            checks.fail_for_rest();
            let compared = checks.print(&format!("{} ({kernels:?})", pair.name()));
            assert!(compared >= LEAST_VALUES, "{compared} values are too few");
            failures.extend(checks.failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
