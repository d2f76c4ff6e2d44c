//! `semcot.json`, the manifest of a model folder: which files belong together, how they are
//! prompted, how they were trained and what they reach. It comes over the network, so every field
//! that decides what is fetched or allocated is checked.

mod measured;
#[cfg(test)]
mod tests;

pub use measured::{Accuracy, Alignment};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::gguf::shard_names;
use crate::model::MOST_PASSES;

/// Name of the manifest in its folder.
pub const FILE_NAME: &str = "semcot.json";

/// The version of the format that is read and written.
const FORMAT: u32 = 1;
/// Largest manifest that is read.
const MAX_MANIFEST_BYTES: usize = 1 << 20;
/// Largest model file that is accepted, 8 GiB: above, some number in the manifest is wrong.
const MAX_FILE_BYTES: u64 = 8 << 30;
/// Most implicit tokens and most tokens to write that are accepted.
const MAX_TOKENS: u32 = 1 << 16;
/// Longest text field.
const MAX_TEXT_BYTES: usize = 1 << 14;

/// A model folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format, 1.
    pub format: u32,
    /// Short name.
    pub name: String,
    /// One sentence for a person.
    pub description: String,
    /// License of the weights.
    pub license: String,
    /// Number of implicit tokens k.
    pub implicit_tokens: u32,
    /// Which rows of the generator become implicit tokens.
    pub implicit_from: ImplicitFrom,
    /// How often the generator goes over its `<thought>` positions, each time with the hidden states of the time before
    /// in their place.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub generator_passes: u32,
    /// What stands around question, reasoning and answer.
    pub prompts: Prompts,
    /// Text of the token that ends an answer.
    pub end_token: String,
    /// Most tokens to write where the caller does not say.
    pub max_tokens: u32,
    /// The model files.
    pub files: Files,
    /// How the pair was trained: free-form, for people.
    #[serde(default)]
    pub training: serde_json::Value,
    /// Measured accuracy.
    #[serde(default)]
    pub accuracy: Vec<Accuracy>,
    /// What the implicit tokens were found to read like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alignment: Vec<Alignment>,
}

fn once() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands references over
fn is_once(passes: &u32) -> bool {
    *passes == once()
}

/// Which rows of the generator's hidden states become implicit tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImplicitFrom {
    /// The rows of the k `<thought>` tokens.
    ThoughtPositions,
    /// k rows beginning at the last question token, as the published code does.
    LastQuestionToken,
}

impl ImplicitFrom {
    /// As it stands in files.
    pub fn name(self) -> &'static str {
        match self {
            ImplicitFrom::ThoughtPositions => "thought_positions",
            ImplicitFrom::LastQuestionToken => "last_question_token",
        }
    }

    /// `<thought>` tokens that a generator has to read for k vectors: from the last question token on, the state of the
    /// k-th would come after the last that is used.
    pub fn thoughts_read(self, k: usize) -> usize {
        match self {
            ImplicitFrom::ThoughtPositions => k,
            ImplicitFrom::LastQuestionToken => k - 1,
        }
    }
}

/// What stands around question, reasoning and answer. Parsed with special tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompts {
    /// Before the question.
    pub question: String,
    /// Before written reasoning.
    pub reasoning: String,
    /// Before the answer.
    pub answer: String,
}

/// The files of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The model that answers.
    pub target: ModelFile,
    /// The model that makes implicit tokens, with its projection.
    pub generator: ModelFile,
    /// The model that compared reasonings in training; inference does not need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence_transformer: Option<ModelFile>,
}

/// A model's file beside the manifest; of a split model the first file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// File name, without any folder.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 in 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The further files of a split model, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rest: Vec<ModelFile>,
}

/// A manifest that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or a field missing, unknown or of another type.
    #[error("semcot.json cannot be read: {reason}")]
    Json {
        /// What the parser said, with line and column.
        reason: String,
    },
    /// A field of a value that cannot be used.
    #[error("semcot.json: {field} is {found}, expected {expected}")]
    Field {
        /// The field, as a path.
        field: String,
        /// The value found.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A file that is not the one that the manifest names.
    #[error("{path} has {found}, but semcot.json says {expected}; fetch the model folder again")]
    Mismatch {
        /// The file.
        path: String,
        /// Its size or SHA-256.
        found: String,
        /// What the manifest says.
        expected: String,
    },
}

impl ManifestError {
    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json { .. } => "manifest_json",
            Self::Field { .. } => "manifest_field",
            Self::Mismatch { .. } => "manifest_mismatch",
        }
    }
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(field("its size in bytes", bytes.len(), "at most 1048576"));
        }
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| ManifestError::Json {
                reason: error.to_string(),
            })?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The manifest as indented JSON with a final line feed.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("every field has a JSON form");
        json + "\n"
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.format != FORMAT {
            return Err(field(
                "format",
                self.format,
                "1; a newer release may read this folder",
            ));
        }
        let texts = [
            ("name", &self.name),
            ("description", &self.description),
            ("license", &self.license),
            ("prompts.question", &self.prompts.question),
            ("prompts.reasoning", &self.prompts.reasoning),
            ("prompts.answer", &self.prompts.answer),
            ("end_token", &self.end_token),
        ];
        for (name, text) in texts {
            if text.len() > MAX_TEXT_BYTES {
                return Err(field(
                    name,
                    format!("{} bytes long", text.len()),
                    "at most 16384",
                ));
            }
        }
        for (name, count) in [
            ("implicit_tokens", self.implicit_tokens),
            ("max_tokens", self.max_tokens),
        ] {
            if !(1..=MAX_TOKENS).contains(&count) {
                return Err(field(name, count, "a number from 1 to 65536"));
            }
        }
        let most = match self.implicit_from {
            ImplicitFrom::ThoughtPositions => MOST_PASSES,
            ImplicitFrom::LastQuestionToken => 1,
        };
        if !(1..=most).contains(&self.generator_passes) {
            return Err(field(
                "generator_passes",
                self.generator_passes,
                "a number from 1 to 16; 1 where implicit_from is not \"thought_positions\"",
            ));
        }
        self.files.target.check_all("files.target")?;
        self.files.generator.check_all("files.generator")?;
        if let Some(file) = &self.files.sentence_transformer {
            file.check_all("files.sentence_transformer")?;
        }
        self.check_measured()
    }
}

impl ModelFile {
    /// The entry of a file with these bytes.
    pub fn of(path: &str, bytes: &[u8]) -> Self {
        Self {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            sha256: hex(&Sha256::digest(bytes)),
            rest: Vec::new(),
        }
    }

    /// This file and the further ones, in the order that the model is split.
    pub fn all(&self) -> impl Iterator<Item = &ModelFile> {
        std::iter::once(self).chain(&self.rest)
    }

    /// Checks a size and a SHA-256, as [`hex`] writes it, against this entry.
    pub fn verify(&self, size_bytes: u64, sha256: &str) -> Result<(), ManifestError> {
        let mismatch = |found: String, expected: String| ManifestError::Mismatch {
            path: self.path.clone(),
            found,
            expected,
        };
        if size_bytes != self.bytes {
            return Err(mismatch(
                format!("{size_bytes} bytes"),
                format!("{} bytes", self.bytes),
            ));
        }
        if sha256 != self.sha256 {
            return Err(mismatch(
                format!("SHA-256 {sha256}"),
                format!("SHA-256 {}", self.sha256),
            ));
        }
        Ok(())
    }

    /// Checks the entry and those of the further files, which the name of the first asks for.
    fn check_all(&self, name: &str) -> Result<(), ManifestError> {
        self.check(name)?;
        let expected = shard_names(&self.path);
        if !self.all().map(|it| &it.path).eq(&expected) {
            let found: Vec<_> = self.rest.iter().map(|it| it.path.as_str()).collect();
            return Err(field(
                &format!("{name}.rest"),
                format!("[{}]", found.join(", ")),
                "the further files of NAME-00001-of-0000N.gguf in their order, of other names none",
            ));
        }
        self.rest.iter().enumerate().try_for_each(|(index, file)| {
            let name = format!("{name}.rest[{index}]");
            file.check(&name)?;
            match file.rest.is_empty() {
                true => Ok(()),
                false => Err(field(&format!("{name}.rest"), "not empty", "none there")),
            }
        })
    }

    fn check(&self, name: &str) -> Result<(), ManifestError> {
        let plain = !self.path.is_empty()
            && self.path.len() <= 255
            && !self.path.starts_with('.')
            && self
                .path
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"._-".contains(&it));
        if !plain {
            return Err(field(
                &format!("{name}.path"),
                format!("{:?}", self.path),
                "a file name of letters, digits, '.', '_' and '-', without any folder",
            ));
        }
        if !(1..=MAX_FILE_BYTES).contains(&self.bytes) {
            return Err(field(
                &format!("{name}.bytes"),
                self.bytes,
                "a number from 1 to 8589934592",
            ));
        }
        let is_hex = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
        if self.sha256.len() != 64 || !self.sha256.bytes().all(is_hex) {
            return Err(field(
                &format!("{name}.sha256"),
                format!("{:?}", self.sha256),
                "64 lower-case hexadecimal digits",
            ));
        }
        Ok(())
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

fn field(name: &str, found: impl std::fmt::Display, expected: &'static str) -> ManifestError {
    let mut found = found.to_string();
    if found.len() > 100 {
        found = format!("{} bytes of text", found.len());
    }
    ManifestError::Field {
        field: name.to_owned(),
        found,
        expected,
    }
}
