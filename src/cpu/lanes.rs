//! The few vector operations that the kernels need, on 128 bits: by wasm SIMD where the module is
//! built with it, else in plain Rust that does the same operations in the same order, so that what
//! is tested natively is what runs in browsers, bit by bit. Integer sums wrap in both.

/// Lanes of f32 and i32.
pub const LANES: usize = 4;

#[cfg(target_feature = "simd128")]
mod vectors {
    use core::arch::wasm32::*;

    use super::LANES;

    /// Four f32.
    #[derive(Clone, Copy)]
    pub struct F32x4(v128);

    /// Four i32.
    #[derive(Clone, Copy)]
    pub struct I32x4(v128);

    /// Eight i16.
    #[derive(Clone, Copy)]
    pub struct I16x8(v128);

    impl F32x4 {
        #[inline(always)]
        pub fn splat(value: f32) -> Self {
            Self(f32x4_splat(value))
        }

        #[inline(always)]
        pub fn load(values: &[f32; LANES]) -> Self {
            Self(bytemuck::pod_read_unaligned(bytemuck::bytes_of(values)))
        }

        #[inline(always)]
        pub fn to_array(self) -> [f32; LANES] {
            bytemuck::cast(self.0)
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            Self(f32x4_add(self.0, other.0))
        }

        #[inline(always)]
        pub fn mul(self, other: Self) -> Self {
            Self(f32x4_mul(self.0, other.0))
        }
    }

    impl I32x4 {
        #[inline(always)]
        pub fn splat(value: i32) -> Self {
            Self(i32x4_splat(value))
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            Self(i32x4_add(self.0, other.0))
        }

        /// Each rounded to the nearest f32.
        #[inline(always)]
        pub fn to_f32(self) -> F32x4 {
            F32x4(f32x4_convert_i32x4(self.0))
        }
    }

    impl I16x8 {
        /// The same pair in all four lanes.
        #[inline(always)]
        pub fn splat_pair(pair: [i16; 2]) -> Self {
            Self(i32x4_splat(bytemuck::cast(pair)))
        }

        /// In each lane the sum of the products of a pair.
        #[inline(always)]
        pub fn dot_pairs(self, other: Self) -> I32x4 {
            I32x4(i32x4_dot_i16x8(self.0, other.0))
        }
    }

    /// Lane i of vector n holds bits `4 n` to `4 n + 3` of word i.
    #[inline(always)]
    pub fn nibbles(words: &[u8; 16]) -> [I16x8; 4] {
        let words: v128 = bytemuck::pod_read_unaligned(words);
        let low = u16x8_splat(15);
        [
            I16x8(v128_and(words, low)),
            I16x8(v128_and(u16x8_shr(words, 4), low)),
            I16x8(v128_and(u16x8_shr(words, 8), low)),
            I16x8(u16x8_shr(words, 12)),
        ]
    }

    /// The first eight signed bytes, and the others.
    #[inline(always)]
    pub fn bytes(bytes: &[u8; 16]) -> [I16x8; 2] {
        let bytes: v128 = bytemuck::pod_read_unaligned(bytes);
        [
            I16x8(i16x8_extend_low_i8x16(bytes)),
            I16x8(i16x8_extend_high_i8x16(bytes)),
        ]
    }
}

#[cfg(not(target_feature = "simd128"))]
mod vectors {
    use std::array::from_fn;

    use super::LANES;

    /// Four f32.
    #[derive(Clone, Copy)]
    pub struct F32x4([f32; LANES]);

    /// Four i32.
    #[derive(Clone, Copy)]
    pub struct I32x4([i32; LANES]);

    /// Eight i16.
    #[derive(Clone, Copy)]
    pub struct I16x8([i16; 2 * LANES]);

    impl F32x4 {
        #[inline(always)]
        pub fn splat(value: f32) -> Self {
            Self([value; LANES])
        }

        #[inline(always)]
        pub fn load(values: &[f32; LANES]) -> Self {
            Self(*values)
        }

        #[inline(always)]
        pub fn to_array(self) -> [f32; LANES] {
            self.0
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            Self(from_fn(|lane| self.0[lane] + other.0[lane]))
        }

        #[inline(always)]
        pub fn mul(self, other: Self) -> Self {
            Self(from_fn(|lane| self.0[lane] * other.0[lane]))
        }
    }

    impl I32x4 {
        #[inline(always)]
        pub fn splat(value: i32) -> Self {
            Self([value; LANES])
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            Self(from_fn(|lane| self.0[lane].wrapping_add(other.0[lane])))
        }

        /// Each rounded to the nearest f32.
        #[inline(always)]
        pub fn to_f32(self) -> F32x4 {
            F32x4(self.0.map(|it| it as f32))
        }
    }

    impl I16x8 {
        /// The same pair in all four lanes.
        #[inline(always)]
        pub fn splat_pair(pair: [i16; 2]) -> Self {
            Self(from_fn(|lane| pair[lane % 2]))
        }

        /// In each lane the sum of the products of a pair.
        #[inline(always)]
        pub fn dot_pairs(self, other: Self) -> I32x4 {
            let product = |index: usize| i32::from(self.0[index]) * i32::from(other.0[index]);
            I32x4(from_fn(|lane| {
                product(2 * lane).wrapping_add(product(2 * lane + 1))
            }))
        }
    }

    /// Lane i of vector n holds bits `4 n` to `4 n + 3` of word i.
    #[inline(always)]
    pub fn nibbles(words: &[u8; 16]) -> [I16x8; 4] {
        from_fn(|n| {
            I16x8(from_fn(|lane| {
                (words[2 * lane + n / 2] >> (n % 2 * 4) & 15).into()
            }))
        })
    }

    /// The first eight signed bytes, and the others.
    #[inline(always)]
    pub fn bytes(bytes: &[u8; 16]) -> [I16x8; 2] {
        from_fn(|half| I16x8(from_fn(|lane| (bytes[8 * half + lane] as i8).into())))
    }
}

pub use vectors::{F32x4, I16x8, I32x4, bytes, nibbles};
