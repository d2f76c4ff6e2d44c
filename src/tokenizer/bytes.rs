//! The byte alphabet of GPT-2: every byte as one printable character, so that tokens can be written as text.

/// The character that stands for a byte: itself where it is printable, else one from U+0100 on, in order.
pub fn to_char(byte: u8) -> char {
    let code = match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => u32::from(byte),
        0..=0x20 => 0x100 + u32::from(byte),
        0x7f..=0xa0 => 0x100 + 0x21 + u32::from(byte - 0x7f),
        0xad => 0x100 + 0x43,
    };
    // All of these are below the surrogates.
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that a character stands for, if it stands for one.
pub fn to_byte(letter: char) -> Option<u8> {
    let byte = match u32::from(letter) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => code,
        code @ 0x100..=0x120 => code - 0x100,
        code @ 0x121..=0x142 => code - 0x121 + 0x7f,
        0x143 => 0xad,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// Bytes written in the alphabet.
pub fn from_bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| to_char(byte)).collect()
}

/// The bytes of a token that is written in the alphabet. Other characters stand for their own UTF-8.
pub fn to_bytes(token: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(token.len());
    for letter in token.chars() {
        match to_byte(letter) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_own_printable_character() {
        let letters: std::collections::BTreeSet<char> = (0..=255).map(to_char).collect();
        assert_eq!(letters.len(), 256);
        assert!((0..=255).all(|byte| to_byte(to_char(byte)) == Some(byte)));
        assert!(
            letters
                .iter()
                .all(|c| !c.is_control() && !c.is_whitespace())
        );
        assert_eq!(from_bytes(b" a\n"), "\u{120}a\u{10a}");
    }
}
