//! Configuration files that say only what differs from another: `extends = "base.toml"`.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::error::TrainError;

/// The field that names the other file, relative to the folder of the one that it stands in.
const EXTENDS: &str = "extends";

/// A file with what the file that it extends says besides. Tables are merged field by field; everything else, lists too,
/// is replaced. One level only: of a chain nobody sees at a glance which file decides.
pub fn extended<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let wrong = |message: String| TrainError::Configuration {
        path: path.to_owned(),
        message,
    };
    let text = fs::read_to_string(path).map_err(TrainError::file(path))?;
    let mut table: Table = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let Some(base) = table.remove(EXTENDS) else {
        // Again from the text, so that errors name lines.
        return toml::from_str(&text).map_err(|error| wrong(error.to_string()));
    };
    let Value::String(base) = base else {
        return Err(wrong(
            "extends must name a file, as in \"base.toml\"".into(),
        ));
    };
    let base = path.with_file_name(base);
    let text = fs::read_to_string(&base).map_err(TrainError::file(&base))?;
    let mut merged: Table = toml::from_str(&text).map_err(|error| TrainError::Configuration {
        path: base.clone(),
        message: error.to_string(),
    })?;
    if merged.contains_key(EXTENDS) {
        let base = base.display();
        return Err(wrong(format!(
            "extends {base}, which extends a file itself: name the last one, and say the rest here"
        )));
    }
    merge(&mut merged, table);
    (merged.try_into()).map_err(|error: toml::de::Error| {
        let base = base.display();
        wrong(format!("with what {base} says: {error}"))
    })
}

fn merge(base: &mut Table, over: Table) {
    for (field, value) in over {
        match (base.get_mut(&field), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(field, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Table, String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        extended(&folder.path().join(files[0].0)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_says_only_what_differs() {
        let base = ("base.toml", "a = 1\nlist = [1, 2]\n[t]\nb = 2\nc = 3\n");
        let file = (
            "file.toml",
            "extends = \"base.toml\"\nlist = [3]\n[t]\nc = 4\n",
        );
        let expected = "a = 1\nlist = [3]\n[t]\nb = 2\nc = 4\n";
        assert_eq!(
            read(&[file, base]),
            Ok(toml::from_str(expected).expect("TOML"))
        );
    }

    #[test]
    fn only_one_level_is_followed() {
        let circle = ("base.toml", "extends = \"file.toml\"\n");
        let file = ("file.toml", "extends = \"base.toml\"\n");
        let message = read(&[file, circle]).expect_err("a circle");
        assert!(message.contains("extends a file itself"), "{message}");
        let message = read(&[file]).expect_err("no such file");
        assert!(message.contains("base.toml"), "{message}");
        let message = read(&[("file.toml", "extends = 3\n")]).expect_err("no name");
        assert!(message.contains("must name a file"), "{message}");
    }
}
