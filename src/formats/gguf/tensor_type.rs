//! The tensor types that ggml defines: id, name and block, enough to know how many bytes a tensor
//! has. Whether this project can compute with a type is said by [`crate::weights::WeightType`].

/// A type of tensor data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorType {
    /// Number in the file.
    pub id: u32,
    /// ggml's name.
    pub name: &'static str,
    /// Values in a block.
    pub block_len: u64,
    /// Bytes of a block.
    pub block_bytes: u64,
}

const fn tensor_type(id: u32, name: &'static str, block_len: u64, block_bytes: u64) -> TensorType {
    TensorType {
        id,
        name,
        block_len,
        block_bytes,
    }
}

/// ggml's `type_traits` table, without the types that it removed.
const TENSOR_TYPES: [TensorType; 32] = [
    tensor_type(0, "F32", 1, 4),
    tensor_type(1, "F16", 1, 2),
    tensor_type(2, "Q4_0", 32, 18),
    tensor_type(3, "Q4_1", 32, 20),
    tensor_type(6, "Q5_0", 32, 22),
    tensor_type(7, "Q5_1", 32, 24),
    tensor_type(8, "Q8_0", 32, 34),
    tensor_type(9, "Q8_1", 32, 36),
    tensor_type(10, "Q2_K", 256, 84),
    tensor_type(11, "Q3_K", 256, 110),
    tensor_type(12, "Q4_K", 256, 144),
    tensor_type(13, "Q5_K", 256, 176),
    tensor_type(14, "Q6_K", 256, 210),
    tensor_type(15, "Q8_K", 256, 292),
    tensor_type(16, "IQ2_XXS", 256, 66),
    tensor_type(17, "IQ2_XS", 256, 74),
    tensor_type(18, "IQ3_XXS", 256, 98),
    tensor_type(19, "IQ1_S", 256, 50),
    tensor_type(20, "IQ4_NL", 32, 18),
    tensor_type(21, "IQ3_S", 256, 110),
    tensor_type(22, "IQ2_S", 256, 82),
    tensor_type(23, "IQ4_XS", 256, 136),
    tensor_type(24, "I8", 1, 1),
    tensor_type(25, "I16", 1, 2),
    tensor_type(26, "I32", 1, 4),
    tensor_type(27, "I64", 1, 8),
    tensor_type(28, "F64", 1, 8),
    tensor_type(29, "IQ1_M", 256, 56),
    tensor_type(30, "BF16", 1, 2),
    tensor_type(34, "TQ1_0", 256, 54),
    tensor_type(35, "TQ2_0", 256, 66),
    tensor_type(39, "MXFP4", 32, 17),
];

impl TensorType {
    /// The type of this number, if ggml defines it.
    pub fn from_id(id: u32) -> Option<Self> {
        TENSOR_TYPES.iter().copied().find(|it| it.id == id)
    }

    /// Bytes of a tensor whose rows have `row_len` values, `None` where the row is no whole
    /// number of blocks or the size overflows.
    pub fn size_bytes(&self, row_len: u64, rows: u64) -> Option<u64> {
        if !row_len.is_multiple_of(self.block_len) {
            return None;
        }
        (row_len / self.block_len)
            .checked_mul(self.block_bytes)?
            .checked_mul(rows)
    }
}
