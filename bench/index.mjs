// npm run bench -- [case…] [--quick] [--json] | --list: times spillway beside its peers and its limits.
import { main } from './harness/main.mjs';

process.exitCode = await main(process.argv.slice(2));
