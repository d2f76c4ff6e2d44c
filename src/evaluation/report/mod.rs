//! `semcot report`: what evaluations, looks, probes and training left in files, as one page of Markdown with charts.
//! Native only: the charts are drawn by `plotters`. The same files give the same bytes.

pub mod axis;
pub mod chart;
pub mod entries;
mod figures;
pub mod files;
pub mod input;
mod names;
mod tables;
mod training;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use chart::{ChartError, Figure};
use entries::{Entry, entries};
use files::MetricsLine;
use input::{InputError, Inputs};
use names::{last_part, metrics_name, option, stem};

use super::look::Looked;
use super::probe::Probed;

/// First line of a page: what has it may be written anew.
pub const MARK: &str =
    "<!-- Written by `semcot report`: change the files that it reads, not this one. -->";
/// The page's name.
pub const PAGE: &str = "README.md";
/// Folder of the charts, beside the page.
pub const FIGURES: &str = "figures";

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Something that was to be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A chart.
    #[error(transparent)]
    Chart(#[from] ChartError),
}

/// A report, to be written to a folder.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// The page, [`PAGE`].
    pub markdown: String,
    /// Charts by their file's name in [`FIGURES`].
    pub figures: Vec<(String, String)>,
}

impl Report {
    /// Reads files and folders and reports what stands in them.
    ///
    /// # Errors
    /// [`ReportError`]: what is not a report is named.
    pub fn of(paths: &[PathBuf]) -> Result<Self, ReportError> {
        let inputs = Inputs::read(paths)?;
        let entries = entries(&inputs.evaluations)?;
        let mut page = Page::new();
        page.evaluations(&entries)?;
        let looks: Vec<(String, &Looked)> = inputs
            .looks
            .iter()
            .map(|it| (subject(&it.contents.command, &it.path), &it.contents.looked))
            .collect();
        let probes: Vec<(String, &Probed)> = inputs
            .probes
            .iter()
            .map(|it| (subject(&it.contents.command, &it.path), &it.contents.probed))
            .collect();
        page.looks(&looks)?;
        page.probes(&probes)?;
        let metrics: Vec<(String, &[MetricsLine])> = inputs
            .metrics
            .iter()
            .map(|it| (metrics_name(&it.path), &it.contents[..]))
            .collect();
        page.training(&metrics)?;
        page.sources(&inputs);
        Ok(Self {
            markdown: page.markdown,
            figures: page.figures,
        })
    }
}

/// The model and the family that a command names, or the file's name.
fn subject(command: &[String], path: &std::path::Path) -> String {
    match (option(command, "--model"), option(command, "--family")) {
        (Some(model), Some(family)) => format!("{}, {family}", last_part(&model)),
        _ => stem(path),
    }
}

/// A page that is being written.
struct Page {
    markdown: String,
    figures: Vec<(String, String)>,
}

impl Page {
    fn new() -> Self {
        Self {
            markdown: format!("{MARK}\n\n# Results\n"),
            figures: Vec::new(),
        }
    }

    fn evaluations(&mut self, entries: &[Entry]) -> Result<(), ChartError> {
        let plain =
            |it: &&Entry| it.subject.temperature.is_none() && it.subject.implicit_tokens.is_none();
        let greedy: Vec<Entry> = entries.iter().filter(plain).cloned().collect();
        self.section(
            "Accuracy and time",
            "Right by the strict rule (the first thing written that looks like an answer), greedy, with Wilson's 95 % interval; \
             ± is the standard deviation over seeds. Time is the mean of a question from text to text, on what the file names \
             (times of different files need not be of one machine, nor of an idle one); passes are those of the target and the generator.",
            &tables::accuracy_and_time(&greedy),
        );
        self.figure(
            "accuracy-against-time",
            figures::accuracy_against_time(&greedy),
        )?;
        self.section(
            "By the authors' rule",
            "Right if the answer stands anywhere in what was written.",
            &tables::both_rules(&greedy),
        );
        if let Some(reference) = reference(&greedy) {
            self.section(
                "Against the reference",
                "Controls, ablations and other ways of answering, by the strict rule; the interval of a difference is Newcombe's.",
                &tables::differences(&greedy, &reference),
            );
        }
        self.section(
            "Steps",
            "What was asked beyond the trained range stands in the same chart.",
            &tables::by_steps(&greedy),
        );
        self.figure("steps", figures::over_steps(&greedy))?;
        self.section(
            "Operations",
            "A problem stands where all operators of its steps are named.",
            &tables::by_operators(&greedy),
        );
        let of_k: Vec<Entry> = entries
            .iter()
            .filter(|it| it.subject.implicit_tokens.is_some())
            .cloned()
            .collect();
        self.section("Number of implicit tokens", "Of one pair as many as named are used, whatever it was trained with; runs named -kN were trained with N.", &tables::accuracy(&of_k));
        self.figure("implicit-tokens", figures::over_k(entries))?;
        if let Some(figure) = figures::over_alpha(entries) {
            self.heading("Share of the alignment loss", "");
            self.figure("alpha", Some(figure))?;
        }
        if let Some(figure) = figures::over_temperature(entries) {
            self.heading(
                "Temperature",
                "Tokens drawn as the published evaluation does: top-k 50, top-p 0.9, answers of at most 30 tokens.",
            );
            self.figure("temperature", Some(figure))?;
        }
        self.section(
            "Where the time goes",
            "Means a question; phases as the device times them.",
            &tables::cost(&greedy),
        );
        Ok(())
    }

    fn looks(&mut self, looks: &[(String, &Looked)]) -> Result<(), ChartError> {
        if looks.is_empty() {
            return Ok(());
        }
        self.section(
            "Inside the implicit tokens",
            "Likeness of reasonings is the sentence transformer's, which training pulls the vectors towards.",
            &tables::looks(looks),
        );
        for (name, looked) in looks {
            if let Some(map) = &looked.map {
                let file = format!("map-{}", name.replace(", ", "-").replace(' ', "-"));
                self.figure(&file, Some(figures::map(name, map)))?;
            }
        }
        Ok(())
    }

    fn probes(&mut self, probes: &[(String, &Probed)]) -> Result<(), ChartError> {
        if probes.is_empty() {
            return Ok(());
        }
        self.heading(
            "Does it reason?",
            "A linear probe (multinomial logistic regression) is fitted on problems of the training split to read each step's \
             result from a vector, and asked on held-out problems.",
        );
        for (name, probed) in probes {
            let about = format!(
                "{name}: fitted on {} problems, {} held out.",
                probed.fitted_on, probed.n
            );
            let _ = writeln!(
                self.markdown,
                "\n{about}\n\n{}",
                tables::probes(probed).trim_end()
            );
        }
        self.figure("probes", figures::probes(probes))?;
        self.section(
            "Exchanged implicit tokens",
            "A question gets the implicit tokens of another problem with another answer; both are answered right with their own.",
            &tables::swaps(probes),
        );
        Ok(())
    }

    fn training(&mut self, metrics: &[(String, &[MetricsLine])]) -> Result<(), ChartError> {
        if metrics.is_empty() {
            return Ok(());
        }
        self.heading(
            "Training",
            "Losses are means over parts of a run; validation is on problems of its own split.",
        );
        for (name, figure) in training::figures(metrics) {
            self.figure(&name, Some(figure))?;
        }
        Ok(())
    }

    fn sources(&mut self, inputs: &Inputs) {
        let evaluations = inputs.evaluations.iter().map(|it| &it.path);
        let looks = inputs.looks.iter().map(|it| &it.path);
        let probes = inputs.probes.iter().map(|it| &it.path);
        let metrics = inputs.metrics.iter().map(|it| &it.path);
        let all: Vec<&Path> = (evaluations.chain(looks).chain(probes).chain(metrics))
            .map(PathBuf::as_path)
            .collect();
        let mut rows = Vec::new();
        let mut add = |path: &Path, command: Option<&[String]>| {
            let name = names::distinct(path, &all);
            let text = command.map_or("metrics of training".to_owned(), |it| {
                format!("`semcot {}`", it.join(" "))
            });
            rows.push(format!("| {name} | {} |", text.replace('|', "\\|")));
        };
        inputs
            .evaluations
            .iter()
            .for_each(|it| add(&it.path, Some(&it.contents.command)));
        inputs
            .looks
            .iter()
            .for_each(|it| add(&it.path, Some(&it.contents.command)));
        inputs
            .probes
            .iter()
            .for_each(|it| add(&it.path, Some(&it.contents.command)));
        inputs.metrics.iter().for_each(|it| add(&it.path, None));
        if rows.is_empty() {
            return;
        }
        let table = format!("| file | made by |\n|---|---|\n{}\n", rows.join("\n"));
        self.section("Files", "", &table);
    }

    /// A section, unless its table is empty.
    fn section(&mut self, title: &str, about: &str, table: &str) {
        if table.is_empty() {
            return;
        }
        self.heading(title, about);
        let _ = writeln!(self.markdown, "\n{}", table.trim_end());
    }

    fn heading(&mut self, title: &str, about: &str) {
        let _ = writeln!(self.markdown, "\n## {title}");
        if !about.is_empty() {
            let _ = writeln!(self.markdown, "\n{about}");
        }
    }

    fn figure(&mut self, name: &str, figure: Option<Figure>) -> Result<(), ChartError> {
        let Some(figure) = figure else { return Ok(()) };
        let file = format!("{name}.svg");
        let _ = writeln!(self.markdown, "\n![{}]({FIGURES}/{file})", figure.title);
        self.figures.push((file, figure.to_svg()?));
        Ok(())
    }
}

/// What others are held against: the run that is the method itself, else the first that answers from implicit tokens.
fn reference(entries: &[Entry]) -> Option<String> {
    const METHOD: &str = "semcot";
    let is_implicit = |it: &&Entry| matches!(it.subject.method.as_str(), "implicit" | METHOD);
    let names = || {
        entries
            .iter()
            .filter(is_implicit)
            .map(|it| it.subject.name())
    };
    names()
        .find(|name| name == METHOD)
        .or_else(|| names().next())
}
