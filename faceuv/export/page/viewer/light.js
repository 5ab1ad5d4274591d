// Nine-band spherical-harmonic light, as faceuv's renderers have it: colour = albedo · (nᵀQn + l·n + c), per channel.

const DC_OFFSET = 0.8;
const K0 = Math.PI / Math.sqrt(4 * Math.PI);
const K1 = ((2 * Math.PI) / Math.sqrt(3)) * (Math.sqrt(3) / Math.sqrt(4 * Math.PI));
const K2 = ((2 * Math.PI) / Math.sqrt(8)) * ((3 * Math.sqrt(5)) / Math.sqrt(12 * Math.PI));
const D0 = 0.5 / Math.sqrt(3);

// 27 coefficients (3 colours × 9) → what the shader takes
function lightForm(coefficients) {
  const quadratic = [], linear = [], constant = [];
  for (let c = 0; c < 3; c++) {
    const g = coefficients.slice(9 * c, 9 * c + 9);
    const xy = 0.5 * K2 * g[4], yz = -0.5 * K2 * g[5], xz = -0.5 * K2 * g[7];
    const xx = 0.5 * K2 * g[8], zz = 3 * K2 * D0 * g[6];
    quadratic.push(xx, xy, xz, xy, -xx, yz, xz, yz, zz);
    linear.push(-K1 * g[3], -K1 * g[1], K1 * g[2]);
    constant.push(K0 * (g[0] + DC_OFFSET) - K2 * D0 * g[6]);
  }
  // where most light comes from, and how much: what highlights are made of
  const sum = [0, 1, 2].map((r) => 0.3 * linear[r] + 0.59 * linear[3 + r] + 0.11 * linear[6 + r]);
  const strength = Math.hypot(...sum);
  const key = strength > 1e-3 ? sum.map((value) => value / strength) : [0, 0.5, 0.866];
  const colour = [0, 1, 2].map((c) => Math.max(linear[3 * c] * key[0] + linear[3 * c + 1] * key[1] + linear[3 * c + 2] * key[2], 0));
  return { quadratic, linear, constant, key, colour };
}
