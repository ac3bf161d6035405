// SPDX-License-Identifier: Apache-2.0
#pragma once
// Asks a workspace's sign-in page, as a browser would at the start of a sign-in, whether it knows
// this app and its redirect URI. A wrong one is never told to the app (facts 3.3): the person sees
// JSON, and the app waits. For doctor; nothing is begun here, and no secret is sent.
#include <string>

#include "base/random.h"
#include "databricks/registration.h"
#include "net/http_client.h"
#include "net/task.h"
#include "oauth/metadata.h"

namespace brickgate {

enum class ProbeVerdict : std::uint8_t {
    accepted,        // a sign-in page, or the way to one
    redirect_wrong,  // not registered for this app
    client_unknown,  // no such app in this account
    refused,         // another complaint, told to the app
    unclear,         // no answer that says anything
};
struct ProbeOutcome {
    ProbeVerdict verdict = ProbeVerdict::unclear;
    std::string words = {};  // theirs, cleaned
};

ProbeOutcome read_probe(HttpResponse const& response, RedirectUri const& redirect_uri);
Task<ProbeOutcome> probe_authorize(HttpClient& http, Random& random,
                                   std::shared_ptr<Registration const> registration,
                                   std::shared_ptr<ServerMetadata const> server);

}  // namespace brickgate
