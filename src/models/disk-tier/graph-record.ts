// What is known of a graph's optimised form: where it lies and what loading it took, or why it is left alone.
//
// Whether it pays is measured, not assumed: for most graphs it halves what ONNX Runtime takes, but reading and checking
// what was stored takes time as well, above all where weights that are computed at the load became a large file. The first six loads take turns, three from the disk and three plain ones, and the medians
// decide, so that one slow load among them decides nothing. Loads from the disk are measured on: should they become slower
// than plain ones were, that shows. All of it is forgotten after a time (`ENTRY` in graph-pieces.ts), so that no verdict,
// however it came about, is for ever.
import * as v from 'valibot';

/** Loads of each kind that are compared, the last ones. */
const SAMPLES = 3;

const times = v.array(v.number());

const keptSchema = v.strictObject({
  /** Of all its pieces, so that those of two writers are never mixed: 32 hexadecimal digits. */
  id: v.string(),
  bytes: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  /** Names of the inputs that the graph has when it is loaded plainly. */
  inputs: v.array(v.string()),
  /** Milliseconds of plain loads, and of loads from the disk, reading and vetting included. */
  plain: times,
  disk: times,
});

const recordSchema = v.union([keptSchema, v.strictObject({ left: v.string() })]);

/** An optimised graph in the store. */
export type KeptGraph = v.InferOutput<typeof keptSchema>;
/** `left`: why the graph is loaded plainly. */
export type GraphRecord = v.InferOutput<typeof recordSchema>;

export function encodeRecord(record: GraphRecord): Uint8Array {
  return Buffer.from(JSON.stringify(record));
}

/** Undefined for what is no record. */
export function decodeRecord(bytes: Uint8Array): GraphRecord | undefined {
  try {
    const { success, output } = v.safeParse(recordSchema, JSON.parse(Buffer.from(bytes).toString()));
    return success ? (output as GraphRecord) : undefined;
  } catch {
    return undefined; // no JSON: somebody else's entry
  }
}

/** How the graph is to be loaded this time. */
export function nextLoad({ plain, disk }: KeptGraph): 'plain' | 'disk' {
  if (disk.length < SAMPLES && disk.length <= plain.length) return 'disk';
  return plain.length < SAMPLES ? 'plain' : 'disk';
}

/** The record after one more load, which may be the one that shows that the disk does not pay. */
export function withSample(record: KeptGraph, kind: 'plain' | 'disk', ms: number): GraphRecord {
  const sample = [...record[kind], ms].slice(-SAMPLES);
  const [plain, disk] = kind === 'plain' ? [sample, record.disk] : [record.plain, sample];
  if (plain.length < SAMPLES || disk.length < SAMPLES || median(disk) < median(plain))
    return { ...record, plain, disk };
  const [fromDisk, plainly] = [disk, plain].map((all) => median(all).toFixed(1));
  return { left: `loading it from the disk took ${fromDisk} ms, and plainly ${plainly} ms` };
}

function median(sample: readonly number[]): number {
  return [...sample].sort((a, b) => a - b)[Math.floor(sample.length / 2)] as number;
}
