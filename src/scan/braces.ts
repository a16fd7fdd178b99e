// Brace expansion: `*.{jpg,png}` becomes `*.jpg` and `*.png`. Braces nest; a backslash makes one literal.
import { invalidArgument } from '../util/errors.js';

/** One pattern may grow to this many; beyond it is a mistake or an attack, for growth is exponential. */
export const MAX_ALTERNATIVES = 1024;

/**
 * The patterns without braces that `pattern` stands for, in order. Braces without a comma, unbalanced ones and
 * escaped ones are ordinary characters. Throws `ERR_INVALID_ARGUMENT` where there would be more than
 * {@link MAX_ALTERNATIVES}.
 */
export function expandBraces(pattern: string, name: string): string[] {
  const done: string[] = [];
  const open = [{ text: pattern, from: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const group = firstGroup(next.text, next.from);
    if (!group) {
      done.push(next.text);
      continue;
    }
    const before = next.text.slice(0, group.start);
    const after = next.text.slice(group.end);
    // Last first: the stack turns them round again.
    for (const alternative of group.alternatives.reverse())
      open.push({ text: before + alternative + after, from: group.start });
    if (done.length + open.length > MAX_ALTERNATIVES)
      throw invalidArgument(name, `a pattern with at most ${MAX_ALTERNATIVES} alternatives`, pattern);
  }
  return done;
}

interface Group {
  readonly start: number;
  readonly end: number;
  readonly alternatives: string[];
}

/** The first balanced group with a comma at or behind `from`. */
function firstGroup(text: string, from: number): Group | undefined {
  for (let start = from; start < text.length; start++) {
    if (text[start] === '\\') start++;
    else if (text[start] === '{') {
      const group = groupAt(text, start);
      if (group) return group;
    }
  }
  return undefined;
}

function groupAt(text: string, start: number): Group | undefined {
  const alternatives: string[] = [];
  let depth = 0;
  let begin = start + 1;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') at++;
    else if (char === '{') depth++;
    else if (char === ',' && depth === 1) {
      alternatives.push(text.slice(begin, at));
      begin = at + 1;
    } else if (char === '}' && --depth === 0) {
      if (alternatives.length === 0) return undefined;
      alternatives.push(text.slice(begin, at));
      return { start, end: at + 1, alternatives };
    }
  }
  return undefined;
}
