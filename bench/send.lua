-- POSTs chat messages, each with a client_id of its own. Arguments: the file of "path token" lines, a run's name.
local targets, count, index = {}, 0, 0

function init(args)
  run = args[2]
  for line in io.lines(args[1]) do
    local path, token = line:match("(%S+) (%S+)")
    count = count + 1
    targets[count] = {path, {["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json"}}
  end
end

function request()
  index = index + 1
  local target = targets[index % count + 1]
  local body = '{"body":"Is it still available?","client_id":"' .. run .. "-" .. index .. '"}'
  return wrk.format("POST", target[1], target[2], body)
end
