// SPDX-License-Identifier: Apache-2.0
#pragma once
// The real route table over a real vault, with a scripted workspace behind it: a browser or a
// program asks, and the answer is looked at before any socket has seen it.
#include <unistd.h>

#include "server/routes.h"
#include "tokens/refresher.h"
#include "unit/connect/world.h"

namespace brickgate::testing {

class Site : public World {
 public:
    // What a test changes here before the first request is what the site is configured with.
    ServerSettings settings = [] {
        ServerSettings s;
        s.app_name = "Acme";
        s.public_url = "http://localhost:3000";
        s.callback_path = "/callback";
        s.plain_cookies = true;
        return s;
    }();

    void public_at(std::string url) {
        settings.public_url = std::move(url);
        settings.plain_cookies = settings.public_url.starts_with("http://");
    }
    // People choose: the form of the connect page.
    void let_people_choose() { settings.workspace_fixed = false; }
    void fix_workspace() { registration.fixed_workspace = *registration.hosts.admit(origin_a); }

    Router& router() {
        if (!router_) {
            open();
        }
        return *router_;
    }
    ApiKeys& keys() {
        router();
        return *keys_;
    }
    Operations& operations() {
        router();
        return *operations_;
    }
    Refresher& refresher() {
        router();
        return *refresher_;
    }
    Capabilities& capabilities() {
        router();
        return *capabilities_;
    }
    boost::asio::io_context& context() { return context_; }

    struct Question {
        std::string method = "GET";
        std::string target = "/";
        std::vector<std::pair<std::string, std::string>> headers = {};
        std::string body = {};
        ListenerKind listener = ListenerKind::both;
        std::string peer = "127.0.0.1";
    };
    ServerResponse ask(Question const& question) {
        auto request = ServerRequest::of(question.method, question.target);
        request.peer_address = question.peer;
        for (auto const& [name, value] : question.headers) {
            request.headers.push_back({name, value});
        }
        request.body = question.body;
        request.listener = question.listener;
        if (question.listener == ListenerKind::local_socket) {
            request.peer_uid = geteuid();
        }
        return run_task(context_, router().handle(request));
    }
    ServerResponse get(std::string target) { return ask({.target = std::move(target)}); }
    // As this user's own command line asks, with every right.
    ServerResponse admin(std::string method, std::string target, std::string body = {}) {
        return ask({std::move(method),
                    std::move(target),
                    {},
                    std::move(body),
                    ListenerKind::local_socket});
    }

 private:
    void open() {
        registered();
        RefreshPolicy const policy;
        keys_ = std::make_unique<ApiKeys>(*vault, *keyring, clock, random);
        capabilities_ = std::make_unique<Capabilities>(*vault, *keyring, clock, random);
        cache_ = std::make_unique<TokenCache>(random, policy);
        refresher_ = std::make_unique<Refresher>(
            Refresher::Parts{registrations, *vault, spool, http, *cache_, clock, random, timers,
                             policy, "node-1", "boot-1"});
        revocation_ =
            std::make_unique<Revocation>(Revocation::Parts{registrations, *vault, discovery, http});
        auto const control = context_.get_executor();
        pages_ = std::make_unique<ConnectPages>(ConnectPages::Parts{
            settings, login(), registered(), control, clock, random, metrics, [](auto const&) {}});
        api_ = std::make_unique<Api>(Api::Parts{settings, *vault, *refresher_, *cache_, *keys_,
                                                login(), *revocation_, registered(), control, clock,
                                                metrics, *capabilities_, forced_});
        operations_ = std::make_unique<Operations>(
            Operations::Parts{metrics, *refresher_, *vault, *cache_, control});
        operations_->set_ready(true);
        capabilities_api_ = std::make_unique<CapabilitiesApi>(
            CapabilitiesApi::Parts{*keys_, *capabilities_, control});
        metadata_ = std::make_unique<MetadataService>(
            MetadataService::Parts{settings, *capabilities_, *refresher_, control});
        metadata_->set_ports({"3000"});
        router_ = std::make_unique<Router>(
            make_router(settings, *pages_, *api_, *operations_, *capabilities_api_, *metadata_));
    }

    boost::asio::io_context context_{1};

 public:
    Metrics metrics;

 private:
    std::unique_ptr<ApiKeys> keys_;
    std::unique_ptr<Capabilities> capabilities_;
    std::unique_ptr<TokenCache> cache_;
    std::unique_ptr<Refresher> refresher_;
    std::unique_ptr<Revocation> revocation_;
    std::unique_ptr<ConnectPages> pages_;
    ForcedRefreshes forced_{clock};
    std::unique_ptr<Api> api_;
    std::unique_ptr<Operations> operations_;
    std::unique_ptr<CapabilitiesApi> capabilities_api_;
    std::unique_ptr<MetadataService> metadata_;
    std::unique_ptr<Router> router_;
};

// What stands at the bottom of a page.
inline std::string code_on(ServerResponse const& page) {
    constexpr std::string_view before = "Code: <code>";
    auto const at = page.body.find(before);
    if (at == std::string::npos) {
        return {};
    }
    auto const from = at + before.size();
    return page.body.substr(from, page.body.find('<', from) - from);
}

inline std::string location_of(ServerResponse const& response) {
    return std::string(response.headers.get("Location").value_or(""));
}

}  // namespace brickgate::testing
