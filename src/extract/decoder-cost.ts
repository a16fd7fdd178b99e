export function decoderCost(_: {
  format: string;
  width: number;
  height: number;
  channels: number;
  sampleBytes: number;
  progressive: boolean;
}): number {
  return 0;
}
