-- SPDX-License-Identifier: Apache-2.0
-- One request over and over, with the caller's own bearer.
local request_text
function init()
  request_text = wrk.format('GET', nil, { Authorization = 'Bearer ' .. os.getenv('KEY') })
end
function request() return request_text end
