//! Every setting of training at its published value (METHOD, section 10), the rest from a pair's manifest.

use semcot::train::baselines::settings::{
    AddedRows, BaselineSettings, CoconutSettings, CodiSettings, Evaluation, IcotSiSettings,
    Instruction, LastStage, LastThought, LineEnd, LossOn, NewestThought, OptimizerRestarts,
    Positions, SoftCotSettings, Tuning,
};
use semcot::train::config::{GeneratorSettings, Schedule, SentenceSettings};
use semcot::train::llama::{EmbeddingScale, Head, LlamaSizes};
use semcot::train::lora::LoraSettings;
use semcot::train::published::config::{GeneratorChoices, Phase, SentenceChoices};
use semcot::train::published::settings;
use serde_json::Value;

fn size(settings: &Value, field: &str) -> usize {
    settings[field].as_u64().expect("a number") as usize
}

/// `phase` is one of the manifest's, absent where nothing is stepped.
pub fn schedule(phase: Option<&Value>, steps: usize) -> Schedule {
    let number = |field: &str| match phase {
        Some(phase) => phase["optimiser"][field].as_f64().expect("a number"),
        None => 0.0,
    };
    let published = Phase {
        learning_rate: number("lr"),
        weight_decay: number("weight_decay"),
        epochs: 1,
    };
    let batch = phase.map_or(1, |phase| size(phase, "batch_size"));
    let schedule = settings::schedule(published, steps, batch, 1);
    if let Some(phase) = phase {
        assert_eq!(phase["optimiser"]["name"], "AdamW");
        let optimizer = schedule.optimizer;
        assert_eq!(
            [number("beta1"), number("beta2"), number("eps")],
            [optimizer.beta_1, optimizer.beta_2, optimizer.eps]
        );
    }
    schedule
}

/// Without a schedule and with all of it training.
pub fn sentence(manifest: &Value) -> SentenceSettings {
    let of_manifest = &manifest["settings"]["sentence_transformer"];
    let first_layer = size(of_manifest, "first_layer");
    assert_eq!(
        first_layer,
        size(of_manifest, "hidden_state"),
        "the hidden state enters the layer that it would have entered"
    );
    let choices = SentenceChoices {
        first_layer,
        num_layers: size(of_manifest, "last_layer") - first_layer + 1,
        embedding_size: size(of_manifest, "embedding"),
        ..SentenceChoices::default()
    };
    settings::sentence(&choices, schedule(None, 0), 0)
}

/// Without a schedule and with all of it training.
pub fn generator(manifest: &Value) -> GeneratorSettings {
    let of_manifest = &manifest["settings"];
    let choices = GeneratorChoices {
        implicit_tokens: size(of_manifest, "k_train"),
        eval_implicit_tokens: size(of_manifest, "k_eval"),
        ..GeneratorChoices::default()
    };
    // Of the files, not of these settings.
    let sizes = LlamaSizes {
        hidden_size: 0,
        num_layers: 0,
        num_heads: 0,
        num_kv_heads: 0,
        intermediate_size: 0,
        head_dim: None,
        rms_eps: 0.0,
        rope_theta: 0.0,
        embedding_scale: EmbeddingScale::One,
        head: Head::Tied,
    };
    let alpha = of_manifest["alpha"].as_f64().expect("a number");
    GeneratorSettings {
        baseline: baseline(),
        ..settings::generator(&choices, alpha, sizes, schedule(None, 0), 0)
    }
}

/// Every habit of the published baselines, without dropout: the values were made without.
pub fn baseline() -> BaselineSettings {
    BaselineSettings {
        tuning: Tuning::Lora,
        lora: LoraSettings {
            dropout: 0.0,
            ..LoraSettings::default()
        },
        added_rows: AddedRows::Last,
        evaluation: Evaluation::Published,
        optimizer_restarts: OptimizerRestarts::WithSchedule,
        icot_si: IcotSiSettings {
            positions: Positions::Kept,
            loss_on: LossOn::Answer,
            ..IcotSiSettings::default()
        },
        coconut: CoconutSettings {
            line_end: LineEnd::LineFeed,
            last_stage: LastStage::FurtherLines,
            loss_on: LossOn::Answer,
            newest_thought: NewestThought::Hidden,
            ..CoconutSettings::default()
        },
        codi: CodiSettings {
            last_thought: LastThought::Unread,
            ..CodiSettings::default()
        },
        softcot: SoftCotSettings {
            instruction: Instruction::Published,
        },
    }
}
