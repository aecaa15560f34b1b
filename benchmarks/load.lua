-- wrk script: authorizes on random accounts, and settles every hold it was given, in turn.
-- Arguments after "--": the service key, the file with one customer key per line, how many of them to use.
dofile("benchmarks/result.lua")
local threads = 0
MODEL = os.getenv("BENCH_MODEL")

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(args)
    math.randomseed(os.time() * 100 + number)
    service, keys = args[1], {}
    for line in io.lines(args[2]) do
        keys[#keys + 1] = line
        if #keys >= tonumber(args[3]) then break end
    end
    waiting, refused = {}, 0
    headers = { ["Authorization"] = "Bearer " .. service, ["Content-Type"] = "application/json" }
end

function request()
    local id = table.remove(waiting)
    if id then
        return wrk.format("POST", "/v1/charges/" .. id .. "/settle", headers, '{"cost":"0.03"}')
    end
    local key = keys[math.random(#keys)]
    return wrk.format("POST", "/v1/charges", headers,
        '{"customer":{"api_key":"' .. key .. '"},"model":"' .. MODEL .. '","operation":"generate","parameters":{}}')
end

function response(status, headers, body)
    if status == 202 then
        waiting[#waiting + 1] = string.match(body, '"id":"(ch_%x+)"')
    elseif status ~= 200 then
        refused = refused + 1
        if refused == 1 then io.stderr:write(status .. " " .. body .. "\n") end
    end
end
