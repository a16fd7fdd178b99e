// The eight EXIF orientations, applied to the small square rather than to the photo.

/** Whether an orientation swaps width and height: 5 to 8. */
export function isTransposed(orientation: number): boolean {
  return orientation >= 5;
}

/**
 * Turns RGB pixels of a square so that they stand as displayed. Resizing to a square commutes with the eight
 * orientations (to a level, where neither side is enlarged), and 65,536 pixels are cheaper to turn than a photo, which would have to be decoded whole first.
 * Returns `pixels` itself for orientation 1.
 */
export function uprightSquare(pixels: Uint8Array, side: number, orientation: number): Uint8Array {
  if (orientation === 1) return pixels;
  const { right, down } = steps(side, orientation);
  const first = (right < 0 ? -right * (side - 1) : 0) + (down < 0 ? -down * (side - 1) : 0);
  const upright = new Uint8Array(pixels.length);
  let to = 0;
  for (let row = 0; row < side; row++) {
    let from = (first + row * down) * 3;
    for (let column = 0; column < side; column++) {
      upright[to] = pixels[from] as number;
      upright[to + 1] = pixels[from + 1] as number;
      upright[to + 2] = pixels[from + 2] as number;
      to += 3;
      from += right * 3;
    }
  }
  return upright;
}

/** How far to go in the stored square, in pixels, for a step to the right and a step down in the displayed one. */
function steps(side: number, orientation: number): { right: number; down: number } {
  switch (orientation) {
    case 2:
      return { right: -1, down: side };
    case 3:
      return { right: -1, down: -side };
    case 4:
      return { right: 1, down: -side };
    case 5:
      return { right: side, down: 1 };
    case 6:
      return { right: -side, down: 1 };
    case 7:
      return { right: -side, down: -1 };
    case 8:
      return { right: side, down: -1 };
    default:
      throw new RangeError(`expected an orientation of 1 to 8 but received ${orientation}`);
  }
}
