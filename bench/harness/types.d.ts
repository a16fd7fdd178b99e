// What a case is made of. `bench/cases/<part>.mjs` exports a list of cases; nothing has to be registered.

/** What a case may ask about this machine and this run before it starts. */
export interface Context {
  /** Sizes and repetitions that continuous integration can afford. */
  readonly quick: boolean;
  /** Whether the addon serves, or the JavaScript path. */
  readonly native: boolean;
  readonly cores: number;
}

/** What one run of one side gave. */
export interface Sample {
  /** By the key of a measure. A side may leave out what it cannot say. */
  readonly values: Readonly<Record<string, number>>;
  /** What the consumer saw; must be the same for every run of every side. */
  readonly result?: unknown;
}

/** An opened side: lives in a process of its own. */
export interface Runner {
  /** A thorough digest of what this side delivers, outside of any timing; serves as a first warm-up. */
  check?(): Promise<unknown>;
  run(): Promise<Sample>;
  close?(): Promise<unknown>;
}

/** Ours, a peer, or a limit. */
export interface Side<Data = never> {
  open(data: Data): Promise<Runner>;
  /** The package it is, whose version stands behind its name. */
  readonly package?: string;
  /** A process of its own for each run: for memory, and for what must not be warm. Default: one for all runs. */
  readonly fresh?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly execArgv?: readonly string[];
}

/** What is owed. The ratios are those of medians. */
export interface Target {
  /** A side that cannot be beaten, or a bound. */
  readonly limit?: string | { readonly name: string; readonly value: number };
  /** Ours ÷ limit at most; 1 unless told. */
  readonly atMost?: number;
  /** By side: how many times better ours has to be at least. */
  readonly atLeast?: Readonly<Record<string, number>>;
}

/** One line of output. */
export interface Measure {
  /** What is put behind the name of the case. */
  readonly name?: string;
  readonly metric: string;
  /** Where the samples hold it; the metric unless told. */
  readonly key?: string;
  readonly better: 'lower' | 'higher';
  readonly target: Target;
}

/** Sides that do the same over the same data. */
export interface Contest<Data = never> {
  readonly measures: readonly Measure[];
  /** Makes or finds the data: plain values that can be sent to the sides, with a label for people. */
  data(context: Context): Promise<Data & { readonly label: string }>;
  /** Among them `ours`. */
  readonly sides: Readonly<Record<string, Side<Data>>>;
  /** Why this cannot run here. */
  skip?(context: Context): string | undefined | Promise<string | undefined>;
  /** Instead of 7, and 3 with `--quick`; for what counts events itself. */
  readonly runs?: number;
  /** Most a single run may take, data and libraries included; 10 minutes unless told. */
  readonly limitMs?: number;
}

export interface Case {
  readonly name: string;
  readonly contests: readonly Contest[];
}

/** A line of output, as `--json` prints it. */
export interface Line {
  readonly case: string;
  readonly metric: string;
  readonly better: 'lower' | 'higher';
  readonly ours: number;
  readonly path: 'native' | 'js';
  readonly pass: boolean;
  readonly peers: Readonly<Record<string, number>>;
  readonly limit?: { readonly name: string; readonly value: number };
  readonly ratio?: Readonly<Record<string, number>>;
  readonly difference?: { readonly limit: number };
  readonly runs: number;
  readonly spread: number;
  readonly data: string;
  readonly node: string;
}
