//! PyTorch files that lie, and files broken at random.

use super::open;
use super::torch::{Saved, archive, file, int, state_dict, text, zip};

/// Seed of the broken files, printed with each failure.
const SEED: u64 = 11;
/// Broken files tried.
const TRIALS: u64 = 3000;

fn good() -> Vec<Saved> {
    vec![
        Saved::f32("a", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        Saved::f32("b", &[4], &[0.5; 4]),
    ]
}

/// The code and the message of the error where a file ends.
fn refused(name: &str, bytes: &[u8]) -> (String, String) {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("state.pt");
    std::fs::write(&path, bytes).unwrap();
    let error = match open(&path) {
        Ok(files) => panic!("{name} is read: {:?}", files.tensors()),
        Err(error) => error,
    };
    let message = error.to_string();
    assert!(!message.contains('\n'), "{name}: {message}");
    (error.code().to_owned(), message)
}

fn assert_refused(name: &str, bytes: &[u8], code: &str, named: &str) {
    let (found, message) = refused(name, bytes);
    assert_eq!(found, code, "{name}: {message}");
    assert!(message.contains(named), "{name}: {message}");
}

fn assert_pickle_refused(name: &str, instructions: &[u8], code: &str, named: &str) {
    let pickle = [b"\x80\x02", instructions].concat();
    assert_refused(name, &archive(&pickle, &good()), code, named);
}

#[test]
fn code_is_refused_by_its_name_and_not_run() {
    let calls = b"cos\nsystem\n(X\x05\x00\x00\x00falsetR.";
    assert_pickle_refused("system", calls, "pickle_global", "os.system");
    let mut stacked = Vec::new();
    text(&mut stacked, "builtins");
    text(&mut stacked, "eval");
    stacked.extend(b"\x93.");
    assert_pickle_refused("eval", &stacked, "pickle_global", "builtins.eval");
    for (name, opcode) in [
        ("inst", b'i'),
        ("obj", b'o'),
        ("newobj", 0x81),
        ("extension", 0x82),
        ("reduce-ex", 0x92),
        ("persistent-text", b'P'),
    ] {
        let instructions = [b'(', opcode, b'x', b'\n', b'.'];
        let named = format!("{opcode:#04x}");
        assert_pickle_refused(name, &instructions, "pickle_opcode", &named);
    }
}

#[test]
fn a_broken_pickle_is_refused() {
    let broken = "pickle_broken";
    for (name, instructions, named) in [
        ("empty", b"".as_slice(), "too early"),
        ("no-value", b".", "stack is empty"),
        ("no-mark", b"t.", "without a mark"),
        ("below-mark", b"K\x01(\x85.", "stack is empty"),
        ("text-length", b"X\xff\xff\xff\xffab.", "too early"),
        ("text-utf8", b"X\x02\x00\x00\x00\xff\xfe.", "UTF-8"),
        ("nothing-remembered", b"j\x00\x00\x00\x01.", "remembered"),
        ("odd-items", b"}(K\x01u.", "key without"),
        ("items-of-number", b"K\x01(K\x01K\x02u.", "no dictionary"),
        ("call-of-number", b"K\x01)R.", "no function"),
        ("global-without-end", b"ctorch", "without an end"),
        ("wide-number", b"\x8a\xff.", "too early"),
    ] {
        assert_pickle_refused(name, instructions, broken, named);
    }
    assert_pickle_refused("memo", b"Nr\xff\xff\xff\xff.", "pickle_limit", "remembered");
}

#[test]
fn what_grows_without_end_meets_a_limit() {
    let many = [vec![b')'; (1 << 20) + 1], b".".to_vec()].concat();
    assert_pickle_refused("many-values", &many, "pickle_limit", "values");
    let marks = vec![b'('; (1 << 20) + 1];
    assert_pickle_refused("many-marks", &marks, "pickle_limit", "marks");

    // A dictionary that holds itself.
    let mut cycle = b"}q\x00".to_vec();
    text(&mut cycle, "x");
    cycle.extend(b"h\x00s.");
    assert_pickle_refused("cycle", &cycle, "pickle_limit", "within each other");

    // Seven levels of 100 references to the level below: 10^14 items, did they count once each.
    let mut bush = b"}q\x00".to_vec();
    for level in 1..8u8 {
        bush.extend([b'}', b'q', level, b'(']);
        for _ in 0..100 {
            text(&mut bush, "x");
            bush.extend([b'h', level - 1]);
        }
        bush.push(b'u');
    }
    bush.push(b'.');
    assert_pickle_refused("bush", &bush, "pickle_limit", "items");
    let long = [b"X\x00\x00\x10\x00".to_vec(), vec![b'n'; 1 << 20]].concat();
    let long = [b"}".to_vec(), long, b"Ns.".to_vec()].concat();
    assert_pickle_refused("long-name", &long, "pickle_limit", "name");
}

#[test]
fn a_tensor_beyond_its_storage_is_named() {
    type Lie = (&'static str, fn(&mut Saved), &'static str);
    let lies: [Lie; 10] = [
        ("rows", |it| it.shape[0] = 3, "but its storage has 6"),
        ("offset", |it| it.first = 1, "but its storage has 6"),
        ("far", |it| it.first = i32::MAX as u32, "its storage has 6"),
        ("negative", |it| it.first = u32::MAX, "no sizes"),
        ("length", |it| it.length = 7, "has 24 bytes"),
        ("storage", |it| it.bytes.truncate(20), "has 20 bytes"),
        ("transposed", |it| it.strides = vec![1, 2], "row after row"),
        ("broadcast", |it| it.strides = vec![0, 1], "row after row"),
        ("rank", |it| it.strides = vec![1], "2 lengths and 1 strides"),
        ("empty", |it| it.shape = vec![0, 3], "empty"),
    ];
    for (name, lie, named) in lies {
        let mut tensors = good();
        lie(&mut tensors[0]);
        assert_refused(name, &file(&tensors), "pickle_tensor", named);
    }
    let mut wide = good();
    wide[0].shape = vec![i32::MAX as u32; 4];
    wide[0].strides = vec![0; 4];
    assert_refused("overflow", &file(&wide), "pickle_tensor", "row after row");
    let pickle = [b"\x80\x02".as_slice(), &state_dict(&good(), 7), b"."].concat();
    let missing = archive(&pickle, &good());
    assert_refused("missing", &missing, "pickle_tensor", "storage 7");
    let mut unnamed = b"}".to_vec();
    text(&mut unnamed, "a");
    unnamed.extend(b"ctorch._utils\n_rebuild_tensor_v2\n(");
    (0..4).for_each(|it| int(&mut unnamed, it));
    unnamed.extend(b"tRs.");
    assert_pickle_refused("unnamed", &unnamed, "pickle_tensor", "storage is none");
}

#[test]
fn an_archive_of_another_kind_is_refused() {
    let whole = file(&good());
    let end = whole.len() - 22;
    let table = u32::from_le_bytes(whole[end + 16..end + 20].try_into().unwrap()) as usize;
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let wrong = "pickle_archive";
    assert_refused("nothing", b"", wrong, "cut off");
    assert_refused("text", b"no archive at all", wrong, "cut off");
    let deflated = with(table + 10, &[8, 0]);
    assert_refused("deflated", &deflated, wrong, "compressed");
    let size = with(table + 20, &[0xf0; 8]);
    assert_refused("entry-size", &size, wrong, "beyond the end");
    let offset = with(table + 42, &[0xf0; 4]);
    assert_refused("entry-offset", &offset, wrong, "speaks of");
    let local = with(0, b"XX");
    assert_refused("entry-place", &local, wrong, "does not begin");
    let table_size = with(end + 12, &[0xf0; 4]);
    assert_refused("table-size", &table_size, wrong, "table of entries");
    let count = with(end + 10, &[0xff, 0xff]);
    assert_refused("count", &count, wrong, "damaged");
    let name = with(table + 46, &[0xff]);
    assert_refused("name-utf8", &name, wrong, "damaged");

    let entry = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
    let none = zip(&[entry("a/version", b"3\n")]);
    assert_refused("no-pickle", &none, wrong, "no entry data.pkl");
    let two = zip(&[entry("a/data.pkl", b"."), entry("b/data.pkl", b".")]);
    assert_refused("two-pickles", &two, wrong, "several");
    let twice = zip(&[entry("a/data.pkl", b"."), entry("a/data.pkl", b".")]);
    assert_refused("twice", &twice, wrong, "two entries");
    let big = zip(&[entry("a/data.pkl", b"."), entry("a/byteorder", b"big")]);
    assert_refused("big-endian", &big, wrong, "little-endian");
    let old = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    assert_refused("legacy", old, "pickle_legacy", "1.6");
}

#[test]
fn a_cut_file_is_refused() {
    let whole = file(&good());
    for len in (0..whole.len()).step_by(37) {
        assert_refused("cut", &whole[..len], "pickle_archive", "cut off");
    }
}

#[test]
fn flipped_bits_give_tensors_or_an_error() {
    let whole = file(&good());
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("state.pt");
    let (mut state, mut refused) = (SEED, 0);
    let mut random = |limit: usize| {
        // The upper bits of a linear congruential generator.
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % limit
    };
    for trial in 0..TRIALS {
        let mut broken = whole.clone();
        for _ in 0..=random(3) {
            broken[random(whole.len())] ^= 1 << random(8);
        }
        std::fs::write(&path, &broken).unwrap();
        let outcome = std::panic::catch_unwind(|| {
            let files = open(&path).map_err(|_| ())?;
            for tensor in files.tensors().values() {
                let count = tensor.shape.iter().product();
                files.read(tensor, 0, count).map_err(|_| ())?;
            }
            Ok::<(), ()>(())
        });
        let outcome = outcome.unwrap_or_else(|_| panic!("trial {trial} of seed {SEED} panics"));
        refused += u64::from(outcome.is_err());
    }
    println!("{refused} of {TRIALS} refused, seed {SEED}");
    assert!(refused > TRIALS / 4 && refused < TRIALS);
}
