// 3-vectors, quaternions (x, y, z, w) and 4×4 matrices in column order, as glTF and WebGL store them.
"use strict";

const RADIANS = Math.PI / 180;

function multiply4(a, b) {
  const out = new Float32Array(16);
  for (let c = 0; c < 4; c++)
    for (let r = 0; r < 4; r++) {
      let sum = 0;
      for (let k = 0; k < 4; k++) sum += a[4 * k + r] * b[4 * c + k];
      out[4 * c + r] = sum;
    }
  return out;
}

function identity4() {
  return new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
}

function composed(translation, rotation, scale) {
  const [x, y, z, w] = rotation, [sx, sy, sz] = scale;
  return new Float32Array([
    (1 - 2 * (y * y + z * z)) * sx, 2 * (x * y + z * w) * sx, 2 * (x * z - y * w) * sx, 0,
    2 * (x * y - z * w) * sy, (1 - 2 * (x * x + z * z)) * sy, 2 * (y * z + x * w) * sy, 0,
    2 * (x * z + y * w) * sz, 2 * (y * z - x * w) * sz, (1 - 2 * (x * x + y * y)) * sz, 0,
    translation[0], translation[1], translation[2], 1,
  ]);
}

function timesQuaternion(a, b) {
  const [ax, ay, az, aw] = a, [bx, by, bz, bw] = b;
  return [
    aw * bx + ax * bw + ay * bz - az * by, aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw, aw * bw - ax * bx - ay * by - az * bz,
  ];
}

// axis × radians of a unit quaternion, and back
function turnOf(q) {
  const sine = Math.hypot(q[0], q[1], q[2]);
  const scale = sine > 1e-12 ? (2 * Math.atan2(sine, q[3])) / sine : 2;
  return [q[0] * scale, q[1] * scale, q[2] * scale];
}

function quaternionOf(v) {
  const angle = Math.hypot(v[0], v[1], v[2]);
  const scale = angle > 1e-12 ? Math.sin(angle / 2) / angle : 0.5;
  return [v[0] * scale, v[1] * scale, v[2] * scale, Math.cos(angle / 2)];
}

// R = Rz·Ry·Rx of degrees, row by row: pitch > 0 looks down, yaw > 0 turns to the viewer's right
function turnMatrix(yaw, pitch, roll) {
  const [sx, cx] = [Math.sin(pitch * RADIANS), Math.cos(pitch * RADIANS)];
  const [sy, cy] = [Math.sin(yaw * RADIANS), Math.cos(yaw * RADIANS)];
  const [sz, cz] = [Math.sin(roll * RADIANS), Math.cos(roll * RADIANS)];
  return [
    cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx,
    sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx,
    -sy, cy * sx, cy * cx,
  ];
}

const timesTransposed = (a, b) => Array.from({ length: 9 }, (_, k) => { const [r, c] = [3 * Math.floor(k / 3), 3 * (k % 3)]; return a[r] * b[c] + a[r + 1] * b[c + 1] + a[r + 2] * b[c + 2]; });
const transposed3 = (m) => [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]];
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
