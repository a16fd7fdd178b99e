#!/usr/bin/env node
// The command line: parses, dispatches, and turns whatever happens into an exit code.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { codeOf, messageOf } from '../util/errors.js';
import { addCacheCommand } from './cache.js';
import { addDoctorCommand } from './doctor.js';
import { EXIT, exitCodeOf } from './exit-codes.js';
import { addRunCommand } from './run.js';
import { addScanCommand } from './scan.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('spillway')
  .description('Push mountains of files through ML models inside a stated memory budget')
  .version(version)
  .exitOverride()
  .showHelpAfterError();
addRunCommand(program);
addScanCommand(program);
addCacheCommand(program);
addDoctorCommand(program);

program.parseAsync().catch((error: unknown) => {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.badArguments;
    return;
  }
  if (codeOf(error) === 'EPIPE') {
    process.exitCode = EXIT.stopped; // the reader of our pipe has seen enough
    return;
  }
  process.exitCode = exitCodeOf(error);
  const code = codeOf(error);
  // Something of ours that broke is worth its stack; what a person can mend is worth one sentence.
  const text = process.exitCode === EXIT.ourFault && error instanceof Error ? error.stack : messageOf(error);
  process.stderr.write(
    process.argv.includes('--json')
      ? `${JSON.stringify({ type: 'error', code, message: messageOf(error) })}\n`
      : `spillway: ${code ? `${code}: ` : ''}${text}\n`,
  );
});
