//! The rotary tables, in halves: element `i` of a head is paired with element `i + head_dim / 2`.

/// Cosines and sines for every position up to a context length.
#[derive(Clone, Debug)]
pub struct RopeTable {
    /// Pairs in a head.
    pub half: usize,
    /// `[positions, half]`.
    pub cos: Vec<f32>,
    /// `[positions, half]`.
    pub sin: Vec<f32>,
}

impl RopeTable {
    /// Angle of pair `i` at position `p`: `p · theta^(−2i / head_dim)`.
    pub fn new(positions: usize, head_dim: usize, theta: f64) -> Self {
        let half = head_dim / 2;
        let angles = (0..positions).flat_map(|position| {
            (0..half).map(move |i| position as f64 * theta.powf(-2.0 * i as f64 / head_dim as f64))
        });
        let (cos, sin) = angles
            .map(|angle| (angle.cos() as f32, angle.sin() as f32))
            .unzip();
        Self { half, cos, sin }
    }

    /// Positions that it has rows for.
    pub fn positions(&self) -> usize {
        self.cos.len() / self.half
    }

    /// The table of rows that stand at these positions, in their order.
    pub fn at(&self, positions: &[usize]) -> Self {
        let rows = |table: &[f32]| {
            let row = |&position: &usize| &table[position * self.half..][..self.half];
            positions.iter().flat_map(row).copied().collect()
        };
        Self {
            half: self.half,
            cos: rows(&self.cos),
            sin: rows(&self.sin),
        }
    }

    /// Rotates one head in place.
    pub fn rotate(&self, head: &mut [f32], position: usize) {
        let (first, second) = head.split_at_mut(self.half);
        let at = position * self.half;
        let (cos, sin) = (&self.cos[at..at + self.half], &self.sin[at..at + self.half]);
        for i in 0..self.half {
            let (a, b) = (first[i], second[i]);
            first[i] = a * cos[i] - b * sin[i];
            second[i] = b * cos[i] + a * sin[i];
        }
    }

    /// Rotates one head back: the gradient of [`RopeTable::rotate`].
    pub fn rotate_back(&self, head: &mut [f32], position: usize) {
        let (first, second) = head.split_at_mut(self.half);
        let at = position * self.half;
        let (cos, sin) = (&self.cos[at..at + self.half], &self.sin[at..at + self.half]);
        for i in 0..self.half {
            let (a, b) = (first[i], second[i]);
            first[i] = a * cos[i] + b * sin[i];
            second[i] = b * cos[i] - a * sin[i];
        }
    }
}
