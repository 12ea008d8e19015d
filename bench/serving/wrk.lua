-- Arguments after "--": METHOD PATH BODYFILE|- [Header: value]…; prints one line of JSON, times in milliseconds.
function init(arguments)
  wrk.method = arguments[1]
  wrk.path = arguments[2]
  if arguments[3] ~= "-" then
    local file = io.open(arguments[3])
    wrk.body = file:read("*a")
    file:close()
    wrk.headers["Content-Type"] = "application/json"
  end
  for index = 4, #arguments do
    local name, value = arguments[index]:match("^([^:]+):%s*(.*)$")
    wrk.headers[name] = value
  end
  prepared = wrk.format(wrk.method, wrk.path, wrk.headers, wrk.body)
end

function request()
  return prepared
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failures = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '{"per_second":%.2f,"p50":%.4f,"p95":%.4f,"p99":%.4f,"failures":%d}\n',
    summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000, failures))
end
