-- wrk script: a hundred charges a call on random accounts.
-- Arguments after "--": the service key, the file with one customer key per line, how many of them to use.
dofile("benchmarks/result.lua")
MODEL = os.getenv("BENCH_MODEL")

function init(args)
    keys = {}
    for line in io.lines(args[2]) do
        keys[#keys + 1] = line
        if #keys >= tonumber(args[3]) then break end
    end
    headers = { ["Authorization"] = "Bearer " .. args[1], ["Content-Type"] = "application/json" }
end

function request()
    local charges = {}
    for i = 1, 100 do
        charges[i] = '{"customer":{"api_key":"' .. keys[math.random(#keys)] .. '"},"model":"' .. MODEL ..
            '","operation":"generate","parameters":{}}'
    end
    return wrk.format("POST", "/v1/charges/batch", headers, '{"charges":[' .. table.concat(charges, ",") .. ']}')
end

function response(status, headers, body)
    if status ~= 200 and status ~= 202 and status ~= 207 then io.stderr:write(status .. " " .. body:sub(1, 300) .. "\n") end
end
