// The directory walk in JavaScript.
import type { Scanner, ScanPlan } from '../contract/index.js';

export function openScanner(_plan: ScanPlan): Scanner {
  throw new Error('written on the branch scan');
}
