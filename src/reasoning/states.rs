//! What the models of a pair know of a question before the answer, and what the target answers with the implicit tokens of
//! another question: for experiments, never part of an answer.

use std::ops::ControlFlow;

use super::Mode;
use super::answer::Answer;
use super::pair::{AskError, AskOptions, Pair};
use crate::model::run::{Execute, GeneratorInput, Inspect};

/// States of the models, of one width: that of the target's embeddings.
#[derive(Clone, Debug, PartialEq)]
pub struct States {
    /// The implicit tokens `[count, hidden_size]`, as the target reads them.
    pub implicit_tokens: Vec<f32>,
    /// The generator's state at the last token of the question, projected as implicit tokens are.
    pub question_in_generator: Vec<f32>,
    /// The target's hidden state after its final norm at the last token of the question.
    pub question_in_target: Vec<f32>,
}

impl<E: Inspect> Pair<E> {
    /// The states for a question; with as many implicit tokens as the pair has where none are named.
    ///
    /// # Errors
    /// As [`Pair::ask`].
    pub async fn states(
        &mut self,
        question: &str,
        implicit_tokens: Option<u32>,
    ) -> Result<States, AskError<E::Error>> {
        let options = |implicit_tokens| AskOptions {
            implicit_tokens,
            ..AskOptions::new(Mode::Implicit)
        };
        let request = self.request(question, &options(implicit_tokens))?;
        let tokens = self.executor.implicit_tokens(&request).await;
        let tokens = tokens.map_err(AskError::Run)?;

        let mut before = self.request(question, &options(Some(1)))?;
        let mut question_ids = before.target_ids.clone();
        if let Some(input) = &mut before.generator {
            input.first_row = input.target_row.saturating_sub(1);
            input.passes = 1;
            question_ids.truncate(input.target_row as usize);
        }
        let in_generator = self.executor.implicit_tokens(&before).await;
        let in_target = self.executor.hidden_states(&question_ids).await;
        let in_target = in_target.map_err(AskError::Run)?;
        let hidden_size = self.executor.target_config().hidden_size;
        Ok(States {
            implicit_tokens: tokens,
            question_in_generator: in_generator.map_err(AskError::Run)?,
            question_in_target: in_target[in_target.len() - hidden_size..].to_vec(),
        })
    }
}

impl<E: Execute> Pair<E> {
    /// Answers `question` from the implicit tokens that the generator makes of `other`.
    ///
    /// # Errors
    /// As [`Pair::ask`].
    pub async fn ask_with_implicit_tokens_of(
        &mut self,
        question: &str,
        other: &str,
        options: &AskOptions,
    ) -> Result<Answer, AskError<E::Error>> {
        let options = AskOptions {
            mode: Mode::Implicit,
            ..*options
        };
        let mut request = self.request(question, &options)?;
        let made_of = self.request(other, &options)?.generator;
        request.generator = request
            .generator
            .zip(made_of)
            .map(|(own, other)| GeneratorInput {
                target_row: own.target_row,
                ..other
            });
        let count = request.generator.as_ref().map_or(0, |input| input.count);
        let go_on = &mut |_: &[u32]| ControlFlow::Continue(());
        let report = self.executor.run(&request, go_on).await;
        let report = report.map_err(AskError::Run)?;
        let (prompts, tokenizer) = (&self.prompts, &self.tokenizer);
        Ok(Answer::from_report(
            options.mode,
            count,
            report,
            prompts,
            tokenizer,
        ))
    }
}
