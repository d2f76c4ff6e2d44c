//! Every setting of training at its published value (METHOD, section 10), the rest from a pair's manifest.

use semcot::formats::manifest::ImplicitFrom;
use semcot::train::baselines::settings::{
    AddedRows, BaselineSettings, CoconutSettings, CodiSettings, Evaluation, IcotSiSettings,
    Instruction, LastStage, LastThought, LineEnd, LossOn, NewestThought, OptimizerRestarts,
    Positions, SoftCotSettings, Tuning,
};
use semcot::train::config::{
    AlignmentOf, AlignmentSpace, BatchLoss, Directions, Embeddings, GeneratorSettings, Method,
    ProjectionPhase, Schedule, Selection, SentenceAttention, SentenceSettings, Start,
};
use semcot::train::llama::{EmbeddingScale, Head, LlamaSizes};
use semcot::train::lora::LoraSettings;
use semcot::train::optimizer::{MatrixRule, OptimizerSettings};
use serde_json::Value;

fn size(settings: &Value, field: &str) -> usize {
    settings[field].as_u64().expect("a number") as usize
}

/// No warm-up, no fall of the rate, no clip. `phase` is one of the manifest's, absent where nothing is stepped.
pub fn schedule(phase: Option<&Value>, steps: usize) -> Schedule {
    let number = |field: &str| match phase {
        Some(phase) => phase["optimiser"][field].as_f64().expect("a number"),
        None => 0.0,
    };
    if let Some(phase) = phase {
        assert_eq!(phase["optimiser"]["name"], "AdamW");
    }
    Schedule {
        steps,
        batch: phase.map_or(1, |phase| size(phase, "batch_size")),
        learning_rate: number("lr"),
        warmup_steps: 0,
        final_rate: 1.0,
        checkpoint_every: 1,
        optimizer: OptimizerSettings {
            beta_1: number("beta1"),
            beta_2: number("beta2"),
            eps: number("eps"),
            weight_decay: number("weight_decay"),
            clip: f64::INFINITY,
            matrices: MatrixRule::Adamw,
        },
    }
}

/// Without a schedule and with all of it training.
pub fn sentence(manifest: &Value) -> SentenceSettings {
    let settings = &manifest["settings"]["sentence_transformer"];
    let first_layer = size(settings, "first_layer");
    assert_eq!(
        first_layer,
        size(settings, "hidden_state"),
        "the hidden state enters the layer that it would have entered"
    );
    SentenceSettings {
        first_layer,
        num_layers: size(settings, "last_layer") - first_layer + 1,
        embedding_size: size(settings, "embedding"),
        temperature: 1.0,
        directions: Directions::Forward,
        attention: SentenceAttention::Full,
        linear_steps: 0,
        schedule: schedule(None, 0),
    }
}

/// Without a schedule and with all of it training.
pub fn generator(manifest: &Value) -> GeneratorSettings {
    let settings = &manifest["settings"];
    GeneratorSettings {
        // Of the files, not of these settings.
        sizes: LlamaSizes {
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
        },
        schedule: schedule(None, 0),
        method: Method::Semcot,
        start: Start::Random,
        implicit_tokens: size(settings, "k_train"),
        eval_implicit_tokens: Some(size(settings, "k_eval")),
        implicit_from: ImplicitFrom::LastQuestionToken,
        answer_end: false,
        batch_loss: BatchLoss::Sum,
        embeddings: Embeddings::Thought,
        decay_frozen_rows: true,
        projection_steps: 0,
        projection_phase: ProjectionPhase::Projection,
        alignment_space: AlignmentSpace::SentenceTransformer,
        alignment_of: AlignmentOf::Whole,
        selection: Selection::Loss,
        alpha: settings["alpha"].as_f64().expect("a number"),
        // All of a batch.
        alignment_batch: usize::MAX,
        step_supervision: 0.0,
        step_supervision_until: None,
        replaced_until: None,
        passes: 1,
        baseline: baseline(),
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
