// The options of `run` for a graph of the user's own.
import type { Command } from 'commander';
import type { PhotosOptions } from '../workloads/photos.js';

/** As commander parses them. */
export interface ModelCommandOptions {
  readonly model?: string;
  readonly modelSize?: number;
  readonly modelLayout?: PhotosOptions['layout'];
  readonly modelRange?: PhotosOptions['range'];
  readonly modelResult?: PhotosOptions['result'];
  readonly labels?: string;
  readonly top?: number;
}

export function addModelOptions(command: Command): Command {
  return command
    .option('--model <file>', 'an ONNX graph of yours for the photos: classes or an embedding')
    .option(
      '--model-size <pixels>',
      'side of its input where the graph leaves it open (default: 224)',
      Number,
    )
    .option('--model-layout <name>', 'auto, nchw or nhwc (default: auto, from the graph)')
    .option(
      '--model-range <name>',
      'values it wants: auto, 0..1, -1..1, 0..255 or imagenet (default: auto, 0..255 for uint8, else 0..1)',
    )
    .option(
      '--model-result <name>',
      'auto, classes or embedding (default: auto, classes with --labels or 1000 or 1001 outputs)',
    )
    .option('--labels <file>', 'a text file with one label a line')
    .option('--top <n>', 'the likeliest classes named (default: 5)', Number);
}

/** The workload's options; the workload checks them. */
export function photosOptionsOf(options: ModelCommandOptions): PhotosOptions {
  const { model, modelSize: size, modelLayout: layout, modelRange: range } = options;
  const { modelResult: result, labels, top } = options;
  const given = Object.entries({ model, size, layout, range, result, labels, top });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}
