/**
 * The URL of a module that is to run in a thread or process of its own: the sibling file as it stands beside
 * compiled code, and its compiled counterpart in `dist` where the caller runs from source, because Node 20
 * cannot start a worker from TypeScript.
 *
 * @param sibling - such as `./store-worker.js`
 * @param importMetaUrl - `import.meta.url` of the caller
 */
export function compiledUrl(sibling: string, importMetaUrl: string): URL {
  const url = new URL(sibling, importMetaUrl);
  if (!importMetaUrl.endsWith('.ts')) return url;
  const at = url.pathname.lastIndexOf('/src/');
  url.pathname = `${url.pathname.slice(0, at)}/dist/${url.pathname.slice(at + '/src/'.length)}`;
  return url;
}
