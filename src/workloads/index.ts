// The workloads by name.
export { auto } from './auto.js';
export { type FileData, metadata } from './metadata.js';
export { type PhotosOptions, photos } from './photos.js';
