// The 52 ARKit shapes by group, and expressions by name.

const GROUPS = [
  ["Eyes", /^eye/], ["Brows", /^brow/], ["Jaw", /^jaw/], ["Mouth", /^mouth/], ["Cheeks", /^cheek/],
  ["Nose", /^nos/], ["Tongue", /^tongue/], ["Other", /./],
];

const both = (name, amount) => ({ [`${name}Left`]: amount, [`${name}Right`]: amount });
const PRESETS = {
  rest: {},
  smile: { ...both("mouthSmile", 0.75), ...both("cheekSquint", 0.5), ...both("eyeSquint", 0.25), ...both("mouthDimple", 0.2) },
  laugh: { ...both("mouthSmile", 0.85), ...both("cheekSquint", 0.8), ...both("eyeSquint", 0.5), jawOpen: 0.35, ...both("mouthUpperUp", 0.3) },
  surprise: { browInnerUp: 0.8, ...both("browOuterUp", 0.8), ...both("eyeWide", 0.8), jawOpen: 0.4 },
  anger: { ...both("browDown", 0.9), ...both("noseSneer", 0.4), ...both("mouthPress", 0.6), ...both("eyeSquint", 0.4) },
  sadness: { browInnerUp: 0.8, ...both("mouthFrown", 0.7), mouthShrugLower: 0.3, ...both("eyeLookDown", 0.25), ...both("eyeBlink", 0.15) },
  disgust: { ...both("noseSneer", 0.8), ...both("mouthUpperUp", 0.5), ...both("browDown", 0.5), ...both("eyeSquint", 0.4) },
  kiss: { mouthPucker: 0.9, ...both("eyeBlink", 0.1) },
  wink: { eyeBlinkLeft: 1, eyeSquintLeft: 0.4, mouthSmileLeft: 0.5, cheekSquintLeft: 0.5 },
  blink: { ...both("eyeBlink", 1) },
  "ah": { jawOpen: 0.55 },
  "oh": { jawOpen: 0.35, mouthFunnel: 0.6 },
  "ee": { ...both("mouthStretch", 0.4), ...both("mouthSmile", 0.3), jawOpen: 0.12 },
  "look left": { eyeLookInLeft: 0.7, eyeLookOutRight: 0.7 },
  "look right": { eyeLookOutLeft: 0.7, eyeLookInRight: 0.7 },
};

// mouthSmileLeft → smile left
function spoken(name) {
  const words = name.replace(/_/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase().split(" ");
  return (words.length > 1 && /^(eye|brow|jaw|mouth|cheek|nose)$/.test(words[0]) ? words.slice(1) : words).join(" ");
}
