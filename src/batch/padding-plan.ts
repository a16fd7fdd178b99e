// What may be padded, how, and what of the outputs has to be cut back: said by the caller, and by the graph.
import * as v from 'valibot';
import type { ValueInfo } from '../contract/index.js';
import { invalidArgument } from '../util/errors.js';
import type { BatchRunner } from './batch-runner.js';
import { isMaskType, type MaskType } from './mask.js';

const axis = v.pipe(v.number(), v.integer(), v.minValue(1));

export const paddingSchema = v.strictObject({
  /** The inputs that vary in length, all of an item alike: along which dimension, and what fills the rest; 0 unless told. */
  inputs: v.pipe(
    v.record(v.string(), v.strictObject({ axis, value: v.optional(v.union([v.number(), v.string()]), 0) })),
    v.check((inputs) => Object.keys(inputs).length > 0, 'an input at least'),
  ),
  /**
   * An input [n, length] that items do not bring and the batcher makes: 1 where an item has a token, 0 where it was
   * padded. Its type is the graph's, of int64, int32, float32 and bool; int64 where the graph does not tell.
   */
  mask: v.optional(v.string()),
  /**
   * The dimensions of each output that are as long as the padded inputs; `[]` where none is. Needed only where the graph
   * does not tell by the names of its free dimensions.
   */
  outputs: v.optional(v.record(v.string(), v.array(axis))),
});

export type PaddingOptions = v.InferInput<typeof paddingSchema>;

/** Final values. */
export interface PaddingPlan {
  readonly inputs: Readonly<Record<string, { readonly axis: number; readonly value: number | string }>>;
  readonly mask: { readonly input: string; readonly type: MaskType } | undefined;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

/** Throws `ERR_INVALID_ARGUMENT` where options and graph contradict each other, or leave an output open. */
export function planPadding(
  { inputs, mask, outputs = {} }: v.InferOutput<typeof paddingSchema>,
  { inputMetadata, outputMetadata }: BatchRunner,
): PaddingPlan {
  const lengths = new Set<string>();
  for (const [name, { axis }] of Object.entries(inputs)) {
    const size = inputMetadata && inputOf(inputMetadata, name, 'pad.inputs').dims[axis];
    if (typeof size === 'number')
      throw invalidArgument(
        `pad.inputs.${name}`,
        'a dimension that the graph leaves open',
        `${axis} (of ${size})`,
      );
    if (size) lengths.add(size);
  }
  if (!outputMetadata && Object.keys(outputs).length === 0)
    throw invalidArgument(
      'pad.outputs',
      'the dimensions of each output that vary, which the model does not tell,',
      undefined,
    );
  const told = (outputMetadata ?? []).map((output) => [
    output.name,
    outputs[output.name] ?? axesOf(output, lengths),
  ]);
  return {
    inputs,
    mask: mask === undefined ? undefined : { input: mask, type: maskType(inputMetadata, mask) },
    outputs: { ...outputs, ...Object.fromEntries(told) },
  };
}

/** The dimensions of an output that bear the name of a padded one. */
function axesOf({ name, dims }: ValueInfo, lengths: ReadonlySet<string>): number[] {
  const open = dims.flatMap((size, axis) => (axis > 0 && typeof size === 'string' ? [{ size, axis }] : []));
  if (open.some(({ size }) => size === '') || (open.length > 0 && lengths.size === 0))
    throw invalidArgument(
      `pad.outputs.${name}`,
      `the dimensions of [${dims.join()}] that vary with the inputs, which have no names in the graph,`,
      undefined,
    );
  return open.filter(({ size }) => lengths.has(size)).map(({ axis }) => axis);
}

function maskType(inputs: readonly ValueInfo[] | undefined, name: string): MaskType {
  const type = inputs ? inputOf(inputs, name, 'pad.mask').type : 'int64';
  if (isMaskType(type)) return type;
  throw invalidArgument('pad.mask', 'an input of int64, int32, float32 or bool', `${name} of ${type}`);
}

function inputOf(inputs: readonly ValueInfo[], name: string, option: string): ValueInfo {
  const input = inputs.find((each) => each.name === name);
  if (input) return input;
  throw invalidArgument(option, `an input of the graph (${inputs.map((each) => each.name).join()})`, name);
}
