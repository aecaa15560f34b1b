-- wrk script: reads the balance of random accounts. Arguments after "--": unused, the file with one key per line, how many of them.
dofile("benchmarks/result.lua")

function init(args)
    keys = {}
    for line in io.lines(args[2]) do
        keys[#keys + 1] = line
        if #keys >= tonumber(args[3]) then break end
    end
end

function request()
    return wrk.format("GET", "/v1/balance", { ["Authorization"] = "Bearer " .. keys[math.random(#keys)] })
end
