//! PyTorch files by bytes, as `torch.save` of a state dict writes them.

/// A tensor of a state dict.
#[derive(Clone)]
pub struct Saved {
    pub name: String,
    /// `FloatStorage` and so on.
    pub storage: &'static str,
    pub shape: Vec<u32>,
    pub strides: Vec<u32>,
    /// First value in its storage.
    pub first: u32,
    /// Values that the pickle says its storage has.
    pub length: u32,
    /// Wrapped as a parameter.
    pub parameter: bool,
    pub bytes: Vec<u8>,
}

impl Saved {
    pub fn f32(name: &str, shape: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|it| it.to_le_bytes()).collect();
        Self::new(name, "FloatStorage", shape, bytes, 4)
    }

    pub fn new(
        name: &str,
        storage: &'static str,
        shape: &[usize],
        bytes: Vec<u8>,
        size: usize,
    ) -> Self {
        let shape: Vec<u32> = shape.iter().map(|&it| it as u32).collect();
        let mut strides = vec![1; shape.len()];
        for at in (1..shape.len()).rev() {
            strides[at - 1] = strides[at] * shape[at];
        }
        Self {
            name: name.to_owned(),
            storage,
            strides,
            shape,
            first: 0,
            length: (bytes.len() / size) as u32,
            parameter: false,
            bytes,
        }
    }
}

pub fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

pub fn int(out: &mut Vec<u8>, value: u32) {
    out.push(b'J');
    out.extend(value.to_le_bytes());
}

fn tuple(out: &mut Vec<u8>, values: &[u32]) {
    out.push(b'(');
    values.iter().for_each(|&it| int(out, it));
    out.push(b't');
}

/// The instructions that leave a state dict on the stack; storages are numbered from `first_key`.
pub fn state_dict(tensors: &[Saved], first_key: usize) -> Vec<u8> {
    let mut out = b"ccollections\nOrderedDict\nq\x00)R(".to_vec();
    for (index, tensor) in tensors.iter().enumerate() {
        text(&mut out, &tensor.name);
        if tensor.parameter {
            out.extend(b"ctorch._utils\n_rebuild_parameter\n(");
        }
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut out, "storage");
        out.extend(format!("ctorch\n{}\n", tensor.storage).bytes());
        text(&mut out, &(first_key + index).to_string());
        text(&mut out, "cpu");
        int(&mut out, tensor.length);
        out.extend(b"tQ");
        int(&mut out, tensor.first);
        tuple(&mut out, &tensor.shape);
        tuple(&mut out, &tensor.strides);
        out.extend(b"\x89h\x00)RtR");
        if tensor.parameter {
            out.extend(b"\x88h\x00)RtR");
        }
    }
    // What PyTorch says of versions: `_metadata`, state of the dictionary.
    out.extend(b"u}");
    text(&mut out, "_metadata");
    out.extend(b"h\x00)Rsb");
    out
}

/// A whole file of one state dict.
pub fn file(tensors: &[Saved]) -> Vec<u8> {
    let pickle = [b"\x80\x02".as_slice(), &state_dict(tensors, 0), b"."].concat();
    archive(&pickle, tensors)
}

/// A file of this pickle and the tensors' storages.
pub fn archive(pickle: &[u8], tensors: &[Saved]) -> Vec<u8> {
    let mut entries = vec![
        ("archive/data.pkl".to_owned(), pickle.to_vec()),
        ("archive/byteorder".to_owned(), b"little".to_vec()),
    ];
    for (index, tensor) in tensors.iter().enumerate() {
        entries.push((format!("archive/data/{index}"), tensor.bytes.clone()));
    }
    entries.push(("archive/version".to_owned(), b"3\n".to_vec()));
    zip(&entries)
}

/// A zip archive of stored entries, with padding as PyTorch has it.
pub fn zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut table) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let header = out.len() as u32;
        let padding = (64 - (out.len() + 34 + name.len()) % 64) % 64;
        out.extend(b"PK\x03\x04\0\0\0\x08\0\0\0\0\0\0\0\0\0\0");
        // Sizes stand behind the entry and in the table.
        out.extend([0; 8]);
        out.extend((name.len() as u16).to_le_bytes());
        out.extend((padding as u16 + 4).to_le_bytes());
        out.extend(name.as_bytes());
        out.extend(b"FB");
        out.extend((padding as u16).to_le_bytes());
        out.extend(vec![b'Z'; padding]);
        out.extend(bytes);

        table.extend(b"PK\x01\x02\0\0\0\0\0\x08\0\0\0\0\0\0\0\0\0\0");
        table.extend((bytes.len() as u32).to_le_bytes());
        table.extend((bytes.len() as u32).to_le_bytes());
        table.extend((name.len() as u16).to_le_bytes());
        table.extend([0; 12]);
        table.extend(header.to_le_bytes());
        table.extend(name.as_bytes());
    }
    let start = out.len() as u32;
    out.extend(&table);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend((table.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0; 2]);
    out
}
