// Models put together field by field, so that each of their messages can be wrong. Field numbers: onnx.proto3.
import { integer, message, text } from '../../scripts/make-model/encoder.mjs';

export { integer, message, text };

type Fields = readonly Uint8Array[];

const join = (...fields: readonly (Uint8Array | Fields)[]) => Buffer.concat(fields.flat());

/** A model of IR version 8 and operator set 17; `more` are further fields, such as functions. */
export const model = (graph: Uint8Array, ...more: Fields): Buffer =>
  join(integer(1, 8), message(7, graph), message(8, integer(2, 17)), ...more);

export interface GraphParts {
  readonly nodes?: Fields;
  readonly initialisers?: Fields;
  readonly sparse?: Fields;
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
}

export const graph = ({
  nodes = [],
  initialisers = [],
  sparse = [],
  inputs = ['x'],
  outputs = ['y'],
}: GraphParts): Buffer =>
  join(
    nodes.map((node) => message(1, node)),
    text(2, 'graph'),
    initialisers.map((tensor) => message(5, tensor)),
    inputs.map((name) => message(11, value(name))),
    outputs.map((name) => message(12, value(name))),
    sparse.map((tensor) => message(15, tensor)),
  );

/** A float32 vector of `dims`, of two elements unless told. */
export const value = (name: string, dims: readonly number[] = [2]): Buffer =>
  join(
    text(1, name),
    message(
      2,
      message(1, join(integer(1, 1), message(2, join(dims.map((size) => message(1, integer(1, size))))))),
    ),
  );

/** `more` are further fields: a domain, attributes. The node is called by its first output. */
export const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...more: Fields
): Buffer =>
  join(
    inputs.map((name) => text(1, name)),
    outputs.map((name) => text(2, name)),
    text(3, `make_${outputs[0]}`),
    text(4, op),
    ...more,
  );

export const domain = (name: string): Buffer => text(7, name);

/** An attribute that is a graph. */
export const body = (name: string, inner: Uint8Array): Buffer =>
  message(5, join(text(1, name), message(6, inner), integer(20, 5)));

/** An attribute that is a tensor. */
export const constant = (inner: Uint8Array): Buffer =>
  message(5, join(text(1, 'value'), message(5, inner), integer(20, 4)));

export interface TensorParts {
  readonly name?: string;
  readonly dims?: readonly number[];
  /** Of `TensorProto.DataType`; 1, float32, unless told. */
  readonly type?: number;
  /** Bytes of raw data; as many as two float32 take unless told, none with `more`. */
  readonly raw?: number | undefined;
}

/** `more` are further fields: other data, where the data lies. */
export const tensor = (
  { name = 'w', dims = [2], type = 1, raw }: TensorParts = {},
  ...more: Fields
): Buffer => {
  const bytes = raw ?? (more.length === 0 ? 8 : undefined);
  return join(
    dims.map((size) => integer(1, size)),
    integer(2, type),
    text(8, name),
    bytes === undefined ? [] : message(9, new Uint8Array(bytes)),
    ...more,
  );
};

/** Where a tensor's data lies, as entries of `external_data`, and the mark that it does. */
export const external = (entries: Readonly<Record<string, string>>): Buffer =>
  join(
    Object.entries(entries).map(([key, entry]) => message(13, join(text(1, key), text(2, entry)))),
    integer(14, 1),
  );

/** An operator of the model's own, with the one input `x` and the one output `y`. */
export const func = (name: string, nodes: Fields): Buffer =>
  message(
    25,
    join(
      text(1, name),
      text(4, 'x'),
      text(5, 'y'),
      nodes.map((inner) => message(7, inner)),
      message(9, integer(2, 17)),
      text(10, 'own'),
    ),
  );

/** `y = x + w`, with this tensor for `w`. */
export const addGraph = (w: Uint8Array): Buffer =>
  graph({ nodes: [node('Add', ['x', 'w'], ['y'])], initialisers: [w] });

export const relu = (input: string, output: string): Buffer => node('Relu', [input], [output]);

/** A node of an operator of the domain `own`, which uses `x`. */
export const own = (op: string, output: string): Buffer => node(op, ['x'], [output], domain('own'));

/** A model of nodes alone, from `x` to `y`. */
export const plain = (...nodes: Fields): Buffer => model(graph({ nodes }));

/** A model that adds this tensor. */
export const withTensor = (...args: Parameters<typeof tensor>): Buffer => model(addGraph(tensor(...args)));
