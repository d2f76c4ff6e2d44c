//! `tokenizer.model` of SentencePiece: a protocol-buffers message, of which the pieces and a few
//! settings are read. Field numbers are those of `sentencepiece_model.proto`.

use crate::tokenizer::Vocabulary;

/// Most pieces; the largest vocabularies have 256 thousand.
const MAX_PIECES: usize = 1 << 20;

/// A field of a message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Reads the fields of a message one by one.
struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    /// Number and value of the next field; `None` at the end.
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Field::Number(self.varint()?),
            1 => Field::Bytes(self.bytes(8)?),
            2 => {
                let len = self.varint()?;
                Field::Bytes(self.bytes(len)?)
            }
            5 => Field::Bytes(self.bytes(4)?),
            other => return Err(format!("a field has wire type {other}")),
        };
        Ok(Some((tag >> 3, value)))
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.bytes(1)? else {
                break;
            };
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(value);
            }
        }
        Err("a number has more than ten bytes".to_owned())
    }

    fn bytes(&mut self, len: u64) -> Result<&'a [u8], String> {
        let split = usize::try_from(len)
            .ok()
            .and_then(|len| self.0.split_at_checked(len));
        let (bytes, rest) = split.ok_or_else(|| {
            let left = self.0.len();
            format!("a field of {len} bytes begins {left} bytes before the end")
        })?;
        self.0 = rest;
        Ok(bytes)
    }
}

/// Reads the tables. The reason of an error is a sentence without the file's name.
pub fn read(file: &[u8]) -> Result<Vocabulary, String> {
    let mut vocabulary = Vocabulary {
        model: "llama".to_owned(),
        pre: "default".to_owned(),
        unknown_id: Some(0),
        bos_id: Some(1),
        eos_id: Some(2),
        add_bos: true,
        add_space_prefix: true,
        ..Vocabulary::default()
    };
    let mut message = Message(file);
    while let Some((number, field)) = message.next()? {
        match (number, field) {
            (1, Field::Bytes(piece)) => add_piece(piece, &mut vocabulary)?,
            (2, Field::Bytes(trainer)) => read_trainer(trainer, &mut vocabulary)?,
            (3, Field::Bytes(normalizer)) => {
                let mut message = Message(normalizer);
                while let Some((number, field)) = message.next()? {
                    if let (3, Field::Number(adds)) = (number, field) {
                        vocabulary.add_space_prefix = adds != 0;
                    }
                }
            }
            _ => {}
        }
    }
    let size = vocabulary.tokens.len();
    if size == 0 {
        return Err("it holds no pieces".to_owned());
    }
    for id in [
        &mut vocabulary.unknown_id,
        &mut vocabulary.bos_id,
        &mut vocabulary.eos_id,
    ] {
        // Models without one have -1.
        *id = id.filter(|&id| (id as usize) < size);
    }
    Ok(vocabulary)
}

fn add_piece(piece: &[u8], vocabulary: &mut Vocabulary) -> Result<(), String> {
    let id = vocabulary.tokens.len();
    if id == MAX_PIECES {
        return Err(format!("it holds more than {MAX_PIECES} pieces"));
    }
    let (mut token, mut score, mut token_type) = ("", 0f32, 1);
    let mut message = Message(piece);
    while let Some((number, field)) = message.next()? {
        match (number, field) {
            (1, Field::Bytes(text)) => {
                token =
                    std::str::from_utf8(text).map_err(|_| format!("piece {id} is not UTF-8"))?;
            }
            (2, Field::Bytes(&[a, b, c, d])) => score = f32::from_le_bytes([a, b, c, d]),
            // SentencePiece's numbers are those of GGUF files.
            (3, Field::Number(number)) => {
                token_type = i32::try_from(number)
                    .ok()
                    .filter(|it| (1..=6).contains(it))
                    .ok_or_else(|| format!("piece {id} has type {number}"))?;
            }
            _ => {}
        }
    }
    vocabulary.tokens.push(token.to_owned());
    vocabulary.scores.push(score);
    vocabulary.token_types.push(token_type);
    Ok(())
}

fn read_trainer(trainer: &[u8], vocabulary: &mut Vocabulary) -> Result<(), String> {
    const BPE: u64 = 2;
    let mut model_type = 1;
    let mut message = Message(trainer);
    while let Some((number, field)) = message.next()? {
        let Field::Number(value) = field else {
            continue;
        };
        // Negative numbers have all 64 bits.
        let id = u32::try_from(value).ok();
        match number {
            3 => model_type = value,
            40 => vocabulary.unknown_id = id,
            41 => vocabulary.bos_id = id,
            42 => vocabulary.eos_id = id,
            _ => {}
        }
    }
    if model_type != BPE {
        return Err(format!(
            "its model type is {model_type}: only BPE (2) is supported"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    fn piece(token: &str, score: f32, token_type: u8) -> Vec<u8> {
        let mut piece = field(1, token.as_bytes());
        piece.push(2 << 3 | 5);
        piece.extend(score.to_le_bytes());
        piece.extend([3 << 3, token_type]);
        field(1, &piece)
    }

    fn file() -> Vec<u8> {
        let mut file = piece("<unk>", 0.0, 2);
        file.extend(piece("<s>", 0.0, 3));
        file.extend(piece("</s>", 0.0, 3));
        file.extend(piece("\u{2581}a", -1.5, 1));
        file.extend(piece("<0x0A>", 0.0, 6));
        file.extend(field(2, &[3 << 3, 2]));
        file.extend(field(3, &[3 << 3, 0]));
        file
    }

    #[test]
    fn pieces_types_scores_and_settings_are_read() {
        let vocabulary = read(&file()).unwrap();
        assert_eq!(
            vocabulary.tokens,
            ["<unk>", "<s>", "</s>", "\u{2581}a", "<0x0A>"]
        );
        assert_eq!(vocabulary.scores, [0.0, 0.0, 0.0, -1.5, 0.0]);
        assert_eq!(vocabulary.token_types, [2, 3, 3, 1, 6]);
        assert_eq!((vocabulary.bos_id, vocabulary.eos_id), (Some(1), Some(2)));
        assert!(!vocabulary.add_space_prefix);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_gives_tables_or_a_reason() {
        let file = file();
        for end in 0..file.len() {
            let _ = read(&file[..end]);
        }
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = read(&flipped);
        }
        assert!(read(&[]).is_err());
        assert!(read(&file[..file.len() - 1]).is_err());
    }
}
