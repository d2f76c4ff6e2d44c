//! The losses of an epoch as they stand in the metrics of a published run (METHOD, Q13).

use serde_json::{Map, Value, json};

use super::super::config::BatchLoss;
use super::super::trainer::Stepped;
use super::config::LoggedLosses;

/// Adds the training loss of an epoch's steps, of batches of `sizes` items, to the figures of a validation on `validated`
/// items, and has its loss as it is to be logged.
pub fn of_sentence_transformer(
    logged: LoggedLosses,
    validated: usize,
    steps: &[Stepped],
    sizes: impl Iterator<Item = usize>,
    figures: &mut Map<String, Value>,
) {
    let sizes: Vec<usize> = sizes.take(steps.len()).collect();
    let are_sums = logged == LoggedLosses::Published;
    let train = over_items(steps.iter().map(|step| step.loss), &sizes, are_sums);
    figures.insert("train_loss".into(), json!(train));
    let validation = figures.get_mut("loss");
    if let (LoggedLosses::Published, Some(loss)) = (logged, validation) {
        *loss = json!(loss.as_f64().unwrap_or(f64::NAN) / validated as f64);
    }
}

/// Adds the means over the items of an epoch's training losses and their terms.
pub fn of_generator(
    batch_loss: BatchLoss,
    steps: &[Stepped],
    sizes: impl Iterator<Item = usize>,
    figures: &mut Map<String, Value>,
) {
    let sizes: Vec<usize> = sizes.take(steps.len()).collect();
    let are_sums = batch_loss == BatchLoss::Sum;
    let total = over_items(steps.iter().map(|step| step.loss), &sizes, are_sums);
    figures.insert("train_loss".into(), json!(total));
    for name in ["loss_answer", "loss_alignment"] {
        let term = |step: &Stepped| {
            let found = step.terms.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| *value)
        };
        let terms: Option<Vec<f32>> = steps.iter().map(term).collect();
        if let Some(terms) = terms {
            let mean = over_items(terms.into_iter(), &sizes, false);
            figures.insert(format!("train_{name}"), json!(mean));
        }
    }
}

/// The losses of batches over the number of their items, each taken for a sum over its batch or for a mean.
fn over_items(losses: impl Iterator<Item = f32>, sizes: &[usize], are_sums: bool) -> f64 {
    let of_batch = |(loss, &size): (f32, &usize)| match are_sums {
        true => f64::from(loss),
        false => f64::from(loss) * size as f64,
    };
    let items: usize = sizes.iter().sum();
    losses.zip(sizes).map(of_batch).sum::<f64>() / items as f64
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::super::trainer::Stepped;
    use super::{LoggedLosses, of_sentence_transformer};

    #[test]
    fn published_losses_of_the_sentence_transformer_are_smaller_than_means_by_a_factor() {
        let step = |loss| Stepped {
            loss,
            terms: Vec::new(),
            gradient_norm: 0.0,
            learning_rate: 0.0,
        };
        let figures = |logged| -> Map<String, Value> {
            let mut figures = Map::from_iter([("loss".to_owned(), json!(1.5))]);
            let sizes = [4, 2].into_iter();
            of_sentence_transformer(logged, 5, &[step(1.0), step(4.0)], sizes, &mut figures);
            figures
        };
        let published = figures(LoggedLosses::Published);
        assert_eq!(published["train_loss"], 5.0 / 6.0);
        assert_eq!(published["loss"], 0.3);
        let means = figures(LoggedLosses::Means);
        assert_eq!(means["train_loss"], 2.0);
        assert_eq!(means["loss"], 1.5);
    }
}
