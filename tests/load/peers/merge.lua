-- The same fan-out as the broker's, parsed and concatenated: every source's entries in one collection Bundle.
-- Nothing is checked, rewritten, grouped or put on record.
local cjson = require "cjson"
local fan = require "fan"

local entries = {}
for _, body in ipairs(fan.out()) do
    for _, entry in ipairs(cjson.decode(body).entry) do
        entries[#entries + 1] = entry
    end
end
ngx.header["Content-Type"] = "application/fhir+json"
local text = cjson.encode({ resourceType = "Bundle", type = "collection", entry = entries })
ngx.header["Content-Length"] = #text
ngx.print(text)
