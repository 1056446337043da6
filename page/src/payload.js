// The file's data: base64 to bytes, gunzip, and tensors that know which of their rows travelled.

export function bytesOf(base64) {
  const text = base64.trim();
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const plain = atob(text);
  const bytes = new Uint8Array(plain.length);
  for (let i = 0; i < plain.length; i++) bytes[i] = plain.charCodeAt(i);
  return bytes;
}

export async function gunzip(bytes) {
  if (bytes.length < 2 || bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.slice().buffer; // an uncompressed file
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const VIEWS = { f32: Float32Array, u8: Uint8Array, i32: Int32Array };

/** A tensor of `shape`; where `keep` lists indices of an axis, only those are in the file. */
export class Tensor {
  constructor(name, meta, buffer) {
    Object.assign(this, { name, shape: meta.shape, axes: meta.axes || [], dtype: meta.dtype });
    this.keep = meta.keep || meta.shape.map(() => null);
    this.data = new VIEWS[meta.dtype](buffer, meta.at, meta.count);
    this.maps = this.keep.map((list, axis) => {
      if (!list) return null;
      const map = new Int32Array(meta.shape[axis]).fill(-1);
      list.forEach((index, place) => (map[index] = place));
      return map;
    });
    this.sizes = this.keep.map((list, axis) => (list ? list.length : meta.shape[axis]));
    this.strides = [];
    for (let axis = meta.shape.length - 1, step = 1; axis >= 0; axis--) {
      this.strides[axis] = step;
      step *= this.sizes[axis];
    }
    this.last = meta.shape.length - 1;
  }
  get width() { return this.shape[this.last]; }
  /** True when the whole last axis is in the file. */
  get long() { return !this.maps[this.last]; }
  get whole() { return this.maps.every((map) => !map); }
  /** The indices of an axis that are in the file. */
  indices(axis) { return this.keep[axis] || Array.from({ length: this.shape[axis] }, (_, i) => i); }
  /** Where the row with these leading indices begins; -1 when it is not in the file. */
  start(lead) {
    let place = 0;
    for (let axis = 0; axis < this.last; axis++) {
      const map = this.maps[axis];
      const index = map ? (map[lead[axis]] ?? -1) : lead[axis] < this.shape[axis] && lead[axis] >= 0 ? lead[axis] : -1;
      if (index < 0) return -1;
      place += index * this.strides[axis];
    }
    return place;
  }
  /** Place of a column within a row, -1 when it did not travel. */
  column(index) {
    const map = this.maps[this.last];
    return map ? (map[index] ?? -1) : index >= 0 && index < this.width ? index : -1;
  }
  at(index) {
    const start = this.start(index);
    const column = this.column(index[this.last]);
    return start < 0 || column < 0 ? undefined : this.data[start + column];
  }
  /** A whole row as a view, or null. */
  row(lead) {
    const start = this.long ? this.start(lead) : -1;
    return start < 0 ? null : this.data.subarray(start, start + this.width);
  }
  has(lead) { return this.start(lead) >= 0; }
}

/** Everything the page knows about one pass of the model. */
export class Trace {
  constructor(index, buffer) {
    Object.assign(this, { index, buffer, sides: index.sides, made: new Map(), tensors: new Map(), parts: new Map() });
    for (const step of index.steps) {
      this.made.set(step.out, step);
      if (!this.parts.has(step.part)) this.parts.set(step.part, []);
      this.parts.get(step.part).push(step);
    }
    this.pictures = new Map(Object.values(index.pictures || {}).map((one) => [one.of, one]));
    this.thumbs = new Map(Object.entries(index.pictures || {}));
  }
  has(name) { return !!name && name in this.index.tensors; }
  get(name) {
    if (!this.has(name)) return null;
    if (!this.tensors.has(name)) this.tensors.set(name, new Tensor(name, this.index.tensors[name], this.buffer));
    return this.tensors.get(name);
  }
  at(name, index) { return this.get(name)?.at(index); }
  row(name, lead) { return this.get(name)?.row(lead) ?? null; }
  /** The first of these tensors that is in the file. */
  first(...names) { return names.find((name) => this.has(name)) || null; }
  /** A picture's cells in 0..1 (or to its rows' maxima): [matrix, rows, columns]. */
  picture(entry, matrix) {
    const [rows, columns] = entry.shape.slice(-2);
    const size = rows * columns;
    const codes = new Uint8Array(this.buffer, entry.at + matrix * size, size);
    const values = new Float32Array(size);
    for (let i = 0; i < size; i++) {
      const top = entry.max ? entry.max[matrix * rows + ((i / columns) | 0)] : 1;
      values[i] = (codes[i] / 255) ** 2 * top;
    }
    return { rows, columns, values };
  }
}

let table;
/** CRC-32 as zlib computes it. */
export function crc32(bytes) {
  if (!table) {
    table = [new Uint32Array(256)];
    for (let n = 0; n < 256; n++) {
      let c = n;
      for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
      table[0][n] = c;
    }
    for (let t = 1; t < 4; t++) {
      table.push(table[t - 1].map((c) => table[0][c & 255] ^ (c >>> 8)));
    }
  }
  const [a, b, c, d] = table;
  let sum = -1;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    sum ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    sum = d[sum & 255] ^ c[(sum >>> 8) & 255] ^ b[(sum >>> 16) & 255] ^ a[sum >>> 24];
  }
  for (; i < bytes.length; i++) sum = a[(sum ^ bytes[i]) & 255] ^ (sum >>> 8);
  return (sum ^ -1) >>> 0;
}
