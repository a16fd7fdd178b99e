import type { Provider } from './provider.js';

/** The processor: always there. */
export const cpu: Provider = { device: 'cpu', recovers: false, unavailable: () => undefined };
