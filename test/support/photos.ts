// Photos for tests: see scripts/make-photos.mjs.
export { makePhotos, makeScene } from '../../scripts/make-photos.mjs';
