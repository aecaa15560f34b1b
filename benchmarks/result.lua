-- What a wrk script says at its end, for the program that started it.
function done(summary, latency, requests)
    io.write(string.format('RESULT {"requests":%d,"micros":%d,"p50":%d,"p99":%d,"errors":%d}\n', summary.requests,
        summary.duration, latency:percentile(50), latency:percentile(99),
        summary.errors.status + summary.errors.read + summary.errors.timeout + summary.errors.connect))
end
