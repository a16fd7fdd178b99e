// Lets every process that is started from here on begin with the sanitizer's runtime library.
export default function preload(): () => void {
  const library = process.env.SPILLWAY_SANITIZER_LIBRARY;
  if (!library) throw new Error('run the sanitized suite by npm run test:asan or test:tsan');
  process.env.LD_PRELOAD = library;
  return () => {
    delete process.env.LD_PRELOAD;
  };
}
