//! What a generator's steps are supervised by, and what its lessons draw.

use semcot::problems::Family;
use semcot::train::config::{
    Lesson, Mixture, StepSupervisionAfter, StepSupervisionBy, StepSupervisionOf,
};
use semcot::train::examples::{Purpose, Stream};
use semcot::train::generator::GeneratorStage;
use semcot::train::gradients::Part;
use semcot::train::optimizer::Change;
use semcot::train::source::{Forced, Source};
use semcot::train::stages::{Backend, Run};
use semcot::train::trainer::{Begin, Stage};

use super::{config, folder, method};

/// A generator's stage before training, on a target that has hardly learnt.
fn with_stage(name: &str, check: impl Fn(GeneratorStage<'_>)) {
    let folder = folder(name);
    let settings = "alignment_projection = \"own\"\nstep_supervision = 0.5";
    let mut config = config(&folder, "run", &method("semcot", settings));
    config.target.schedule.steps = 2;
    let run = Run::new(config, folder.join("run"), Begin::Anew, Backend::Flex);
    run.train_tokenizer().expect("the tokenizer trains");
    run.train_target().expect("the target trains");
    let vocabulary = run.vocabulary().expect("the tokenizer is trained");
    let target = run.target(&vocabulary).expect("the target is trained");
    let device = Backend::Flex.device();
    let stage = GeneratorStage::new(&run.config, &vocabulary, target, None, &device);
    check(stage.expect("the problems can be drawn"));
}

#[test]
fn only_projections_and_thought_train_in_the_projections_phase() {
    with_stage("projections", |mut stage| {
        let names: Vec<String> = (stage.parameters().into_iter())
            .map(|(name, _)| name)
            .collect();
        let trains = |name: &&String| matches!(stage.change(name, 0), Change::Step(_));
        let training: Vec<&String> = names.iter().filter(trains).collect();
        assert_eq!(
            training,
            [
                "thought",
                "projection.weight",
                "projection.bias",
                "alignment_projection.weight",
                "alignment_projection.bias"
            ]
        );
    });
}

#[test]
fn all_results_are_asked_for_with_the_weight_of_one() {
    with_stage("results", |mut stage| {
        let mut loss = |k, of| {
            stage.settings.implicit_tokens = k;
            stage.settings.step_supervision_of = of;
            let loss = stage.loss(0, Part::WHOLE).expect("the loss is computed");
            let steps = loss.terms.iter().find(|(name, _)| *name == "loss_steps");
            steps.expect("steps are supervised").1
        };
        // Where there is one to ask for, it is the one that is drawn.
        let [all, drawn] = [StepSupervisionOf::All, StepSupervisionOf::Drawn].map(|of| loss(2, of));
        assert_eq!(all, drawn);
        // Of several the mean, which is of the size of one.
        let [all, drawn] = [StepSupervisionOf::All, StepSupervisionOf::Drawn].map(|of| loss(5, of));
        assert_ne!(all, drawn);
        assert!((all / drawn - 1.0).abs() < 0.5, "{all}, {drawn}");
    });
}

#[test]
fn each_state_of_a_step_names_one_token_of_its_result() {
    with_stage("named", |mut stage| {
        stage.settings.implicit_tokens = 4;
        stage.settings.vectors_per_step = 2;
        stage.settings.step_supervision_by = StepSupervisionBy::Generator;
        let count = stage.settings.schedule.batch;
        let examples = stage.batches.examples(0, count).expect("problems");
        let questions: Vec<&[u32]> = (examples.iter())
            .map(|example| example.generator_question.as_slice())
            .collect();
        let Source::Generator(generator) = &stage.source else {
            panic!("the method has a generator");
        };
        let states = generator.hidden(&questions, 4);
        let logits = generator.model.logits(states).inner();
        let [_, size] = logits.dims();
        let logits = logits.try_into_vec_as::<f32>().expect("f32");
        let cost = |row: usize, token: u32| {
            let row = &logits[row * size..(row + 1) * size];
            let sum: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
            sum.ln() - f64::from(row[token as usize])
        };
        // A step of arithmetic has two vectors; two people or more are gone through in two halves.
        let mut costs = Vec::new();
        for (question, example) in examples.iter().enumerate() {
            let all = example.intermediate.len();
            let results = match example.family {
                Family::Coin => vec![all.div_ceil(2), all],
                _ => (1..=all.min(2)).collect(),
            };
            for (part, result) in results.into_iter().enumerate() {
                let tokens = &example.intermediate[result - 1];
                for i in 0..2 {
                    let token = tokens.get(i).copied().unwrap_or(stage.frame.end);
                    costs.push(cost(question * 4 + part * 2 + i, token));
                }
            }
        }
        let expected = costs.iter().sum::<f64>() / costs.len() as f64;
        let loss = stage.loss(0, Part::WHOLE).expect("the loss is computed");
        let found = loss.terms.iter().find(|(name, _)| *name == "loss_steps");
        let found = f64::from(found.expect("steps are supervised").1);
        assert!((found - expected).abs() < 1e-4, "{found}, {expected}");
    });
}

#[test]
fn teacher_forcing_gives_the_results_of_first_steps_and_never_the_last() {
    with_stage("forced", |mut stage| {
        let k = 8;
        stage.settings.implicit_tokens = k;
        stage.settings.vectors_per_step = 2;
        stage.settings.teacher_forcing = 1.0;
        let examples = stage.batches.examples(0, 64).expect("problems");
        let all: Vec<usize> = (0..64).collect();
        let forced = stage.forced(0, &examples, &all);
        assert_eq!(forced.thoughts.len(), forced.tokens.len());
        let mut first = 0;
        for (question, example) in examples.iter().enumerate() {
            let is_its = |&&thought: &&usize| (question * k..(question + 1) * k).contains(&thought);
            let thoughts = &forced.thoughts[first..];
            let count = thoughts.iter().take_while(is_its).count();
            assert!(
                thoughts[..count]
                    .iter()
                    .copied()
                    .eq(question * k..question * k + count)
            );
            if example.family != Family::Coin {
                let steps = example.intermediate.len().min(k / 2);
                assert!(
                    count / 2 < steps && (steps == 1 || count > 0),
                    "{count} of {steps}"
                );
                let results = example.intermediate[..count / 2].iter();
                let tokens: Vec<u32> = results
                    .flat_map(|result| [result[0], *result.get(1).unwrap_or(&stage.frame.end)])
                    .collect();
                assert_eq!(forced.tokens[first..first + count], tokens);
            }
            first += count;
        }
        assert_eq!(first, forced.thoughts.len());
        // A part of the batch is forced as the whole is.
        let later = stage.forced(0, &examples, &all[32..]);
        let moved = (later.thoughts.iter()).map(|thought| thought + 32 * k);
        assert!(forced.thoughts.ends_with(&moved.collect::<Vec<usize>>()));
        stage.settings.teacher_forcing = 0.0;
        assert_eq!(stage.forced(0, &examples, &all), Forced::default());
    });
}

#[test]
fn each_pass_is_asked_for_the_steps_that_it_has_reached() {
    with_stage("passes", |mut stage| {
        let settings = &mut stage.settings;
        settings.implicit_tokens = 12;
        settings.vectors_per_step = 2;
        assert_eq!(settings.asked_passes(4), [(3, 12)]);
        settings.step_supervision_after = StepSupervisionAfter::EachPass;
        assert_eq!(settings.asked_passes(4), [(0, 4), (1, 6), (2, 10), (3, 12)]);
        assert_eq!(settings.asked_passes(3), [(0, 4), (1, 8), (2, 12)]);
        assert_eq!(settings.asked_passes(1), [(0, 12)]);
    });
}

#[test]
fn a_lesson_may_have_families_of_its_own() {
    let folder = folder("lessons");
    let mut config = config(&folder, "run", &method("semcot", ""));
    config.curriculum = vec![Lesson {
        until: 2,
        max_steps: 3,
        min_steps: Some(3),
        max_people: 2,
        max_value: Some(20),
        mixture: Some(Mixture {
            arithmetic: 1.0,
            coin: 0.0,
            everyday: 0.0,
            borrowing: 0.0,
        }),
        written_share: None,
    }];
    let stream = Stream::new(&config, Purpose::Generator);
    let coins = |step| {
        let problems = stream.problems(step, 8).expect("problems");
        let coins = problems.iter().filter(|it| it.family == Family::Coin);
        coins.count()
    };
    assert_eq!([coins(1), coins(2)], [0, 4]);
    let lesson = stream.problems(1, 8).expect("problems");
    assert!(lesson.iter().all(|it| it.steps == 3));
    config.curriculum[0].min_steps = Some(4);
    let error = config
        .check()
        .expect_err("no story has so many")
        .to_string();
    assert!(error.contains("curriculum.min_steps"), "{error}");
    config.curriculum[0].min_steps = None;
    let mixture = config.curriculum[0].mixture.as_mut();
    mixture.expect("it is given").arithmetic = 0.0;
    let error = config.check().expect_err("no family is left").to_string();
    assert!(error.contains("mixture"), "{error}");
}
