// Writes the graphs that spillway carries to `models/`: `npm run make-model`.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { photoFeatures } from './photo-features.mjs';

const folder = join(import.meta.dirname, '..', '..', 'models');
const models = { 'photo-features.onnx': photoFeatures() };

mkdirSync(folder, { recursive: true });
for (const [name, bytes] of Object.entries(models)) {
  writeFileSync(join(folder, name), bytes);
  console.log(`models/${name}: ${bytes.length} bytes`);
}
