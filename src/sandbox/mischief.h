// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a fault does to an answer: puts another in its place, spoils its JSON, or breaks it on the
// wire. Pure; any thread.
#include <boost/json.hpp>

#include "net/server_message.h"
#include "sandbox/faults.h"

namespace brickgate::sandbox {

ServerResponse json_answer(int status, boost::json::value const& document);

// Another answer than the one that was due; nullopt for faults of another nature.
std::optional<ServerResponse> replacement(Fault const& fault);
// Equal keys, depth, size: of a JSON object that is otherwise as it should be.
void spoil(ServerResponse& response, Fault const& fault);
// The answer as it leaves: half of it, endless, or a byte at a time.
ServerResponse on_the_wire(ServerResponse response, Fault const& fault);
ServerResponse nothing_at_all();  // the connection ends without a byte

}  // namespace brickgate::sandbox
