// Reads binary glTF 2.0: what faceuv writes (morph targets, sparse, quantised, skins, animations) and plain files of others.
// Every offset is checked; what is wrong is one line.

const COMPONENTS = {
  5120: [Int8Array, 127], 5121: [Uint8Array, 255], 5122: [Int16Array, 32767],
  5123: [Uint16Array, 65535], 5125: [Uint32Array, 0], 5126: [Float32Array, 0],
};
const WIDTHS = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT4: 16 };
const UNDERSTOOD = ["KHR_mesh_quantization", "KHR_materials_clearcoat", "KHR_materials_unlit"];
const MOST_VERTICES = 3e6;

class FileError extends Error {}

function refuse(why) {
  throw new FileError(why);
}

class GLB {
  constructor(buffer) {
    const view = new DataView(buffer);
    if (buffer.byteLength < 20 || view.getUint32(0, true) !== 0x46546c67)
      refuse("expected a binary glTF file (.glb), and this file does not begin as one: export it as GLB");
    if (view.getUint32(4, true) !== 2) refuse(`expected glTF 2, and the file says version ${view.getUint32(4, true)}`);
    const length = view.getUint32(8, true);
    if (length > buffer.byteLength)
      refuse(`the file is cut off: ${buffer.byteLength} of its ${length} bytes are there; copy it again`);
    let at = 12;
    while (at + 8 <= length) {
      const size = view.getUint32(at, true), kind = view.getUint32(at + 4, true);
      if (at + 8 + size > length) refuse("the file is damaged: a chunk reaches beyond its end; copy it again");
      if (kind === 0x4e4f534a) this.json = this.#document(new Uint8Array(buffer, at + 8, size));
      else if (kind === 0x004e4942 && !this.binary) this.binary = new Uint8Array(buffer, at + 8, size);
      at += 8 + size;
    }
    if (!this.json) refuse("the file is damaged: it has no JSON chunk; copy it again");
    const unknown = (this.json.extensionsRequired || []).filter((name) => !UNDERSTOOD.includes(name));
    if (unknown.length) refuse(`the file needs ${unknown.join(", ")}, which this viewer does not read: export it without`);
    if (!this.json.meshes?.length) refuse("the file holds no mesh");
  }

  #document(bytes) {
    try {
      const found = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
      return found && typeof found === "object" ? found : refuse("the file is damaged: its JSON is no object");
    } catch (error) {
      if (error instanceof FileError) throw error;
      return refuse(`the file is damaged: its JSON cannot be read (${error.message}); copy it again`);
    }
  }

  entry(list, index, what) {
    const found = this.json[list]?.[index];
    return found === undefined ? refuse(`the file is damaged: ${what} names ${list}[${index}], which is not there`) : found;
  }

  bytesOf(number, what) {
    const view = this.entry("bufferViews", number, what);
    if (view.buffer !== 0 || this.json.buffers?.[0]?.uri)
      refuse("the file keeps its data in another file: export it as one GLB");
    const start = view.byteOffset || 0;
    if (!this.binary || !(start >= 0 && view.byteLength >= 0) || start + view.byteLength > this.binary.length)
      refuse(`the file is damaged: ${what} lies beyond its end; copy it again`);
    return { bytes: this.binary.subarray(start, start + view.byteLength), stride: view.byteStride };
  }

  // numbers of an accessor as they are stored, row by row, with the factor of normalised integers
  #stored(view, offset, count, type, width, what) {
    const known = COMPONENTS[type];
    if (!known) refuse(`the file is damaged: ${what} has the component type ${type}`);
    const [kind] = known, size = kind.BYTES_PER_ELEMENT;
    const { bytes, stride } = this.bytesOf(view, what);
    const step = stride || width * size;
    if (count && offset + step * (count - 1) + width * size > bytes.length)
      refuse(`the file is damaged: ${what} needs more bytes than its buffer view has; copy it again`);
    const out = new kind(count * width);
    const raw = new Uint8Array(out.buffer);
    if (step === width * size) raw.set(bytes.subarray(offset, offset + raw.length));
    else
      for (let k = 0; k < count; k++) {
        const from = offset + k * step;
        raw.set(bytes.subarray(from, from + width * size), k * width * size);
      }
    return out;
  }

  #head(number, what) {
    const accessor = this.entry("accessors", number, what);
    const width = WIDTHS[accessor.type], count = accessor.count;
    if (!width || !Number.isInteger(count) || count < 0) refuse(`the file is damaged: ${what} has no type or count`);
    if (count > MOST_VERTICES * 3) refuse(`the mesh is too large: ${what} has ${count} entries`);
    const one = COMPONENTS[accessor.componentType]?.[1];
    return { accessor, width, count, scale: accessor.normalized && one ? 1 / one : 1 };
  }

  floats(number, what, columns) {
    const { accessor, width, count, scale } = this.#head(number, what);
    if (columns && !columns.includes(width)) refuse(`the file is damaged: ${what} has ${width} columns`);
    const out = new Float32Array(count * width);
    if (accessor.bufferView !== undefined) {
      const offset = accessor.byteOffset || 0;
      const stored = this.#stored(accessor.bufferView, offset, count, accessor.componentType, width, what);
      for (let k = 0; k < out.length; k++) out[k] = scale === 1 ? stored[k] : Math.max(stored[k] * scale, -1);
    }
    if (accessor.sparse) {
      const { rows, values } = this.sparse(accessor, width, count, scale, what);
      rows.forEach((row, k) => out.set(values.subarray(k * width, (k + 1) * width), row * width));
    }
    return { data: out, width, count };
  }

  sparse(accessor, width, count, scale, what) {
    const { count: many, indices, values } = accessor.sparse;
    if (!(many >= 0 && many <= count) || !indices || !values) refuse(`the file is damaged: ${what} is no sparse accessor`);
    const rows = this.#stored(indices.bufferView, indices.byteOffset || 0, many, indices.componentType, 1, what);
    for (const row of rows) if (row >= count) refuse(`the file is damaged: ${what} names vertex ${row} of ${count}`);
    const kind = accessor.componentType;
    const stored = this.#stored(values.bufferView, values.byteOffset || 0, many, kind, width, what);
    return { rows, values: Float32Array.from(stored, (value) => value * scale) };
  }

  // a morph target's attribute as moved rows and their offsets; rows that do not move are dropped
  moves(number, vertices, what) {
    const { accessor, width, count, scale } = this.#head(number, what);
    if (width !== 3 || count !== vertices) refuse(`the file is damaged: ${what} has ${count} rows of ${width}, not ${vertices} of 3`);
    if (accessor.bufferView === undefined && accessor.sparse) {
      const found = this.sparse(accessor, 3, count, scale, what);
      return found.values.some(Boolean) ? found : { rows: new Uint32Array(0), values: found.values };  // a file cannot say less than one row
    }
    const { data } = this.floats(number, what);
    const rows = [];
    for (let k = 0; k < count; k++) if (data[3 * k] || data[3 * k + 1] || data[3 * k + 2]) rows.push(k);
    const values = new Float32Array(rows.length * 3);
    rows.forEach((row, k) => values.set(data.subarray(3 * row, 3 * row + 3), 3 * k));
    return { rows: Uint32Array.from(rows), values };
  }

  whole(number, what, vertices) {
    const { accessor, width, count } = this.#head(number, what);
    const offset = accessor.byteOffset || 0;
    const stored = this.#stored(accessor.bufferView, offset, count, accessor.componentType, width, what);
    for (const index of stored) if (index >= vertices) refuse(`the file is damaged: ${what} names vertex ${index} of ${vertices}`);
    return Uint32Array.from(stored);
  }

  async image(number) {
    const image = this.entry("images", number, "a texture");
    if (image.bufferView === undefined) refuse("the file keeps a picture in another file: export it as one GLB");
    const { bytes } = this.bytesOf(image.bufferView, "a picture");
    const blob = new Blob([bytes], { type: image.mimeType });
    try {
      return await createImageBitmap(blob, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
    } catch {
      return refuse(`the file is damaged: its picture "${image.name || number}" cannot be read; copy it again`);
    }
  }
}
