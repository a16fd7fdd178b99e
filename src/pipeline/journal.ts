// The result store as the pipeline sees it: what is known of a file, and what to keep of one.
import { contentKey, type Fingerprint, fingerprintOf, type ResultKey, statKey } from '../results/identity.js';
import type { ResultStore, StoredResult } from '../results/result-store.js';
import { isStorableFailure, type StoredValue } from '../results/value.js';
import type { Evidence, FileEntry, OpenWorkload, Outcome } from './workload.js';

export type Known = StoredResult;

/** One pipeline's results in a store. Without a store nothing is known and nothing is kept. */
export class Journal {
  readonly #store: ResultStore | undefined;
  readonly #fingerprint: Fingerprint;
  readonly #byContent: boolean;
  readonly #pending = new Set<Promise<void>>();
  #failure: unknown;

  constructor(store: ResultStore | undefined, workload: Pick<OpenWorkload, 'fingerprint' | 'identity'>) {
    this.#store = store;
    this.#fingerprint = fingerprintOf(workload.fingerprint);
    this.#byContent = workload.identity === 'content';
  }

  /** What is known of each file by its stat, in their order. */
  async lookUp(files: readonly FileEntry[]): Promise<(Known | undefined)[]> {
    if (!this.#store) return files.map(() => undefined);
    return this.#store.getMany(files.map((file) => this.#statKey(file)));
  }

  /**
   * What is known of a file that was read: by an entry that stat could not vouch for (`known`), or by its content
   * where the workload asks for that. From then on its stat is enough.
   */
  async recall(known: Known | undefined, evidence: Evidence): Promise<StoredValue | undefined> {
    if (!this.#store) return undefined;
    const key = this.#statKey(evidence.stat);
    if (known?.racy && known.sha256 === evidence.sha256) {
      await this.#queue((store) => store.confirm(key, evidence));
      return known.value;
    }
    if (!this.#byContent) return undefined;
    const [found] = await this.#store.getMany([this.#contentKey(evidence)]);
    if (found) await this.#queue((store) => store.link(key, evidence));
    return found?.value;
  }

  /** Keeps a result; waits only while too many are queued. What went wrong on the way is thrown by `flush`. */
  async keep(evidence: Evidence, outcome: Outcome): Promise<void> {
    await this.#keep(evidence, { ...outcome, sha256: evidence.sha256 });
  }

  /** Keeps a failure that the content determines; any other is tried again next time. */
  async keepFailure(evidence: Evidence, error: { code: string; message: string }): Promise<void> {
    if (isStorableFailure(error.code)) await this.#keep(evidence, { error });
  }

  /** Resolves once everything is committed; rejects with the first failure. */
  async flush(): Promise<void> {
    await this.#store?.flush();
    // A confirmation reads before it writes, so it may not have been among what was flushed.
    await Promise.all(this.#pending);
    if (this.#failure) throw this.#failure;
  }

  async #keep(evidence: Evidence, value: StoredValue): Promise<void> {
    const key = this.#statKey(evidence.stat);
    if (!this.#byContent) return this.#queue((store) => store.set(key, value, evidence));
    await this.#queue((store) => store.set(this.#contentKey(evidence), value, evidence));
    await this.#queue((store) => store.link(key, evidence));
  }

  async #queue(write: (store: ResultStore) => Promise<void>): Promise<void> {
    if (!this.#store) return;
    await this.#store.ready();
    const committed = write(this.#store)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#pending.delete(committed));
    this.#pending.add(committed);
  }

  #statKey(stat: Evidence['stat']): ResultKey {
    return statKey(this.#fingerprint, stat);
  }

  #contentKey({ sha256 }: Evidence): ResultKey {
    return contentKey(this.#fingerprint, sha256);
  }
}
