//! `semcot convert`: a Hugging Face folder or a published checkpoint becomes GGUF files, and two of
//! them a model folder.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::CommandError;
use crate::convert::{ConvertOptions, GeneratorOptions, Role, SentenceOptions, convert};
use crate::formats::manifest::{ImplicitFrom, Prompts};
use crate::reasoning::pairing::{self, PairingOptions, PublishedPrompts};
use crate::weights::WeightType;

/// Most tokens that a converted pair writes unasked: room for written reasoning. The authors stop
/// at 30, which their short answers need.
const MAX_TOKENS: u32 = 256;

/// Turn a Hugging Face folder or a PyTorch checkpoint into GGUF files, or into a model folder.
#[derive(Args)]
pub struct Arguments {
    /// A folder with config.json, tensor files, and tokenizer.model or tokenizer.json; or one
    /// .safetensors or .pt file.
    source: PathBuf,
    /// The folder to write to; made where it is not there.
    #[arg(long)]
    out: PathBuf,
    /// Type of the matrices.
    #[arg(long, default_value = "Q8_0")]
    quant: Quant,
    /// Most bytes of weights a file; more become several files, NAME-00001-of-0000N.gguf, in a model
    /// folder too.
    #[arg(long)]
    shard_bytes: Option<u64>,
    /// Name of the files, without .gguf; "model" where it is not given.
    #[arg(long, conflicts_with = "role")]
    name: Option<String>,
    /// Folder of the base model, for what the checkpoint lacks: configuration, tokenizer, tensors.
    #[arg(long)]
    base: Option<PathBuf>,
    /// A tokenizer.json or tokenizer.model in place of the checkpoint's, or a folder with one.
    #[arg(long)]
    tokenizer: Option<PathBuf>,
    /// Part of a pair that it becomes. With target and generator in the folder, semcot.json is
    /// written.
    #[arg(long)]
    role: Option<RoleName>,
    #[command(flatten)]
    pair: PairArguments,
}

/// What a pair's files do not say.
#[derive(Args)]
struct PairArguments {
    /// The authors' prompts of this name.
    #[arg(long)]
    prompts: Option<PromptsName>,
    /// What stands before the question.
    #[arg(long, conflicts_with = "prompts", requires = "answer_prompt")]
    question_prompt: Option<String>,
    /// What stands before written reasoning.
    #[arg(long, default_value = "")]
    reasoning_prompt: String,
    /// What stands before the answer.
    #[arg(long, conflicts_with = "prompts", requires = "question_prompt")]
    answer_prompt: Option<String>,
    /// Implicit tokens that the generator makes; the authors evaluate with 1.
    #[arg(long, default_value_t = 1)]
    implicit_tokens: u32,
    /// Which of the generator's rows they are.
    #[arg(long, default_value = "last-question-token")]
    implicit_from: ImplicitFromName,
    /// The target's layer that a sentence transformer begins with.
    #[arg(long, default_value_t = 16)]
    first_layer: u32,
    /// Most tokens to write where nobody says, 256 where it is not given.
    #[arg(long)]
    max_tokens: Option<u32>,
    /// License of the weights, for semcot.json.
    #[arg(long)]
    license: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoleName {
    Target,
    Generator,
    SentenceTransformer,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PromptsName {
    Small,
    Mistral,
    Qwen,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ImplicitFromName {
    LastQuestionToken,
    ThoughtPositions,
}

/// A type of weights, by ggml's name.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "verbatim")]
#[allow(non_camel_case_types)]
enum Quant {
    F32,
    F16,
    BF16,
    Q8_0,
    Q4_0,
    Q4_K,
    Q6_K,
}

impl From<Quant> for WeightType {
    fn from(quant: Quant) -> Self {
        match quant {
            Quant::F32 => Self::F32,
            Quant::F16 => Self::F16,
            Quant::BF16 => Self::BF16,
            Quant::Q8_0 => Self::Q8_0,
            Quant::Q4_0 => Self::Q4_0,
            Quant::Q4_K => Self::Q4_K,
            Quant::Q6_K => Self::Q6_K,
        }
    }
}

impl RoleName {
    fn name(self) -> &'static str {
        match self {
            Self::Target => pairing::TARGET,
            Self::Generator => pairing::GENERATOR,
            Self::SentenceTransformer => pairing::SENTENCE_TRANSFORMER,
        }
    }
}

impl Arguments {
    fn options(&self) -> ConvertOptions {
        let pair = &self.pair;
        let stem = match self.role {
            Some(role) => role.name(),
            None => self.name.as_deref().unwrap_or("model"),
        };
        ConvertOptions {
            weight_type: self.quant.into(),
            shard_bytes: self.shard_bytes,
            stem: stem.to_owned(),
            base: self.base.clone(),
            tokenizer: self.tokenizer.clone(),
            role: match self.role {
                None | Some(RoleName::Target) => Role::Model,
                Some(RoleName::Generator) => Role::Generator(GeneratorOptions {
                    implicit_tokens: pair.implicit_tokens,
                    implicit_from: match pair.implicit_from {
                        ImplicitFromName::LastQuestionToken => ImplicitFrom::LastQuestionToken,
                        ImplicitFromName::ThoughtPositions => ImplicitFrom::ThoughtPositions,
                    },
                }),
                Some(RoleName::SentenceTransformer) => Role::SentenceTransformer(SentenceOptions {
                    first_layer: pair.first_layer,
                }),
            },
        }
    }

    /// Writes `semcot.json` where the folder is whole, from what is given and else from the one that
    /// is there.
    fn pair(&self) -> Result<(), CommandError> {
        if !pairing::is_whole(&self.out) {
            println!(
                "no pair yet: semcot.json is written, with --prompts, when target and generator are there"
            );
            return Ok(());
        }
        let recorded = pairing::recorded(&self.out);
        let recorded = recorded.as_ref();
        let given = self.pair.given_prompts();
        let Some(prompts) = given.or_else(|| recorded.map(|it| it.prompts.clone())) else {
            return Err("target and generator are converted, but semcot.json is not written: say --prompts small, mistral or qwen, or --question-prompt and --answer-prompt".into());
        };
        let license = self.pair.license.clone();
        let options = PairingOptions {
            prompts,
            license: license
                .or_else(|| recorded.map(|it| it.license.clone()))
                .unwrap_or_else(|| "as the checkpoints' authors say".to_owned()),
            max_tokens: (self.pair.max_tokens)
                .or_else(|| recorded.map(|it| it.max_tokens))
                .unwrap_or(MAX_TOKENS),
        };
        pollster::block_on(pairing::write_manifest(&self.out, &options))?;
        println!("{} is a model folder", self.out.display());
        Ok(())
    }
}

impl PairArguments {
    fn given_prompts(&self) -> Option<Prompts> {
        let published = match self.prompts {
            Some(PromptsName::Small) => Some(PublishedPrompts::Small),
            Some(PromptsName::Mistral) => Some(PublishedPrompts::Mistral),
            Some(PromptsName::Qwen) => Some(PublishedPrompts::Qwen),
            None => None,
        };
        match (published, &self.question_prompt, &self.answer_prompt) {
            (Some(published), _, _) => Some(published.prompts()),
            (None, Some(question), Some(answer)) => Some(Prompts {
                question: question.clone(),
                reasoning: self.reasoning_prompt.clone(),
                answer: answer.clone(),
            }),
            _ => None,
        }
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let converted = convert(&arguments.source, &arguments.out, &arguments.options())?;
    for file in &converted.files {
        println!("{}", file.display());
    }
    println!(
        "{} tensors, {:.1} MB of weights",
        converted.tensors,
        converted.size_bytes as f64 / 1e6
    );
    if let Some(reason) = &converted.without_tokenizer {
        eprintln!("no tokenizer was written: {reason}");
    }
    if let Some(role) = arguments.role {
        pairing::remove_replaced(&arguments.out, role.name(), &converted.files)?;
        arguments.pair()?;
    }
    Ok(())
}
