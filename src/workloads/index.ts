// The workloads by name.
export { type PhotosOptions, photos } from './photos.js';
