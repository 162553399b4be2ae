--- turns: for which queues the caller is to do some work now that any worker does for all.
--- from none
--- to none
--- keys turns of each queue
--- args now work pause_ms
--- gives 1 or 0 for each queue
--- include now turn
local answers = {}
for number, key in ipairs(KEYS) do answers[number] = is_turn(key, ARGV[2], tonumber(ARGV[3])) end
return answers
