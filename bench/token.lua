-- SPDX-License-Identifier: Apache-2.0
-- Asks for tokens: the ids of a file, drawn at random (DRAW=random), one after the other (order), or the first alone (one).
local ids, key, draw = {}, os.getenv('KEY'), os.getenv('DRAW')
for line in io.lines(os.getenv('IDS')) do
  ids[#ids + 1] = '/v1/connections/' .. line .. '/token'
end
local headers = { Authorization = 'Bearer ' .. key }
local next_id = 0
math.randomseed(1)
function request()
  if draw == 'random' then return wrk.format('GET', ids[math.random(#ids)], headers) end
  if draw == 'order' then next_id = next_id % #ids + 1 return wrk.format('GET', ids[next_id], headers) end
  return wrk.format('GET', ids[1], headers)
end
