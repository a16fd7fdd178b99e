// npm's prepare step: builds in a clone, does nothing where the development dependencies are missing.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const typescript = fileURLToPath(new URL('../node_modules/typescript', import.meta.url));
if (existsSync(typescript)) await import('./build.mjs');
