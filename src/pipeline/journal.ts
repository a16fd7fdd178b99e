// The result store as the pipeline sees it: what is known of a file, and what to keep of one.
import { isRacy, type ResultKey, statKey } from '../results/identity.js';
import type { ResultStore, StoredResult } from '../results/result-store.js';
import { isStorableFailure } from '../results/value.js';
import type { Evidence, FileEntry, Outcome } from './workload.js';

export type Known = StoredResult;

/** One pipeline's results in a store. Without a store nothing is known and nothing is kept. */
export class Journal {
  readonly #store: ResultStore | undefined;
  readonly #fingerprint: number;
  #failure: unknown;

  private constructor(store: ResultStore | undefined, fingerprint: number) {
    this.#store = store;
    this.#fingerprint = fingerprint;
  }

  static async open(store: ResultStore | undefined, fingerprint: string): Promise<Journal> {
    return new Journal(store, store ? await store.fingerprint(fingerprint) : 0);
  }

  /** What is known of each file, in their order. */
  async lookUp(files: readonly FileEntry[]): Promise<(Known | undefined)[]> {
    if (!this.#store) return files.map(() => undefined);
    return this.#store.getMany(files.map((file) => this.#key(file)));
  }

  /** Keeps a result; waits only while too many are queued. What went wrong on the way is thrown by `flush`. */
  async keep(evidence: Evidence, outcome: Outcome): Promise<void> {
    await this.#set(evidence, { ...outcome, sha256: evidence.sha256 });
  }

  /** Keeps a failure that the content determines; any other is tried again next time. */
  async keepFailure(evidence: Evidence, error: { code: string; message: string }): Promise<void> {
    if (isStorableFailure(error.code)) await this.#set(evidence, { error });
  }

  /** Trusts a racy entry from now on, its content having been read again. */
  async confirm(evidence: Evidence): Promise<void> {
    if (!this.#store || isRacy(evidence.stat, evidence.readAtMs)) return;
    this.#track(this.#store.confirm(this.#key(evidence.stat), evidence));
  }

  /** Resolves once everything is committed; rejects with the first failure. */
  async flush(): Promise<void> {
    await this.#store?.flush();
    if (this.#failure) throw this.#failure;
  }

  async #set(evidence: Evidence, value: Parameters<ResultStore['set']>[1]): Promise<void> {
    if (!this.#store) return;
    await this.#store.ready();
    this.#track(this.#store.set(this.#key(evidence.stat), value, evidence));
  }

  #track(committed: Promise<void>): void {
    committed.catch((error: unknown) => {
      this.#failure ??= error;
    });
  }

  #key(stat: Evidence['stat']): ResultKey {
    return statKey(this.#fingerprint, stat);
  }
}
