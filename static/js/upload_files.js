// Which files a person means, and which of them must arrive together. Nothing of a file is read but its
// first bytes, and the server decides what belongs to what.

const NOISE = /^(\..*|thumbs\.db|desktop\.ini|dicomdir)$/i;
const HEAD_BYTES = 8;
const ARCHIVE = [0x50, 0x4b, 3, 4];
// Kinds of which no two files are parts of one scan.
const WHOLE = [
  ARCHIVE,
  [0x89, 0x50, 0x4e, 0x47], // PNG
  [0xff, 0xd8, 0xff], // JPEG
  [0x42, 0x4d], // BMP
  [0x52, 0x49, 0x46, 0x46], // WebP
  [0x49, 0x49, 0x2a, 0], [0x4d, 0x4d, 0, 0x2a], // TIFF
  [0x1f, 0x8b], // NIfTI, compressed
  [0x25, 0x50, 0x44, 0x46], // a PDF document, to be refused by itself
];
const PREAMBLE = 128;

// Files of a file input or of a drop without folders.
export function chosen(files) {
  return sifted([...files].map((file) => ({ file, folder: folderOf(file.webkitRelativePath) })));
}

// Files and folders of a drop; the entries must be taken before the event ends.
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return chosen(transfer.files);
  const found = [];
  let unread = 0;
  for (let next = 0; next < entries.length; next += 1) {
    const entry = entries[next];
    try {
      if (entry.isDirectory) entries.push(...await below(entry));
      else found.push({ file: await opened(entry), folder: folderOf(entry.fullPath) });
    } catch {
      unread += 1;
    }
  }
  return { ...sifted(found), unread };
}

// Lists of files, each to be sent in one request: what may be a series travels together, folder by folder.
export async function parcels(found, most) {
  const folders = new Map();
  const single = [];
  for (const one of found) {
    const head = await headOf(one.file);
    one.archive = startsWith(head, ARCHIVE);
    if (!isDicom(head) && WHOLE.some((magic) => startsWith(head, magic))) single.push([one]);
    else if (folders.has(one.folder)) folders.get(one.folder).push(one);
    else folders.set(one.folder, [one]);
  }
  return [...packed([...folders.values()], most), ...single];
}

export function bytesIn(items) {
  return items.reduce((sum, item) => sum + item.file.size, 0);
}

function packed(folders, most) {
  const parcels = [];
  for (const items of folders) {
    const last = parcels.at(-1);
    const together = last ? [...last, ...items] : items;
    if (last && together.length <= most.files && bytesIn(together) <= most.bytes) parcels[parcels.length - 1] = together;
    else parcels.push(items);
  }
  return parcels;
}

function folderOf(path) {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function sifted(all) {
  const found = all.filter((one) => !one.folder || !NOISE.test(one.file.name));
  return { found, leftOut: all.length - found.length, unread: 0 };
}

async function below(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) { // a reader gives at most a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...some);
  }
}

function opened(entry) {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function headOf(file) {
  try {
    return new Uint8Array(await file.slice(0, PREAMBLE + HEAD_BYTES).arrayBuffer());
  } catch {
    return new Uint8Array(); // the request for it will say what is wrong
  }
}

// A DICOM preamble may begin like another kind.
function isDicom(head) {
  return startsWith(head.subarray(PREAMBLE), [0x44, 0x49, 0x43, 0x4d]);
}

function startsWith(head, magic) {
  return magic.every((byte, index) => head[index] === byte);
}
