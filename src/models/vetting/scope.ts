// The names of one graph: what it declares, what its nodes make, and what they use.
import type { Tally } from './limits.js';
import { rejected } from './rejection.js';

/** Where a name is used, for a person. */
type User = string;

export class Scope {
  readonly #inputs = new Set<string>();
  readonly #initialisers = new Set<string>();
  readonly #made = new Set<string>();
  /** Used, and not made by any node so far. */
  readonly #wanted = new Map<string, User>();
  readonly #where: () => string;
  readonly #tally: Tally;

  constructor(where: () => string, tally: Tally) {
    this.#where = where;
    this.#tally = tally;
  }

  /** An input of the graph. It may have an initialiser, which is its default. */
  input(name: string): void {
    this.#declare(this.#inputs, name, 'input');
  }

  initialiser(name: string): void {
    this.#declare(this.#initialisers, name, 'initialiser');
  }

  /** A node uses `name`, which may still be declared, but must not be made by a later node. */
  use(name: string, user: User): void {
    if (name === '' || this.#made.has(name) || this.#wanted.has(name)) return;
    this.#tally.add('names');
    this.#wanted.set(name, user);
  }

  /** A node makes `name`: nodes that come before cannot have used it, unless they depend on each other. */
  make(name: string, maker: string): void {
    if (name === '') return; // an optional output that is left out
    const user = this.#wanted.get(name);
    if (user !== undefined)
      throw rejected(
        this.#where(),
        `'${name}' is used by ${user} before ${maker} makes it: the graph is cyclic or out of order`,
      );
    this.#declare(this.#made, name, `output of ${maker}`);
  }

  /** What is used here and comes from nowhere here: it must come from the graph around this one. */
  *free(): Iterable<readonly [name: string, user: User]> {
    for (const entry of this.#wanted)
      if (!this.#inputs.has(entry[0]) && !this.#initialisers.has(entry[0])) yield entry;
  }

  #declare(kind: Set<string>, name: string, what: string): void {
    if (name === '') throw rejected(this.#where(), `expected a name for each ${what}`);
    const byNode = kind === this.#made && (this.#inputs.has(name) || this.#initialisers.has(name));
    if (byNode || kind.has(name) || this.#made.has(name))
      throw rejected(this.#where(), `'${name}' is defined twice, the second time as ${what}`);
    this.#tally.add('names');
    kind.add(name);
  }
}
