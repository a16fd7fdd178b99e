// The eight EXIF orientations, applied to the small picture rather than to the photo.

import type { TargetSize } from './decoder-cost.js';

/** Whether an orientation swaps width and height: 5 to 8. */
export function isTransposed(orientation: number): boolean {
  return orientation >= 5;
}

/**
 * Turns RGB pixels, `stored.width` to a row, so that they stand as displayed. Resizing commutes with the eight
 * orientations (to a level, where neither side is enlarged), and a small picture is cheaper to turn than a photo,
 * which would have to be decoded whole first. Returns `pixels` itself for orientation 1.
 */
export function upright(pixels: Uint8Array, stored: TargetSize, orientation: number): Uint8Array {
  if (orientation === 1) return pixels;
  const { right, down } = steps(stored.width, orientation);
  const columns = isTransposed(orientation) ? stored.height : stored.width;
  const rows = isTransposed(orientation) ? stored.width : stored.height;
  const first = (right < 0 ? -right * (columns - 1) : 0) + (down < 0 ? -down * (rows - 1) : 0);
  const turned = new Uint8Array(pixels.length);
  let to = 0;
  for (let row = 0; row < rows; row++) {
    let from = (first + row * down) * 3;
    for (let column = 0; column < columns; column++) {
      turned[to] = pixels[from] as number;
      turned[to + 1] = pixels[from + 1] as number;
      turned[to + 2] = pixels[from + 2] as number;
      to += 3;
      from += right * 3;
    }
  }
  return turned;
}

/** How far to go in the stored picture, in pixels, for a step to the right and a step down in the displayed one. */
function steps(width: number, orientation: number): { right: number; down: number } {
  switch (orientation) {
    case 2:
      return { right: -1, down: width };
    case 3:
      return { right: -1, down: -width };
    case 4:
      return { right: 1, down: -width };
    case 5:
      return { right: width, down: 1 };
    case 6:
      return { right: -width, down: 1 };
    case 7:
      return { right: -width, down: -1 };
    case 8:
      return { right: width, down: -1 };
    default:
      throw new RangeError(`expected an orientation of 1 to 8 but received ${orientation}`);
  }
}
