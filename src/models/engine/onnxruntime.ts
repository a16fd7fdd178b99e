// Finds the ONNX Runtime library that onnxruntime-node carries, without loading it.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { missingDependency, SpillwayError } from '../../util/errors.js';

const require = createRequire(import.meta.url);

/** The folder of the installed package onnxruntime-node. Throws `ERR_MISSING_DEPENDENCY`. */
export function onnxruntimePackage(): string {
  try {
    return path.dirname(require.resolve('onnxruntime-node/package.json'));
  } catch (error) {
    throw missingDependency('onnxruntime-node', 'running a model', 'onnxruntime-node', error);
  }
}

/** The version of the installed package. Throws `ERR_MISSING_DEPENDENCY`. */
export function onnxruntimeVersion(): string {
  const { version } = require(path.join(onnxruntimePackage(), 'package.json')) as { version: string };
  return version;
}

/** The path of `libonnxruntime.so.1` for this machine. Throws `ERR_MISSING_DEPENDENCY` or `ERR_ENGINE`. */
export function onnxruntimeLibrary(): string {
  const bin = path.join(onnxruntimePackage(), 'bin');
  // One folder per Node-API version ("napi-v6"); the package has had others.
  for (const version of readdirSync(bin).sort().reverse()) {
    const folder = path.join(bin, version, process.platform, process.arch);
    const name = listing(folder).find((entry) => /^libonnxruntime\.so(\.\d+)*$/.test(entry));
    if (name) return path.join(folder, name);
  }
  throw new SpillwayError(
    'ERR_ENGINE',
    `expected onnxruntime-node to carry a library for ${process.platform}-${process.arch} below ${bin} but found none`,
  );
}

function listing(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // not built for this platform
  }
}
