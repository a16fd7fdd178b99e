// A line for people.

/** @param {object} line a line of output, one that says why a case was skipped, or why it failed */
export function table(line) {
  if ('skipped' in line) return `${pad(line)}  skipped: ${line.skipped}`;
  if ('error' in line) return `${pad(line)}  FAILED: ${line.error}`;
  const { metric, ours, path, pass, peers, limit, ratio, runs, spread, data } =
    /** @type {import('./types.js').Line} */ (line);
  const others = Object.entries(peers).map(([name, value]) =>
    ratio?.[name] === undefined ? `${name} ${value}` : `${name} ${value} (${ratio[name]}×)`,
  );
  if (limit) others.unshift(`${limit.name} ${limit.value} (${ratio?.limit ?? 'difference'})`);
  return (
    `${pad(line)}  ${pass ? 'pass' : 'MISS'}  ${ours} ${metric} (${path})  |  ${others.join(', ')}  |  ` +
    `${data}, ${runs} runs, ±${Math.round(spread * 50)} %`
  );
}

/** @param {object} line */
function pad(line) {
  return String(/** @type {{ case: string }} */ (line).case).padEnd(22);
}
