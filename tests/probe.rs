//! Probing the shipped pair: states of questions, and answers from the implicit tokens of other questions.

#![cfg(not(target_arch = "wasm32"))]

use std::ops::ControlFlow;
use std::path::Path;

use semcot::cpu::{CpuModelOptions, CpuPair, NoPause};
use semcot::evaluation::probe::{Place, probe};
use semcot::model::run::Inspect;
use semcot::problems::{Family, Problem, Settings, Split, generate};
use semcot::reasoning::folder::Folder;
use semcot::reasoning::loading::{load_on_cpu, load_on_simd};
use semcot::reasoning::{AskOptions, InspectOptions, Mode, Pair, States};
use semcot::reference::ExecutorOptions;

fn folder() -> Folder {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mini");
    Folder::open(&path).expect("the shipped pair")
}

async fn pair() -> Pair<CpuPair> {
    let folder = folder();
    let (target, generator) = (
        folder.target().await.expect("a target"),
        folder.generator().await.expect("a generator"),
    );
    let options = CpuModelOptions::default();
    load_on_simd(&folder.manifest, &target, &generator, options, NoPause)
        .await
        .expect("a pair")
}

fn problems(family: Family, split: Split, count: usize) -> Vec<Problem> {
    let problems = generate(family, split, 5, &Settings::default());
    problems.expect("sound settings").take(count).collect()
}

#[test]
fn a_question_with_its_own_implicit_tokens_is_answered_as_ever_and_with_others_by_them() {
    pollster::block_on(async {
        let mut pair = pair().await;
        let options = AskOptions::new(Mode::Implicit);
        let asked = problems(Family::Arithmetic, Split::Heldout, 8);
        let (mut followed, mut n) = (0, 0);
        for (problem, other) in asked.iter().zip(&asked[1..]) {
            let go_on = |_| ControlFlow::Continue(());
            let usual = pair
                .ask(&problem.query, &options, go_on)
                .await
                .expect("an answer");
            let own = pair
                .ask_with_implicit_tokens_of(&problem.query, &problem.query, &options)
                .await;
            let own = own.expect("an answer");
            assert_eq!((own.token_ids, own.implicit_tokens), (usual.token_ids, 4));
            let swapped = pair
                .ask_with_implicit_tokens_of(&problem.query, &other.query, &options)
                .await;
            if problem.answer != other.answer {
                n += 1;
                followed += u32::from(swapped.expect("an answer").answer == other.answer);
            }
        }
        assert!(n >= 4, "too few pairs with different answers");
        assert!(
            followed > 0,
            "no answer follows the implicit tokens, of {n}"
        );
    });
}

async fn states<E: Inspect>(pair: &mut Pair<E>, question: &str) -> States
where
    E::Error: std::fmt::Debug,
{
    pair.states(question, None).await.expect("states")
}

#[test]
fn states_are_the_implicit_tokens_and_those_of_the_question_alone_on_engine_and_twin() {
    pollster::block_on(async {
        let mut fast = pair().await;
        let files = folder();
        let (target, generator) = (
            files.target().await.expect("a target"),
            files.generator().await.expect("a generator"),
        );
        let mut twin = load_on_cpu(
            &files.manifest,
            &target,
            &generator,
            ExecutorOptions::default(),
        )
        .await
        .expect("a pair");
        let question = &problems(Family::Coin, Split::Heldout, 1)[0].query;
        let found = states(&mut fast, question).await;
        let looked = fast
            .inspect(question, &InspectOptions::default())
            .await
            .expect("a look");
        assert_eq!(found.implicit_tokens, looked.values);
        let expected = states(&mut twin, question).await;
        let near = |found: &[f32], expected: &[f32]| {
            assert_eq!(found.len(), expected.len());
            // Keys and values are kept in half precision by both, activations in 16 bits by one.
            let largest = expected.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
            let off = found
                .iter()
                .zip(expected)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(off < 0.02 * largest, "{off} of {largest}");
        };
        near(&found.implicit_tokens, &expected.implicit_tokens);
        near(
            &found.question_in_generator,
            &expected.question_in_generator,
        );
        near(&found.question_in_target, &expected.question_in_target);
        assert_ne!(found.question_in_generator, found.implicit_tokens[..64]);
    });
}

#[test]
fn probes_name_where_they_read_and_find_more_than_chance_in_the_implicit_tokens() {
    pollster::block_on(async {
        let mut pair = pair().await;
        let train = problems(Family::Coin, Split::Train, 150);
        let heldout = problems(Family::Coin, Split::Heldout, 60);
        let found = probe(&mut pair, &train, &heldout, None, |_| {})
            .await
            .expect("probes");
        assert_eq!(
            (found.n, found.fitted_on, found.implicit_tokens),
            (60, 150, 4)
        );
        let at = |from: Place, step: Option<u32>| {
            let mut probes = found.probes.iter();
            *probes
                .find(|it| it.from == from && it.step == step)
                .map(|it| &it.right)
                .expect("a probe")
        };
        let read = at(Place::AllImplicitTokens, None);
        let chance = found
            .probes
            .iter()
            .find(|it| it.step.is_none())
            .expect("a probe")
            .chance;
        assert!(
            read.interval.low > chance.interval.high,
            "{read:?}, by chance {chance:?}"
        );
        // Eight people at most: eight steps, the last of them apart, and four places beside each of the four tokens.
        assert_eq!(found.probes.len(), 9 * 7);
        let swaps = &found.swaps;
        assert!(swaps.n > 20, "{swaps:?}");
        let sum = swaps.followed_vectors.share
            + swaps.followed_question.share
            + swaps.followed_neither.share;
        assert!((sum - 1.0).abs() < 1e-9, "{swaps:?}");
    });
}
