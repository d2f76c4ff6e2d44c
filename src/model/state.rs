//! What changes from pass to pass of a run. On the GPU it lies in a buffer that every kernel reads
//! and `select` writes (`shaders/run.wgsl`); the twins take the same values.

/// The state of a run, field for field the `Run` of `shaders/run.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunState {
    /// Rows of this pass: those of the prompt in prefill, 1 in decode.
    pub rows: u32,
    /// Position in the sequence of the first row of this pass.
    pub position: u32,
    /// First row that a linear step reads of its input: 0 but for the projection.
    pub first_row: u32,
    /// 1 when the run has ended: every kernel returns at once.
    pub done: u32,
    /// Tokens written so far.
    pub written: u32,
    /// Most tokens to write.
    pub max_tokens: u32,
    /// Writing stops after this token.
    pub end_token: u32,
}

impl RunState {
    /// The fields in their order, and padding, as the GPU reads them.
    pub fn words(&self) -> [u32; 8] {
        [
            self.rows,
            self.position,
            self.first_row,
            self.done,
            self.written,
            self.max_tokens,
            self.end_token,
            0,
        ]
    }

    /// The state that [`words`](Self::words) describe.
    pub fn from_words(words: [u32; 8]) -> Self {
        let [
            rows,
            position,
            first_row,
            done,
            written,
            max_tokens,
            end_token,
            _,
        ] = words;
        Self {
            rows,
            position,
            first_row,
            done,
            written,
            max_tokens,
            end_token,
        }
    }
}
