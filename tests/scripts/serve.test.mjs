// The static server: types, ranges, and that nothing outside the page's files can be read.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { byteRange, servedPath, startServer } from "../../scripts/serve.mjs";

const SERVED = ["index.html", "www", "models"];
/** @type {string} */ let root;
/** @type {Awaited<ReturnType<typeof startServer>>} */ let server;

before(async () => {
  root = mkdtempSync(join(tmpdir(), "semcot-serve-"));
  mkdirSync(join(root, "www"));
  writeFileSync(join(root, "index.html"), "<p>hello</p>");
  writeFileSync(join(root, "www", "a.wasm"), "0123456789");
  writeFileSync(join(root, "www", "empty.js"), "");
  writeFileSync(join(root, "secret.txt"), "secret");
  server = await startServer({ port: 0, root });
});
after(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});

test("files_come_with_their_type_and_are_never_kept_unasked", async () => {
  const page = await fetch(server.url);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(page.headers.get("cache-control"), "no-cache");
  assert.equal(await page.text(), "<p>hello</p>");
  const wasm = await fetch(`${server.url}www/a.wasm`);
  assert.equal(wasm.headers.get("content-type"), "application/wasm");
  assert.equal((await fetch(`${server.url}www/empty.js`)).status, 200);
});

test("a_file_that_is_unchanged_is_not_sent_again", async () => {
  const first = await fetch(`${server.url}www/a.wasm`);
  const headers = { "If-None-Match": first.headers.get("etag") ?? "" };
  assert.equal((await fetch(`${server.url}www/a.wasm`, { headers })).status, 304);
});

test("a_byte_range_gives_these_bytes", async () => {
  const response = await fetch(`${server.url}www/a.wasm`, { headers: { Range: "bytes=2-4" } });
  assert.equal(response.status, 206);
  assert.equal(response.headers.get("content-range"), "bytes 2-4/10");
  assert.equal(await response.text(), "234");
  assert.equal((await fetch(`${server.url}www/a.wasm`, { headers: { Range: "bytes=10-" } })).status, 416);
});

test("ranges_are_read_as_the_standard_says", () => {
  assert.deepEqual(byteRange("bytes=0-", 10), { start: 0, end: 9 });
  assert.deepEqual(byteRange("bytes=-3", 10), { start: 7, end: 9 });
  assert.deepEqual(byteRange("bytes=-30", 10), { start: 0, end: 9 });
  assert.deepEqual(byteRange("bytes=8-99", 10), { start: 8, end: 9 });
  assert.equal(byteRange("bytes=-0", 10), "unsatisfiable");
  assert.equal(byteRange("bytes=5-2", 10), null);
  assert.equal(byteRange("bytes=1-2,4-5", 10), null);
  assert.equal(byteRange("lines=1-2", 10), null);
  assert.equal(byteRange(undefined, 10), null);
});

test("nothing_outside_the_served_folders_can_be_named", () => {
  assert.equal(servedPath("/", SERVED), "index.html");
  assert.equal(servedPath("/www/page.js?x=1", SERVED), "www/page.js");
  for (const url of [
    "/Cargo.toml", "/.git/config", "/www/../Cargo.toml", "/www/%2e%2e/Cargo.toml", "/../../etc/passwd",
    "/www/..%2fCargo.toml", "/www/.hidden", "/www/%00", "/www\\..\\Cargo.toml", "/%", "//etc/passwd",
  ]) {
    assert.equal(servedPath(url, SERVED), null, url);
  }
});

test("a_raw_request_cannot_climb_out_of_the_folder", async () => {
  const { hostname, port } = new URL(server.url);
  const reply = await new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write("GET /www/../secret.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    });
    let text = "";
    socket.on("data", (data) => (text += data));
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
  });
  assert.match(String(reply), /^HTTP\/1\.1 404/);
  assert.doesNotMatch(String(reply), /secret/);
});

test("a_taken_port_is_said_with_what_to_do", async () => {
  const port = Number(new URL(server.url).port);
  await assert.rejects(startServer({ port, root }), new RegExp(`Port ${port} is taken.*--port ${port + 1}`));
});
