"""What Redis does for limits: GCRA and slots, exact, several limits of a request all or nothing.

The words of one call are groups: the number of limits that are asked for together, then four words for each.
A number of 0 is followed by one order, which is carried out whatever the limits say.
"""

from typing import Final

EPOCH: Final = b"rate:epoch"
"""A mark without a time to live. Another one than last time: Redis has forgotten what it knew."""

# A rate is one number at its key: the theoretical arrival time, at which the allowance is full again. Redis's
# own clock is used, so that hosts need not agree on the time. Slots are a sorted set of holders by expiry.
SCRIPT: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local epoch = redis.call('GET', KEYS[1])
if not epoch then
    epoch = time[1] .. time[2]
    redis.call('SET', KEYS[1], epoch)
end

local function arrival_of(place)
    return math.max(tonumber(redis.call('GET', place) or now), now)
end

local function keep_arrival(place, arrival)
    if arrival > now then
        local milliseconds = math.ceil((arrival - now) * 1000) + 1
        redis.call('SET', place, string.format('%.6f', arrival), 'PX', milliseconds)
    else
        redis.call('DEL', place)
    end
end

local function hold(place, holder, seconds)
    redis.call('ZADD', place, now + seconds, holder)
    redis.call('PEXPIRE', place, math.ceil(seconds * 1000) + 1000)
end

-- What is used now, what will be, and for how long to wait; 0 lets pass.
local function look(place, kind, first, second, third)
    if kind == 'rate' then
        local before = arrival_of(place)
        local after = before + first * third
        local wait = after - first * second - now
        if wait < 0.000001 then wait = 0 end
        return before, after, wait
    end
    redis.call('ZREMRANGEBYSCORE', place, '-inf', now)
    local before = redis.call('ZCARD', place)
    if before < first then return before, before + 1, 0 end
    return before, before + 1, second
end

local function obey(place, kind, first, second, third)
    if kind == 'settle' then
        local after = arrival_of(place) + tonumber(first) * tonumber(third)
        keep_arrival(place, math.min(after, now + 2 * tonumber(first) * tonumber(second)))
    elseif kind == 'restore' then
        keep_arrival(place, math.max(arrival_of(place), now + tonumber(first)))
    elseif kind == 'free' then
        redis.call('ZREM', place, third)
    else
        hold(place, third, tonumber(second))
    end
end

local reply = {epoch}
local at, key, last = 1, 1, #ARGV
while at < last do
    local count = tonumber(ARGV[at])
    at = at + 1
    if count == 0 then
        obey(KEYS[key + 1], ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
        at, key = at + 4, key + 1
    else
        local befores, afters, allowed = {}, {}, true
        local waits = {}
        for index = 1, count do
            local word = at + 4 * (index - 1)
            local cost = ARGV[word] == 'rate' and tonumber(ARGV[word + 3])
            befores[index], afters[index], waits[index] = look(
                KEYS[key + index], ARGV[word], tonumber(ARGV[word + 1]), tonumber(ARGV[word + 2]), cost)
            if waits[index] > 0 then allowed = false end
        end
        for index = 1, count do
            local word, place = at + 4 * (index - 1), KEYS[key + index]
            local used = allowed and afters[index] or befores[index]
            if ARGV[word] == 'rate' then
                if allowed then keep_arrival(place, used) end
                used = (used - now) * 1000000
            elseif allowed then
                hold(place, ARGV[word + 3], tonumber(ARGV[word + 2]))
            end
            reply[#reply + 1] = math.floor(used + 0.5)
            reply[#reply + 1] = math.ceil(waits[index] * 1000000)
        end
        at, key = at + 4 * count, key + count
    end
end
return reply
"""
