// out[row] = table[tokens[position + row]]
//
// Ids from GIVEN_FIRST on stand for rows that are no token's: id GIVEN_FIRST + i is row i of `given`
// (an implicit token, a spliced embedding).
override WIDTH_QUADS: u32;
override TABLE_FIRST: u32; // the table's first row that is bound; other dispatches write the others'
override TABLE_ROWS: u32;

const GIVEN_FIRST: u32 = 0x80000000;

@group(0) @binding(0) var<storage, read> run: Run;
// bindings 1 and 2: the table, [TABLE_ROWS, width], by the layout part
@group(0) @binding(3) var<storage, read> tokens: array<u32>; // [context]
@group(0) @binding(4) var<storage, read> given: array<vec4f>; // [any, width]
@group(0) @binding(5) var<storage, read_write> out: array<vec4f>; // [rows, width]

@compute @workgroup_size(64)
fn embed(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = (group.y * groups.x + group.x) * 64u + thread;
  let row = run.first_row + index / WIDTH_QUADS;
  let quad = index % WIDTH_QUADS;
  if (run.done != 0u || row >= run.first_row + run.rows) {
    return;
  }
  let token = tokens[run.position + row];
  if (token >= GIVEN_FIRST) {
    out[row * WIDTH_QUADS + quad] = given[(token - GIVEN_FIRST) * WIDTH_QUADS + quad];
  } else if (token - TABLE_FIRST < TABLE_ROWS) { // a smaller token wraps around and is not
    let block = weight_block(token - TABLE_FIRST, quad / BLOCK_QUADS);
    out[row * WIDTH_QUADS + quad] = weight_quad(block, quad % BLOCK_QUADS);
  }
}
