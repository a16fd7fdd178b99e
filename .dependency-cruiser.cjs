// The floors of the house: a part imports only from floors below it, never a sibling on its own floor.
const FLOORS = [
  ['util'],
  ['contract'],
  ['fallback'],
  ['native'],
  ['memory'],
  ['scan', 'read', 'chunk', 'cache', 'gpu'],
  ['models', 'batch', 'extract', 'results'],
  ['pipeline'],
  ['workloads', 'plan', 'explain', 'observe'],
  ['spillway.ts'],
  ['scale'],
  ['index.ts'],
  ['cli'],
];

const pattern = (rooms) => `^src/(${rooms.map((room) => room.replace('.', '\\.')).join('|')})(/|$)`;

const floors = FLOORS.flatMap((rooms, floor) => {
  const above = FLOORS.slice(floor + 1).flat();
  const rules = rooms.map((room) => ({
    name: `${room}-stays-in-its-room`,
    severity: 'error',
    from: { path: pattern([room]) },
    to: { path: pattern([...rooms.filter((other) => other !== room), ...above]) },
  }));
  return rules.filter(({ to }) => to.path !== '^src/()(/|$)');
});

module.exports = {
  forbidden: [
    ...floors,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'only-native-loads-the-addon',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/native/' },
      to: { path: 'node-gyp-build' },
    },
    {
      name: 'source-does-not-import-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'no-development-dependency',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only', 'npm-peer', 'npm-optional'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
