-- Asks every source at once. An R4 source: its Patient by number, then its statements by the Patient's id.
-- A GP Connect source: one operation. `sources` is written by the load program.
local cjson = require "cjson"
local sources = require "sources"

local fan = {}

local function ask(at, path, body)
    local said = ngx.location.capture("/source/" .. at .. path, { method = ngx.HTTP_POST, body = body })
    if said.status ~= 200 then
        error("source " .. at .. ": " .. said.status)
    end
    return said.body
end

local function chain(at, source)
    if source.kind == "gp" then
        return ask(at, sources.operation, sources.parameters)
    end
    local patient = cjson.decode(ask(at, "/Patient/_search", sources.identifier))
    return ask(at, "/Observation/_search", "patient=" .. patient.entry[1].resource.id .. "&_count=100")
end

function fan.out()
    ngx.req.read_body()
    local threads = {}
    for at, source in ipairs(sources.list) do
        threads[at] = ngx.thread.spawn(chain, at, source)
    end
    local bodies = {}
    for at, thread in ipairs(threads) do
        local ok, body = ngx.thread.wait(thread)
        if not ok then
            error(body)
        end
        bodies[at] = body
    end
    return bodies
end

return fan
