//! The `semcot` command: parse, call, print the error.

fn main() -> std::process::ExitCode {
    match semcot::cli::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
