/**
 * How an Envoy finds the service that a request is addressed to: a script brings the authority into one spelling, which is the
 * key of a scope, and each service has a scope for each way to address it that is left (docs/adr/0010). So names are read as own
 * agents read them, and a rule that changes costs the routes of its service, not those of all.
 */

/** Carries the key from the script to the scopes. Taken away before a request is sent on. */
export const scopeHeader = 'x-sluice-scope';

/** "reviews.default" of "reviews.default.mesh.local"; the script does the same. `name` is in lower case. */
export function canonicalName(name: string, domain: string): string {
  const key = name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : name;
  return /^[^.]+\.[^.]+$/.test(key) ? key : name;
}

/**
 * Lua. Lower case, no dot at the end, with the namespace of the node where there is none, without the domain of the mesh; then
 * the port, if one is written. What somebody sends in the header himself is replaced.
 */
export function authorityScript(namespace: string, domain: string): string {
  return `function envoy_on_request(handle)
  local headers = handle:headers()
  local authority = string.lower(headers:get(":authority") or "")
  local host, port = string.match(authority, "^(.*):(%d*)$")
  host = string.gsub(host or authority, "%.$", "")
  if not string.find(host, ".", 1, true) then
    host = host .. ".${namespace}"
  else
    host = string.match(host, "^([^.]+%.[^.]+)%.${escapePattern(domain)}$") or host
  end
  if port and port ~= "" then host = host .. ":" .. port end
  headers:replace("${scopeHeader}", host)
  handle:clearRouteCache()
end
`;
}

/** Names have letters, digits, hyphens and dots: the last two mean something in a pattern of Lua. */
function escapePattern(name: string): string {
  return name.replace(/[-.]/g, '%$&');
}
