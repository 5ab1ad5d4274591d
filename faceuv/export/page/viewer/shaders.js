const VERTEX = `#version 300 es
precision highp float;
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec4 tangent;
layout(location = 3) in vec2 uv;
layout(location = 4) in vec4 colour;
layout(location = 5) in vec4 joint;
layout(location = 6) in vec4 weight;
uniform mat4 joints[${32}];
uniform bool skinned;
uniform mat3 turn;        // the head
uniform vec3 middle;      // metres; turned about, and in the middle of the picture
uniform vec3 lens;        // focal in half pictures, x and y, and distance in decimetres
uniform vec2 shift;       // in half pictures
uniform vec2 range;       // near and far, decimetres
out vec3 at, vNormal;
out vec4 vTangent, vColour;
out vec2 vUV;
void main() {
  mat4 m = skinned ? weight.x * joints[int(joint.x)] + weight.y * joints[int(joint.y)]
    + weight.z * joints[int(joint.z)] + weight.w * joints[int(joint.w)] : mat4(1.0);
  mat3 bend = mat3(m);
  at = turn * (10.0 * ((m * vec4(position, 1.0)).xyz - middle));
  vNormal = turn * (bend * normal);
  vTangent = vec4(turn * (bend * tangent.xyz), tangent.w);
  vColour = colour;
  vUV = uv;
  float depth = lens.z - at.z;
  float z = ((range.y + range.x) * depth - 2.0 * range.x * range.y) / (range.y - range.x);
  gl_Position = vec4(lens.xy * at.xy + shift * depth, z, depth);
}`;

// light of nine bands, and the gleam of strands
const LIGHTING = `
uniform mat3 quadratic[3];
uniform vec3 linear[3], constant, key;
uniform mat3 lampTurn;
float light(int c, vec3 n) { return max(dot(n, quadratic[c] * n) + dot(linear[c], n) + constant[c], 0.0); }
vec3 lights(vec3 n) { vec3 nl = lampTurn * n; return vec3(light(0, nl), light(1, nl), light(2, nl)); }
// Kajiya and Kay: a gleam where strands run across the middle of light and camera
vec3 strandsLit(vec3 base, vec3 own, vec3 n, vec3 along, float tone, bool inside) {
  if (inside) return 0.65 * base * lights(n);
  vec3 h = normalize(key * lampTurn + vec3(0.0, 0.0, 1.0));
  float across = dot(along, h);
  return (base + 0.34 * (0.22 + 0.77 * own) * pow(1.0 - across * across, 12.0) * tone * tone * max(dot(n, h), 0.0)) * lights(n);
}`;

// LAYER: a variant that keeps what light needs, see strands.js
const fragment = (variant) => `#version 300 es
${variant}
precision highp float;
in vec3 at, vNormal;
in vec4 vTangent, vColour;
in vec2 vUV;
uniform sampler2D albedoMap, normalMap, roughMap;
uniform highp sampler2D seenMap;   // depths of the face in its own picture
uniform mat3 seenTurn;    // from this view to that picture
uniform float seenFocal;
uniform vec3 lens;
uniform vec2 range;
uniform bvec3 has;        // which of the maps there are
uniform vec4 factor;      // of the albedo, display-referred, and opacity
uniform vec4 gloss;       // roughness, clearcoat, its roughness, strength of all highlights
uniform float soft;       // how far light spreads below the skin
uniform float cutoff;     // opacity below which nothing is drawn
uniform bool strands;     // hair: strands run along v
uniform int mode;         // 0 textured, 1 albedo, 2 shape, 3 normals, 4 relief, 5 wires, 6 uv, 7 seen
uniform bool twoSided, relief;
uniform vec3 keyColour;
uniform vec3 eye;         // of the camera, decimetres
uniform bool smoothed;    // several samples of each pixel, and opacity is the share of them
layout(location = 0) out vec4 colour;
#ifdef LAYER
layout(location = 1) out vec4 keptNormal;
layout(location = 2) out vec4 keptAlong;
#endif
${LIGHTING}
float lobe(float rough, vec3 n, vec3 l, vec3 v) {
  vec3 h = normalize(l + v);
  float a = rough * rough, d = dot(n, h) * dot(n, h) * (a * a - 1.0) + 1.0, nl = max(dot(n, l), 0.0), nv = max(dot(n, v), 0.05);
  float shade = 0.25 / (mix(nl, 1.0, a * 0.5) * mix(nv, 1.0, a * 0.5));
  float fresnel = 0.035 + 0.965 * pow(1.0 - max(dot(h, v), 0.0), 5.0);
  return a * a / (3.14159 * d * d) * shade * fresnel * nl;
}
float isSeen(vec3 n) {     // how well its own picture shows this point: 0 … 1, by angle; 0 behind something
  vec3 p = seenTurn * at;
  float depth = lens.z - p.z, facing = dot(normalize(seenTurn * n), normalize(vec3(0.0, 0.0, lens.z) - p));
  vec2 place = 0.5 + 0.5 * seenFocal * p.xy / depth;
  float behind = (range.y + range.x - 2.0 * range.x * range.y / (depth - 0.02 - 0.03 * (1.0 - abs(facing)))) / (range.y - range.x);
  float near = texture(seenMap, place).r * 2.0 - 1.0;
  return behind > near ? 0.0 : smoothstep(0.05, 0.35, facing);
}
void main() {
  vec4 base = factor * vColour * (has.x && mode != 4 && mode != 7 ? texture(albedoMap, vUV) : vec4(1.0));
  if (cutoff >= 0.0) {      // thin things cover a share of a pixel
    base.a = clamp((base.a - cutoff) / max(fwidth(base.a), 0.001) + 0.5, 0.0, 1.0);
    if (base.a < (smoothed ? 0.1 : 0.5)) discard;
    if (!smoothed) base.a = 1.0;
  }
  vec3 flat_ = normalize(vNormal);
  bool inside = twoSided && (strands ? flat_.z < 0.0 : !gl_FrontFacing);
  if (inside) flat_ = -flat_;
  vec3 n = flat_;
  if (has.y && relief && mode != 2) {
    vec3 t = normalize(vTangent.xyz - flat_ * dot(flat_, vTangent.xyz)), m = texture(normalMap, vUV).xyz * 2.0 - 1.0;
    n = normalize(t * m.x + cross(flat_, t) * vTangent.w * m.y + flat_ * m.z);
  }
  if (mode == 1) { colour = vec4(base.rgb * base.a, base.a); return; }
  if (mode == 3) { colour = vec4((n * 0.5 + 0.5) * base.a, base.a); return; }
  if (mode == 2 || mode == 4 || mode == 5) base.rgb = vec3(0.72);
  if (mode == 7) base.rgb = mix(vec3(0.85, 0.4, 0.25), vec3(0.45, 0.75, 0.55), isSeen(flat_));
  if (mode == 6) {
    vec2 cell = floor(vUV * 32.0);
    base.rgb = mix(vec3(vUV.x, 1.0 - vUV.y, 0.45), vec3(1.0), mod(cell.x + cell.y, 2.0) < 1.0 ? 0.0 : 0.35);
  }
  vec3 along = vec3(0.0);
  float tone = 1.0;
  if (strands) {
    along = dFdy(at) * dFdx(vUV.x) - dFdx(at) * dFdy(vUV.x);
    along /= max(length(along), 1e-9);
    if (has.x) tone = texture(albedoMap, vUV).r;
  }
#ifdef LAYER
  colour = vec4(base.rgb, 1.0);
  keptNormal = vec4(n * 0.5 + 0.5, inside ? 0.0 : 1.0);
  keptAlong = vec4(along * 0.5 + 0.5, tone);
  return;
#endif
  vec3 nl = lampTurn * n, broad = lampTurn * normalize(mix(n, flat_, 0.6 * soft));
  vec3 mean = lampTurn * normalize(mix(n, flat_, 0.35 * soft));
  vec3 lit = base.rgb * vec3(light(0, broad), light(1, mean), light(2, nl));
  vec3 shine = vec3(0.0);
  if (strands && mode == 0) lit = strandsLit(base.rgb, factor.rgb, n, along, tone, inside);
  if (gloss.w > 0.0 && mode < 5 && !strands) {
    vec3 v = normalize(eye - at);
    float rough = clamp(has.z ? texture(roughMap, vUV).g : gloss.x, 0.2, 1.0);
    vec3 lamp = key * lampTurn;
    shine = gloss.w * 1.6 * keyColour * lobe(rough, n, lamp, v);
    if (gloss.y > 0.0) {  // a wet layer mirrors a round lamp, as curved as a cornea: nearer to the middle of an eye
      lamp = normalize(lamp + v);
      vec3 mirror = reflect(-v, flat_);
      float lampWidth = 0.003 + 0.1 * gloss.z;
      float seen = smoothstep(0.988 - lampWidth, 0.988 + lampWidth, dot(mirror, lamp));
      float fresnel = 0.3 + 0.7 * pow(1.0 - max(dot(flat_, v), 0.0), 4.0);
      shine += gloss.w * gloss.y * keyColour * (5.0 * seen * fresnel + 0.8 * lobe(0.32, flat_, lamp, v));
    }
  }
  colour = vec4(lit * base.a + shine, base.a);
}`;

const FRAGMENT = fragment(""), LAYER_FRAGMENT = fragment("#define LAYER");

const KEPT_VERTEX = `#version 300 es
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0); }`;

const KEPT_FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D keptBase, keptNormal, keptAlong;
uniform highp sampler2D keptDepth;
uniform int mode;
uniform vec4 factor;
out vec4 colour;
${LIGHTING}
void main() {
  ivec2 place = ivec2(gl_FragCoord.xy);
  vec4 base = texelFetch(keptBase, place, 0), turned = texelFetch(keptNormal, place, 0), along = texelFetch(keptAlong, place, 0);
  gl_FragDepth = texelFetch(keptDepth, place, 0).r;
  if (base.a < 0.5) discard;
  vec3 n = normalize(turned.xyz * 2.0 - 1.0);
  if (mode == 1) colour = vec4(base.rgb, 1.0);
  else if (mode == 3) colour = vec4(n * 0.5 + 0.5, 1.0);
  else if (mode == 0) colour = vec4(strandsLit(base.rgb, factor.rgb, n, normalize(along.xyz * 2.0 - 1.0), along.w, turned.w < 0.5), 1.0);
  else colour = vec4(0.72 * lights(n), 1.0);
}`;

const LINE_FRAGMENT = `#version 300 es
precision highp float;
uniform vec4 factor;
out vec4 colour;
void main() { colour = factor; }`;
