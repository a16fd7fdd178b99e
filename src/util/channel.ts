// A bounded hand-over between producers and consumers on one thread.

interface Parked<T> {
  resolve(item: T | undefined): void;
}

/** Items in order; `push` waits while the channel is full, `shift` while it is empty. */
export class Channel<T> {
  readonly #items: T[] = [];
  readonly #capacity: number;
  readonly #consumers: Parked<T>[] = [];
  readonly #producers: (() => void)[] = [];
  #closed = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Hands an item over; resolves once there is room for the next. An item pushed after `close` is dropped. */
  async push(item: T): Promise<void> {
    if (this.#closed) return;
    const consumer = this.#consumers.shift();
    if (consumer) return consumer.resolve(item);
    this.#items.push(item);
    if (this.#items.length >= this.#capacity)
      await new Promise<void>((resolve) => this.#producers.push(resolve));
  }

  /** The next item; undefined once the channel is closed and empty. */
  async shift(): Promise<T | undefined> {
    const item = this.#items.shift();
    if (item !== undefined) {
      this.#producers.shift()?.();
      return item;
    }
    if (this.#closed) return undefined;
    return new Promise<T | undefined>((resolve) => this.#consumers.push({ resolve }));
  }

  /** Ends the channel: consumers get what is left, then undefined; producers are let go. */
  close(): void {
    this.#closed = true;
    for (const release of this.#producers.splice(0)) release();
    for (const consumer of this.#consumers.splice(0)) consumer.resolve(undefined);
  }

  /** Ends the channel and drops what is left in it. */
  clear(): void {
    this.#items.length = 0;
    this.close();
  }
}
