//! Training, natively, with burn: the tokenizer, the target, the sentence transformer and the generator.

mod adamw;
pub mod alignment;
pub mod baselines;
pub mod checkpoint;
pub mod config;
pub mod error;
pub mod examples;
pub mod export;
pub mod generator;
pub mod initialization;
pub mod kernels;
pub mod llama;
mod muon;
pub mod optimizer;
pub mod pretrained;
pub mod sentence_transformer;
pub mod source;
pub mod stages;
pub mod target;
pub mod trainer;
pub mod vocabulary;
pub mod written;
