//! Models and data from the hub: a server of our own that speaks as it does, loses a connection and refuses.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use super::chain::prepared;
use super::{printed, refused, stage};

/// What was asked for: a path and the first byte wanted.
type Log = Arc<Mutex<Vec<(String, usize)>>>;

/// Serves a folder's `target` and `generator` as models of `owner` and its files as a data set, until the test ends; the
/// first time that a file of weights is asked for, half of it comes. Gives the address.
fn serve(folder: PathBuf, log: Log) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let dropped = Arc::new(Mutex::new(HashSet::new()));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (folder, log, dropped) = (folder.clone(), log.clone(), dropped.clone());
            std::thread::spawn(move || answer(stream, &folder, &log, &dropped));
        }
    });
    format!("http://{address}")
}

/// Answers requests of one connection until it ends.
fn answer(
    stream: TcpStream,
    folder: &Path,
    log: &Log,
    dropped: &Mutex<HashSet<String>>,
) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    loop {
        let request = lines.next()?;
        let path = request.split(' ').nth(1)?.to_owned();
        let headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let range = headers.iter().find_map(|line| {
            let line = line.to_ascii_lowercase();
            let (first, last) = line.strip_prefix("range: bytes=")?.split_once('-')?;
            Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()))
        });
        let (first, last) = range.unwrap_or((0, None));
        log.lock().ok()?.push((path.clone(), first));
        let status = |out: &mut TcpStream, status: &str| {
            write!(out, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").ok()
        };
        if path.starts_with("/owner/gated/") {
            status(&mut out, "403 Forbidden")?;
            continue;
        }
        let file = (path.strip_prefix("/owner/"))
            .or_else(|| path.strip_prefix("/datasets/owner/data/"))
            .map(|it| folder.join(it.replace("resolve/main/", "")));
        let Some(bytes) = file.and_then(|file| fs::read(file).ok()) else {
            status(&mut out, "404 Not Found")?;
            continue;
        };
        let end = last.map_or(bytes.len(), |last| last + 1);
        let body = &bytes[first..end];
        write!(
            out,
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{}/{}\r\n\
             ETag: \"{}\"\r\nx-repo-commit: 0123abcd\r\n\r\n",
            body.len(),
            end - 1,
            bytes.len(),
            path.replace(['/', '.'], "-")
        )
        .ok()?;
        let is_weights = path.ends_with(".safetensors") && last.is_none();
        if is_weights && dropped.lock().ok()?.insert(path) {
            out.write_all(&body[..body.len() / 2]).ok()?;
            return out.shutdown(std::net::Shutdown::Both).ok();
        }
        out.write_all(body).ok()?;
    }
}

/// A stage that has this server for the hub and this folder for the cache.
fn stage_of(folder: &Path, part: &str, endpoint: &str, cache: &str) -> Command {
    let mut command = stage(folder, "run", part);
    command
        .env("HF_ENDPOINT", endpoint)
        .env("HF_HOME", folder.join(cache))
        .env_remove("HF_TOKEN");
    command
}

#[test]
fn models_and_data_come_from_the_hub_and_are_kept() {
    let folder = prepared("hub");
    let path = folder.join("paper.toml");
    let text = fs::read_to_string(&path).expect("the configuration");
    let named = |target: &str| {
        let place = |part: &str| folder.join(part).display().to_string();
        let text = (text.replace(&place("target"), target))
            .replace(&place("generator"), "hf:owner/generator")
            .replace("\"train.json\"", "\"hf:datasets/owner/data/train.json\"")
            .replace("epochs = 8", "epochs = 1");
        fs::write(&path, text).expect("written");
    };
    named("hf:owner/target");
    let log: Log = Arc::default();
    let endpoint = serve(folder.clone(), log.clone());
    let asked = || std::mem::take(&mut *log.lock().expect("the log"));

    printed(stage_of(
        &folder,
        "sentence-transformer",
        &endpoint,
        "cache",
    ));
    let first = asked();
    // Three files of weights, each lost half way and gone on with there.
    let resumed = |(path, first): &&(String, usize)| path.ends_with(".safetensors") && *first > 0;
    assert_eq!(first.iter().filter(resumed).count(), 3, "{first:?}");
    assert!(
        first
            .iter()
            .any(|(path, _)| path == "/datasets/owner/data/resolve/main/train.json")
    );

    // All is there now: no server is needed.
    let nowhere = "http://127.0.0.1:9";
    printed(stage_of(&folder, "generator", nowhere, "cache"));
    assert_eq!(asked(), []);

    let message = refused(stage_of(&folder, "target", nowhere, "empty"));
    for part in [
        "hf:owner/target: config.json at http://127.0.0.1:9",
        "a folder of your own",
    ] {
        assert!(message.contains(part), "{message}");
    }
    named("hf:owner/none");
    let message = refused(stage_of(&folder, "target", &endpoint, "empty"));
    assert!(message.contains("hf:owner/none: config.json"), "{message}");
    assert!(message.contains("has no such file (404)"), "{message}");
    named("hf:owner/gated");
    let message = refused(stage_of(&folder, "target", &endpoint, "empty"));
    assert!(message.contains("hf auth login"), "{message}");
}
