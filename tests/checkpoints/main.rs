//! PyTorch files: sound ones are read as they were saved, hostile ones end in an error that names
//! what is wrong (`hostile`), and checkpoints as the authors save them become a pair (`pair`).

#![cfg(not(target_arch = "wasm32"))]

mod hostile;
mod pair;
mod torch;

use std::path::Path;

use semcot::formats::pickle::PickleError;
use semcot::formats::tensors::TensorFiles;

use torch::Saved;

fn open(path: &Path) -> Result<TensorFiles, PickleError> {
    let mut files = TensorFiles::default();
    files.add_pickle(path).map(|()| files)
}

fn values(files: &TensorFiles, name: &str) -> Vec<f32> {
    let tensor = &files.tensors()[name];
    files
        .read(tensor, 0, tensor.shape.iter().product())
        .unwrap()
}

#[test]
fn tensors_of_every_type_are_read_as_they_were_saved() {
    let expected = [0.5f32, -1.0, 2.0, -0.25, 8.0, 0.0];
    let bytes = |it: fn(f32) -> Vec<u8>| expected.iter().copied().flat_map(it).collect();
    let f16 = |it: f32| half::f16::from_f32(it).to_le_bytes().to_vec();
    let bf16 = |it: f32| half::bf16::from_f32(it).to_le_bytes().to_vec();
    let f64 = |it: f32| f64::from(it).to_le_bytes().to_vec();
    let mut tensors = vec![
        Saved::f32("f32", &[2, 3], &expected),
        Saved::new("f16", "HalfStorage", &[2, 3], bytes(f16), 2),
        Saved::new("bf16", "BFloat16Storage", &[6], bytes(bf16), 2),
        Saved::new("f64", "DoubleStorage", &[3, 1, 2], bytes(f64), 8),
        Saved::new("step", "LongStorage", &[1], vec![0; 8], 8),
        Saved::f32("view", &[2], &expected),
    ];
    tensors[0].parameter = true;
    // Values 3 and 4 of a storage of 6, as views are saved; a stride of a length 1 says nothing.
    tensors[5].first = 3;
    tensors[3].strides[1] = 77;
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("state.pt");
    std::fs::write(&path, torch::file(&tensors)).unwrap();
    let files = open(&path).unwrap();
    for name in ["f32", "f16", "bf16", "f64"] {
        assert_eq!(values(&files, name), expected, "{name}");
    }
    assert_eq!(values(&files, "view"), expected[3..5]);
    assert_eq!(files.tensors()["f64"].shape, [3, 1, 2]);
    assert!(
        !files.tensors().contains_key("step"),
        "whole numbers are no weights"
    );
}

#[test]
fn a_dictionary_around_the_state_dict_gives_names_with_dots() {
    let tensors = [Saved::f32("norm.weight", &[2], &[1.0, 2.0])];
    let mut pickle = b"\x80\x02}(".to_vec();
    torch::text(&mut pickle, "epoch");
    pickle.extend(b"K\x03");
    torch::text(&mut pickle, "model");
    pickle.extend(torch::state_dict(&tensors, 0));
    pickle.extend(b"u.");
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("state.pt");
    std::fs::write(&path, torch::archive(&pickle, &tensors)).unwrap();
    let files = open(&path).unwrap();
    assert_eq!(values(&files, "model.norm.weight"), [1.0, 2.0]);
    assert_eq!(files.tensors().len(), 1);
}
