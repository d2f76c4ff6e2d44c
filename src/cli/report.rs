//! `semcot report`: evaluations, looks, probes and training as tables and charts.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::CommandError;
use crate::evaluation::report::{FIGURES, MARK, PAGE, Report};

/// Write tables (Markdown) and charts (SVG) of what was measured.
///
/// Reads what `semcot eval`, `score`, `look` and `probe` wrote with --json, and metrics of training. Runs whose names
/// differ in -seedN at their end are one with mean and deviation; -kN and -alphaX before that make curves.
#[derive(Args)]
pub struct Arguments {
    /// Files, folders of them, and folders of runs of training, in the order of the tables.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Folder that gets README.md and figures/.
    #[arg(long)]
    out: PathBuf,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let page = arguments.out.join(PAGE);
    check_replaceable(&page)?;
    let report = Report::of(&arguments.runs)?;
    let figures = arguments.out.join(FIGURES);
    let named = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(&figures).map_err(|error| named(&figures, error))?;
    for (name, svg) in &report.figures {
        let path = figures.join(name);
        fs::write(&path, svg).map_err(|error| named(&path, error))?;
    }
    fs::write(&page, &report.markdown).map_err(|error| named(&page, error))?;
    println!("{} and {} charts", page.display(), report.figures.len());
    Ok(())
}

/// A page that people wrote is not replaced.
fn check_replaceable(page: &Path) -> Result<(), CommandError> {
    match fs::read_to_string(page) {
        Ok(text) if !text.starts_with(MARK) => Err(format!(
            "{} is not a report: name another folder with --out, or move it",
            page.display()
        )
        .into()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("{}: {error}", page.display()).into()),
    }
}
