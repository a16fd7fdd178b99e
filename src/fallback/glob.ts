// Glob patterns over the bytes of a path: the same language, by the same steps, as native/scan/glob.
const SLASH = 0x2f;
const STAR = 0x2a;
const BACKSLASH = 0x5c;
const INVALID_BYTE = 0x110000;

type Token =
  | { readonly kind: 'literal'; readonly value: number }
  | { readonly kind: 'one' | 'star' }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly [number, number][] };

/** A segment of a pattern: its tokens, or the star of whole segments. */
type Segment = '**' | readonly Token[];

interface Glob {
  readonly segments: readonly Segment[];
  readonly baseNameOnly: boolean;
  readonly directoriesOnly: boolean;
}

/** Several compiled patterns; `path` is relative to its root and without a trailing `/`. */
export type GlobSet = (path: Buffer, isDirectory: boolean) => boolean;

/** Compiles patterns whose braces are expanded. A path matches when one of them does. */
export function compileGlobs(patterns: readonly string[]): GlobSet {
  const globs = patterns.map((pattern) => compileGlob(Buffer.from(pattern)));
  return (path, isDirectory) =>
    globs.some((glob) => (isDirectory || !glob.directoriesOnly) && matchesGlob(glob, path));
}

function compileGlob(given: Buffer): Glob {
  let end = given.length;
  while (end > 0 && given[end - 1] === SLASH) end--;
  const pattern = given.subarray(0, end);
  const segments: Segment[] = pattern.includes(SLASH) ? [] : ['**'];
  for (const text of splitSegments(pattern)) {
    if (text.length === 0 || text.equals(Buffer.from('.'))) continue;
    segments.push(text.equals(Buffer.from('**')) ? '**' : compileSegment(text));
  }
  // What ends in '**' means everything below, so at least one more segment.
  if (segments.at(-1) === '**') segments.push([{ kind: 'star' }]);
  const baseNameOnly = segments.length === 2 && segments[0] === '**';
  return { segments, baseNameOnly, directoriesOnly: end < given.length };
}

function splitSegments(path: Buffer): Buffer[] {
  const segments: Buffer[] = [];
  for (let at = 0; at <= path.length; ) {
    const slash = path.indexOf(SLASH, at);
    const end = slash < 0 ? path.length : slash;
    segments.push(path.subarray(at, end));
    at = end + 1;
  }
  return segments;
}

function compileSegment(text: Buffer): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const bracket = text[at] === 0x5b ? compileClass(text, at + 1) : undefined;
    if (bracket) {
      tokens.push(bracket.token);
      at = bracket.end;
    } else if (text[at] === STAR || text[at] === 0x3f) {
      tokens.push({ kind: text[at] === STAR ? 'star' : 'one' });
      at++;
    } else {
      if (text[at] === BACKSLASH && at + 1 < text.length) at++;
      const { value, length } = decode(text, at);
      tokens.push({ kind: 'literal', value });
      at += length;
    }
  }
  return tokens;
}

/** Reads the class that begins just behind `[`; undefined where it is never closed. */
function compileClass(text: Buffer, begin: number): { token: Token; end: number } | undefined {
  const ranges: [number, number][] = [];
  const negated = text[begin] === 0x21 || text[begin] === 0x5e;
  let at = begin + (negated ? 1 : 0);
  const next = (): number => {
    if (text[at] === BACKSLASH && at + 1 < text.length) at++;
    const { value, length } = decode(text, at);
    at += length;
    return value;
  };
  for (let first = true; at < text.length; first = false) {
    if (text[at] === 0x5d && !first) return { token: { kind: 'class', negated, ranges }, end: at + 1 };
    const from = next();
    let to = from;
    if (at + 1 < text.length && text[at] === 0x2d && text[at + 1] !== 0x5d) {
      at++;
      to = next();
    }
    ranges.push([from, to]);
  }
  return undefined;
}

function matchesGlob(glob: Glob, path: Buffer): boolean {
  const segments = splitSegments(path);
  const last = glob.segments[1];
  if (glob.baseNameOnly && last && last !== '**') return matchesSegment(last, segments.at(-1) ?? path);
  return matchesSegments(glob.segments, segments);
}

function matchesSegments(pattern: readonly Segment[], path: readonly Buffer[]): boolean {
  let at = 0;
  let token = 0;
  let star = -1;
  let resume = 0;
  while (at < path.length) {
    const segment = pattern[token];
    if (segment === '**') {
      star = token++;
      resume = at;
    } else if (segment && matchesSegment(segment, path[at] as Buffer)) {
      token++;
      at++;
    } else {
      if (star < 0) return false;
      at = ++resume;
      token = star + 1;
    }
  }
  while (pattern[token] === '**') token++;
  return token === pattern.length;
}

function matchesSegment(tokens: readonly Token[], name: Buffer): boolean {
  let at = 0;
  let token = 0;
  let star = -1;
  let resume = 0;
  while (at < name.length) {
    const current = tokens[token];
    if (current?.kind === 'star') {
      star = token++;
      resume = at;
      continue;
    }
    const { value, length } = decode(name, at);
    if (current && matchesOne(current, value)) {
      token++;
      at += length;
    } else {
      if (star < 0) return false;
      resume += decode(name, resume).length;
      at = resume;
      token = star + 1;
    }
  }
  while (tokens[token]?.kind === 'star') token++;
  return token === tokens.length;
}

function matchesOne(token: Token, value: number): boolean {
  if (token.kind === 'literal') return token.value === value;
  if (token.kind !== 'class') return true;
  return token.ranges.some(([from, to]) => value >= from && value <= to) !== token.negated;
}

/** One code point; a byte that starts no valid UTF-8 is a character of its own above all code points. */
function decode(text: Buffer, at: number): { value: number; length: number } {
  const lead = text[at] as number;
  if (lead < 0x80) return { value: lead, length: 1 };
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const invalid = { value: INVALID_BYTE + lead, length: 1 };
  if (lead < 0xc2 || lead > 0xf4 || text.length - at < length) return invalid;
  let value = lead & (0x7f >> length);
  for (let i = at + 1; i < at + length; i++) {
    const byte = text[i] as number;
    if ((byte & 0xc0) !== 0x80) return invalid;
    value = (value << 6) | (byte & 0x3f);
  }
  const overlong = (length === 3 && value < 0x800) || (length === 4 && value < 0x10000);
  if (overlong || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return invalid;
  return { value, length };
}
