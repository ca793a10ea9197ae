-- GETs the paths of a file in turn. Arguments: the file, one path per line.
local paths, count, index = {}, 0, 0

function init(args)
  for line in io.lines(args[1]) do
    count = count + 1
    paths[count] = wrk.format("GET", line)
  end
end

function request()
  index = index % count + 1
  return paths[index]
end
