//! The published configuration, end to end: a published target and generator, the authors' data, prompts and tokens, two
//! phases a stage (METHOD, sections 2 to 8).
//!
//! The stages, losses and the loop are those of every other run; here is what a published run needs besides them.

pub mod config;
pub mod export;
pub mod items;
mod logged;
mod models;
pub mod orders;
pub mod run;
pub mod score;
pub mod settings;
pub mod tokens;
