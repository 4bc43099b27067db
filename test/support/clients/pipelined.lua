-- wrk: 16 requests at a time, of which each has its own path.
local requests
function init()
  local parts = {}
  for n = 1, 16 do parts[n] = wrk.format("GET", "/" .. n) end
  requests = table.concat(parts)
end
function request() return requests end
