/** Starts the layout worker; apart, because only a bundler understands the address. */

export function spawnLayoutWorker(): Worker {
  return new Worker(new URL('./layoutWorker', import.meta.url));
}
