// The libraries of the photos job, loaded and idle: node libraries.mjs <model>. Prints its resident memory.
import { InferenceSession } from 'onnxruntime-node';
import sharp from 'sharp';
import { residentMB } from '../harness/memory.mjs';

await InferenceSession.create(process.argv[2]);
await sharp({ create: { width: 8, height: 8, channels: 3, background: '#000' } })
  .jpeg()
  .toBuffer();
process.stdout.write(JSON.stringify(residentMB()));
