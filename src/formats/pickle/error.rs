//! What can be wrong with a PyTorch file.

/// A PyTorch file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// The file cannot be read.
    #[error("{file} cannot be read: {reason}")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// The zip archive is damaged, or of another kind than PyTorch writes.
    #[error("{file} is no archive that torch.save writes: {reason}")]
    Archive {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// PyTorch's format of before version 1.6.
    #[error(
        "{file} has PyTorch's format of before version 1.6; load it there and save it again with torch.save"
    )]
    Legacy {
        /// The file.
        file: String,
    },
    /// A global that no dictionary of tensors needs; it is not looked up.
    #[error(
        "{file} asks for {global}, which is not run: save a dictionary of tensors (a state dict) only"
    )]
    Global {
        /// The file.
        file: String,
        /// Module and name.
        global: String,
    },
    /// An instruction that no dictionary of tensors needs.
    #[error(
        "{file} holds the pickle instruction {opcode:#04x} at byte {at}, which no state dict needs"
    )]
    Opcode {
        /// The file.
        file: String,
        /// The instruction.
        opcode: u8,
        /// Where it stands in the pickle.
        at: usize,
    },
    /// The pickle is damaged or contradicts itself.
    #[error("{file}: its pickle is broken at byte {at}: {reason}")]
    Pickle {
        /// The file.
        file: String,
        /// Where in the pickle.
        at: usize,
        /// What is wrong.
        reason: String,
    },
    /// More of something than any state dict has.
    #[error("{file} holds more than {limit} {what}")]
    Limit {
        /// The file.
        file: String,
        /// Of what.
        what: &'static str,
        /// How many are accepted.
        limit: usize,
    },
    /// A tensor that its storage cannot hold, or that is laid out in a way that is not read.
    #[error("tensor {tensor} of {file}: {reason}")]
    Tensor {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
}

impl PickleError {
    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "pickle_read",
            Self::Archive { .. } => "pickle_archive",
            Self::Legacy { .. } => "pickle_legacy",
            Self::Global { .. } => "pickle_global",
            Self::Opcode { .. } => "pickle_opcode",
            Self::Pickle { .. } => "pickle_broken",
            Self::Limit { .. } => "pickle_limit",
            Self::Tensor { .. } => "pickle_tensor",
        }
    }
}
