/**
 * The cookie of a sticky split. Envoy goes by one that is there, but gives none to who comes without, for it looks at it too
 * early; a script of the route does. It stands in the place of a filter that does nothing on other routes.
 */
import type { Input } from '../../../proto/load.ts';
import { type Any, LuaPerRoute } from '../../../proto/types.ts';
import { any } from '../any.ts';

/** Name of the filter whose script a route may give. */
export const stickyFilter = 'sluice.sticky';

/** As own agents, the request brings the cookie to the application, and the answer takes it to the client. */
export function givingCookie(name: string): Record<string, Input<Any>> {
  return { [stickyFilter]: any(LuaPerRoute, { sourceCode: { inlineString: script(name) } }) };
}

/** A name of a cookie has neither quotation marks nor backslashes. */
function script(name: string): string {
  return `function envoy_on_request(handle)
  local headers = handle:headers()
  local before = headers:get("cookie")
  if before and string.find("; " .. before, "; ${name}=", 1, true) then return end
  local now = handle:timestampString(EnvoyTimestampResolution.MICROSECOND)
  local value = string.format("%s%x", now, math.random(0, 2147483647))
  headers:replace("cookie", (before and before .. "; " or "") .. "${name}=" .. value)
  handle:streamInfo():dynamicMetadata():set("${stickyFilter}", "value", value)
  handle:clearRouteCache()
end
function envoy_on_response(handle)
  local own = handle:streamInfo():dynamicMetadata():get("${stickyFilter}")
  if own then handle:headers():add("set-cookie", "${name}=" .. own.value .. "; Path=/") end
end
`;
}
