// Checks GLB files with the Khronos validator, and draws them with three.js in a headless browser.
//
//     npm install gltf-validator three playwright-core        (anywhere; not part of this repository)
//     NODE_PATH=…/node_modules node tools/check_glb.mjs validate FILE.glb …
//     NODE_PATH=…/node_modules node tools/check_glb.mjs draw VIEWS.json OUT_FOLDER FILE.glb
//
// VIEWS.json: [{"name": "left", "yaw": -45, "pitch": 0, "weights": {"jawOpen": 1}, "turn": {"eye_left": [x, y, z, w]},
//               "time": 0.5, "zoom": 1}, …]; every field but the name may be absent. A picture of each is OUT_FOLDER/NAME.png.
// CHROMIUM names the browser (default: chromium on the path).

import { createRequire } from "node:module";
import { readFileSync, writeFileSync, mkdirSync, existsSync } from "node:fs";
import { createServer } from "node:http";
import { join, extname } from "node:path";

const require = createRequire(import.meta.url);
const [command, ...args] = process.argv.slice(2);
const modules = (process.env.NODE_PATH ?? "").split(":").find((folder) => existsSync(join(folder, "three"))) ?? "";

async function validate(files) {
  const validator = require(join(modules, "gltf-validator"));
  let bad = 0;
  for (const file of files) {
    const report = await validator.validateBytes(new Uint8Array(readFileSync(file)), { maxIssues: 100 });
    const { numErrors, numWarnings, numInfos, messages } = report.issues;
    bad += numErrors + numWarnings;
    const shown = messages.slice(0, 8).map((m) => ({ code: m.code, severity: m.severity, pointer: m.pointer, message: m.message }));
    console.log(JSON.stringify({ file, errors: numErrors, warnings: numWarnings, infos: numInfos, shown }));
  }
  process.exit(bad ? 1 : 0);
}

const PAGE = `<!doctype html><body style="margin:0"><script type="importmap">
{"imports": {"three": "/three/build/three.module.js", "three/addons/": "/three/examples/jsm/"}}
</script><script type="module">
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { RoomEnvironment } from "three/addons/environments/RoomEnvironment.js";
const size = 640;
const renderer = new THREE.WebGLRenderer({ antialias: true, preserveDrawingBuffer: true });
renderer.setSize(size, size);
renderer.toneMapping = THREE.NeutralToneMapping;
document.body.append(renderer.domElement);
const scene = new THREE.Scene();
scene.background = new THREE.Color(0xff00ff);
const room = new THREE.PMREMGenerator(renderer).fromScene(new RoomEnvironment(), 0.04).texture;
scene.environment = room;
scene.environmentIntensity = 0.7;
const key = new THREE.DirectionalLight(0xffffff, 1.6);
key.position.set(-1, 1.5, 2);
scene.add(key);
const gltf = await new GLTFLoader().loadAsync("/file.glb");
scene.add(gltf.scene);
const mixer = new THREE.AnimationMixer(gltf.scene);
for (const clip of gltf.animations) mixer.clipAction(clip).play();
const meshes = [];
gltf.scene.traverse((o) => { if (o.isMesh) { o.frustumCulled = false; meshes.push(o); } });
const box = new THREE.Box3().setFromObject(gltf.scene);
const middle = box.getCenter(new THREE.Vector3());
const reach = box.getSize(new THREE.Vector3()).length() / 2;
const camera = new THREE.PerspectiveCamera(25, 1, 0.01, 20);
const rest = new Map();
gltf.scene.traverse((o) => rest.set(o, o.quaternion.clone()));
const restWeights = meshes.map((m) => m.morphTargetInfluences ? [...m.morphTargetInfluences] : []);
window.names = meshes.length && meshes[0].morphTargetDictionary ? Object.keys(meshes[0].morphTargetDictionary) : [];
window.show = (view) => {
  for (const [o, q] of rest) o.quaternion.copy(q);
  meshes.forEach((m, k) => restWeights[k].forEach((w, i) => { m.morphTargetInfluences[i] = w; }));
  if (view.time !== undefined) mixer.setTime(view.time);
  for (const m of meshes) for (const [name, value] of Object.entries(view.weights ?? {})) {
    const index = m.morphTargetDictionary?.[name];
    if (index === undefined) throw new Error("no morph target " + name);
    m.morphTargetInfluences[index] = value;
  }
  for (const [name, q] of Object.entries(view.turn ?? {})) {
    const joint = gltf.scene.getObjectByName(name);
    if (!joint) throw new Error("no joint " + name);
    joint.quaternion.set(...q);
  }
  const yaw = (view.yaw ?? 0) * Math.PI / 180, pitch = (view.pitch ?? 0) * Math.PI / 180;
  const away = reach * 4.6 / (view.zoom ?? 1);
  const at = middle.clone().add(new THREE.Vector3(...(view.at ?? [0, 0, 0])));
  camera.position.set(Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch), Math.cos(yaw) * Math.cos(pitch)).multiplyScalar(away).add(at);
  camera.lookAt(at);
  renderer.render(scene, camera);
  return renderer.domElement.toDataURL("image/png");
};
window.ready = true;
</script></body>`;

async function draw([views, out, file]) {
  const { chromium } = require(join(modules, "playwright-core"));
  const types = { ".js": "text/javascript", ".glb": "model/gltf-binary", ".html": "text/html" };
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://x").pathname;
    if (path === "/") return response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
    const source = path === "/file.glb" ? file : path.startsWith("/three/") ? join(modules, path) : null;
    if (!source || path.includes("..") || !existsSync(source)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream" }).end(readFileSync(source));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
  });
  const problems = [];
  try {
    const page = await browser.newPage({ viewport: { width: 640, height: 640 } });
    page.on("console", (message) => { if (["error", "warning"].includes(message.type()) && !/favicon|GPU stall/.test(message.text() + message.location().url)) problems.push(message.text()); });
    page.on("pageerror", (error) => problems.push(String(error)));
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction("window.ready === true", undefined, { timeout: 120000 });
    mkdirSync(out, { recursive: true });
    for (const view of JSON.parse(readFileSync(views, "utf8"))) {
      const data = await page.evaluate((v) => window.show(v), view);
      writeFileSync(join(out, `${view.name}.png`), Buffer.from(data.split(",")[1], "base64"));
    }
    console.log(JSON.stringify({ targets: await page.evaluate(() => window.names), problems }));
  } finally {
    await browser.close();
    server.close();
  }
  process.exit(problems.length ? 1 : 0);
}

if (!modules) {
  console.error("NODE_PATH names no folder with three, gltf-validator and playwright-core: npm install them somewhere first");
  process.exit(2);
}
await (command === "validate" ? validate(args) : command === "draw" ? draw(args) : Promise.reject(new Error(`unknown command ${command}: validate or draw`)));
