//! Files broken at random.

/// splitmix64.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `limit` − 1; 0 where the limit is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Numbers at which sizes and offsets go wrong.
const NUMBERS: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x0fff_ffff_ffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// What breaks text: numbers out of range, nesting, escapes, bytes that are no UTF-8.
const TEXTS: [&[u8]; 16] = [
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"0.5",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"\"\"",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
    b"\\u0000",
    b"\\ud800",
    b"\xff\xfe",
    b"../../",
    b"\"",
];

/// One of the seeds with one to four mutations.
pub fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        mutate(&mut bytes, seeds, random);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    // Headers stand at the front; half of the mutations are there.
    let front = if random.below(2) == 0 {
        2048
    } else {
        usize::MAX
    };
    let at = random.below(bytes.len().min(front));
    let kind = random.below(9);
    if bytes.is_empty() && kind < 3 {
        return;
    }
    match kind {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        2 => {
            let number = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
            let width = (1 << random.below(4)).min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        3 => bytes.truncate(at),
        4 => {
            let end = range_end(bytes, at, random);
            bytes.drain(at..end);
        }
        5 => {
            let end = range_end(bytes, at, random);
            let copy = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, copy);
        }
        6 => {
            let text = TEXTS[random.below(TEXTS.len())];
            bytes.splice(at..at, text.iter().copied());
        }
        7 => {
            // A word or a number gives way to something else.
            let is_word = |it: &u8| it.is_ascii_alphanumeric() || *it == b'.' || *it == b'-';
            let start = bytes[..at].iter().rposition(|it| !is_word(it));
            let start = start.map_or(0, |it| it + 1);
            let len = bytes[start..].iter().take_while(|it| is_word(it)).count();
            let text = TEXTS[random.below(TEXTS.len())];
            bytes.splice(start..start + len, text.iter().copied());
        }
        _ => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len());
            bytes.truncate(at);
            bytes.extend(&other[from..]);
        }
    }
}

/// An end up to 64 bytes on.
fn range_end(bytes: &[u8], start: usize, random: &mut Random) -> usize {
    (start + 1 + random.below(64)).min(bytes.len())
}
