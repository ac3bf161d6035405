// SPDX-License-Identifier: Apache-2.0
#pragma once
// GET /m/{capability}: Databricks' metadata service, from which its SDKs take tokens by themselves
// (databricks-facts 5.4; the setting is DATABRICKS_METADATA_SERVICE_URL). It gives whole tokens, so
// a capability with limits is refused here, and only programs of this machine are answered, never a
// page that a browser shows (T56). Also what an SDK asks a host first:
// /.well-known/databricks-config (5.5). Owned by the composition root; any thread.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/router.h"
#include "net/runtime.h"
#include "server/settings.h"
#include "tokens/token_source.h"
#include "vault/capabilities.h"

namespace brickgate {

// Whether it comes from this machine, to localhost:<port> or 127.0.0.1:<port> with one of `ports`,
// through no proxy, and from no browser. Errors: misdirected_request, browser_refused.
std::optional<Error> refuse_stranger(ServerRequest const& request,
                                     std::vector<std::string> const& ports);
// "https://H/" names the host of the origin "https://h".
bool names_workspace(std::string_view given, std::string_view workspace);

class MetadataService {
 public:
    struct Parts {
        ServerSettings const& settings;
        Capabilities const& capabilities;
        TokenSource& tokens;  // asked on the control executor
        Executor control;
    };
    explicit MetadataService(Parts parts) : parts_(std::move(parts)) {}
    void add_to(Router& router);
    // Where it is answered; before the first request.
    void set_ports(std::vector<std::string> ports) { ports_ = std::move(ports); }

 private:
    Task<ServerResponse> token(ServerRequest const& request, PathParams params);
    Task<ServerResponse> configuration();

    Parts parts_;
    std::vector<std::string> ports_;
};

// Below /oidc nothing is answered: the error that says who signs people in. nullopt: another path.
std::optional<Error> sign_in_is_ours(std::string_view path, std::string_view base_path);

}  // namespace brickgate
