// npm run check: formatting, lint, types, the floors of the house, C++ formatting.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => `${root}node_modules/.bin/${name}`;
let failed = 0;

function step(
  title,
  command,
  args,
  judge = ({ status }) => (status === 0 ? undefined : `exit code ${status}`),
) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
  const problem = result.error?.message ?? judge(result);
  console.log(`${problem ? 'failed' : 'ok'}  ${title}${problem ? `: ${problem}` : ''}`);
  if (!problem) return;
  failed++;
  process.stdout.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
}

step('biome', bin('biome'), ['check', '--error-on-warnings', '.']);
step('types', bin('tsc'), ['-p', 'tsconfig.json']);
step(
  'floors',
  bin('depcruise'),
  ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src'],
  judgeFloors,
);
step('c++ format', process.execPath, ['scripts/clang-format.mjs', '--check']);
process.exitCode = failed > 0 ? 1 : 0;

/** With a TypeScript it does not know, dependency-cruiser finds no modules and exits 0. */
function judgeFloors({ stdout }) {
  const { modules, summary } = JSON.parse(stdout);
  const ours = modules.filter(({ source }) => source.startsWith('src/'));
  if (ours.length < 20) return `saw only ${ours.length} modules of src/`;
  const imports = ours.reduce((sum, { dependencies }) => sum + dependencies.length, 0);
  if (imports < ours.length) return `saw only ${imports} imports`;
  return summary.violations.length > 0
    ? summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`).join('\n  ')
    : undefined;
}
