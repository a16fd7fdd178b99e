/** The value that belongs to a number, of a length that the number decides: mostly small, some in files of their own. */
export function valueFor(number: number): Uint8Array<ArrayBuffer>;
