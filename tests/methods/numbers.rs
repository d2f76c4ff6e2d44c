//! Gradients of every method in numbers of 16 bits and on several devices, against those in f32 on one.

use burn::Tensor;
use burn::tensor::Device;
use semcot::train::gradients::{Cut, Gradients, Workers};
use semcot::train::precision::Precision;
use semcot::train::stages::Backend;
use semcot::train::trainer::Stage;

/// A step in which every method trains.
const STEP: usize = 20;
const IN_TWO: Cut = Cut {
    threads: 2,
    rounds: 1,
};

/// Compares what a stage that lives on the CPU gives elsewhere and in other numbers.
pub fn check<S: Stage>(name: &str, stage: &S) {
    let here = gradients(&Workers::here(stage), stage, Cut::WHOLE);
    let cpu = Device::flex().autodiff();
    for (precision, least_likeness) in [(Precision::Bf16, 0.99), (Precision::F16, 0.999)] {
        let workers = Workers::new(stage, std::slice::from_ref(&cpu), precision);
        let found = gradients(&workers.expect("the CPU has them"), stage, Cut::WHOLE);
        let likeness = likeness(&found, &here);
        assert!(
            likeness > least_likeness,
            "{name}, {precision:?}: the cosine of the gradients with those in f32 is {likeness}"
        );
        assert!(
            found != here,
            "{name}, {precision:?}: nothing was computed in it"
        );
    }

    let in_two = gradients(&Workers::here(stage), stage, IN_TWO);
    let workers = Workers::new(stage, &[cpu.clone(), cpu], Precision::F32);
    let shared = gradients(&workers.expect("f32"), stage, Cut::WHOLE);
    assert!(
        shared == in_two,
        "{name}: two devices give other bits than two threads"
    );
}

/// All gradients, one after the other.
fn gradients<S: Stage>(workers: &Workers<S>, stage: &S, cut: Cut) -> Vec<f32> {
    let found: Gradients = (workers.gradients(stage, STEP, cut)).expect("a batch can be drawn");
    let values = |tensor: Tensor<2>| tensor.try_into_vec_as::<f32>().expect("f32");
    let found: Vec<f32> = (found.gradients.into_iter().flatten())
        .flat_map(values)
        .collect();
    assert!(found.iter().all(|value| value.is_finite()));
    found
}

/// The cosine of two lists of numbers.
fn likeness(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn more_devices_than_there_are_are_an_error() {
    let devices = |count: usize| Backend::Flex.devices(count.try_into().expect("above 0"));
    assert_eq!(devices(1).expect("there is one CPU").len(), 1);
    let message = devices(2).expect_err("there is one CPU").to_string();
    assert_eq!(message, "flex has 1 device(s) here, not 2");
    #[cfg(feature = "train-wgpu")]
    {
        let devices = |count: usize| Backend::Wgpu.devices(count.try_into().expect("above 0"));
        assert_eq!(devices(1).expect("there is an adapter").len(), 1);
        assert!(devices(1000).is_err());
    }
}

/// A batch shared out among the CPU and a GPU, and the numbers of 16 bits that the GPU has, for a generator with its sentence
/// transformer.
#[cfg(feature = "train-wgpu")]
#[test]
fn a_gpu_shares_a_batch_with_the_cpu() {
    use semcot::train::generator::GeneratorStage;
    use semcot::train::kernels::Kernels;
    use semcot::train::sentence_transformer::SentenceTransformer;
    use semcot::train::stages::Run;
    use semcot::train::target::untrained_target;
    use semcot::train::trainer::Begin;

    let folder = super::folder("gpu");
    let config = super::config(&folder, "run", &super::method("semcot", "alpha = 0.1"));
    let run = Run::new(config, folder.join("run"), Begin::Anew, Backend::Wgpu);
    run.train_tokenizer().expect("the tokenizer trains");
    let vocabulary = run.vocabulary().expect("the tokenizer is trained");
    let [cpu, gpu] = [Backend::Flex, Backend::Wgpu].map(Backend::device);
    let target = untrained_target(&run.config, &vocabulary, Kernels::Composed, &cpu);
    let settings = &run.config.sentence_transformer;
    let sentence = SentenceTransformer::new(settings, run.config.seed, &target, &cpu);
    let stage = GeneratorStage::new(&run.config, &vocabulary, target, Some(sentence), &cpu)
        .expect("the problems can be drawn");
    let in_two = gradients(&Workers::here(&stage), &stage, IN_TWO);
    for (precision, least_likeness) in [
        (Precision::F32, 0.999_999),
        (Precision::F16, 0.999),
        (Precision::Bf16, 0.99),
    ] {
        let devices = [cpu.clone(), gpu.clone()];
        let workers = match Workers::new(&stage, &devices, precision) {
            Ok(workers) => workers,
            Err(error) => {
                println!("{precision:?}: {error}");
                assert_ne!(precision, Precision::F32);
                continue;
            }
        };
        let likeness = likeness(&gradients(&workers, &stage, Cut::WHOLE), &in_two);
        println!("{precision:?}: cosine {likeness}");
        assert!(likeness > least_likeness, "{precision:?}: {likeness}");
    }
}
