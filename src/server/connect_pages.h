// SPDX-License-Identifier: Apache-2.0
#pragma once
// The browser's way: connect page, /auth, the callback, the page that tells how it ended. Sessions
// run on worker threads, sign-ins on the control executor; a sign-in goes on when its browser has
// left.
#include <expected>
#include <functional>

#include "connect/login.h"
#include "net/metrics.h"
#include "net/router.h"
#include "net/runtime.h"
#include "server/results.h"
#include "server/settings.h"
#include "server/sign_in_link.h"

namespace brickgate {

class ConnectPages {
 public:
    struct Parts {
        ServerSettings const& settings;
        Login& login;
        std::shared_ptr<Registration const> registration;
        Executor control;
        Clock& clock;
        Random& random;
        Metrics& metrics;
        std::function<void(LoginFinished const&)> on_connected;  // caches forget, the demo prints
    };
    explicit ConnectPages(Parts parts);
    void add_to(Router& router);

 private:
    std::expected<SignInLink, ServerResponse> link_of(ServerRequest const& request);
    std::optional<ServerResponse> by_its_name(ServerRequest const& request,
                                              std::string_view path) const;
    ServerResponse connect(ServerRequest const& request);
    Task<ServerResponse> begin(ServerRequest const& request);
    Task<ServerResponse> callback(ServerRequest const& request);
    ServerResponse result(std::string const& id);
    ServerResponse finished(LoginFinished const& done);
    ServerResponse refused(SignInLink link, Error const& error);
    ServerResponse failed(LoginFailed const& failure);
    ServerResponse redirect(int status, std::string location) const;
    ServerResponse asset(std::string const& path) const;

    Parts parts_;
    LoginResults results_;
};

}  // namespace brickgate
