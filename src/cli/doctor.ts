// `spillway doctor`: whether the main job can run here, and what to do where it cannot.
import type { Command } from 'commander';
import { diagnose, type Finding } from '../observe/doctor.js';
import { collectMachineFacts } from '../observe/machine-facts.js';
import { EXIT } from './exit-codes.js';

interface DoctorCommandOptions {
  readonly cache: string;
  readonly json?: true;
}

/** Adds the command to the program. */
export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('say what this machine offers, what is missing, and how to mend it')
    .option('--cache <dir>', 'the cache folder to look at', '.spillway')
    .option('--json', 'JSON on standard output: { ready, findings, facts }')
    .action(async (options: DoctorCommandOptions) => {
      process.exitCode = await doctorCommand(options);
    });
}

async function doctorCommand({ cache, json }: DoctorCommandOptions): Promise<number> {
  const facts = await collectMachineFacts(cache);
  const findings = diagnose(facts);
  const missing = findings.filter(({ status }) => status === 'missing');
  const ready = missing.length === 0;
  const verdict = ready
    ? 'ready: spillway run can do its work here'
    : `not ready: ${missing.map(({ name }) => name).join(', ')}`;
  process.stdout.write(
    json ? `${JSON.stringify({ ready, findings, facts })}\n` : `${findings.map(textOf).join('')}${verdict}\n`,
  );
  return ready ? EXIT.done : EXIT.someFailed;
}

function textOf({ status, name, detail, remedy }: Finding): string {
  const line = `${status.padEnd(9)}${name.padEnd(18)}${detail}\n`;
  return remedy ? `${line}${' '.repeat(27)}→ ${remedy}\n` : line;
}
