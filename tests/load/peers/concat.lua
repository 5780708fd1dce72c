-- The same fan-out, and the sources' texts put side by side unread: what nobody could answer for.
local fan = require "fan"

local bodies = fan.out()
local parts = { '{"resourceType":"Bundle","type":"collection","entry":[{"resource":' }
for at, body in ipairs(bodies) do
    if at > 1 then
        parts[#parts + 1] = '},{"resource":'
    end
    parts[#parts + 1] = body
end
parts[#parts + 1] = "}]}"
local length = 0
for _, part in ipairs(parts) do
    length = length + #part
end
ngx.header["Content-Type"] = "application/fhir+json"
ngx.header["Content-Length"] = length
ngx.print(parts)
