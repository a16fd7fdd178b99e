// Whether a file is text, in which encoding, and how many lines and words it has; in one pass, piece by piece.
import { isAscii, isUtf8 } from 'node:buffer';

export interface TextFigures {
  readonly encoding: 'ascii' | 'utf-8' | 'utf-16le' | 'utf-16be' | 'iso-8859-1';
  /** Whether a byte order mark leads. */
  readonly bom: boolean;
  /** Line feeds, and one more for a last line without. */
  readonly lines: number;
  /** Runs of characters between blanks: space, tab, line feed, vertical tab, form feed, carriage return. */
  readonly words: number;
}

const LINE_FEED = 10;
const WORD = 0;
const BLANK = 1;
const LINE_END = 2;
/** Control characters that text does not contain: all below space but \b \t \n \v \f \r and escape. */
const FOREIGN = 3;
const KINDS = Uint8Array.from({ length: 256 }, (_, unit) => {
  if (unit === LINE_FEED) return LINE_END;
  if (unit === 32 || (unit >= 9 && unit <= 13)) return BLANK;
  return unit < 32 && unit !== 8 && unit !== 27 ? FOREIGN : WORD;
});
/** A byte of UTF-8 that continues a character. */
const isContinuation = (byte: number) => (byte & 0xc0) === 0x80;

/** Judges a text as its pieces come by; any piece may end within a character. */
export class TextScanner {
  #encoding: TextFigures['encoding'] | undefined = 'ascii';
  #bom = false;
  #lines = 0;
  #words = 0;
  #inWord = false;
  #last = LINE_FEED;
  #started = false;
  /** The first bytes of a character that the next piece goes on with. */
  #rest: Uint8Array = new Uint8Array();

  /** The next bytes of the file; they are not kept. */
  update(piece: Uint8Array): void {
    if (!this.#encoding || piece.length === 0) return;
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, piece]) : piece;
    if (!this.#started) {
      if (bytes.length < 3) {
        this.#rest = bytes.slice();
        return;
      }
      bytes = this.#start(bytes);
    }
    this.#take(bytes, false);
  }

  /** The figures of the whole text; undefined where it is none. An empty file is text without lines. */
  end(): TextFigures | undefined {
    let bytes = this.#rest;
    if (!this.#started) bytes = this.#start(bytes);
    this.#take(bytes, true);
    if (!this.#encoding) return undefined;
    const lines = this.#lines + (this.#last === LINE_FEED ? 0 : 1);
    return { encoding: this.#encoding, bom: this.#bom, lines, words: this.#words };
  }

  /** Takes the byte order mark off. */
  #start(bytes: Uint8Array): Uint8Array {
    this.#started = true;
    this.#rest = new Uint8Array();
    const marks = [
      { encoding: 'utf-8', mark: [0xef, 0xbb, 0xbf] },
      { encoding: 'utf-16le', mark: [0xff, 0xfe] },
      { encoding: 'utf-16be', mark: [0xfe, 0xff] },
    ] as const;
    const found = marks.find(({ mark }) => mark.every((byte, i) => bytes[i] === byte));
    if (!found) return bytes;
    this.#encoding = found.encoding;
    this.#bom = true;
    return bytes.subarray(found.mark.length);
  }

  #take(bytes: Uint8Array, last: boolean): void {
    if (!this.#encoding) return;
    const wide = this.#encoding.startsWith('utf-16');
    const whole = last ? bytes.length : wide ? bytes.length & ~1 : wholeCharacters(bytes);
    this.#rest = bytes.slice(whole);
    const taken = bytes.subarray(0, whole);
    if (!wide) this.#judge(taken);
    else if (whole % 2 === 1) this.#encoding = undefined;
    this.#count(wide ? unitsOf(taken, this.#encoding === 'utf-16le') : taken);
  }

  /** From ASCII to UTF-8 to a single-byte encoding: never back. */
  #judge(bytes: Uint8Array): void {
    if (this.#encoding === 'iso-8859-1' || (this.#encoding === 'ascii' && isAscii(bytes))) return;
    if (isUtf8(bytes)) this.#encoding = 'utf-8';
    else this.#encoding = this.#bom ? undefined : 'iso-8859-1';
  }

  /** One tight loop over bytes or units of UTF-16. */
  #count(units: Uint8Array | Uint16Array): void {
    let lines = 0;
    let words = 0;
    let inWord = this.#inWord;
    for (let i = 0; i < units.length; i++) {
      const kind = KINDS[units[i] as number] ?? WORD;
      if (kind === WORD) {
        if (!inWord) words++;
        inWord = true;
      } else if (kind === FOREIGN) {
        this.#encoding = undefined;
        return;
      } else {
        inWord = false;
        if (kind === LINE_END) lines++;
      }
    }
    this.#lines += lines;
    this.#words += words;
    this.#inWord = inWord;
    this.#last = units.at(-1) ?? this.#last;
  }
}

/** Units of UTF-16 in memory aligned for them. */
function unitsOf(bytes: Uint8Array, littleEndian: boolean): Uint16Array {
  const copy = Buffer.from(bytes.subarray(0, bytes.length & ~1));
  if (!littleEndian) copy.swap16();
  return new Uint16Array(copy.buffer.slice(copy.byteOffset, copy.byteOffset + copy.length));
}

/** How many of the bytes make whole characters of UTF-8, if that is what they are: at most three are held back. */
function wholeCharacters(bytes: Uint8Array): number {
  let lead = bytes.length - 1;
  while (lead >= 0 && lead > bytes.length - 4 && isContinuation(bytes[lead] as number)) lead--;
  const byte = bytes[lead] ?? 0;
  const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
  return lead >= 0 && lead + length > bytes.length ? lead : bytes.length;
}
