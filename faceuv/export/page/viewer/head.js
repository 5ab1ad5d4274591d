// A face as it moves: vertices with morph targets and joints, from a GLB; knows nothing of WebGL.

const MOST_JOINTS = 32;

class Head {
  constructor(glb) {
    this.glb = glb;
    this.parts = [];
    this.names = [];
    this.weights = {};
    this.lowest = {};
    const json = glb.json;
    const nodes = json.nodes || [];
    this.parents = nodes.map(() => -1);
    nodes.forEach((node, k) => (node.children || []).forEach((child) => { if (child !== k && nodes[child]) this.parents[child] = k; }));
    this.turned = nodes.map((node) => node.rotation || [0, 0, 0, 1]);
    this.rest = this.turned.slice();
    nodes.forEach((node, k) => { if (node.mesh !== undefined) this.#mesh(k, node); });
    if (!this.parts.length) refuse("the file holds no triangles");
    this.#eyes(json);
    this.metadata = nodes.find((node) => node.mesh !== undefined)?.extras || {};
    this.licences = json.asset?.extras?.licences || [];
    this.#measure();
  }

  #mesh(number, node) {
    const glb = this.glb, mesh = glb.entry("meshes", node.mesh, "a node");
    const given = mesh.extras?.targetNames || [];
    const start = node.weights || mesh.weights || [];
    const many = mesh.primitives?.[0]?.targets?.length || 0;
    const names = Array.from({ length: many }, (_, k) => String(given[k] ?? `target ${k}`));
    for (const [k, name] of names.entries()) {
      if (!this.names.includes(name)) this.names.push(name);
      this.weights[name] = Number(start[k]) || 0;
    }
    this.animated ??= { node: number, names };
    const skin = node.skin === undefined ? null : this.#skin(node.skin);
    const place = skin ? null : this.world(number);
    for (const primitive of mesh.primitives || []) {
      if ((primitive.mode ?? 4) !== 4) continue;
      this.parts.push(this.#part(primitive, names, skin, place));
    }
  }

  #skin(number) {
    const skin = this.glb.entry("skins", number, "a node");
    const joints = skin.joints || [];
    if (!joints.length || joints.length > MOST_JOINTS)
      refuse(`the mesh has ${joints.length} joints; this viewer turns 1 to ${MOST_JOINTS}`);
    joints.forEach((joint) => this.glb.entry("nodes", joint, "a skin"));
    const binds = skin.inverseBindMatrices === undefined ? null
      : this.glb.floats(skin.inverseBindMatrices, "the joints", [16]).data;
    if (binds && binds.length < 16 * joints.length) refuse("the file is damaged: a joint has no matrix");
    return { joints, binds, matrices: new Float32Array(16 * MOST_JOINTS) };
  }

  #part(primitive, names, skin, place) {
    const glb = this.glb, attributes = primitive.attributes || {};
    const read = (name, columns) => attributes[name] === undefined ? null : glb.floats(attributes[name], name, columns);
    const position = read("POSITION", [3]) || refuse("the file is damaged: a mesh has no positions");
    const count = position.count;
    if (count > MOST_VERTICES) refuse(`the mesh has ${count} vertices; at most ${MOST_VERTICES} are shown`);
    const same = (found, name) => {
      if (found && found.count !== count) refuse(`the file is damaged: ${name} has ${found.count} rows, not ${count}`);
      return found?.data || null;
    };
    const indices = primitive.indices === undefined ? Uint32Array.from({ length: count }, (_, k) => k)
      : glb.whole(primitive.indices, "the triangles", count);
    const colour = read("COLOR_0", [3, 4]);
    const part = {
      material: glb.json.materials?.[primitive.material] || {}, indices, skin, count,
      position: position.data, normal: same(read("NORMAL", [3]), "NORMAL"), tangent: same(read("TANGENT", [4]), "TANGENT"),
      uv: same(read("TEXCOORD_0", [2]), "TEXCOORD_0"), colour: same(colour, "COLOR_0"), colourWidth: colour?.width,
      joint: null, weight: null, targets: [],
    };
    if (skin) {
      part.joint = same(read("JOINTS_0", [4]), "JOINTS_0") || refuse("the file is damaged: a mesh with joints has no JOINTS_0");
      part.weight = same(read("WEIGHTS_0", [4]), "WEIGHTS_0") || refuse("the file is damaged: a mesh with joints has no WEIGHTS_0");
      for (const joint of part.joint) if (!(joint < skin.joints.length)) refuse(`the file is damaged: it names joint ${joint} of ${skin.joints.length}`);
    }
    part.normal ??= normalsOf(part.position, indices);
    (primitive.targets || []).forEach((target, k) => {
      const move = (name) => target[name] === undefined ? null : glb.moves(target[name], count, `the movement ${names[k]}`);
      part.targets.push({ name: names[k], position: move("POSITION"), normal: move("NORMAL") });
    });
    if (place) this.#placed(part, place);
    part.moved = part.position.slice();
    part.bent = part.normal.slice();
    return part;
  }

  // positions, normals and movements of a part without joints in the file's frame
  #placed(part, matrix) {
    const apply = (data, offset, straight) => {
      for (let k = 0; k < data.length; k += straight.stride) {
        const [x, y, z] = [data[k], data[k + 1], data[k + 2]];
        for (let r = 0; r < 3; r++) data[k + r] = matrix[r] * x + matrix[4 + r] * y + matrix[8 + r] * z + (offset ? matrix[12 + r] : 0);
        if (straight.unit) {
          const length = Math.hypot(data[k], data[k + 1], data[k + 2]) || 1;
          for (let r = 0; r < 3; r++) data[k + r] /= length;
        }
      }
    };
    apply(part.position, true, { stride: 3 });
    apply(part.normal, false, { stride: 3, unit: true });
    if (part.tangent) apply(part.tangent, false, { stride: 4, unit: true });
    const scale = Math.hypot(matrix[0], matrix[1], matrix[2]) || 1;
    for (const target of part.targets) {
      if (target.position) apply(target.position.values, false, { stride: 3 });
      if (target.normal) {
        apply(target.normal.values, false, { stride: 3 });
        target.normal.values.forEach((value, k, all) => { all[k] = value / scale; });
      }
    }
  }

  // movements whose turn of an eye is left to a joint: name → (node, axis × radians)
  #eyes(json) {
    this.looks = {};
    for (const mesh of json.meshes)
      for (const [name, look] of Object.entries(mesh.extras?.eyeLook || {})) {
        const node = (json.nodes || []).findIndex((one) => one.name === look.joint);
        if (node >= 0 && look.rotation?.length === 4) this.looks[name] = { node, turn: turnOf(look.rotation) };
      }
    for (const [node, sum] of this.#eyeTurns(this.weights)) {
      const [x, y, z, w] = quaternionOf(sum);
      this.rest[node] = timesQuaternion(this.turned[node], [-x, -y, -z, w]);  // the file's turn without its movements'
    }
  }

  local(number) {
    const node = this.glb.json.nodes[number];
    if (node.matrix) return new Float32Array(node.matrix);
    return composed(node.translation || [0, 0, 0], this.turned[number], node.scale || [1, 1, 1]);
  }

  world(number, depth = 0) {
    if (depth > 100) refuse("the file is damaged: its nodes contain each other");
    const own = this.local(number), above = this.parents[number];
    return above < 0 ? own : multiply4(this.world(above, depth + 1), own);
  }

  #measure() {
    this.set(this.weights);
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (const part of this.parts)
      for (let k = 0; k < part.count; k++) {
        const place = this.#skinned(part, k);
        for (let r = 0; r < 3; r++) {
          if (!Number.isFinite(place[r])) refuse("the file is damaged: a vertex lies nowhere (NaN or infinity)");
          low[r] = Math.min(low[r], place[r]);
          high[r] = Math.max(high[r], place[r]);
        }
      }
    this.low = low;
    this.high = high;
  }

  #skinned(part, k) {
    const [x, y, z] = part.moved.subarray(3 * k, 3 * k + 3);
    if (!part.skin) return [x, y, z];
    const out = [0, 0, 0], all = part.skin.matrices;
    for (let j = 0; j < 4; j++) {
      const weight = part.weight[4 * k + j], at = 16 * part.joint[4 * k + j];
      if (weight) for (let r = 0; r < 3; r++) out[r] += weight * (all[at + r] * x + all[at + 4 + r] * y + all[at + 8 + r] * z + all[at + 12 + r]);
    }
    return out;
  }

  // Moves the vertices: amounts by name. Only the parts that a changed movement reaches are computed again.
  set(weights) {
    this.weights = weights;
    for (const part of this.parts) {
      let stamp = "";
      for (const target of part.targets) if (target.position?.rows.length || target.normal?.rows.length) stamp += `${weights[target.name] || 0},`;
      part.changed = stamp !== part.stamp;
      if (!part.changed) continue;
      part.stamp = stamp;
      part.moved.set(part.position);
      part.bent.set(part.normal);
      for (const target of part.targets) {
        const amount = weights[target.name] || 0;
        if (!amount) continue;
        for (const [move, out] of [[target.position, part.moved], [target.normal, part.bent]]) {
          if (!move) continue;
          const { rows, values } = move;
          for (let k = 0; k < rows.length; k++) {
            const to = 3 * rows[k], from = 3 * k;
            out[to] += amount * values[from];
            out[to + 1] += amount * values[from + 1];
            out[to + 2] += amount * values[from + 2];
          }
        }
      }
    }
    for (const [node, sum] of this.#eyeTurns(weights)) this.turned[node] = timesQuaternion(this.rest[node], quaternionOf(sum));
    this.joints();
  }

  #eyeTurns(weights) {
    const sums = new Map();
    for (const [name, { node, turn }] of Object.entries(this.looks)) {
      const sum = sums.get(node) || [0, 0, 0];
      for (let r = 0; r < 3; r++) sum[r] += (weights[name] || 0) * turn[r];
      sums.set(node, sum);
    }
    return sums;
  }

  // the matrices of all joints from how their nodes are turned
  joints() {
    const done = new Set();
    for (const { skin } of this.parts) {
      if (!skin || done.has(skin)) continue;
      done.add(skin);
      skin.joints.forEach((joint, k) => {
        const world = this.world(joint);
        const bind = skin.binds ? skin.binds.subarray(16 * k, 16 * k + 16) : identity4();
        skin.matrices.set(multiply4(world, bind), 16 * k);
      });
    }
  }
}

function normalsOf(position, indices) {
  const out = new Float32Array(position.length);
  for (let f = 0; f < indices.length; f += 3) {
    const [a, b, c] = [3 * indices[f], 3 * indices[f + 1], 3 * indices[f + 2]];
    const u = [0, 1, 2].map((r) => position[b + r] - position[a + r]);
    const v = [0, 1, 2].map((r) => position[c + r] - position[a + r]);
    const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    for (const at of [a, b, c]) for (let r = 0; r < 3; r++) out[at + r] += n[r];
  }
  for (let k = 0; k < out.length; k += 3) {
    const length = Math.hypot(out[k], out[k + 1], out[k + 2]) || 1;
    for (let r = 0; r < 3; r++) out[k + r] /= length;
  }
  return out;
}
