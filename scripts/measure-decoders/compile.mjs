// Compiles the few sources that decode images, so that a bare child process runs exactly what the product runs.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '..', '..');

/** Compiles `src/util` and `src/extract` into `folder` (within the package, to find its dependencies). @param {string} folder */
export function compileExtract(folder = join(root, 'build', 'measure-decoders')) {
  for (const part of ['util', 'extract']) {
    mkdirSync(join(folder, part), { recursive: true });
    for (const name of readdirSync(join(root, 'src', part)).filter((file) => file.endsWith('.ts'))) {
      const source = readFileSync(join(root, 'src', part, name), 'utf8');
      const { outputText } = ts.transpileModule(source, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      });
      writeFileSync(join(folder, part, name.replace(/\.ts$/, '.js')), outputText);
    }
  }
  return join(folder, 'extract', 'image.js');
}
