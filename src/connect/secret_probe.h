// SPDX-License-Identifier: Apache-2.0
#pragma once
// Asks a workspace's token endpoint whether it takes this app's secret, by redeeming a code that
// nobody was given: the client is authenticated before the code is looked at (RFC 6749 section
// 5.2), so invalid_client says no, and invalid_grant yes. For doctor. No grant is touched, and the
// secret goes where a sign-in would send it; ask only where the app itself is known.
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "databricks/registration.h"
#include "net/http_client.h"
#include "net/task.h"
#include "oauth/metadata.h"

namespace brickgate {

enum class SecretVerdict : std::uint8_t {
    taken,
    refused,
    unclear,  // no answer that says anything
};

SecretVerdict read_secret_probe(HttpResponse const& response, Time now);
Task<SecretVerdict> probe_secret(HttpClient& http, Random& random, Clock& clock,
                                 std::shared_ptr<Registration const> registration,
                                 std::shared_ptr<ServerMetadata const> server);

}  // namespace brickgate
