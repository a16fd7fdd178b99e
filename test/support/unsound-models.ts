// Models that vetting must reject, each wrong in one way, and what is to be said of it.
import {
  body,
  constant,
  domain,
  external,
  func,
  graph,
  integer,
  message,
  model,
  node,
  own,
  plain,
  relu,
  tensor,
  text,
  value,
  withTensor,
} from './proto-model.js';

const nested = (depth: number): Buffer =>
  graph({
    inputs: [],
    nodes: [depth === 0 ? relu('x', 'y') : node('If', ['x'], ['y'], body('then_branch', nested(depth - 1)))],
  });

type Rejection = readonly [bytes: Uint8Array, sentence: RegExp];

export const unsound: Record<string, Rejection> = {
  'nothing at all': [new Uint8Array(0), /^model: expected the version/],
  garbage: [Buffer.from('nonsense'), /^model, byte \d+: /],
  'no graph': [integer(1, 8), /^model: expected a graph/],
  'no version': [message(7, graph({ nodes: [relu('x', 'y')] })), /^model: expected the version/],
  'a length beyond the end': [
    model(message(1, new Uint8Array(9))).subarray(0, 8),
    /beyond its message|the middle/,
  ],
  'a length beyond its message': [
    model(Buffer.concat([text(2, 'graph'), Uint8Array.of(0x0a, 100)])),
    /^graph, byte \d+: field 1 reaches \d+ bytes beyond/,
  ],
  'a number without end': [Buffer.alloc(16, 0xff), /expected a number of at most 5 bytes/],
  'a field that protobuf would read as another': [
    Buffer.concat([integer(1, 8), Uint8Array.of(0xba, 0x80, 0x80, 0x80, 0x10, 0)]),
    /expected a field but its number/,
  ],
  'a group': [Buffer.concat([integer(1, 8), Uint8Array.of((12 << 3) | 3)]), /unknown wire type 3/],
  'two graphs, which protobuf would merge': [
    Buffer.concat([model(graph({ nodes: [relu('x', 'y')] })), message(7, graph({}))]),
    /expected field 7 once/,
  ],
  'a graph of another wire type': [Buffer.concat([integer(1, 8), integer(7, 1)]), /another wire type than 0/],
  'a name that is not UTF-8': [
    plain(Buffer.concat([message(1, Uint8Array.of(0xc0, 0x80)), relu('x', 'y')])),
    /expected UTF-8/,
  ],
  'a name without end': [plain(relu('x', 'y'.repeat(70_000))), /expected at most 65536 bytes/],
  'graphs within graphs within graphs': [model(nested(40)), /expected at most 64 messages within each other/],

  'a cycle of two': [
    plain(relu('b', 'a'), relu('a', 'b'), relu('a', 'y')),
    /^graph: 'b' is used by node 'make_a'/,
  ],
  'a node that feeds itself': [plain(relu('y', 'y')), /cyclic or out of order/],
  'a cycle through a body': [
    plain(
      node(
        'If',
        ['x'],
        ['a'],
        body('then_branch', graph({ inputs: [], nodes: [relu('y', 'y0')], outputs: ['y0'] })),
      ),
      relu('a', 'y'),
    ),
    /'y' is used by node 'make_a' before node 'make_y'/,
  ],
  'an input from nowhere': [plain(relu('z', 'y')), /^graph: 'z', used by node 'make_y', is neither/],
  'an output from nowhere': [
    plain(relu('x', 'z')),
    /^graph: 'y', used by the output of the graph, is neither/,
  ],
  'an output made twice': [plain(relu('x', 'y'), relu('x', 'y')), /'y' is defined twice/],
  'an output that is an input': [plain(relu('x', 'y'), relu('y', 'x')), /'x' is (used by|defined twice)/],
  'an output that is an initialiser': [
    model(graph({ nodes: [relu('x', 'w'), relu('w', 'y')], initialisers: [tensor()] })),
    /'w' is defined twice/,
  ],
  'an initialiser given twice': [
    model(graph({ nodes: [node('Add', ['x', 'w'], ['y'])], initialisers: [tensor(), tensor()] })),
    /'w' is defined twice/,
  ],
  'an initialiser without a name': [withTensor({ name: '' }), /expected a name for each initialiser/],
  'no outputs': [model(graph({ nodes: [relu('x', 'y')], outputs: [] })), /^graph: expected an output/],
  'the same output twice': [
    model(graph({ nodes: [relu('x', 'y')], outputs: ['y', 'y'] })),
    /outputs of different names/,
  ],

  'fewer bytes than the dimensions say': [
    withTensor({ dims: [3], raw: 8 }),
    /^graph, tensor 'w': float32 \[3\] takes 12 bytes but 8/,
  ],
  'more bytes than the dimensions say': [withTensor({ dims: [1], raw: 8 }), /takes 4 bytes but 8/],
  'fewer numbers than the dimensions say': [
    withTensor({ type: 7, dims: [3] }, message(7, Uint8Array.of(1, 2))),
    /takes 3 entries but 2/,
  ],
  'a dimension below zero': [withTensor({ dims: [-2] }), /dimensions \[\d+\] are out of range/],
  'dimensions whose product overflows': [withTensor({ dims: [2 ** 32, 2 ** 32], raw: 0 }), /out of range/],
  'dimensions whose product wraps to the right size': [
    withTensor({ dims: [2 ** 33, 2 ** 31, 2], raw: 8 }),
    /out of range/,
  ],
  'more dimensions than anyone needs': [
    withTensor({ dims: Array(65).fill(1), raw: 4 }),
    /at most 64 dimensions/,
  ],
  'an unknown element type': [
    withTensor({ type: 99 }),
    /expected the number of an element type but it is 99/,
  ],
  'an element type of more than 32 bits': [withTensor({ type: 2 ** 32 + 1 }), /element type/],
  'data in two fields': [
    withTensor({ raw: 8 }, message(4, new Uint8Array(8))),
    /field 9 holds data too|field 4 holds data too/,
  ],
  'strings as raw bytes': [withTensor({ type: 8, dims: [1], raw: 8 }), /expected strings, not raw bytes/],
  'half a number': [withTensor({ dims: [2] }, message(4, new Uint8Array(7))), /field 4 ends in a number/],
  'a segment': [withTensor({}, message(3, integer(1, 0))), /not a segment/],
  'a constant that is too short': [
    plain(node('Constant', [], ['y'], constant(tensor({ dims: [9], raw: 8 })))),
    /^graph\/make_y\.value, tensor 'w': float32 \[9\] takes 36 bytes/,
  ],
  'an input of absurd size': [
    model(
      Buffer.concat([
        graph({ nodes: [relu('x', 'y')], inputs: [] }),
        message(11, value('x', [2 ** 40, 2 ** 40])),
      ]),
    ),
    /^graph, input 'x': dimensions/,
  ],
  'sparse indices that are not int64': [
    model(
      graph({
        nodes: [node('Add', ['x', 'w'], ['y'])],
        sparse: [
          Buffer.concat([
            message(1, tensor()),
            message(2, tensor({ name: '', type: 6, raw: 8 })),
            integer(3, 9),
          ]),
        ],
      }),
    ),
    /^graph, sparse tensor 'w': expected int64 indices/,
  ],

  'external data that is not marked as such': [
    withTensor({ raw: 8 }, message(13, Buffer.concat([text(1, 'location'), text(2, 'w.bin')]))),
    /named and marked as such/,
  ],
  'external data at an unknown kind of place': [withTensor({ raw: 8 }, integer(14, 2)), /unknown location/],
  'external data and data of its own': [
    withTensor({ raw: 8 }, external({ location: 'w.bin' })),
    /not in both/,
  ],
  'external strings': [
    withTensor({ type: 8 }, external({ location: 'w.bin' })),
    /expected strings within the model/,
  ],
  'two places for one tensor': [
    withTensor(
      {},
      message(13, Buffer.concat([text(1, 'location'), text(2, 'a')])),
      external({ location: 'b' }),
    ),
    /two values for 'location'/,
  ],
  ...Object.fromEntries<Rejection>(
    [
      ['', 'is no path'],
      ['/etc/passwd', 'is an absolute path'],
      ['../w.bin', "leads out of the model's folder"],
      ['a/../../w.bin', "leads out of the model's folder"],
      ['a\0b', 'has a zero byte'],
      ['a/'.repeat(3000), 'is too long'],
    ].map(([location = '', problem = '']) => [
      `external data at ${JSON.stringify(location.slice(0, 20))}`,
      [withTensor({}, external({ location })), new RegExp(problem)] as const,
    ]),
  ),
  ...Object.fromEntries<Rejection>(
    ['-4', '1e3', '0x10', '99999999999999999999', ' 1'].map((offset) => [
      `external data from ${offset}`,
      [withTensor({}, external({ location: 'w.bin', offset })), /expected digits as the offset/] as const,
    ]),
  ),
  'external data of another length': [
    withTensor({}, external({ location: 'w.bin', length: '9' })),
    /expected 8 bytes of external data but its length is 9/,
  ],

  'an operator of an unknown domain': [
    plain(node('Magic', ['x'], ['y'], domain('com.example'))),
    /^graph\/make_y: operator 'Magic' is of the domain 'com.example', not of 'ai.onnx'/,
  ],
  'such an operator in a body': [
    plain(node('If', ['x'], ['y'], body('then_branch', graph({ inputs: [], nodes: [own('Magic', 'y')] })))),
    /^graph\/make_y\.then_branch\/make_y: operator 'Magic'/,
  ],
  'such an operator in a function': [
    model(graph({ nodes: [own('Fine', 'y')] }), func('Fine', [own('Magic', 'y')])),
    /^function 'Fine'\/make_y: operator 'Magic'/,
  ],
  'an operator that opens files': [
    plain(node('EPContext', ['x'], ['y'], domain('com.microsoft'))),
    /opens files that cannot be vetted/,
  ],
  'an operator without a name': [plain(node('', ['x'], ['y'])), /it has no name/],
  'a function that calls itself': [
    model(graph({ nodes: [own('Loop', 'y')] }), func('Loop', [own('Loop', 'y')])),
    /the function calls itself/,
  ],
  'functions that call each other in a circle': [
    model(graph({ nodes: [own('A', 'y')] }), func('A', [own('B', 'y')]), func('B', [own('A', 'y')])),
    /the function calls itself/,
  ],
  'functions that double forty times': [
    model(
      graph({ nodes: [own('F0', 'y')] }),
      ...Array.from({ length: 40 }, (_, i) => func(`F${i}`, [own(`F${i + 1}`, 'a'), own(`F${i + 1}`, 'y')])),
      func('F40', [relu('x', 'y')]),
    ),
    /expected at most 262144 nodes once functions are replaced/,
  ],
  'functions that call each other a thousand deep': [
    model(
      graph({ nodes: [own('F0', 'y')] }),
      ...Array.from({ length: 1000 }, (_, i) => func(`F${i}`, [own(`F${i + 1}`, 'y')])),
      func('F1000', [relu('x', 'y')]),
    ),
    /at most 256 deep/,
  ],
  'a function given twice': [
    model(graph({ nodes: [own('A', 'y')] }), func('A', [relu('x', 'y')]), func('A', [relu('x', 'y')])),
    /defined twice/,
  ],
};
