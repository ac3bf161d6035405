// SPDX-License-Identifier: Apache-2.0
#pragma once
// The JSON of the API: rows and tokens as documents, bodies and queries as values. Pure.
#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/result.h"
#include "net/server_message.h"
#include "tokens/explain.h"
#include "tokens/token_source.h"
#include "vault/connection.h"
#include "vault/store.h"

namespace brickgate {

ServerResponse json_answer(boost::json::object const& document, int status = 200);
boost::json::object connection_json(Connection const& row);
boost::json::object explanation_json(Connection const& row, Explanation const& explanation,
                                     std::vector<EventRow> const& events);
boost::json::object api_key_json(ApiKeyRow const& row);

struct TokenJson {
    std::string_view access_token, token_type, fingerprint, scopes, workspace;
    Time expires_at{};
    std::uint64_t generation = 0;
    bool session_only = false;
};
// Written by hand: this is the hot path. Replaces what `out` holds.
void write_token_json(std::string& out, TokenJson const& token, Time now);

// Digits only, at most a day. Errors: invalid_request.
Result<Seconds> min_valid_of(std::string_view query);
std::optional<std::string> query_value(FormFields const& fields, std::string_view name);
// ?limit= of a list: 1 to 1000, 100 where none is given. Errors: invalid_request.
Result<std::size_t> page_limit_of(FormFields const& fields);
Result<boost::json::object> body_object(std::string_view body);

}  // namespace brickgate
