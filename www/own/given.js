// @ts-check
// The files that somebody drops on the page, those in folders too.

/**
 * @param {DataTransfer} transfer read before this returns for the first time: afterwards it is empty
 * @returns {Promise<File[]>}
 */
export async function droppedFiles(transfer) {
  const given = [...transfer.items].map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const files = await Promise.all(given.map((it) => (it === null ? [] : it instanceof File ? [it] : filesOf(it))));
  return files.flat();
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<File[]>}
 */
async function filesOf(entry) {
  if (entry.isFile) {
    return [await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject))];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {File[]} */
  const files = [];
  for (;;) {
    // A part of the folder at a time; none when it was all.
    const some = await new Promise((/** @type {(entries: FileSystemEntry[]) => void} */ resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return files;
    for (const inner of some) files.push(...(await filesOf(inner)));
  }
}
