//! What every weight type must hold, and what ggml's reference makes of the same values.

use sha2::{Digest, Sha256};

use super::*;
use crate::formats::gguf::TensorType;

#[test]
fn every_type_agrees_with_ggmls_table() {
    for weight_type in WeightType::ALL {
        let ggml = TensorType::from_id(weight_type.ggml_id()).expect("ggml has the type");
        assert_eq!(weight_type.name(), ggml.name);
        assert_eq!(weight_type.block_len() as u64, ggml.block_len);
        assert_eq!(weight_type.block_bytes() as u64, ggml.block_bytes);
        let format = weight_type.format();
        assert_eq!(format.main_bytes + format.scale_bytes, format.block_bytes);
    }
}

#[test]
fn planes_of_chunks_laid_side_by_side_are_the_planes_of_the_whole() {
    let (rows, cols) = (7, 256);
    let values: Vec<f32> = (0..rows * cols).map(|i| (i as f32 * 0.37).sin()).collect();
    for &weight_type in WeightType::ALL {
        let raw = weight_type.quantize(&values, cols);
        let whole = weight_type.repack(&raw);
        let size = weight_type.plane_bytes(rows, cols);
        assert_eq!(whole.main.len() as u64, size.main);
        assert_eq!(whole.scales.len() as u64, size.scales);

        let mut pieced = Planes::default();
        let chunk_bytes = weight_type.row_bytes(cols) * CHUNK_ROWS_MULTIPLE;
        for (index, chunk) in raw.chunks(chunk_bytes).enumerate() {
            let start = weight_type.plane_bytes(index * CHUNK_ROWS_MULTIPLE, cols);
            assert_eq!(pieced.main.len() as u64, start.main);
            assert_eq!(pieced.scales.len() as u64, start.scales);
            let planes = weight_type.repack(chunk);
            pieced.main.extend(planes.main);
            pieced.scales.extend(planes.scales);
        }
        assert_eq!(pieced, whole, "{}", weight_type.name());
    }
}

#[test]
fn levels_of_any_block_are_in_the_range_of_their_type_and_reach_its_ends() {
    for &weight_type in WeightType::ALL {
        let Some(grid) = weight_type.grid() else {
            continue;
        };
        let (mut least, mut most) = (i8::MAX, i8::MIN);
        for seed in 0..64u32 {
            let bytes = 0..weight_type.block_bytes() as u32;
            let mixed = |it: u32| (seed * 977 + it + 1).wrapping_mul(2_654_435_761) >> 13;
            let block: Vec<u8> = bytes.map(|it| mixed(it) as u8).collect();
            let mut levels = Levels::default();
            weight_type.read_levels(&block, &mut levels);
            for &level in &levels.levels[..weight_type.block_len()] {
                (least, most) = (least.min(level), most.max(level));
            }
            assert!(grid.has_min || levels.mins == [0.0; MOST_PARTS]);
        }
        let name = weight_type.name();
        assert_eq!((least, most), (grid.least, grid.most), "{name}");
        assert!(weight_type.block_len().is_multiple_of(grid.part_len));
    }
}

/// Largest error of a value, as a share of the largest value of its block: half a step of the
/// quants, and as much again for what is lost by rounding scales (types that the list leaves
/// out have steps of a value's own size).
fn error_bound(weight_type: WeightType) -> f32 {
    match weight_type {
        WeightType::Q8_0 => 1.0 / 127.0,
        WeightType::Q6_K => 1.0 / 32.0,
        WeightType::Q5_0 | WeightType::Q5_1 | WeightType::Q5_K => 1.0 / 16.0,
        WeightType::Q4_0 | WeightType::Q4_1 | WeightType::Q4_K => 1.0 / 8.0,
        WeightType::IQ4_NL => 1.0 / 6.0,
        WeightType::Q3_K => 1.0 / 4.0,
        WeightType::Q2_K => 1.0 / 3.0,
        WeightType::F32 | WeightType::F16 | WeightType::BF16 => 1.0 / 256.0,
    }
}

#[test]
fn quantized_values_are_near_what_they_were() {
    let values: Vec<f32> = (0..1024).map(|i| (i as f32 * 1.7).cos() * 3.0).collect();
    for &weight_type in WeightType::ALL {
        let back = weight_type.dequantize(&weight_type.quantize(&values, 512));
        for (a, b) in values.iter().zip(&back) {
            assert!(
                (a - b).abs() <= 3.0 * error_bound(weight_type),
                "{}: {a} {b}",
                weight_type.name()
            );
        }
    }
}

#[test]
fn constant_and_zero_blocks_survive_quantization() {
    for &weight_type in WeightType::ALL {
        for constant in [0.0, 1.5, -1.5] {
            let back = weight_type.dequantize(&weight_type.quantize(&[constant; 256], 256));
            for value in back {
                let error = (value - constant).abs();
                assert!(
                    error <= 1.5 * error_bound(weight_type),
                    "{}: {constant} {value}",
                    weight_type.name()
                );
                assert!(constant != 0.0 || value == 0.0);
            }
        }
    }
}

/// Value `index` of the values whose quantization is known, each exact in f32: blocks of several
/// sizes, blocks of zeros, and blocks with steps of 1 and values half way between them.
fn known_value(index: usize) -> f32 {
    let (block, place) = (index / 32, index % 32);
    if block % 11 == 10 {
        return 0.0;
    }
    if block % 5 == 4 {
        let halves = if place == 0 {
            254
        } else {
            (index * 37 % 509) as i32 - 254
        };
        return halves as f32 / 2.0;
    }
    let integer = (index * 7919 % 20011) as i32 - 10005;
    integer as f32 / 4096.0 * 2f32.powi((block % 7) as i32 - 3)
}

/// SHA-256 of the 65536 values quantized by the Python package `gguf` 0.19.0, whose quantizers are
/// equal to ggml's reference.
const KNOWN: [(WeightType, &str); 7] = [
    (
        WeightType::F16,
        "758aac1d9d93c2b6116d72b2cb4200c126d149e7c42de50a5b630ba3c52a05e4",
    ),
    (
        WeightType::BF16,
        "3a413f9857eb57d52e23e5ccf2cb81357ed6e1334f0977bf087eacfe79f49e4a",
    ),
    (
        WeightType::Q8_0,
        "103b2015179b1b0b553afaaa6904d5b5086964faebecaed758420f896fdfaf44",
    ),
    (
        WeightType::Q4_0,
        "61245aca9e9f7992a0db7ad73ed9bfb38e3e53502fe64decbee57576552902e1",
    ),
    (
        WeightType::Q4_1,
        "b6a77468e8f26a5ad9deeb111a3d1b746efadeb485cf25bdaa9d3ee14cbfff4c",
    ),
    (
        WeightType::Q5_0,
        "8870dd8cb55b4e1ae74a91c90c5bc4c5a8760ea39ac6723d9197b7e6b29c3e09",
    ),
    (
        WeightType::Q5_1,
        "5b405348acc62dd3469b75b644d245c4ac237de7eaf29390781c625a9a94e508",
    ),
];

/// SHA-256 of the 65536 values, each followed by a scattered one, as the K types quantized them when
/// their search tried one scale after the other.
const SEARCHED: [(WeightType, &str); 5] = [
    (
        WeightType::Q2_K,
        "7f8326114ff86aa2c62ab0fd3b08887e046ed35a7575a99a1885444b053c2cda",
    ),
    (
        WeightType::Q3_K,
        "3671542517101dc5ff45af7d785bb937bbc7a3cc9edd1b8a39f9a7f1cc862312",
    ),
    (
        WeightType::Q4_K,
        "05b9a9678d4f4f2d7f7b0e9f7ec99c6480c526afd33a689ba88540a455660793",
    ),
    (
        WeightType::Q5_K,
        "03b36b968eca49f975b0d7e86bc2708332052ab6de5fed9e4a60e3bc122e2893",
    ),
    (
        WeightType::Q6_K,
        "e72a05a2741552783f3ccbc59d8453b6f66b14712a59909df0cf6f45a35eb0dc",
    ),
];

/// A value like no neighbor's, exact in f32.
fn scattered_value(index: usize) -> f32 {
    let bits = (index as u32).wrapping_mul(2_654_435_761) >> 8;
    bits as f32 / (1 << 23) as f32 - 1.0
}

fn digest(weight_type: WeightType, values: &[f32]) -> String {
    let raw = weight_type.quantize(values, 256);
    let digest = Sha256::digest(&raw);
    digest.iter().map(|it| format!("{it:02x}")).collect()
}

#[test]
fn quantized_bytes_are_those_of_ggmls_reference() {
    let values: Vec<f32> = (0..1 << 16).map(known_value).collect();
    for (weight_type, expected) in KNOWN {
        let found = digest(weight_type, &values);
        assert_eq!(found, expected, "{}", weight_type.name());
    }
}

#[test]
fn scales_tried_side_by_side_give_the_bytes_of_one_after_the_other() {
    let values = (0..1 << 16).flat_map(|it| [known_value(it), scattered_value(it)]);
    let values: Vec<f32> = values.collect();
    for (weight_type, expected) in SEARCHED {
        let found = digest(weight_type, &values);
        assert_eq!(found, expected, "{}", weight_type.name());
    }
}
